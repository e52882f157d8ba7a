/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: every ioctl is copied in here, once; the guest may change its memory at any moment (S-1). */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"
#include "protocol/ioctl.h"

/* Bytes of an argument that the reply must not repeat: reserved members, padding. */
struct span {
	uint8_t off;
	uint8_t bytes;
};

#define MEMBER(type, member)                                           \
	{                                                              \
		offsetof(type, member), sizeof(((type *)NULL)->member) \
	}
/* From a member to the end, tail padding included. */
#define TAIL(type, member)                                                    \
	{                                                                     \
		offsetof(type, member), sizeof(type) - offsetof(type, member) \
	}

/* Only WR ioctls: a W argument is not sent back and an R argument begins as zero. */
static const struct span reserved_spans[VMEDIA_NB_IOCTLS][2] = {
	[_IOC_NR(VIDIOC_ENUM_FMT)] = {TAIL(struct v4l2_fmtdesc, reserved)},
	[_IOC_NR(VIDIOC_REQBUFS)] = {TAIL(struct v4l2_requestbuffers, reserved)},
	[_IOC_NR(VIDIOC_EXPBUF)] = {TAIL(struct v4l2_exportbuffer, reserved)},
	[_IOC_NR(VIDIOC_G_PARM)] = {TAIL(struct v4l2_streamparm, parm.capture.reserved)},
	[_IOC_NR(VIDIOC_S_PARM)] = {TAIL(struct v4l2_streamparm, parm.capture.reserved)},
	[_IOC_NR(VIDIOC_ENUMSTD)] = {{4, 4}, TAIL(struct v4l2_standard, reserved)},
	[_IOC_NR(VIDIOC_ENUMINPUT)] = {TAIL(struct v4l2_input, reserved)},
	[_IOC_NR(VIDIOC_G_TUNER)] = {TAIL(struct v4l2_tuner, reserved)},
	[_IOC_NR(VIDIOC_QUERYCTRL)] = {TAIL(struct v4l2_queryctrl, reserved)},
	[_IOC_NR(VIDIOC_QUERYMENU)] = {TAIL(struct v4l2_querymenu, reserved)},
	[_IOC_NR(VIDIOC_G_EDID)] = {MEMBER(struct v4l2_edid, reserved)},
	[_IOC_NR(VIDIOC_S_EDID)] = {MEMBER(struct v4l2_edid, reserved)},
	[_IOC_NR(VIDIOC_ENUMOUTPUT)] = {TAIL(struct v4l2_output, reserved)},
	[_IOC_NR(VIDIOC_G_MODULATOR)] = {MEMBER(struct v4l2_modulator, reserved)},
	[_IOC_NR(VIDIOC_G_FREQUENCY)] = {TAIL(struct v4l2_frequency, reserved)},
	[_IOC_NR(VIDIOC_ENUMAUDIO)] = {TAIL(struct v4l2_audio, reserved)},
	[_IOC_NR(VIDIOC_ENUMAUDOUT)] = {TAIL(struct v4l2_audioout, reserved)},
	[_IOC_NR(VIDIOC_G_SLICED_VBI_CAP)] = {TAIL(struct v4l2_sliced_vbi_cap, reserved)},
	[_IOC_NR(VIDIOC_ENUM_FRAMESIZES)] = {TAIL(struct v4l2_frmsizeenum, reserved)},
	[_IOC_NR(VIDIOC_ENUM_FRAMEINTERVALS)] = {TAIL(struct v4l2_frmivalenum, reserved)},
	[_IOC_NR(VIDIOC_S_DV_TIMINGS)] = {TAIL(struct v4l2_dv_timings, bt.reserved)},
	[_IOC_NR(VIDIOC_G_DV_TIMINGS)] = {TAIL(struct v4l2_dv_timings, bt.reserved)},
	[_IOC_NR(VIDIOC_G_SELECTION)] = {TAIL(struct v4l2_selection, reserved)},
	[_IOC_NR(VIDIOC_S_SELECTION)] = {TAIL(struct v4l2_selection, reserved)},
	[_IOC_NR(VIDIOC_ENUM_DV_TIMINGS)] = {MEMBER(struct v4l2_enum_dv_timings, reserved),
		TAIL(struct v4l2_enum_dv_timings, timings.bt.reserved)},
	[_IOC_NR(VIDIOC_DV_TIMINGS_CAP)] = {MEMBER(struct v4l2_dv_timings_cap, reserved)},
	[_IOC_NR(VIDIOC_ENUM_FREQ_BANDS)] = {TAIL(struct v4l2_frequency_band, reserved)},
	[_IOC_NR(VIDIOC_DBG_G_CHIP_INFO)] = {TAIL(struct v4l2_dbg_chip_info, reserved)},
	[_IOC_NR(VIDIOC_QUERY_EXT_CTRL)] = {TAIL(struct v4l2_query_ext_ctrl, reserved)},
	[_IOC_NR(VIDIOC_CREATE_BUFS)] = {{12, 4}, {V4L2_CREATE_BUFFERS_MAX_OFFSET, 24}},
	[_IOC_NR(VIDIOC_REMOVE_BUFS)] = {TAIL(struct v4l2_remove_buffers, reserved)},
};

/* The part of v4l2_format that means nothing depends on the type. */
static void
clear_format(struct v4l2_format *f)
{
	unsigned int i;

	memset((char *)f + 4, 0, 4);
	if (v4l2_type_is_multiplanar(f->type)) {
		for (i = 0; i < VIDEO_MAX_PLANES; i++) {
			memset(f->fmt.pix_mp.plane_fmt[i].reserved, 0,
				sizeof(f->fmt.pix_mp.plane_fmt[i].reserved));
		}
		memset(f->fmt.pix_mp.reserved, 0,
			sizeof(f->fmt) - offsetof(struct v4l2_pix_format_mplane, reserved));
	} else if (f->type == V4L2_BUF_TYPE_VIDEO_CAPTURE ||
		   f->type == V4L2_BUF_TYPE_VIDEO_OUTPUT) {
		memset(f->fmt.raw_data + sizeof(f->fmt.pix), 0,
			sizeof(f->fmt) - sizeof(f->fmt.pix));
	}
}

static void
clear_reserved(uint8_t nr, struct ioctl_payload *p)
{
	const struct span *span = reserved_spans[nr];

	if (span[0].bytes != 0) {
		memset(p->arg.bytes + span[0].off, 0, span[0].bytes);
	}
	if (span[1].bytes != 0) {
		memset(p->arg.bytes + span[1].off, 0, span[1].bytes);
	}
	switch (nr) {
	case _IOC_NR(VIDIOC_G_FMT):
	case _IOC_NR(VIDIOC_S_FMT):
	case _IOC_NR(VIDIOC_TRY_FMT):
		clear_format(&p->arg.format);
		break;
	case _IOC_NR(VIDIOC_CREATE_BUFS):
		clear_format(&p->arg.create_buffers.format);
		break;
	default:
		break;
	}
}

/* What is there of the argument, zero for the rest: a failed EXT_CTRLS repeats it. */
static int
read_short(struct iov_cursor *in, uint8_t *bytes, size_t n)
{
	size_t present = MIN(in->left, n);

	iov_read(in, bytes, present);
	memset(bytes + present, 0, n - present);
	return -EINVAL;
}

static int
read_arg(const struct ioctl_desc *desc, struct iov_cursor *in, struct ioctl_payload *p)
{
	if (!(desc->dir & IOCTL_DIR_W)) {
		memset(p->arg.bytes, 0, desc->payload_bytes);
		return 0;
	}
	if (unlikely(!iov_read(in, p->arg.bytes, desc->payload_bytes))) {
		return read_short(in, p->arg.bytes, desc->payload_bytes);
	}
	return 0;
}

static int
read_planes(struct iov_cursor *in, struct ioctl_payload *p)
{
	struct v4l2_buffer *b = &p->arg.buffer;
	uint32_t i, max_planes = VIDEO_MAX_PLANES;

#ifdef VMEDIA_PLANT_PAYLOAD
	max_planes *= 2; /* planted: the fuzzer has to find this overrun of planes[] */
#endif
	p->user_pointer = b->m.userptr;
	if (!v4l2_type_is_multiplanar(b->type)) {
		return 0;
	}
	b->m.planes = NULL;
	if (unlikely(b->length > max_planes)) {
		return -EINVAL;
	}
	if (unlikely(!iov_read(in, p->planes, b->length * sizeof(p->planes[0])))) {
		return -EINVAL;
	}
	p->nb_planes = b->length;
	for (i = 0; i < p->nb_planes; i++) {
		memset(p->planes[i].reserved, 0, sizeof(p->planes[i].reserved));
	}
	return 0;
}

static int
read_ctrls(struct iov_cursor *in, struct ioctl_payload *p)
{
	struct v4l2_ext_controls *e = &p->arg.ext_controls;
	size_t bytes;
	uint32_t i;

	memset((char *)e + 16, 0, 8);
	p->user_pointer = (uintptr_t)e->controls;
	e->controls = NULL;
	if (unlikely(e->count > IOCTL_MAX_CTRLS)) {
		return -EINVAL;
	}
	bytes = e->count * sizeof(p->ctrls[0]);
	if (p->ctrls == NULL) {
		return iov_skip(in, bytes) ? 0 : -EINVAL;
	}
	if (unlikely(!iov_read(in, p->ctrls, bytes))) {
		return -EINVAL;
	}
	p->nb_ctrls = e->count;
	for (i = 0; i < p->nb_ctrls; i++) {
		memset(p->ctrls[i].reserved2, 0, sizeof(p->ctrls[i].reserved2));
	}
	return 0;
}

int
ioctl_decode(const struct ioctl_desc *desc, struct iov_cursor *in, size_t capacity,
	struct ioctl_payload *p)
{
	size_t need = desc->payload_bytes;
	int err, tail = 0;

	p->nb_planes = 0;
	p->nb_ctrls = 0;
	p->nb_sg = 0;
	p->user_pointer = 0;
	if (unlikely(desc->flags & IOCTL_FLAG_REFUSED)) {
		p->sg = *in;
		return -ENOTTY;
	}
	err = read_arg(desc, in, p);
	switch (desc->shape) {
	case IOCTL_SHAPE_BUFFER:
		tail = read_planes(in, p);
		break;
	case IOCTL_SHAPE_EXT_CTRLS:
		tail = read_ctrls(in, p);
		break;
	case IOCTL_SHAPE_OBJECT:
		need += sizeof(p->uuid);
		tail = iov_read(in, p->uuid, sizeof(p->uuid)) ? 0 : -EINVAL;
		/* fallthrough */
	default:
		clear_reserved(desc->nr, p);
		break;
	}
	if (desc->shape != IOCTL_SHAPE_PLAIN) {
		p->sg = *in;
	}
	if (unlikely((desc->dir & IOCTL_DIR_R) && capacity < need)) {
		return -EINVAL;
	}
	return unlikely(err < 0) ? err : tail;
}

int
ioctl_sg_one(struct ioctl_payload *p, uint64_t left, struct virtio_media_sg_entry *sg)
{
	uint64_t end;

	if (unlikely(p->nb_sg == IOCTL_MAX_SG)) {
		return -E2BIG;
	}
	if (unlikely(!iov_read(&p->sg, sg, sizeof(*sg)))) {
		return -EINVAL;
	}
	if (unlikely(sg->len == 0 || !add_ok(sg->start, sg->len, &end))) {
		return -EINVAL;
	}
	sg->len = MIN(sg->len, left);
	sg->reserved = 0;
	p->nb_sg++;
	return 0;
}

int
ioctl_sg_next(
	struct ioctl_payload *p, uint64_t length, struct virtio_media_sg_entry *sg, uint32_t max_sg)
{
	uint64_t sum = 0;
	uint32_t n = 0;
	int ret;

	while (sum < length) {
		if (unlikely(n == max_sg)) {
			return -E2BIG;
		}
		ret = ioctl_sg_one(p, length - sum, &sg[n]);
		if (unlikely(ret != 0)) {
			return ret;
		}
		sum += sg[n++].len;
	}
	return (int)n;
}
