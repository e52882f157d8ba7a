/* SPDX-License-Identifier: BSD-3-Clause */
/* With real huge pages. Every test says why when it is skipped; no page is made here. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm_fixture.h"

#define PAGE_2M  (2u << 20)
#define NB_PAGES 4

/* The pool is one: these tests, each a process of its own, run one after the other. */
static void
need_pages(void)
{
	int self = open("/proc/self/exe", O_RDONLY);
	int64_t nb_free;

	cr_assert_eq(flock(self, LOCK_EX), 0);
	nb_free = shm_hugepages_free(PAGE_2M);
	if (nb_free < NB_PAGES) {
		fprintf(stderr, "skipped: %" PRId64 " huge pages of 2 MiB free, %d needed\n",
			nb_free, NB_PAGES);
		cr_skip_test("too few huge pages of 2 MiB");
	}
}

Test(shm_huge, all_pages_are_reserved_at_creation_and_given_back_at_the_end)
{
	struct fixture f;
	int64_t nb_free;

	need_pages();
	nb_free = shm_hugepages_free(PAGE_2M);
	fixture_init(&f, 3 * PAGE_2M, SHM_PAGE_AUTO, false);
	cr_assert_eq(shm_arena_page_bytes(f.arena), PAGE_2M);
	cr_assert_eq(shm_arena_size(f.arena), NB_PAGES * PAGE_2M);
	cr_assert_eq((uintptr_t)shm_arena_addr(f.arena, 0) % PAGE_2M, 0u);
	cr_assert_eq(fcntl(shm_arena_fd(f.arena), F_GET_SEALS) & F_SEAL_SHRINK, F_SEAL_SHRINK);
	/* Mapped twice by now, here and as the guest: reserved once. */
	cr_assert_eq(shm_hugepages_free(PAGE_2M), nb_free - NB_PAGES);
	fixture_alloc(&f, 3 * PAGE_2M);
	cr_assert_eq(shm_hugepages_free(PAGE_2M), nb_free - NB_PAGES);
	fixture_fini(&f);
	cr_assert_eq(shm_hugepages_free(PAGE_2M), nb_free);
}

Test(shm_huge, the_advice_counts_pages_that_others_have_reserved)
{
	uint64_t nb_total, nb_asked;
	struct fixture f;
	char text[256];
	FILE *pool;

	need_pages();
	fixture_init(&f, 2 * PAGE_2M, SHM_PAGE_2M, false);
	pool = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "re");
	cr_assert(pool != NULL);
	cr_assert_eq(fscanf(pool, "%" SCNu64, &nb_total), 1);
	fclose(pool);
	shm_hugepages_advice(
		PAGE_2M, (uint64_t)shm_hugepages_free(PAGE_2M) + 3, text, sizeof(text));
	cr_assert_eq(sscanf(strstr(text, "set "), "set vm.nr_hugepages=%" SCNu64, &nb_asked), 1);
	cr_assert_eq(nb_asked, nb_total + 3);
	shm_hugepages_advice(PAGE_2M, 1, text, sizeof(text));
	cr_assert(strstr(text, "limit"), "%s", text);
	fixture_fini(&f);
}

/* Ranges of 64 KiB share a page of 2 MiB. R-95 */
static void
check_zero_on_reuse(bool no_access)
{
	struct shm_range ranges[3], again;
	struct fixture f;

	fixture_init(&f, PAGE_2M, SHM_PAGE_2M, no_access);
	for (unsigned int i = 0; i < 3; i++) {
		ranges[i] = fixture_alloc(&f, 10 * GRANULE - 100);
	}
	memset(f.guest, 0x99, PAGE_2M);
	fixture_punch_and_free(&f, &ranges[1]);
	again = fixture_alloc(&f, 10 * GRANULE - 100);
	cr_assert_eq(again.offset, ranges[1].offset);
	cr_assert_eq(fixture_count_other(&f, again.offset, 10 * GRANULE, 0), 0u);
	cr_assert_eq(fixture_count_other(&f, 0, 10 * GRANULE, 0x99), 0u);
	cr_assert_eq(fixture_count_other(&f, 20 * GRANULE, 12 * GRANULE, 0x99), 0u);
	fixture_fini(&f);
}

Test(shm_huge, a_reused_part_of_a_huge_page_is_zero_and_its_neighbours_are_not_touched)
{
	need_pages();
	check_zero_on_reuse(false);
}

Test(shm_huge, a_closed_arena_is_zeroed_by_another_way)
{
	need_pages();
	check_zero_on_reuse(true);
}

/* The trap that a punch would set: see shm_range_punch. */
Test(shm_huge, punching_keeps_the_pages_because_a_hole_has_no_reservation)
{
	struct shm_range range;
	struct fixture f;
	int64_t nb_free;
	uint64_t blocks;

	need_pages();
	fixture_init(&f, 2 * PAGE_2M, SHM_PAGE_2M, false);
	range = fixture_alloc(&f, 2 * PAGE_2M);
	nb_free = shm_hugepages_free(PAGE_2M);
	blocks = fixture_blocks(&f);
	cr_assert_eq(blocks, 2 * PAGE_2M / 512);
	shm_range_punch(f.arena, &range);
	cr_assert_eq(shm_hugepages_free(PAGE_2M), nb_free);
	cr_assert_eq(fixture_blocks(&f), blocks);

	/* What the kernel does with a real hole: a page of ours is now anybody's. */
	cr_assert_eq(fallocate(shm_arena_fd(f.arena), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     PAGE_2M),
		0);
	cr_assert_eq(shm_hugepages_free(PAGE_2M), nb_free + 1);
	fixture_fini(&f);
}

/* Takes all pages nobody has reserved; the caller unmaps. */
static void *
take_the_rest(int64_t *nb)
{
	void *map;

	*nb = shm_hugepages_free(PAGE_2M);
	map = mmap(NULL, (size_t)*nb * PAGE_2M, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	cr_assert_neq(map, MAP_FAILED);
	return map;
}

Test(shm_huge, a_commit_that_finds_no_page_says_enomem_and_nothing_faults)
{
	struct shm_range range;
	struct fixture f;
	int64_t nb;
	void *rest;

	need_pages();
	fixture_init(&f, 2 * PAGE_2M, SHM_PAGE_2M, false);
	cr_assert_eq(shm_range_alloc(f.arena, PAGE_2M, &range), 0);
	cr_assert_eq(shm_range_commit(f.arena, &range), 0);
	cr_assert_eq(fallocate(shm_arena_fd(f.arena), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			     PAGE_2M),
		0);
	rest = take_the_rest(&nb);
	cr_assert_eq(shm_range_commit(f.arena, &range), -ENOMEM);
	munmap(rest, (size_t)nb * PAGE_2M);
	cr_assert_eq(shm_range_commit(f.arena, &range), 0);
	cr_assert_eq(fixture_count_other(&f, 0, PAGE_2M, 0), 0u);
	fixture_fini(&f);
}

Test(shm_huge, reserved_pages_are_there_although_the_pool_is_empty)
{
	struct shm_range range;
	struct fixture f;
	int64_t nb;
	void *rest;

	need_pages();
	fixture_init(&f, 2 * PAGE_2M, SHM_PAGE_2M, false);
	rest = take_the_rest(&nb);
	range = fixture_alloc(&f, 2 * PAGE_2M);
	memset(f.guest, 1, range.length);
	cr_assert_eq(fixture_count_other(&f, 0, 2 * PAGE_2M, 1), 0u);
	munmap(rest, (size_t)nb * PAGE_2M);
	fixture_fini(&f);
}

/* A mount that only this process sees; gone with it. */
static const char *
private_hugetlbfs(void)
{
	static char dir[] = "/tmp/vmedia-hugetlbfs-XXXXXX";

	if (geteuid() != 0 || unshare(CLONE_NEWNS) != 0 ||
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
		fprintf(stderr, "skipped: may not mount a hugetlbfs here\n");
		cr_skip_test("may not mount a hugetlbfs here");
	}
	cr_assert(mkdtemp(dir) != NULL);
	cr_assert_eq(mount("none", dir, "hugetlbfs", 0, "pagesize=2M"), 0);
	return dir;
}

Test(shm_huge, a_file_of_a_hugetlbfs_mount_serves_as_well_and_has_no_name_left)
{
	struct shm_arena_config config = {.name = "cam/0", .size_bytes = 2 * PAGE_2M};
	struct shm_arena *arena;
	struct shm_range range;
	struct stat st;

	need_pages();
	config.hugetlbfs = private_hugetlbfs();
	cr_assert_eq(shm_arena_create(&config, &arena), 0);
	cr_assert_eq(shm_arena_page_bytes(arena), PAGE_2M);
	cr_assert_eq(fstat(shm_arena_fd(arena), &st), 0);
	cr_assert_eq(st.st_nlink, 0u);
	cr_assert(fcntl(shm_arena_fd(arena), F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(shm_range_alloc(arena, PAGE_2M + 5, &range), 0);
	cr_assert_eq(shm_range_commit(arena, &range), 0);
	memset(shm_arena_addr(arena, range.offset), 3, range.length);
	shm_arena_destroy(arena);

	fixture_capture_log();
	config.page = SHM_PAGE_1G;
	cr_assert_eq(shm_arena_create(&config, &arena), -EINVAL);
	cr_assert(strstr(fixture_line, "2097152 bytes"), "%s", fixture_line);
	cr_assert_eq(umount(config.hugetlbfs), 0);
	rmdir(config.hugetlbfs);
}
