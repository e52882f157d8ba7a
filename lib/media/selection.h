/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rectangles by V4L2's rules: what is asked for becomes what can be, and constraint flags say in
 * which direction. Arithmetic only; every number may come from a hostile guest.
 */
#ifndef VMEDIA_MEDIA_SELECTION_H
#define VMEDIA_MEDIA_SELECTION_H

#include <stdint.h>

#include <linux/videodev2.h>

struct selection_limits {
	uint32_t width, height; /* of the picture the rectangle lies in */
	uint32_t min_width, min_height;
	uint32_t step; /* of all four numbers; divides the four above */
};

/*
 * flags: V4L2_SEL_FLAG_*. Without GE and LE the nearest size at the nearest place; GE: *r lies in
 * the result; LE: the result lies in *r; both: exactly *r. -ERANGE: there is no such rectangle,
 * -EINVAL: unknown flags; *r is then unchanged.
 */
int selection_adjust(const struct selection_limits *limits, uint32_t flags, struct v4l2_rect *r);

#endif
