/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ioctls that are forwarded, as data. Every other one is ENOTTY: v4l2.md says which, and why.
 *
 * X(name, handler, rule, offset): RULE_rule is what is looked at, at that offset of the argument.
 */
#ifndef VMEDIA_BACKEND_V4L2_IOCTLS_H
#define VMEDIA_BACKEND_V4L2_IOCTLS_H

/* clang-format off */
#define V4L2_FORWARDED(X) \
	X(ENUM_FMT, forward, TYPE, offsetof(struct v4l2_fmtdesc, type)) \
	X(G_FMT, forward, TYPE, 0) \
	X(S_FMT, forward, TYPE, 0) \
	X(TRY_FMT, forward, TYPE, 0) \
	X(G_PARM, forward, NO_READ, 0) \
	X(S_PARM, forward, NO_READ, 0) \
	X(G_STD, forward, NONE, 0) \
	X(S_STD, forward, NONE, 0) \
	X(ENUMSTD, forward, NONE, 0) \
	X(QUERYSTD, forward, NONE, 0) \
	X(ENUMINPUT, forward, NONE, 0) \
	X(G_INPUT, forward, NONE, 0) \
	X(S_INPUT, forward, NONE, 0) \
	X(ENUMOUTPUT, forward, NONE, 0) \
	X(G_OUTPUT, forward, NONE, 0) \
	X(S_OUTPUT, forward, NONE, 0) \
	X(ENUMAUDIO, forward, NONE, 0) \
	X(G_AUDIO, forward, NONE, 0) \
	X(S_AUDIO, forward, NONE, 0) \
	X(ENUMAUDOUT, forward, NONE, 0) \
	X(G_AUDOUT, forward, NONE, 0) \
	X(S_AUDOUT, forward, NONE, 0) \
	X(G_TUNER, forward, NO_RDS, 0) \
	X(S_TUNER, forward, NONE, 0) \
	X(G_MODULATOR, forward, NONE, 0) \
	X(S_MODULATOR, forward, NONE, 0) \
	X(G_FREQUENCY, forward, NONE, 0) \
	X(S_FREQUENCY, forward, NONE, 0) \
	X(ENUM_FREQ_BANDS, forward, NONE, 0) \
	X(S_HW_FREQ_SEEK, seek, NONE, 0) \
	X(CROPCAP, forward, NONE, 0) \
	X(G_CROP, forward, NONE, 0) \
	X(S_CROP, forward, NONE, 0) \
	X(G_SELECTION, forward, NONE, 0) \
	X(S_SELECTION, forward, NONE, 0) \
	X(ENUM_FRAMESIZES, forward, NONE, 0) \
	X(ENUM_FRAMEINTERVALS, forward, NONE, 0) \
	X(G_ENC_INDEX, forward, NONE, 0) \
	X(ENCODER_CMD, forward, NONE, 0) \
	X(TRY_ENCODER_CMD, forward, NONE, 0) \
	X(DECODER_CMD, forward, NONE, 0) \
	X(TRY_DECODER_CMD, forward, NONE, 0) \
	X(S_DV_TIMINGS, forward, NONE, 0) \
	X(G_DV_TIMINGS, forward, NONE, 0) \
	X(ENUM_DV_TIMINGS, forward, NONE, 0) \
	X(QUERY_DV_TIMINGS, forward, NONE, 0) \
	X(DV_TIMINGS_CAP, forward, NONE, 0) \
	X(G_SLICED_VBI_CAP, forward, NONE, 0) \
	X(G_EXT_CTRLS, ext_ctrls, NONE, 0) \
	X(S_EXT_CTRLS, ext_ctrls, NONE, 0) \
	X(TRY_EXT_CTRLS, ext_ctrls, NONE, 0) \
	X(QUERYCTRL, forward, NONE, 0) \
	X(QUERY_EXT_CTRL, forward, NONE, 0) \
	X(QUERYMENU, forward, NONE, 0) \
	X(G_CTRL, forward, NONE, 0) \
	X(S_CTRL, forward, NONE, 0) \
	X(REQBUFS, reqbufs, NONE, 0) \
	X(CREATE_BUFS, create_bufs, NONE, 0) \
	X(STREAMON, streamon, NONE, 0) \
	X(STREAMOFF, streamoff, NONE, 0) \
	X(SUBSCRIBE_EVENT, subscribe, NONE, 0) \
	X(UNSUBSCRIBE_EVENT, unsubscribe, NONE, 0) \
	X(QUERYBUF, vmedia_ioctl_core, NONE, 0) \
	X(QBUF, qbuf, NONE, 0) \
	X(PREPARE_BUF, qbuf, NONE, 0)
/* clang-format on */

#endif
