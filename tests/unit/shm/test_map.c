/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>

#include "shm/map.h"
#include "shm_fixture.h"

#define MAX_WINDOWS 8u

static struct fixture f;
static struct shm_map *map;

static void
setup(void)
{
	fixture_init(&f, 16 * GRANULE, SHM_PAGE_4K, false);
	cr_assert_eq(shm_map_create(f.arena, MAX_WINDOWS, &map), 0);
}

static void
teardown(void)
{
	shm_map_destroy(map);
	fixture_fini(&f);
}

static void
freed_by_reset(void *arg, const struct shm_range *range)
{
	*(struct shm_range *)arg = *range;
}

TestSuite(shm_map, .init = setup, .fini = teardown);

static struct shm_range
held(uint32_t length)
{
	struct shm_range range = fixture_alloc(&f, length);

	shm_map_hold(map, &range);
	return range;
}

/* proves: R-90 B26 */
Test(shm_map, repeated_mmap_succeeds_and_ends_with_as_many_munmaps)
{
	struct shm_range range = held(100000), freed;

	for (unsigned int i = 0; i < 3; i++) {
		cr_assert_eq(shm_map_open(map, &range), 0);
	}
	cr_assert_eq(shm_map_nb_windows(map), 3u);
	for (unsigned int i = 0; i < 3; i++) {
		cr_assert(shm_map_is_mapped(map, &range));
		cr_assert_eq(shm_map_close(map, range.offset, &freed), 0);
	}
	cr_assert_not(shm_map_is_mapped(map, &range));
	cr_assert_eq(shm_map_close(map, range.offset, &freed), -EINVAL);
	cr_assert(shm_map_release(map, &range));
}

/* R-91, T-24 */
/* proves: R-91 */
Test(shm_map, munmap_accepts_only_the_start_of_a_live_window)
{
	struct shm_range first = held(GRANULE), range = held(3 * GRANULE - 1), freed = {7, 7};
	uint64_t wrong[] = {0, range.offset + 1, range.offset + 4096, range.offset - GRANULE,
		range.offset + GRANULE, range.offset + 2 * GRANULE, range.offset + 3 * GRANULE,
		range.offset | 1ULL << 32, 16 * GRANULE, UINT64_MAX, UINT64_MAX - GRANULE + 1};

	cr_assert_eq(first.offset, 0u);
	cr_assert_eq(shm_map_open(map, &range), 0);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		cr_assert_eq(shm_map_close(map, wrong[i], &freed), -EINVAL);
	}
	cr_assert_eq(freed.offset, 7u);
	cr_assert_eq(shm_map_nb_windows(map), 1u);
	cr_assert(shm_map_is_mapped(map, &range));
	cr_assert_eq(shm_map_close(map, range.offset, &freed), 0);
}

/*
 * two windows and one buffer let go of the range in every order. Bit patterns say at
 * which of the three steps the buffer goes (REQBUFS(0) or CLOSE).
 */
/* proves: R-93 S-11 */
Test(shm_map, a_range_is_free_exactly_when_the_last_of_buffer_and_windows_lets_go)
{
	for (unsigned int buffer_step = 0; buffer_step < 3; buffer_step++) {
		struct shm_range range = held(70000), freed = {0, 0};

		cr_assert_eq(shm_map_open(map, &range), 0);
		cr_assert_eq(shm_map_open(map, &range), 0);
		for (unsigned int step = 0; step < 3; step++) {
			bool gone;

			if (step == buffer_step) {
				gone = shm_map_release(map, &range);
				freed = gone ? range : freed;
			} else {
				gone = shm_map_close(map, range.offset, &freed) == 1;
			}
			cr_assert_eq(gone, step == 2, "buffer at %u, step %u", buffer_step, step);
			cr_assert_eq(shm_map_orphaned_bytes(map),
				step >= buffer_step && step < 2 ? 2 * GRANULE : 0);
		}
		cr_assert_eq(freed.offset, range.offset);
		cr_assert_eq(freed.length, range.length);
		fixture_punch_and_free(&f, &freed);
	}
	cr_assert_eq(shm_map_nb_windows(map), 0u);
}

Test(shm_map, a_range_is_free_when_all_who_hold_it_let_go)
{
	struct shm_range range = held(GRANULE), unknown = {8 * GRANULE, GRANULE}, freed = {0, 0};

	cr_assert_not(shm_map_hold_again(map, &unknown));
	cr_assert(shm_map_hold_again(map, &range));
	cr_assert_not(shm_map_release(map, &range)); /* the buffer */
	shm_map_reset(map, freed_by_reset, &freed);
	cr_assert_eq(freed.length, 0u);
	cr_assert(shm_map_release(map, &range)); /* the other one */
	fixture_punch_and_free(&f, &range);

	range = held(GRANULE);
	cr_assert(shm_map_hold_again(map, &range));
	cr_assert_eq(shm_map_open(map, &range), 0);
	cr_assert_not(shm_map_release(map, &range));
	cr_assert_not(shm_map_release(map, &range));
	cr_assert_eq(shm_map_orphaned_bytes(map), GRANULE);
	cr_assert_not(shm_map_hold_again(map, &range));
	cr_assert_eq(shm_map_close(map, range.offset, &freed), 1);
	fixture_punch_and_free(&f, &freed);
}

Test(shm_map, an_orphan_keeps_its_place_and_its_bytes_until_munmap)
{
	struct shm_range orphan = held(2 * GRANULE), other, freed;

	f.guest[orphan.offset + 5] = 0x42;
	cr_assert_eq(shm_map_open(map, &orphan), 0);
	cr_assert_not(shm_map_release(map, &orphan));
	for (unsigned int i = 0; i < 40; i++) {
		other = held(3 * GRANULE);
		cr_assert(other.offset >= orphan.offset + 2 * GRANULE ||
			  other.offset + 3 * GRANULE <= orphan.offset);
		cr_assert(shm_map_release(map, &other));
		fixture_punch_and_free(&f, &other);
	}
	cr_assert_eq(f.guest[orphan.offset + 5], 0x42u);
	cr_assert_eq(shm_map_close(map, orphan.offset, &freed), 1);
	fixture_punch_and_free(&f, &freed);
	cr_assert_eq(f.guest[orphan.offset + 5], 0u);
}

/* its buffer is gone, so no MMAP finds it any more. */
Test(shm_map, an_orphan_cannot_be_mapped_again)
{
	struct shm_range range = held(GRANULE), freed;

	cr_assert_eq(shm_map_open(map, &range), 0);
	cr_assert_not(shm_map_release(map, &range));
	cr_assert_eq(shm_map_open(map, &range), -EINVAL);
	cr_assert_eq(shm_map_nb_windows(map), 1u);
	cr_assert_eq(shm_map_close(map, range.offset, &freed), 1);
	cr_assert_eq(shm_map_open(map, &range), -EINVAL);
}

/* proves: R-97 */
Test(shm_map, windows_are_bounded_with_orphans_included)
{
	struct shm_range a = held(GRANULE), b = held(GRANULE), freed;

	for (unsigned int i = 0; i < MAX_WINDOWS / 2; i++) {
		cr_assert_eq(shm_map_open(map, &a), 0);
		cr_assert_eq(shm_map_open(map, &b), 0);
	}
	cr_assert_not(shm_map_release(map, &a));
	cr_assert_eq(shm_map_open(map, &b), -ENOMEM);
	cr_assert_eq(shm_map_nb_windows(map), MAX_WINDOWS);
	cr_assert_eq(shm_map_close(map, a.offset, &freed), 0);
	cr_assert_eq(shm_map_open(map, &b), 0);
	cr_assert_eq(shm_map_open(map, &b), -ENOMEM);
}

Test(shm_map, wrong_holds_and_releases_are_logged_and_change_nothing)
{
	struct shm_range range = held(GRANULE), shorter = range, freed;

	fixture_capture_log();
	shorter.length--;
	shm_map_hold(map, &range);
	cr_assert_eq(fixture_nb_lines, 1u);
	cr_assert_not(shm_map_release(map, &shorter));
	cr_assert_eq(shm_map_open(map, &shorter), -EINVAL);
	cr_assert_eq(shm_map_open(map, &range), 0);
	cr_assert_not(shm_map_release(map, &range));
	cr_assert_not(shm_map_release(map, &range));
	cr_assert_eq(fixture_nb_lines, 3u);
	cr_assert_eq(shm_map_orphaned_bytes(map), GRANULE);
	cr_assert_eq(shm_map_close(map, range.offset, &freed), 1);
	cr_assert_eq(shm_map_orphaned_bytes(map), 0u);
}

static unsigned int nb_freed;

static void
count_freed(void *arg, const struct shm_range *range)
{
	cr_assert_eq(arg, &nb_freed);
	nb_freed++;
	fixture_punch_and_free(&f, range);
}

/* reset ends all windows, whether the sessions are dropped before or after. */
Test(shm_map, reset_ends_all_windows_and_frees_every_orphan_once)
{
	struct shm_range orphan = held(100), kept = held(100000), unmapped = held(7), freed;
	struct shm_arena_usage usage;

	cr_assert_eq(shm_map_open(map, &orphan), 0);
	cr_assert_eq(shm_map_open(map, &orphan), 0);
	cr_assert_eq(shm_map_open(map, &kept), 0);
	cr_assert_not(shm_map_release(map, &orphan));
	shm_map_reset(map, count_freed, &nb_freed);
	cr_assert_eq(nb_freed, 1u);
	cr_assert_eq(shm_map_nb_windows(map), 0u);
	cr_assert_eq(shm_map_orphaned_bytes(map), 0u);
	cr_assert_eq(shm_map_close(map, kept.offset, &freed), -EINVAL);
	cr_assert_eq(shm_map_close(map, orphan.offset, &freed), -EINVAL);
	cr_assert(shm_map_release(map, &kept));
	cr_assert(shm_map_release(map, &unmapped));
	shm_range_free(f.arena, &kept);
	shm_range_free(f.arena, &unmapped);
	shm_map_reset(map, count_freed, &nb_freed);
	cr_assert_eq(nb_freed, 1u);
	shm_arena_usage(f.arena, &usage);
	cr_assert_eq(usage.nb_ranges, 0u);
}

/* S-14: OPEN, REQBUFS, MMAP, CLOSE, MUNMAP in random order, then all is let go. */
Test(shm_map, a_hundred_thousand_random_steps_leak_no_range)
{
	struct {
		struct shm_range range;
		bool is_held;
		uint32_t nb_windows;
	} slots[5] = {0};
	struct shm_range freed;
	struct shm_arena_usage usage;

	for (unsigned int i = 0; i < 100000; i++) {
		unsigned int k = fixture_random() % 5, action = fixture_random() % 4;
		bool gone = false;

		if (!slots[k].is_held && slots[k].nb_windows == 0) {
			cr_assert_eq(shm_range_alloc(f.arena, 2 * GRANULE, &slots[k].range), 0);
			shm_map_hold(map, &slots[k].range);
			slots[k].is_held = true;
		} else if (action < 2 && slots[k].is_held) {
			slots[k].nb_windows += shm_map_open(map, &slots[k].range) == 0;
		} else if (action == 2 && slots[k].is_held) {
			slots[k].is_held = false;
			gone = shm_map_release(map, &slots[k].range);
			cr_assert_eq(gone, slots[k].nb_windows == 0);
		} else if (slots[k].nb_windows != 0) {
			slots[k].nb_windows--;
			gone = shm_map_close(map, slots[k].range.offset, &freed) == 1;
			cr_assert_eq(gone, !slots[k].is_held && slots[k].nb_windows == 0);
		}
		if (gone) {
			shm_range_free(f.arena, &slots[k].range);
		}
	}
	shm_map_reset(map, count_freed, &nb_freed);
	for (unsigned int k = 0; k < 5; k++) {
		if (slots[k].is_held) {
			cr_assert(shm_map_release(map, &slots[k].range));
			shm_range_free(f.arena, &slots[k].range);
		}
	}
	shm_arena_usage(f.arena, &usage);
	cr_assert_eq(usage.nb_ranges, 0u);
	cr_assert_eq(usage.allocated_bytes, 0u);
}
