/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder that stands for what programs look up in /sys and /run/udev. Negative errno. */
#ifndef VMEDIA_V4L2_SHIM_TREE_H
#define VMEDIA_V4L2_SHIM_TREE_H

#include <linux/videodev2.h>
#include <stddef.h>

/* Makes an empty one; path has room for size bytes. Real cameras' entries are linked into it. */
int tree_create(char *path, size_t size);
struct tree_node {
	const char *kind; /* /dev/KINDNUMBER */
	unsigned int number;
	struct v4l2_capability cap; /* card and device_caps */
};
/* What is seen of a node. */
int tree_add(const char *path, const struct tree_node *node);
void tree_remove(const char *path);

#endif
