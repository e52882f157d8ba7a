/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls on a host node. Unit tests put a node of their own in their place, nothing else
 * does.
 */
#ifndef VMEDIA_BACKEND_V4L2_SYS_H
#define VMEDIA_BACKEND_V4L2_SYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udmabuf_create;

/* All return a negative errno instead of setting errno; none is interrupted. */
struct v4l2_sys {
	int (*open)(const char *path); /* read and write, not blocking; the fd can be polled */
	void (*close)(int fd);
	void (*set_blocking)(int fd, bool blocks);
	int (*ioctl)(int fd, unsigned long cmd, void *arg);
	int (*map)(int fd, uint32_t offset, size_t bytes, void **addr);
	void (*unmap)(void *addr, size_t bytes);
	/* An fd. */
	int (*create_dmabuf)(int udmabuf, const struct udmabuf_create *create);
};

extern struct v4l2_sys v4l2_sys;

#endif
