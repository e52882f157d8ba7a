/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every V4L2 ioctl as data (protocol.md 1.6). Device and driver share this table and nothing else
 * of the protocol room: link vmedia_protocol_table, which holds the 2.5 KiB and no code.
 *
 * X(name, number, direction, type of the argument, shape, class); see struct ioctl_desc.
 */
#ifndef VMEDIA_PROTOCOL_IOCTL_TABLE_H
#define VMEDIA_PROTOCOL_IOCTL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/v4l2.h"

/* clang-format off */
#define VMEDIA_IOCTL_TABLE(X) \
	X(QUERYCAP, 0, R, struct v4l2_capability, PLAIN, REFUSED) \
	X(ENUM_FMT, 2, WR, struct v4l2_fmtdesc, PLAIN, FAST) \
	X(G_FMT, 4, WR, struct v4l2_format, PLAIN, FAST) \
	X(S_FMT, 5, WR, struct v4l2_format, PLAIN, MAY_BLOCK) \
	X(REQBUFS, 8, WR, struct v4l2_requestbuffers, PLAIN, MAY_BLOCK) \
	X(QUERYBUF, 9, WR, struct v4l2_buffer, BUFFER, FAST) \
	X(G_FBUF, 10, R, struct v4l2_framebuffer, PLAIN, FAST) \
	X(S_FBUF, 11, W, struct v4l2_framebuffer, PLAIN, MAY_BLOCK) \
	X(OVERLAY, 14, W, __s32, PLAIN, MAY_BLOCK) \
	X(QBUF, 15, WR, struct v4l2_buffer, BUFFER, FAST) \
	X(EXPBUF, 16, WR, struct v4l2_exportbuffer, OBJECT, MAY_BLOCK) \
	X(DQBUF, 17, WR, struct v4l2_buffer, BUFFER, REFUSED) \
	X(STREAMON, 18, W, __s32, PLAIN, MAY_BLOCK) \
	X(STREAMOFF, 19, W, __s32, PLAIN, MAY_BLOCK) \
	X(G_PARM, 21, WR, struct v4l2_streamparm, PLAIN, FAST) \
	X(S_PARM, 22, WR, struct v4l2_streamparm, PLAIN, MAY_BLOCK) \
	X(G_STD, 23, R, v4l2_std_id, PLAIN, FAST) \
	X(S_STD, 24, W, v4l2_std_id, PLAIN, MAY_BLOCK) \
	X(ENUMSTD, 25, WR, struct v4l2_standard, PLAIN, FAST) \
	X(ENUMINPUT, 26, WR, struct v4l2_input, PLAIN, FAST) \
	X(G_CTRL, 27, WR, struct v4l2_control, PLAIN, FAST) \
	X(S_CTRL, 28, WR, struct v4l2_control, PLAIN, MAY_BLOCK) \
	X(G_TUNER, 29, WR, struct v4l2_tuner, PLAIN, MAY_BLOCK) \
	X(S_TUNER, 30, W, struct v4l2_tuner, PLAIN, MAY_BLOCK) \
	X(G_AUDIO, 33, R, struct v4l2_audio, PLAIN, FAST) \
	X(S_AUDIO, 34, W, struct v4l2_audio, PLAIN, MAY_BLOCK) \
	X(QUERYCTRL, 36, WR, struct v4l2_queryctrl, PLAIN, FAST) \
	X(QUERYMENU, 37, WR, struct v4l2_querymenu, PLAIN, FAST) \
	X(G_INPUT, 38, R, __s32, PLAIN, FAST) \
	X(S_INPUT, 39, WR, __s32, PLAIN, MAY_BLOCK) \
	X(G_EDID, 40, WR, struct v4l2_edid, PLAIN, MAY_BLOCK) \
	X(S_EDID, 41, WR, struct v4l2_edid, PLAIN, MAY_BLOCK) \
	X(G_OUTPUT, 46, R, __s32, PLAIN, FAST) \
	X(S_OUTPUT, 47, WR, __s32, PLAIN, MAY_BLOCK) \
	X(ENUMOUTPUT, 48, WR, struct v4l2_output, PLAIN, FAST) \
	X(G_AUDOUT, 49, R, struct v4l2_audioout, PLAIN, FAST) \
	X(S_AUDOUT, 50, W, struct v4l2_audioout, PLAIN, MAY_BLOCK) \
	X(G_MODULATOR, 54, WR, struct v4l2_modulator, PLAIN, FAST) \
	X(S_MODULATOR, 55, W, struct v4l2_modulator, PLAIN, MAY_BLOCK) \
	X(G_FREQUENCY, 56, WR, struct v4l2_frequency, PLAIN, FAST) \
	X(S_FREQUENCY, 57, W, struct v4l2_frequency, PLAIN, MAY_BLOCK) \
	X(CROPCAP, 58, WR, struct v4l2_cropcap, PLAIN, FAST) \
	X(G_CROP, 59, WR, struct v4l2_crop, PLAIN, FAST) \
	X(S_CROP, 60, W, struct v4l2_crop, PLAIN, MAY_BLOCK) \
	X(G_JPEGCOMP, 61, R, struct v4l2_jpegcompression, PLAIN, REFUSED) \
	X(S_JPEGCOMP, 62, W, struct v4l2_jpegcompression, PLAIN, REFUSED) \
	X(QUERYSTD, 63, R, v4l2_std_id, PLAIN, MAY_BLOCK) \
	X(TRY_FMT, 64, WR, struct v4l2_format, PLAIN, FAST) \
	X(ENUMAUDIO, 65, WR, struct v4l2_audio, PLAIN, FAST) \
	X(ENUMAUDOUT, 66, WR, struct v4l2_audioout, PLAIN, FAST) \
	X(G_PRIORITY, 67, R, __u32, PLAIN, FAST) \
	X(S_PRIORITY, 68, W, __u32, PLAIN, FAST) \
	X(G_SLICED_VBI_CAP, 69, WR, struct v4l2_sliced_vbi_cap, PLAIN, FAST) \
	X(LOG_STATUS, 70, NONE, char[0], PLAIN, REFUSED) \
	X(G_EXT_CTRLS, 71, WR, struct v4l2_ext_controls, EXT_CTRLS, FAST) \
	X(S_EXT_CTRLS, 72, WR, struct v4l2_ext_controls, EXT_CTRLS, MAY_BLOCK) \
	X(TRY_EXT_CTRLS, 73, WR, struct v4l2_ext_controls, EXT_CTRLS, FAST) \
	X(ENUM_FRAMESIZES, 74, WR, struct v4l2_frmsizeenum, PLAIN, FAST) \
	X(ENUM_FRAMEINTERVALS, 75, WR, struct v4l2_frmivalenum, PLAIN, FAST) \
	X(G_ENC_INDEX, 76, R, struct v4l2_enc_idx, PLAIN, MAY_BLOCK) \
	X(ENCODER_CMD, 77, WR, struct v4l2_encoder_cmd, PLAIN, MAY_BLOCK) \
	X(TRY_ENCODER_CMD, 78, WR, struct v4l2_encoder_cmd, PLAIN, FAST) \
	X(DBG_S_REGISTER, 79, W, struct v4l2_dbg_register, PLAIN, MAY_BLOCK) \
	X(DBG_G_REGISTER, 80, WR, struct v4l2_dbg_register, PLAIN, MAY_BLOCK) \
	X(S_HW_FREQ_SEEK, 82, W, struct v4l2_hw_freq_seek, PLAIN, MAY_BLOCK) \
	X(S_DV_TIMINGS, 87, WR, struct v4l2_dv_timings, PLAIN, MAY_BLOCK) \
	X(G_DV_TIMINGS, 88, WR, struct v4l2_dv_timings, PLAIN, FAST) \
	X(DQEVENT, 89, R, struct v4l2_event, PLAIN, REFUSED) \
	X(SUBSCRIBE_EVENT, 90, W, struct v4l2_event_subscription, PLAIN, FAST) \
	X(UNSUBSCRIBE_EVENT, 91, W, struct v4l2_event_subscription, PLAIN, FAST) \
	X(CREATE_BUFS, 92, WR, struct v4l2_create_buffers, PLAIN, MAY_BLOCK) \
	X(PREPARE_BUF, 93, WR, struct v4l2_buffer, BUFFER, MAY_BLOCK) \
	X(G_SELECTION, 94, WR, struct v4l2_selection, PLAIN, FAST) \
	X(S_SELECTION, 95, WR, struct v4l2_selection, PLAIN, MAY_BLOCK) \
	X(DECODER_CMD, 96, WR, struct v4l2_decoder_cmd, PLAIN, MAY_BLOCK) \
	X(TRY_DECODER_CMD, 97, WR, struct v4l2_decoder_cmd, PLAIN, FAST) \
	X(ENUM_DV_TIMINGS, 98, WR, struct v4l2_enum_dv_timings, PLAIN, FAST) \
	X(QUERY_DV_TIMINGS, 99, R, struct v4l2_dv_timings, PLAIN, MAY_BLOCK) \
	X(DV_TIMINGS_CAP, 100, WR, struct v4l2_dv_timings_cap, PLAIN, FAST) \
	X(ENUM_FREQ_BANDS, 101, WR, struct v4l2_frequency_band, PLAIN, FAST) \
	X(DBG_G_CHIP_INFO, 102, WR, struct v4l2_dbg_chip_info, PLAIN, FAST) \
	X(QUERY_EXT_CTRL, 103, WR, struct v4l2_query_ext_ctrl, PLAIN, FAST) \
	X(REMOVE_BUFS, 104, WR, struct v4l2_remove_buffers, PLAIN, MAY_BLOCK)
/* clang-format on */

/* Ioctl numbers are below this; not every one below it is an ioctl. */
#define VMEDIA_NB_IOCTLS 105

/* Who writes the argument, as in the _IOR, _IOW and _IOWR macros. */
enum ioctl_dir {
	IOCTL_DIR_NONE = 0,
	IOCTL_DIR_R = 1,  /* the device: it stands in the W-part of the chain */
	IOCTL_DIR_W = 2,  /* the driver: it stands in the R-part */
	IOCTL_DIR_WR = 3, /* both: it stands in both */
};

/* What stands behind the argument (5.22.6.1.5). */
enum ioctl_shape {
	IOCTL_SHAPE_PLAIN,
	IOCTL_SHAPE_BUFFER, /* multi-planar: `length` planes, both ways; then SG lists, in only */
	IOCTL_SHAPE_EXT_CTRLS, /* `count` controls, both ways; then SG lists, in only */
	IOCTL_SHAPE_OBJECT,    /* the 16-byte UUID of a virtio object, both ways */
};

/* Bits of ioctl_desc.flags: exactly one is the class given in the table. */
#define IOCTL_FLAG_FAST      0x1 /* answers from memory: never waits for hardware or the kernel */
#define IOCTL_FLAG_MAY_BLOCK 0x2 /* may allocate, or wait for a real device: offload it */
#define IOCTL_FLAG_REFUSED   0x4 /* never carried out: always ENOTTY */

/* One row. Constant, valid forever, readable from all threads. */
struct ioctl_desc {
	const char *name;       /* "QBUF": without VIDIOC_; NULL where there is no such ioctl */
	uint16_t payload_bytes; /* of the argument alone, 0..2072 */
	uint8_t nr;             /* its number, also its index: cmd_ioctl.code */
	uint8_t dir;            /* enum ioctl_dir */
	uint8_t shape;          /* enum ioctl_shape */
	uint8_t flags;          /* IOCTL_FLAG_* */
};

/* Indexed by number. Rows without a name are holes. */
extern const struct ioctl_desc ioctl_table[VMEDIA_NB_IOCTLS];

/*
 * The row of a number that came from outside; any value is fine. NULL: there is no such ioctl,
 * the answer is ENOTTY. A refused ioctl has a row.
 */
static inline const struct ioctl_desc *
ioctl_lookup(uint32_t code)
{
	const struct ioctl_desc *desc;

	if (code >= VMEDIA_NB_IOCTLS) {
		return NULL;
	}
	desc = &ioctl_table[code];
	return desc->name != NULL ? desc : NULL;
}

#endif
