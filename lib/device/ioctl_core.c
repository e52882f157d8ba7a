/* SPDX-License-Identifier: BSD-3-Clause */
/* What the core answers when the backend does not. */
#include "device/internal.h"

#define ROW(name) [_IOC_NR(VIDIOC_##name)]

vmedia_ioctl_fn *const core_ioctls[VMEDIA_NB_IOCTLS] = {
	ROW(ENUM_FMT) = core_enum_fmt,
	ROW(G_FMT) = core_g_fmt,
	ROW(S_FMT) = core_s_fmt,
	ROW(TRY_FMT) = core_try_fmt,
	ROW(ENUM_FRAMESIZES) = core_enum_framesizes,
	ROW(ENUM_FRAMEINTERVALS) = core_enum_frameintervals,
	ROW(G_PARM) = core_g_parm,
	ROW(S_PARM) = core_s_parm,

	ROW(REQBUFS) = core_reqbufs,
	ROW(CREATE_BUFS) = core_create_bufs,
	ROW(QUERYBUF) = core_querybuf,
	ROW(QBUF) = core_qbuf,
	ROW(PREPARE_BUF) = core_prepare_buf,
	ROW(STREAMON) = core_streamon,
	ROW(STREAMOFF) = core_streamoff,

	ROW(QUERYCTRL) = core_queryctrl,
	ROW(QUERY_EXT_CTRL) = core_query_ext_ctrl,
	ROW(QUERYMENU) = core_querymenu,
	ROW(G_CTRL) = core_g_ctrl,
	ROW(S_CTRL) = core_s_ctrl,
	ROW(G_EXT_CTRLS) = core_g_ext_ctrls,
	ROW(S_EXT_CTRLS) = core_s_ext_ctrls,
	ROW(TRY_EXT_CTRLS) = core_try_ext_ctrls,

	ROW(SUBSCRIBE_EVENT) = core_subscribe_event,
	ROW(UNSUBSCRIBE_EVENT) = core_unsubscribe_event,

	ROW(ENUMINPUT) = core_enuminput,
	ROW(G_INPUT) = core_g_input,
	ROW(S_INPUT) = core_s_input,
	ROW(ENUMOUTPUT) = core_enumoutput,
	ROW(G_OUTPUT) = core_g_output,
	ROW(S_OUTPUT) = core_s_output,
};
