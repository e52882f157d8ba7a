/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pattern: an emulated camera that proves what arrives. Paced by the TSC, phases spread over the
 * devices of the process; every frame says in its pixels who made it, when, and which periods
 * before it were missed and why. pattern.md is the manual and defines the picture.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/pattern/jpeg.h"
#include "backend/pattern/render.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/pacer.h"
#include "vmedia/backend.h"

#define NB_FORMATS      14
#define CID_LABEL       (V4L2_CID_USER_BASE | 0xf000)
#define CID_BAR_COLOURS (V4L2_CID_USER_BASE | 0xf001)
#define CID_BARS_SHOWN  (V4L2_CID_USER_BASE | 0xf002)
#define CID_BOX_SPEED   (V4L2_CID_USER_BASE | 0xf003)
#define CID_BOX_HOME    (V4L2_CID_USER_BASE | 0xf004)
#define CID_FRAMES      (V4L2_CID_USER_BASE | 0xf005)
#define MID_GREY        128
#define MAX_INPUTS      4

enum {
	PACE_REAL,
	PACE_FAST
};

struct pattern {
	/* options */
	uint32_t width, height, fps, format, planar, pace, inputs;
	struct render_look look; /* what the controls say: of the next frame */
	bool auto_gain;
	uint64_t nb_frames;           /* drawn since the device was made */
	struct jpeg_encoder *encoder; /* MJPEG; NULL: built without */
	/* while streaming */
	bool streaming;
	bool compressed;
	struct vmedia_buffer_list queued;
	struct vmedia_buffer *drawing; /* the frame at hand, or NULL */
	struct pacer pacer;
	uint32_t sequence;                 /* of the next period */
	uint16_t missed[VMEDIA_NB_MISSED]; /* since STREAMON */
	struct render render;
	struct vmedia_format_desc formats[NB_FORMATS]; /* those offered */
	struct vmedia_port_desc ports[MAX_INPUTS];
};

static const char *const planar_names[] = {"single", "multi", NULL};
static const char *const pace_names[] = {"real", "fast", NULL};
static const char *const format_names[] = {"nv12", "yuyv", "xr24", "grey", "uyvy", "nv21", "nv16",
	"yu12", "rgb3", "bgr4", "rgbp", "mjpeg", "nm12", "ym12", NULL};

#define SIZES RENDER_MIN_WIDTH, RENDER_MAX_WIDTH, 16, RENDER_MIN_HEIGHT, RENDER_MAX_HEIGHT, 8
/* In the order of format_names. */
static const struct vmedia_format_desc formats[NB_FORMATS] = {
	{V4L2_PIX_FMT_NV12, SIZES},
	{V4L2_PIX_FMT_YUYV, SIZES},
	{V4L2_PIX_FMT_XBGR32, SIZES},
	{V4L2_PIX_FMT_GREY, SIZES},
	{V4L2_PIX_FMT_UYVY, SIZES},
	{V4L2_PIX_FMT_NV21, SIZES},
	{V4L2_PIX_FMT_NV16, SIZES},
	{V4L2_PIX_FMT_YUV420, SIZES},
	{V4L2_PIX_FMT_RGB24, SIZES},
	{V4L2_PIX_FMT_BGR32, SIZES},
	{V4L2_PIX_FMT_RGB565, SIZES},
	{V4L2_PIX_FMT_MJPEG, SIZES},
	{V4L2_PIX_FMT_NV12M, SIZES},
	{V4L2_PIX_FMT_YUV420M, SIZES},
};

static const char *const patterns[RENDER_NB_PATTERNS] = {
	"Bars", "Zone Plate", "Gradient", "Noise", "Solid", "Clock"};

static const uint32_t bar_colours[] = RENDER_BAR_COLOURS;
static const int64_t speeds[] = {0, 2, 4, 8, 16};

static const struct vmedia_ctrl_desc ctrls[] = {
	{V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, "Brightness", -128, 127, 1, 0,
		V4L2_CTRL_FLAG_SLIDER, NULL},
	{V4L2_CID_AUTOGAIN, V4L2_CTRL_TYPE_BOOLEAN, "Gain, Automatic", 0, 1, 1, 0,
		V4L2_CTRL_FLAG_UPDATE, NULL},
	{V4L2_CID_GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 0, 400, 1, 100, V4L2_CTRL_FLAG_SLIDER, NULL,
		.master = V4L2_CID_AUTOGAIN},
	{V4L2_CID_HFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Horizontal Flip", 0, 1, 1, 0, 0, NULL},
	{V4L2_CID_VFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Vertical Flip", 0, 1, 1, 0, 0, NULL},
	{V4L2_CID_BG_COLOR, V4L2_CTRL_TYPE_INTEGER, "Background Color", 0, 0xffffff, 1, 0x0000ff, 0,
		NULL},
	{V4L2_CID_TEST_PATTERN, V4L2_CTRL_TYPE_MENU, "Test Pattern", 0, RENDER_NB_PATTERNS - 1, 1,
		RENDER_BARS, 0, patterns},
	{CID_LABEL, V4L2_CTRL_TYPE_STRING, "Label", 0, 31, 1, 0, 0, NULL},
	{CID_BAR_COLOURS, V4L2_CTRL_TYPE_U32, "Bar Colors", 0, 0xffffff, 1, 0xbfbfbf, 0, NULL,
		.dims = {RENDER_NB_BARS}, .elems = bar_colours},
	{CID_BARS_SHOWN, V4L2_CTRL_TYPE_BITMASK, "Bars Shown", 0, 0xff, 0, 0xff, 0, NULL},
	{CID_BOX_SPEED, V4L2_CTRL_TYPE_INTEGER_MENU, "Box Speed", 0, ARRAY_SIZE(speeds) - 1, 1, 2,
		0, NULL, .numbers = speeds},
	{CID_BOX_HOME, V4L2_CTRL_TYPE_BUTTON, "Box Home", 0, 0, 0, 0, 0, NULL},
	{CID_FRAMES, V4L2_CTRL_TYPE_INTEGER64, "Frames", 0, INT64_MAX, 1, 0,
		V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE, NULL},
};

#define OPTION(name) offsetof(struct pattern, name)
static const struct vmedia_option options[] = {
	{"width", "pixels, rounded to a multiple of 16", VMEDIA_OPTION_U32, OPTION(width),
		RENDER_MIN_WIDTH, RENDER_MAX_WIDTH, NULL, "1280"},
	{"height", "pixels, rounded to a multiple of 8", VMEDIA_OPTION_U32, OPTION(height),
		RENDER_MIN_HEIGHT, RENDER_MAX_HEIGHT, NULL, "720"},
	{"fps", "frames per second before S_PARM", VMEDIA_OPTION_U32, OPTION(fps), 1, 240, NULL,
		"30"},
	{"format", "pixel format before S_FMT", VMEDIA_OPTION_CHOICE, OPTION(format), 0, 0,
		format_names, "nv12"},
	{"planar", "V4L2 API", VMEDIA_OPTION_CHOICE, OPTION(planar), 0, 0, planar_names, "single"},
	{"pace", "fast: a frame whenever there is a buffer", VMEDIA_OPTION_CHOICE, OPTION(pace), 0,
		0, pace_names, "real"},
	{"inputs", "V4L2 inputs, each with a smaller picture than the one before",
		VMEDIA_OPTION_U32, OPTION(inputs), 1, MAX_INPUTS, NULL, "1"},
	{NULL},
};

/* Several memory planes need the multi-planar API, MJPEG a compressor. */
static bool
is_offered(const struct pattern *p, uint32_t fourcc)
{
	switch (fourcc) {
	case V4L2_PIX_FMT_NV12M:
	case V4L2_PIX_FMT_YUV420M:
		return p->planar != 0;
	case V4L2_PIX_FMT_MJPEG:
		return p->encoder != NULL;
	default:
		return true;
	}
}

/* A single one is as the core has it. */
static void
describe_inputs(struct pattern *p, struct vmedia_node *node)
{
	static const char *const names[MAX_INPUTS] = {
		"Camera 0", "Camera 1", "Camera 2", "Camera 3"};
	uint32_t i;

	for (i = 0; p->inputs > 1 && i < p->inputs; i++) {
		p->ports[i] = (struct vmedia_port_desc){
			names[i], V4L2_INPUT_TYPE_CAMERA, p->width / (i + 1), p->height / (i + 1)};
		node->nb_ports++;
	}
	node->ports = p->ports;
}

static int
pattern_create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct pattern *p = vmedia_device_priv(device);

	int rc = jpeg_encoder_create(&p->encoder);
	size_t i;

	if (rc != 0) {
		return rc;
	}
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (is_offered(p, formats[i].fourcc)) {
			p->formats[node->nb_formats++] = formats[i];
		}
	}
	TAILQ_INIT(&p->queued);
	p->look = render_plain;
	p->look.colour = 0x0000ff;
	node->device_caps = (p->planar ? V4L2_CAP_VIDEO_CAPTURE_MPLANE : V4L2_CAP_VIDEO_CAPTURE) |
	                    V4L2_CAP_STREAMING | V4L2_CAP_EXT_PIX_FORMAT;
	snprintf(node->card, sizeof(node->card), "vmedia pattern %u", vmedia_device_index(device));
	node->formats = p->formats;
	describe_inputs(p, node);
	node->ctrls = ctrls;
	node->nb_ctrls = ARRAY_SIZE(ctrls);
	node->events = 1u << V4L2_EVENT_FRAME_SYNC;
	node->selection_step = 2;
	node->default_fourcc = formats[p->format].fourcc;
	node->default_width = p->width;
	node->default_height = p->height;
	node->default_interval = (struct v4l2_fract){1, p->fps};
	node->min_interval = (struct v4l2_fract){1, 240};
	node->max_interval = (struct v4l2_fract){1, 1};
	return 0;
}

static void
pattern_destroy(struct vmedia_device *device)
{
	struct pattern *p = vmedia_device_priv(device);

	jpeg_encoder_destroy(p->encoder);
}

/* Automatic gain keeps mid grey where it is, whatever the brightness. */
static void
adjust_gain(struct pattern *p)
{
	if (p->auto_gain) {
		p->look.gain = (MID_GREY - p->look.brightness) * 100 / MID_GREY;
	}
}

static int
pattern_get_ctrl(struct vmedia_session *session, uint32_t id, int64_t *value)
{
	const struct pattern *p = vmedia_device_priv(vmedia_session_device(session));

	*value = id == V4L2_CID_GAIN ? p->look.gain : (int64_t)p->nb_frames;
	return 0;
}

/* What moves, and which bars are there. */
static int
set_picture(struct pattern *p, uint32_t id, int64_t value)
{
	switch (id) {
	case CID_BARS_SHOWN:
		p->look.bars_shown = (uint32_t)value;
		return 0;
	case CID_BOX_SPEED:
		p->look.speed = (uint32_t)speeds[value];
		return 0;
	case CID_BOX_HOME:
		p->look.origin = p->sequence;
		return 0;
	default:
		return -EINVAL;
	}
}

static int
pattern_set_ctrl(struct vmedia_session *session, uint32_t id, int64_t value)
{
	struct pattern *p = vmedia_device_priv(vmedia_session_device(session));

	switch (id) {
	case V4L2_CID_BRIGHTNESS:
		p->look.brightness = (int32_t)value;
		adjust_gain(p);
		return 0;
	case V4L2_CID_AUTOGAIN:
		p->auto_gain = value != 0;
		adjust_gain(p);
		return 0;
	case V4L2_CID_GAIN:
		p->look.gain = (int32_t)value;
		return 0;
	case V4L2_CID_HFLIP:
		p->look.hflip = value != 0;
		return 0;
	case V4L2_CID_VFLIP:
		p->look.vflip = value != 0;
		return 0;
	case V4L2_CID_BG_COLOR:
		p->look.colour = (uint32_t)value;
		return 0;
	case V4L2_CID_TEST_PATTERN:
		p->look.pattern = (enum render_pattern)value;
		return 0;
	default:
		return set_picture(p, id, value);
	}
}

/* The label is for whoever reads it: nothing to do. */
static int
pattern_set_payload(
	struct vmedia_session *session, uint32_t id, const void *payload, uint32_t nb_bytes)
{
	struct pattern *p = vmedia_device_priv(vmedia_session_device(session));

	if (id == CID_BAR_COLOURS) {
		memcpy(p->look.bars, payload, sizeof(p->look.bars));
	}
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
	int rc = 0;

	p->compressed = format->fourcc == V4L2_PIX_FMT_MJPEG;
	if (!p->compressed) {
		rc = render_init(&p->render, format, &p->look);
	}
	if (rc != 0) {
		return rc;
	}
	for (int i = 0; i < VMEDIA_NB_MISSED; i++) {
		p->missed[i] = 0;
	}
	p->sequence = 0;
	p->look.origin = 0;
	p->streaming = true;
	vmedia_ctrl_grab(device, CID_BOX_SPEED, true); /* else the box would jump */
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
	if (p->compressed) {
		jpeg_encoder_cancel(p->encoder);
	}
	p->drawing = NULL;
	p->streaming = false;
	vmedia_ctrl_grab(device, CID_BOX_SPEED, false);
}

static void frame_begin(struct vmedia_device *device, struct pattern *p);

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
frame_end(struct vmedia_device *device, struct vmedia_buffer *b)
{
	struct pattern *p = vmedia_device_priv(device);

	p->drawing = NULL;
	p->nb_frames++;
	b->timestamp_ns = clock_monotonic_ns(); /* V4L2_BUF_FLAG_TSTAMP_SRC_EOF: the last byte */
	vmedia_buffer_done(b);
	if (p->pace == PACE_FAST && !TAILQ_EMPTY(&p->queued)) {
		frame_begin(device, p);
	}
}

/* On the reactor: the picture goes into the buffer as a whole, which may be the guest's pages. */
static void
compressed(struct vmedia_device *device, const void *picture, size_t bytes)
{
	struct pattern *p = vmedia_device_priv(device);
	struct vmedia_buffer *b = p->drawing;

	if (bytes == 0 || bytes > b->planes[0].length) {
		b->flags |= V4L2_BUF_FLAG_ERROR;
		bytes = 0;
	}
	vmedia_plane_write(&b->planes[0], 0, picture, (uint32_t)bytes);
	b->planes[0].bytesused = (uint32_t)bytes;
	frame_end(device, b);
}

static void
tell_begin(struct vmedia_device *device, uint32_t sequence)
{
	struct v4l2_event event = {.type = V4L2_EVENT_FRAME_SYNC};

	event.u.frame_sync.frame_sequence = sequence;
	vmedia_event_queue(device, &event);
}

/* Crop and compose of the next frame; all zero: the whole picture. */
static void
set_window(struct pattern *p, const struct vmedia_format *f)
{
	const struct v4l2_rect *from = &f->device_side, *to = &f->selection;

	p->look.window = (struct render_window){0};
	if (to->width != f->width || to->height != f->height) {
		p->look.window = (struct render_window){(uint32_t)from->left, (uint32_t)from->top,
			(uint32_t)to->left, (uint32_t)to->top, to->width, to->height};
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
		.input = (uint16_t)vmedia_device_port(device),
	};

	TAILQ_REMOVE(&p->queued, b, link);
	set_window(p, vmedia_format(b->session, b->type));
	b->sequence = strip.sequence;
	b->field = V4L2_FIELD_NONE;
	p->drawing = b;
	vmedia_buffer_begin(b);
	tell_begin(device, strip.sequence);
	if (p->compressed) {
		jpeg_encoder_start(p->encoder, device, vmedia_format(b->session, b->type), &strip,
			&p->look, compressed);
		return;
	}
	render_begin(&p->render, b->planes, &strip, &p->look);
	vmedia_work_queue(device);
}

static bool
is_busy(const struct pattern *p)
{
	return p->drawing != NULL || (p->compressed && jpeg_encoder_is_busy(p->encoder));
}

static uint64_t
poll_fast(struct vmedia_device *device, struct pattern *p, uint64_t now_tsc)
{
	if (is_busy(p) || TAILQ_EMPTY(&p->queued)) {
		return VMEDIA_NO_DEADLINE;
	}
	frame_begin(device, p);
	return now_tsc;
}

static uint64_t
pattern_poll(struct vmedia_device *device, uint64_t now_tsc)
{
	struct pattern *p = vmedia_device_priv(device);
	uint32_t nb_due;

	if (!p->streaming) {
		return VMEDIA_NO_DEADLINE;
	}
	if (p->pace == PACE_FAST) {
		return poll_fast(device, p, now_tsc);
	}
	nb_due = pacer_advance(&p->pacer, now_tsc);
	if (nb_due == 0) {
		return pacer_due_tsc(&p->pacer);
	}
	if (is_busy(p)) {
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
	uint32_t i;

	if (!render_slice(&p->render, until_tsc)) {
		return false;
	}
	for (i = 0; i < b->nb_planes; i++) {
		b->planes[i].bytesused = vmedia_format(b->session, b->type)->sizeimage[i];
	}
	frame_end(device, b);
	return true;
}

static const struct vmedia_backend_ops pattern_ops = {
	.name = "pattern",
	.summary =
		"camera: test patterns, a moving box and a strip that proves loss, order and age",
	.options = options,
	.device_bytes = sizeof(struct pattern),
	.create = pattern_create,
	.destroy = pattern_destroy,
	.set_ctrl = pattern_set_ctrl,
	.set_payload = pattern_set_payload,
	.get_ctrl = pattern_get_ctrl,
	.buf_queue = pattern_buf_queue,
	.start_streaming = pattern_start,
	.stop_streaming = pattern_stop,
	.poll = pattern_poll,
	.work = pattern_work,
};

VMEDIA_BACKEND_REGISTER(pattern_ops)
