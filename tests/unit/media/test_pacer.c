/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "media/pacer.h"

/* The n-th due time after the first, by definition. */
static uint64_t
exact(struct v4l2_fract interval, uint64_t n)
{
	unsigned __int128 ticks = (unsigned __int128)clock_tsc_hz() * interval.numerator * n;

	return (uint64_t)(ticks / interval.denominator);
}

static void
run_million(struct v4l2_fract interval)
{
	struct pacer p;
	uint64_t first, n;

	pacer_start(&p, &interval, 12345, 3);
	first = pacer_due_tsc(&p);
	for (n = 0; n < 1000000; n++) {
		cr_assert_eq(pacer_due_tsc(&p), first + exact(interval, n), "period %lu",
			(unsigned long)n);
		cr_assert_eq(pacer_advance(&p, pacer_due_tsc(&p)), 1);
	}
}

/* proves: B35 */
Test(pacer, no_drift_over_a_million_periods_of_ntsc)
{
	run_million((struct v4l2_fract){1001, 30000});
}

Test(pacer, no_drift_over_a_million_periods_of_a_seventh)
{
	run_million((struct v4l2_fract){1, 7});
}

Test(pacer, no_drift_over_a_million_periods_of_a_large_fraction)
{
	run_million((struct v4l2_fract){1000003, 60000011});
}

Test(pacer, nothing_is_due_before_its_time)
{
	struct v4l2_fract interval = {1, 30};
	struct pacer p;

	pacer_start(&p, &interval, 1000, 1);
	cr_assert_eq(pacer_advance(&p, pacer_due_tsc(&p) - 1), 0);
	cr_assert_eq(pacer_advance(&p, pacer_due_tsc(&p)), 1);
}

/* proves: B21 */
Test(pacer, overdue_periods_are_counted_each_once_also_after_a_long_stall)
{
	struct v4l2_fract interval = {1001, 30000};
	static const uint64_t stalls[] = {1, 2, 3, 7, 8, 9, 10, 1000, 123456};
	struct pacer p;
	uint64_t first, n = 0;
	size_t i;

	pacer_start(&p, &interval, 0, 0);
	first = pacer_due_tsc(&p);
	for (i = 0; i < sizeof(stalls) / sizeof(stalls[0]); i++) {
		n += stalls[i];
		cr_assert_eq(pacer_advance(&p, first + exact(interval, n) - 1), stalls[i]);
		cr_assert_eq(pacer_due_tsc(&p), first + exact(interval, n));
	}
}

Test(pacer, phases_of_consecutive_devices_divide_the_period)
{
	struct v4l2_fract interval = {1, 30};
	uint64_t period = clock_tsc_hz() / 30, due[16];
	struct pacer p;
	unsigned int i, j;

	for (i = 0; i < 16; i++) {
		pacer_start(&p, &interval, 5000, i);
		due[i] = pacer_due_tsc(&p);
		cr_assert(due[i] >= 5000 && due[i] < 5000 + period);
		for (j = 0; j < i; j++) {
			uint64_t gap = due[i] > due[j] ? due[i] - due[j] : due[j] - due[i];

			cr_assert(
				gap > period / 40 && gap < period - period / 40, "%u and %u", i, j);
		}
	}
}
