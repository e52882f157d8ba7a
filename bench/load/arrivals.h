/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. When commands are due: evenly spaced, or a Poisson process. Reproducible by its seed. */
#ifndef VMEDIA_BENCH_ARRIVALS_H
#define VMEDIA_BENCH_ARRIVALS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct arrivals {
	double mean_tsc; /* between two */
	double next_tsc; /* since start_tsc: fractions of a tick add up; the first is due at 0 */
	uint64_t start_tsc, state;
	bool poisson;
};

static inline void
arrivals_start(struct arrivals *a, uint64_t now_tsc)
{
	a->start_tsc = now_tsc;
}

/* The schedule stands still after `ticks`, until the next arrivals_start(). */
static inline void
arrivals_stop(struct arrivals *a, uint64_t ticks)
{
	a->next_tsc -= (double)ticks;
}

/* xorshift64*; above 0, at most 1. */
static inline double
arrivals_random(struct arrivals *a)
{
	a->state ^= a->state >> 12;
	a->state ^= a->state << 25;
	a->state ^= a->state >> 27;
	return (double)((a->state * 0x2545f4914f6cdd1dULL >> 11) + 1) / (double)(1ULL << 53);
}

/* The time of the command that is due next; it stays until arrivals_pass(). */
static inline uint64_t
arrivals_due(const struct arrivals *a)
{
	return a->start_tsc + (uint64_t)a->next_tsc;
}

static inline void
arrivals_pass(struct arrivals *a)
{
	a->next_tsc += a->poisson ? -log(arrivals_random(a)) * a->mean_tsc : a->mean_tsc;
}

#endif
