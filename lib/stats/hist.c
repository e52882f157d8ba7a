/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "base/util.h"
#include "stats/hist.h"

#define SUB_COUNT (1u << HIST_SUB_BITS)

_Static_assert(sizeof(struct hist) == HIST_BUCKETS * 8 + 16, "the header states the memory");
_Static_assert(HIST_BUCKETS == 4352, "the layout is HdrHistogram's for 2 digits");

/* Below 2 * SUB_COUNT a bucket is one value wide; from there each octave has SUB_COUNT buckets. */
static uint32_t
bucket_shift(uint32_t index)
{
	return index < 2 * SUB_COUNT ? 0 : (index >> HIST_SUB_BITS) - 1;
}

uint64_t
hist_bucket_low(uint32_t index)
{
	uint32_t shift = bucket_shift(index);

	return (uint64_t)(index - (shift << HIST_SUB_BITS)) << shift;
}

uint64_t
hist_bucket_high(uint32_t index)
{
	return hist_bucket_low(index) + (1ULL << bucket_shift(index)) - 1;
}

void
hist_reset(struct hist *h)
{
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		counter_set(&h->counts[i], 0);
	}
	counter_set(&h->sum, 0);
	counter_set(&h->max, 0);
}

void
hist_snapshot(const struct hist *h, struct hist *copy)
{
	uint64_t low = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		copy->counts[i] = counter_read(&h->counts[i]);
		if (copy->counts[i] != 0) {
			low = hist_bucket_low(i);
		}
	}
	copy->sum = counter_read(&h->sum);
	/* A value may be counted already and its max not yet be visible. */
	copy->max = MAX(counter_read(&h->max), low);
}

void
hist_merge(struct hist *into, const struct hist *from)
{
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		counter_add(&into->counts[i], counter_read(&from->counts[i]));
	}
	counter_add(&into->sum, counter_read(&from->sum));
	counter_max(&into->max, counter_read(&from->max));
}

void
hist_subtract(struct hist *later, const struct hist *earlier)
{
	uint64_t high = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		later->counts[i] -= earlier->counts[i];
		if (later->counts[i] != 0) {
			high = hist_bucket_high(i);
		}
	}
	later->sum -= earlier->sum;
	/* A new maximum in the interval is known exactly, whatever its bucket. */
	if (later->max == earlier->max) {
		later->max = MIN(later->max, high);
	}
}

uint64_t
hist_count(const struct hist *h)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		count += h->counts[i];
	}
	return count;
}

double
hist_mean(const struct hist *h)
{
	uint64_t count = hist_count(h);

	return count == 0 ? 0.0 : (double)h->sum / (double)count;
}

uint64_t
hist_min(const struct hist *h)
{
	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		if (h->counts[i] != 0) {
			return hist_bucket_low(i);
		}
	}
	return 0;
}

uint64_t
hist_count_above(const struct hist *h, uint64_t value)
{
	uint64_t count = 0;

	for (uint32_t i = hist_index(MIN(value, HIST_VALUE_MAX)) + 1; i < HIST_BUCKETS; i++) {
		count += h->counts[i];
	}
	return count;
}

/*
 * 1-based rank of the wanted value among `count` sorted ones. 99.9 is not exact in binary: without
 * the tiny allowance 99.9 % of 1000 values would be the 1000th instead of the 999th.
 */
static uint64_t
percentile_rank(uint64_t count, double percent)
{
	double exact = (double)count * (percent / 100.0);
	double below = exact - exact * 1e-12;
	uint64_t rank = (uint64_t)below;

	if ((double)rank < below) {
		rank++;
	}
	return MIN(MAX(rank, 1), count);
}

static uint64_t
bucket_value(const struct hist *h, uint32_t index)
{
	/* The last bucket also has what was too large; only max knows how large. */
	if (index == HIST_BUCKETS - 1) {
		return h->max;
	}
	return MIN(hist_bucket_high(index), h->max);
}

void
hist_percentiles(const struct hist *h, const double *percents, uint64_t *values, unsigned int nb)
{
	uint64_t count = hist_count(h);
	uint64_t seen = 0;
	uint32_t index = 0;

	for (unsigned int i = 0; i < nb; i++) {
		uint64_t rank;

		if (count == 0) {
			values[i] = 0;
			continue;
		}
		rank = percentile_rank(count, MIN(MAX(percents[i], 0.0), 100.0));
		while (seen + h->counts[index] < rank) {
			seen += h->counts[index++];
		}
		values[i] = bucket_value(h, index);
	}
}

uint64_t
hist_percentile(const struct hist *h, double percent)
{
	uint64_t value;

	hist_percentiles(h, &percent, &value, 1);
	return value;
}

int
hist_percentile_is_sound(uint64_t count, double percent)
{
	return (double)count * (100.0 - percent) / 100.0 >= 10.0 - 1e-6;
}
