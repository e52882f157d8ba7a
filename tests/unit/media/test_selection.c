/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "media/selection.h"

#define GE V4L2_SEL_FLAG_GE
#define LE V4L2_SEL_FLAG_LE

static const struct selection_limits limits = {640, 480, 16, 16, 2};

static const struct {
	struct v4l2_rect wish;
	uint32_t flags;
	int ret;
	struct v4l2_rect got;
} rows[] = {
	{{0, 0, 640, 480}, 0, 0, {0, 0, 640, 480}},
	{{0, 0, 640, 480}, GE | LE, 0, {0, 0, 640, 480}},
	{{10, 20, 100, 50}, GE | LE, 0, {10, 20, 100, 50}},
	{{11, 20, 100, 50}, GE | LE, -ERANGE, {0}},
	{{11, 21, 99, 51}, 0, 0, {12, 22, 100, 52}},
	{{11, 21, 99, 51}, GE, 0, {10, 20, 100, 52}},
	{{11, 21, 99, 51}, LE, 0, {12, 22, 98, 50}},
	{{0, 0, 1000, 1000}, 0, 0, {0, 0, 640, 480}},
	{{0, 0, 1000, 1000}, GE, -ERANGE, {0}},
	{{0, 0, 1000, 1000}, LE, 0, {0, 0, 640, 480}},
	{{-10, -10, 50, 50}, 0, 0, {0, 0, 50, 50}},
	{{-10, -10, 50, 50}, GE, -ERANGE, {0}},
	{{-10, -10, 50, 50}, LE, 0, {0, 0, 40, 40}},
	{{600, 470, 100, 100}, 0, 0, {540, 380, 100, 100}},
	{{0, 0, 1, 1}, 0, 0, {0, 0, 16, 16}},
	{{0, 0, 1, 1}, GE, 0, {0, 0, 16, 16}},
	{{0, 0, 1, 1}, LE, -ERANGE, {0}},
	{{639, 479, 1, 1}, GE, 0, {624, 464, 16, 16}},
	{{5, 5, 0, 0}, 0, 0, {6, 6, 16, 16}},
	{{INT_MAX, INT_MIN, UINT_MAX, UINT_MAX}, 0, 0, {0, 0, 640, 480}},
	{{INT_MIN, INT_MIN, UINT_MAX, UINT_MAX}, LE, 0, {0, 0, 640, 480}},
	{{0, 0, 64, 64}, 1u << 3, -EINVAL, {0}},
	{{0, 0, 64, 64}, V4L2_SEL_FLAG_KEEP_CONFIG, 0, {0, 0, 64, 64}},
};

/* proves: B10 */
Test(selection, wishes_become_what_the_flags_allow)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct v4l2_rect r = rows[i].wish, want = rows[i].ret == 0 ? rows[i].got : r;

		cr_assert_eq(
			selection_adjust(&limits, rows[i].flags, &r), rows[i].ret, "row %zu", i);
		cr_assert(r.left == want.left && r.top == want.top && r.width == want.width &&
				  r.height == want.height,
			"row %zu: (%d,%d) %ux%u", i, r.left, r.top, r.width, r.height);
	}
}

static int32_t
number(int32_t range)
{
	return rand() % 16 == 0 ? (int32_t)(rand() * 3u) : rand() % range - range / 8;
}

Test(selection, random_wishes_give_aligned_rectangles_within_the_picture)
{
	for (int i = 0; i < 200000; i++) {
		struct v4l2_rect wish = {
			number(700), number(500), (uint32_t)number(700), (uint32_t)number(500)};
		uint32_t flags = (uint32_t)rand() % 8;
		struct v4l2_rect r = wish;

		if (selection_adjust(&limits, flags, &r) != 0) {
			cr_assert(flags & (GE | LE), "without constraints there is always one");
			continue;
		}
		cr_assert(r.left >= 0 && r.top >= 0 && r.width >= 16 && r.height >= 16);
		cr_assert(r.left + r.width <= 640 && r.top + r.height <= 480);
		cr_assert((r.left | r.top | (int32_t)r.width | (int32_t)r.height) % 2 == 0);
		if (flags & GE) {
			cr_assert(r.left <= wish.left && r.top <= wish.top);
			cr_assert(r.left + (int64_t)r.width >= wish.left + (int64_t)wish.width);
			cr_assert(r.top + (int64_t)r.height >= wish.top + (int64_t)wish.height);
		}
		if (flags & LE) {
			cr_assert(r.left >= wish.left && r.top >= wish.top);
			cr_assert(r.left + (int64_t)r.width <= wish.left + (int64_t)wish.width);
			cr_assert(r.top + (int64_t)r.height <= wish.top + (int64_t)wish.height);
		}
	}
}
