/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes and file descriptors over a stream socket, each with a deadline. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "driver/frontend.h"

#define MAX_FDS 8

uint64_t
message_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX
	                      : clock_monotonic_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
}

int
message_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (path == NULL || strlen(path) >= sizeof(addr.sun_path)) {
		return -EINVAL;
	}
	memcpy(addr.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int
message_wait(int sock, short events, int wake_fd, uint64_t deadline_ns)
{
	struct pollfd fds[2] = {{.fd = sock, .events = events}, {.fd = wake_fd, .events = POLLIN}};
	uint64_t now = clock_monotonic_ns();
	int ms = -1;

	if (deadline_ns != UINT64_MAX) {
		if (now >= deadline_ns) {
			return -ETIMEDOUT;
		}
		ms = (int)MIN((deadline_ns - now) / NSEC_PER_MSEC + 1, (uint64_t)INT_MAX);
	}
	if (poll(fds, 2, ms) < 0 && errno != EINTR) {
		return -errno;
	}
	return fds[1].revents != 0 ? -ECANCELED : 0;
}

static void
attach_fds(struct msghdr *msg, void *control, const int *fds, unsigned int nb_fds)
{
	struct cmsghdr *cmsg;

	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(nb_fds * sizeof(int));
	cmsg = CMSG_FIRSTHDR(msg);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(nb_fds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, nb_fds * sizeof(int));
}

int
wire_send(int sock, const struct vhost_user_header *hdr, const void *payload, const int *fds,
	unsigned int nb_fds, uint64_t deadline_ns)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))] = {0};
	struct iovec iov[2] = {
		{(void *)(uintptr_t)hdr, sizeof(*hdr)}, {(void *)(uintptr_t)payload, hdr->size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	size_t left = sizeof(*hdr) + hdr->size;

	if (nb_fds > MAX_FDS) {
		return -EINVAL;
	}
	if (nb_fds > 0) {
		attach_fds(&msg, control, fds, nb_fds);
	}
	while (left > 0) {
		ssize_t n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		int ret = 0;

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return -errno;
		}
		if (n < 0) {
			ret = message_wait(sock, POLLOUT, -1, deadline_ns);
			n = 0;
		} else {
			msg.msg_control = NULL; /* fds went with the first byte */
			msg.msg_controllen = 0;
		}
		if (ret != 0) {
			return ret;
		}
		left -= (size_t)n;
		for (unsigned int i = 0; i < 2 && n > 0; i++) {
			size_t part = MIN((size_t)n, iov[i].iov_len);

			iov[i].iov_base = (uint8_t *)iov[i].iov_base + part;
			iov[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 0;
}

static void
take_fds(struct message_reader *reader, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		unsigned int nb = 0;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			nb = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		}
		for (unsigned int i = 0; i < nb; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (reader->nb_fds < reader->max_fds) {
				reader->fds[reader->nb_fds++] = fd;
			} else {
				reader->nb_surplus++;
				close(fd);
			}
		}
	}
	reader->nb_surplus += (msg->msg_flags & MSG_CTRUNC) != 0;
}

int
wire_read(struct message_reader *reader, void *buf, size_t n)
{
	uint8_t *to = buf;

	while (n > 0) {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct iovec iov = {to, n};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t got = recvmsg(reader->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		int ret = 0;

		if (got == 0) {
			return -ECONNRESET;
		}
		if (got < 0 && errno != EAGAIN && errno != EINTR) {
			return -errno;
		}
		if (got < 0) {
			ret = message_wait(
				reader->sock, POLLIN, reader->wake_fd, reader->deadline_ns);
			got = 0;
		} else {
			take_fds(reader, &msg);
		}
		if (ret != 0) {
			return ret;
		}
		to += got;
		n -= (size_t)got;
	}
	return 0;
}
