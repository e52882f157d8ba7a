/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for POLLPRI: a second fd stands for it (docs/decisions/0006-v4l2-shim.md). Everything
 * else that poll(2) and its kin say of an open is said by its own fd. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

#define FEW  64
#define MOST 65536 /* fds of one poll that are looked into */

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

/* A copy of the program's array with room for as many more; NULL: nothing of ours is asked for, or
 * the pointer is bad, which the kernel says. Where it is not `few` it is freed by the caller. Not
 * const: to glibc the argument of ppoll is only written, and gcc warns of reading it. */
static struct pollfd *
fetch(struct pollfd *fds, nfds_t nb, struct pollfd few[FEW])
{
	struct pollfd *all = few;

	if (!handle_any() || nb == 0 || nb > MOST) {
		return NULL;
	}
	if (2 * nb > FEW) {
		all = calloc(2 * nb, sizeof(*all));
	}
	if (all == NULL || user_read(all, fds, nb * sizeof(*fds)) != 0 ||
		count_urgent(all, nb) == 0) {
		if (all != few) {
			free(all);
		}
		return NULL;
	}
	return all;
}

/* Behind the program's one for each that is urgent, which itself asks for everything but that.
 * Returns how many these are. */
static nfds_t
spread(struct pollfd *all, nfds_t nb)
{
	struct handle handle;
	nfds_t extra = nb;

	for (nfds_t i = 0; i < nb; i++) {
		if ((all[i].events & POLLPRI) != 0 && handle_get(all[i].fd, &handle)) {
			all[i].events &= ~POLLPRI;
			all[extra++] = (struct pollfd){.fd = handle.pri_fd, .events = POLLPRI};
		}
	}
	return extra - nb;
}

/* The extra ones stand in the order of those they belong to. */
static int
gather(struct pollfd *fds, nfds_t nb, struct pollfd *all, nfds_t nb_urgent)
{
	struct handle handle;
	int ready = 0;

	for (nfds_t i = 0, extra = nb; i < nb; i++) {
		all[i].events = fds[i].events;
		if ((all[i].events & POLLPRI) != 0 && extra < nb + nb_urgent &&
			handle_get(all[i].fd, &handle)) {
			all[i].revents |= all[extra++].revents & POLLPRI;
		}
		ready += all[i].revents != 0;
	}
	return user_write(fds, all, nb * sizeof(*fds)) == 0 ? ready : fail(-EFAULT);
}

EXPORT int
ppoll(struct pollfd *fds, nfds_t nb, const struct timespec *timeout, const sigset_t *mask)
{
	struct pollfd few[FEW], *all = fetch(fds, nb, few);
	nfds_t nb_urgent;
	int ret;

	if (all == NULL) {
		return NEXT(ppoll)(fds, nb, timeout, mask);
	}
	nb_urgent = spread(all, nb);
	ret = NEXT(ppoll)(all, nb + nb_urgent, timeout, mask);
	if (ret >= 0) {
		ret = gather(fds, nb, all, nb_urgent);
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

	if (!handle_any()) {
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

/* What the kernel reads and writes of a set: whole words. */
static size_t
set_bytes(int nb)
{
	return round_up((size_t)nb, 8 * sizeof(long)) / 8;
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

	if (!handle_any() || nb <= 0 || nb > FD_SETSIZE ||
		user_read(&asked, urgent, set_bytes(nb)) != 0) {
		return NEXT(pselect)(nb, in, out, urgent, timeout, mask);
	}
	top = swap_urgent(&asked, &swapped, nb, false);
	ret = NEXT(pselect)(top, in, out, &swapped, timeout, mask);
	if (ret > 0) {
		fd_set found;

		swap_urgent(&swapped, &found, nb, true);
		for (int fd = 0; fd < nb; fd++) {
			if (!FD_ISSET(fd, &found)) {
				FD_CLR(fd, &asked);
			}
		}
		ret = count_set(in, nb) + count_set(out, nb) + count_set(&asked, nb);
	} else if (ret == 0) {
		FD_ZERO(&asked);
	}
	return ret >= 0 && user_write(urgent, &asked, set_bytes(nb)) != 0 ? fail(-EFAULT) : ret;
}

EXPORT int
select(int nb, fd_set *in, fd_set *out, fd_set *urgent, struct timeval *timeout)
{
	struct timeval left;
	struct timespec ts;

	if (urgent == NULL || !handle_any() ||
		(timeout != NULL && user_read(&left, timeout, sizeof(left)) != 0)) {
		return NEXT(select)(nb, in, out, urgent, timeout);
	}
	if (timeout == NULL) {
		return pselect(nb, in, out, urgent, NULL, NULL);
	}
	ts = (struct timespec){left.tv_sec, left.tv_usec * 1000L};
	return pselect(nb, in, out, urgent, &ts, NULL);
}
