/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One planted defect a test; self-test runs each alone and demands that it fails. The values pass
 * through volatile objects, so that the compiler can neither see nor remove the defect.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "shm/arena.h"

static void *volatile kept;
static volatile int bits = 32;
static volatile size_t past = 16;

Test(defects, none)
{
	kept = malloc(16);
	cr_assert_not_null(kept);
	free(kept);
}

Test(defects, leak)
{
	kept = malloc(16);
	kept = NULL;
}

/* Lost inside the library, by a caller that forgets what it was given. */
Test(defects, leak_of_a_library)
{
	struct shm_arena_config config = {
		.name = "lost", .size_bytes = 1 << 20, .page = SHM_PAGE_4K};
	struct shm_arena *arena;

	cr_assert_eq(shm_arena_create(&config, &arena), 0);
	kept = arena;
	kept = NULL;
}

static void
lose(void)
{
	kept = malloc(16);
	kept = NULL;
}

Test(defects, leak_in_tear_down, .fini = lose)
{
}

static void
overflow(void)
{
	kept = malloc(16);
	((char *)kept)[past] = 1;
	free(kept);
}

Test(defects, overflow)
{
	overflow();
}

Test(defects, overflow_in_set_up, .init = overflow)
{
}
Test(defects, overflow_in_tear_down, .fini = overflow)
{
}

Test(defects, undefined_shift)
{
	cr_assert_neq(1 << bits, 12345);
}

/* A sanitizer's exit is not the one the test waits for. */
Test(defects, overflow_where_exit_1_is_expected, .exit_code = 1)
{
	overflow();
	exit(1);
}
