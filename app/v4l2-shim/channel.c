/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections of programs: requests in, answers out. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/broker.h"

#define MAX_FDS 2

static struct channel *
channel_of(struct source *source)
{
	return container_of(source, struct channel, source);
}

static void
drop_mapping(struct channel *channel, struct mapping *mapping)
{
	/* A device that does not answer or forgot it: nothing is left to undo here. */
	driver_munmap(channel->broker->drv, mapping->addr);
	LIST_REMOVE(mapping, link);
	free(mapping);
}

static void
channel_close(struct channel *channel)
{
	struct call *call = channel->call;

	if (call != NULL) {
		call->channel = NULL;
		if (call->waits) {
			call_finish(call, -EINTR);
		}
	}
	while (!LIST_EMPTY(&channel->maps)) {
		drop_mapping(channel, LIST_FIRST(&channel->maps));
	}
	LIST_REMOVE(channel, link);
	close(channel->fd);
	free(channel);
}

void
channels_close(struct broker *broker)
{
	while (!LIST_EMPTY(&broker->channels)) {
		channel_close(LIST_FIRST(&broker->channels));
	}
}

static void
send_message(int fd, struct msghdr *msg, const int *fds, unsigned int nb_fds)
{
	union {
		char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};

	if (nb_fds > 0) {
		struct cmsghdr *cmsg;

		msg->msg_control = control.bytes;
		msg->msg_controllen = CMSG_SPACE(nb_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nb_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nb_fds * sizeof(int));
	}
	/* One answer per request always fits; a program that is gone is noticed by its hang-up. */
	sendmsg(fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
call_reply(struct call *call, struct shim_reply *reply, const int *fds, unsigned int nb_fds)
{
	struct channel *channel = call->channel;
	struct iovec iov[2] = {{reply, sizeof(*reply)}, {call->payload, 0}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (channel != NULL) {
		reply->arg_bytes = call->req.arg_bytes;
		reply->array_bytes = call->req.array_bytes;
		reply->extra_bytes = call->req.extra_bytes;
		iov[1].iov_len = round_up(reply->arg_bytes, 8) + round_up(reply->array_bytes, 8) +
		                 round_up(reply->extra_bytes, 8);
		send_message(channel->fd, &msg, fds, nb_fds);
		channel->call = NULL;
	}
	free(call);
}

void
call_finish(struct call *call, int status)
{
	struct shim_reply reply = {.status = status};
	struct session *session = call->session;

	if (call->waits) {
		TAILQ_REMOVE(&session->waiters, call, link);
	}
	if (session != NULL) {
		session_update(session, call->channel != NULL ? &reply : NULL);
	}
	call_reply(call, &reply, NULL, 0);
}

static void
open_device(struct call *call)
{
	struct shim_reply reply = {0};
	struct session *session;
	int fds[2];

	reply.status = session_open(call->channel->broker, &session, fds);
	if (reply.status != 0) {
		call_reply(call, &reply, NULL, 0);
		return;
	}
	reply.session = session->token;
	call_reply(call, &reply, fds, 2);
	close(fds[0]);
}

static void
map_buffer(struct call *call)
{
	struct channel *channel = call->channel;
	struct driver *drv = channel->broker->drv;
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	struct shim_reply reply = {0};
	struct stat file;
	size_t len;
	int fd = -1;

	reply.status =
		mapping == NULL ? -ENOMEM
		: call->req.offset > UINT32_MAX
			? -EINVAL
			: driver_mmap(call->session->driver, (uint32_t)call->req.offset,
				  (call->req.flags & SHIM_WRITABLE) != 0, &mapping->addr, &len);
	if (reply.status != 0) {
		free(mapping);
		call_reply(call, &reply, NULL, 0);
		return;
	}
	mapping->id = ++channel->broker->last_map;
	LIST_INSERT_HEAD(&channel->maps, mapping, link);
	reply.status = driver_window_file(drv, mapping->addr, len, &fd, &reply.offset);
	reply.length = len;
	reply.map = mapping->id;
	if (reply.status == 0 && fstat(fd, &file) == 0) {
		reply.page_bytes = (uint32_t)file.st_blksize;
	} else {
		drop_mapping(channel, mapping);
	}
	call_reply(call, &reply, &fd, fd >= 0);
	if (fd >= 0) {
		close(fd);
	}
}

static void
unmap_buffer(struct call *call)
{
	struct channel *channel;
	struct mapping *mapping;

	LIST_FOREACH(channel, &call->channel->broker->channels, link)
	{
		LIST_FOREACH(mapping, &channel->maps, link)
		{
			if (mapping->id == call->req.map) {
				drop_mapping(channel, mapping);
				call_finish(call, 0);
				return;
			}
		}
	}
	call_finish(call, -EINVAL);
}

/* Who asks is told what the device is; nothing is opened for it. */
static void
hello(struct call *call)
{
	const struct driver_info *info = &call->channel->broker->info;
	struct v4l2_capability *cap = (void *)call->arg;
	struct shim_reply reply = {.session = info->device_type};

	if (call->req.arg_bytes != sizeof(*cap)) {
		call_finish(call, -EINVAL);
		return;
	}
	memset(cap, 0, sizeof(*cap));
	memcpy(cap->card, info->card, sizeof(cap->card) - 1);
	cap->device_caps = info->device_caps;
	call_reply(call, &reply, NULL, 0);
}

static void
attach(struct call *call)
{
	struct shim_reply reply = {.session = call->session->token};

	call_reply(call, &reply, &call->session->pri_peer, 1);
}

static void
lend_memory(struct call *call)
{
	struct broker *broker = call->channel->broker;
	void *page = driver_mem_alloc(broker->drv, 1);
	struct shim_reply reply = {0};
	int fd = -1;

	reply.status =
		page != NULL ? driver_mem_file(broker->drv, page, &fd, &reply.offset) : -ENOMEM;
	if (reply.status == 0) {
		broker->memory = (uint8_t *)page - reply.offset;
	}
	driver_mem_free(broker->drv, page);
	call_reply(call, &reply, &fd, fd >= 0);
	if (fd >= 0) {
		close(fd);
	}
}

static void
dispatch(struct call *call)
{
	static void (*const ops[])(struct call *) = {
		[SHIM_ATTACH] = attach,
		[SHIM_IOCTL] = ioctl_start,
		[SHIM_MMAP] = map_buffer,
		[SHIM_PLACE] = ioctl_place,
	};
	uint32_t op = call->req.op;

	if (op == SHIM_HELLO) {
		hello(call);
	} else if (op == SHIM_OPEN) {
		open_device(call);
	} else if (op == SHIM_MUNMAP) {
		unmap_buffer(call);
	} else if (op == SHIM_MEMORY) {
		lend_memory(call);
	} else if (op >= ARRAY_SIZE(ops) || ops[op] == NULL) {
		call_finish(call, -EINVAL);
	} else {
		call->session = session_by_token(call->channel->broker, call->req.session);
		if (call->session != NULL) {
			ops[op](call);
		} else {
			call_finish(call, -EBADF);
		}
	}
}

/* A message of a program of ours; nothing but its sizes is taken for granted. */
static struct call *
parse(struct channel *channel, const uint8_t *msg, size_t bytes)
{
	struct shim_request req;
	struct call *call;
	uint64_t sum;

	if (bytes < sizeof(req)) {
		return NULL;
	}
	memcpy(&req, msg, sizeof(req));
	sum = round_up((uint64_t)req.arg_bytes, 8) + round_up((uint64_t)req.array_bytes, 8) +
	      round_up((uint64_t)req.extra_bytes, 8);
	if (bytes - sizeof(req) != sum) {
		return NULL;
	}
	call = calloc(1, sizeof(*call) + sum);
	if (call == NULL) {
		return NULL;
	}
	call->req = req;
	memcpy(call->payload, msg + sizeof(req), sum);
	call->arg = call->payload;
	call->array = call->arg + round_up(req.arg_bytes, 8);
	call->extra = call->array + round_up(req.array_bytes, 8);
	call->channel = channel;
	return call;
}

static void
channel_ready(struct source *source, uint32_t events)
{
	static uint8_t msg[sizeof(struct shim_request) + SHIM_MAX_PAYLOAD];
	struct channel *channel = channel_of(source);
	ssize_t bytes = recv(channel->fd, msg, sizeof(msg), MSG_DONTWAIT);
	struct shim_request req;
	struct call *call;

	if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (bytes < (ssize_t)sizeof(req)) {
		channel_close(channel);
		return;
	}
	memcpy(&req, msg, sizeof(req));
	if (req.op == SHIM_CANCEL) {
		if (channel->call != NULL) {
			ioctl_cancel(channel->call);
		}
		return;
	}
	call = channel->call == NULL ? parse(channel, msg, (size_t)bytes) : NULL;
	if (call == NULL) {
		channel_close(channel);
		return;
	}
	channel->call = call;
	dispatch(call);
}

void
channel_accept(struct broker *broker)
{
	int fd = accept4(broker->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int size = 2 * (int)SHIM_MAX_PAYLOAD;
	struct channel *channel;

	if (fd < 0) {
		return;
	}
	channel = calloc(1, sizeof(*channel));
	if (channel == NULL || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
		peer.uid != geteuid()) {
		free(channel);
		close(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	channel->broker = broker;
	channel->fd = fd;
	channel->source.fn = channel_ready;
	LIST_INIT(&channel->maps);
	LIST_INSERT_HEAD(&broker->channels, channel, link);
	broker->had_client = true;
	if (broker_watch(broker, fd, EPOLLIN, &channel->source) != 0) {
		channel_close(channel);
	}
}
