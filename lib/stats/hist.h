/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: hist_record is on the path of every command. */
/*
 * Histogram of fixed memory for durations: log-linear, 128 steps per power of two. The unit is the
 * user's (ns or TSC ticks); it is stored nowhere, the name of the variable tells it (rtt_ns).
 *
 *   range      0 .. 2^40 - 1 (in ns: 18 minutes); larger values are counted in the last bucket,
 *              max and sum still have their real value
 *   error      none below 256, else less than 1/128 = 0.78 % of the value, always upwards
 *   memory     HIST_BUCKETS * 8 + 16 = 34,832 bytes, of which only the touched lines get warm
 *   layout     that of HdrHistogram with 2 significant digits and unit 1: its counts array is
 *              counts[] index for index
 *
 * One writer; readers copy with hist_snapshot() at any time and then work on the copy. A histogram
 * that is all zeroes is valid and empty.
 */
#ifndef VMEDIA_STATS_HIST_H
#define VMEDIA_STATS_HIST_H

#include <stdint.h>

#include "base/compiler.h"
#include "stats/counters.h"

#define HIST_SUB_BITS   7u
#define HIST_VALUE_BITS 40u
#define HIST_BUCKETS    ((HIST_VALUE_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)
#define HIST_VALUE_MAX  ((1ULL << HIST_VALUE_BITS) - 1)

struct hist {
	uint64_t sum; /* of all values, modulo 2^64 */
	uint64_t max; /* exact */
	uint64_t counts[HIST_BUCKETS];
};

/* The bucket of a value; values from 0 to HIST_VALUE_MAX. */
static inline uint32_t
hist_index(uint64_t value)
{
	uint32_t top = 63u - (uint32_t)__builtin_clzll(value | (1u << HIST_SUB_BITS));
	uint32_t shift = top - HIST_SUB_BITS;

	return (shift << HIST_SUB_BITS) + (uint32_t)(value >> shift);
}

/* Writer. 1.4 to 1.7 ns in a loop over random values, three stores, no fence. */
static inline void
hist_record(struct hist *h, uint64_t value)
{
	uint64_t capped = likely(value <= HIST_VALUE_MAX) ? value : HIST_VALUE_MAX;

	counter_inc(&h->counts[hist_index(capped)]);
	counter_add(&h->sum, value);
	if (unlikely(value > counter_read(&h->max))) {
		counter_set(&h->max, value);
	}
}

/* Smallest and largest value that bucket `index` stands for. */
uint64_t hist_bucket_low(uint32_t index);
uint64_t hist_bucket_high(uint32_t index);

/* Writer (or nobody else is using it). */
void hist_reset(struct hist *h);

/*
 * Copies while the writer goes on: each count is right at the moment it was read, and sum and max
 * may differ from the counts by what was recorded meanwhile. Any thread; *copy is the caller's.
 */
void hist_snapshot(const struct hist *h, struct hist *copy);

/* Adds `from` (a snapshot, or quiet) to `into`, which the caller owns. */
void hist_merge(struct hist *into, const struct hist *from);

/*
 * What was recorded between two snapshots of one histogram: *later becomes the difference. Its max
 * is exact when it was reached in between, else the upper end of the highest bucket (0.78 %).
 */
void hist_subtract(struct hist *later, const struct hist *earlier);

/* The functions below want a snapshot or a histogram that is quiet. */

/* Number of values. */
uint64_t hist_count(const struct hist *h);
/* Mean of the values; 0 when empty. */
double hist_mean(const struct hist *h);
/* Lower end of the lowest bucket in use; 0 when empty. */
uint64_t hist_min(const struct hist *h);
/* Number of values in buckets that lie wholly above `value` (misses of a deadline). */
uint64_t hist_count_above(const struct hist *h, uint64_t value);

/*
 * The value that at least percent % of all values do not exceed (nearest rank: of n values the
 * ceil(n * percent / 100)-th smallest), as the upper end of its bucket and at most max: it is
 * never below the true one and less than 0.78 % above. percent 0 gives the lowest, 100 is max;
 * outside of that it is taken as the nearer end. 0 when empty.
 *
 * With fewer than 10 values beyond it a percentile says little: see hist_percentile_is_sound.
 */
uint64_t hist_percentile(const struct hist *h, double percent);

/* Several at once in one pass; percents ascending, values[i] belongs to percents[i]. */
void hist_percentiles(
	const struct hist *h, const double *percents, uint64_t *values, unsigned int nb);

/* True when at least 10 of `count` values lie beyond that percentile. */
int hist_percentile_is_sound(uint64_t count, double percent);

#endif
