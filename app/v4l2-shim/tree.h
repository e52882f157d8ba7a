/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder that stands for what programs look up in /sys and /run/udev. Negative errno. */
#ifndef VMEDIA_V4L2_SHIM_TREE_H
#define VMEDIA_V4L2_SHIM_TREE_H

#include <stddef.h>

/* Makes an empty one; path has room for size bytes. Real cameras' entries are linked into it. */
int tree_create(char *path, size_t size);
int tree_add(const char *path, unsigned int number, const char *card);
void tree_remove(const char *path);

#endif
