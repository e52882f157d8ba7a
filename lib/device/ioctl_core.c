/* SPDX-License-Identifier: BSD-3-Clause */
/* What the core answers when the backend does not. */
#include "device/internal.h"

#define CAPTURE (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)
#define OUTPUT  (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE)

/* What a node must have; else the whole family does not exist (ENOTTY before all else, R-47). */
enum need {
	NEED_NOTHING,
	NEED_CTRLS,
	NEED_INTERVALS,
	NEED_INPUT,
	NEED_OUTPUT,
	NEED_SELECTION,
	NEED_REMOVAL
};

struct row {
	vmedia_ioctl_fn *fn;
	enum need need;
};

#define ROW(name) [_IOC_NR(VIDIOC_##name)]

static const struct row rows[VMEDIA_NB_IOCTLS] = {
	ROW(ENUM_FMT) = {core_enum_fmt, NEED_NOTHING},
	ROW(G_FMT) = {core_g_fmt, NEED_NOTHING},
	ROW(S_FMT) = {core_s_fmt, NEED_NOTHING},
	ROW(TRY_FMT) = {core_try_fmt, NEED_NOTHING},
	ROW(ENUM_FRAMESIZES) = {core_enum_framesizes, NEED_NOTHING},
	ROW(ENUM_FRAMEINTERVALS) = {core_enum_frameintervals, NEED_INTERVALS},
	ROW(G_PARM) = {core_g_parm, NEED_INTERVALS},
	ROW(S_PARM) = {core_s_parm, NEED_INTERVALS},

	ROW(REQBUFS) = {core_reqbufs, NEED_NOTHING},
	ROW(CREATE_BUFS) = {core_create_bufs, NEED_NOTHING},
	ROW(REMOVE_BUFS) = {core_remove_bufs, NEED_REMOVAL},
	ROW(QUERYBUF) = {core_querybuf, NEED_NOTHING},
	ROW(QBUF) = {core_qbuf, NEED_NOTHING},
	ROW(PREPARE_BUF) = {core_prepare_buf, NEED_NOTHING},
	ROW(STREAMON) = {core_streamon, NEED_NOTHING},
	ROW(STREAMOFF) = {core_streamoff, NEED_NOTHING},

	ROW(QUERYCTRL) = {core_queryctrl, NEED_CTRLS},
	ROW(QUERY_EXT_CTRL) = {core_query_ext_ctrl, NEED_CTRLS},
	ROW(QUERYMENU) = {core_querymenu, NEED_CTRLS},
	ROW(G_CTRL) = {core_g_ctrl, NEED_CTRLS},
	ROW(S_CTRL) = {core_s_ctrl, NEED_CTRLS},
	ROW(G_EXT_CTRLS) = {core_g_ext_ctrls, NEED_CTRLS},
	ROW(S_EXT_CTRLS) = {core_s_ext_ctrls, NEED_CTRLS},
	ROW(TRY_EXT_CTRLS) = {core_try_ext_ctrls, NEED_CTRLS},

	ROW(SUBSCRIBE_EVENT) = {core_subscribe_event, NEED_NOTHING},
	ROW(UNSUBSCRIBE_EVENT) = {core_unsubscribe_event, NEED_NOTHING},

	ROW(G_SELECTION) = {core_g_selection, NEED_SELECTION},
	ROW(S_SELECTION) = {core_s_selection, NEED_SELECTION},

	ROW(ENUMINPUT) = {core_enuminput, NEED_INPUT},
	ROW(G_INPUT) = {core_g_input, NEED_INPUT},
	ROW(S_INPUT) = {core_s_input, NEED_INPUT},
	ROW(ENUMOUTPUT) = {core_enumoutput, NEED_OUTPUT},
	ROW(G_OUTPUT) = {core_g_output, NEED_OUTPUT},
	ROW(S_OUTPUT) = {core_s_output, NEED_OUTPUT},
};

static bool
has(const struct vmedia_device *device, enum need need)
{
	const struct vmedia_node *node = &device->node;

	switch (need) {
	case NEED_CTRLS:
		return node->nb_ctrls > 0;
	case NEED_INTERVALS:
		return node->max_interval.denominator != 0;
	case NEED_INPUT:
		return (node->device_caps & CAPTURE) != 0;
	case NEED_SELECTION:
		return node->selection_step != 0;
	case NEED_OUTPUT:
		return (node->device_caps & OUTPUT) != 0;
	case NEED_REMOVAL:
		return device->remove_buffers;
	default:
		return true;
	}
}

vmedia_ioctl_fn *
core_handler(const struct vmedia_device *device, uint32_t nr)
{
	return has(device, rows[nr].need) ? rows[nr].fn : NULL;
}
