/* SPDX-License-Identifier: BSD-3-Clause */
/* Which device moves where, by what each takes. */
#include <criterion/criterion.h>

#include "control/balance.h"

#define GAIN 10

static struct balance_move move;

#define choose(nb_reactors, ...)                                                                  \
	balance_choose((const struct balance_load[]){__VA_ARGS__},                                \
		sizeof((const struct balance_load[]){__VA_ARGS__}) / sizeof(struct balance_load), \
		nb_reactors, GAIN, &move)

Test(balance, the_busiest_reactor_gives_half_of_the_difference)
{
	cr_assert(choose(2, {0, false, 5}, {0, false, 30}, {0, false, 35}, {1, false, 10}));
	cr_assert_eq(move.device, 1);
	cr_assert_eq(move.to, 1);
}

Test(balance, it_goes_to_the_idlest)
{
	cr_assert(choose(3, {1, false, 40}, {1, false, 40}, {0, false, 20}, {2, false, 5}));
	cr_assert_eq(move.device, 0);
	cr_assert_eq(move.to, 2);
}

Test(balance, what_is_bound_stays)
{
	cr_assert(choose(2, {0, true, 50}, {0, false, 20}));
	cr_assert_eq(move.device, 1);
	cr_assert_not(choose(2, {0, true, 50}, {0, true, 20}));
}

Test(balance, a_lone_busy_device_does_not_go_round)
{
	cr_assert_not(choose(2, {0, false, 90}));
	cr_assert_not(choose(2, {0, false, 90}, {1, false, 3}));
}

Test(balance, a_small_gain_is_no_move)
{
	cr_assert_not(choose(2, {0, false, 9}, {0, false, 9}));
	cr_assert_not(choose(2, {0, false, 30}, {0, false, 9}, {1, false, 25}));
	cr_assert(choose(2, {0, false, 10}, {0, false, 10}));
}

Test(balance, nothing_to_do_is_no_move)
{
	cr_assert_not(choose(2, {0, false, 0}, {1, false, 0}));
	cr_assert_not(choose(1, {0, false, 50}, {0, false, 50}));
}
