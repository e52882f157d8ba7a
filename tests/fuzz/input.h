/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes of one execution, read from the front; behind their end everything is zero. */
#ifndef VMEDIA_TESTS_FUZZ_INPUT_H
#define VMEDIA_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/util.h"

struct input {
	const uint8_t *at;
	size_t left;
};

/* What holds for every input. */
#define must(claim)                                                                 \
	do {                                                                        \
		if (!(claim)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			abort();                                                    \
		}                                                                   \
	} while (0)

static inline uint8_t
u8(struct input *in)
{
	if (in->left == 0) {
		return 0;
	}
	in->left--;
	return *in->at++;
}

/* Little-endian. */
static inline uint64_t
number(struct input *in, unsigned int nb_bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < nb_bytes; i++) {
		v |= (uint64_t)u8(in) << (8 * i);
	}
	return v;
}

/* Up to max bytes, where they lie; returns how many. */
static inline size_t
bytes(struct input *in, const uint8_t **p, size_t max)
{
	size_t n = MIN(max, in->left);

	*p = in->at;
	in->at += n;
	in->left -= n;
	return n;
}

#endif
