/* SPDX-License-Identifier: BSD-3-Clause */
/* Inside of lib/shm only: the arena's state, grouped by the thread that writes it. */
#ifndef VMEDIA_SHM_ARENA_INTERNAL_H
#define VMEDIA_SHM_ARENA_INTERNAL_H

#include "base/compiler.h"
#include "base/util.h"
#include "shm/arena.h"

struct shm_arena {
	/* Constant after creation. */
	int fd;
	bool huge;
	bool no_access;
	uint32_t page_bytes;
	uint32_t nb_granules;
	uint64_t size_bytes;
	char *base;

	/* Owner thread; the three counters are read by telemetry. */
	uint64_t *used __cache_aligned; /* one bit per granule */
	uint32_t next;                  /* granule where the next search begins */
	uint64_t nb_used;               /* granules */
	uint64_t nb_used_peak;
	uint64_t nb_ranges;

	/*
	 * Offload: one byte per granule, 1 from its first commit on. Whoever commits a range has it
	 * alone, and neighbours are different bytes: nothing here is shared with the owner thread.
	 */
	uint8_t *dirty __cache_aligned;
	bool exposed; /* atomic, never cleared: a guest could write to what no range was in yet */
};

/* The range in granules: *first, and their number as the result. */
static inline uint32_t
shm_range_granules(const struct shm_range *range, uint32_t *first)
{
	*first = range->offset / SHM_GRANULE_BYTES;
	return (uint32_t)(round_up(range->length, SHM_GRANULE_BYTES) / SHM_GRANULE_BYTES);
}

#endif
