/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Guest memory: one memfd, mapped once, lent to the back-end as 1..8 adjacent regions.
 * Guest-physical addresses are linear, so translation is one subtraction. Pages are handed out to
 * rings, command slots and SHARED_PAGES by one allocator; only the driver's thread calls it.
 */
#ifndef VMEDIA_DRIVER_MEMORY_H
#define VMEDIA_DRIVER_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_GPA         0x40000000ULL /* base: not 0, nothing by luck */
#define MEMORY_PAGE_BYTES  4096u
#define MEMORY_MAX_REGIONS 8

struct memory {
	int fd;
	uint8_t *base;
	uint64_t bytes;
	unsigned int nb_regions; /* of bytes / nb_regions each */
	uint32_t nb_pages;
	uint32_t *run; /* per page: 0 free, else length of the run that starts here, or MEMORY_INNER
	                */
};

#define MEMORY_INNER UINT32_MAX

/* Rounds bytes up so that each region is whole pages (2 MiB ones with hugepages). -ENOMEM. */
int memory_init(struct memory *mem, uint64_t bytes, unsigned int nb_regions, bool hugepages);
/* The bytes from MEMORY_GPA on of a file that is the whole of somebody's guest memory. -EINVAL: it
 * is too short. */
int memory_init_file(struct memory *mem, const char *path, uint64_t bytes);
void memory_fini(struct memory *mem);

/* Zeroed whole pages, contiguous; NULL: none left. */
void *memory_alloc(struct memory *mem, size_t bytes);
/* The same inside one region (rings); NULL also when the regions are too small. */
void *memory_alloc_in_region(struct memory *mem, size_t bytes);
/* addr as given out, or NULL; anything else is ignored. */
void memory_free(struct memory *mem, void *addr);

/* 0 when [addr, addr + bytes) is not inside. */
uint64_t memory_gpa(const struct memory *mem, const void *addr, size_t bytes);
void *memory_host(const struct memory *mem, uint64_t gpa, size_t bytes);

#endif
