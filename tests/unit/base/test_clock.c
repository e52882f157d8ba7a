/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"

Test(clock, conversions_are_inverse_to_a_tick)
{
	for (uint64_t ns = 1; ns < 1ULL << 50; ns = ns * 3 + 1) {
		uint64_t back = clock_tsc_to_ns(clock_ns_to_tsc(ns));
		uint64_t error = back > ns ? back - ns : ns - back;

		/* rounding of one tick, and of the 32-bit fraction over a long time */
		cr_assert_leq(error, 2 + (ns >> 30), "%lu ns came back as %lu", ns, back);
	}
}

Test(clock, a_second_has_tsc_hz_ticks)
{
	uint64_t hz = clock_tsc_hz();
	uint64_t ticks = clock_ns_to_tsc(NSEC_PER_SEC);

	cr_assert_gt(hz, 1000000);
	cr_assert_leq(ticks > hz ? ticks - hz : hz - ticks, 1 + hz / 1000000);
}

Test(clock, the_rate_so_far_is_that_of_the_calibration_and_finer)
{
	uint64_t hz = clock_tsc_hz();
	uint64_t so_far = clock_tsc_hz_so_far();

	/* 20 ms against some more: both are good to 100 ppm, also where the thread was kept waiting
	 */
	cr_assert_leq(
		so_far > hz ? so_far - hz : hz - so_far, hz / 10000, "%lu and %lu", hz, so_far);
}

Test(clock, the_tsc_goes_forward)
{
	uint64_t last = clock_tsc();

	for (int i = 0; i < 100000; i++) {
		uint64_t now = clock_tsc();

		cr_assert_geq(now, last);
		last = now;
	}
}

Test(clock, the_time_of_a_tick_is_that_of_the_monotonic_clock)
{
	unsigned int nb_near = 0, nb = 200000;
	uint64_t last = 0;

	for (unsigned int i = 0; i < nb; i++) {
		uint64_t before = clock_monotonic_ns();
		uint64_t ns = clock_monotonic_at(clock_tsc());
		uint64_t after = clock_monotonic_ns();

		cr_assert_geq(ns, last);
		last = ns;
		nb_near += ns + NSEC_PER_USEC >= before && ns <= after + NSEC_PER_USEC;
	}
	/* Whoever was preempted while it looked at both clocks is off by that for a ms. */
	cr_expect_geq(nb_near, nb / 2, "%u of %u within 1 us", nb_near, nb);
}
