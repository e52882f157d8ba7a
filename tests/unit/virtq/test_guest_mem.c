/* SPDX-License-Identifier: BSD-3-Clause */
#include "fixture.h"

static char low[4096];
static char high[4096];

static const struct guest_mem_region two[] = {
	{.gpa = 0x8000, .size_bytes = 4096, .addr = high},
	{.gpa = 0x1000, .size_bytes = 4096, .addr = low},
};

static void *
translate(const struct guest_mem *mem, uint64_t gpa, uint64_t *len)
{
	uint32_t hint = 0;

	return guest_mem_translate(mem, &hint, gpa, len);
}

Test(guest_mem, regions_are_sorted_by_address)
{
	struct guest_mem mem;

	cr_assert_eq(guest_mem_init(&mem, two, 2), 0);
	cr_expect_eq(mem.regions[0].gpa, 0x1000);
	cr_expect_eq(mem.regions[1].gpa, 0x8000);
}

Test(guest_mem, first_and_last_byte_of_a_region_are_inside)
{
	struct guest_mem mem;
	uint64_t len = 1;

	guest_mem_init(&mem, two, 2);
	cr_expect_eq(translate(&mem, 0x1000, &len), low);
	cr_expect_eq(translate(&mem, 0x1fff, &len), low + 4095);
	cr_expect_eq(translate(&mem, 0x8fff, &len), high + 4095);
	cr_expect_eq(len, 1);
}

/* proves: S-5 B47 */
Test(guest_mem, byte_before_and_behind_a_region_are_outside)
{
	struct guest_mem mem;
	uint64_t len = 1;

	guest_mem_init(&mem, two, 2);
	cr_expect_null(translate(&mem, 0xfff, &len));
	cr_expect_null(translate(&mem, 0x2000, &len));
	cr_expect_null(translate(&mem, 0, &len));
	cr_expect_null(translate(&mem, UINT64_MAX, &len));
}

/* proves: S-5 B47 */
Test(guest_mem, a_range_is_cut_at_the_end_of_its_region)
{
	struct guest_mem mem;
	uint64_t len = 100;

	guest_mem_init(&mem, two, 2);
	cr_expect_eq(translate(&mem, 0x1ff0, &len), low + 0xff0);
	cr_expect_eq(len, 16);
}

/* S-5, CVE-2018-1059: a length that makes address + length overflow. */
/* proves: S-5 */
Test(guest_mem, a_length_beyond_the_address_space_is_cut_too)
{
	struct guest_mem mem;
	uint64_t len = UINT64_MAX;

	guest_mem_init(&mem, two, 2);
	cr_expect_eq(translate(&mem, 0x8ff0, &len), high + 0xff0);
	cr_expect_eq(len, 16);
}

Test(guest_mem, a_hint_from_another_map_is_harmless)
{
	struct guest_mem mem;
	uint64_t len = 8;
	uint32_t hint = GUEST_MEM_MAX_REGIONS - 1;

	guest_mem_init(&mem, two, 2);
	cr_expect_null(guest_mem_translate(&mem, &hint, 0, &len));
	cr_expect_eq(guest_mem_translate(&mem, &hint, 0x8000, &len), high);
	cr_expect_eq(hint, 1);
}

Test(guest_mem, no_regions_means_no_memory)
{
	struct guest_mem mem;
	uint64_t len = 1;

	cr_expect_eq(guest_mem_init(&mem, NULL, 0), 0);
	cr_expect_null(translate(&mem, 0, &len));
}

Test(guest_mem, overlapping_regions_are_refused)
{
	struct guest_mem mem;
	struct guest_mem_region r[] = {two[1], two[1]};

	r[1].gpa += 4095;
	cr_expect_eq(guest_mem_init(&mem, r, 2), -EINVAL);
	r[1].gpa += 1;
	cr_expect_eq(guest_mem_init(&mem, r, 2), 0);
}

/* proves: S-5 B47 */
Test(guest_mem, empty_and_overflowing_regions_are_refused)
{
	struct guest_mem mem;
	struct guest_mem_region r = two[0];

	r.size_bytes = 0;
	cr_expect_eq(guest_mem_init(&mem, &r, 1), -EINVAL);
	r.size_bytes = 4096;
	r.gpa = UINT64_MAX - 4094;
	cr_expect_eq(guest_mem_init(&mem, &r, 1), -EINVAL);
}

Test(guest_mem, one_region_too_many_is_refused)
{
	static struct guest_mem mem;
	static struct guest_mem_region r[GUEST_MEM_MAX_REGIONS + 1];

	for (unsigned int i = 0; i < ARRAY_SIZE(r); i++) {
		r[i] = (struct guest_mem_region){.gpa = i * 16, .size_bytes = 16, .addr = low};
	}
	cr_expect_eq(guest_mem_init(&mem, r, GUEST_MEM_MAX_REGIONS), 0);
	cr_expect_eq(guest_mem_init(&mem, r, GUEST_MEM_MAX_REGIONS + 1), -E2BIG);
}

Test(guest_mem, each_of_64_regions_is_found_from_each_hint)
{
	static struct guest_mem mem;
	static struct guest_mem_region r[GUEST_MEM_MAX_REGIONS];

	for (uint32_t i = 0; i < ARRAY_SIZE(r); i++) {
		r[i] = (struct guest_mem_region){
			.gpa = i * 32, .size_bytes = 16, .addr = low + i * 16};
	}
	guest_mem_init(&mem, r, ARRAY_SIZE(r));
	for (uint32_t from = 0; from < ARRAY_SIZE(r); from++) {
		for (uint32_t to = 0; to < ARRAY_SIZE(r); to++) {
			uint32_t hint = from;
			uint64_t len = 1;
			void *p = guest_mem_translate(&mem, &hint, to * 32 + 15, &len);

			cr_assert_eq(p, low + to * 16 + 15);
			cr_assert_null(guest_mem_translate(&mem, &hint, to * 32 + 16, &len));
		}
	}
}
