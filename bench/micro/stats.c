/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. */
#include "base/clock.h"
#include "micro/micro.h"
#include "stats/hist.h"
#include "trace/hooks.h"

static struct hist hist;

/* The loop alone would be a vector instruction. */
#define keep(value) __asm__ volatile("" ::"r"(value) : "memory")

static uint64_t
run_loop(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		keep(i);
	}
	return clock_tsc() - begin_tsc;
}

static uint64_t
run_hist(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc(), value = 1;

	for (uint64_t i = 0; i < n; i++) {
		value = value * 6364136223846793005ULL + 1442695040888963407ULL;
		hist_record(&hist, value >> 50);
	}
	return clock_tsc() - begin_tsc;
}

static uint64_t
run_tracepoint(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		trace_hook(ring_stop, .device = (uint16_t)i, .queue = 0);
		keep(i);
	}
	return clock_tsc() - begin_tsc;
}

static uint64_t
run_tsc(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		keep(clock_tsc());
	}
	return clock_tsc() - begin_tsc;
}

static uint64_t
run_monotonic(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		keep(clock_monotonic_ns());
	}
	return clock_tsc() - begin_tsc;
}

const struct micro micro_stats[] = {
	{.name = "loop", .what = "the loop around the rows below", .nb = 1000000, .run = run_loop},
	{.name = "histogram", .what = "record a random value", .nb = 1000000, .run = run_hist},
	{.name = "tracepoint",
		.what = "one that nobody listens to",
		.nb = 1000000,
		.run = run_tracepoint},
	{.name = "tsc", .what = "read the TSC", .nb = 1000000, .run = run_tsc},
	{.name = "monotonic", .what = "read CLOCK_MONOTONIC", .nb = 300000, .run = run_monotonic},
	{.name = NULL},
};
