/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>

#include "base/clock.h"

#define CALIBRATION_NS (20 * NSEC_PER_MSEC)
#define SCALE_SHIFT    32

struct clock_pair {
	uint64_t tsc;
	uint64_t ns;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct clock_pair calibration_start;
static uint64_t tsc_hz;
static uint64_t ns_per_tsc_scaled; /* ns per tick << SCALE_SHIFT */
static uint64_t tsc_per_ns_scaled;

/* The tightest of several readings: a preempted one would be off by a time slice. */
static struct clock_pair
read_both(void)
{
	struct clock_pair best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (int i = 0; i < 16; i++) {
		uint64_t before = clock_tsc();
		uint64_t ns = clock_monotonic_ns();
		uint64_t width = clock_tsc() - before;

		if (width < best_width) {
			best_width = width;
			best.tsc = before + width / 2;
			best.ns = ns;
		}
	}
	return best;
}

static void
calibrate(void)
{
	struct clock_pair start = read_both();
	struct clock_pair end;

	calibration_start = start;
	do {
		const struct timespec nap = {0, CALIBRATION_NS};

		nanosleep(&nap, NULL);
		end = read_both();
	} while (end.ns - start.ns < CALIBRATION_NS || end.tsc == start.tsc);
	unsigned __int128 ticks = end.tsc - start.tsc;
	unsigned __int128 ns = end.ns - start.ns;

	tsc_hz = (uint64_t)(ticks * NSEC_PER_SEC / ns);
	ns_per_tsc_scaled = (uint64_t)((ns << SCALE_SHIFT) / ticks);
	tsc_per_ns_scaled = (uint64_t)((ticks << SCALE_SHIFT) / ns);
}

/* Slewed by NTP, the two part by 0.5 us in this time at most. */
#define SYNC_NS NSEC_PER_MSEC

uint64_t
clock_monotonic_at(uint64_t tsc)
{
	static __thread uint64_t base_tsc, base_ns, last_ns;
	uint64_t ns = clock_tsc_to_ns(tsc - base_tsc);

	if (__builtin_expect(ns >= SYNC_NS, 0)) {
		base_ns = clock_monotonic_ns();
		base_tsc = clock_tsc();
		ns = 0;
	}
	ns += base_ns;
	last_ns = ns > last_ns ? ns : last_ns;
	return last_ns;
}

uint64_t
clock_tsc_hz(void)
{
	pthread_once(&once, calibrate);
	return tsc_hz;
}

uint64_t
clock_tsc_hz_so_far(void)
{
	struct clock_pair now;

	pthread_once(&once, calibrate);
	now = read_both();
	return (uint64_t)((unsigned __int128)(now.tsc - calibration_start.tsc) * NSEC_PER_SEC /
			  (now.ns - calibration_start.ns));
}

uint64_t
clock_tsc_to_ns(uint64_t tsc)
{
	pthread_once(&once, calibrate);
	return (uint64_t)(((unsigned __int128)tsc * ns_per_tsc_scaled) >> SCALE_SHIFT);
}

uint64_t
clock_ns_to_tsc(uint64_t ns)
{
	pthread_once(&once, calibrate);
	return (uint64_t)(((unsigned __int128)ns * tsc_per_ns_scaled) >> SCALE_SHIFT);
}
