/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inputs that are a byte of options and then steps, each a u8 (what to do), a u16 length, and so
 * many bytes of arguments. A step that finds too few of them reads zeroes, surplus is ignored; so
 * a change of one step leaves the others what they were. steps.c changes inputs by whole steps.
 */
#ifndef VMEDIA_TESTS_FUZZ_STEPS_H
#define VMEDIA_TESTS_FUZZ_STEPS_H

#include "input.h"

#define STEP_HEADER_BYTES 3

/* What to do, and its arguments. */
static inline uint8_t
step_read(struct input *in, struct input *args)
{
	uint8_t what = u8(in);
	size_t n = number(in, 2);

	args->left = bytes(in, &args->at, n);
	return what;
}

#endif
