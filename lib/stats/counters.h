/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters with one writer and any number of readers: plain 64-bit words, written by the thread
 * that owns them and read by telemetry at any time. No lock prefix and no fence on the writer's
 * side: on x86-64 and arm64 these are ordinary loads and stores, which cannot tear.
 *
 * A counter belongs to one thread at a time. It may be handed over with the object it counts for
 * (a device moved to another reactor), because such a hand-over is ordered by a message. Two
 * counters read one after the other are each right, but need not belong to the same instant.
 * Counters wrap at 2^64 and are never reset: who wants a rate keeps the previous reading.
 */
#ifndef VMEDIA_STATS_COUNTERS_H
#define VMEDIA_STATS_COUNTERS_H

#include <stdint.h>

/* Any thread. */
static inline uint64_t
counter_read(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* The writer only, as all below. */
static inline void
counter_set(uint64_t *counter, uint64_t value)
{
	__atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static inline void
counter_add(uint64_t *counter, uint64_t n)
{
	counter_set(counter, counter_read(counter) + n);
}

static inline void
counter_inc(uint64_t *counter)
{
	counter_add(counter, 1);
}

/* For levels that go down as well (ranges in use); the caller keeps it from going below 0. */
static inline void
counter_sub(uint64_t *counter, uint64_t n)
{
	counter_set(counter, counter_read(counter) - n);
}

/* A high-water mark: keeps the larger of the two. */
static inline void
counter_max(uint64_t *counter, uint64_t value)
{
	if (value > counter_read(counter)) {
		counter_set(counter, value);
	}
}

#endif
