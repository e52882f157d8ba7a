/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/v4l2/format.h"

#include "base/compiler.h"
#include "base/util.h"
#include "protocol/ioctl.h"

static const struct {
	uint32_t cap, type;
} types[] = {
	{V4L2_CAP_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE},
	{V4L2_CAP_VIDEO_M2M, V4L2_BUF_TYPE_VIDEO_CAPTURE},
	{V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE},
	{V4L2_CAP_VIDEO_M2M_MPLANE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE},
	{V4L2_CAP_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_OUTPUT},
	{V4L2_CAP_VIDEO_M2M, V4L2_BUF_TYPE_VIDEO_OUTPUT},
	{V4L2_CAP_VIDEO_OUTPUT_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE},
	{V4L2_CAP_VIDEO_M2M_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE},
	{V4L2_CAP_VBI_CAPTURE, V4L2_BUF_TYPE_VBI_CAPTURE},
	{V4L2_CAP_VBI_OUTPUT, V4L2_BUF_TYPE_VBI_OUTPUT},
	{V4L2_CAP_SLICED_VBI_CAPTURE, V4L2_BUF_TYPE_SLICED_VBI_CAPTURE},
	{V4L2_CAP_SLICED_VBI_OUTPUT, V4L2_BUF_TYPE_SLICED_VBI_OUTPUT},
	{V4L2_CAP_SDR_CAPTURE, V4L2_BUF_TYPE_SDR_CAPTURE},
	{V4L2_CAP_SDR_OUTPUT, V4L2_BUF_TYPE_SDR_OUTPUT},
	{V4L2_CAP_META_CAPTURE, V4L2_BUF_TYPE_META_CAPTURE},
	{V4L2_CAP_META_OUTPUT, V4L2_BUF_TYPE_META_OUTPUT},
};

uint32_t
v4l2_format_planes(const struct v4l2_format *f, uint32_t lengths[VIDEO_MAX_PLANES])
{
	const struct v4l2_pix_format_mplane *mp = &f->fmt.pix_mp;
	uint32_t i, nb;

	switch (f->type) {
	case V4L2_BUF_TYPE_VIDEO_CAPTURE:
	case V4L2_BUF_TYPE_VIDEO_OUTPUT:
		lengths[0] = f->fmt.pix.sizeimage;
		return 1;
	case V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE:
	case V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE:
		nb = MIN(mp->num_planes, VIDEO_MAX_PLANES);
		for (i = 0; i < nb; i++) {
			lengths[i] = mp->plane_fmt[i].sizeimage;
		}
		return nb;
	case V4L2_BUF_TYPE_VBI_CAPTURE:
	case V4L2_BUF_TYPE_VBI_OUTPUT:
		lengths[0] =
			f->fmt.vbi.samples_per_line * (f->fmt.vbi.count[0] + f->fmt.vbi.count[1]);
		return 1;
	case V4L2_BUF_TYPE_SLICED_VBI_CAPTURE:
	case V4L2_BUF_TYPE_SLICED_VBI_OUTPUT:
		lengths[0] = f->fmt.sliced.io_size;
		return 1;
	case V4L2_BUF_TYPE_SDR_CAPTURE:
	case V4L2_BUF_TYPE_SDR_OUTPUT:
		lengths[0] = f->fmt.sdr.buffersize;
		return 1;
	case V4L2_BUF_TYPE_META_CAPTURE:
	case V4L2_BUF_TYPE_META_OUTPUT:
		lengths[0] = f->fmt.meta.buffersize;
		return 1;
	default:
		return 0;
	}
}

uint32_t
v4l2_caps_types(uint32_t device_caps)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		mask |= device_caps & types[i].cap ? 1u << types[i].type : 0;
	}
	return mask;
}

uint32_t
v4l2_caps_type(uint32_t device_caps, bool output)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (device_caps & types[i].cap && V4L2_TYPE_IS_OUTPUT(types[i].type) == output) {
			return types[i].type;
		}
	}
	return 0;
}

void
v4l2_tuner_clean(struct v4l2_tuner *tuner)
{
	tuner->capability &= ~(uint32_t)V4L2_TUNER_CAP_RDS_BLOCK_IO;
	if ((tuner->capability & V4L2_TUNER_CAP_RDS_CONTROLS) == 0) {
		tuner->capability &= ~(uint32_t)V4L2_TUNER_CAP_RDS;
		tuner->rxsubchans &= ~(uint32_t)V4L2_TUNER_SUB_RDS;
	}
}
