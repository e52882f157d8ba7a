/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of this room share: an arena, and the same memory as a front-end maps it. */
#ifndef VMEDIA_TESTS_SHM_FIXTURE_H
#define VMEDIA_TESTS_SHM_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/arena.h"

#define GRANULE SHM_GRANULE_BYTES

struct fixture {
	struct shm_arena *arena;
	uint8_t *guest; /* the whole arena, mapped from its fd */
};

/* Fails the test when the arena cannot be made. */
void fixture_init(struct fixture *f, uint64_t size_bytes, enum shm_page_size page, bool no_access);
void fixture_fini(struct fixture *f);

/* Number of bytes in [offset, offset + length) that the guest does not see as value. */
uint64_t fixture_count_other(
	const struct fixture *f, uint64_t offset, uint64_t length, uint8_t value);

/* 512-byte blocks that the kernel has given to the file. */
uint64_t fixture_blocks(const struct fixture *f);

/* Allocates and commits, or fails the test. */
struct shm_range fixture_alloc(struct fixture *f, uint32_t length);
/* What a device does with a range that nobody uses any more. */
void fixture_punch_and_free(struct fixture *f, const struct shm_range *range);

/* From now on the last line logged and its level are kept instead of printed. */
void fixture_capture_log(void);
extern char fixture_line[512];
extern int fixture_level;
extern unsigned int fixture_nb_lines;

uint32_t fixture_random(void);

#endif
