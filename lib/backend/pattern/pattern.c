/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern: an emulated camera that proves what arrives. Paced by the TSC, phases spread over the
 * devices of the process; every frame says in its pixels who made it, when, and which periods
 * before it were missed and why. pattern.md is the manual and defines the picture.
 */
#include <errno.h>
#include <stdio.h>

#include "backend/pattern/render.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/pacer.h"
#include "vmedia/backend.h"

struct pattern {
	/* options */
	uint32_t width, height, fps, format;
	/* while streaming */
	bool streaming;
	struct vmedia_buffer_list queued;
	struct vmedia_buffer *drawing; /* the frame at hand, or NULL */
	struct pacer pacer;
	uint32_t sequence;                 /* of the next period */
	uint16_t missed[VMEDIA_NB_MISSED]; /* since STREAMON */
	struct render render;
};

static const char *const format_names[] = {"nv12", "yuyv", "xr24", "grey", NULL};
static const uint32_t fourccs[] = {
	V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_GREY};

#define SIZES RENDER_MIN_WIDTH, RENDER_MAX_WIDTH, 16, RENDER_MIN_HEIGHT, 2304, 8
static const struct vmedia_format_desc formats[] = {
	{V4L2_PIX_FMT_NV12, SIZES},
	{V4L2_PIX_FMT_YUYV, SIZES},
	{V4L2_PIX_FMT_XBGR32, SIZES},
	{V4L2_PIX_FMT_GREY, SIZES},
};

static const struct vmedia_option options[] = {
	{"width", "pixels, rounded to a multiple of 16", VMEDIA_OPTION_U32,
		offsetof(struct pattern, width), RENDER_MIN_WIDTH, RENDER_MAX_WIDTH, NULL, "1280"},
	{"height", "pixels, rounded to a multiple of 8", VMEDIA_OPTION_U32,
		offsetof(struct pattern, height), RENDER_MIN_HEIGHT, 2304, NULL, "720"},
	{"fps", "frames per second before S_PARM", VMEDIA_OPTION_U32, offsetof(struct pattern, fps),
		1, 240, NULL, "30"},
	{"format", "pixel format before S_FMT", VMEDIA_OPTION_CHOICE,
		offsetof(struct pattern, format), 0, 0, format_names, "nv12"},
	{NULL},
};

static int
pattern_create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct pattern *p = vmedia_device_priv(device);

	TAILQ_INIT(&p->queued);
	node->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	snprintf(node->card, sizeof(node->card), "vmedia pattern %u", vmedia_device_index(device));
	node->mmap_only = true; /* it draws to one address */
	node->formats = formats;
	node->nb_formats = ARRAY_SIZE(formats);
	node->default_fourcc = fourccs[p->format];
	node->default_width = p->width;
	node->default_height = p->height;
	node->default_interval = (struct v4l2_fract){1, p->fps};
	node->min_interval = (struct v4l2_fract){1, 240};
	node->max_interval = (struct v4l2_fract){1, 1};
	return 0;
}

static void
pattern_buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	struct pattern *p = vmedia_device_priv(vmedia_session_device(session));

	TAILQ_INSERT_TAIL(&p->queued, buffer, link);
}

static int
pattern_start(struct vmedia_session *session, uint32_t type)
{
	struct vmedia_device *device = vmedia_session_device(session);
	struct pattern *p = vmedia_device_priv(device);
	const struct vmedia_format *format = vmedia_format(session, type);
	int rc = render_init(&p->render, format);

	if (rc != 0) {
		return rc;
	}
	for (int i = 0; i < VMEDIA_NB_MISSED; i++) {
		p->missed[i] = 0;
	}
	p->sequence = 0;
	p->streaming = true;
	pacer_start(&p->pacer, &format->interval, clock_tsc(), vmedia_device_index(device));
	return 0;
}

static void
pattern_stop(struct vmedia_session *session, uint32_t type)
{
	struct vmedia_device *device = vmedia_session_device(session);
	struct pattern *p = vmedia_device_priv(device);

	vmedia_work_cancel(device);
	TAILQ_INIT(&p->queued);
	p->drawing = NULL;
	p->streaming = false;
}

static void
miss(struct vmedia_device *device, enum vmedia_missed cause, uint32_t nb_periods)
{
	struct pattern *p = vmedia_device_priv(device);

	if (nb_periods > 0) {
		vmedia_frame_missed(device, cause, nb_periods);
		p->missed[cause] += (uint16_t)nb_periods;
		p->sequence += nb_periods;
	}
}

static void
frame_begin(struct vmedia_device *device, struct pattern *p)
{
	struct vmedia_buffer *b = TAILQ_FIRST(&p->queued);
	struct render_strip strip = {
		.device = (uint16_t)vmedia_device_index(device),
		.sequence = p->sequence++,
		.timestamp_ns = clock_monotonic_ns(),
		.missed = {p->missed[0], p->missed[1], p->missed[2]},
	};

	TAILQ_REMOVE(&p->queued, b, link);
	b->sequence = strip.sequence;
	b->field = V4L2_FIELD_NONE;
	p->drawing = b;
	vmedia_buffer_begin(b);
	render_begin(&p->render, b->planes[0].addr, &strip);
	vmedia_work_queue(device);
}

static uint64_t
pattern_poll(struct vmedia_device *device, uint64_t now_tsc)
{
	struct pattern *p = vmedia_device_priv(device);
	uint32_t nb_due;

	if (!p->streaming) {
		return VMEDIA_NO_DEADLINE;
	}
	nb_due = pacer_advance(&p->pacer, now_tsc);
	if (nb_due == 0) {
		return pacer_due_tsc(&p->pacer);
	}
	if (p->drawing != NULL) {
		miss(device, VMEDIA_MISSED_LATE_RENDER, nb_due);
	} else {
		miss(device, VMEDIA_MISSED_LATE_REACTOR, nb_due - 1);
		if (TAILQ_EMPTY(&p->queued)) {
			miss(device, VMEDIA_MISSED_NO_BUFFER, 1);
		} else {
			frame_begin(device, p);
		}
	}
	return pacer_due_tsc(&p->pacer);
}

static bool
pattern_work(struct vmedia_device *device, uint64_t until_tsc)
{
	struct pattern *p = vmedia_device_priv(device);
	struct vmedia_buffer *b = p->drawing;

	if (!render_slice(&p->render, until_tsc)) {
		return false;
	}
	p->drawing = NULL;
	b->timestamp_ns = clock_monotonic_ns(); /* V4L2_BUF_FLAG_TSTAMP_SRC_EOF: the last byte */
	b->planes[0].bytesused = vmedia_format(b->session, b->type)->sizeimage[0];
	vmedia_buffer_done(b);
	return true;
}

static const struct vmedia_backend_ops pattern_ops = {
	.name = "pattern",
	.summary = "camera: colour bars, a moving box and a strip that proves loss, order and age",
	.options = options,
	.device_bytes = sizeof(struct pattern),
	.create = pattern_create,
	.buf_queue = pattern_buf_queue,
	.start_streaming = pattern_start,
	.stop_streaming = pattern_stop,
	.poll = pattern_poll,
	.work = pattern_work,
};

VMEDIA_BACKEND_REGISTER(pattern_ops)
