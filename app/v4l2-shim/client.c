/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections to the brokers: a pool per device, so that threads never wait for one another. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "v4l2-shim/shim.h"

#define HIGH_FDS 128 /* below the limit of fds: where ours go */
#define NB_OWN   1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct connection *idle[SHIM_MAX_DEVICES];
static atomic_bool is_own[NB_OWN];

/*
 * The child's connections are its own. The parent's stay open, unused: they keep the mappings that
 * the child inherited.
 */
static void
after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
	memset(idle, 0, sizeof(idle));
}

static __attribute__((constructor)) void
prepare(void)
{
	pthread_atfork(NULL, NULL, after_fork);
}

static void
mark_own(int fd, bool own)
{
	if (fd >= 0 && fd < NB_OWN) {
		atomic_store_explicit(&is_own[fd], own, memory_order_relaxed);
	}
}

bool
client_is_internal(int fd)
{
	return fd >= 0 && fd < NB_OWN && atomic_load_explicit(&is_own[fd], memory_order_relaxed);
}

uint64_t
client_next_internal(uint64_t first, uint64_t last)
{
	while (first <= last && first < NB_OWN && !client_is_internal((int)first)) {
		first++;
	}
	return first <= last && first < NB_OWN ? first : last + 1;
}

int
client_raise_fd(int fd)
{
	struct rlimit limit;
	int raised;

	if (fd < 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		return fd;
	}
	raised = (int)MIN(limit.rlim_cur, (rlim_t)NB_OWN) - HIGH_FDS;
	raised = NEXT(fcntl)(fd, F_DUPFD_CLOEXEC, MAX(raised, 0));
	if (raised < 0) {
		return fd;
	}
	NEXT(close)(fd);
	return raised;
}

int
client_keep_fd(int fd)
{
	fd = client_raise_fd(fd);
	mark_own(fd, true);
	return fd;
}

void
client_drop_fd(int fd)
{
	mark_own(fd, false);
	NEXT(close)(fd);
}

static int
connect_broker(const char *address)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address));
	int size = 2 * (int)SHIM_MAX_PAYLOAD;
	struct ucred peer;
	socklen_t peer_size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	memcpy(addr.sun_path + 1, address, strlen(address));
	if (connect(fd, (struct sockaddr *)&addr, len) != 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size) != 0 ||
		peer.uid != geteuid()) {
		NEXT(close)(fd);
		return -ENODEV;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return client_keep_fd(fd);
}

struct connection *
connection_get(unsigned int device)
{
	struct connection *c;

	pthread_mutex_lock(&lock);
	c = idle[device];
	if (c != NULL) {
		idle[device] = c->next;
	}
	pthread_mutex_unlock(&lock);
	if (c != NULL) {
		return c;
	}
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED) {
		return NULL;
	}
	c->fd = connect_broker(device_address(device));
	if (c->fd < 0) {
		errno = -c->fd;
		NEXT(munmap)(c, sizeof(*c));
		return NULL;
	}
	return c;
}

void
connection_put(unsigned int device, struct connection *c)
{
	if (c->fd < 0) {
		NEXT(munmap)(c, sizeof(*c));
		return;
	}
	pthread_mutex_lock(&lock);
	c->next = idle[device];
	idle[device] = c;
	pthread_mutex_unlock(&lock);
}

static void
take_fds(struct msghdr *msg, int *fds, unsigned int *nb_fds)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	unsigned int room = *nb_fds;

	*nb_fds = 0;
	if (cmsg == NULL || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS) {
		return;
	}
	for (size_t at = 0; at + sizeof(int) <= cmsg->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + at, sizeof(fd));
		if (*nb_fds < room) {
			fds[(*nb_fds)++] = fd;
		} else {
			NEXT(close)(fd);
		}
	}
}

/* --spin: looks for the answer before it sleeps for it. Others may need the CPU meanwhile. */
static ssize_t
spin(struct connection *c, struct msghdr *msg)
{
	uint64_t spin_ns = device_spin_ns(), end_ns;
	size_t room = msg->msg_controllen;
	ssize_t bytes = -1;

	if (spin_ns == 0) {
		return bytes;
	}
	end_ns = clock_monotonic_ns() + spin_ns;
	errno = EAGAIN;
	while (bytes < 0 && errno == EAGAIN && clock_monotonic_ns() < end_ns) {
		msg->msg_controllen = room;
		bytes = recvmsg(c->fd, msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (bytes < 0 && errno == EAGAIN) {
			sched_yield();
		}
	}
	msg->msg_controllen = bytes < 0 ? room : msg->msg_controllen;
	return bytes;
}

/* A signal ends the waiting, not the request: it is asked to end, and then its answer comes. */
static ssize_t
receive(struct connection *c, struct msghdr *msg)
{
	struct shim_request cancel = {.op = SHIM_CANCEL};
	size_t room = msg->msg_controllen;
	ssize_t bytes = spin(c, msg);

	if (bytes >= 0) {
		return bytes;
	}
	while ((bytes = recvmsg(c->fd, msg, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR) {
		send(c->fd, &cancel, sizeof(cancel), MSG_NOSIGNAL);
		msg->msg_controllen = room;
	}
	return bytes;
}

static int
exchange(struct connection *c, int *fds, unsigned int *nb_fds)
{
	const struct shim_request *req = (const void *)c->message;
	const struct shim_reply *reply = (const void *)c->message;
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {c->message, sizeof(c->message)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	size_t size = sizeof(*req) + round_up(req->arg_bytes, 8) + round_up(req->array_bytes, 8) +
	              round_up(req->extra_bytes, 8);
	ssize_t bytes;

	do {
		bytes = send(c->fd, c->message, size, MSG_NOSIGNAL);
	} while (bytes < 0 && errno == EINTR);
	if (bytes == (ssize_t)size) {
		bytes = receive(c, &msg);
	}
	if (bytes < (ssize_t)sizeof(*reply)) {
		return -ENODEV; /* the broker is gone, and so is the device */
	}
	take_fds(&msg, fds, nb_fds);
	return 0;
}

int
connection_call(struct connection *c, int *fds, unsigned int *nb_fds)
{
	unsigned int none = 0;
	int cancel_state, ret;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	ret = exchange(c, fds, nb_fds != NULL ? nb_fds : &none);
	pthread_setcancelstate(cancel_state, NULL);
	if (ret != 0) {
		client_drop_fd(c->fd);
		c->fd = ret;
	}
	return ret;
}

int
client_call(unsigned int device, const struct shim_request *request, struct shim_reply *reply,
	int *fds, unsigned int nb_fds)
{
	struct connection *c = connection_get(device);
	int ret;

	if (c == NULL) {
		return -errno;
	}
	memcpy(c->message, request, sizeof(*request));
	ret = connection_call(c, fds, &nb_fds);
	if (ret == 0) {
		memcpy(reply, c->message, sizeof(*reply));
		ret = reply->status;
	}
	connection_put(device, c);
	return ret;
}
