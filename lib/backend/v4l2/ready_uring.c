/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "backend/v4l2/ready.h"
#include "base/log.h"

LOG_TYPE_USE(v4l2);

#define NB_ENTRIES 256

/* A poll that goes on. The kernel knows it by its address, until it has said that it is over. */
struct watch {
	int fd;
	uint32_t events;
	void *tag; /* NULL: of no use to anybody */
	bool over; /* the kernel does not know it any more */
	TAILQ_ENTRY(watch) link;
};

struct uring {
	struct io_uring ring;
	TAILQ_HEAD(, watch) watches;
};

static int
create(struct ready *ready)
{
	struct uring *uring = calloc(1, sizeof(*uring));
	int err = uring != NULL ? io_uring_queue_init(NB_ENTRIES, &uring->ring, 0) : -ENOMEM;

	if (err != 0) {
		free(uring);
		return err;
	}
	if ((uring->ring.features & IORING_FEAT_RSRC_TAGS) == 0) {
		io_uring_queue_exit(&uring->ring); /* older than polls that go on: Linux 5.13 */
		free(uring);
		return -ENOSYS;
	}
	TAILQ_INIT(&uring->watches);
	ready->priv = uring;
	ready->fd = uring->ring.ring_fd;
	return 0;
}

static void
forget(struct uring *uring, struct watch *watch)
{
	TAILQ_REMOVE(&uring->watches, watch, link);
	free(watch);
}

static void
destroy(struct ready *ready)
{
	struct uring *uring = ready->priv;

	io_uring_queue_exit(&uring->ring);
	while (!TAILQ_EMPTY(&uring->watches)) {
		forget(uring, TAILQ_FIRST(&uring->watches));
	}
	free(uring);
}

static int
submit(struct uring *uring)
{
	int nb = io_uring_submit(&uring->ring);

	return nb < 0 ? nb : 0;
}

/*
 * A poll waits at two places in the kernel at most, and ends at once with EINVAL where a driver has
 * more. Those of v4l2-mem2mem have three: each of their queues, and events.
 */
static int
probe(struct ready *ready, int fd)
{
	struct uring *uring = ready->priv;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
	struct io_uring_cqe *cqe;
	int err;

	io_uring_prep_poll_add(sqe, fd, EPOLLPRI);
	io_uring_sqe_set_data(sqe, NULL);
	err = submit(uring);
	if (err == 0 && io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
		err = cqe->res < 0 ? cqe->res : 0;
		io_uring_cqe_seen(&uring->ring, cqe);
	} else if (err == 0) {
		sqe = io_uring_get_sqe(&uring->ring);
		io_uring_prep_poll_remove(sqe, 0);
		io_uring_sqe_set_data(sqe, NULL);
		err = submit(uring);
	}
	return err;
}

static int
arm(struct uring *uring, struct watch *watch)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

	if (sqe == NULL) {
		return -EBUSY;
	}
	io_uring_prep_poll_multishot(sqe, watch->fd, watch->events);
	io_uring_sqe_set_data(sqe, watch);
	return submit(uring);
}

static int
add(struct ready *ready, int fd, uint32_t events, void *tag)
{
	struct uring *uring = ready->priv;
	struct watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (watch == NULL) {
		return -ENOMEM;
	}
	*watch = (struct watch){.fd = fd, .events = events, .tag = tag};
	TAILQ_INSERT_HEAD(&uring->watches, watch, link);
	err = arm(uring, watch);
	if (err != 0) {
		forget(uring, watch);
	}
	return err;
}

static void
del(struct ready *ready, int fd, void *tag)
{
	struct uring *uring = ready->priv;
	struct io_uring_sqe *sqe;
	struct watch *watch;

	(void)fd;
	TAILQ_FOREACH (watch, &uring->watches, link) {
		if (watch->tag == tag) {
			break;
		}
	}
	if (watch == NULL) {
		return;
	}
	watch->tag = NULL;
	if (watch->over) {
		forget(uring, watch);
		return;
	}
	sqe = io_uring_get_sqe(&uring->ring);
	if (sqe != NULL) {
		io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)watch);
		io_uring_sqe_set_data(sqe, NULL);
		submit(uring);
	}
}

/* The kernel ends a poll that goes on when there is no room for what it says, or with an error. */
static void
end(struct uring *uring, struct watch *watch, int result)
{
	if (watch->tag == NULL) {
		forget(uring, watch);
		return;
	}
	result = result < 0 ? result : arm(uring, watch);
	if (result < 0) {
		log_err(&log_v4l2,
			"io_uring does not wait for the node any more: %s; use wait=epoll",
			strerror(-result));
		watch->over = true;
	}
}

static unsigned int
take(struct ready *ready, void **tags, unsigned int max)
{
	struct uring *uring = ready->priv;
	struct io_uring_cqe *cqe;
	unsigned int nb = 0;

	while (nb < max && io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
		struct watch *watch = io_uring_cqe_get_data(cqe);
		bool goes_on = (cqe->flags & IORING_CQE_F_MORE) != 0;
		int result = cqe->res;

		io_uring_cqe_seen(&uring->ring, cqe);
		if (watch == NULL) {
			continue; /* the answer to a removal */
		}
		if (watch->tag != NULL) {
			tags[nb++] = watch->tag;
		}
		if (!goes_on) {
			end(uring, watch, result);
		}
	}
	return nb;
}

const struct ready_ops ready_uring = {"io_uring", create, destroy, probe, add, del, take};
