/* SPDX-License-Identifier: BSD-3-Clause */
/* libFuzzer's mutator for inputs of steps.h: one step is changed, removed, doubled, moved or new.
 */
#include "steps.h"

#include <stdbool.h>
#include <string.h>

#define MAX_STEPS 1024

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

/* The input being changed. */
static struct {
	uint8_t *data;
	size_t size, max;
} edit;

static uint32_t state;

static uint32_t
below(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return n > 0 ? state % n : 0;
}

/* Where the steps begin, and behind the last where they end. */
static unsigned int
find_steps(const uint8_t *data, size_t size, size_t at[MAX_STEPS + 1])
{
	unsigned int nb = 0;
	size_t pos = 1;

	while (nb < MAX_STEPS && pos + STEP_HEADER_BYTES <= size) {
		at[nb++] = pos;
		pos += STEP_HEADER_BYTES + (data[pos + 1] | (size_t)data[pos + 2] << 8);
	}
	at[nb] = MIN(pos, size);
	return nb;
}

/* Puts n bytes in the place of those from..to. Does nothing when that is too long. */
static void
replace(size_t from, size_t to, const uint8_t *by, size_t n)
{
	size_t size = edit.size - (to - from) + n;

	if (size > edit.max) {
		return;
	}
	memmove(edit.data + from + n, edit.data + to, edit.size - to);
	memcpy(edit.data + from, by, n);
	edit.size = size;
}

static void
change(size_t from, size_t to)
{
	static uint8_t step[STEP_HEADER_BYTES + UINT16_MAX + 16];
	size_t n = to - from - STEP_HEADER_BYTES;

	memcpy(step, edit.data + from, to - from);
	if (below(16) == 0) {
		step[0] = (uint8_t)below(256);
	} else {
		size_t most = below(4) != 0 ? MAX(n, (size_t)1) : n + 16;

		n = LLVMFuzzerMutate(step + STEP_HEADER_BYTES, n, MIN(most, (size_t)UINT16_MAX));
	}
	step[1] = (uint8_t)n;
	step[2] = (uint8_t)(n >> 8);
	replace(from, to, step, STEP_HEADER_BYTES + n);
}

/* A step with few arguments, most of them small. */
static void
insert(size_t at)
{
	const uint8_t fresh[] = {(uint8_t)below(256), 4, 0, (uint8_t)below(8), (uint8_t)below(256),
		(uint8_t)below(8), (uint8_t)below(256)};

	replace(at, at, fresh, sizeof(fresh));
}

static void
mutate(void)
{
	static uint8_t copy[STEP_HEADER_BYTES + UINT16_MAX];
	size_t at[MAX_STEPS + 1];
	unsigned int nb = find_steps(edit.data, edit.size, at), i = below(nb), j = below(nb);
	size_t n = nb > 0 ? at[i + 1] - at[i] : 0;

	if (nb == 0 || below(32) == 0) {
		edit.size = LLVMFuzzerMutate(edit.data, edit.size, edit.max);
		return;
	}
	memcpy(copy, edit.data + at[i], n);
	switch (below(8)) {
	case 0:
		replace(at[i], at[i + 1], copy, 0);
		break;
	case 1:
		replace(at[j], at[j], copy, n);
		break;
	case 2:
		insert(at[j]);
		break;
	default:
		change(at[i], at[i + 1]);
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	unsigned int nb;

	state = seed | 1;
	edit.data = data;
	edit.size = size;
	edit.max = max_size;
	for (nb = 1 + below(3); nb > 0; nb--) {
		mutate();
	}
	return edit.size;
}
