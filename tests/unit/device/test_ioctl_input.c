/* SPDX-License-Identifier: BSD-3-Clause */
/* Inputs of a camera and outputs of a display: which there are, and what choosing one changes. */
#include "one_session.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT  V4L2_BUF_TYPE_VIDEO_OUTPUT
#define CHANGE  V4L2_EVENT_SOURCE_CHANGE

enum {
	FRONT,
	BACK,
	SIDE,
	AGAIN
};

static const char *const names[H_NB_PORTS] = {"Front", "Back", "Side", "Again"};
static const uint32_t widths[H_NB_PORTS] = {H_WIDTH, H_WIDTH / 2, 16, H_WIDTH};
static const uint32_t heights[H_NB_PORTS] = {H_HEIGHT, H_HEIGHT / 2, 16, H_HEIGHT};

static void
setup_camera(void)
{
	setup_with(&(struct h_config){.crops = true, .nb_ports = H_NB_PORTS});
}

static void
setup_display(void)
{
	setup_with(&(struct h_config){.crops = true, .is_display = true, .nb_ports = H_NB_PORTS});
}

/* G_INPUT, S_INPUT, G_OUTPUT, S_OUTPUT */
static int
ask(uint32_t session, uint32_t nr, uint32_t *port)
{
	return h_ioctl(h, session, nr, port, sizeof(*port), sizeof(*port));
}

static int
choose(uint32_t session, uint32_t port)
{
	uint32_t answer = port;
	int ret = ask(session, NR(S_INPUT), &answer);

	cr_assert_eq(answer, port);
	return ret;
}

static void
expect_chosen(uint32_t session, uint32_t nr, uint32_t port)
{
	uint32_t found = 77;

	cr_assert_eq(ask(session, nr, &found), 0);
	cr_assert_eq(found, port);
	cr_assert_eq(vmedia_device_port(h->device), port);
}

static void
expect_size(uint32_t type, uint32_t width, uint32_t height)
{
	struct v4l2_format f = {.type = type};

	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(f.fmt.pix.width, width);
	cr_assert_eq(f.fmt.pix.height, height);
	cr_assert_eq(f.fmt.pix.bytesperline, width * 2);
	cr_assert_eq(f.fmt.pix.sizeimage, width * height * 2);
}

static void
expect_whole(uint32_t type, uint32_t width, uint32_t height)
{
	for (uint32_t target = 0; target <= V4L2_SEL_TGT_COMPOSE_BOUNDS; target++) {
		struct v4l2_selection sel = {.type = type, .target = target};

		if (h_ioctl(h, s, NR(G_SELECTION), &sel, sizeof(sel), sizeof(sel)) == 0) {
			cr_assert(sel.r.left == 0 && sel.r.top == 0 && sel.r.width == width &&
					  sel.r.height == height,
				"target %x: (%d,%d) %ux%u", target, sel.r.left, sel.r.top,
				sel.r.width, sel.r.height);
		}
	}
}

static void
expect_no_event(void)
{
	struct v4l2_event event;
	uint32_t session;

	cr_assert_not(next_event(&session, &event));
}

static void
expect_event(uint32_t session, uint32_t port)
{
	struct v4l2_event event;
	uint32_t found;

	cr_assert(next_event(&found, &event));
	cr_assert_eq(found, session);
	cr_assert_eq(event.type, CHANGE);
	cr_assert_eq(event.id, port);
	cr_assert_eq(event.u.src_change.changes, V4L2_EVENT_SRC_CH_RESOLUTION);
}

/* proves: R-54 R-58 R-60 */
Test(ioctl_input, the_inputs_of_a_camera_are_listed_one_by_one)
{
	struct v4l2_output none = {0};
	uint32_t port = 0;

	setup_camera();
	for (uint32_t i = 0; i < H_NB_PORTS + 2; i++) {
		struct v4l2_input input = {
			.index = i, .capabilities = V4L2_IN_CAP_STD, .status = 99, .std = 5};
		int ret = h_ioctl(h, s, NR(ENUMINPUT), &input, sizeof(input), sizeof(input));

		cr_assert_eq(ret, i < H_NB_PORTS ? 0 : -EINVAL);
		cr_assert_eq(input.index, i);
		if (ret == 0) {
			cr_assert_str_eq((const char *)input.name, names[i]);
			cr_assert_eq(input.type,
				i == BACK ? V4L2_INPUT_TYPE_TUNER : V4L2_INPUT_TYPE_CAMERA);
			cr_assert(input.capabilities == 0 && input.status == 0 && input.std == 0);
		}
	}
	cr_assert_eq(h_ioctl(h, s, NR(ENUMOUTPUT), &none, sizeof(none), sizeof(none)), -ENOTTY);
	cr_assert_eq(ask(s, NR(S_OUTPUT), &port), -ENOTTY);
	teardown();
}

Test(ioctl_input, what_is_not_there_cannot_be_chosen)
{
	setup_camera();
	cr_assert_eq(choose(s, H_NB_PORTS), -EINVAL);
	cr_assert_eq(choose(s, UINT32_MAX), -EINVAL);
	cr_assert_eq(choose(s, SIDE), 0);
	cr_assert_eq(choose(s, H_NB_PORTS), -EINVAL);
	expect_chosen(s, NR(G_INPUT), SIDE);
	expect_size(CAPTURE, widths[SIDE], heights[SIDE]);
	teardown();
}

/* One for all sessions, and it stays when the one that chose it goes. */
Test(ioctl_input, the_input_is_that_of_the_device)
{
	uint32_t other;

	setup_camera();
	other = h_open(h);
	for (uint32_t i = H_NB_PORTS; i-- > 0;) {
		cr_assert_eq(choose(other, i), 0);
		expect_chosen(s, NR(G_INPUT), i);
		expect_chosen(other, NR(G_INPUT), i);
		expect_size(CAPTURE, widths[i], heights[i]);
		expect_whole(CAPTURE, widths[i], heights[i]);
	}
	cr_assert_eq(choose(other, BACK), 0);
	h_close(h, other);
	expect_chosen(s, NR(G_INPUT), BACK);
	teardown();
}

/* Crop, compose and a size that was set are those of the input before. */
/* proves: R-59 */
Test(ioctl_input, the_format_is_what_the_new_input_gives)
{
	struct v4l2_selection sel = {
		.type = CAPTURE, .target = V4L2_SEL_TGT_CROP, .r = {16, 0, 32, 16}};
	struct v4l2_format f = {.type = CAPTURE};
	struct v4l2_streamparm parm = {.type = CAPTURE};

	setup_camera();
	parm.parm.capture.timeperframe = (struct v4l2_fract){1, 15};
	cr_assert_eq(h_ioctl(h, s, NR(S_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	f.fmt.pix.width = f.fmt.pix.height = 128;
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(S_SELECTION), &sel, sizeof(sel), sizeof(sel)), 0);
	cr_assert_eq(choose(s, FRONT), 0);
	expect_size(CAPTURE, 128, 128); /* it was chosen before */
	cr_assert_eq(choose(s, AGAIN), 0);
	expect_size(CAPTURE, H_WIDTH, H_HEIGHT);
	expect_whole(CAPTURE, H_WIDTH, H_HEIGHT);
	cr_assert_eq(h_ioctl(h, s, NR(G_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.timeperframe.denominator, 15);
	teardown();
}

/* proves: R-71 B33 */
Test(ioctl_input, it_stays_while_anybody_has_buffers)
{
	struct v4l2_format f = {.type = CAPTURE};
	uint32_t other;

	setup_camera();
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, s, CHANGE, BACK, 0), 0);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	for (int i = 0; i < 4; i++) {
		uint32_t session = i % 2 ? other : s;

		if (i == 2) {
			cr_assert_eq(h_stream(h, s, true), 0);
		}
		cr_assert_eq(choose(session, BACK), -EBUSY);
		cr_assert_eq(choose(session, AGAIN), -EBUSY, "of the same size");
		cr_assert_eq(choose(session, FRONT), 0, "it is the one");
		cr_assert_eq(choose(session, H_NB_PORTS), -EINVAL);
		expect_chosen(session, NR(G_INPUT), FRONT);
		expect_size(CAPTURE, H_WIDTH, H_HEIGHT);
	}
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	f.fmt.pix.width = 16;
	cr_assert_eq(h_ioctl(h, other, NR(S_FMT), &f, sizeof(f), sizeof(f)), -EBUSY);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(choose(s, BACK), -EBUSY);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	expect_no_event();
	cr_assert_eq(choose(other, BACK), 0);
	expect_event(s, BACK);
	h_close(h, other);
	teardown();
}

/* Each who asked for the input hears of it, once, whoever chose it. */
/* proves: R-75 */
Test(ioctl_input, another_size_is_told_once_to_each_who_asked)
{
	uint32_t other, third;

	setup_camera();
	other = h_open(h);
	third = h_open(h);
	for (uint32_t i = 0; i < 2; i++) {
		cr_assert_eq(h_subscribe(h, s, CHANGE, BACK, 0), 0); /* the second is the first */
	}
	cr_assert_eq(h_subscribe(h, other, CHANGE, BACK, 0), 0);
	cr_assert_eq(h_subscribe(h, other, CHANGE, FRONT, 0), 0);
	cr_assert_eq(h_subscribe(h, third, V4L2_EVENT_EOS, 0, 0), 0);
	cr_assert_eq(choose(third, BACK), 0);
	expect_event(s, BACK);
	expect_event(other, BACK);
	expect_no_event();
	cr_assert_eq(choose(third, BACK), 0);
	expect_no_event();
	cr_assert_eq(choose(s, FRONT), 0);
	expect_event(other, FRONT);
	expect_no_event();
	h_close(h, other);
	h_close(h, third);
	teardown();
}

/* What counts is what the inputs give, not the size that was set meanwhile. */
Test(ioctl_input, nobody_hears_of_an_input_of_the_same_size)
{
	struct v4l2_format f = {.type = CAPTURE, .fmt.pix = {.width = 16, .height = 16}};

	setup_camera();
	for (uint32_t i = 0; i < H_NB_PORTS; i++) {
		cr_assert_eq(h_subscribe(h, s, CHANGE, i, 0), 0);
	}
	cr_assert_eq(choose(s, AGAIN), 0);
	expect_no_event();
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(choose(s, FRONT), 0);
	expect_no_event();
	expect_size(CAPTURE, H_WIDTH, H_HEIGHT);
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(choose(s, SIDE), 0);
	expect_event(s, SIDE);
	expect_no_event();
	teardown();
}

/* proves: R-75 S-19 */
Test(ioctl_input, a_change_of_an_input_that_is_not_there_cannot_be_asked_for)
{
	setup_camera();
	cr_assert_eq(h_subscribe(h, s, CHANGE, H_NB_PORTS - 1, 0), 0);
	cr_assert_eq(h_subscribe(h, s, CHANGE, H_NB_PORTS, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, CHANGE, UINT32_MAX, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 1, 0), -EINVAL);
	teardown();
	setup_with(&(struct h_config){0});
	cr_assert_eq(h_subscribe(h, s, CHANGE, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, CHANGE, 1, 0), -EINVAL);
	teardown();
}

/* proves: R-54 */
Test(ioctl_input, a_display_has_outputs_and_nothing_changes_at_its_source)
{
	struct v4l2_input none = {0};
	uint32_t port = BACK;

	setup_display();
	for (uint32_t i = 0; i < H_NB_PORTS + 2; i++) {
		struct v4l2_output output = {.index = i, .capabilities = 7, .audioset = 7};
		int ret = h_ioctl(h, s, NR(ENUMOUTPUT), &output, sizeof(output), sizeof(output));

		cr_assert_eq(ret, i < H_NB_PORTS ? 0 : -EINVAL);
		if (ret == 0) {
			cr_assert_str_eq((const char *)output.name, names[i]);
			cr_assert(output.capabilities == 0 && output.audioset == 0);
		}
	}
	cr_assert_eq(h_ioctl(h, s, NR(ENUMINPUT), &none, sizeof(none), sizeof(none)), -ENOTTY);
	cr_assert_eq(ask(s, NR(S_INPUT), &port), -ENOTTY);
	cr_assert_eq(h_subscribe(h, s, CHANGE, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, CHANGE, BACK, 0), -EINVAL);
	cr_assert_eq(ask(s, NR(S_OUTPUT), &port), 0);
	expect_chosen(s, NR(G_OUTPUT), BACK);
	expect_size(OUTPUT, widths[BACK], heights[BACK]);
	expect_whole(OUTPUT, widths[BACK], heights[BACK]);
	port = FRONT;
	cr_assert_eq(ask(s, NR(S_OUTPUT), &port), 0);
	expect_no_event();
	port = H_NB_PORTS;
	cr_assert_eq(ask(s, NR(S_OUTPUT), &port), -EINVAL);
	teardown();
}

Test(ioctl_input, what_converts_has_none)
{
	struct v4l2_input input = {0};
	uint32_t port = 0;

	setup_with(&(struct h_config){.m2m = true});
	cr_assert_eq(h_ioctl(h, s, NR(ENUMINPUT), &input, sizeof(input), sizeof(input)), -ENOTTY);
	cr_assert_eq(ask(s, NR(G_INPUT), &port), -ENOTTY);
	cr_assert_eq(ask(s, NR(S_INPUT), &port), -ENOTTY);
	cr_assert_eq(ask(s, NR(G_OUTPUT), &port), -ENOTTY);
	cr_assert_eq(ask(s, NR(S_OUTPUT), &port), -ENOTTY);
	cr_assert_eq(h_subscribe(h, s, CHANGE, 1, 0), -EINVAL);
	teardown();
}
