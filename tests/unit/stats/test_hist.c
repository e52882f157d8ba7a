/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "stats/hist.h"

#define NB_SAMPLES 50000u

static struct hist hist_a, hist_b, hist_c;
static uint64_t samples[NB_SAMPLES];
static uint64_t random_state = 0x9e3779b97f4a7c15ULL;

static uint64_t
random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Every octave up to 2^nb_bits is equally likely. */
static uint64_t
random_wide(unsigned int nb_bits)
{
	uint64_t top = 1ULL << random_u64() % nb_bits;

	return top + random_u64() % top;
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Never below the truth, and at most 0.8 % above. */
static void
assert_close(uint64_t got, uint64_t truth, double percent)
{
	cr_assert(got >= truth && (double)(got - truth) <= 0.008 * (double)truth,
		"p%g: %llu for %llu", percent, (unsigned long long)got, (unsigned long long)truth);
}

Test(hist, buckets_follow_each_other_without_a_gap_and_cover_the_range)
{
	cr_assert_eq(hist_bucket_low(0), 0u);
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		cr_assert_eq(hist_index(hist_bucket_low(i)), i);
		cr_assert_eq(hist_index(hist_bucket_high(i)), i);
		if (i != 0) {
			cr_assert_eq(hist_bucket_low(i), hist_bucket_high(i - 1) + 1);
		}
	}
	cr_assert_eq(hist_bucket_high(HIST_BUCKETS - 1), HIST_VALUE_MAX);
}

Test(hist, a_bucket_is_narrower_than_a_128th_of_its_values)
{
	for (uint32_t i = 1; i < HIST_BUCKETS; i++) {
		uint64_t low = hist_bucket_low(i);

		cr_assert_lt(128 * (hist_bucket_high(i) - low), low, "bucket %u", i);
	}
}

Test(hist, values_below_256_are_exact)
{
	for (uint64_t v = 0; v < 256; v++) {
		cr_assert_eq(hist_bucket_low(hist_index(v)), v);
		cr_assert_eq(hist_bucket_high(hist_index(v)), v);
	}
	cr_assert_eq(hist_index(256), hist_index(257));
}

Test(hist, percentiles_of_random_samples_match_the_sorted_samples)
{
	static const double percents[] = {0, 0.01, 1, 10, 50, 90, 99, 99.9, 99.99, 100};
	uint64_t values[10], sum = 0;

	for (uint32_t i = 0; i < NB_SAMPLES; i++) {
		samples[i] = random_wide(40);
		sum += samples[i];
		hist_record(&hist_a, samples[i]);
	}
	qsort(samples, NB_SAMPLES, sizeof(samples[0]), compare_u64);
	hist_percentiles(&hist_a, percents, values, 10);
	for (unsigned int i = 0; i < 10; i++) {
		/* ceil(n * percent / 100) in whole numbers: hundredths of a percent. */
		uint64_t hundredths = (uint64_t)(percents[i] * 100 + 0.5);
		uint64_t rank = (NB_SAMPLES * hundredths + 9999) / 10000;

		assert_close(values[i], samples[rank == 0 ? 0 : rank - 1], percents[i]);
		cr_assert_eq(values[i], hist_percentile(&hist_a, percents[i]));
	}
	cr_assert_eq(values[9], samples[NB_SAMPLES - 1]);
	cr_assert_eq(hist_count(&hist_a), NB_SAMPLES);
	cr_assert_eq(hist_a.sum, sum);
	cr_assert_float_eq(hist_mean(&hist_a), (double)sum / NB_SAMPLES, 1.0);
	cr_assert_eq(hist_index(hist_min(&hist_a)), hist_index(samples[0]));
}

Test(hist, an_empty_histogram_has_no_value)
{
	cr_assert_eq(hist_count(&hist_a), 0u);
	cr_assert_eq(hist_percentile(&hist_a, 99), 0u);
	cr_assert_eq(hist_min(&hist_a), 0u);
	cr_assert_eq(hist_mean(&hist_a), 0.0);
	cr_assert_eq(hist_count_above(&hist_a, 0), 0u);
}

Test(hist, one_value_is_every_percentile_exactly)
{
	hist_record(&hist_a, 1000003);
	cr_assert_eq(hist_percentile(&hist_a, 0), 1000003u);
	cr_assert_eq(hist_percentile(&hist_a, 50), 1000003u);
	cr_assert_eq(hist_percentile(&hist_a, 99.99), 1000003u);
	cr_assert_eq(hist_a.max, 1000003u);
}

Test(hist, few_values_are_ranked_by_nearest_rank)
{
	static const double percents[] = {-5, 33, 34, 50, 66, 67, 100, 200};
	static const uint64_t values[] = {10, 10, 20, 20, 20, 30, 30, 30};

	hist_record(&hist_a, 30);
	hist_record(&hist_a, 10);
	hist_record(&hist_a, 20);
	for (unsigned int i = 0; i < 8; i++) {
		cr_assert_eq(hist_percentile(&hist_a, percents[i]), values[i], "p%g", percents[i]);
	}
}

Test(hist, binary_fractions_do_not_shift_a_rank)
{
	for (uint64_t v = 1; v <= 100; v++) {
		hist_record(&hist_a, v);
	}
	for (unsigned int percent = 1; percent <= 100; percent++) {
		cr_assert_eq(hist_percentile(&hist_a, percent), percent);
	}
	/* 999 of 1000 values are 1: the 99.9th percentile is not the outlier. */
	for (unsigned int i = 0; i < 1000; i++) {
		hist_record(&hist_b, i == 500 ? 200 : 1);
	}
	cr_assert_eq(hist_percentile(&hist_b, 99.9), 1u);
	cr_assert_eq(hist_percentile(&hist_b, 99.91), 200u);
}

Test(hist, values_above_the_range_keep_their_count_sum_and_max)
{
	hist_record(&hist_a, 5);
	hist_record(&hist_a, UINT64_MAX / 4);
	hist_record(&hist_a, HIST_VALUE_MAX + 1);
	cr_assert_eq(hist_count(&hist_a), 3u);
	cr_assert_eq(hist_a.max, UINT64_MAX / 4);
	cr_assert_eq(hist_a.sum, 5 + UINT64_MAX / 4 + HIST_VALUE_MAX + 1);
	cr_assert_eq(hist_percentile(&hist_a, 100), UINT64_MAX / 4);
	cr_assert_eq(hist_percentile(&hist_a, 1), 5u);
	cr_assert_eq(hist_a.counts[HIST_BUCKETS - 1], 2u);
}

Test(hist, merging_two_equals_recording_all_into_one)
{
	for (uint32_t i = 0; i < NB_SAMPLES; i++) {
		uint64_t value = random_wide(40);

		hist_record(i % 3 == 0 ? &hist_a : &hist_b, value);
		hist_record(&hist_c, value);
	}
	hist_merge(&hist_a, &hist_b);
	cr_assert_eq(memcmp(&hist_a, &hist_c, sizeof(hist_a)), 0);
}

Test(hist, a_reset_histogram_is_empty)
{
	hist_record(&hist_a, 1);
	hist_record(&hist_a, UINT64_MAX);
	hist_reset(&hist_a);
	cr_assert_eq(memcmp(&hist_a, &hist_b, sizeof(hist_a)), 0);
}

Test(hist, the_difference_of_two_snapshots_is_the_interval)
{
	hist_record(&hist_a, 70000);
	hist_record(&hist_a, 3);
	hist_snapshot(&hist_a, &hist_b);
	hist_record(&hist_a, 500);
	hist_record(&hist_a, 600);
	hist_snapshot(&hist_a, &hist_c);
	hist_subtract(&hist_c, &hist_b);
	cr_assert_eq(hist_count(&hist_c), 2u);
	cr_assert_eq(hist_c.sum, 1100u);
	assert_close(hist_c.max, 600, 100);
	hist_record(&hist_a, 70001);
	hist_snapshot(&hist_a, &hist_c);
	hist_subtract(&hist_c, &hist_b);
	cr_assert_eq(hist_c.max, 70001u);
}

Test(hist, values_above_a_deadline_are_counted)
{
	for (uint64_t v = 1; v <= 200; v++) {
		hist_record(&hist_a, v);
	}
	cr_assert_eq(hist_count_above(&hist_a, 150), 50u);
	cr_assert_eq(hist_count_above(&hist_a, 0), 200u);
	cr_assert_eq(hist_count_above(&hist_a, UINT64_MAX), 0u);
}

Test(hist, a_percentile_is_sound_with_ten_values_beyond_it)
{
	cr_assert(hist_percentile_is_sound(1000, 99));
	cr_assert_not(hist_percentile_is_sound(999, 99));
	cr_assert(hist_percentile_is_sound(100000, 99.99));
	cr_assert_not(hist_percentile_is_sound(99999, 99.99));
}

static void *
record_ascending(void *arg)
{
	for (uint64_t v = 1; v <= 1000000; v++) {
		hist_record(arg, v);
	}
	return NULL;
}

Test(hist, snapshots_beside_the_writer_only_grow_and_agree_with_their_max)
{
	uint64_t count = 0, last = 0;
	pthread_t writer;

	cr_assert_eq(pthread_create(&writer, NULL, record_ascending, &hist_a), 0);
	while (count < 1000000) {
		hist_snapshot(&hist_a, &hist_b);
		count = hist_count(&hist_b);
		cr_assert_geq(count, last);
		/* Values are 1, 2, 3 ...: the largest counted one is at least their number. */
		cr_assert_geq(hist_b.max, hist_bucket_low(hist_index(count)));
		cr_assert_leq(hist_percentile(&hist_b, 100), hist_b.max);
		last = count;
	}
	pthread_join(writer, NULL);
	cr_assert_eq(hist_percentile(&hist_b, 100), 1000000u);
}
