/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which descriptors have become ready, found out without asking each: two ways, of which one asks
 * the kernel nothing at all while there is nothing. Edge-triggered: what is ready when it is added,
 * and each time it becomes so.
 */
#ifndef VMEDIA_BACKEND_V4L2_READY_H
#define VMEDIA_BACKEND_V4L2_READY_H

#include <stdint.h>

struct ready {
	const struct ready_ops *ops;
	int fd;     /* readable when take() would find something; negative: not created */
	void *priv; /* of the ops */
};

struct ready_ops {
	const char *name;
	/* Any thread; the others are one thread's in between. Negative errno: not possible here. */
	int (*create)(struct ready *ready);
	void (*destroy)(struct ready *ready);
	/*
	 * Whether this one can be waited for so, before any is added; negative errno: it cannot.
	 * NULL: any can.
	 */
	int (*probe)(struct ready *ready, int fd);
	/* events: EPOLL*, without EPOLLET. One tag is added once. */
	int (*add)(struct ready *ready, int fd, uint32_t events, void *tag);
	/* Before the descriptor is closed: it is let go. */
	void (*del)(struct ready *ready, int fd, void *tag);
	/* Tags of what is ready, at most so many. */
	unsigned int (*take)(struct ready *ready, void **tags, unsigned int max);
};

extern const struct ready_ops ready_epoll;
/* Polls of io_uring that go on; what is ready is read out of shared memory. */
extern const struct ready_ops ready_uring;

static inline void
ready_destroy(struct ready *ready)
{
	if (ready->fd >= 0) {
		ready->ops->destroy(ready);
		ready->fd = -1;
	}
}

/* To wait for the likes of `fd`. */
static inline int
ready_create(struct ready *ready, const struct ready_ops *ops, int fd)
{
	int err;

	ready->ops = ops;
	ready->fd = -1;
	err = ops->create(ready);
	if (err == 0 && ops->probe != NULL) {
		err = ops->probe(ready, fd);
	}
	if (err != 0) {
		ready_destroy(ready);
	}
	return err;
}

#endif
