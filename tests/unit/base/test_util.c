/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "base/util.h"

Test(util, sums_and_products_that_do_not_fit_are_refused)
{
	uint32_t u32;
	uint64_t u64;

	cr_assert(add_ok(0xfffffffeu, 1u, &u32));
	cr_assert_eq(u32, 0xffffffffu);
	cr_assert_not(add_ok(0xffffffffu, 1u, &u32));
	cr_assert(mul_ok(65536ULL, 65536ULL, &u64));
	cr_assert_not(mul_ok(65536ULL, 65536ULL, &u32), "the type of the result decides");
	cr_assert_not(mul_ok(1ULL << 63, 2ULL, &u64));
}

Test(util, rounding_keeps_multiples)
{
	cr_assert_eq(round_up(0, 4096), 0);
	cr_assert_eq(round_up(1, 4096), 4096);
	cr_assert_eq(round_up(4096, 4096), 4096);
	cr_assert_eq(round_down(8191, 4096), 4096);
}

Test(util, powers_of_two)
{
	cr_assert_not(is_power_of_2(0));
	cr_assert(is_power_of_2(1));
	cr_assert(is_power_of_2(1ULL << 63));
	cr_assert_not(is_power_of_2(3));
	cr_assert_eq(round_up_power_of_2(0), 1);
	cr_assert_eq(round_up_power_of_2(5), 8);
	cr_assert_eq(round_up_power_of_2(8), 8);
	cr_assert_eq(round_up_power_of_2((1ULL << 40) + 1), 1ULL << 41);
}
