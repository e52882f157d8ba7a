/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for POLLPRI: a second fd stands for it (docs/decisions/0006-v4l2-shim.md). Everything
 * else that poll(2) and its kin say of an open is said by its own fd. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

#define FEW 64

int __poll_chk(struct pollfd *fds, nfds_t nb, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t nb, const struct timespec *timeout, const sigset_t *mask,
	size_t room);

/* Those of ours that somebody wants POLLPRI of. */
static nfds_t
count_urgent(const struct pollfd *fds, nfds_t nb)
{
	struct handle handle;
	nfds_t urgent = 0;

	for (nfds_t i = 0; i < nb; i++) {
		urgent += (fds[i].events & POLLPRI) != 0 && handle_get(fds[i].fd, &handle);
	}
	return urgent;
}

/* all: the program's, then one for each that is urgent. */
static void
spread(const struct pollfd *fds, nfds_t nb, struct pollfd *all)
{
	struct pollfd *extra = all + nb;
	struct handle handle;

	memcpy(all, fds, nb * sizeof(*fds));
	for (nfds_t i = 0; i < nb; i++) {
		if ((fds[i].events & POLLPRI) != 0 && handle_get(fds[i].fd, &handle)) {
			all[i].events &= ~POLLPRI;
			*extra++ = (struct pollfd){.fd = handle.pri_fd, .events = POLLPRI};
		}
	}
}

static int
gather(struct pollfd *fds, nfds_t nb, const struct pollfd *all)
{
	const struct pollfd *extra = all + nb;
	struct handle handle;
	int ready = 0;

	for (nfds_t i = 0; i < nb; i++) {
		fds[i].revents = all[i].revents;
		if ((fds[i].events & POLLPRI) != 0 && handle_get(fds[i].fd, &handle)) {
			fds[i].revents |= extra++->revents & POLLPRI;
		}
		ready += fds[i].revents != 0;
	}
	return ready;
}

EXPORT int
ppoll(struct pollfd *fds, nfds_t nb, const struct timespec *timeout, const sigset_t *mask)
{
	nfds_t urgent = count_urgent(fds, nb);
	struct pollfd few[FEW], *all = few;
	int ret;

	if (urgent == 0) {
		return NEXT(ppoll)(fds, nb, timeout, mask);
	}
	if (nb + urgent > FEW) {
		all = calloc(nb + urgent, sizeof(*all));
		if (all == NULL) {
			return fail(-ENOMEM);
		}
	}
	spread(fds, nb, all);
	ret = NEXT(ppoll)(all, nb + urgent, timeout, mask);
	if (ret >= 0) {
		ret = gather(fds, nb, all);
	}
	if (all != few) {
		free(all);
	}
	return ret;
}

EXPORT int
poll(struct pollfd *fds, nfds_t nb, int timeout)
{
	struct timespec ts = {timeout / 1000, timeout % 1000 * 1000000L};

	if (count_urgent(fds, nb) == 0) {
		return NEXT(poll)(fds, nb, timeout);
	}
	return ppoll(fds, nb, timeout >= 0 ? &ts : NULL, NULL);
}

EXPORT int
__poll_chk(struct pollfd *fds, nfds_t nb, int timeout, size_t room)
{
	return poll(fds, nb, timeout);
}

EXPORT int
__ppoll_chk(struct pollfd *fds, nfds_t nb, const struct timespec *timeout, const sigset_t *mask,
	size_t room)
{
	return ppoll(fds, nb, timeout, mask);
}

/* Swaps an open of ours for its second fd, and back. */
static int
swap_urgent(const fd_set *from, fd_set *to, int nb, bool back)
{
	int top = nb;

	FD_ZERO(to);
	for (int fd = 0; fd < nb && fd < FD_SETSIZE; fd++) {
		struct handle handle;
		bool ours =
			handle_get(fd, &handle) && handle.pri_fd >= 0 && handle.pri_fd < FD_SETSIZE;
		int other = ours ? handle.pri_fd : fd;

		if (FD_ISSET(back ? other : fd, from)) {
			FD_SET(back ? fd : other, to);
			top = MAX(top, other + 1);
		}
	}
	return top;
}

static int
count_set(const fd_set *set, int nb)
{
	int count = 0;

	for (int fd = 0; set != NULL && fd < nb && fd < FD_SETSIZE; fd++) {
		count += FD_ISSET(fd, set) != 0;
	}
	return count;
}

EXPORT int
pselect(int nb, fd_set *in, fd_set *out, fd_set *urgent, const struct timespec *timeout,
	const sigset_t *mask)
{
	fd_set asked, swapped;
	int top, ret;

	if (urgent == NULL) {
		return NEXT(pselect)(nb, in, out, NULL, timeout, mask);
	}
	asked = *urgent;
	top = swap_urgent(&asked, &swapped, nb, false);
	ret = NEXT(pselect)(top, in, out, &swapped, timeout, mask);
	if (ret > 0) {
		fd_set found;

		swap_urgent(&swapped, &found, nb, true);
		for (int fd = 0; fd < nb && fd < FD_SETSIZE; fd++) {
			if (!FD_ISSET(fd, &asked) || !FD_ISSET(fd, &found)) {
				FD_CLR(fd, urgent);
			}
		}
		ret = count_set(in, nb) + count_set(out, nb) + count_set(urgent, nb);
	} else if (ret == 0) {
		FD_ZERO(urgent);
	}
	return ret;
}

EXPORT int
select(int nb, fd_set *in, fd_set *out, fd_set *urgent, struct timeval *timeout)
{
	struct timespec ts;

	if (urgent == NULL || timeout == NULL) {
		return urgent == NULL ? NEXT(select)(nb, in, out, NULL, timeout)
		                      : pselect(nb, in, out, urgent, NULL, NULL);
	}
	ts = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000L};
	return pselect(nb, in, out, urgent, &ts, NULL);
}

/* The second fd reports EPOLLPRI with the program's own data: epoll_wait needs nothing from us. */
EXPORT int
epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	struct handle handle;
	struct epoll_event first, second;
	int saved = errno;
	int ret;

	if (!handle_get(fd, &handle) || handle.pri_fd < 0) {
		return NEXT(epoll_ctl)(epoll, op, fd, event);
	}
	NEXT(epoll_ctl)(epoll, EPOLL_CTL_DEL, handle.pri_fd, NULL);
	if (op != EPOLL_CTL_DEL && event != NULL && (event->events & EPOLLPRI) != 0) {
		second = *event;
		second.events &= EPOLLPRI | EPOLLET | EPOLLONESHOT;
		NEXT(epoll_ctl)(epoll, EPOLL_CTL_ADD, handle.pri_fd, &second);
	}
	errno = saved;
	if (event == NULL) {
		return NEXT(epoll_ctl)(epoll, op, fd, NULL);
	}
	first = *event;
	first.events &= ~(uint32_t)EPOLLPRI;
	ret = NEXT(epoll_ctl)(epoll, op, fd, &first);
	return ret;
}
