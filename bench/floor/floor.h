/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The floor: one cache line goes to another CPU and one comes back. No ring, no descriptor, no
 * byte of payload: no device between the same two CPUs can answer faster. It is measured in the
 * same run as everything that is compared with it, because a hypervisor may move the CPUs nearer to
 * or farther from each other at any time.
 *
 * One thread answers, one asks; both spin, so they need a CPU each.
 */
#ifndef VMEDIA_BENCH_FLOOR_H
#define VMEDIA_BENCH_FLOOR_H

#include <stdint.h>

#include "stats/hist.h"

/* Two lines apart: the hardware fetches lines in pairs. */
#define FLOOR_APART_BYTES 256

struct floor {
	_Alignas(FLOOR_APART_BYTES) uint64_t ping; /* written by who asks */
	_Alignas(FLOOR_APART_BYTES) uint64_t pong; /* written by who answers */
};

void floor_init(struct floor *f);

/* Answers until floor_end(). */
void floor_answer(struct floor *f);

/* Asks `nb` times; adds each round trip in TSC ticks, one reading of the TSC included. The other
 * thread must be in floor_answer() or on its way. */
void floor_ask(struct floor *f, uint64_t nb, struct hist *ticks);

/* Sends floor_answer() back; the next pair of calls starts with floor_init(). */
void floor_end(struct floor *f);

#endif
