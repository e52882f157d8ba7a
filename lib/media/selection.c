/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/selection.h"

#include <errno.h>

#include "base/util.h"

#define KNOWN_FLAGS (V4L2_SEL_FLAG_GE | V4L2_SEL_FLAG_LE | V4L2_SEL_FLAG_KEEP_CONFIG)

/* One direction of a rectangle: from, up to but not including, to. */
struct span {
	int64_t from, to;
};

static int64_t
round_to(int64_t value, int64_t step, int64_t add)
{
	int64_t up = value + add;
	int64_t rest = up % step;

	return up - (rest < 0 ? rest + step : rest);
}

static int64_t
clamp(int64_t value, int64_t low, int64_t high)
{
	return MAX(low, MIN(value, high));
}

/* The nearest size, then the nearest place for it. */
static struct span
nearest(struct span wish, int64_t bound, int64_t min, int64_t step)
{
	int64_t size = clamp(round_to(wish.to - wish.from, step, step / 2), min, bound);
	int64_t from = clamp(round_to(wish.from, step, step / 2), 0, bound - size);

	return (struct span){from, from + size};
}

/* Grows outwards to the step, and where that is too small, further to the right, else to the left.
 */
static struct span
around(struct span wish, int64_t bound, int64_t min, int64_t step)
{
	struct span s = {MAX(round_to(wish.from, step, 0), 0),
		MIN(round_to(wish.to, step, step - 1), bound)};

	s.to = MIN(MAX(s.to, s.from + min), bound);
	s.from = MAX(MIN(s.from, s.to - min), 0);
	return s;
}

static struct span
inside(struct span wish, int64_t bound, int64_t step)
{
	return (struct span){MAX(round_to(wish.from, step, step - 1), 0),
		MIN(round_to(wish.to, step, 0), bound)};
}

static int
adjust(struct span *span, uint32_t flags, int64_t bound, int64_t min, int64_t step)
{
	struct span wish = *span;
	struct span s = flags & V4L2_SEL_FLAG_GE   ? around(wish, bound, min, step)
	                : flags & V4L2_SEL_FLAG_LE ? inside(wish, bound, step)
	                                           : nearest(wish, bound, min, step);

	if (((flags & V4L2_SEL_FLAG_GE) && (s.from > wish.from || s.to < wish.to)) ||
		((flags & V4L2_SEL_FLAG_LE) && (s.from < wish.from || s.to > wish.to)) ||
		s.to - s.from < min) {
		return -ERANGE;
	}
	*span = s;
	return 0;
}

int
selection_adjust(const struct selection_limits *limits, uint32_t flags, struct v4l2_rect *r)
{
	struct span x = {r->left, (int64_t)r->left + r->width};
	struct span y = {r->top, (int64_t)r->top + r->height};
	int ret;

	if ((flags & ~(uint32_t)KNOWN_FLAGS) != 0) {
		return -EINVAL;
	}
	ret = adjust(&x, flags, limits->width, limits->min_width, limits->step);
	if (ret == 0) {
		ret = adjust(&y, flags, limits->height, limits->min_height, limits->step);
	}
	if (ret == 0) {
		*r = (struct v4l2_rect){(int32_t)x.from, (int32_t)y.from, (uint32_t)(x.to - x.from),
			(uint32_t)(y.to - y.from)};
	}
	return ret;
}
