/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transform: a memory-to-memory device that converts formats, scales and flips. Every session is a
 * context of its own. The pixels are touched by the offload thread alone, one picture of a device
 * at a time; sessions that have a picture ready take turns. transform.md is the manual.
 */
#include <errno.h>
#include <stdio.h>

#include "backend/transform/convert.h"
#include "base/compiler.h"

struct transform_queue {
	struct vmedia_buffer_list buffers; /* ours until vmedia_buffer_done */
	bool streaming;
	uint32_t sequence; /* of the next buffer */
};

/* V4L2_DEC_CMD_STOP: what was queued until then is converted, the last picture says so. */
enum drain {
	DRAIN_NONE,
	DRAIN_UNDER_WAY,
	DRAIN_DONE /* nothing is converted until V4L2_DEC_CMD_START or STREAMOFF */
};

struct transform_session {
	struct transform_queue output, capture;
	enum drain drain;
	uint32_t nb_to_drain;                /* pictures */
	struct convert_flips flips;          /* controls */
	TAILQ_ENTRY(transform_session) link; /* while both stream; who comes next is the first */
};

struct transform {
	uint32_t planar, width, height; /* options */
	TAILQ_HEAD(, transform_session) sessions;
	/* The picture at hand; from, to and status are the offload thread's while busy. */
	struct vmedia_job job;
	bool busy;
	struct transform_session *session; /* whose; NULL: it does not want it any more */
	struct vmedia_buffer *source, *target;
	struct convert_picture from, to;
	struct convert_flips with;
	int status;
	struct converter converter;
};

static const char *const planar_names[] = {"single", "multi", NULL};

#define SIZES 16, 4096, 2, 16, 4096, 2 /* width and height: from, to, step */
static const struct vmedia_format_desc formats[] = {
	{V4L2_PIX_FMT_NV12, SIZES},
	{V4L2_PIX_FMT_NV21, SIZES},
	{V4L2_PIX_FMT_NV16, SIZES},
	{V4L2_PIX_FMT_YUV420, SIZES},
	{V4L2_PIX_FMT_YUYV, SIZES},
	{V4L2_PIX_FMT_UYVY, SIZES},
	{V4L2_PIX_FMT_GREY, SIZES},
	{V4L2_PIX_FMT_RGB24, SIZES},
	{V4L2_PIX_FMT_RGB565, SIZES},
	{V4L2_PIX_FMT_XBGR32, SIZES},
	{V4L2_PIX_FMT_BGR32, SIZES},
	{V4L2_PIX_FMT_NV12M, SIZES}, /* these two only in the multi-planar API */
	{V4L2_PIX_FMT_YUV420M, SIZES},
};
#define NB_MULTI_ONLY 2

static const struct vmedia_ctrl_desc ctrls[] = {
	{V4L2_CID_HFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Horizontal Flip", 0, 1, 1, 0, 0, NULL},
	{V4L2_CID_VFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Vertical Flip", 0, 1, 1, 0, 0, NULL},
};

#define OPTION(name) offsetof(struct transform, name)
static const struct vmedia_option options[] = {
	{"planar", "V4L2 API", VMEDIA_OPTION_CHOICE, OPTION(planar), 0, 0, planar_names, "single"},
	{"width", "pixels", VMEDIA_OPTION_U32, OPTION(width), 16, 4096, NULL, "640"},
	{"height", "pixels", VMEDIA_OPTION_U32, OPTION(height), 16, 4096, NULL, "480"},
	{NULL},
};

static int
transform_create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct transform *t = vmedia_device_priv(device);

	TAILQ_INIT(&t->sessions);
	node->device_caps = (t->planar ? V4L2_CAP_VIDEO_M2M_MPLANE : V4L2_CAP_VIDEO_M2M) |
	                    V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	snprintf(node->card, sizeof(node->card), "vmedia transform");
	node->formats = formats;
	node->nb_formats = ARRAY_SIZE(formats) - (t->planar ? 0 : NB_MULTI_ONLY);
	node->ctrls = ctrls;
	node->nb_ctrls = ARRAY_SIZE(ctrls);
	node->events = 1u << V4L2_EVENT_EOS;
	node->mmap_only = true;
	node->selection_step = 2;
	node->default_fourcc = V4L2_PIX_FMT_NV12;
	node->default_width = t->width;
	node->default_height = t->height;
	return 0;
}

static void
transform_destroy(struct vmedia_device *device)
{
	struct transform *t = vmedia_device_priv(device);

	converter_fini(&t->converter);
}

static int
transform_set_ctrl(struct vmedia_session *session, uint32_t id, int64_t value)
{
	struct transform_session *s = vmedia_session_priv(session);

	*(id == V4L2_CID_HFLIP ? &s->flips.horizontal : &s->flips.vertical) = value != 0;
	return 0;
}

/* ---- buffers ---- */

static int
transform_open(struct vmedia_session *session)
{
	struct transform_session *s = vmedia_session_priv(session);

	TAILQ_INIT(&s->output.buffers);
	TAILQ_INIT(&s->capture.buffers);
	return 0;
}

static struct transform_queue *
queue_of(struct vmedia_session *session, uint32_t type)
{
	struct transform_session *s = vmedia_session_priv(session);

	return V4L2_TYPE_IS_OUTPUT(type) ? &s->output : &s->capture;
}

static void
transform_buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	TAILQ_INSERT_TAIL(&queue_of(session, buffer->type)->buffers, buffer, link);
}

static int
transform_start(struct vmedia_session *session, uint32_t type)
{
	struct transform *t = vmedia_device_priv(vmedia_session_device(session));
	struct transform_session *s = vmedia_session_priv(session);
	struct transform_queue *q = queue_of(session, type);

	q->streaming = true;
	q->sequence = 0;
	if (s->output.streaming && s->capture.streaming) {
		TAILQ_INSERT_TAIL(&t->sessions, s, link);
	}
	return 0;
}

/* The picture at hand is not wanted any more. The offload thread may be at it still: what it writes
 * stays within buffers that exist, as their memory is given to others by that same thread. */
static void
give_up(struct transform *t)
{
	TAILQ_INSERT_HEAD(&t->session->output.buffers, t->source, link);
	TAILQ_INSERT_HEAD(&t->session->capture.buffers, t->target, link);
	t->session = NULL;
}

static void
transform_stop(struct vmedia_session *session, uint32_t type)
{
	struct transform *t = vmedia_device_priv(vmedia_session_device(session));
	struct transform_session *s = vmedia_session_priv(session);
	struct transform_queue *q = queue_of(session, type);

	if (t->session == s) {
		give_up(t);
	}
	if (s->output.streaming && s->capture.streaming) {
		TAILQ_REMOVE(&t->sessions, s, link);
	}
	TAILQ_INIT(&q->buffers);
	q->streaming = false;
	s->drain = DRAIN_NONE;
}

/* ---- the end of a stream ---- */

static bool
is_streaming(const struct transform_session *s)
{
	return s->output.streaming && s->capture.streaming;
}

static uint32_t
nb_waiting(const struct transform *t, const struct transform_session *s)
{
	const struct vmedia_buffer *buffer;
	uint32_t nb = t->session == s;

	TAILQ_FOREACH (buffer, &s->output.buffers, link) {
		nb++;
	}
	return nb;
}

static int
try_decoder_cmd(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_decoder_cmd *cmd = arg;

	if (cmd->cmd != V4L2_DEC_CMD_START && cmd->cmd != V4L2_DEC_CMD_STOP) {
		return -EINVAL;
	}
	*cmd = (struct v4l2_decoder_cmd){.cmd = cmd->cmd};
	return 0;
}

static int
decoder_cmd(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct transform *t = vmedia_device_priv(vmedia_session_device(session));
	struct transform_session *s = vmedia_session_priv(session);
	const struct v4l2_decoder_cmd *cmd = arg;
	int ret = try_decoder_cmd(session, request, arg);

	if (ret != 0) {
		return ret;
	}
	if (cmd->cmd == V4L2_DEC_CMD_START) {
		s->drain = DRAIN_NONE;
	} else if (is_streaming(s) && s->drain == DRAIN_NONE) {
		s->drain = DRAIN_UNDER_WAY;
		s->nb_to_drain = nb_waiting(t, s);
	}
	return 0;
}

/* To be done with this buffer. Its event goes ahead of it: who sees the buffer has the event. */
static void
drain_end(struct transform_session *s, struct vmedia_buffer *last)
{
	static const struct v4l2_event eos = {.type = V4L2_EVENT_EOS};

	s->drain = DRAIN_DONE;
	last->flags |= V4L2_BUF_FLAG_LAST;
	vmedia_session_event_queue(last->session, &eos);
}

/* ---- pictures ---- */

static void
picture_of(const struct vmedia_buffer *buffer, struct convert_picture *picture)
{
	picture->format = *vmedia_format(buffer->session, buffer->type);
	for (uint32_t i = 0; i < buffer->nb_planes; i++) {
		picture->planes[i] = buffer->planes[i].addr;
	}
}

static struct vmedia_buffer *
take(struct transform_queue *q)
{
	struct vmedia_buffer *buffer = TAILQ_FIRST(&q->buffers);

	TAILQ_REMOVE(&q->buffers, buffer, link);
	return buffer;
}

static void
run(struct vmedia_job *job)
{
	struct transform *t = container_of(job, struct transform, job);

	t->status = convert_run(&t->converter, &t->from, &t->to, t->with);
}

static void
finish(struct transform *t)
{
	struct vmedia_buffer *source = t->source, *target = t->target;

	source->sequence = t->session->output.sequence++;
	target->sequence = t->session->capture.sequence++;
	source->field = target->field = V4L2_FIELD_NONE;
	target->timestamp_ns = source->timestamp_ns;
	target->timecode = source->timecode;
	target->flags = source->flags;
	for (uint32_t i = 0; i < target->nb_planes; i++) {
		target->planes[i].bytesused = t->status == 0 ? t->to.format.sizeimage[i] : 0;
	}
	if (t->status != 0) {
		target->flags |= V4L2_BUF_FLAG_ERROR;
	}
	if (t->session->drain == DRAIN_UNDER_WAY && --t->session->nb_to_drain == 0) {
		drain_end(t->session, target);
	}
	vmedia_buffer_done(source);
	vmedia_buffer_done(target);
	t->session = NULL;
}

static void begin_next(struct vmedia_device *device);

static void
done(struct vmedia_job *job)
{
	struct transform *t = container_of(job, struct transform, job);

	t->busy = false;
	if (t->session != NULL) {
		finish(t);
	}
	begin_next(job->device);
}

/* A stream that ends without a picture ends with an empty buffer. */
static void
end_without_picture(struct transform_session *s)
{
	struct vmedia_buffer *last = take(&s->capture);
	uint32_t i;

	last->sequence = s->capture.sequence++;
	last->field = V4L2_FIELD_NONE;
	last->flags = 0;
	for (i = 0; i < last->nb_planes; i++) {
		last->planes[i].bytesused = 0;
	}
	drain_end(s, last);
	vmedia_buffer_done(last);
}

static struct transform_session *
next_session(struct transform *t)
{
	struct transform_session *s;

	TAILQ_FOREACH (s, &t->sessions, link) {
		if (s->drain == DRAIN_UNDER_WAY && s->nb_to_drain == 0 &&
			!TAILQ_EMPTY(&s->capture.buffers)) {
			end_without_picture(s);
		}
		if (s->drain == DRAIN_DONE ||
			(s->drain == DRAIN_UNDER_WAY && s->nb_to_drain == 0)) {
			continue;
		}
		if (!TAILQ_EMPTY(&s->output.buffers) && !TAILQ_EMPTY(&s->capture.buffers)) {
			TAILQ_REMOVE(&t->sessions, s, link);
			TAILQ_INSERT_TAIL(&t->sessions, s, link);
			return s;
		}
	}
	return NULL;
}

static void
begin_next(struct vmedia_device *device)
{
	struct transform *t = vmedia_device_priv(device);
	struct transform_session *s = t->busy ? NULL : next_session(t);

	if (s == NULL) {
		return;
	}
	t->busy = true;
	t->session = s;
	t->source = take(&s->output);
	t->target = take(&s->capture);
	picture_of(t->source, &t->from);
	picture_of(t->target, &t->to);
	t->with = s->flips;
	t->job.run = run;
	t->job.done = done;
	vmedia_buffer_begin(t->target);
	vmedia_offload(device, &t->job);
}

static uint64_t
transform_poll(struct vmedia_device *device, uint64_t now_tsc)
{
	begin_next(device);
	return VMEDIA_NO_DEADLINE;
}

static const struct vmedia_backend_ops transform_ops = {
	.name = "transform",
	.summary = "converter of formats, sizes and orientation, memory to memory",
	.options = options,
	.device_bytes = sizeof(struct transform),
	.session_bytes = sizeof(struct transform_session),
	.create = transform_create,
	.destroy = transform_destroy,
	.open = transform_open,
	.ioctl = {[_IOC_NR(VIDIOC_DECODER_CMD)] = decoder_cmd,
		[_IOC_NR(VIDIOC_TRY_DECODER_CMD)] = try_decoder_cmd},
	.set_ctrl = transform_set_ctrl,
	.buf_queue = transform_buf_queue,
	.start_streaming = transform_start,
	.stop_streaming = transform_stop,
	.poll = transform_poll,
};

VMEDIA_BACKEND_REGISTER(transform_ops)
