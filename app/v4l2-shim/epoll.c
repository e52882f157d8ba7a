/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EPOLLPRI of an open, which a second fd reports with the program's own data. A device would
 * report it together with EPOLLIN: a program that asks for one report at a time learns of an event
 * no later than of the buffer behind it. So reports of the first fd are completed here.
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

#define NB_WATCHED 64 /* opens in epoll sets at a time; a further one's reports stay apart */

static struct watched {
	int epoll, fd, pri_fd;
	uint64_t data;
} watched[NB_WATCHED];
LOCK_RENEWED_BY_FORK();
static atomic_uint nb_watched;

/* The program may have closed its fd since, and the number be another's. */
static bool
is_live(const struct watched *w)
{
	struct handle handle;

	return handle_get(w->fd, &handle) && handle.pri_fd == w->pri_fd;
}

static void
watch(int epoll, int fd, int pri_fd, const struct epoll_event *event)
{
	unsigned int nb = atomic_load(&nb_watched), kept = 0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < nb; i++) {
		if ((watched[i].epoll != epoll || watched[i].fd != fd) && is_live(&watched[i])) {
			watched[kept++] = watched[i];
		}
	}
	if (event != NULL && (event->events & (EPOLLET | EPOLLONESHOT)) == 0 && kept < NB_WATCHED) {
		watched[kept++] = (struct watched){epoll, fd, pri_fd, event->data.u64};
	}
	atomic_store(&nb_watched, kept);
	pthread_mutex_unlock(&lock);
}

EXPORT int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	struct handle handle;
	struct epoll_event first, second;
	int saved = errno;
	bool urgent;

	if (!handle_get(fd, &handle) || handle.pri_fd < 0 ||
		(op != EPOLL_CTL_DEL && user_read(&first, event, sizeof(first)) != 0)) {
		return NEXT(epoll_ctl)(epoll, op, fd, event);
	}
	NEXT(epoll_ctl)(epoll, EPOLL_CTL_DEL, handle.pri_fd, NULL);
	urgent = op != EPOLL_CTL_DEL && (first.events & EPOLLPRI) != 0;
	if (urgent) {
		second = first;
		second.events &= EPOLLPRI | EPOLLET | EPOLLONESHOT;
		NEXT(epoll_ctl)(epoll, EPOLL_CTL_ADD, handle.pri_fd, &second);
	}
	watch(epoll, fd, handle.pri_fd, urgent ? &first : NULL);
	errno = saved;
	if (op == EPOLL_CTL_DEL) {
		return NEXT(epoll_ctl)(epoll, op, fd, NULL);
	}
	first.events &= ~(uint32_t)EPOLLPRI;
	return NEXT(epoll_ctl)(epoll, op, fd, &first);
}

/* The second fd of the open that a report is about, negative: it is about none. */
static int
second_of(int epoll, uint64_t data)
{
	int fd = ~0;

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < atomic_load(&nb_watched) && fd < 0; i++) {
		if (watched[i].epoll == epoll && watched[i].data == data && is_live(&watched[i])) {
			fd = watched[i].pri_fd;
		}
	}
	pthread_mutex_unlock(&lock);
	return fd;
}

/* The reports of one open become one. */
static int
merge(struct epoll_event *events, int nb, int at)
{
	int kept = at + 1;

	for (int i = at + 1; i < nb; i++) {
		if (events[i].data.u64 == events[at].data.u64 && events[i].events == EPOLLPRI) {
			continue;
		}
		events[kept++] = events[i];
	}
	return kept;
}

static int
complete(int epoll, struct epoll_event *events, int nb)
{
	int saved = errno;

	for (int i = 0; i < nb && atomic_load(&nb_watched) > 0; i++) {
		int fd = second_of(epoll, events[i].data.u64);
		struct pollfd second = {.fd = fd, .events = POLLPRI};

		if (fd >= 0 && NEXT(poll)(&second, 1, 0) > 0 && (second.revents & POLLPRI) != 0) {
			events[i].events |= EPOLLPRI;
			nb = merge(events, nb, i);
		}
	}
	errno = saved;
	return nb;
}

EXPORT int
epoll_wait(int epoll, struct epoll_event *events, int nb, int timeout)
{
	return complete(epoll, events, NEXT(epoll_wait)(epoll, events, nb, timeout));
}

EXPORT int
epoll_pwait(int epoll, struct epoll_event *events, int nb, int timeout, const sigset_t *mask)
{
	return complete(epoll, events, NEXT(epoll_pwait)(epoll, events, nb, timeout, mask));
}

EXPORT int
epoll_pwait2(int epoll, struct epoll_event *events, int nb, const struct timespec *timeout,
	const sigset_t *mask)
{
	return complete(epoll, events, NEXT(epoll_pwait2)(epoll, events, nb, timeout, mask));
}
