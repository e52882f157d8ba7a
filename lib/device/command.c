/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. The five commands; request slots; the one way an answer leaves. */
#include <errno.h>

#include "device/internal.h"

LOG_TYPE_USE(device);

#define MMAP_FLAG_RW (1u << VIRTIO_MEDIA_MMAP_FLAG_RW_BIT)

/* Bytes of the fixed part, by command number. */
static const uint8_t cmd_bytes[] = {
	[VIRTIO_MEDIA_CMD_OPEN] = sizeof(struct virtio_media_cmd_open),
	[VIRTIO_MEDIA_CMD_CLOSE] = sizeof(struct virtio_media_cmd_close),
	[VIRTIO_MEDIA_CMD_IOCTL] = sizeof(struct virtio_media_cmd_ioctl),
	[VIRTIO_MEDIA_CMD_MMAP] = sizeof(struct virtio_media_cmd_mmap),
	[VIRTIO_MEDIA_CMD_MUNMAP] = sizeof(struct virtio_media_cmd_munmap),
};

void
guest_fault(struct vmedia_device *device, enum trace_fault what)
{
	static const char *const texts[] = {
		[TRACE_FAULT_UNKNOWN_COMMAND] = "unknown command",
		[TRACE_FAULT_SHORT_COMMAND] = "short command",
		[TRACE_FAULT_NO_ROOM] = "no room for an answer",
		[TRACE_FAULT_SMALL_EVENT_BUFFER] = "event buffer too small",
	};
	uint64_t *const counters[] = {
		[TRACE_FAULT_UNKNOWN_COMMAND] = &device->refused.unknown_command,
		[TRACE_FAULT_SHORT_COMMAND] = &device->refused.short_command,
		[TRACE_FAULT_NO_ROOM] = &device->refused.no_room,
		[TRACE_FAULT_SMALL_EVENT_BUFFER] = &device->refused.small_event,
	};
	uint32_t suppressed;

	counter_inc(&device->counters.nb_malformed);
	counter_inc(counters[what]);
	trace_hook(cmd_malformed, .device = (uint16_t)device->index, .cause = (uint8_t)what);
	if (log_ratelimit_pass(&device->guest_faults, &suppressed)) {
		log_warning(&log_device, "device %s: guest fault: %s (%u more kept back)",
			device->name, texts[what], suppressed);
	}
}

static void
slot_free(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;

	request->state = REQUEST_FREE;
	device->free_chains[--device->first_free] = &request->chain;
}

static uint32_t
answer_write(struct vmedia_request *request, int status)
{
	const struct virtq_chain *chain = &request->chain;
	uint32_t bytes = sizeof(request->resp.hdr);
	struct iov_cursor out;

	iov_cursor_init(
		&out, virtq_chain_writable(chain), chain->nb_writable, chain->writable_bytes);
	if (likely(request->desc != NULL)) {
		return ioctl_encode(request->desc, &request->payload, status, &out);
	}
	switch (request->cmd.hdr.cmd) {
	case VIRTIO_MEDIA_CMD_CLOSE:
		return 0;
	case VIRTIO_MEDIA_CMD_OPEN:
		bytes = status == 0 ? sizeof(request->resp.open) : bytes;
		break;
	case VIRTIO_MEDIA_CMD_MMAP:
		bytes = status == 0 ? sizeof(request->resp.mmap) : bytes;
		break;
	default:
		break;
	}
	request->resp.hdr.status = wire_status(status);
	request->resp.hdr.reserved = 0;
	return iov_write(&out, &request->resp, bytes) ? bytes : 0;
}

static void
count_failure(const struct vmedia_request *request, int status)
{
	struct vmedia_device *device = request->device;
	uint32_t nr = request->cmd.ioctl.code;
	uint32_t error = wire_status(status);
	uint64_t *errnos;

	counter_inc(&device->counters.nb_failed);
	if (request->cmd.hdr.cmd == VIRTIO_MEDIA_CMD_IOCTL && nr < VMEDIA_NB_IOCTLS) {
		errnos = &device->ioctls_failed[nr].errnos[error / 64];
		counter_inc(&device->ioctls_failed[nr].nb);
		counter_set(errnos, *errnos | UINT64_C(1) << error % 64);
	}
}

/* Into the used ring; the caller decides about the slot. */
static void
answer_push(struct vmedia_request *request, int status)
{
	struct vmedia_device *device = request->device;
	uint32_t written;

	if (unlikely(request->traced)) {
		request_trace_end(request, status);
	}
	written = likely(!request->stale) ? answer_write(request, status) : 0;
	if (likely(device->nb_unpublished < DEVICE_NB_REQUESTS)) {
		device->unpublished_tsc[device->nb_unpublished++] = request->seen_tsc;
	}
	counter_inc(&device->counters.nb_commands);
	if (unlikely(status != 0)) {
		count_failure(request, status);
	} else if (likely(request->desc != NULL)) {
		counter_inc(&device->ioctls_ok[request->desc->nr]);
	}
	virtq_push(&device->vqs[DEVICE_COMMANDQ], &request->chain, written);
	if (unlikely(request->traced)) {
		request_trace_answered(request, status, written);
	}
}

/* ---- parking ---- */

static struct request_list *
list_of(struct vmedia_request *request)
{
	switch (request->state) {
	case REQUEST_BLOCKED:
		return &request->session->waiting;
	case REQUEST_DEFERRED:
		return &request->device->deferred;
	case REQUEST_WINDOW:
		return &request->device->window_waiting;
	case REQUEST_DRAINING:
		return &request->device->draining;
	default:
		return NULL;
	}
}

static void
unlink_request(struct vmedia_request *request)
{
	struct request_list *list = list_of(request);

	if (list == NULL) {
		return;
	}
	TAILQ_REMOVE(list, request, link);
	if (request->state != REQUEST_BLOCKED) {
		request->device->nb_deferred--;
	}
	if (request->state == REQUEST_DEFERRED && request->session != NULL) {
		request->session->nb_jobs--;
	}
}

static enum trace_parked
parked_cause(enum request_state state)
{
	return state == REQUEST_WINDOW     ? TRACE_PARKED_WINDOW
	       : state == REQUEST_DRAINING ? TRACE_PARKED_DRAIN
	                                   : TRACE_PARKED_BACKEND;
}

void
request_park(
	struct vmedia_request *request, enum request_state state, uint64_t length_tsc, bool block)
{
	struct vmedia_device *device = request->device;
	struct vmedia_session *session = request->session;

	unlink_request(request);
	request->state = state;
	request->deadline_tsc = clock_tsc() + length_tsc;
	if (unlikely(device->stopping)) {
		request->deadline_tsc = MIN(request->deadline_tsc, device->stop_tsc);
	}
	TAILQ_INSERT_TAIL(list_of(request), request, link);
	device->nb_deferred++;
	device->next_deadline_tsc = MIN(device->next_deadline_tsc, request->deadline_tsc);
	counter_inc(&device->counters.nb_deferred);
	if (unlikely(request->traced)) {
		request_trace_parked(request, parked_cause(state));
	}
	if (session != NULL && state == REQUEST_DEFERRED) {
		session->nb_jobs++;
	}
	if (session != NULL && block && !request->blocking) {
		request->blocking = true;
		session->nb_blocking++;
	}
}

static void
unblock(struct vmedia_session *session)
{
	if (--session->nb_blocking == 0) {
		command_run_waiting(session);
	}
}

void
request_answer(struct vmedia_request *request, int status)
{
	struct vmedia_session *session = request->session;
	bool blocking = request->blocking;

	unlink_request(request);
	answer_push(request, status);
	slot_free(request);
	if (unlikely(blocking)) {
		unblock(session);
	}
}

/* Answers a deferred request although its owner has not completed: the slot waits for it. */
void
request_give_up(struct vmedia_request *request, int status)
{
	struct vmedia_session *session = request->session;

	unlink_request(request);
	request->state = REQUEST_EXPIRED;
	answer_push(request, status);
	if (session != NULL) {
		session->nb_jobs++;
	}
	if (request->blocking) {
		request->blocking = false;
		unblock(session);
	}
}

void
request_drop(struct vmedia_request *request)
{
	struct vmedia_session *session = request->session;
	bool owned = request->state == REQUEST_DEFERRED;

	if (request->state == REQUEST_FREE || request->state == REQUEST_EXPIRED) {
		return;
	}
	unlink_request(request);
	if (request->blocking) {
		request->blocking = false;
		session->nb_blocking--;
	}
	if (!owned) {
		slot_free(request);
		return;
	}
	request->state = REQUEST_EXPIRED;
	if (session != NULL) {
		session->nb_jobs++;
	}
}

/* The controls of a deferred command must survive the next one: it keeps the scratch memory and
 * the device takes a spare. */
static bool
keep_ctrls(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;

	if (request->desc == NULL || request->desc->shape != IOCTL_SHAPE_EXT_CTRLS ||
		request->payload.ctrls != device->ctrl_scratch) {
		return true;
	}
	if (device->nb_spares == 0) {
		return false;
	}
	device->ctrl_scratch = device->ctrl_spares[--device->nb_spares];
	return true;
}

static void
give_back_ctrls(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;

	if (request->desc != NULL && request->desc->shape == IOCTL_SHAPE_EXT_CTRLS &&
		request->payload.ctrls != NULL) {
		device->ctrl_spares[device->nb_spares++] = request->payload.ctrls;
	}
}

static void
request_defer(struct vmedia_request *request)
{
	bool kept = keep_ctrls(request);

	request_park(request, REQUEST_DEFERRED, request->device->deadline_tsc, true);
	if (!kept) {
		counter_inc(&request->device->counters.nb_quota);
		counter_inc(&request->device->refused.quota_deferred);
		request_give_up(request, -EBUSY);
		request->payload.ctrls = NULL;
	}
}

/* Nobody knows of the session: its OPEN failed, or the answer came without it. */
static void
open_undo(struct vmedia_session *session)
{
	if (!session->closing) {
		session_close(session, NULL);
	}
}

void
vmedia_request_complete(struct vmedia_request *request, int status)
{
	struct vmedia_device *device = request->device;
	struct vmedia_session *session = request->session;
	bool opening = request->cmd.hdr.cmd == VIRTIO_MEDIA_CMD_OPEN;

	if (request->state == REQUEST_EXPIRED) {
		give_back_ctrls(request);
		slot_free(request);
		if (opening) {
			open_undo(session);
		}
		if (session != NULL && --session->nb_jobs == 0 && session->closing) {
			session_free(session);
		}
		return;
	}
	if (request->state != REQUEST_DEFERRED && request->state != REQUEST_POPPED) {
		log_err(&log_device, "device %s: a request was completed twice", device->name);
		return;
	}
	if (request->state == REQUEST_DEFERRED) {
		give_back_ctrls(request);
	}
	if (request->cmd.hdr.cmd == VIRTIO_MEDIA_CMD_CLOSE &&
		event_drain_wait(request) == VMEDIA_DEFER) {
		return;
	}
	request_answer(request, status);
	if (opening && status != 0) {
		open_undo(session);
	}
}

/* ---- commands ---- */

/* Copies the fixed part. Negative errno: not to be carried out. */
static int
command_read(struct vmedia_request *request)
{
	union request_cmd *cmd = &request->cmd;
	size_t bytes = sizeof(cmd->ioctl);

	/* Each of a length that the compiler knows. */
	if (unlikely(request->in.left < bytes)) {
		bytes = sizeof(cmd->hdr);
		if (!iov_read(&request->in, cmd, sizeof(cmd->hdr))) {
			return -EINVAL;
		}
	} else if (unlikely(!iov_read(&request->in, cmd, sizeof(cmd->ioctl)))) {
		return -EINVAL;
	}
	if (unlikely(cmd->hdr.cmd >= ARRAY_SIZE(cmd_bytes) || cmd_bytes[cmd->hdr.cmd] == 0)) {
		return -ENOTTY;
	}
	if (likely(bytes >= cmd_bytes[cmd->hdr.cmd])) {
		return 0;
	}
	return iov_read(&request->in, (char *)cmd + bytes, cmd_bytes[cmd->hdr.cmd] - bytes)
	               ? 0
	               : -EINVAL;
}

static int
open_run(struct vmedia_request *request)
{
	struct vmedia_session *session;
	int err;

	if (request->chain.writable_bytes < sizeof(request->resp.open)) {
		return -EINVAL;
	}
	err = session_open(request, &session);
	if (err < 0) {
		return err;
	}
	request->resp.open.session_id = session->id;
	request->resp.open.reserved = 0;
	request->session = err == VMEDIA_DEFER ? session : NULL;
	return err;
}

static int
close_run(struct vmedia_request *request)
{
	struct vmedia_session *session;

	if (request->session == NULL) {
		return 0;
	}
	session = request->session;
	request->session = NULL;
	request->drain_event = session->last_event;
	return session_close(session, request) == VMEDIA_DEFER ? VMEDIA_DEFER
	                                                       : event_drain_wait(request);
}

static int
mmap_run(struct vmedia_request *request)
{
	if (request->chain.writable_bytes < sizeof(request->resp.mmap)) {
		return -EINVAL;
	}
	if (request->cmd.mmap.flags & ~MMAP_FLAG_RW) {
		return -EINVAL;
	}
	return mapping_mmap(request);
}

static void
command_run(struct vmedia_request *request)
{
	int status;

	if (unlikely(request->traced) && request->cmd.hdr.cmd != VIRTIO_MEDIA_CMD_IOCTL) {
		request_trace_begin(request); /* ioctls: when their arguments are decoded */
	}
	switch (request->cmd.hdr.cmd) {
	case VIRTIO_MEDIA_CMD_IOCTL:
		status = ioctl_handle(request, request->cmd.ioctl.code, &request->in);
		break;
	case VIRTIO_MEDIA_CMD_OPEN:
		status = open_run(request);
		break;
	case VIRTIO_MEDIA_CMD_CLOSE:
		status = close_run(request);
		break;
	case VIRTIO_MEDIA_CMD_MMAP:
		status = mmap_run(request);
		break;
	default:
		status = mapping_munmap(request->device, request->cmd.munmap.driver_addr);
		break;
	}
	if (likely(status != VMEDIA_DEFER)) {
		request_answer(request, status);
	} else if (request->state == REQUEST_POPPED) {
		request_defer(request);
	}
}

/* 0: the session is known or none is needed. */
static int
command_session(struct vmedia_request *request)
{
	switch (request->cmd.hdr.cmd) {
	case VIRTIO_MEDIA_CMD_IOCTL:
	case VIRTIO_MEDIA_CMD_MMAP:
		request->session = session_find(request->device, request->cmd.ioctl.session_id);
		return likely(request->session != NULL) ? 0 : -EINVAL;
	case VIRTIO_MEDIA_CMD_CLOSE:
		request->session = session_find(request->device, request->cmd.close.session_id);
		return 0;
	default:
		return 0;
	}
}

void
command_handle(struct vmedia_request *request)
{
	const struct virtq_chain *chain = &request->chain;
	int err;

	request->session = NULL;
	request->desc = NULL;
	request->blocking = false;
	request->stale = false;
	iov_cursor_init(&request->in, chain->iov, chain->nb_readable, chain->readable_bytes);
	err = command_read(request);
	if (unlikely(err != 0)) {
		guest_fault(request->device,
			err == -ENOTTY ? TRACE_FAULT_UNKNOWN_COMMAND : TRACE_FAULT_SHORT_COMMAND);
		request->cmd.hdr.cmd = 0;
		request_answer(request, err);
		return;
	}
	if (unlikely(chain->writable_bytes < sizeof(request->resp.hdr)) &&
		request->cmd.hdr.cmd != VIRTIO_MEDIA_CMD_CLOSE) {
		guest_fault(request->device, TRACE_FAULT_NO_ROOM);
		request_answer(request, -EINVAL);
		return;
	}
	err = command_session(request);
	if (unlikely(err != 0)) {
		counter_inc(&request->device->refused.no_session);
		request_answer(request, err);
		return;
	}
	if (unlikely(request->traced)) {
		request_trace_parsed(request);
	}
	if (unlikely(request->session != NULL && request->session->nb_blocking != 0)) {
		if (request->traced) {
			request_trace_parked(request, TRACE_PARKED_SESSION_BUSY);
		}
		request->state = REQUEST_BLOCKED;
		TAILQ_INSERT_TAIL(&request->session->waiting, request, link);
		return;
	}
	command_run(request);
}

static bool
command_is_old(const struct vmedia_request *request)
{
	return clock_tsc() - request->seen_tsc > request->device->deadline_tsc;
}

/* CLOSE ends a session; what the driver sent for it after that knows it no more. */
static void
close_waiting(struct vmedia_request *close, struct vmedia_session *session)
{
	struct request_list rest = TAILQ_HEAD_INITIALIZER(rest);
	struct vmedia_request *request;

	TAILQ_CONCAT(&rest, &session->waiting, link);
	command_run(close);
	while ((request = TAILQ_FIRST(&rest)) != NULL) {
		TAILQ_REMOVE(&rest, request, link);
		request->state = REQUEST_POPPED;
		request->session = NULL;
		request_answer(request, -EINVAL);
	}
}

void
command_run_waiting(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;
	struct vmedia_request *request;

	device->backend_due_tsc = 0; /* as after other commands */
	while (device_may_answer(device) && session->nb_blocking == 0 &&
		(request = TAILQ_FIRST(&session->waiting)) != NULL) {
		unlink_request(request);
		request->state = REQUEST_POPPED;
		if (request->cmd.hdr.cmd == VIRTIO_MEDIA_CMD_CLOSE) {
			close_waiting(request, session);
			return;
		}
		if (request->stale || command_is_old(request)) {
			counter_inc(&device->counters.nb_timed_out);
			counter_inc(&device->refused.deadline);
			request_trace_deadline(request);
			request_answer(request, -EIO);
		} else {
			command_run(request);
		}
	}
}
