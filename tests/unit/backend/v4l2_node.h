/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A host's V4L2 node in plain memory, behind the system calls of backend v4l2: a camera, a display
 * or a codec that does what the test says, when it says so. The fd of an open is an eventfd, which
 * becomes readable when a frame or an event is ready. Any thread.
 */
#ifndef VMEDIA_TESTS_BACKEND_V4L2_NODE_H
#define VMEDIA_TESTS_BACKEND_V4L2_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/videodev2.h>

#define NODE_SIZE       8192 /* bytes of a buffer; two planes: of each */
#define NODE_WIDTH      64
#define NODE_HEIGHT     64
#define NODE_CTRL       V4L2_CID_BRIGHTNESS
#define NODE_BLOB       (V4L2_CID_USER_BASE | 0xf000) /* a compound control of so many bytes: */
#define NODE_BLOB_BYTES 300

/* How it behaves; the test changes it at any time. */
struct node_rules {
	uint32_t caps;
	uint32_t nb_planes; /* multi-planar types */
	uint32_t tuner_caps;
	bool no_userptr;        /* REQBUFS of USERPTR: EINVAL */
	bool bad_userptr;       /* QBUF of USERPTR: EFAULT */
	bool udmabuf;           /* there is a /dev/udmabuf */
	int create_error;       /* errno of UDMABUF_CREATE, 0: none */
	bool no_dmabuf;         /* REQBUFS of DMABUF: EINVAL */
	bool bad_dmabuf;        /* QBUF of DMABUF: EINVAL */
	int open_error;         /* errno, 0: none */
	bool unplugged;         /* every ioctl: ENODEV */
	unsigned long fail_cmd; /* fails with ... */
	int fail_error;         /* ... this errno */
	uint32_t slow_ms;       /* each of slow_cmd takes that long */
	unsigned long slow_cmd;
	bool slow_close;
};
extern struct node_rules node_rules;

/* A camera that takes USERPTR, in place of the real system calls. */
void node_setup(uint32_t caps);

/* Opens of it, and their number ever. */
uint32_t node_nb_open(void), node_nb_opened(void);
/* What it was opened by, last. */
const char *node_path(void);
/* Whether a call on it would wait. */
bool node_is_blocking(void);
/* Whether a call of slow_cmd is under way. */
bool node_is_slow(void);
/* Buffers that the newest open has queued in one direction. */
uint32_t node_nb_queued(bool output);
/* One buffer of the newest open is done: capture, filled with bytes `fill`; output, which was
 * filled with what is returned. flags: V4L2_BUF_FLAG_*. -1: none is queued. */
int node_frame(bool output, uint8_t fill, uint32_t flags);
/* Where a buffer's plane was when it was queued last; NULL: never. */
uint8_t *node_memory(bool output, uint32_t index, uint32_t plane);
/* A V4L2 event for each open that subscribed to it. */
void node_event(uint32_t type, uint32_t id);
/* What the driver would see as polled for, of the newest open: EPOLL* of an epoll in this process.
 */
uint32_t node_polled_for(void);
/* The same of any descriptor. */
uint32_t fd_polled_for(int fd);
/* The cable is pulled: every open is woken. */
void node_unplug(void);

#endif
