/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "backend/v4l2/ready.h"
#include "base/util.h"

#define NB_EVENTS 16 /* per call */

static int
create(struct ready *ready)
{
	ready->fd = epoll_create1(EPOLL_CLOEXEC);
	return ready->fd >= 0 ? 0 : -errno;
}

static void
destroy(struct ready *ready)
{
	close(ready->fd);
}

static int
add(struct ready *ready, int fd, uint32_t events, void *tag)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.ptr = tag};

	return epoll_ctl(ready->fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void
del(struct ready *ready, int fd, void *tag)
{
	(void)tag;
	epoll_ctl(ready->fd, EPOLL_CTL_DEL, fd, NULL);
}

static unsigned int
take(struct ready *ready, void **tags, unsigned int max)
{
	struct epoll_event events[NB_EVENTS];
	int nb = epoll_wait(ready->fd, events, (int)MIN(max, (unsigned int)NB_EVENTS), 0);

	for (int i = 0; i < nb; i++) {
		tags[i] = events[i].data.ptr;
	}
	return nb > 0 ? (unsigned int)nb : 0;
}

const struct ready_ops ready_epoll = {"epoll", create, destroy, NULL, add, del, take};
