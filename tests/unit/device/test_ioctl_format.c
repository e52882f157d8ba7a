/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats, intervals, inputs. The harness offers YUYV, 16 to 128 by 16. */
#include "one_session.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT  V4L2_BUF_TYPE_VIDEO_OUTPUT

static void
setup(bool m2m)
{
	setup_with(&(struct h_config){.m2m = m2m});
}

static int
fmt(uint32_t nr, struct v4l2_format *f)
{
	return h_ioctl(h, s, nr, f, sizeof(*f), sizeof(*f));
}

static struct v4l2_format
wish(uint32_t type, uint32_t width, uint32_t height)
{
	struct v4l2_format f = {.type = type};

	f.fmt.pix.width = width;
	f.fmt.pix.height = height;
	f.fmt.pix.pixelformat = V4L2_PIX_FMT_YUYV;
	return f;
}

static struct v4l2_format
current(uint32_t type)
{
	struct v4l2_format f = {.type = type};

	cr_assert_eq(fmt(NR(G_FMT), &f), 0);
	return f;
}

/* proves: R-59 S-19 */
Test(ioctl_format, only_the_buffer_types_of_the_node_are_known)
{
	static const uint32_t codes[] = {NR(G_FMT), NR(S_FMT), NR(TRY_FMT)};
	uint32_t type, i;

	setup(false);
	for (type = 0; type < 20; type++) {
		struct v4l2_fmtdesc e = {.type = type};
		struct v4l2_streamparm parm = {.type = type};
		int expected = type == CAPTURE ? 0 : -EINVAL;

		for (i = 0; i < 3; i++) {
			struct v4l2_format f = wish(type, 64, 64);

			cr_assert_eq(fmt(codes[i], &f), expected, "type %u", type);
		}
		cr_assert_eq(h_ioctl(h, s, NR(ENUM_FMT), &e, sizeof(e), sizeof(e)), expected);
		cr_assert_eq(
			h_ioctl(h, s, NR(G_PARM), &parm, sizeof(parm), sizeof(parm)), expected);
	}
	teardown();
}

/* proves: R-59 */
Test(ioctl_format, try_never_changes_the_state_and_agrees_with_s_fmt)
{
	struct v4l2_format before, tried, set, after;

	setup(false);
	before = current(CAPTURE);
	tried = wish(CAPTURE, 100, 5000);
	cr_assert_eq(fmt(NR(TRY_FMT), &tried), 0);
	cr_assert_eq(tried.fmt.pix.width, 96);
	cr_assert_eq(tried.fmt.pix.height, 128);
	after = current(CAPTURE);
	cr_assert_arr_eq(&before, &after, sizeof(before));
	set = wish(CAPTURE, 100, 5000);
	cr_assert_eq(fmt(NR(S_FMT), &set), 0);
	cr_assert_arr_eq(&set, &tried, sizeof(set));
	after = current(CAPTURE);
	cr_assert_arr_eq(&set, &after, sizeof(set));
	teardown();
}

/* proves: R-71 B33 */
Test(ioctl_format, s_fmt_under_buffers_is_ebusy_unless_nothing_would_change)
{
	struct v4l2_format f;
	uint32_t first, second;

	setup(false);
	first = s;
	second = h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	f = wish(CAPTURE, 32, 32);
	cr_assert_eq(fmt(NR(S_FMT), &f), -EBUSY);
	cr_assert_eq(fmt(NR(TRY_FMT), &f), 0);
	f = current(CAPTURE);
	cr_assert_eq(fmt(NR(S_FMT), &f), 0);
	s = second;
	f = wish(CAPTURE, 32, 32);
	cr_assert_eq(fmt(NR(S_FMT), &f), -EBUSY);
	s = first;
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	f = wish(CAPTURE, 32, 32);
	cr_assert_eq(fmt(NR(S_FMT), &f), 0);
	s = second;
	cr_assert_eq(current(CAPTURE).fmt.pix.width, 32); /* one format for the device */
	h_close(h, second);
	s = first;
	teardown();
}

Test(ioctl_format, s_fmt_right_behind_reqbufs_of_another_session_is_ebusy)
{
	struct v4l2_requestbuffers rb = {.count = 2, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_format f = wish(CAPTURE, 32, 32);
	uint32_t other;
	static struct h_reply reply;
	unsigned int i, nb_busy = 0;

	setup(false);
	other = h_open(h);
	h_send_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));
	h_send_ioctl(h, other, NR(S_FMT), &f, sizeof(f), sizeof(f));
	h_settle(h);
	for (i = 0; i < 2; i++) {
		cr_assert_eq(h_recv(h, &reply), 0);
		nb_busy += reply.hdr.status == EBUSY;
	}
	cr_assert_eq(nb_busy, 1);
	h_close(h, other);
	teardown();
}

/* proves: R-44 S-10 */
Test(ioctl_format, sessions_of_an_m2m_node_have_formats_of_their_own)
{
	struct v4l2_format f;
	uint32_t other;

	setup(true);
	other = h_open(h);
	f = wish(OUTPUT, 32, 32);
	f.fmt.pix.colorspace = V4L2_COLORSPACE_SMPTE170M;
	cr_assert_eq(fmt(NR(S_FMT), &f), 0);
	cr_assert_eq(current(OUTPUT).fmt.pix.width, 32);
	cr_assert_eq(current(CAPTURE).fmt.pix.width, H_WIDTH);
	cr_assert_eq(current(CAPTURE).fmt.pix.colorspace, V4L2_COLORSPACE_SMPTE170M);
	h_close(h, s);
	s = other;
	cr_assert_eq(current(OUTPUT).fmt.pix.width, H_WIDTH);
	teardown();
}

/* proves: R-58 */
Test(ioctl_format, enumerations_end_with_einval)
{
	struct v4l2_fmtdesc e = {.type = CAPTURE, .index = 1};
	struct v4l2_frmsizeenum size = {.pixel_format = V4L2_PIX_FMT_YUYV};
	struct v4l2_frmivalenum interval = {
		.pixel_format = V4L2_PIX_FMT_YUYV, .width = 32, .height = 32};

	setup(false);
	cr_assert_eq(h_ioctl(h, s, NR(ENUM_FMT), &e, sizeof(e), sizeof(e)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(ENUM_FRAMESIZES), &size, sizeof(size), sizeof(size)), 0);
	cr_assert_eq(size.type, V4L2_FRMSIZE_TYPE_STEPWISE);
	cr_assert_eq(size.stepwise.max_width, 128);
	cr_assert_eq(h_ioctl(h, s, NR(ENUM_FRAMEINTERVALS), &interval, sizeof(interval),
			     sizeof(interval)),
		0);
	interval.index = 1;
	cr_assert_eq(h_ioctl(h, s, NR(ENUM_FRAMEINTERVALS), &interval, sizeof(interval),
			     sizeof(interval)),
		-EINVAL);
	teardown();
}

/* proves: S-18 */
Test(ioctl_format, s_parm_takes_an_interval_and_zero_gives_the_default)
{
	struct v4l2_streamparm parm = {.type = CAPTURE};

	setup(false);
	parm.parm.capture.timeperframe = (struct v4l2_fract){2, 30};
	parm.parm.capture.readbuffers = 7;
	cr_assert_eq(h_ioctl(h, s, NR(S_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.timeperframe.denominator, 15);
	cr_assert_eq(parm.parm.capture.capability, V4L2_CAP_TIMEPERFRAME);
	cr_assert_eq(parm.parm.capture.readbuffers, 0);
	parm.parm.capture.timeperframe = (struct v4l2_fract){0, 0};
	cr_assert_eq(h_ioctl(h, s, NR(S_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.timeperframe.denominator, 30);
	teardown();
}

/* proves: R-54 R-60 */
Test(ioctl_format, a_camera_has_one_input_and_no_output)
{
	struct v4l2_input input = {.capabilities = V4L2_IN_CAP_STD, .status = 99};
	struct v4l2_output output = {0};
	uint32_t index = 77;

	setup(false);
	cr_assert_eq(h_ioctl(h, s, NR(ENUMINPUT), &input, sizeof(input), sizeof(input)), 0);
	cr_assert_eq(input.type, V4L2_INPUT_TYPE_CAMERA);
	cr_assert_eq(input.capabilities, 0);
	cr_assert_eq(input.status, 0);
	input.index = 1;
	cr_assert_eq(h_ioctl(h, s, NR(ENUMINPUT), &input, sizeof(input), sizeof(input)), -EINVAL);
	cr_assert_eq(
		h_ioctl(h, s, NR(ENUMOUTPUT), &output, sizeof(output), sizeof(output)), -ENOTTY);
	cr_assert_eq(h_ioctl(h, s, NR(G_INPUT), &index, sizeof(index), sizeof(index)), 0);
	cr_assert_eq(index, 0);
	cr_assert_eq(h_ioctl(h, s, NR(G_INPUT), &index, 0, sizeof(index)), 0); /* */
	cr_assert_eq(h_ioctl(h, s, NR(S_INPUT), &index, sizeof(index), sizeof(index)), 0);
	index = 1;
	cr_assert_eq(h_ioctl(h, s, NR(S_INPUT), &index, sizeof(index), sizeof(index)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(G_OUTPUT), &index, sizeof(index), sizeof(index)), -ENOTTY);
	teardown();
}

Test(ioctl_format, an_m2m_node_has_neither_inputs_nor_outputs)
{
	struct v4l2_input input = {0};
	uint32_t index = 0;

	setup(true);
	cr_assert_eq(h_ioctl(h, s, NR(ENUMINPUT), &input, sizeof(input), sizeof(input)), -ENOTTY);
	cr_assert_eq(h_ioctl(h, s, NR(G_OUTPUT), &index, sizeof(index), sizeof(index)), -ENOTTY);
	teardown();
}
