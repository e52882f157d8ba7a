/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection of a front-end, as an explicit state machine (enum conn_state). Gateway thread.
 *
 * A forwarded message always carries NEED_REPLY (unless it is answered anyway), so that the gateway
 * knows when the library is done; the library acknowledges whatever was negotiated.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/internal.h"

static void settle(struct vhost_user *vu);

/* Answers the message in the reader, if an answer is due, and goes on reading. */
static void
finish(struct vhost_user *vu, int ret)
{
	struct message *msg = &vu->reader.msg;

	message_close_fds(msg);
	vu->out_sent = 0;
	if (ret != DISPATCH_REPLY) {
		if (!vu->need_reply) {
			message_reader_reset(&vu->reader);
			vu->state = CONN_READ;
			gateway_rearm(&vu->outer, EPOLLIN);
			return;
		}
		msg->header.request = vu->request;
		message_make_reply(msg, sizeof(msg->payload.u64));
		msg->payload.u64 = ret == 0 ? 0 : 1;
	}
	vu->state = CONN_WRITE;
	vu->outer.ready(&vu->outer, EPOLLOUT);
}

/* One send for the whole reply; what a full socket leaves over follows when it is writable. */
static void
write_reply(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	size_t size = MESSAGE_HEADER_BYTES + msg->header.size;
	ssize_t n = 0;

	if (vu->out_sent == 0) {
		n = message_send(vu->outer.fd, msg);
	} else {
		n = send(vu->outer.fd, (const char *)&msg->header + vu->out_sent,
			size - vu->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);
		n = n < 0 ? -errno : n;
	}
	if (n < 0 && n != -EAGAIN) {
		conn_close(vu, "reply could not be sent");
		return;
	}
	vu->out_sent += n > 0 ? (size_t)n : 0;
	if (vu->out_sent < size) {
		gateway_rearm(&vu->outer, EPOLLOUT);
		return;
	}
	message_reader_reset(&vu->reader);
	vu->state = CONN_READ;
	gateway_rearm(&vu->outer, EPOLLIN);
}

static void
device_is_quiet(void *arg)
{
	gateway_post(arg, EVENT_QUIET);
}

/* True when the device is quiet now; else conn_quiet goes on later. */
static bool
quiesce(struct vhost_user *vu, enum transport_quiesce why)
{
	if (vu->quiet == QUIET_NO) {
		vu->quiet = QUIET_ASKED;
		vu->listener->quiesce(vu->device, why, device_is_quiet, vu);
		gateway_expect();
	}
	return vu->quiet == QUIET_YES;
}

static void
resume(struct vhost_user *vu)
{
	if (vu->quiet == QUIET_YES) {
		vu->quiet = QUIET_NO;
		vu->listener->resume(vu->device);
	}
}

static void
forward(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	const struct message_spec *spec = message_spec(msg->header.request);
	int n;

	rings_stop(vu, dispatch_stops(vu));
	if (msg->header.request == MSG_GET_VRING_BASE) {
		unsigned int queue = msg->payload.state.index;

		library_set_base(&vu->library, queue, vu->rings[queue].base);
	}
	if (msg->header.request == MSG_SET_MEM_TABLE) {
		library_unguard(&vu->library); /* it unmaps the old one */
	}
	msg->header.flags = MESSAGE_VERSION | (spec->replies ? 0 : MESSAGE_NEED_REPLY);
	n = library_send(vu->inner.fd, msg);
	if (n != (int)(MESSAGE_HEADER_BYTES + msg->header.size)) {
		conn_close(vu, "librte_vhost does not take messages");
		return;
	}
	vu->state = CONN_FORWARD;
}

/* Rings that run change only while the device is quiet; memory that the library unmaps may still be
 * in use without them, by buffers that are the guest's own pages. */
static bool
needs_quiet(const struct vhost_user *vu)
{
	bool unmaps = vu->reader.msg.header.request == MSG_SET_MEM_TABLE && vu->memory_valid;

	return unmaps || (rings_running(vu) & dispatch_stops(vu)) != 0;
}

static void
handle_message(struct vhost_user *vu)
{
	int ret = dispatch_request(vu);

	if (vu->state != CONN_READ) {
		return;
	}
	if (ret == DISPATCH_RESET) {
		vu->reset_wanted = true;
		settle(vu);
		return;
	}
	if (ret != DISPATCH_FORWARD) {
		finish(vu, ret);
		return;
	}
	if (needs_quiet(vu) &&
		!quiesce(vu, dispatch_is_stop(vu) ? TRANSPORT_STOP : TRANSPORT_CHANGE)) {
		vu->state = CONN_QUIESCE;
		return;
	}
	forward(vu);
}

static void
outer_ready(struct watch *watch, uint32_t events)
{
	struct vhost_user *vu = container_of(watch, struct vhost_user, outer);
	int ret;

	if (vu->state == CONN_WRITE) {
		write_reply(vu);
		return;
	}
	if (vu->state != CONN_READ) {
		return; /* a stale event; the socket is armed again with CONN_READ */
	}
	ret = message_read(&vu->reader, watch->fd);
	if (ret == 1) {
		handle_message(vu);
		return;
	}
	if (ret == 0) {
		gateway_rearm(watch, EPOLLIN);
		return;
	}
	if (ret == -EPROTO) {
		vu->request = vu->reader.msg.header.request;
		refuse(vu, REFUSED_bad_header, ret);
	}
	conn_close(vu, ret == -ECONNRESET ? "closed by the front-end" : strerror(-ret));
}

/* The library's answer to what was forwarded. */
static void
inner_reply(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	const struct message *reply = &vu->inner_reader.msg;

	if (message_spec(msg->header.request)->replies) {
		dispatch_commit(vu);
	} else if (reply->payload.u64 == 0 && reply->header.size >= sizeof(uint64_t)) {
		dispatch_commit(vu);
	} else {
		dispatch_refused(vu);
	}
	message_reader_reset(&vu->inner_reader);
	settle(vu);
}

static void
inner_ready(struct watch *watch, uint32_t events)
{
	struct vhost_user *vu = container_of(watch, struct vhost_user, inner);
	int ret = message_read(&vu->inner_reader, watch->fd);

	if (ret == 0) {
		return;
	}
	if (ret == 1 && vu->state == CONN_FORWARD) {
		inner_reply(vu);
		return;
	}
	if (vu->state == CONN_FORWARD) {
		refuse(vu, REFUSED_library, -EIO);
	}
	conn_close(vu, "given up by librte_vhost");
}

/* Brings the device up to date with what the last message changed, then answers it. */
static void
settle(struct vhost_user *vu)
{
	int ret = vu->settle_status;
	bool started;

	if (vu->memory_changed || vu->reset_wanted || rings_startable(vu) != 0) {
		if (!quiesce(vu, vu->reset_wanted ? TRANSPORT_STOP : TRANSPORT_CHANGE)) {
			vu->state = CONN_SETTLE;
			return;
		}
		if (vu->reset_wanted) {
			rings_reset(vu);
			vu->reset_wanted = false;
		}
		if (vu->memory_changed) {
			library_set_detached(&vu->library, !vu->memory_valid);
			vu->listener->set_memory(vu->device, vu->memory_valid ? &vu->mem : NULL);
			vu->memory_changed = false;
		}
		if (rings_start(vu) != 0 && ret == 0 && dispatch_wants_start(vu)) {
			ret = refuse(vu, REFUSED_bad_ring, -EINVAL);
		}
	}
	resume(vu);
	started = rings_running(vu) == (1u << TRANSPORT_NB_QUEUES) - 1;
	atomic_store(&vu->started, started);
	finish(vu, ret);
	if (vu->state != CONN_CLOSE && vu->state != CONN_IDLE) {
		channel_gate(vu, started);
	}
}

/* The device is out of passes for good: nothing of the library is used any more. */
static void
close_quiet(struct vhost_user *vu)
{
	rings_stop(vu, ~0u);
	rings_fini(vu);
	memory_end(vu);
	vu->listener->set_memory(vu->device, NULL);
	vu->listener->reset(vu->device);
	library_set_detached(&vu->library, true);
	resume(vu);
	gateway_unwatch(&vu->inner);
	message_reader_reset(&vu->inner_reader);
	library_close(&vu->library);
	vu->state = CONN_IDLE;
	atomic_store(&vu->connected, false);
	atomic_store(&vu->started, false);
	vhost_user_disconnected(vu);
}

void
conn_quiet(struct vhost_user *vu)
{
	vu->quiet = QUIET_YES;
	switch (vu->state) {
	case CONN_QUIESCE:
		forward(vu);
		break;
	case CONN_SETTLE:
		settle(vu);
		break;
	case CONN_CLOSE:
		close_quiet(vu);
		break;
	default:
		resume(vu);
		break;
	}
}

void
conn_close(struct vhost_user *vu, const char *why)
{
	if (vu->state == CONN_IDLE || vu->state == CONN_CLOSE) {
		return;
	}
	log_info(&log_transport, "%s: connection ends: %s", vu->name, why);
	vu->state = CONN_CLOSE;
	gateway_unwatch(&vu->outer);
	if (vu->inner.fd >= 0) {
		gateway_rearm(&vu->inner, 0); /* or its end wakes us until the device is quiet */
	}
	message_reader_reset(&vu->reader);
	channel_close(vu);
	if (quiesce(vu, TRANSPORT_STOP)) {
		close_quiet(vu);
	}
}

static void
conn_init(struct vhost_user *vu)
{
	vu->need_reply = false;
	vu->ever_started = false;
	vu->reset_wanted = false;
	vu->negotiated = false;
	vu->kind = FRONTEND_UNKNOWN;
	vu->virtio_status = 0;
	vu->features = 0;
	vu->protocol_features = 0;
	memory_begin(vu);
	atomic_store(&vu->status_features, 0);
	atomic_store(&vu->status_protocol_features, 0);
	rings_init(vu);
	channel_init(vu);
	message_reader_init(&vu->reader, false);
	message_reader_init(&vu->inner_reader, true);
	vu->outer.ready = outer_ready;
	vu->inner.ready = inner_ready;
}

void
conn_open(struct vhost_user *vu, int fd)
{
	int err;

	conn_init(vu);
	vu->outer.fd = fd;
	vu->state = CONN_READ;
	atomic_store(&vu->connected, true);
	atomic_fetch_add(&vu->nb_connections, 1);
	vu->inner.fd = library_open(&vu->library, vu->id);
	if (vu->inner.fd < 0) {
		log_err(&log_transport, "%s: librte_vhost refuses another connection: %s", vu->name,
			strerror(-vu->inner.fd));
		vu->inner.fd = -1;
		conn_close(vu, "no connection to librte_vhost");
		return;
	}
	err = gateway_watch(&vu->inner, EPOLLIN);
	if (err == 0) {
		err = gateway_watch(&vu->outer, EPOLLIN | EPOLLONESHOT);
	}
	if (err != 0) {
		conn_close(vu, strerror(-err));
	}
}
