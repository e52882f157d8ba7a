/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <pthread.h>

#include "stats/counters.h"

#define NB_ADDS 200000u
/* Both halves of the word change with every addition: a torn read is no multiple of it. */
#define STEP 0x100000001ULL

Test(stats, a_counter_adds_subtracts_and_wraps)
{
	uint64_t counter = 0;

	counter_inc(&counter);
	counter_add(&counter, 41);
	cr_assert_eq(counter_read(&counter), 42u);
	counter_sub(&counter, 2);
	cr_assert_eq(counter_read(&counter), 40u);
	counter_set(&counter, UINT64_MAX);
	counter_inc(&counter);
	cr_assert_eq(counter_read(&counter), 0u);
}

Test(stats, a_high_water_mark_only_rises)
{
	static const uint64_t values[] = {3, 9, 4, 9, 10, 1};
	static const uint64_t marks[] = {3, 9, 9, 9, 10, 10};
	uint64_t mark = 0;

	for (unsigned int i = 0; i < 6; i++) {
		counter_max(&mark, values[i]);
		cr_assert_eq(mark, marks[i]);
	}
}

static void *
add_steps(void *arg)
{
	for (unsigned int i = 0; i < NB_ADDS; i++) {
		counter_add(arg, STEP);
	}
	return NULL;
}

Test(stats, a_reader_beside_the_writer_sees_whole_values_that_never_fall)
{
	uint64_t counter = 0, last = 0, now = 0;
	pthread_t writer;

	cr_assert_eq(pthread_create(&writer, NULL, add_steps, &counter), 0);
	while (now < NB_ADDS * STEP) {
		now = counter_read(&counter);
		cr_assert_eq(now % STEP, 0u);
		cr_assert_geq(now, last);
		last = now;
	}
	pthread_join(writer, NULL);
	cr_assert_eq(counter, NB_ADDS * STEP);
}
