/* SPDX-License-Identifier: BSD-3-Clause */
/* What V4L2's structs say of buffers, types and tuners. */
#include <criterion/criterion.h>

#include "backend/v4l2/format.h"
#include "base/compiler.h"

#define BIT(name) (1u << V4L2_BUF_TYPE_##name)

Test(v4l2_format, each_type_says_how_long_its_buffers_are)
{
	static const struct {
		struct v4l2_format f;
		uint32_t length;
	} cases[] = {
		{{.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .fmt.pix = {.sizeimage = 11}}, 11},
		{{.type = V4L2_BUF_TYPE_VIDEO_OUTPUT, .fmt.pix = {.sizeimage = 12}}, 12},
		{{.type = V4L2_BUF_TYPE_VBI_CAPTURE,
			 .fmt.vbi = {.samples_per_line = 10, .count = {3, 4}}},
			70},
		{{.type = V4L2_BUF_TYPE_VBI_OUTPUT,
			 .fmt.vbi = {.samples_per_line = 10, .count = {1, 2}}},
			30},
		{{.type = V4L2_BUF_TYPE_SLICED_VBI_CAPTURE, .fmt.sliced = {.io_size = 13}}, 13},
		{{.type = V4L2_BUF_TYPE_SLICED_VBI_OUTPUT, .fmt.sliced = {.io_size = 14}}, 14},
		{{.type = V4L2_BUF_TYPE_SDR_CAPTURE, .fmt.sdr = {.buffersize = 15}}, 15},
		{{.type = V4L2_BUF_TYPE_SDR_OUTPUT, .fmt.sdr = {.buffersize = 16}}, 16},
		{{.type = V4L2_BUF_TYPE_META_CAPTURE, .fmt.meta = {.buffersize = 17}}, 17},
		{{.type = V4L2_BUF_TYPE_META_OUTPUT, .fmt.meta = {.buffersize = 18}}, 18},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t lengths[VIDEO_MAX_PLANES] = {0};

		cr_assert_eq(v4l2_format_planes(&cases[i].f, lengths), 1, "case %zu", i);
		cr_assert_eq(lengths[0], cases[i].length, "case %zu", i);
		cr_assert_eq(lengths[1], 0);
	}
}

Test(v4l2_format, planes_are_as_many_as_the_node_says_and_never_more_than_there_can_be)
{
	static const uint32_t types[] = {
		V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct v4l2_format f = {.type = types[i], .fmt.pix_mp.num_planes = 2};
		uint32_t lengths[VIDEO_MAX_PLANES] = {0};

		f.fmt.pix_mp.plane_fmt[0].sizeimage = 100;
		f.fmt.pix_mp.plane_fmt[1].sizeimage = 50;
		f.fmt.pix_mp.plane_fmt[2].sizeimage = 9;
		cr_assert_eq(v4l2_format_planes(&f, lengths), 2);
		cr_assert_eq(lengths[0], 100);
		cr_assert_eq(lengths[1], 50);
		cr_assert_eq(lengths[2], 0);
		f.fmt.pix_mp.num_planes = 255;
		cr_assert_eq(v4l2_format_planes(&f, lengths), VIDEO_MAX_PLANES);
	}
}

Test(v4l2_format, overlays_have_no_buffers)
{
	struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_OVERLAY, .fmt.pix.sizeimage = 100};
	uint32_t lengths[VIDEO_MAX_PLANES] = {0};

	cr_assert_eq(v4l2_format_planes(&f, lengths), 0);
	f.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY;
	cr_assert_eq(v4l2_format_planes(&f, lengths), 0);
}

Test(v4l2_format, capabilities_are_types)
{
	static const struct {
		uint32_t caps, types, capture, output;
	} cases[] = {
		{0, 0, 0, 0},
		{V4L2_CAP_VIDEO_CAPTURE, BIT(VIDEO_CAPTURE), V4L2_BUF_TYPE_VIDEO_CAPTURE, 0},
		{V4L2_CAP_VIDEO_OUTPUT, BIT(VIDEO_OUTPUT), 0, V4L2_BUF_TYPE_VIDEO_OUTPUT},
		{V4L2_CAP_VIDEO_CAPTURE_MPLANE, BIT(VIDEO_CAPTURE_MPLANE),
			V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 0},
		{V4L2_CAP_VIDEO_OUTPUT_MPLANE, BIT(VIDEO_OUTPUT_MPLANE), 0,
			V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE},
		{V4L2_CAP_VIDEO_M2M, BIT(VIDEO_CAPTURE) | BIT(VIDEO_OUTPUT),
			V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_OUTPUT},
		{V4L2_CAP_VIDEO_M2M_MPLANE, BIT(VIDEO_CAPTURE_MPLANE) | BIT(VIDEO_OUTPUT_MPLANE),
			V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE},
		{V4L2_CAP_VBI_CAPTURE | V4L2_CAP_SLICED_VBI_CAPTURE,
			BIT(VBI_CAPTURE) | BIT(SLICED_VBI_CAPTURE), V4L2_BUF_TYPE_VBI_CAPTURE, 0},
		{V4L2_CAP_VBI_OUTPUT | V4L2_CAP_SLICED_VBI_OUTPUT,
			BIT(VBI_OUTPUT) | BIT(SLICED_VBI_OUTPUT), 0, V4L2_BUF_TYPE_VBI_OUTPUT},
		{V4L2_CAP_SDR_CAPTURE, BIT(SDR_CAPTURE), V4L2_BUF_TYPE_SDR_CAPTURE, 0},
		{V4L2_CAP_SDR_OUTPUT, BIT(SDR_OUTPUT), 0, V4L2_BUF_TYPE_SDR_OUTPUT},
		{V4L2_CAP_META_CAPTURE, BIT(META_CAPTURE), V4L2_BUF_TYPE_META_CAPTURE, 0},
		{V4L2_CAP_META_OUTPUT, BIT(META_OUTPUT), 0, V4L2_BUF_TYPE_META_OUTPUT},
		{V4L2_CAP_VIDEO_OVERLAY | V4L2_CAP_VIDEO_OUTPUT_OVERLAY | V4L2_CAP_RADIO |
				V4L2_CAP_TUNER | V4L2_CAP_READWRITE | V4L2_CAP_STREAMING,
			0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cr_assert_eq(v4l2_caps_types(cases[i].caps), cases[i].types, "case %zu", i);
		cr_assert_eq(v4l2_caps_type(cases[i].caps, false), cases[i].capture, "case %zu", i);
		cr_assert_eq(v4l2_caps_type(cases[i].caps, true), cases[i].output, "case %zu", i);
	}
}

Test(v4l2_format, rds_is_there_when_controls_tell_it)
{
	struct v4l2_tuner read = {
		.capability = V4L2_TUNER_CAP_LOW | V4L2_TUNER_CAP_RDS | V4L2_TUNER_CAP_RDS_BLOCK_IO,
		.rxsubchans = V4L2_TUNER_SUB_STEREO | V4L2_TUNER_SUB_RDS};
	struct v4l2_tuner both = read;

	v4l2_tuner_clean(&read);
	cr_assert_eq(read.capability, V4L2_TUNER_CAP_LOW);
	cr_assert_eq(read.rxsubchans, V4L2_TUNER_SUB_STEREO);
	both.capability |= V4L2_TUNER_CAP_RDS_CONTROLS;
	v4l2_tuner_clean(&both);
	cr_assert_eq(both.capability,
		V4L2_TUNER_CAP_LOW | V4L2_TUNER_CAP_RDS | V4L2_TUNER_CAP_RDS_CONTROLS);
	cr_assert_eq(both.rxsubchans, V4L2_TUNER_SUB_STEREO | V4L2_TUNER_SUB_RDS);
}
