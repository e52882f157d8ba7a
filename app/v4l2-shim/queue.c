/* SPDX-License-Identifier: BSD-3-Clause */
/* V4L2 queues as the guest's driver keeps them: streaming, queued, done (DQBUF never reaches the
 * device). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "v4l2-shim/broker.h"

static bool
is_output(uint32_t type)
{
	switch (type) {
	case V4L2_BUF_TYPE_VIDEO_OUTPUT:
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
	case V4L2_BUF_TYPE_VBI_OUTPUT:
	case V4L2_BUF_TYPE_SLICED_VBI_OUTPUT:
	case V4L2_BUF_TYPE_SDR_OUTPUT:
	case V4L2_BUF_TYPE_META_OUTPUT:
		return true;
	default:
		return false;
	}
}

static struct queue *
queue_of(struct session *session, uint32_t type)
{
	return type < BROKER_NB_TYPES ? &session->queues[type] : NULL;
}

static struct done_buffer *
done_at(const struct queue *queue, uint32_t i)
{
	return &queue->done[(queue->head + i) % DRIVER_MAX_BUFFERS];
}

/* The driver room delivers each buffer at most once per QBUF, so the ring cannot overflow. */
void
queue_done(struct session *session, const struct driver_event *event)
{
	struct queue *queue = queue_of(session, event->dqbuf.buffer.type);
	struct done_buffer *done;

	if (queue == NULL || queue->done == NULL || queue->nb_done == DRIVER_MAX_BUFFERS) {
		return;
	}
	done = done_at(queue, queue->nb_done++);
	done->buffer = event->dqbuf.buffer;
	memcpy(done->planes, event->dqbuf.planes, sizeof(done->planes));
	queue->nb_queued -= queue->nb_queued > 0;
	usermem_done(session, done->buffer.type, done->buffer.index);
}

int
queue_take(struct session *session, struct v4l2_buffer *buffer)
{
	struct queue *queue = queue_of(session, buffer->type);
	struct v4l2_plane *planes = buffer->m.planes;
	uint32_t room = buffer->length;
	struct done_buffer *done;

	if (queue == NULL || !queue->streaming || queue->allocated == 0) {
		return -EINVAL;
	}
	if (queue->last_seen) {
		return -EPIPE;
	}
	if (queue->nb_done == 0) {
		return -EAGAIN;
	}
	done = done_at(queue, 0);
	if (done->buffer.memory != buffer->memory) {
		return -EINVAL;
	}
	if (V4L2_TYPE_IS_MULTIPLANAR(buffer->type)) {
		if (room < done->buffer.length) {
			return -EINVAL;
		}
		memcpy(planes, done->planes, done->buffer.length * sizeof(*planes));
	}
	*buffer = done->buffer;
	if (V4L2_TYPE_IS_MULTIPLANAR(buffer->type)) {
		buffer->m.planes = planes;
	}
	buffer->flags &= ~(uint32_t)V4L2_BUF_FLAG_DONE;
	queue->last_seen = !is_output(buffer->type) && (buffer->flags & V4L2_BUF_FLAG_LAST) != 0;
	queue->head = (queue->head + 1) % DRIVER_MAX_BUFFERS;
	queue->nb_done--;
	return 0;
}

static void
forget(struct queue *queue)
{
	queue->nb_done = 0;
	queue->nb_queued = 0;
	queue->last_seen = false;
}

static int
allocate(struct queue *queue, uint32_t allocated)
{
	if (allocated != 0 && queue->done == NULL) {
		queue->done = calloc(DRIVER_MAX_BUFFERS, sizeof(*queue->done));
		if (queue->done == NULL) {
			return -ENOMEM;
		}
	}
	queue->allocated = allocated;
	return 0;
}

/* The buffer may be done before the answer to its QBUF comes: it counts from now on. */
void
queue_before(struct session *session, struct call *call)
{
	struct queue *queue;

	call->type = UINT32_MAX;
	if (call->req.request == VIDIOC_QBUF) {
		call->type = ((const struct v4l2_buffer *)(const void *)call->arg)->type;
		queue = queue_of(session, call->type);
		if (queue != NULL) {
			queue->nb_queued++;
		}
	}
}

static void
mark_done(const struct queue *queue, struct v4l2_buffer *buffer)
{
	for (uint32_t i = 0; i < queue->nb_done; i++) {
		if (done_at(queue, i)->buffer.index == buffer->index) {
			buffer->flags |= V4L2_BUF_FLAG_DONE;
		}
	}
}

static void
track_stream(struct session *session, const uint8_t *arg, bool on)
{
	struct queue *queue;
	uint32_t type;

	memcpy(&type, arg, sizeof(type));
	queue = queue_of(session, type);
	if (queue == NULL) {
		return;
	}
	queue->streaming = on;
	if (!on) {
		usermem_stopped(session, type, false);
		forget(queue);
	}
}

static void
track_buffers(struct session *session, const struct call *call)
{
	const struct v4l2_requestbuffers *req = (const void *)call->arg;
	const struct v4l2_create_buffers *create = (const void *)call->arg;
	struct queue *queue;

	if (call->req.request == VIDIOC_REQBUFS) {
		queue = queue_of(session, req->type);
		if (queue != NULL) {
			usermem_stopped(session, req->type, true);
			forget(queue);
			queue->streaming = false;
			allocate(queue, req->count);
		}
	} else {
		queue = queue_of(session, create->format.type);
		if (queue != NULL) {
			allocate(queue, MAX(queue->allocated, create->index + create->count));
		}
	}
}

void
queue_track(struct session *session, struct call *call, int status)
{
	struct queue *queue = queue_of(session, call->type);
	struct v4l2_buffer *buffer = (void *)call->arg;
	const struct v4l2_decoder_cmd *cmd = (const void *)call->arg;

	if (status != 0) {
		if (queue != NULL) {
			queue->nb_queued -= queue->nb_queued > 0;
		}
		return;
	}
	switch (call->req.request) {
	case VIDIOC_STREAMON:
		track_stream(session, call->arg, true);
		break;
	case VIDIOC_STREAMOFF:
		track_stream(session, call->arg, false);
		break;
	case VIDIOC_REQBUFS:
	case VIDIOC_CREATE_BUFS:
		track_buffers(session, call);
		break;
	case VIDIOC_QUERYBUF:
		mark_done(&session->queues[buffer->type], buffer);
		break;
	case VIDIOC_DECODER_CMD:
		if (cmd->cmd == V4L2_DEC_CMD_START) {
			session->queues[V4L2_BUF_TYPE_VIDEO_CAPTURE].last_seen = false;
			session->queues[V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE].last_seen = false;
		}
		break;
	default:
		break;
	}
}

/* POLLERR of V4L2: no queue can ever become ready as things are. */
static bool
is_stuck(const struct session *session)
{
	for (uint32_t type = 0; type < BROKER_NB_TYPES; type++) {
		const struct queue *queue = &session->queues[type];

		if (queue->streaming && !queue->last_seen &&
			(queue->nb_queued > 0 || queue->nb_done > 0)) {
			return false;
		}
	}
	return true;
}

static bool
any_done(const struct session *session, bool output)
{
	for (uint32_t type = 0; type < BROKER_NB_TYPES; type++) {
		const struct queue *queue = &session->queues[type];

		if (is_output(type) == output && queue->streaming &&
			(queue->nb_done > 0 || queue->last_seen ||
				(output && queue->nb_queued < queue->allocated))) {
			return true;
		}
	}
	return false;
}

bool
queue_readable(const struct session *session)
{
	return any_done(session, false) || is_stuck(session);
}

bool
queue_writable(const struct session *session)
{
	return any_done(session, true) || is_stuck(session);
}

void
queues_free(struct session *session)
{
	for (uint32_t type = 0; type < BROKER_NB_TYPES; type++) {
		usermem_stopped(session, type, true);
		free(session->queues[type].done);
	}
}
