/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One picture into another: format, size, flips. Any thread; one converter by one thread at a time.
 *
 * The arithmetic is libyuv's. Between YUV and RGB: ITU-R BT.601, limited range. GREY is the luma of
 * YUV, limited range as well. Chroma keeps the resolution that both formats have; scaling averages
 * (box filter) when it makes smaller and interpolates when it makes larger.
 */
#ifndef VMEDIA_BACKEND_TRANSFORM_CONVERT_H
#define VMEDIA_BACKEND_TRANSFORM_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

/* A picture in the layout of a V4L2 format that format_layout has filled; then its selection. */
struct convert_picture {
	struct vmedia_format format;
	uint8_t *planes[VIDEO_MAX_PLANES]; /* memory planes; the caller's */
};

struct convert_flips {
	bool horizontal, vertical;
};

/* Memory between the steps, kept from one picture to the next. All zero: a new one. */
struct converter {
	uint8_t *memory[2];
	size_t memory_bytes[2];
};

/* True: convert_run knows this fourcc. */
bool convert_knows(uint32_t fourcc);

/* The selection of `from` becomes that of `to`, of which every byte is written and no other. All
 * numbers of the selections are even. -EINVAL: a format that convert_knows denies; -ENOMEM. */
int convert_run(struct converter *converter, const struct convert_picture *from,
	const struct convert_picture *to, struct convert_flips flips);

void converter_fini(struct converter *converter);

#endif
