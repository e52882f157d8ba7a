/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the V4L2 core of the guest does around a driver: old ioctls become newer ones, what is no
 * input is cleared, names are filled in (protocol 3.2).
 */
#include <linux/videodev2.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/ioctl_table.h"
#include "v4l2-shim/shim.h"

#define ARG_ROOM 4096 /* the largest argument has 2072 bytes */

#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/* Bytes of the argument that are input; the rest is zeroed. */
static const struct {
	unsigned long request;
	size_t input;
} cleared[] = {
	{VIDIOC_QUERYCAP, 0},
	{VIDIOC_ENUM_FMT, END_OF(struct v4l2_fmtdesc, type)},
	{VIDIOC_QUERYBUF, END_OF(struct v4l2_buffer, length)},
	{VIDIOC_G_PARM, END_OF(struct v4l2_streamparm, type)},
	{VIDIOC_ENUMINPUT, END_OF(struct v4l2_input, index)},
	{VIDIOC_ENUMOUTPUT, END_OF(struct v4l2_output, index)},
	{VIDIOC_ENUMSTD, END_OF(struct v4l2_standard, index)},
	{VIDIOC_QUERYCTRL, END_OF(struct v4l2_queryctrl, id)},
	{VIDIOC_QUERYMENU, END_OF(struct v4l2_querymenu, index)},
	{VIDIOC_QUERY_EXT_CTRL, END_OF(struct v4l2_query_ext_ctrl, id)},
	{VIDIOC_ENUM_FRAMESIZES, END_OF(struct v4l2_frmsizeenum, pixel_format)},
	{VIDIOC_ENUM_FRAMEINTERVALS, END_OF(struct v4l2_frmivalenum, height)},
	{VIDIOC_G_SELECTION, END_OF(struct v4l2_selection, r)},
	{VIDIOC_S_SELECTION, END_OF(struct v4l2_selection, r)},
	{VIDIOC_CROPCAP, END_OF(struct v4l2_cropcap, type)},
	{VIDIOC_G_CROP, END_OF(struct v4l2_crop, type)},
	{VIDIOC_G_FMT, END_OF(struct v4l2_format, type)},
	{VIDIOC_DQEVENT, 0},
	{VIDIOC_G_INPUT, 0},
	{VIDIOC_G_OUTPUT, 0},
};

static void
clear_output(unsigned long request, void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(cleared); i++) {
		if (cleared[i].request == request) {
			memset((uint8_t *)arg + cleared[i].input, 0,
				_IOC_SIZE(request) - cleared[i].input);
			return;
		}
	}
}

static int
query_control(int fd, const struct handle *handle, struct v4l2_queryctrl *q)
{
	struct v4l2_query_ext_ctrl ext = {.id = q->id};
	int ret = video_call(fd, handle, VIDIOC_QUERY_EXT_CTRL, &ext);

	if (ret != 0) {
		return ret;
	}
	memset(q, 0, sizeof(*q));
	q->id = ext.id;
	q->type = ext.type;
	q->flags = ext.flags;
	memcpy(q->name, ext.name, sizeof(q->name));
	switch (ext.type) {
	case V4L2_CTRL_TYPE_INTEGER:
	case V4L2_CTRL_TYPE_BOOLEAN:
	case V4L2_CTRL_TYPE_MENU:
	case V4L2_CTRL_TYPE_INTEGER_MENU:
	case V4L2_CTRL_TYPE_STRING:
	case V4L2_CTRL_TYPE_BITMASK:
		q->minimum = (int32_t)ext.minimum;
		q->maximum = (int32_t)ext.maximum;
		q->step = (int32_t)ext.step;
		q->default_value = (int32_t)ext.default_value;
		return 0;
	default:
		return 0;
	}
}

/* G_CTRL and S_CTRL are for what fits into 32 bits. */
static int
one_control(int fd, const struct handle *handle, unsigned long request, struct v4l2_control *c)
{
	struct v4l2_query_ext_ctrl query = {.id = c->id};
	struct v4l2_ext_control ctrl = {.id = c->id, .value = c->value};
	struct v4l2_ext_controls ctrls = {.count = 1, .controls = &ctrl};
	int ret = video_call(fd, handle, VIDIOC_QUERY_EXT_CTRL, &query);

	if (ret != 0) {
		return ret;
	}
	if (query.type == V4L2_CTRL_TYPE_INTEGER64 || query.type == V4L2_CTRL_TYPE_STRING ||
		query.type == V4L2_CTRL_TYPE_CTRL_CLASS ||
		(query.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD)) {
		return -EINVAL;
	}
	ret = video_call(fd, handle,
		request == VIDIOC_G_CTRL ? VIDIOC_G_EXT_CTRLS : VIDIOC_S_EXT_CTRLS, &ctrls);
	if (ret == 0) {
		c->value = ctrl.value;
	}
	return ret;
}

/* Cropping of old: of a capture device what it takes from its source, of an output device where it
 * puts the picture. */
static uint32_t
crop_target(uint32_t type, uint32_t capture, uint32_t output)
{
	return type == V4L2_BUF_TYPE_VIDEO_OUTPUT || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE
	               ? output
	               : capture;
}

static uint32_t
single_planar(uint32_t type)
{
	switch (type) {
	case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
		return V4L2_BUF_TYPE_VIDEO_CAPTURE;
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
		return V4L2_BUF_TYPE_VIDEO_OUTPUT;
	default:
		return type;
	}
}

static int
selection(int fd, const struct handle *handle, unsigned long request, struct v4l2_selection *s)
{
	uint32_t type = s->type;
	int ret;

	s->type = single_planar(type);
	ret = video_call(fd, handle, request, s);
	s->type = type;
	return ret;
}

static int
crop(int fd, const struct handle *handle, unsigned long request, struct v4l2_crop *c)
{
	struct v4l2_selection s = {.type = c->type,
		.target = crop_target(c->type, V4L2_SEL_TGT_CROP, V4L2_SEL_TGT_COMPOSE),
		.r = c->c};
	int ret = selection(
		fd, handle, request == VIDIOC_G_CROP ? VIDIOC_G_SELECTION : VIDIOC_S_SELECTION, &s);

	if (ret == 0 && request == VIDIOC_G_CROP) {
		c->c = s.r;
	}
	return ret;
}

static int
crop_capabilities(int fd, const struct handle *handle, struct v4l2_cropcap *c)
{
	struct v4l2_selection s = {.type = c->type,
		.target = crop_target(
			c->type, V4L2_SEL_TGT_CROP_BOUNDS, V4L2_SEL_TGT_COMPOSE_BOUNDS)};
	int ret = selection(fd, handle, VIDIOC_G_SELECTION, &s);

	c->pixelaspect = (struct v4l2_fract){1, 1};
	if (ret != 0) {
		return ret;
	}
	c->bounds = s.r;
	s.target = crop_target(c->type, V4L2_SEL_TGT_CROP_DEFAULT, V4L2_SEL_TGT_COMPOSE_DEFAULT);
	ret = selection(fd, handle, VIDIOC_G_SELECTION, &s);
	c->defrect = s.r;
	return ret;
}

static int
query_capabilities(int fd, const struct handle *handle, struct v4l2_capability *cap)
{
	int ret = video_call(fd, handle, VIDIOC_QUERYCAP, cap);

	snprintf(
		(char *)cap->bus_info, sizeof(cap->bus_info), "platform:vmedia.%u", handle->device);
	return ret;
}

/* arg: a copy of the program's. */
static int
translate(int fd, const struct handle *handle, unsigned long request, void *arg)
{
	switch (request) {
	case VIDIOC_QUERYCAP:
		return query_capabilities(fd, handle, arg);
	case VIDIOC_QUERYCTRL:
		return query_control(fd, handle, arg);
	case VIDIOC_G_CTRL:
	case VIDIOC_S_CTRL:
		return one_control(fd, handle, request, arg);
	case VIDIOC_G_SELECTION:
	case VIDIOC_S_SELECTION:
		return selection(fd, handle, request, arg);
	case VIDIOC_G_CROP:
	case VIDIOC_S_CROP:
		return crop(fd, handle, request, arg);
	case VIDIOC_CROPCAP:
		return crop_capabilities(fd, handle, arg);
	default:
		return video_call(fd, handle, request, arg);
	}
}

/* G/S/TRY_EXT_CTRLS say which control failed. */
static bool
is_always_told(unsigned long request)
{
	return request == VIDIOC_G_EXT_CTRLS || request == VIDIOC_S_EXT_CTRLS ||
	       request == VIDIOC_TRY_EXT_CTRLS;
}

int
emulate_ioctl(int fd, const struct handle *handle, unsigned long request, void *arg)
{
	const struct ioctl_desc *desc = ioctl_lookup(_IOC_NR(request));
	_Alignas(8) uint8_t copy[ARG_ROOM] = {0};
	int ret = 0;

	if (desc == NULL || desc->payload_bytes != _IOC_SIZE(request) ||
		desc->payload_bytes > sizeof(copy)) {
		return -ENOTTY;
	}
	if ((_IOC_DIR(request) & _IOC_WRITE) != 0) {
		ret = user_read(copy, arg, desc->payload_bytes);
	}
	if (ret != 0) {
		return ret;
	}
	clear_output(request, copy);
	ret = translate(fd, handle, request, copy);
	if ((_IOC_DIR(request) & _IOC_READ) != 0 && (ret == 0 || is_always_told(request)) &&
		user_write(arg, copy, desc->payload_bytes) != 0) {
		return -EFAULT;
	}
	return ret;
}
