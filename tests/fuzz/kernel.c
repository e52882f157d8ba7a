/* SPDX-License-Identifier: BSD-3-Clause */
#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "input.h"

#define FIRST_FD 100000
#define MAX_FDS  512
#define START_NS 1000000000ULL
#define FAILED   (-1) /* libc's, with errno */

static struct {
	enum kernel_kind kind;
	unsigned int file;
	struct kernel_stream *stream;
} table[MAX_FDS];
static unsigned int nb_open, next;
static uint64_t now_ns;
static char *files[KERNEL_NB_FILES];

static bool
is_ours(int fd)
{
	return fd >= FIRST_FD && fd < FIRST_FD + MAX_FDS;
}

static int
open_as(enum kernel_kind kind, unsigned int file, struct kernel_stream *stream)
{
	must(nb_open < MAX_FDS);
	while (table[next].kind != KERNEL_CLOSED) {
		next = (next + 1) % MAX_FDS;
	}
	table[next].kind = kind;
	table[next].file = file;
	table[next].stream = stream;
	nb_open++;
	return FIRST_FD + (int)next;
}

void
kernel_reset(void)
{
	for (unsigned int i = 0; i < KERNEL_NB_FILES && files[i] == NULL; i++) {
		files[i] = calloc(1, KERNEL_FILE_BYTES);
		must(files[i] != NULL);
	}
	memset(table, 0, sizeof(table));
	nb_open = 0;
	next = 0;
	now_ns = START_NS;
}

unsigned int
kernel_nb_open(void)
{
	return nb_open;
}

int
kernel_open(enum kernel_kind kind, unsigned int file)
{
	return open_as(kind, file, NULL);
}

int
kernel_open_stream(struct kernel_stream *stream)
{
	stream->head = stream->tail = 0;
	stream->nb_passed = 0;
	stream->hung_up = false;
	stream->room = SIZE_MAX;
	return open_as(KERNEL_STREAM, 0, stream);
}

enum kernel_kind
kernel_kind_of(int fd)
{
	return is_ours(fd) ? table[fd - FIRST_FD].kind : KERNEL_CLOSED;
}

char *
kernel_file(int fd)
{
	must(kernel_kind_of(fd) == KERNEL_FILE);
	return files[table[fd - FIRST_FD].file];
}

void
kernel_sleep(uint64_t ns)
{
	now_ns += ns;
}

bool
kernel_feed(
	struct kernel_stream *s, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	bool fits = n > 0 && n <= KERNEL_STREAM_ROOM - s->tail && !s->hung_up &&
	            nb_fds <= KERNEL_MAX_PASSED - s->nb_passed;

	for (unsigned int i = 0; i < nb_fds; i++) {
		if (fits) {
			s->passed[s->nb_passed].at = s->tail;
			s->passed[s->nb_passed++].fd = fds[i];
		} else {
			close(fds[i]);
		}
	}
	if (fits) {
		memcpy(s->in + s->tail, data, n);
		s->tail += n;
	}
	return fits;
}

bool
kernel_is_readable(const struct kernel_stream *s)
{
	return s->head < s->tail || s->hung_up;
}

/* ---- in the place of libc ---- */

#define WRAPPED(ret, name, ...)         \
	ret __real_##name(__VA_ARGS__); \
	ret __wrap_##name(__VA_ARGS__); \
	ret __wrap_##name(__VA_ARGS__)

struct kernel_stream *
kernel_stream_of(int fd)
{
	must(kernel_kind_of(fd) == KERNEL_STREAM);
	return table[fd - FIRST_FD].stream;
}

WRAPPED(int, close, int fd)
{
	if (!is_ours(fd)) {
		must(fd >= 0);
		return __real_close(fd);
	}
	must(table[fd - FIRST_FD].kind != KERNEL_CLOSED);
	if (table[fd - FIRST_FD].kind == KERNEL_STREAM) {
		struct kernel_stream *s = kernel_stream_of(fd);

		while (s->nb_passed > 0) {
			__wrap_close(s->passed[--s->nb_passed].fd);
		}
		s->hung_up = true;
	}
	table[fd - FIRST_FD].kind = KERNEL_CLOSED;
	nb_open--;
	return 0;
}

WRAPPED(int, dup, int fd)
{
	if (!is_ours(fd)) {
		return __real_dup(fd);
	}
	must(kernel_kind_of(fd) != KERNEL_CLOSED && kernel_kind_of(fd) != KERNEL_STREAM);
	return open_as(table[fd - FIRST_FD].kind, table[fd - FIRST_FD].file, NULL);
}

WRAPPED(int, fstat64, int fd, struct stat64 *st)
{
	if (!is_ours(fd)) {
		return __real_fstat64(fd, st);
	}
	memset(st, 0, sizeof(*st));
	st->st_blksize = 4096;
	switch (kernel_kind_of(fd)) {
	case KERNEL_FILE:
	case KERNEL_READ_ONLY:
		st->st_mode = S_IFREG | 0600;
		st->st_ino = 100 + table[fd - FIRST_FD].file;
		st->st_size = KERNEL_FILE_BYTES;
		return 0;
	case KERNEL_EVENTFD:
		return 0;
	case KERNEL_PIPE:
		st->st_mode = S_IFIFO;
		return 0;
	case KERNEL_STREAM:
		st->st_mode = S_IFSOCK;
		return 0;
	default:
		errno = EBADF;
		return FAILED;
	}
}

WRAPPED(int, fcntl64, int fd, int cmd, ...)
{
	va_list args;
	long arg;

	va_start(args, cmd);
	arg = va_arg(args, long);
	va_end(args);
	if (!is_ours(fd)) {
		return __real_fcntl64(fd, cmd, arg);
	}
	must(kernel_kind_of(fd) != KERNEL_CLOSED && (cmd == F_GETFL || cmd == F_SETFL));
	return 0;
}

void *__real_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset);

void *
__wrap_mmap64(void *addr, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (!is_ours(fd)) {
		return __real_mmap64(addr, n, prot, flags, fd, offset);
	}
	must(n > 0 && offset == 0);
	errno = kernel_kind_of(fd) == KERNEL_READ_ONLY ? EACCES : ENODEV;
	return kernel_kind_of(fd) == KERNEL_FILE ? kernel_file(fd) : MAP_FAILED;
}

WRAPPED(int, munmap, void *addr, size_t n)
{
	for (unsigned int i = 0; i < KERNEL_NB_FILES; i++) {
		if (addr == files[i]) {
			return 0;
		}
	}
	return __real_munmap(addr, n);
}

WRAPPED(int, eventfd_write, int fd, eventfd_t value)
{
	if (!is_ours(fd)) {
		return __real_eventfd_write(fd, value);
	}
	must(kernel_kind_of(fd) == KERNEL_EVENTFD);
	return 0;
}

WRAPPED(int, ioctl, int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (!is_ours(fd)) {
		return __real_ioctl(fd, request, arg);
	}
	must(request == SIOCOUTQ && kernel_kind_of(fd) == KERNEL_STREAM);
	*(int *)arg = kernel_stream_of(fd)->hung_up ? 0 : 1;
	return 0;
}

WRAPPED(int, clock_gettime, clockid_t id, struct timespec *ts)
{
	ts->tv_sec = (time_t)(now_ns / 1000000000);
	ts->tv_nsec = (long)(now_ns % 1000000000);
	return 0;
}

/* Bytes up to the next ones that came with descriptors, as the kernel does it. */
static size_t
until_passed(const struct kernel_stream *s, size_t n)
{
	for (unsigned int i = 0; i < s->nb_passed; i++) {
		if (s->passed[i].at > s->head && s->passed[i].at - s->head < n) {
			return s->passed[i].at - s->head;
		}
	}
	return n;
}

static void
pass_fds(struct kernel_stream *s, struct msghdr *msg)
{
	struct cmsghdr *c = msg->msg_control;
	size_t most = (msg->msg_controllen - CMSG_LEN(0)) / sizeof(int);
	unsigned int n = 0;

	while (n < s->nb_passed && s->passed[n].at == s->head) {
		int fd = s->passed[n].fd;

		if (n < most) {
			memcpy(CMSG_DATA(c) + n * sizeof(int), &fd, sizeof(fd));
		} else {
			__wrap_close(fd);
			msg->msg_flags |= MSG_CTRUNC;
		}
		n++;
	}
	s->nb_passed -= n;
	memmove(s->passed, s->passed + n, s->nb_passed * sizeof(s->passed[0]));
	n = MIN(n, (unsigned int)most);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	msg->msg_controllen = n > 0 ? CMSG_SPACE(n * sizeof(int)) : 0;
}

WRAPPED(ssize_t, recvmsg, int fd, struct msghdr *msg, int flags)
{
	struct kernel_stream *s;
	size_t n;

	if (!is_ours(fd)) {
		return __real_recvmsg(fd, msg, flags);
	}
	s = kernel_stream_of(fd);
	must(msg->msg_iovlen == 1 && msg->msg_iov->iov_len > 0 && (flags & MSG_DONTWAIT));
	if (s->head == s->tail) {
		errno = EAGAIN;
		msg->msg_controllen = 0;
		return s->hung_up ? 0 : FAILED;
	}
	n = until_passed(s, MIN(msg->msg_iov->iov_len, s->tail - s->head));
	memcpy(msg->msg_iov->iov_base, s->in + s->head, n);
	pass_fds(s, msg);
	s->head += n;
	if (s->head == s->tail) {
		s->head = s->tail = 0;
	}
	return (ssize_t)n;
}

static ssize_t
transmit(int fd, const void *data, size_t n, const int *fds, unsigned int nb_fds)
{
	struct kernel_stream *s = kernel_stream_of(fd);

	n = MIN(n, s->room);
	if (s->hung_up || n == 0) {
		errno = s->hung_up ? EPIPE : EAGAIN;
		return FAILED;
	}
	s->room -= n;
	s->sent(s->arg, data, n, fds, nb_fds);
	return (ssize_t)n;
}

WRAPPED(ssize_t, sendmsg, int fd, const struct msghdr *msg, int flags)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	unsigned int nb_fds = 0;
	int fds[KERNEL_MAX_PASSED];

	if (!is_ours(fd)) {
		return __real_sendmsg(fd, msg, flags);
	}
	must(msg->msg_iovlen == 1 && (flags & MSG_NOSIGNAL) && (flags & MSG_DONTWAIT));
	if (c != NULL) {
		nb_fds = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		must(nb_fds <= ARRAY_SIZE(fds));
		memcpy(fds, CMSG_DATA(c), nb_fds * sizeof(int));
	}
	for (unsigned int i = 0; i < nb_fds; i++) {
		must(kernel_kind_of(fds[i]) != KERNEL_CLOSED);
	}
	return transmit(fd, msg->msg_iov->iov_base, msg->msg_iov->iov_len, fds, nb_fds);
}

WRAPPED(ssize_t, send, int fd, const void *data, size_t n, int flags)
{
	if (!is_ours(fd)) {
		return __real_send(fd, data, n, flags);
	}
	must((flags & MSG_NOSIGNAL) && (flags & MSG_DONTWAIT));
	return transmit(fd, data, n, NULL, 0);
}
