/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * null: a camera, a display or a codec that touches no pixel, and the tutorial:
 * docs/add-a-backend.md walks through this file, null.md is the manual.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/pacer.h"
#include "vmedia/backend.h"

/* ---- Memory. The core allocates it, zeroes it and stores the options in it. */
enum null_role {
	ROLE_CAPTURE, /* the first two are also the index of the queue */
	ROLE_OUTPUT,
	ROLE_M2M
};

struct null_session {
	struct null_queue {
		struct vmedia_buffer_list buffers; /* ours until vmedia_buffer_done */
		bool streaming;
		uint32_t sequence; /* of the next frame */
	} queues[2];
	uint32_t nb_streaming; /* of these */
	struct pacer pacer;
	struct vmedia_session *session;
	TAILQ_ENTRY(null_session) link; /* while anything streams */
};

struct null_device {
	uint32_t role, planar, fps, width, height; /* options */
	TAILQ_HEAD(, null_session) streaming;
};

/* ---- What users can set, and what guests are offered. */
static const char *const role_names[] = {"capture", "output", "m2m", NULL};
static const char *const planar_names[] = {"single", "multi", NULL};
#define BOTH(role) V4L2_CAP_VIDEO_##role, V4L2_CAP_VIDEO_##role##_MPLANE
static const uint32_t caps[] = {BOTH(CAPTURE), BOTH(OUTPUT), BOTH(M2M)};

#define SIZES 16, 8192, 2, 16, 8192, 2 /* width and height: from, to, step */
static const struct vmedia_format_desc formats[] = {
	{V4L2_PIX_FMT_NV12, SIZES}, {V4L2_PIX_FMT_YUYV, SIZES}, {V4L2_PIX_FMT_XBGR32, SIZES},
	{V4L2_PIX_FMT_GREY, SIZES}, {V4L2_PIX_FMT_NV12M, SIZES}, /* only in the multi-planar API */
};

static const struct vmedia_ctrl_desc ctrls[] = {
	{V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, "Brightness", 0, 255, 1, 128, 0, NULL},
	{V4L2_CID_GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 0, 1000, 10, 100, 0, NULL},
};

#define OPTION(name) offsetof(struct null_device, name)
static const struct vmedia_option options[] = {
	{"role", "what to be", VMEDIA_OPTION_CHOICE, OPTION(role), 0, 0, role_names, "capture"},
	{"planar", "V4L2 API", VMEDIA_OPTION_CHOICE, OPTION(planar), 0, 0, planar_names, "single"},
	{"fps", "frames per s; 0: no pace", VMEDIA_OPTION_U32, OPTION(fps), 0, 1000, NULL, "0"},
	{"width", "pixels", VMEDIA_OPTION_U32, OPTION(width), 16, 8192, NULL, "640"},
	{"height", "pixels", VMEDIA_OPTION_U32, OPTION(height), 16, 8192, NULL, "480"},
	{NULL},
};

/* ---- Life of the device and of its sessions. */
static int
null_create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct null_device *null = vmedia_device_priv(device);

	TAILQ_INIT(&null->streaming);
	node->device_caps =
		caps[2 * null->role + null->planar] | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	snprintf(node->card, sizeof(node->card), "vmedia null %s", role_names[null->role]);
	node->formats = formats;
	node->nb_formats = ARRAY_SIZE(formats) - !null->planar;
	node->ctrls = ctrls;
	node->nb_ctrls = ARRAY_SIZE(ctrls);
	node->selection_step = null->role == ROLE_OUTPUT ? 2 : 0;
	node->default_fourcc = V4L2_PIX_FMT_NV12;
	node->default_width = null->width;
	node->default_height = null->height;
	if (null->fps != 0) {
		node->default_interval = (struct v4l2_fract){1, null->fps};
		node->min_interval = (struct v4l2_fract){1, 1000};
		node->max_interval = (struct v4l2_fract){1, 1};
	}
	return 0;
}

static int
null_open(struct vmedia_session *session)
{
	struct null_session *s = vmedia_session_priv(session);

	s->session = session;
	TAILQ_INIT(&s->queues[ROLE_CAPTURE].buffers);
	TAILQ_INIT(&s->queues[ROLE_OUTPUT].buffers);
	return 0;
}

/* ---- Streaming: the core hands buffers over, and takes all of a type back. */
static struct null_queue *
queue_of(struct vmedia_session *session, uint32_t type)
{
	struct null_session *s = vmedia_session_priv(session);

	return &s->queues[V4L2_TYPE_IS_OUTPUT(type) ? ROLE_OUTPUT : ROLE_CAPTURE];
}

static void
null_buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	TAILQ_INSERT_TAIL(&queue_of(session, buffer->type)->buffers, buffer, link);
}

static int
null_start_streaming(struct vmedia_session *session, uint32_t type)
{
	struct vmedia_device *device = vmedia_session_device(session);
	struct null_device *null = vmedia_device_priv(device);
	struct null_session *s = vmedia_session_priv(session);
	struct null_queue *q = queue_of(session, type);

	if (null->fps != 0) {
		pacer_start(&s->pacer, &vmedia_format(session, type)->interval, clock_tsc(),
			vmedia_device_index(device));
	}
	if (s->nb_streaming++ == 0) {
		TAILQ_INSERT_TAIL(&null->streaming, s, link);
	}
	q->streaming = true;
	q->sequence = 0;
	return 0;
}

static void
null_stop_streaming(struct vmedia_session *session, uint32_t type)
{
	struct null_device *null = vmedia_device_priv(vmedia_session_device(session));
	struct null_session *s = vmedia_session_priv(session);
	struct null_queue *q = queue_of(session, type);

	if (q->streaming && --s->nb_streaming == 0) {
		TAILQ_REMOVE(&null->streaming, s, link);
	}
	TAILQ_INIT(&q->buffers);
	q->streaming = false;
}

/* ---- Frames: made in poll, never in buf_queue. */
static bool
ready(const struct null_queue *q)
{
	return q->streaming && !TAILQ_EMPTY(&q->buffers);
}

static struct vmedia_buffer *
take(struct null_queue *q)
{
	struct vmedia_buffer *b = TAILQ_FIRST(&q->buffers);

	TAILQ_REMOVE(&q->buffers, b, link);
	b->sequence = q->sequence++;
	return b;
}

/* One frame through the node, if the buffers for it are there. */
static bool
frame(struct null_session *s, uint32_t role)
{
	struct null_queue *output = &s->queues[ROLE_OUTPUT];
	struct null_queue *q = role == ROLE_OUTPUT ? output : &s->queues[ROLE_CAPTURE];
	struct vmedia_buffer *b, *in;

	if (!ready(q) || (role == ROLE_M2M && !ready(output))) {
		return false;
	}
	b = take(q);
	for (uint32_t i = 0; role != ROLE_OUTPUT && i < b->nb_planes; i++) {
		b->planes[i].bytesused = vmedia_format(b->session, b->type)->sizeimage[i];
	}
	if (role == ROLE_M2M) {
		in = take(output);
		b->timestamp_ns = in->timestamp_ns;
		b->timecode = in->timecode;
		b->flags = in->flags;
		vmedia_buffer_done(in);
	}
	vmedia_buffer_done(b);
	return true;
}

/* A gap in the sequence, as with a real camera; a codec has no periods of its own. */
static void
miss(struct null_session *s, uint32_t role, enum vmedia_missed cause, uint32_t nb_periods)
{
	if (nb_periods > 0 && role != ROLE_M2M) {
		vmedia_frame_missed(vmedia_session_device(s->session), cause, nb_periods);
		s->queues[role].sequence += nb_periods;
	}
}

static uint64_t
poll_paced(struct null_session *s, uint32_t role, uint64_t now_tsc)
{
	uint32_t nb_due = pacer_advance(&s->pacer, now_tsc);

	if (nb_due > 0) {
		miss(s, role, VMEDIA_MISSED_LATE_REACTOR, nb_due - 1);
		miss(s, role, VMEDIA_MISSED_NO_BUFFER, frame(s, role) ? 0 : 1);
	}
	return pacer_due_tsc(&s->pacer);
}

static uint64_t
null_poll(struct vmedia_device *device, uint64_t now_tsc)
{
	struct null_device *null = vmedia_device_priv(device);
	uint64_t due_tsc = VMEDIA_NO_DEADLINE;
	struct null_session *s;

	TAILQ_FOREACH (s, &null->streaming, link) {
		if (null->fps != 0) {
			due_tsc = MIN(due_tsc, poll_paced(s, null->role, now_tsc));
			continue;
		}
		while (frame(s, null->role)) {
			due_tsc = now_tsc;
		}
	}
	return due_tsc;
}

static const struct vmedia_backend_ops null_ops = {
	.name = "null",
	.summary = "camera, display or codec that touches no pixel",
	.options = options,
	.device_bytes = sizeof(struct null_device),
	.session_bytes = sizeof(struct null_session),
	.create = null_create,
	.open = null_open,
	.buf_queue = null_buf_queue,
	.start_streaming = null_start_streaming,
	.stop_streaming = null_stop_streaming,
	.poll = null_poll,
};

VMEDIA_BACKEND_REGISTER(null_ops)
