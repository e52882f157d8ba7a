/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "shm/arena_internal.h"
#include "shm/map.h"

LOG_TYPE_USE(shm);

/* What is known of the range that starts at this granule; length 0: no range starts here. */
struct entry {
	uint32_t length;
	uint32_t nb_windows;
	uint32_t nb_holds;
};

struct shm_map {
	uint32_t nb_entries;
	uint32_t nb_windows;
	uint32_t max_windows;
	uint64_t orphaned_bytes;
	struct entry entries[]; /* one per granule, so that an address is its own index */
};

int
shm_map_create(struct shm_arena *arena, uint32_t max_windows, struct shm_map **map)
{
	struct shm_map *m = calloc(1, sizeof(*m) + arena->nb_granules * sizeof(m->entries[0]));

	if (m == NULL) {
		return -ENOMEM;
	}
	m->nb_entries = arena->nb_granules;
	m->max_windows = max_windows;
	*map = m;
	return 0;
}

void
shm_map_destroy(struct shm_map *map)
{
	free(map);
}

static uint64_t
entry_bytes(const struct entry *e)
{
	return round_up(e->length, SHM_GRANULE_BYTES);
}

/* The entry of an address from the guest, or NULL. */
static struct entry *
entry_at(struct shm_map *map, uint64_t addr)
{
	uint64_t index = addr / SHM_GRANULE_BYTES;

	if (addr % SHM_GRANULE_BYTES != 0 || index >= map->nb_entries ||
		map->entries[index].length == 0) {
		return NULL;
	}
	return &map->entries[index];
}

/* The entry of exactly this range, or NULL. */
static struct entry *
entry_of(struct shm_map *map, const struct shm_range *range)
{
	struct entry *e = entry_at(map, range->offset);

	return e != NULL && e->length == range->length ? e : NULL;
}

void
shm_map_hold(struct shm_map *map, const struct shm_range *range)
{
	uint32_t index = range->offset / SHM_GRANULE_BYTES;

	if (range->length == 0 || index >= map->nb_entries || map->entries[index].length != 0) {
		log_err(&log_shm, "range at 0x%x, %u bytes, is held twice", range->offset,
			range->length);
		return;
	}
	map->entries[index] = (struct entry){range->length, 0, 1};
}

bool
shm_map_hold_again(struct shm_map *map, const struct shm_range *range)
{
	struct entry *e = entry_of(map, range);

	if (e == NULL || e->nb_holds == 0) {
		return false;
	}
	e->nb_holds++;
	return true;
}

bool
shm_map_release(struct shm_map *map, const struct shm_range *range)
{
	struct entry *e = entry_of(map, range);

	if (e == NULL || e->nb_holds == 0) {
		log_err(&log_shm, "range at 0x%x, %u bytes, is released and not held",
			range->offset, range->length);
		return false;
	}
	if (--e->nb_holds != 0) {
		return false;
	}
	/* Bytes are counted in granules, as usage does: an orphan blocks whole ones. */
	if (e->nb_windows != 0) {
		map->orphaned_bytes += entry_bytes(e);
		return false;
	}
	e->length = 0;
	return true;
}

int
shm_map_open(struct shm_map *map, const struct shm_range *range)
{
	struct entry *e = entry_of(map, range);

	if (e == NULL || e->nb_holds == 0) {
		return -EINVAL;
	}
	if (map->nb_windows >= map->max_windows) {
		return -ENOMEM;
	}
	e->nb_windows++;
	map->nb_windows++;
	return 0;
}

int
shm_map_close(struct shm_map *map, uint64_t driver_addr, struct shm_range *range)
{
	struct entry *e = entry_at(map, driver_addr);

	/* Surplus and middle-of-window addresses are what a Linux guest sends after fork() (T-24).
	 */
	if (e == NULL || e->nb_windows == 0) {
		return -EINVAL;
	}
	e->nb_windows--;
	map->nb_windows--;
	if (e->nb_holds != 0 || e->nb_windows != 0) {
		return 0;
	}
	range->offset = (uint32_t)driver_addr;
	range->length = e->length;
	map->orphaned_bytes -= entry_bytes(e);
	e->length = 0;
	return 1;
}

bool
shm_map_is_mapped(const struct shm_map *map, const struct shm_range *range)
{
	uint32_t index = range->offset / SHM_GRANULE_BYTES;

	return range->offset % SHM_GRANULE_BYTES == 0 && index < map->nb_entries &&
	       map->entries[index].nb_windows != 0;
}

uint32_t
shm_map_nb_windows(const struct shm_map *map)
{
	return map->nb_windows;
}

uint64_t
shm_map_orphaned_bytes(const struct shm_map *map)
{
	return map->orphaned_bytes;
}

void
shm_map_reset(
	struct shm_map *map, void (*freed)(void *arg, const struct shm_range *range), void *arg)
{
	map->nb_windows = 0;
	map->orphaned_bytes = 0;
	for (uint32_t i = 0; i < map->nb_entries; i++) {
		struct entry *e = &map->entries[i];
		struct shm_range range = {i * SHM_GRANULE_BYTES, e->length};

		/* freed() may look at the map: this entry is finished first. */
		e->nb_windows = 0;
		if (e->length != 0 && e->nb_holds == 0) {
			e->length = 0;
			freed(arg, &range);
		}
	}
}
