/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "media/format.h"

static const struct vmedia_format_desc descs[] = {
	{V4L2_PIX_FMT_NV12, 16, 4096, 16, 16, 2160, 2},
	{V4L2_PIX_FMT_NV12M, 16, 4096, 2, 16, 2160, 2},
	{V4L2_PIX_FMT_MJPEG, 640, 640, 0, 480, 480, 0},
	{V4L2_PIX_FMT_GREY, 1, 100, 1, 1, 100, 1},
};

static const struct vmedia_node node = {
	.formats = descs,
	.nb_formats = ARRAY_SIZE(descs),
	.default_fourcc = V4L2_PIX_FMT_NV12,
	.default_width = 1280,
	.default_height = 720,
	.min_interval = {1, 120},
	.max_interval = {1, 1},
	.default_interval = {1, 30},
};

/* Worked out by hand from the definition of each format. */
Test(format, sizes_are_those_computed_by_hand)
{
	static const struct {
		uint32_t fourcc, width, height, nb_planes, line0, size0, line1, size1;
	} rows[] = {
		{V4L2_PIX_FMT_NV12, 1920, 1080, 1, 1920, 3110400, 0, 0},
		{V4L2_PIX_FMT_NV12, 640, 480, 1, 640, 460800, 0, 0},
		{V4L2_PIX_FMT_NV12, 3, 3, 1, 4, 3 * 4 + 2 * 4, 0, 0},
		{V4L2_PIX_FMT_NV12M, 1280, 720, 2, 1280, 921600, 1280, 460800},
		{V4L2_PIX_FMT_YUV420, 640, 480, 1, 640, 460800, 0, 0},
		{V4L2_PIX_FMT_YUV420, 5, 5, 1, 6, 5 * 6 + 2 * (3 * 3), 0, 0},
		{V4L2_PIX_FMT_YUYV, 640, 480, 1, 1280, 614400, 0, 0},
		{V4L2_PIX_FMT_YUYV, 7, 2, 1, 16, 32, 0, 0},
		{V4L2_PIX_FMT_UYVY, 1280, 720, 1, 2560, 1843200, 0, 0},
		{V4L2_PIX_FMT_RGB24, 100, 10, 1, 300, 3000, 0, 0},
		{V4L2_PIX_FMT_XBGR32, 3840, 2160, 1, 15360, 33177600, 0, 0},
		{V4L2_PIX_FMT_BGR32, 16, 16, 1, 64, 1024, 0, 0},
		{V4L2_PIX_FMT_GREY, 33, 7, 1, 33, 231, 0, 0},
		{V4L2_PIX_FMT_MJPEG, 640, 480, 1, 0, 614400, 0, 0},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmedia_format f = {
			.fourcc = rows[i].fourcc, .width = rows[i].width, .height = rows[i].height};

		cr_assert_eq(format_layout(&f), 0, "row %zu", i);
		cr_assert_eq(f.nb_planes, rows[i].nb_planes, "row %zu", i);
		cr_assert_eq(f.bytesperline[0], rows[i].line0, "row %zu", i);
		cr_assert_eq(f.sizeimage[0], rows[i].size0, "row %zu: %u", i, f.sizeimage[0]);
		cr_assert_eq(f.bytesperline[1], rows[i].line1, "row %zu", i);
		cr_assert_eq(f.sizeimage[1], rows[i].size1, "row %zu", i);
	}
}

Test(format, components_of_one_memory_plane_fill_it_exactly)
{
	struct vmedia_format f = {.fourcc = V4L2_PIX_FMT_YUV420, .width = 5, .height = 5};
	uint64_t sum = 0;
	uint32_t c;

	cr_assert_eq(format_layout(&f), 0);
	for (c = 0; c < 3; c++) {
		sum += (uint64_t)format_component_line(&f, c) * format_component_lines(&f, c);
	}
	cr_assert_eq(sum, f.sizeimage[0]);
	cr_assert_eq(format_component_line(&f, 1), 3);
	cr_assert_eq(format_component_lines(&f, 1), 3);
}

/* proves: S-18 */
Test(format, sizes_beyond_four_gigabytes_are_refused_not_wrapped)
{
	struct vmedia_format f = {
		.fourcc = V4L2_PIX_FMT_XBGR32, .width = UINT32_MAX, .height = UINT32_MAX};

	cr_assert_eq(format_layout(&f), -EOVERFLOW);
	f.width = 0x10000;
	f.height = 0x4000; /* times 4: exactly 2^32 */
	cr_assert_eq(format_layout(&f), -EOVERFLOW);
	f.height = 0x3fff;
	cr_assert_eq(format_layout(&f), 0);
	f.width = 0;
	cr_assert_eq(format_layout(&f), -EINVAL);
}

Test(format, unknown_fourcc_has_no_layout)
{
	struct vmedia_format f = {.fourcc = 0x31313131, .width = 16, .height = 16};

	cr_assert_null(format_info(f.fourcc));
	cr_assert_eq(format_layout(&f), -EINVAL);
}

static struct v4l2_pix_format
negotiate(uint32_t type, uint32_t fourcc, uint32_t width, uint32_t height)
{
	struct v4l2_format wish = {.type = type};
	struct vmedia_format f = {.interval = {1, 25}};

	wish.fmt.pix.pixelformat = fourcc;
	wish.fmt.pix.width = width;
	wish.fmt.pix.height = height;
	cr_assert_eq(format_negotiate(&node, &wish, &f), 0);
	cr_assert_eq(f.interval.denominator, 25);
	format_to_v4l2(&f, type, &wish);
	return wish.fmt.pix;
}

/* proves: R-59 B34 */
Test(format, a_wish_goes_to_the_nearest_size_the_node_offers)
{
	static const struct {
		uint32_t fourcc, width, height, got_fourcc, got_width, got_height;
	} rows[] = {
		{V4L2_PIX_FMT_NV12, 640, 480, V4L2_PIX_FMT_NV12, 640, 480},
		{V4L2_PIX_FMT_NV12, 0, 0, V4L2_PIX_FMT_NV12, 16, 16},
		{V4L2_PIX_FMT_NV12, UINT32_MAX, UINT32_MAX, V4L2_PIX_FMT_NV12, 4096, 2160},
		{V4L2_PIX_FMT_NV12, 647, 481, V4L2_PIX_FMT_NV12, 640, 482},
		{V4L2_PIX_FMT_NV12, 648, 480, V4L2_PIX_FMT_NV12, 656, 480},
		{V4L2_PIX_FMT_MJPEG, 1, 9999, V4L2_PIX_FMT_MJPEG, 640, 480},
		{V4L2_PIX_FMT_YUYV, 640, 480, V4L2_PIX_FMT_NV12, 640, 480},
		{0, 640, 480, V4L2_PIX_FMT_NV12, 640, 480},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4l2_pix_format pix = negotiate(
			V4L2_BUF_TYPE_VIDEO_CAPTURE, rows[i].fourcc, rows[i].width, rows[i].height);

		cr_assert_eq(pix.pixelformat, rows[i].got_fourcc, "row %zu", i);
		cr_assert_eq(pix.width, rows[i].got_width, "row %zu: %u", i, pix.width);
		cr_assert_eq(pix.height, rows[i].got_height, "row %zu: %u", i, pix.height);
		cr_assert_eq(pix.field, V4L2_FIELD_NONE);
		cr_assert_neq(pix.sizeimage, 0);
	}
}

Test(format, another_size_keeps_all_but_what_follows_from_it)
{
	struct vmedia_format f, before;

	cr_assert_eq(format_default(&node, &f), 0);
	f.interval = (struct v4l2_fract){1, 7};
	f.colorspace = V4L2_COLORSPACE_BT2020;
	f.selection.width = f.device_side.width = 16;
	cr_assert_eq(format_resize(&node, 641, 7, &f), 0);
	cr_assert(f.width == 640 && f.height == 16 && f.fourcc == V4L2_PIX_FMT_NV12);
	cr_assert(f.bytesperline[0] == 640 && f.sizeimage[0] == 640 * 24);
	cr_assert(f.selection.width == 640 && f.device_side.width == 640);
	cr_assert(f.interval.denominator == 7 && f.colorspace == V4L2_COLORSPACE_BT2020);
	f.fourcc = V4L2_PIX_FMT_H264; /* the node has none */
	before = f;
	cr_assert_eq(format_resize(&node, 320, 240, &f), -EINVAL);
	cr_assert_eq(memcmp(&f, &before, sizeof(f)), 0);
}

Test(format, negotiating_a_result_again_changes_nothing)
{
	struct v4l2_pix_format a = negotiate(V4L2_BUF_TYPE_VIDEO_CAPTURE, 0, 777, 555);
	struct v4l2_pix_format b =
		negotiate(V4L2_BUF_TYPE_VIDEO_CAPTURE, a.pixelformat, a.width, a.height);

	cr_assert_arr_eq(&a, &b, sizeof(a));
}

Test(format, the_application_chooses_the_colours_of_an_output_only)
{
	struct v4l2_format wish = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
	struct vmedia_format f = {0};

	wish.fmt.pix.colorspace = V4L2_COLORSPACE_BT2020;
	wish.fmt.pix.priv = V4L2_PIX_FMT_PRIV_MAGIC;
	wish.fmt.pix.xfer_func = V4L2_XFER_FUNC_SMPTE2084;
	wish.fmt.pix.quantization = 1000;
	cr_assert_eq(format_negotiate(&node, &wish, &f), 0);
	cr_assert_eq(f.colorspace, V4L2_COLORSPACE_BT2020);
	cr_assert_eq(f.xfer_func, V4L2_XFER_FUNC_SMPTE2084);
	cr_assert_eq(f.quantization, V4L2_QUANTIZATION_DEFAULT);
	wish.fmt.pix.colorspace = 4711;
	cr_assert_eq(format_negotiate(&node, &wish, &f), 0);
	cr_assert_eq(f.colorspace, V4L2_COLORSPACE_SRGB);
	wish.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	wish.fmt.pix.colorspace = V4L2_COLORSPACE_BT2020;
	cr_assert_eq(format_negotiate(&node, &wish, &f), 0);
	cr_assert_eq(f.colorspace, V4L2_COLORSPACE_SRGB);
}

Test(format, multi_planar_struct_is_filled_completely)
{
	struct vmedia_format f = {.fourcc = V4L2_PIX_FMT_NV12M, .width = 640, .height = 480};
	struct v4l2_format out;
	size_t i;

	cr_assert_eq(format_layout(&f), 0);
	memset(&out, 0xff, sizeof(out));
	format_to_v4l2(&f, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, &out);
	cr_assert_eq(out.fmt.pix_mp.num_planes, 2);
	cr_assert_eq(out.fmt.pix_mp.plane_fmt[1].sizeimage, 153600);
	cr_assert_eq(out.fmt.pix_mp.plane_fmt[2].sizeimage, 0);
	for (i = sizeof(out.fmt.pix_mp); i < sizeof(out.fmt); i++) {
		cr_assert_eq(out.fmt.raw_data[i], 0);
	}
}

Test(format, default_is_the_nodes_and_an_impossible_node_is_refused)
{
	struct vmedia_node bad = node;
	struct vmedia_format f;

	cr_assert_eq(format_default(&node, &f), 0);
	cr_assert_eq(f.width, 1280);
	cr_assert_eq(f.sizeimage[0], 1382400);
	cr_assert_eq(f.interval.denominator, 30);
	bad.default_fourcc = V4L2_PIX_FMT_YUYV;
	cr_assert_eq(format_default(&bad, &f), -EINVAL);
}

/* proves: R-54 R-58 */
Test(format, enumerations_end_with_einval_and_name_every_format)
{
	struct v4l2_fmtdesc e = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
	struct v4l2_frmsizeenum size = {0};
	struct vmedia_node shorter = node;

	for (e.index = 0; format_enum(&node, &e) == 0; e.index++) {
		cr_assert_eq(e.pixelformat, descs[e.index].fourcc);
		cr_assert_neq(e.description[0], 0);
		cr_assert_eq(e.flags == V4L2_FMT_FLAG_COMPRESSED, e.index == 2);
		size.pixel_format = e.pixelformat;
		cr_assert_eq(format_enum_sizes(&node, &size), 0);
		size.index = 1;
		cr_assert_eq(format_enum_sizes(&node, &size), -EINVAL);
		size.index = 0;
	}
	cr_assert_eq(e.index, ARRAY_SIZE(descs));
	shorter.nb_formats = e.index = 1; /* there is a good one behind the end */
	cr_assert_eq(format_enum(&shorter, &e), -EINVAL);
	size.pixel_format = V4L2_PIX_FMT_YUYV;
	cr_assert_eq(format_enum_sizes(&node, &size), -EINVAL);
}

/* Programs compare them with what Linux 6.1 says. */
Test(format, descriptions_are_those_of_linux)
{
	cr_assert_str_eq(format_info(V4L2_PIX_FMT_NV12)->description, "Y/CbCr 4:2:0");
	cr_assert_str_eq(format_info(V4L2_PIX_FMT_NV21)->description, "Y/CrCb 4:2:0");
	cr_assert_str_eq(format_info(V4L2_PIX_FMT_NV16)->description, "Y/CbCr 4:2:2");
	cr_assert_str_eq(format_info(V4L2_PIX_FMT_NV12M)->description, "Y/CbCr 4:2:0 (N-C)");
}

/* proves: B34 */
Test(format, size_enumeration_is_discrete_stepwise_or_continuous)
{
	struct v4l2_frmsizeenum size = {.pixel_format = V4L2_PIX_FMT_MJPEG};

	cr_assert_eq(format_enum_sizes(&node, &size), 0);
	cr_assert_eq(size.type, V4L2_FRMSIZE_TYPE_DISCRETE);
	cr_assert_eq(size.discrete.height, 480);
	size.pixel_format = V4L2_PIX_FMT_NV12;
	cr_assert_eq(format_enum_sizes(&node, &size), 0);
	cr_assert_eq(size.type, V4L2_FRMSIZE_TYPE_STEPWISE);
	cr_assert_eq(size.stepwise.step_width, 16);
	size.pixel_format = V4L2_PIX_FMT_GREY;
	cr_assert_eq(format_enum_sizes(&node, &size), 0);
	cr_assert_eq(size.type, V4L2_FRMSIZE_TYPE_CONTINUOUS);
}

Test(format, intervals_are_enumerated_for_sizes_that_exist)
{
	struct v4l2_frmivalenum e = {
		.pixel_format = V4L2_PIX_FMT_NV12, .width = 640, .height = 480};
	struct vmedia_node still = node;

	cr_assert_eq(format_enum_intervals(&node, &e), 0);
	cr_assert_eq(e.type, V4L2_FRMIVAL_TYPE_CONTINUOUS);
	cr_assert_eq(e.stepwise.min.denominator, 120);
	e.width = 641;
	cr_assert_eq(format_enum_intervals(&node, &e), -EINVAL);
	e.width = 640;
	e.index = 1;
	cr_assert_eq(format_enum_intervals(&node, &e), -EINVAL);
	still.max_interval.denominator = 0;
	cr_assert_eq(format_enum_intervals(&still, &e), -ENOTTY);
}

Test(format, interval_wishes_are_brought_to_the_range_and_reduced)
{
	static const struct {
		struct v4l2_fract wish, got;
	} rows[] = {
		{{1, 30}, {1, 30}},
		{{1001, 30000}, {1001, 30000}},
		{{2, 50}, {1, 25}},
		{{0, 30}, {1, 30}},
		{{1, 0}, {1, 30}},
		{{1, 1000}, {1, 120}},
		{{1, UINT32_MAX}, {1, 120}},
		{{UINT32_MAX, 1}, {1, 1}},
		{{UINT32_MAX, UINT32_MAX}, {1, 1}},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4l2_fract got = format_interval(&node, rows[i].wish);

		cr_assert_eq(got.numerator, rows[i].got.numerator, "row %zu", i);
		cr_assert_eq(got.denominator, rows[i].got.denominator, "row %zu", i);
	}
}
