/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/log.h"
#include "shm_fixture.h"

char fixture_line[512];
int fixture_level = -1;
unsigned int fixture_nb_lines;

void
fixture_init(struct fixture *f, uint64_t size_bytes, enum shm_page_size page, bool no_access)
{
	struct shm_arena_config config = {
		.name = "test", .size_bytes = size_bytes, .page = page, .no_access = no_access};

	cr_assert_eq(shm_arena_create(&config, &f->arena), 0);
	f->guest = mmap(NULL, shm_arena_size(f->arena), PROT_READ | PROT_WRITE, MAP_SHARED,
		shm_arena_fd(f->arena), 0);
	cr_assert_neq((void *)f->guest, MAP_FAILED);
}

void
fixture_fini(struct fixture *f)
{
	munmap(f->guest, shm_arena_size(f->arena));
	shm_arena_destroy(f->arena);
}

uint64_t
fixture_count_other(const struct fixture *f, uint64_t offset, uint64_t length, uint8_t value)
{
	uint64_t nb = 0;

	for (uint64_t i = offset; i < offset + length; i++) {
		nb += f->guest[i] != value;
	}
	return nb;
}

uint64_t
fixture_blocks(const struct fixture *f)
{
	struct stat st;

	cr_assert_eq(fstat(shm_arena_fd(f->arena), &st), 0);
	return (uint64_t)st.st_blocks;
}

struct shm_range
fixture_alloc(struct fixture *f, uint32_t length)
{
	struct shm_range range;

	cr_assert_eq(shm_range_alloc(f->arena, length, &range), 0);
	cr_assert_eq(shm_range_commit(f->arena, &range), 0);
	return range;
}

void
fixture_punch_and_free(struct fixture *f, const struct shm_range *range)
{
	shm_range_punch(f->arena, range);
	shm_range_free(f->arena, range);
}

static void
keep_line(enum log_level level, const char *type, const char *line)
{
	fixture_level = (int)level;
	fixture_nb_lines++;
	snprintf(fixture_line, sizeof(fixture_line), "%s", line);
}

void
fixture_capture_log(void)
{
	log_set_sink(keep_line);
}

uint32_t
fixture_random(void)
{
	static uint32_t state = 2463534242u;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}
