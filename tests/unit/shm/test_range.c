/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "shm_fixture.h"

#define MIB (1u << 20)

static struct shm_arena_usage
usage_of(const struct fixture *f)
{
	struct shm_arena_usage usage;

	shm_arena_usage(f->arena, &usage);
	return usage;
}

/* proves: R-87 R-95 S-11 B37 */
Test(shm_range, ranges_start_at_64_kib_multiples_and_never_share_a_granule)
{
	static const uint32_t lengths[] = {1, 4096, 65535, 65536, 65537, 200000};
	struct shm_range ranges[6];
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 6; i++) {
		cr_assert_eq(shm_range_alloc(f.arena, lengths[i], &ranges[i]), 0);
		cr_assert_eq(ranges[i].offset % 65536, 0u);
		cr_assert_eq(ranges[i].length, lengths[i]);
		for (unsigned int k = 0; k < i; k++) {
			uint64_t end_k = ranges[k].offset + round_up(lengths[k], 65536);
			uint64_t end_i = ranges[i].offset + round_up(lengths[i], 65536);

			cr_assert(ranges[i].offset >= end_k || ranges[k].offset >= end_i);
		}
	}
	cr_assert_eq(usage_of(&f).allocated_bytes, (4 + 2 + 4) * 65536u);
	cr_assert_eq(usage_of(&f).nb_ranges, 6u);
	fixture_fini(&f);
}

Test(shm_range, a_length_of_zero_or_over_the_size_is_invalid)
{
	struct shm_range range;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	cr_assert_eq(shm_range_alloc(f.arena, 0, &range), -EINVAL);
	cr_assert_eq(shm_range_alloc(f.arena, MIB + 1, &range), -EINVAL);
	cr_assert_eq(shm_range_alloc(f.arena, UINT32_MAX, &range), -EINVAL);
	cr_assert_eq(shm_range_alloc(f.arena, MIB, &range), 0);
	fixture_fini(&f);
}

/* proves: R-97 S-14 */
Test(shm_range, a_full_arena_says_enomem_until_something_is_freed)
{
	struct shm_range ranges[16], more;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 16; i++) {
		cr_assert_eq(shm_range_alloc(f.arena, 5, &ranges[i]), 0);
	}
	cr_assert_eq(shm_range_alloc(f.arena, 1, &more), -ENOMEM);
	shm_range_free(f.arena, &ranges[7]);
	cr_assert_eq(shm_range_alloc(f.arena, 65537, &more), -ENOMEM);
	cr_assert_eq(shm_range_alloc(f.arena, 65536, &more), 0);
	cr_assert_eq(more.offset, ranges[7].offset);
	cr_assert_eq(usage_of(&f).allocated_bytes, MIB);
	cr_assert_eq(usage_of(&f).peak_bytes, MIB);
	fixture_fini(&f);
}

/* T-24, S-11 */
/* proves: R-93 S-11 */
Test(shm_range, a_freed_range_is_reused_after_all_that_was_free_before)
{
	struct shm_range range, other;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	cr_assert_eq(shm_range_alloc(f.arena, GRANULE, &range), 0);
	shm_range_free(f.arena, &range);
	for (unsigned int i = 1; i < 16; i++) {
		cr_assert_eq(shm_range_alloc(f.arena, GRANULE, &other), 0);
		cr_assert_eq(other.offset, i * GRANULE);
		shm_range_free(f.arena, &other);
	}
	cr_assert_eq(shm_range_alloc(f.arena, GRANULE, &other), 0);
	cr_assert_eq(other.offset, range.offset);
	fixture_fini(&f);
}

Test(shm_range, a_free_run_on_both_sides_of_the_search_start_is_found)
{
	struct shm_range a, b, c, all;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	cr_assert_eq(shm_range_alloc(f.arena, 4 * GRANULE, &a), 0);
	cr_assert_eq(shm_range_alloc(f.arena, 4 * GRANULE, &b), 0);
	cr_assert_eq(shm_range_alloc(f.arena, 2 * GRANULE, &c), 0);
	shm_range_free(f.arena, &b);
	shm_range_free(f.arena, &c);
	cr_assert_eq(shm_range_alloc(f.arena, 12 * GRANULE, &all), 0);
	cr_assert_eq(all.offset, 4 * GRANULE);
	fixture_fini(&f);
}

Test(shm_range, freeing_what_is_not_allocated_is_logged_and_changes_nothing)
{
	struct shm_range range, odd, beyond;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	cr_assert_eq(shm_range_alloc(f.arena, 3 * GRANULE, &range), 0);
	odd = (struct shm_range){4096, 100};
	beyond = (struct shm_range){15 * GRANULE, 2 * GRANULE};
	fixture_capture_log();
	shm_range_free(f.arena, &odd);
	shm_range_free(f.arena, &beyond);
	cr_assert_eq(fixture_nb_lines, 2u);
	cr_assert_eq(usage_of(&f).allocated_bytes, 3 * GRANULE);
	shm_range_free(f.arena, &range);
	shm_range_free(f.arena, &range);
	cr_assert_eq(fixture_nb_lines, 3u);
	cr_assert_eq(usage_of(&f).allocated_bytes, 0u);
	cr_assert_eq(usage_of(&f).nb_ranges, 0u);
	fixture_fini(&f);
}

/* ---- Memory ---- */

/* The guest before this one may have written where no buffer was. */
static void
check_zero_on_first_use(bool no_access)
{
	struct shm_range range;
	struct fixture f;

	fixture_init(&f, 4 * GRANULE, SHM_PAGE_4K, no_access);
	shm_arena_expose(f.arena);
	memset(f.guest, 0xaa, 4 * GRANULE);
	range = fixture_alloc(&f, 2 * GRANULE);
	for (uint32_t i = 0; i < 2 * GRANULE; i++) {
		cr_assert_eq(((const char *)f.guest)[range.offset + i], 0, "byte %u", i);
	}
	fixture_fini(&f);
}

/* proves: R-95 S-11 */
Test(shm_range, what_a_guest_wrote_where_no_buffer_was_is_gone_when_there_is_one)
{
	check_zero_on_first_use(false);
	check_zero_on_first_use(true);
}

/* R-95, S-11. stale: written after the range was given back, as by a mapping left over (T-24). */
static void
check_zero_on_reuse(bool no_access, bool punch, bool stale)
{
	struct shm_range range;
	struct fixture f;

	fixture_init(&f, 4 * GRANULE, SHM_PAGE_4K, no_access);
	range = fixture_alloc(&f, 4 * GRANULE - 100);
	memset(f.guest, 0xaa, 4 * GRANULE);
	if (punch) {
		shm_range_punch(f.arena, &range);
	}
	shm_range_free(f.arena, &range);
	if (stale) {
		memset(f.guest, 0xbb, 2 * GRANULE);
	}
	range = fixture_alloc(&f, 4 * GRANULE - 100);
	cr_assert_eq(fixture_count_other(&f, 0, 4 * GRANULE, 0), 0u);
	fixture_fini(&f);
}

/* proves: R-95 S-11 S-17 */
Test(shm_range, a_reused_range_is_zero_up_to_its_granule_end)
{
	for (unsigned int i = 0; i < 8; i++) {
		check_zero_on_reuse((i & 1) != 0, (i & 2) != 0, (i & 4) != 0);
	}
}

Test(shm_range, zeroing_one_range_leaves_its_neighbours_alone)
{
	struct shm_range ranges[3];
	struct fixture f;

	fixture_init(&f, 4 * GRANULE, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 3; i++) {
		ranges[i] = fixture_alloc(&f, GRANULE - 1);
	}
	memset(f.guest, 0x77, 4 * GRANULE);
	cr_assert_eq(shm_range_commit(f.arena, &ranges[1]), 0);
	cr_assert_eq(fixture_count_other(&f, 0, GRANULE, 0x77), 0u);
	cr_assert_eq(fixture_count_other(&f, GRANULE, GRANULE, 0), 0u);
	cr_assert_eq(fixture_count_other(&f, 2 * GRANULE, 2 * GRANULE, 0x77), 0u);
	shm_range_punch(f.arena, &ranges[1]);
	cr_assert_eq(fixture_count_other(&f, 0, GRANULE, 0x77), 0u);
	cr_assert_eq(fixture_count_other(&f, 2 * GRANULE, 2 * GRANULE, 0x77), 0u);
	fixture_fini(&f);
}

/* C7 */
Test(shm_range, small_pages_exist_from_commit_to_punch_and_read_zero_after)
{
	struct shm_range range;
	struct fixture f;

	fixture_init(&f, MIB, SHM_PAGE_4K, false);
	cr_assert_eq(shm_range_alloc(f.arena, 300000, &range), 0);
	cr_assert_eq(fixture_blocks(&f), 0u);
	cr_assert_eq(shm_range_commit(f.arena, &range), 0);
	cr_assert_eq(fixture_blocks(&f), 5 * GRANULE / 512);
	memset(f.guest + range.offset, 0x11, 5 * GRANULE);
	shm_range_punch(f.arena, &range);
	cr_assert_eq(fixture_blocks(&f), 0u);
	cr_assert_eq(fixture_count_other(&f, range.offset, 5 * GRANULE, 0), 0u);
	fixture_fini(&f);
}

/* Pages of our own mapping of the range whose page-table entry is there. */
static unsigned int
nb_pages_mapped(const struct fixture *f, const struct shm_range *range, uint32_t nb_pages)
{
	uint64_t addr = (uintptr_t)shm_arena_addr(f->arena, range->offset);
	FILE *pagemap = fopen("/proc/self/pagemap", "re");
	uint32_t page_bytes = shm_arena_page_bytes(f->arena);
	unsigned int nb = 0;

	cr_assert(pagemap != NULL);
	for (uint32_t i = 0; i < nb_pages; i++) {
		uint64_t entry;

		cr_assert_eq(fseek(pagemap, (long)((addr / page_bytes + i) * 8), SEEK_SET), 0);
		cr_assert_eq(fread(&entry, sizeof(entry), 1, pagemap), 1u);
		nb += entry >> 63 != 0;
	}
	fclose(pagemap);
	return nb;
}

Test(shm_range, a_committed_range_is_in_the_page_tables_unless_the_arena_is_closed)
{
	for (unsigned int no_access = 0; no_access < 2; no_access++) {
		struct shm_range range;
		uint32_t nb_pages;
		struct fixture f;

		fixture_init(&f, MIB, SHM_PAGE_4K, no_access != 0);
		nb_pages = 2 * GRANULE / shm_arena_page_bytes(f.arena);
		cr_assert_eq(shm_range_alloc(f.arena, 2 * GRANULE, &range), 0);
		cr_assert_eq(nb_pages_mapped(&f, &range, nb_pages), 0u);
		cr_assert_eq(shm_range_commit(f.arena, &range), 0);
		cr_assert_eq(nb_pages_mapped(&f, &range, nb_pages), no_access ? 0 : nb_pages);
		fixture_fini(&f);
	}
}

/* ---- Long runs ---- */

/* S-14 */
Test(shm_range, a_hundred_thousand_cycles_leave_nothing_behind)
{
	struct fixture f;

	fixture_init(&f, 64 * MIB, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 100000; i++) {
		struct shm_range range;

		cr_assert_eq(shm_range_alloc(f.arena, 1 + fixture_random() % (8 * MIB), &range), 0);
		if (i % 1000 == 0) {
			cr_assert_eq(shm_range_commit(f.arena, &range), 0);
			shm_range_punch(f.arena, &range);
		}
		shm_range_free(f.arena, &range);
	}
	cr_assert_eq(usage_of(&f).allocated_bytes, 0u);
	cr_assert_eq(usage_of(&f).nb_ranges, 0u);
	cr_assert_leq(usage_of(&f).peak_bytes, 8 * MIB);
	cr_assert_eq(fixture_blocks(&f), 0u);
	fixture_fini(&f);
}

#define NB_GRANULES 96u /* after rounding 128: two words of the bitmap */
#define NB_SLOTS    24u

struct model {
	bool used[128];
	struct shm_range slots[NB_SLOTS]; /* length 0: empty */
};

static bool
model_has_run(const struct model *m, uint32_t nb)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < 128; i++) {
		run = m->used[i] ? 0 : run + 1;
		if (run == nb) {
			return true;
		}
	}
	return false;
}

static void
model_set(struct model *m, const struct shm_range *range, bool used)
{
	uint32_t nb = (uint32_t)(round_up(range->length, GRANULE) / GRANULE);

	for (uint32_t i = range->offset / GRANULE; nb != 0; i++, nb--) {
		cr_assert_lt(i, 128u);
		cr_assert_neq(m->used[i], used);
		m->used[i] = used;
	}
}

static void
model_alloc(struct model *m, struct fixture *f, struct shm_range *slot)
{
	uint32_t length = 1 + fixture_random() % (20 * GRANULE);
	bool fits = model_has_run(m, (uint32_t)(round_up(length, GRANULE) / GRANULE));
	int ret = shm_range_alloc(f->arena, length, slot);

	cr_assert_eq(ret, fits ? 0 : -ENOMEM);
	if (ret == 0) {
		cr_assert_eq(slot->length, length);
		model_set(m, slot, true);
	}
}

static uint64_t
model_bytes(const struct model *m)
{
	uint64_t nb = 0;

	for (uint32_t i = 0; i < 128; i++) {
		nb += m->used[i];
	}
	return nb * GRANULE;
}

Test(shm_range, random_alloc_and_free_agree_with_a_plain_model)
{
	static struct model m;
	unsigned int nb_refused = 0;
	struct fixture f;

	fixture_init(&f, NB_GRANULES * GRANULE, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 50000; i++) {
		struct shm_range *slot = &m.slots[fixture_random() % NB_SLOTS];

		if (slot->length != 0) {
			model_set(&m, slot, false);
			shm_range_free(f.arena, slot);
			slot->length = 0;
		} else {
			model_alloc(&m, &f, slot);
			nb_refused += slot->length == 0;
		}
		cr_assert_eq(usage_of(&f).allocated_bytes, model_bytes(&m));
	}
	cr_assert(nb_refused > 100 && nb_refused < 40000, "%u", nb_refused);
	fixture_fini(&f);
}

/* ---- Threads: commit and punch run while the owner allocates and frees ---- */

struct worker {
	struct fixture *f;
	struct shm_range range;
	uint8_t mark;
	unsigned int nb_wrong;
};

static void *
commit_and_punch(void *arg)
{
	struct worker *w = arg;

	for (unsigned int i = 0; i < 100; i++) {
		uint8_t *bytes = shm_arena_addr(w->f->arena, w->range.offset);

		w->nb_wrong += shm_range_commit(w->f->arena, &w->range) != 0;
		w->nb_wrong += bytes[0] != 0 || bytes[w->range.length] != 0;
		memset(bytes, w->mark, w->range.length + 1);
		w->nb_wrong += bytes[w->range.length] != w->mark;
		if (i % 2 == 0) {
			shm_range_punch(w->f->arena, &w->range);
		}
	}
	return NULL;
}

Test(shm_range, commit_and_punch_beside_the_owner_disturb_nobody)
{
	struct worker workers[2];
	pthread_t threads[2];
	struct fixture f;

	fixture_init(&f, 32 * GRANULE, SHM_PAGE_4K, false);
	for (unsigned int i = 0; i < 2; i++) {
		workers[i] = (struct worker){.f = &f, .mark = (uint8_t)(i + 1)};
		cr_assert_eq(shm_range_alloc(f.arena, 2 * GRANULE - 9, &workers[i].range), 0);
		cr_assert_eq(pthread_create(&threads[i], NULL, commit_and_punch, &workers[i]), 0);
	}
	for (unsigned int i = 0; i < 20000; i++) {
		struct shm_range range;

		cr_assert_eq(
			shm_range_alloc(f.arena, 1 + fixture_random() % (9 * GRANULE), &range), 0);
		shm_range_free(f.arena, &range);
	}
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		cr_assert_eq(workers[i].nb_wrong, 0u);
	}
	cr_assert_eq(usage_of(&f).nb_ranges, 2u);
	fixture_fini(&f);
}
