/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a device tells a tracer. Hot files come here behind a branch that is taken while somebody
 * records; so times of stages are taken only then. Owner: the reactor.
 *
 * A command is traced from its being taken from the ring, or not at all: request->traced decides.
 */
#include "device/internal.h"

/* ---- a command ---- */

void
device_trace_dequeued(struct vmedia_device *device, struct virtq_chain **taken, unsigned int nb)
{
	uint64_t first = device->vqs[DEVICE_COMMANDQ].stats.nb_chains - nb;
	uint64_t now_tsc = clock_tsc_after_loads();
	unsigned int i;

	for (i = 0; i < nb; i++) {
		struct vmedia_request *request =
			container_of(taken[i], struct vmedia_request, chain);

		request->trace = (struct request_trace){
			.seq = first + i,
			.dequeue_tsc = now_tsc,
		};
		trace_hook(cmd_dequeue, .device = (uint16_t)device->index, .seq = first + i,
			.head = taken[i]->id, .readable = taken[i]->readable_bytes,
			.writable = taken[i]->writable_bytes, .batch = (uint16_t)nb);
	}
}

/* What the guest asked for; an ioctl that nobody knows has no number we could vouch for. */
static uint16_t
code_of(const struct vmedia_request *request)
{
	uint32_t cmd = request->cmd.hdr.cmd;

	if (cmd == VIRTIO_MEDIA_CMD_IOCTL && ioctl_lookup(request->cmd.ioctl.code) != NULL) {
		return (uint16_t)request->cmd.ioctl.code;
	}
	return (uint16_t)(TRACE_CODE_MALFORMED + (cmd & 0xff));
}

/* OPEN has its session only when it is answered, CLOSE not any more. */
static uint32_t
session_of(const struct vmedia_request *request, int status)
{
	switch (request->cmd.hdr.cmd) {
	case VIRTIO_MEDIA_CMD_OPEN:
		return status == 0 ? request->resp.open.session_id : 0;
	case VIRTIO_MEDIA_CMD_CLOSE:
		return request->cmd.close.session_id;
	default:
		return request->session != NULL ? request->session->id : 0;
	}
}

void
request_trace_parsed(struct vmedia_request *request)
{
	request->trace.parse_tsc = clock_tsc();
	trace_hook(cmd_parse, .device = (uint16_t)request->device->index, .seq = request->trace.seq,
		.session = session_of(request, VMEDIA_DEFER), .code = code_of(request));
}

void
request_trace_begin(struct vmedia_request *request)
{
	request->trace.begin_tsc = clock_tsc();
	trace_hook(backend_begin, .device = (uint16_t)request->device->index,
		.seq = request->trace.seq);
}

void
request_trace_parked(const struct vmedia_request *request, enum trace_parked cause)
{
	trace_hook(cmd_park, .device = (uint16_t)request->device->index, .seq = request->trace.seq,
		.cause = (uint8_t)cause);
}

void
request_trace_end(struct vmedia_request *request, int status)
{
	struct request_trace *trace = &request->trace;

	trace->end_tsc = clock_tsc();
	if (trace->begin_tsc != 0) {
		trace_hook(backend_end, .device = (uint16_t)request->device->index,
			.seq = trace->seq, .status = status);
	}
}

void
request_trace_deadline(const struct vmedia_request *request)
{
	trace_hook(deadline, .device = (uint16_t)request->device->index,
		.session = session_of(request, VMEDIA_DEFER),
		.seq = request->traced ? request->trace.seq : 0, .code = code_of(request));
}

/* ns of a stage since `from`; one that was left out ends when the next one does. */
static uint32_t
since_ns(uint64_t from_tsc, uint64_t tsc, uint64_t next_tsc)
{
	uint64_t ns = clock_tsc_to_ns((tsc != 0 ? tsc : next_tsc) - from_tsc);

	return (uint32_t)MIN(ns, UINT32_MAX);
}

void
request_trace_answered(const struct vmedia_request *request, int status, uint32_t written)
{
	struct vmedia_device *device = request->device;
	const struct request_trace *t = &request->trace;
	uint64_t begin_tsc = t->begin_tsc != 0 ? t->begin_tsc : t->end_tsc;

	if (device->nb_spans == DEVICE_NB_REQUESTS) {
		return; /* there are no more slots, so this does not happen */
	}
	device->spans[device->nb_spans].written = written;
	device->spans[device->nb_spans++].span = (struct trace_cmd_span){
		.device = (uint16_t)device->index,
		.session = session_of(request, status),
		.seq = t->seq,
		.code = code_of(request),
		.status = status,
		.dequeue_tsc = t->dequeue_tsc,
		.parse_ns = since_ns(t->dequeue_tsc, t->parse_tsc, begin_tsc),
		.begin_ns = since_ns(t->dequeue_tsc, begin_tsc, 0),
		.end_ns = since_ns(t->dequeue_tsc, t->end_tsc, 0),
	};
}

void
device_trace_published(struct vmedia_device *device, uint64_t now_tsc)
{
	uint32_t i;

	for (i = 0; i < device->nb_spans; i++) {
		struct trace_cmd_span *span = &device->spans[i].span;

		span->publish_ns = since_ns(span->dequeue_tsc, now_tsc, 0);
		if (trace_enabled(cmd_span)) {
			trace_emit(cmd_span, span);
		}
		trace_hook(cmd_publish, .device = span->device, .seq = span->seq,
			.status = span->status, .written = device->spans[i].written,
			.batch = (uint16_t)device->nb_spans);
	}
	device->nb_spans = 0;
}

/* ---- frames and bells ---- */

void
device_trace_frame(struct vmedia_device *device, const struct bufq_buffer *buffer, uint64_t now_tsc)
{
	const struct vmedia_buffer *pub = &buffer->pub;

	trace_hook(dqbuf_publish, .device = (uint16_t)device->index, .session = pub->session->id,
		.buftype = (uint8_t)pub->type, .index = (uint8_t)pub->index,
		.sequence = pub->sequence, .timestamp_ns = pub->timestamp_ns,
		.held_ns = clock_tsc_to_ns(buffer->done_tsc - buffer->queued_tsc),
		.latency_ns = clock_tsc_to_ns(now_tsc - buffer->done_tsc),
		.nb_queued = session_queue(pub->session, pub->type)->nb_queued,
		.backlog = (uint32_t)device->nb_pending);
}

void
device_trace_notify(struct vmedia_device *device, unsigned int queue)
{
	struct virtq *vq = &device->vqs[queue];
	uint64_t nb_notified = vq->stats.nb_notified;

	if (!vq->unsignalled) {
		return;
	}
	virtq_notify(vq);
	trace_hook(notify, .device = (uint16_t)device->index, .queue = (uint8_t)queue,
		.sent = vq->stats.nb_notified != nb_notified);
}

/* ---- what changes now and then ---- */

/* One direction of a session. */
static struct trace_statedump_format
format_now(struct vmedia_session *session, const struct bufq *q)
{
	const struct vmedia_format *format = vmedia_format(session, q->type);
	struct trace_statedump_format now = {
		.device = (uint16_t)session->device->index,
		.session = session->id,
		.buftype = (uint8_t)q->type,
		.width = format->width,
		.height = format->height,
		.fourcc = format->fourcc,
		.nb_planes = (uint8_t)format->nb_planes,
		.fps_num = format->interval.denominator,
		.fps_den = format->interval.numerator,
		.nb_buffers = q->nb_buffers,
		.nb_queued = q->nb_queued,
		.streaming = q->streaming,
	};
	uint32_t i;

	for (i = 0; i < format->nb_planes; i++) {
		now.sizeimage += format->sizeimage[i];
	}
	return now;
}

void
session_trace_format(struct vmedia_session *session, uint32_t type)
{
	if (trace_enabled(format)) {
		struct trace_statedump_format now =
			format_now(session, session_queue(session, type));

		trace_hook(format, .device = now.device, .session = now.session,
			.buftype = now.buftype, .width = now.width, .height = now.height,
			.fourcc = now.fourcc, .nb_planes = now.nb_planes,
			.sizeimage = now.sizeimage, .fps_num = now.fps_num, .fps_den = now.fps_den);
	}
}

void
device_trace_add(struct vmedia_device *device)
{
	trace_hook(device_add, .device = (uint16_t)device->index, .name = device->name,
		.backend = device->backend->name, .card = device->node.card,
		.caps = device->node.device_caps, .arena_bytes = shm_arena_size(device->arena));
}

void
device_trace_ring(struct vmedia_device *device, unsigned int queue)
{
	const struct virtq *vq = &device->vqs[queue];

	trace_hook(ring_start, .device = (uint16_t)device->index, .queue = (uint8_t)queue,
		.size = vq->size, .packed = vq->packed, .event_idx = vq->event_idx);
}

void
device_trace_memory(struct vmedia_device *device)
{
	uint32_t i;

	for (i = 0; i < device->mem.nb_regions; i++) {
		const struct guest_mem_region *r = &device->mem.regions[i];

		trace_hook(mem_region, .device = (uint16_t)device->index, .gpa = r->gpa,
			.bytes = r->size_bytes, .addr = (uintptr_t)r->addr);
	}
}

/* ---- the state dump ---- */

static void
session_statedump(struct vmedia_session *session)
{
	unsigned int i;

	trace_hook(statedump_session, .device = (uint16_t)session->device->index,
		.session = session->id);
	for (i = 0; i < ARRAY_SIZE(session->queues); i++) {
		if (session->queues[i].type != 0 && trace_enabled(statedump_format)) {
			struct trace_statedump_format now =
				format_now(session, &session->queues[i]);

			trace_emit(statedump_format, &now);
		}
	}
}

void
device_statedump(struct vmedia_device *device)
{
	struct vmedia_session *session;
	unsigned int i;

	trace_hook(statedump_device, .reactor = reactor_index(device->reactor),
		.device = (uint16_t)device->index, .name = device->name,
		.backend = device->backend->name, .card = device->node.card,
		.caps = device->node.device_caps, .arena_bytes = shm_arena_size(device->arena));
	for (i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		const struct virtq *vq = &device->vqs[i];

		if (vq->started) {
			trace_hook(statedump_ring, .device = (uint16_t)device->index,
				.queue = (uint8_t)i, .size = vq->size, .packed = vq->packed,
				.event_idx = vq->event_idx);
		}
	}
	TAILQ_FOREACH (session, &device->sessions, link) {
		session_statedump(session);
	}
}
