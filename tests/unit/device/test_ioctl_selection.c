/* SPDX-License-Identifier: BSD-3-Clause */
/* Crop and compose of a codec, and of a camera and a display that have them. */
#include "one_session.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT  V4L2_BUF_TYPE_VIDEO_OUTPUT

static void
setup(bool m2m)
{
	setup_with(&(struct h_config){.m2m = m2m});
}

static void
setup_camera(void)
{
	setup_with(&(struct h_config){.crops = true});
}

static int
get(uint32_t session, uint32_t type, uint32_t target, struct v4l2_rect *r)
{
	struct v4l2_selection sel = {.type = type, .target = target};
	int ret = h_ioctl(h, session, NR(G_SELECTION), &sel, sizeof(sel), sizeof(sel));

	*r = sel.r;
	return ret;
}

static int
set(uint32_t type, uint32_t target, uint32_t flags, struct v4l2_rect *r)
{
	struct v4l2_selection sel = {.type = type, .target = target, .flags = flags, .r = *r};
	int ret = h_ioctl(h, s, NR(S_SELECTION), &sel, sizeof(sel), sizeof(sel));

	*r = sel.r;
	return ret;
}

static void
expect(uint32_t session, uint32_t type, uint32_t target, struct v4l2_rect want)
{
	struct v4l2_rect r;

	cr_assert_eq(get(session, type, target, &r), 0, "type %u target %x", type, target);
	cr_assert(r.left == want.left && r.top == want.top && r.width == want.width &&
			  r.height == want.height,
		"type %u target %x: (%d,%d) %ux%u", type, target, r.left, r.top, r.width, r.height);
}

Test(ioctl_selection, a_node_without_it_does_not_know_the_ioctl)
{
	struct v4l2_rect r = {0};

	setup(false);
	cr_assert_eq(get(s, CAPTURE, V4L2_SEL_TGT_CROP, &r), -ENOTTY);
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_CROP, 0, &r), -ENOTTY);
	teardown();
}

/* proves: R-61 */
Test(ioctl_selection, what_goes_in_is_cropped_and_what_comes_out_composed)
{
	const struct v4l2_rect whole = {0, 0, H_WIDTH, H_HEIGHT};
	struct v4l2_rect r;

	setup(true);
	for (uint32_t target = 0; target < 0x200; target++) {
		bool crop = target <= V4L2_SEL_TGT_CROP_BOUNDS;
		bool compose =
			target >= V4L2_SEL_TGT_COMPOSE && target <= V4L2_SEL_TGT_COMPOSE_PADDED;

		cr_assert_eq(get(s, OUTPUT, target, &r), crop ? 0 : -EINVAL, "target %x", target);
		cr_assert_eq(
			get(s, CAPTURE, target, &r), compose ? 0 : -EINVAL, "target %x", target);
	}
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, whole);
	expect(s, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_SEL_TGT_CROP_BOUNDS, whole);
	expect(s, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_SEL_TGT_COMPOSE_DEFAULT, whole);
	cr_assert_eq(get(s, V4L2_BUF_TYPE_VBI_CAPTURE, V4L2_SEL_TGT_CROP, &r), -EINVAL);
	teardown();
}

/* proves: R-61 */
Test(ioctl_selection, a_rectangle_holds_for_its_session_until_the_format_changes)
{
	const struct v4l2_rect whole = {0, 0, H_WIDTH, H_HEIGHT}, part = {4, 2, 32, 16};
	struct v4l2_format f = {.type = OUTPUT};
	const struct v4l2_rect small = {8, 8, 16, 16};
	struct v4l2_rect r = {5, 3, 31, 15};
	uint32_t other;

	setup(true);
	other = h_open(h);
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_CROP, V4L2_SEL_FLAG_GE, &r), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, part);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP_BOUNDS, whole);
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, whole);
	expect(other, OUTPUT, V4L2_SEL_TGT_CROP, whole);
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(TRY_FMT), &f, sizeof(f), sizeof(f)), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, part);
	r = small;
	cr_assert_eq(set(V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_SEL_TGT_CROP, 0, &r), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, small);
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, whole);
	h_close(h, other);
	teardown();
}

Test(ioctl_selection, what_cannot_be_is_refused_and_changes_nothing)
{
	const struct v4l2_rect whole = {0, 0, H_WIDTH, H_HEIGHT};
	struct v4l2_rect r = {0, 0, H_WIDTH + 2, 16};

	setup(true);
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_CROP, V4L2_SEL_FLAG_GE, &r), -ERANGE);
	r = (struct v4l2_rect){0, 0, 32, 16};
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_CROP_BOUNDS, 0, &r), -EINVAL);
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_COMPOSE, 0, &r), -EINVAL);
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_COMPOSE_PADDED, 0, &r), -EINVAL);
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_CROP, 1u << 7, &r), -EINVAL);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, whole);
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, whole);
	teardown();
}

static const struct v4l2_rect whole_picture = {0, 0, H_WIDTH, H_HEIGHT};

/* proves: R-61 */
Test(ioctl_selection, a_camera_crops_its_picture_and_composes_it_into_the_buffer)
{
	struct v4l2_rect r;

	setup_camera();
	for (uint32_t target = 0; target < 0x200; target++) {
		bool known =
			target <= V4L2_SEL_TGT_CROP_BOUNDS ||
			(target >= V4L2_SEL_TGT_COMPOSE && target <= V4L2_SEL_TGT_COMPOSE_PADDED);

		cr_assert_eq(get(s, CAPTURE, target, &r), known ? 0 : -EINVAL, "target %x", target);
		if (known) {
			expect(s, CAPTURE, target, whole_picture);
		}
	}
	teardown();
}

/* proves: R-61 */
/* The picture is not scaled: the other rectangle takes the size and stays within the buffer. */
Test(ioctl_selection, crop_and_compose_of_a_camera_have_one_size)
{
	struct v4l2_rect r = {6, 2, 32, 16};

	setup_camera();
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_CROP, 0, &r), 0);
	expect(s, CAPTURE, V4L2_SEL_TGT_CROP, (struct v4l2_rect){6, 2, 32, 16});
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, (struct v4l2_rect){0, 0, 32, 16});
	r = (struct v4l2_rect){30, 14, 32, 16};
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_COMPOSE, 0, &r), 0);
	expect(s, CAPTURE, V4L2_SEL_TGT_CROP, (struct v4l2_rect){6, 2, 32, 16});
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, (struct v4l2_rect){30, 14, 32, 16});
	r = (struct v4l2_rect){0, 0, 40, 24};
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_CROP, 0, &r), 0);
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, (struct v4l2_rect){24, 8, 40, 24});
	r = (struct v4l2_rect){2, 2, 60, 28};
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_COMPOSE, 0, &r), 0);
	expect(s, CAPTURE, V4L2_SEL_TGT_CROP, (struct v4l2_rect){0, 0, 60, 28});
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE_PADDED, whole_picture);
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE_BOUNDS, whole_picture);
	teardown();
}

static void
setup_display(void)
{
	setup_with(&(struct h_config){.crops = true, .is_display = true});
}

/* proves: R-61 */
Test(ioctl_selection, a_direction_that_is_not_there_has_no_rectangle)
{
	const uint32_t types[] = {OUTPUT, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE};
	const uint32_t others[] = {CAPTURE, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE};
	struct v4l2_rect r = {0, 0, 16, 16};

	for (size_t i = 0; i < 4; i++) {
		uint32_t target = i / 2 ? V4L2_SEL_TGT_COMPOSE : V4L2_SEL_TGT_CROP;

		setup_camera();
		cr_assert_eq(get(s, types[i % 2], target, &r), -EINVAL);
		cr_assert_eq(set(types[i % 2], target, 0, &r), -EINVAL);
		teardown();
		setup_display();
		cr_assert_eq(get(s, others[i % 2], target, &r), -EINVAL);
		cr_assert_eq(set(others[i % 2], target, 0, &r), -EINVAL);
		teardown();
	}
}

/* proves: R-61 */
Test(ioctl_selection, a_display_crops_the_buffer_and_composes_it_on_its_screen)
{
	struct v4l2_format f = {.type = OUTPUT};
	struct v4l2_rect r;

	setup_display();
	for (uint32_t target = 0; target < 0x200; target++) {
		bool known =
			target <= V4L2_SEL_TGT_CROP_BOUNDS ||
			(target >= V4L2_SEL_TGT_COMPOSE && target <= V4L2_SEL_TGT_COMPOSE_PADDED);

		cr_assert_eq(get(s, OUTPUT, target, &r), known ? 0 : -EINVAL, "target %x", target);
	}
	r = (struct v4l2_rect){6, 2, 32, 16};
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_CROP, 0, &r), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_COMPOSE, (struct v4l2_rect){0, 0, 32, 16});
	r = (struct v4l2_rect){31, 15, 31, 15};
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_COMPOSE, V4L2_SEL_FLAG_GE, &r), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_COMPOSE, (struct v4l2_rect){30, 14, 32, 16});
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, (struct v4l2_rect){6, 2, 32, 16});
	r = (struct v4l2_rect){2, 2, 60, 28};
	cr_assert_eq(set(OUTPUT, V4L2_SEL_TGT_COMPOSE, 0, &r), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, (struct v4l2_rect){4, 2, 60, 28});
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP_BOUNDS, whole_picture);
	expect(s, OUTPUT, V4L2_SEL_TGT_COMPOSE_PADDED, whole_picture);
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	expect(s, OUTPUT, V4L2_SEL_TGT_CROP, whole_picture);
	expect(s, OUTPUT, V4L2_SEL_TGT_COMPOSE, whole_picture);
	teardown();
}

Test(ioctl_selection, constraint_flags_hold_for_both_rectangles_of_a_camera)
{
	static const struct {
		uint32_t flags;
		int ret;
		struct v4l2_rect got;
	} rows[] = {
		{0, 0, {6, 4, 32, 18}},
		{V4L2_SEL_FLAG_GE, 0, {4, 2, 32, 18}},
		{V4L2_SEL_FLAG_LE, 0, {6, 4, 30, 16}},
		{V4L2_SEL_FLAG_GE | V4L2_SEL_FLAG_LE, -ERANGE, {0, 0, H_WIDTH, H_HEIGHT}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 2; i++) {
		uint32_t target = i % 2 ? V4L2_SEL_TGT_COMPOSE : V4L2_SEL_TGT_CROP;
		struct v4l2_rect r = {5, 3, 31, 17};

		setup_camera();
		cr_assert_eq(set(CAPTURE, target, rows[i / 2].flags, &r), rows[i / 2].ret);
		expect(s, CAPTURE, target, rows[i / 2].got);
		teardown();
	}
}

Test(ioctl_selection, another_format_is_the_whole_picture_again)
{
	struct v4l2_format f = {.type = CAPTURE};
	struct v4l2_rect r = {6, 2, 32, 16};

	setup_camera();
	cr_assert_eq(set(CAPTURE, V4L2_SEL_TGT_CROP, 0, &r), 0);
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(f.fmt.pix.width, H_WIDTH, "the buffer keeps its size");
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	expect(s, CAPTURE, V4L2_SEL_TGT_CROP, whole_picture);
	expect(s, CAPTURE, V4L2_SEL_TGT_COMPOSE, whole_picture);
	teardown();
}
