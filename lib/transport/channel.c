/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The back-end channel: one SHMEM_MAP of the whole arena per start, when the device asks for it.
 * Gateway thread.
 *
 * QEMU ends with a crash when the channel speaks while its device is stopped, so requests wait at a
 * gate that is open only while both rings run (vmm.md 1.4, R2). After a pause QEMU refuses the map
 * because it still stands; after a reset it takes it again.
 */
#include <errno.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "transport/internal.h"

#define WINDOW_TIMEOUT_NS (1400 * NSEC_PER_MSEC)
#define FLUSH_TIMEOUT_NS  (500 * NSEC_PER_MSEC)
#define FLUSH_INTERVAL_NS NSEC_PER_MSEC

static void
answer(struct vhost_user *vu, int status)
{
	vu->channel.window = WINDOW_IDLE;
	if (status != 0) {
		log_warning(&log_transport, "%s: shared memory is not mapped at the front-end: %s",
			vu->name, strerror(-status));
	}
	vu->listener->window_ready(vu->device, status);
}

static bool
may_ever_map(const struct vhost_user *vu)
{
	return vu->state != CONN_IDLE && vu->state != CONN_CLOSE && vu->arena_fd >= 0 &&
	       frontend_shmem(vu) != SHMEM_NONE;
}

static void
make_map(const struct vhost_user *vu, struct message *msg)
{
	if (frontend_shmem(vu) == SHMEM_CROSVM) {
		msg->header.request = MSG_BACKEND_LEGACY_MAP;
		msg->header.size = sizeof(msg->payload.legacy_map);
		msg->payload.legacy_map.len = vu->arena_bytes;
		msg->payload.legacy_map.flags = 3;
	} else {
		msg->header.request = MSG_BACKEND_SHMEM_MAP;
		msg->header.size = sizeof(msg->payload.map);
		msg->payload.map.len = vu->arena_bytes;
		msg->payload.map.flags = 1;
	}
	msg->nb_fds = 1;
	msg->fds[0] = vu->arena_fd;
}

/*
 * It will never be confirmed; such front-ends just map it (libkrun). A harmless message behind it
 * is read when the map is done, as one thread of theirs does both; crosvm is not asked for that.
 */
static void
flush_map(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;
	struct message msg = {.header = {MSG_BACKEND_CONFIG_CHANGE, MESSAGE_VERSION, 0}};

	ch->mapped = true;
	if (vu->kind != FRONTEND_QEMU ||
		message_send(ch->watch.fd, &msg) != (int)MESSAGE_HEADER_BYTES) {
		answer(vu, 0);
		return;
	}
	ch->window = WINDOW_FLUSHED;
	ch->look_again_ns = clock_monotonic_ns();
}

static void
send_map(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;
	bool acked = (vu->protocol_features & 1ULL << MSG_F_REPLY_ACK) != 0;
	struct message msg = {0};

	make_map(vu, &msg);
	msg.header.flags = MESSAGE_VERSION | (acked ? MESSAGE_NEED_REPLY : 0);
	if (message_send(ch->watch.fd, &msg) != (int)(MESSAGE_HEADER_BYTES + msg.header.size)) {
		answer(vu, -EIO);
		return;
	}
	ch->window = WINDOW_SENT;
	if (!acked && frontend_shmem(vu) != SHMEM_CROSVM) {
		flush_map(vu);
	}
}

static void
try_send(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;

	if (ch->window == WINDOW_WANTED && ch->gate && ch->watch.fd >= 0) {
		send_map(vu);
	}
}

void
channel_window(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;

	if (!may_ever_map(vu)) {
		answer(vu, -ENOTSUP);
		return;
	}
	if (ch->window == WINDOW_SENT) {
		ch->nb_stale++; /* asked before a restart: its reply tells nothing about now */
	}
	ch->window = WINDOW_WANTED;
	ch->deadline_ns = clock_monotonic_ns() + WINDOW_TIMEOUT_NS;
	try_send(vu);
}

static void
take_reply(struct vhost_user *vu, const struct message *msg)
{
	struct channel *ch = &vu->channel;
	bool ok = msg->header.size >= sizeof(uint64_t) && msg->payload.u64 == 0;

	ch->mapped |= ok;
	if (ch->nb_stale > 0) {
		ch->nb_stale--;
		return;
	}
	if (ch->window != WINDOW_SENT) {
		return;
	}
	if (!ok) {
		refusal_count(vu, REFUSED_map_refused);
	}
	answer(vu, ch->mapped ? 0 : -EIO);
}

static void
channel_ready(struct watch *watch, uint32_t events)
{
	struct vhost_user *vu = container_of(watch, struct vhost_user, channel.watch);
	struct channel *ch = &vu->channel;
	int ret = message_read(&ch->reader, watch->fd);

	if (ret == 1) {
		/* The answer may end in a new request: the reader must be free by then. */
		struct message reply = {
			.header = ch->reader.msg.header, .payload.u64 = ch->reader.msg.payload.u64};

		message_reader_reset(&ch->reader);
		take_reply(vu, &reply);
	} else if (ret != 0) {
		if (ret == -EPROTO) {
			refusal_count(vu, REFUSED_bad_reply);
		}
		log_info(&log_transport, "%s: back-end channel closed", vu->name);
		channel_close(vu);
	}
}

void
channel_init(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;

	ch->watch.fd = -1;
	ch->watch.ready = channel_ready;
	ch->window = WINDOW_IDLE;
	ch->nb_stale = 0;
	ch->mapped = false;
	ch->gate = false;
	message_reader_init(&ch->reader, true);
}

void
channel_set_fd(struct vhost_user *vu, int fd)
{
	struct channel *ch = &vu->channel;
	int err;

	gateway_unwatch(&ch->watch);
	message_reader_reset(&ch->reader);
	ch->nb_stale = 0;
	if (ch->window == WINDOW_SENT || ch->window == WINDOW_FLUSHED) {
		ch->window = WINDOW_WANTED; /* its reply is lost with the old channel */
	}
	ch->watch.fd = fd;
	err = gateway_watch(&ch->watch, EPOLLIN);
	if (err != 0) {
		log_warning(&log_transport, "%s: back-end channel not usable: %s", vu->name,
			strerror(-err));
		gateway_unwatch(&ch->watch);
		return;
	}
	try_send(vu);
}

void
channel_close(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;

	gateway_unwatch(&ch->watch);
	message_reader_reset(&ch->reader);
	ch->nb_stale = 0;
	if (ch->window != WINDOW_IDLE) {
		answer(vu, -EIO);
	}
}

void
channel_gate(struct vhost_user *vu, bool open)
{
	vu->channel.gate = open;
	try_send(vu);
}

void
channel_driver_reset(struct vhost_user *vu)
{
	vu->channel.mapped = false;
}

uint64_t
channel_deadline(const struct vhost_user *vu)
{
	switch (vu->channel.window) {
	case WINDOW_IDLE:
		return UINT64_MAX;
	case WINDOW_FLUSHED:
		return vu->channel.look_again_ns;
	default:
		return vu->channel.deadline_ns;
	}
}

/* Also when it takes too long: the front-end said nothing against it. */
static void
look_again(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;
	uint64_t now_ns = clock_monotonic_ns();
	int unread = 0;

	if (ch->watch.fd >= 0 && ioctl(ch->watch.fd, SIOCOUTQ, &unread) == 0 && unread > 0 &&
		now_ns < ch->deadline_ns - WINDOW_TIMEOUT_NS + FLUSH_TIMEOUT_NS) {
		ch->look_again_ns = now_ns + FLUSH_INTERVAL_NS;
		return;
	}
	answer(vu, 0);
}

void
channel_expire(struct vhost_user *vu)
{
	struct channel *ch = &vu->channel;

	if (ch->window == WINDOW_FLUSHED) {
		look_again(vu);
		return;
	}
	if (ch->window == WINDOW_SENT) {
		ch->nb_stale++;
		refusal_count(vu, REFUSED_map_unanswered);
	}
	answer(vu, -ETIMEDOUT);
}
