/* SPDX-License-Identifier: BSD-3-Clause */
/* What of the picture counts: an m2m node crops what goes in and composes into what comes out. */
#include <errno.h>

#include "device/internal.h"
#include "media/format.h"
#include "media/selection.h"

/* Single- and multi-planar types mean the same here. NULL: neither. */
static struct vmedia_format *
format_of(struct vmedia_session *session, uint32_t type)
{
	struct context *context = session_context(session);

	switch (type) {
	case V4L2_BUF_TYPE_VIDEO_CAPTURE:
	case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
		return &context->capture;
	case V4L2_BUF_TYPE_VIDEO_OUTPUT:
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
		return &context->output;
	default:
		return NULL;
	}
}

/* The rectangle of a target; -EINVAL: this direction has none. */
static int
find(struct vmedia_session *session, const struct v4l2_selection *s, struct v4l2_rect *r)
{
	const struct vmedia_format *f = format_of(session, s->type);
	bool output = f == &session_context(session)->output;

	if (f == NULL) {
		return -EINVAL;
	}
	switch (s->target) {
	case V4L2_SEL_TGT_CROP:
	case V4L2_SEL_TGT_COMPOSE:
	case V4L2_SEL_TGT_COMPOSE_PADDED:
		*r = f->selection;
		break;
	default:
		*r = (struct v4l2_rect){0, 0, f->width, f->height};
	}
	switch (s->target) {
	case V4L2_SEL_TGT_CROP:
	case V4L2_SEL_TGT_CROP_DEFAULT:
	case V4L2_SEL_TGT_CROP_BOUNDS:
		return output ? 0 : -EINVAL;
	case V4L2_SEL_TGT_COMPOSE:
	case V4L2_SEL_TGT_COMPOSE_DEFAULT:
	case V4L2_SEL_TGT_COMPOSE_BOUNDS:
	case V4L2_SEL_TGT_COMPOSE_PADDED:
		return output ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

int
core_g_selection(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_selection *s = arg;

	s->flags = 0;
	return find(session, s, &s->r);
}

int
core_s_selection(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct vmedia_node *node = &session->device->node;
	struct v4l2_selection *s = arg;
	struct vmedia_format *f = format_of(session, s->type);
	const struct vmedia_format_desc *desc;
	struct selection_limits limits;
	struct v4l2_rect now;
	int ret = find(session, s, &now);

	if (ret != 0 || (s->target != V4L2_SEL_TGT_CROP && s->target != V4L2_SEL_TGT_COMPOSE)) {
		return -EINVAL;
	}
	desc = format_desc(node, f->fourcc);
	limits = (struct selection_limits){
		f->width, f->height, desc->min_width, desc->min_height, node->selection_step};
	ret = selection_adjust(&limits, s->flags, &s->r);
	if (ret == 0) {
		f->selection = s->r;
	}
	return ret;
}
