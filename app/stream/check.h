/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proves a frame of backend pattern from its pixels, by lib/backend/pattern/pattern.md alone: it
 * shares no code with the renderer. Any thread, one checker per stream.
 */
#ifndef VMEDIA_APP_STREAM_CHECK_H
#define VMEDIA_APP_STREAM_CHECK_H

#include <linux/videodev2.h>
#include <stddef.h>
#include <stdint.h>

#define CHECK_NB_MISSED 3 /* no buffer, late render, late reactor */

struct check;

/* What the strip says. */
struct check_strip {
	uint16_t device;
	uint32_t sequence;
	uint64_t timestamp_ns; /* CLOCK_MONOTONIC at the start of drawing */
	uint16_t missed[CHECK_NB_MISSED];
	uint16_t input;
};

/* -ENOTSUP: a pixel format or size that pattern.md does not define. */
int check_create(const struct v4l2_pix_format *format, struct check **check);
void check_destroy(struct check *check);

/*
 * Reads the strip, then compares every byte of the frame with what pattern.md defines for it.
 * 0; -EBADMSG: the strip cannot be read; -EILSEQ: a byte is wrong; -EMSGSIZE: too few bytes. On
 * failure `why` says where (plane, x, y, found, expected). *strip is valid unless -EBADMSG.
 */
int check_frame(struct check *check, const void *pixels, size_t bytes, struct check_strip *strip,
	char *why, size_t why_bytes);

#endif
