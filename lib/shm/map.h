/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ranges the guest has mapped, and how often (virtio 1.4, 5.22.6.1.6-7). MMAP and MUNMAP are
 * arithmetic here, because the whole arena is one window of the front-end. A range lives while a
 * buffer or a mapping holds it: REQBUFS(0) and CLOSE orphan mapped buffers, MUNMAP ends them
 * . Owner thread only.
 */
#ifndef VMEDIA_SHM_MAP_H
#define VMEDIA_SHM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"

struct shm_map;

/* max_windows: live mappings, orphans included. */
int shm_map_create(struct shm_arena *arena, uint32_t max_windows, struct shm_map **map);
void shm_map_destroy(struct shm_map *map);

/* A buffer takes / gives up its range. hold: once per range, right after shm_range_alloc. release
 * returns true when no mapping is left either: the caller then punches (offload) and frees it. */
void shm_map_hold(struct shm_map *map, const struct shm_range *range);
/* One more holds it, who releases it, too. False: nobody holds such a range. */
bool shm_map_hold_again(struct shm_map *map, const struct shm_range *range);
bool shm_map_release(struct shm_map *map, const struct shm_range *range);

/* CMD_MMAP of a range that a buffer holds. -ENOMEM: too many windows. */
int shm_map_open(struct shm_map *map, const struct shm_range *range);
/*
 * CMD_MUNMAP. -EINVAL: no live window starts exactly there. 1: that was the last user of an
 * orphaned range, now in *range for the caller to punch and free. 0 otherwise.
 */
int shm_map_close(struct shm_map *map, uint64_t driver_addr, struct shm_range *range);

/* True while a window of the range is open; for a range that is not known, false. */
bool shm_map_is_mapped(const struct shm_map *map, const struct shm_range *range);
/* Live mappings, repeated ones and those of orphans each counted. */
uint32_t shm_map_nb_windows(const struct shm_map *map);
/* Bytes, in whole granules, that only windows hold (R-97: the quota of a guest). */
uint64_t shm_map_orphaned_bytes(const struct shm_map *map);

/* Reset: all windows are gone. Calls freed() for every range that nothing holds any more. */
void shm_map_reset(
	struct shm_map *map, void (*freed)(void *arg, const struct shm_range *range), void *arg);

#endif
