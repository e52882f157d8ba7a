/* SPDX-License-Identifier: BSD-3-Clause */
/* A control changed while the camera streams: the next frame shows it, and each subscriber hears of
 * it exactly once. Over loopback, at the pace of the buffers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "backend/pattern/render.h"
#include "harness.h"

#define CAPTURE      V4L2_BUF_TYPE_VIDEO_CAPTURE
#define NR(name)     _IOC_NR(VIDIOC_##name)
#define WIDTH        160
#define HEIGHT       120
#define NB_LISTENERS 3
#define NB_CHANGES   50
#define BELOW_STRIP                                                                  \
	100 /* a line whose right end neither strip nor, in these frames, box covers \
	     */
#define BYTES_A_PIXEL  4
#define CID_BARS_SHOWN (V4L2_CID_USER_BASE | 0xf002)
#define CID_BOX_SPEED  (V4L2_CID_USER_BASE | 0xf003)
#define CID_BOX_HOME   (V4L2_CID_USER_BASE | 0xf004)
#define CID_FRAMES     (V4L2_CID_USER_BASE | 0xf005)

static const struct device_option options[] = {
	{"format", "xr24"}, {"width", "160"}, {"height", "120"}, {"pace", "fast"}};

static struct h *h;
static uint32_t s, listeners[NB_LISTENERS];

static int
set(uint32_t id, int32_t value)
{
	struct v4l2_control c = {.id = id, .value = value};

	return h_ioctl(h, s, NR(S_CTRL), &c, sizeof(c), sizeof(c));
}

static void
setup(void)
{
	h = h_create(&(struct h_config){
		.backend = backend_find("pattern"), .options = options, .nb_options = 4});
	s = h_open(h);
	h_post_events(h, 64, H_EVENT_SIZE);
	for (uint32_t i = 0; i < NB_LISTENERS; i++) {
		listeners[i] = h_open(h);
		cr_assert_eq(
			h_subscribe(h, listeners[i], V4L2_EVENT_CTRL, V4L2_CID_BG_COLOR, 0), 0);
	}
	cr_assert_eq(set(V4L2_CID_TEST_PATTERN, RENDER_SOLID), 0);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_stream(h, s, true), 0);
}

static void
teardown(void)
{
	for (uint32_t i = 0; i < NB_LISTENERS; i++) {
		h_close(h, listeners[i]);
	}
	h_close(h, s);
	h_settle(h);
	h_destroy(h);
}

/* What came on the eventq since the last call. */
struct heard {
	uint32_t frames, events[NB_LISTENERS], others;
	int32_t value; /* of the last control event */
};

static void
hear_one(struct heard *heard, const uint8_t *bytes)
{
	struct virtio_media_event_event e;

	memcpy(&e, bytes, sizeof(e));
	if (e.hdr.event == VIRTIO_MEDIA_EVT_DQBUF) {
		heard->frames++;
		return;
	}
	for (uint32_t i = 0; i < NB_LISTENERS; i++) {
		if (e.hdr.session_id == listeners[i] && e.event.type == V4L2_EVENT_CTRL) {
			heard->events[i]++;
			heard->value = e.event.u.ctrl.value;
			return;
		}
	}
	heard->others++;
}

static struct heard
hear(void)
{
	struct heard heard = {0};
	uint8_t bytes[H_EVENT_SIZE];

	for (int i = 0; i < 200; i++) {
		h_pass(h, 1);
		while (h_event(h, bytes) > 0) {
			hear_one(&heard, bytes);
			h_post_events(h, 1, H_EVENT_SIZE);
		}
	}
	return heard;
}

/* 0xRRGGBB of the pixel at the right end of a line. */
static uint32_t
colour_of_frame(void)
{
	const struct bufq_buffer *buffer = TAILQ_FIRST(&h->device->sessions)->queues[0].buffers[0];
	const uint8_t *pixel = (const uint8_t *)buffer->pub.planes[0].addr +
	                       (BELOW_STRIP * WIDTH + WIDTH - 1) * BYTES_A_PIXEL;

	return (uint32_t)pixel[2] << 16 | (uint32_t)pixel[1] << 8 | pixel[0];
}

Test(pattern_ctrl, a_change_while_streaming_is_on_the_next_frame_and_heard_exactly_once)
{
	setup();
	for (int32_t n = 1; n <= NB_CHANGES; n++) {
		int32_t colour = n * 0x030507 & 0xffffff;
		struct heard heard;

		cr_assert_eq(set(V4L2_CID_BG_COLOR, colour), 0);
		cr_assert_eq(h_qbuf(h, s, 0), 0);
		heard = hear();
		cr_assert_eq(heard.frames, 1);
		cr_assert_eq(heard.others, 0);
		for (int i = 0; i < NB_LISTENERS; i++) {
			cr_assert_eq(heard.events[i], 1, "change %d: %u", n, heard.events[i]);
		}
		cr_assert_eq(heard.value, colour);
		cr_assert_eq(colour_of_frame(), (uint32_t)colour, "change %d: %06x", n,
			colour_of_frame());
	}
	teardown();
}

/* The first bar is at the left end; the control carries its eight colours by pointer. */
Test(pattern_ctrl, other_colours_of_the_bars_are_on_the_next_frame)
{
	struct {
		struct v4l2_ext_controls head;
		struct v4l2_ext_control ctrl;
		struct virtio_media_sg_entry sg;
	} __attribute__((packed)) e = {.head = {.count = 1},
		.ctrl = {.id = V4L2_CID_USER_BASE | 0xf001, .size = sizeof(uint32_t[8])}};
	const size_t out = sizeof(e.head) + sizeof(e.ctrl);
	uint32_t *colours;

	setup();
	cr_assert_eq(set(V4L2_CID_TEST_PATTERN, RENDER_BARS), 0);
	colours = fake_guest_alloc(h->guest, 0, sizeof(uint32_t[8]));
	e.sg = (struct virtio_media_sg_entry){
		.start = fake_guest_gpa(h->guest, colours), .len = sizeof(uint32_t[8])};
	cr_assert_eq(h_ioctl(h, s, NR(G_EXT_CTRLS), &e, sizeof(e), out), 0);
	cr_assert_eq(colours[0], 0xbfbfbf);
	cr_assert_eq(colours[7], 0);
	colours[7] = 0x123456;
	cr_assert_eq(h_ioctl(h, s, NR(S_EXT_CTRLS), &e, sizeof(e), out), 0);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(hear().frames, 1);
	cr_assert_eq(colour_of_frame(), 0x123456);
	teardown();
}

static void
expect_right_end(uint32_t colour)
{
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(hear().frames, 1);
	cr_assert_eq(colour_of_frame(), colour, "%06x", colour_of_frame());
}

/* The fourth bar, green, from x = 60 on, is brought to the right end of the buffer. */
Test(pattern_ctrl, crop_and_compose_are_on_the_next_frame)
{
	struct v4l2_selection crop = {
		.type = CAPTURE, .target = V4L2_SEL_TGT_CROP, .r = {44, 80, 32, 32}};
	struct v4l2_selection compose = crop;

	setup();
	cr_assert_eq(set(V4L2_CID_TEST_PATTERN, RENDER_BARS), 0);
	cr_assert_eq(set(CID_BOX_HOME, 1), 0);
	cr_assert_eq(h_ioctl(h, s, NR(S_SELECTION), &crop, sizeof(crop), sizeof(crop)), 0);
	expect_right_end(0);
	compose.target = V4L2_SEL_TGT_COMPOSE;
	compose.r = (struct v4l2_rect){WIDTH - 32, 84, 32, 32};
	cr_assert_eq(h_ioctl(h, s, NR(S_SELECTION), &compose, sizeof(compose), sizeof(compose)), 0);
	expect_right_end(0x00bf00);
	teardown();
}

static int32_t
get(uint32_t id)
{
	struct v4l2_control c = {.id = id};

	cr_assert_eq(h_ioctl(h, s, NR(G_CTRL), &c, sizeof(c), sizeof(c)), 0);
	return c.value;
}

/* Gain comes first: 128 x 150 % less 64 is 128. */
Test(pattern_ctrl, automatic_gain_keeps_mid_grey_and_leaves_its_value_behind)
{
	setup();
	cr_assert_eq(set(V4L2_CID_BG_COLOR, 0x808080), 0);
	cr_assert_eq(set(V4L2_CID_AUTOGAIN, 1), 0);
	cr_assert_eq(set(V4L2_CID_BRIGHTNESS, -64), 0);
	cr_assert_eq(get(V4L2_CID_GAIN), 150);
	expect_right_end(0x808080);
	cr_assert_eq(set(V4L2_CID_GAIN, 100), 0);
	expect_right_end(0x808080);
	cr_assert_eq(set(V4L2_CID_AUTOGAIN, 0), 0);
	cr_assert_eq(get(V4L2_CID_GAIN), 150);
	cr_assert_eq(set(V4L2_CID_GAIN, 100), 0);
	expect_right_end(0x404040);
	teardown();
}

Test(pattern_ctrl, each_kind_of_control_is_there_and_does_what_it_says)
{
	struct {
		struct v4l2_ext_controls head;
		struct v4l2_ext_control ctrl;
	} __attribute__((packed)) e = {.head = {.count = 1}, .ctrl = {.id = CID_FRAMES}};

	setup();
	cr_assert_eq(set(CID_BOX_SPEED, 0), -EBUSY, "grabbed while it streams");
	cr_assert_eq(set(V4L2_CID_TEST_PATTERN, RENDER_BARS), 0);
	cr_assert_eq(set(CID_BARS_SHOWN, 0x7f), 0);
	expect_right_end(0);
	cr_assert_eq(set(CID_BARS_SHOWN, 0xfff), 0);
	cr_assert_eq(get(CID_BARS_SHOWN), 0xff);
	cr_assert_eq(h_ioctl(h, s, NR(G_EXT_CTRLS), &e, sizeof(e), sizeof(e)), 0);
	cr_assert_eq(e.ctrl.value64, 1);
	cr_assert_eq(h_ioctl(h, s, NR(S_EXT_CTRLS), &e, sizeof(e), sizeof(e)), -EACCES);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(set(CID_BOX_SPEED, 4), 0);
	cr_assert_eq(set(CID_BOX_SPEED, 5), -ERANGE);
	cr_assert_eq(get(CID_BOX_SPEED), 4);
	teardown();
}

Test(pattern_ctrl, programs_of_old_find_its_own_controls)
{
	static const uint32_t ids[] = {CID_BARS_SHOWN, CID_BOX_SPEED, CID_BOX_HOME};
	struct v4l2_queryctrl q, by_id;

	setup();
	for (uint32_t i = 0; i < 3; i++) {
		q = (struct v4l2_queryctrl){.id = V4L2_CID_PRIVATE_BASE + i};
		by_id = (struct v4l2_queryctrl){.id = ids[i]};
		cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), 0);
		cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &by_id, sizeof(by_id), sizeof(by_id)), 0);
		cr_assert_eq(q.id, V4L2_CID_PRIVATE_BASE + i);
		cr_assert_str_eq((char *)q.name, (char *)by_id.name);
	}
	q.id = V4L2_CID_PRIVATE_BASE + 3;
	cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), -EINVAL);
	cr_assert_eq(set(V4L2_CID_PRIVATE_BASE, 0x7f), 0);
	cr_assert_eq(get(CID_BARS_SHOWN), 0x7f);
	teardown();
}

Test(pattern_ctrl, what_does_not_change_is_not_told)
{
	struct heard heard;

	setup();
	cr_assert_eq(set(V4L2_CID_BG_COLOR, 0x123456), 0);
	hear();
	cr_assert_eq(set(V4L2_CID_BG_COLOR, 0x123456), 0);
	heard = hear();
	cr_assert_eq(heard.events[0] + heard.events[1] + heard.events[2] + heard.others, 0);
	teardown();
}
