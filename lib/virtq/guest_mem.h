/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's memory as the device sees it: guest-physical address -> host address.
 *
 * Owned by the device; replaced as a whole while the device is quiesced, so readers need no lock
 * and hold no pointer across passes except in requests that quiescence waits for.
 */
#ifndef VMEDIA_VIRTQ_GUEST_MEM_H
#define VMEDIA_VIRTQ_GUEST_MEM_H

#include <stdint.h>

#include "base/compiler.h"

#define GUEST_MEM_MAX_REGIONS 64

struct guest_mem_region {
	uint64_t gpa;        /* guest-physical start */
	uint64_t size_bytes; /* > 0; gpa + size_bytes does not overflow */
	uint64_t uva;        /* start in the front-end's address space (ring addresses) */
	char *addr;          /* start in this process */
};

struct guest_mem {
	uint32_t nb_regions;
	struct guest_mem_region regions[GUEST_MEM_MAX_REGIONS]; /* sorted by gpa, no overlap */
};

/* Sorts and checks. -EINVAL: overlap, overflow, zero size; -E2BIG: too many. */
int guest_mem_init(
	struct guest_mem *mem, const struct guest_mem_region *regions, uint32_t nb_regions);

/* The slow path of guest_mem_translate: searches all regions, moves *hint. */
void *guest_mem_find(const struct guest_mem *mem, uint32_t *hint, uint64_t gpa, uint64_t *len);

/*
 * Host address of gpa, or NULL when it is outside guest memory. *len: in, bytes wanted; out, bytes
 * (at least 1) that are contiguous from there, at most those wanted. A range that spans regions is
 * walked by calling again. *hint: the region of the last hit, kept by the caller; any value below
 * GUEST_MEM_MAX_REGIONS is safe. Bytes wanted must be > 0.
 */
static inline void *
guest_mem_translate(const struct guest_mem *mem, uint32_t *hint, uint64_t gpa, uint64_t *len)
{
	const struct guest_mem_region *r = &mem->regions[*hint];
	uint64_t off = gpa - r->gpa;

	/* size_bytes is 0 in unused regions, so a stale hint falls through. */
	if (likely(off < r->size_bytes && *len <= r->size_bytes - off)) {
		return r->addr + off;
	}
	return guest_mem_find(mem, hint, gpa, len);
}

#endif
