/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats and frame intervals, from the node's table. */
#include <errno.h>
#include <string.h>

#include "device/internal.h"
#include "media/format.h"

struct context *
session_context(struct vmedia_session *session)
{
	struct vmedia_device *device = session->device;

	return device_is_m2m(device) ? &session->context : &device->context;
}

void
context_init(const struct vmedia_device *device, struct context *context)
{
	format_default(&device->node, &context->capture);
	port_resize(device, 0, &context->capture);
	context->output = context->capture;
}

/* NULL: the node has no queue of this type. */
static struct vmedia_format *
format_of(struct vmedia_session *session, uint32_t type)
{
	struct context *context = session_context(session);
	const struct bufq *q = session_queue(session, type);

	if (q == NULL) {
		return NULL;
	}
	return q == &session->queues[DEVICE_CAPTURE] ? &context->capture : &context->output;
}

const struct vmedia_format *
vmedia_format(struct vmedia_session *session, uint32_t type)
{
	return format_of(session, type);
}

bool
format_is_busy(struct vmedia_session *session, uint32_t type)
{
	const struct bufq *q = session_queue(session, type);

	return q->nb_buffers > 0 || session->device->owner[q - session->queues] != NULL;
}

int
core_enum_fmt(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_fmtdesc *e = arg;

	if (session_queue(session, e->type) == NULL) {
		return -EINVAL;
	}
	return format_enum(&session->device->node, e);
}

int
core_g_fmt(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_format *f = arg;
	const struct vmedia_format *format = vmedia_format(session, f->type);

	if (format == NULL) {
		return -EINVAL;
	}
	format_to_v4l2(format, f->type, f);
	return 0;
}

int
core_try_fmt(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_format *f = arg;
	const struct vmedia_format *current = vmedia_format(session, f->type);
	struct vmedia_format next;
	int ret;

	if (current == NULL) {
		return -EINVAL;
	}
	next = *current;
	ret = format_negotiate(&session->device->node, f, &next);
	if (ret == 0) {
		format_to_v4l2(&next, f->type, f);
	}
	return ret;
}

/* What goes into an m2m node comes out of it in the same colours. */
static void
carry_colors(struct vmedia_session *session)
{
	struct context *context = session_context(session);

	context->capture.colorspace = context->output.colorspace;
	context->capture.ycbcr_enc = context->output.ycbcr_enc;
	context->capture.quantization = context->output.quantization;
	context->capture.xfer_func = context->output.xfer_func;
}

int
core_s_fmt(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_format *f = arg;
	struct vmedia_format *current = format_of(session, f->type);
	struct vmedia_format next;
	int ret;

	if (current == NULL) {
		return -EINVAL;
	}
	next = *current;
	ret = format_negotiate(&session->device->node, f, &next);
	if (ret != 0) {
		return ret;
	}
	if (format_differs(current, &next) && format_is_busy(session, f->type)) {
		return -EBUSY;
	}
	*current = next;
	if (device_is_m2m(session->device)) {
		carry_colors(session);
	}
	session_trace_format(session, f->type);
	format_to_v4l2(current, f->type, f);
	return 0;
}

int
core_enum_framesizes(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return format_enum_sizes(&session->device->node, arg);
}

int
core_enum_frameintervals(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return format_enum_intervals(&session->device->node, arg);
}

/* No read() and write() in the guest, hence no read buffers. */
static void
fill_parm(const struct vmedia_format *format, uint32_t type, struct v4l2_streamparm *parm)
{
	memset(parm, 0, sizeof(*parm));
	parm->type = type;
	if (V4L2_TYPE_IS_OUTPUT(type)) {
		parm->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
		parm->parm.output.timeperframe = format->interval;
	} else {
		parm->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
		parm->parm.capture.timeperframe = format->interval;
	}
}

int
core_g_parm(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_streamparm *parm = arg;
	const struct vmedia_format *format = vmedia_format(session, parm->type);

	if (format == NULL) {
		return -EINVAL;
	}
	fill_parm(format, parm->type, parm);
	return 0;
}

int
core_s_parm(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_streamparm *parm = arg;
	struct vmedia_format *format = format_of(session, parm->type);
	struct v4l2_fract wish;

	if (format == NULL) {
		return -EINVAL;
	}
	if (queue_is_foreign(session, session_queue(session, parm->type)) ||
		session_queue(session, parm->type)->streaming) {
		return -EBUSY;
	}
	wish = V4L2_TYPE_IS_OUTPUT(parm->type) ? parm->parm.output.timeperframe
	                                       : parm->parm.capture.timeperframe;
	format->interval = format_interval(&session->device->node, wish);
	session_trace_format(session, parm->type);
	fill_parm(format, parm->type, parm);
	return 0;
}
