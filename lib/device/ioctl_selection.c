/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What of the picture counts: an m2m node crops what goes in and composes into what comes out. A
 * camera crops its own picture and composes that into the buffer, a display crops the buffer and
 * composes that on its screen; neither scales, so that both rectangles have the same size.
 */
#include <errno.h>

#include "base/util.h"
#include "device/internal.h"
#include "media/format.h"
#include "media/selection.h"

#define MIN_CROP 16 /* pixels, both ways */

/* The format of a direction that the node has; else NULL. */
static struct vmedia_format *
format_in(struct vmedia_session *session, unsigned int direction)
{
	struct context *context = session_context(session);

	return session->queues[direction].type == 0 ? NULL
	       : direction == DEVICE_CAPTURE        ? &context->capture
	                                            : &context->output;
}

/* Single- and multi-planar types mean the same here. */
static struct vmedia_format *
format_of(struct vmedia_session *session, uint32_t type)
{
	switch (type) {
	case V4L2_BUF_TYPE_VIDEO_CAPTURE:
	case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
		return format_in(session, DEVICE_CAPTURE);
	case V4L2_BUF_TYPE_VIDEO_OUTPUT:
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
		return format_in(session, DEVICE_OUTPUT);
	default:
		return NULL;
	}
}

/* The two rectangles of a direction; NULL: it has none. */
struct pair {
	struct v4l2_rect *crop, *compose;
};

static struct pair
pair_of(struct vmedia_session *session, struct vmedia_format *f)
{
	struct v4l2_rect *device_side;

	if (f == NULL) {
		return (struct pair){NULL, NULL};
	}
	device_side = device_is_m2m(session->device) ? NULL : &f->device_side;
	return f == &session_context(session)->output ? (struct pair){&f->selection, device_side}
	                                              : (struct pair){device_side, &f->selection};
}

/* The rectangle that a target is or lies in; NULL: this direction has no such target. */
static struct v4l2_rect *
rect_of(struct vmedia_session *session, struct vmedia_format *f, uint32_t target)
{
	struct pair pair = pair_of(session, f);

	switch (target) {
	case V4L2_SEL_TGT_CROP:
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		return pair.crop;
	case V4L2_SEL_TGT_COMPOSE:
	case V4L2_SEL_TGT_COMPOSE_DEFAULT:
	case V4L2_SEL_TGT_COMPOSE_BOUNDS:
	case V4L2_SEL_TGT_COMPOSE_PADDED:
		return pair.compose;
	default:
		return NULL;
	}
}

/* Around what is composed there is black, of an m2m node what was there before. */
static bool
is_the_rectangle(const struct vmedia_session *session, uint32_t target)
{
	return target == V4L2_SEL_TGT_CROP || target == V4L2_SEL_TGT_COMPOSE ||
	       (target == V4L2_SEL_TGT_COMPOSE_PADDED && device_is_m2m(session->device));
}

int
core_g_selection(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_selection *s = arg;
	struct vmedia_format *f = format_of(session, s->type);
	const struct v4l2_rect *r = rect_of(session, f, s->target);

	if (r == NULL) {
		return -EINVAL;
	}
	s->flags = 0;
	s->r = is_the_rectangle(session, s->target) ? *r
	                                            : (struct v4l2_rect){0, 0, f->width, f->height};
	return 0;
}

/* The other of two that have one size: it moves as little as it can. */
static void
follow(const struct vmedia_format *f, const struct v4l2_rect *r, struct v4l2_rect *other)
{
	other->width = r->width;
	other->height = r->height;
	other->left = (int32_t)MIN((uint32_t)other->left, f->width - r->width);
	other->top = (int32_t)MIN((uint32_t)other->top, f->height - r->height);
}

/* Rectangles that are not scaled may be smaller than buffers can be. */
static struct selection_limits
limits_of(const struct vmedia_session *session, const struct vmedia_format *f, bool is_pair)
{
	const struct vmedia_node *node = &session->device->node;
	const struct vmedia_format_desc *desc = format_desc(node, f->fourcc);

	return (struct selection_limits){f->width, f->height, is_pair ? MIN_CROP : desc->min_width,
		is_pair ? MIN_CROP : desc->min_height, node->selection_step};
}

int
core_s_selection(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_selection *s = arg;
	struct vmedia_format *f = format_of(session, s->type);
	struct v4l2_rect *r = rect_of(session, f, s->target);
	struct pair pair = pair_of(session, f);
	bool is_pair = pair.crop != NULL && pair.compose != NULL;
	struct selection_limits limits;
	int ret;

	if (r == NULL || (s->target != V4L2_SEL_TGT_CROP && s->target != V4L2_SEL_TGT_COMPOSE)) {
		return -EINVAL;
	}
	limits = limits_of(session, f, is_pair);
	ret = selection_adjust(&limits, s->flags, &s->r);
	if (ret != 0) {
		return ret;
	}
	*r = s->r;
	if (is_pair) {
		follow(f, r, r == pair.crop ? pair.compose : pair.crop);
	}
	return 0;
}
