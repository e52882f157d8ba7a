/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared memory region 0 as we show it to the driver: a reserved range of addresses into which the
 * helper thread maps what the back-end sends with SHMEM_MAP, as strictly as the strictest VMM
 * (vmm.md 1.3, 1.4). The driver's thread asks whether a range is backed. A mutex orders the two.
 */
#ifndef VMEDIA_DRIVER_WINDOW_H
#define VMEDIA_DRIVER_WINDOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WINDOW_MAX_MAPS 7 /* one memory region each; the eighth is guest memory */
#define WINDOW_GPA      0x4000000000ULL

struct window_map {
	uint64_t shm_offset, len, fd_offset;
	int fd; /* ours, kept for the memory table */
};

struct window {
	pthread_mutex_t lock;
	uint8_t *reserved; /* what mmap gave */
	uint64_t reserved_bytes;
	uint8_t *base;  /* aligned start of the region */
	uint64_t bytes; /* 0: no region */
	struct window_map maps[WINDOW_MAX_MAPS];
	unsigned int nb_maps, max_maps;
};

/* The 40 bytes of SHMEM_MAP and SHMEM_UNMAP. */
struct window_request {
	uint8_t shmid, padding[7];
	uint64_t fd_offset, shm_offset, len, flags;
};

/* bytes: 0, or a power of two of whole pages, else -EPROTO. */
int window_init(struct window *w, uint64_t bytes);
/* Ordinary memory of that size, all of it mapped: for copies of a region that lies elsewhere. */
int window_init_copy(struct window *w, uint64_t bytes);
void window_fini(struct window *w);

/*
 * Checks the request against the region, the other maps and the file, and maps. fd stays the
 * caller's. Negative errno: refused, nothing changed.
 */
int window_map(struct window *w, const struct window_request *req, int fd);
/* Exactly one earlier map, or -EINVAL. */
int window_unmap(struct window *w, const struct window_request *req);
/* As a VMM at device reset. */
void window_unmap_all(struct window *w);

/* True when [offset, offset + len) lies in one map. */
bool window_is_mapped(struct window *w, uint64_t offset, uint64_t len);

/* The file behind a range that lies in one map: *fd is a duplicate, the caller's. -EINVAL. */
int window_file(struct window *w, uint64_t offset, uint64_t len, int *fd, uint64_t *fd_offset);

#endif
