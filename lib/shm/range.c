/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "shm/arena_internal.h"
#include "stats/counters.h"

LOG_TYPE_USE(shm);

/* ---- Owner thread ---- */

/* First granule from `from` on, below `to`, that is used (or free); `to` if there is none. */
static uint32_t
find_bit(const struct shm_arena *arena, uint32_t from, uint32_t to, bool used)
{
	while (from < to) {
		uint64_t word = arena->used[from / 64] ^ (used ? 0 : UINT64_MAX);

		word &= UINT64_MAX << (from % 64);
		if (word != 0) {
			return MIN((from & ~63u) + (uint32_t)__builtin_ctzll(word), to);
		}
		from = (from & ~63u) + 64;
	}
	return to;
}

/* Start of the first free run of nb granules within [from, to); -ENOMEM. */
static int64_t
find_run(const struct shm_arena *arena, uint32_t from, uint32_t to, uint32_t nb)
{
	while (from < to && to - from >= nb) {
		uint32_t start = find_bit(arena, from, to, false);
		uint32_t end = find_bit(arena, start, to, true);

		if (end - start >= nb) {
			return start;
		}
		from = end;
	}
	return -ENOMEM;
}

static bool
all_used(const struct shm_arena *arena, uint32_t first, uint32_t nb)
{
	return nb != 0 && first + (uint64_t)nb <= arena->nb_granules &&
	       find_bit(arena, first, first + nb, false) == first + nb;
}

/* Word by word: a 4K picture is 190 granules, and the reactor waits. */
static void
set_used(struct shm_arena *arena, uint32_t first, uint32_t nb, bool used)
{
	uint32_t end = first + nb;

	while (first < end) {
		uint32_t bit = first % 64;
		uint32_t n = MIN(64 - bit, end - first);
		uint64_t mask = (UINT64_MAX >> (64 - n)) << bit;

		if (used) {
			arena->used[first / 64] |= mask;
		} else {
			arena->used[first / 64] &= ~mask;
		}
		first += n;
	}
}

int
shm_range_alloc(struct shm_arena *arena, uint32_t length, struct shm_range *range)
{
	struct shm_range wanted = {0, length};
	uint32_t nb, first;
	int64_t start;

	if (length == 0 || length > arena->size_bytes) {
		return -EINVAL;
	}
	nb = shm_range_granules(&wanted, &first);
	start = find_run(arena, arena->next, arena->nb_granules, nb);
	if (start < 0) {
		/* A run may begin before `next` and reach beyond it, so the whole is searched. */
		start = find_run(arena, 0, arena->nb_granules, nb);
	}
	if (start < 0) {
		return -ENOMEM;
	}
	set_used(arena, (uint32_t)start, nb, true);
	arena->next = ((uint32_t)start + nb) % arena->nb_granules;
	counter_add(&arena->nb_used, nb);
	counter_max(&arena->nb_used_peak, arena->nb_used);
	counter_inc(&arena->nb_ranges);
	range->offset = (uint32_t)start * SHM_GRANULE_BYTES;
	range->length = length;
	return 0;
}

void
shm_range_free(struct shm_arena *arena, const struct shm_range *range)
{
	uint32_t first;
	uint32_t nb = shm_range_granules(range, &first);

	if (range->offset % SHM_GRANULE_BYTES != 0 || !all_used(arena, first, nb)) {
		log_err(&log_shm, "range at 0x%x, %u bytes, is not allocated and cannot be freed",
			range->offset, range->length);
		return;
	}
	set_used(arena, first, nb, false);
	counter_sub(&arena->nb_used, nb);
	counter_sub(&arena->nb_ranges, 1);
}

void
shm_arena_usage(const struct shm_arena *arena, struct shm_arena_usage *usage)
{
	usage->size_bytes = arena->size_bytes;
	usage->allocated_bytes = counter_read(&arena->nb_used) * SHM_GRANULE_BYTES;
	usage->peak_bytes = counter_read(&arena->nb_used_peak) * SHM_GRANULE_BYTES;
	usage->nb_ranges = (uint32_t)counter_read(&arena->nb_ranges);
}

void
shm_arena_expose(struct shm_arena *arena)
{
	__atomic_store_n(&arena->exposed, true, __ATOMIC_RELAXED);
}

/* ---- Offload ---- */

static int
file_allocate(const struct shm_arena *arena, int mode, uint64_t offset, uint64_t length)
{
	while (fallocate(arena->fd, mode, (off_t)offset, (off_t)length) != 0) {
		if (errno != EINTR) {
			return errno == ENOSPC ? -ENOMEM : -errno;
		}
	}
	return 0;
}

static int
punch_hole(const struct shm_arena *arena, uint64_t offset, uint64_t length)
{
	return file_allocate(arena, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

/* True when one of the granules was in use before; all count as such from now on. */
static bool
test_and_set_dirty(struct shm_arena *arena, uint32_t first, uint32_t nb)
{
	uint8_t dirty = 0;

	for (uint32_t i = first; i < first + nb; i++) {
		dirty |= __atomic_exchange_n(&arena->dirty[i], 1, __ATOMIC_RELAXED);
	}
	return dirty != 0;
}

/*
 * Huge pages are shared by several ranges, and not every kernel zeroes the ends of a hole. With
 * the arena closed to us a second mapping, gone again at once, is used; it needs no more pages,
 * because the reservation belongs to the file.
 */
static int
zero_huge(const struct shm_arena *arena, uint64_t offset, uint64_t length)
{
	uint64_t start = round_down(offset, arena->page_bytes);
	uint64_t end = round_up(offset + length, arena->page_bytes);
	char *map;

	if (!arena->no_access) {
		memset(arena->base + offset, 0, length);
		return 0;
	}
	map = mmap(NULL, end - start, PROT_READ | PROT_WRITE, MAP_SHARED, arena->fd, (off_t)start);
	if (map == MAP_FAILED) {
		return -errno;
	}
	memset(map + (offset - start), 0, length);
	munmap(map, end - start);
	return 0;
}

/* Page tables are filled here rather than by faults of the reactor; without it, it is only slower.
 */
static void
populate(const struct shm_arena *arena, uint64_t offset, uint64_t length)
{
#ifdef MADV_POPULATE_WRITE
	uint64_t start = round_down(offset, arena->page_bytes);
	uint64_t end = round_up(offset + length, arena->page_bytes);

	if (!arena->no_access) {
		(void)madvise(arena->base + start, end - start, MADV_POPULATE_WRITE);
	}
#endif
}

int
shm_range_commit(struct shm_arena *arena, const struct shm_range *range)
{
	uint32_t first;
	uint32_t nb = shm_range_granules(range, &first);
	uint64_t length = (uint64_t)nb * SHM_GRANULE_BYTES;
	bool used = test_and_set_dirty(arena, first, nb);
	bool dirty = used || __atomic_load_n(&arena->exposed, __ATOMIC_RELAXED);
	int ret = 0;

	/*
	 * "Was punched when freed" is not enough to know that a range is zero: the guest can write
	 * any byte of its window, and a stale mapping does (T-24). Only never used is clean, and
	 * only as long as no guest has the window: the arena outlives it, and the next may be
	 * another's.
	 */
	if (dirty && !arena->huge) {
		ret = punch_hole(arena, range->offset, length);
	}
	/*
	 * By our mapping first, which knows the node to take them from: fallocate(2) takes huge
	 * pages from where this thread runs. It says whether all are there.
	 */
	if (ret == 0) {
		populate(arena, range->offset, length);
		ret = file_allocate(arena, 0, range->offset, length);
	}
	if (ret == 0 && dirty && arena->huge) {
		ret = zero_huge(arena, range->offset, length);
	}
	return ret;
}

bool
shm_arena_punches(const struct shm_arena *arena)
{
	return !arena->huge;
}

void
shm_range_punch(struct shm_arena *arena, const struct shm_range *range)
{
	uint32_t first;
	uint64_t length = (uint64_t)shm_range_granules(range, &first) * SHM_GRANULE_BYTES;
	int ret;

	if (!shm_arena_punches(arena)) {
		return;
	}
	ret = punch_hole(arena, range->offset, length);
	if (ret != 0) {
		log_warning(&log_shm, "cannot give back %u bytes at 0x%x: %s", range->length,
			range->offset, strerror(-ret));
	}
}
