/* SPDX-License-Identifier: BSD-3-Clause */
/* What backends ask that forward to another device: vmedia/forward.h. */
#include "vmedia/forward.h"

#include <errno.h>
#include <string.h>

#include "device/internal.h"

uint32_t
vmedia_request_ioctl(const struct vmedia_request *request)
{
	return request->desc->nr;
}

struct vmedia_session *
vmedia_request_session(const struct vmedia_request *request)
{
	return request->session;
}

bool
vmedia_request_is_alive(const struct vmedia_request *request)
{
	return request_is_alive(request);
}

void *
vmedia_request_arg(struct vmedia_request *request)
{
	return request->payload.arg.bytes;
}

int
vmedia_ioctl_core(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return core_handler(session->device, request->desc->nr)(session, request, arg);
}

bool
vmedia_queue(struct vmedia_session *session, uint32_t type, uint32_t *nb_buffers, bool *streams)
{
	const struct bufq *q = session_queue(session, type);

	if (q != NULL) {
		*nb_buffers = q->nb_buffers;
		*streams = q->streaming;
	}
	return q != NULL;
}

/* ---- buffers ---- */

void
vmedia_queue_retype(struct vmedia_session *session, uint32_t type)
{
	struct bufq *q =
		&session->queues[V4L2_TYPE_IS_OUTPUT(type) ? DEVICE_OUTPUT : DEVICE_CAPTURE];

	if (q->type != 0 && q->nb_buffers == 0 && !q->streaming) {
		q->type = type;
	}
}

static uint32_t
buffers_memory(const struct vmedia_request *request)
{
	return request->desc->nr == _IOC_NR(VIDIOC_REQBUFS)
	               ? request->payload.arg.requestbuffers.memory
	               : request->payload.arg.create_buffers.memory;
}

static uint32_t
buffers_type(const struct vmedia_request *request)
{
	return request->desc->nr == _IOC_NR(VIDIOC_REQBUFS)
	               ? request->payload.arg.requestbuffers.type
	               : request->payload.arg.create_buffers.format.type;
}

void
vmedia_buffers_make(struct vmedia_request *request, const struct vmedia_buffers *given)
{
	struct bufq *q = session_queue(request->session, buffers_type(request));
	struct buffers_wish wish = {.memory = buffers_memory(request),
		.count = given->count,
		.nb_planes = given->nb_planes};

	if (request->desc->nr == _IOC_NR(VIDIOC_REQBUFS)) {
		queue_stop(request->session, q);
		queue_free(request->session, q);
	}
	if (given->status != 0 || given->count == 0) {
		if (given->status != 0 || event_drain_wait(request) == 0) {
			vmedia_request_complete(request, given->status);
		}
		return;
	}
	q->timestamp_copy =
		(given->flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_COPY;
	q->timestamp_source = given->flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
	memcpy(wish.lengths, given->lengths, sizeof(wish.lengths));
	buffers_make(request, q, &wish);
}

void
vmedia_buffer_hold(const struct vmedia_buffer *buffer, struct vmedia_hold *hold)
{
	uint32_t p;

	hold->nb_planes = buffer->nb_planes;
	for (p = 0; p < buffer->nb_planes; p++) {
		struct shm_range range = {buffer->planes[p].offset, buffer->planes[p].length};

		hold->offsets[p] = range.offset;
		hold->lengths[p] = range.length;
		shm_map_hold_again(buffer->session->device->map, &range);
	}
}

void
vmedia_hold_drop(struct vmedia_device *device, struct vmedia_hold *hold)
{
	uint32_t p;

	for (p = 0; p < hold->nb_planes; p++) {
		struct shm_range range = {hold->offsets[p], hold->lengths[p]};

		if (shm_map_release(device->map, &range)) {
			mapping_range_put(device, &range);
		}
	}
	hold->nb_planes = 0;
}

void
vmedia_pages_gone(struct vmedia_device *device)
{
	device->pages_going = false;
	device_quiesce_check(device);
}

/* ---- events ---- */

int
vmedia_event_subscribe(
	struct vmedia_session *session, const struct v4l2_event_subscription *subscription)
{
	return subscription_add(session, subscription);
}

void
vmedia_event_send(struct vmedia_session *session, const struct v4l2_event *event)
{
	uint32_t i;

	for (i = 0; i < session->device->quota.max_subscriptions; i++) {
		struct subscription *s = &session->subscriptions[i];

		if (s->used && s->type == event->type && s->id == event->id) {
			event_subscription_raise(s, event);
		}
	}
}

void
vmedia_frame_moved(struct vmedia_device *device, uint64_t nb_bytes)
{
	counter_inc(nb_bytes != 0 ? &device->counters.nb_copied : &device->counters.nb_imported);
	counter_add(&device->counters.bytes_copied, nb_bytes);
}
