/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: QBUF. Buffers that exist, and streaming; making them is in ioctl_reqbufs.c. */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "device/internal.h"

struct bufq *
session_queue(struct vmedia_session *session, uint32_t type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(session->queues); i++) {
		if (type != 0 && session->queues[i].type == type) {
			return &session->queues[i];
		}
	}
	return NULL;
}

bool
queue_is_foreign(const struct vmedia_session *session, const struct bufq *q)
{
	const struct vmedia_session *owner = session->device->owner[q - session->queues];

	return owner != NULL && owner != session;
}

static bool
is_mapped(
	const struct vmedia_device *device, const struct bufq *q, const struct bufq_buffer *buffer)
{
	const struct vmedia_plane *plane = &buffer->pub.planes[0];
	struct shm_range range = {plane->offset, plane->length};

	return q->memory == V4L2_MEMORY_MMAP && shm_map_is_mapped(device->map, &range);
}

/* The buffer as it is now; planes the guest has room for beyond the real ones become zero. */
static void
reply(struct vmedia_request *request, const struct bufq *q, const struct bufq_buffer *buffer)
{
	struct ioctl_payload *payload = &request->payload;

	if (payload->nb_planes > buffer->pub.nb_planes) {
		memset(&payload->planes[buffer->pub.nb_planes], 0,
			(payload->nb_planes - buffer->pub.nb_planes) * sizeof(payload->planes[0]));
	}
	bufq_fill(q, buffer, is_mapped(request->device, q, buffer), &payload->arg.buffer,
		payload->planes);
}

int
core_querybuf(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_buffer *b = arg;
	struct bufq *q = session_queue(session, b->type);
	const struct bufq_buffer *buffer;

	buffer = q != NULL ? bufq_get(q, b->index) : NULL;
	if (buffer == NULL) {
		return -EINVAL;
	}
	if (v4l2_type_is_multiplanar(q->type) &&
		request->payload.nb_planes < buffer->pub.nb_planes) {
		return -EINVAL;
	}
	reply(request, q, buffer);
	if (buffer->state == BUFQ_DONE) {
		b->flags |= V4L2_BUF_FLAG_DONE;
	}
	return 0;
}

typedef int queue_fn(struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes, struct bufq_buffer **buffer);

/* QBUF and PREPARE_BUF of SHARED_PAGES: all that can fail comes first (S-23). */
static int
queue_pages(
	struct vmedia_request *request, struct bufq *q, queue_fn *fn, struct bufq_buffer **buffer)
{
	const struct v4l2_buffer *b = &request->payload.arg.buffer;
	const struct v4l2_plane *planes = request->payload.planes;
	uint32_t nb_planes = request->payload.nb_planes, nb_segments[VIDEO_MAX_PLANES];
	int ret = bufq_check(q, b, planes, nb_planes);

	if (ret == 0 && fn == bufq_prepare && q->buffers[b->index]->state == BUFQ_PREPARED) {
		ret = -EINVAL;
	}
	if (ret == 0) {
		ret = pages_collect(request, q->buffers[b->index], nb_segments);
	}
	if (ret == 0) {
		ret = fn(q, b, planes, nb_planes, buffer);
	}
	if (ret == 0) {
		pages_attach(*buffer, nb_segments);
	}
	return ret;
}

int
core_qbuf(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct v4l2_buffer *b = arg;
	struct bufq *q = session_queue(session, b->type);
	struct bufq_buffer *buffer;
	int ret;

	if (unlikely(q == NULL)) {
		return -EINVAL;
	}
	ret = likely(q->memory != V4L2_MEMORY_USERPTR)
	              ? bufq_queue(
				q, b, request->payload.planes, request->payload.nb_planes, &buffer)
	              : queue_pages(request, q, bufq_queue, &buffer);
	if (unlikely(ret != 0)) {
		return ret;
	}
	buffer->queued_tsc = request->seen_tsc;
	/* Before the backend sees it: the reply says QUEUED even if it is done at once. */
	reply(request, q, buffer);
	session->device->backend->buf_queue(session, &buffer->pub);
	trace_hook(buf_queued, .device = (uint16_t)session->device->index, .session = session->id,
		.buftype = (uint8_t)q->type, .index = (uint8_t)buffer->pub.index,
		.bytesused = buffer->pub.planes[0].bytesused, .nb_queued = q->nb_queued);
	return 0;
}

int
core_prepare_buf(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct v4l2_buffer *b = arg;
	struct bufq *q = session_queue(session, b->type);
	struct bufq_buffer *buffer;
	int ret;

	if (q == NULL) {
		return -EINVAL;
	}
	ret = q->memory != V4L2_MEMORY_USERPTR ? bufq_prepare(q, b, request->payload.planes,
							 request->payload.nb_planes, &buffer)
	                                       : queue_pages(request, q, bufq_prepare, &buffer);
	if (ret == 0) {
		reply(request, q, buffer);
	}
	return ret;
}

int
core_streamon(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct bufq *q = session_queue(session, *(const uint32_t *)arg);
	int ret;

	if (q == NULL) {
		return -EINVAL;
	}
	if (queue_is_foreign(session, q)) {
		return -EBUSY;
	}
	if (q->streaming) {
		return 0;
	}
	if (q->nb_buffers == 0) {
		return -EINVAL;
	}
	ret = session->device->backend->start_streaming(session, q->type);
	q->streaming = ret == 0;
	if (ret == 0) {
		trace_hook(stream_on, .device = (uint16_t)session->device->index,
			.session = session->id, .buftype = (uint8_t)q->type,
			.nb_buffers = q->nb_buffers, .nb_queued = q->nb_queued);
	}
	return ret;
}

void
queue_stop(struct vmedia_session *session, struct bufq *q)
{
	struct vmedia_device *device = session->device;
	uint32_t i, nb_cancelled = 0;

	for (i = 0; i < q->nb_buffers; i++) {
		const struct bufq_buffer *buffer = q->buffers[i];

		nb_cancelled += buffer != NULL &&
		                (buffer->state == BUFQ_QUEUED || buffer->state == BUFQ_DONE);
	}
	if (q->streaming || q->nb_queued > 0) {
		device->backend->stop_streaming(session, q->type);
	}
	counter_add(&device->counters.nb_cancelled, nb_cancelled);
	if (q->streaming || nb_cancelled > 0) {
		trace_hook(stream_off, .device = (uint16_t)device->index, .session = session->id,
			.buftype = (uint8_t)q->type, .nb_cancelled = nb_cancelled);
	}
	event_withdraw(session, q);
	bufq_cancel(q);
	q->streaming = false;
}

int
core_streamoff(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct bufq *q = session_queue(session, *(const uint32_t *)arg);

	if (q == NULL) {
		return -EINVAL;
	}
	if (queue_is_foreign(session, q)) {
		return -EBUSY;
	}
	queue_stop(session, q);
	return event_drain_wait(request);
}

void
session_free_buffers(struct vmedia_session *session)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(session->queues); i++) {
		struct bufq *q = &session->queues[i];

		if (q->type != 0) {
			queue_stop(session, q);
			queue_free(session, q);
		}
	}
}
