/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory behind SHM region 0 of one device: one memfd (or hugetlbfs file) of power-of-two size,
 * sealed against resizing, mapped once here and once, as a whole, in the front-end.
 *
 * Buffers are ranges of 64 KiB granules. Where a range lies is decided by the owner thread
 * (arithmetic, no system call); committing, zeroing and punching are system calls or long memory
 * writes and run on offload. Freed ranges are reused last (next-fit), so that a stale mapping of
 * the guest meets other data as late as possible (T-24, S-11).
 */
#ifndef VMEDIA_SHM_ARENA_H
#define VMEDIA_SHM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_GRANULE_BYTES   65536u
#define SHM_ARENA_MAX_BYTES (1ULL << 32)

enum shm_page_size {
	SHM_PAGE_AUTO, /* 2 MiB if the pool has them, else 4 KiB with a warning that says how */
	SHM_PAGE_4K,   /* sparse: nothing allocated before use, holes are punched */
	SHM_PAGE_2M,   /* reserved at creation or refused */
	SHM_PAGE_1G,
};

struct shm_arena_config {
	const char *name;    /* for logs and /proc/PID/maps; the device's name */
	uint64_t size_bytes; /* rounded up to a power of two and a page; at most 4 GiB */
	enum shm_page_size page;
	const char *hugetlbfs; /* a mounted hugetlbfs directory, or NULL: memfd */
	bool no_access;        /* test option: PROT_NONE here; the device must not touch a pixel */
};

struct shm_range {
	uint32_t offset; /* bytes in the arena = mem_offset = driver_addr; a granule multiple */
	uint32_t length; /* bytes as asked, not rounded */
};

struct shm_arena;

/*
 * 0, -EINVAL, -ENOMEM (not enough huge pages: the log names how many are needed and free and the
 * command that provides them), -ENOTSUP (no pages of that size on this kernel) or another errno.
 * The memory is sealed against resizing unless it is a file of a hugetlbfs mount, which cannot be.
 * Control thread.
 */
int shm_arena_create(const struct shm_arena_config *config, struct shm_arena **arena);
/* NULL is allowed. Nobody may use the arena or wait for offload work on it any more; what the
 * front-end has mapped lives on there. */
void shm_arena_destroy(struct shm_arena *arena);

/* The NUMA node of a CPU; -1: the CPU is -1 (none), or the kernel does not tell. Any thread. */
int shm_node_of_cpu(int cpu);
/*
 * Pages come from this node from now on, whoever touches them first, front-ends included, as long
 * as it has any; -1: from anywhere. Where that is not allowed (in many containers) nothing changes.
 * Control thread, before any page is used.
 */
void shm_arena_prefer_node(struct shm_arena *arena, int node);

/* Constant after creation; any thread. */
int shm_arena_fd(const struct shm_arena *arena);
uint64_t shm_arena_size(const struct shm_arena *arena);
uint32_t shm_arena_page_bytes(const struct shm_arena *arena);
/* Address in this process of an arena offset below its size. */
void *shm_arena_addr(const struct shm_arena *arena, uint32_t offset);

/* Any thread, before a guest gets to see the arena: from now on it may write to all of it. */
void shm_arena_expose(struct shm_arena *arena);

/* Owner thread. -ENOMEM: no free run of granules that long; -EINVAL: length 0 or over the size. */
int shm_range_alloc(struct shm_arena *arena, uint32_t length, struct shm_range *range);
/* Owner thread. The next commit of these granules zeroes them. A range that is not allocated is
 * logged and nothing happens. */
void shm_range_free(struct shm_arena *arena, const struct shm_range *range);

/*
 * Offload, by whoever holds the range. Backs it with pages and zeroes it to its granule end;
 * fills our page tables, so that the first writer does not fault. -ENOMEM: no memory; the range is
 * then still allocated and to be punched and freed.
 */
int shm_range_commit(struct shm_arena *arena, const struct shm_range *range);
/*
 * Offload, after shm_range_free was decided and before it is called: gives pages back where that
 * is safe, which is in 4 KiB arenas. Never fails. Huge pages are kept: a punched one loses its
 * reservation, any process may take it, and the next touch of the guest then is a SIGBUS of its
 * VMM; reserved again at once it would be of no use to anybody else.
 */
void shm_range_punch(struct shm_arena *arena, const struct shm_range *range);
/* Whether shm_range_punch does anything for this arena; constant, any thread. */
bool shm_arena_punches(const struct shm_arena *arena);

/*
 * After pages of our mapping were replaced by others (base/fault.h): maps the file anew, which also
 * reserves huge pages where a front-end punched them away. -ENOMEM: there are none; then nothing
 * changed. Owner thread, with no range in use.
 */
int shm_arena_restore(struct shm_arena *arena);

struct shm_arena_usage {
	uint64_t size_bytes;
	uint64_t allocated_bytes; /* in whole granules */
	uint64_t peak_bytes;      /* the most that was ever allocated at a time */
	uint32_t nb_ranges;
};
/* Any thread; the numbers are each right, but not of the same instant. */
void shm_arena_usage(const struct shm_arena *arena, struct shm_arena_usage *usage);

/*
 * How many huge pages of page_bytes are free, from the kernel's counters (system calls; control
 * thread). -ENOTSUP: no such page size here.
 */
int64_t shm_hugepages_free(uint32_t page_bytes);

/*
 * One line for a human, without a newline: "need 40 huge pages of 2 MiB, 8 free: set
 * vm.nr_hugepages=40 (sysctl -w vm.nr_hugepages=40)". 256 bytes are always enough. For the sum
 * over several devices; shm_arena_create logs it by itself.
 */
void shm_hugepages_advice(uint32_t page_bytes, uint64_t nb_needed, char *text, size_t text_bytes);

#endif
