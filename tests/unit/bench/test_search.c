/* SPDX-License-Identifier: BSD-3-Clause */
/* vmedia-capacity: the number to try next. */
#include <criterion/criterion.h>

#include "base/util.h"
#include "capacity/search.h"

#define MOST      1000
#define MAX_TRIES 20

/* What is found where `limit` is the largest number that holds. */
static unsigned int
find(unsigned int most, unsigned int limit)
{
	struct search s = {.most = most};
	unsigned int nb, nb_tries = 0;

	while ((nb = search_next(&s)) != 0) {
		cr_assert(nb >= 1 && nb <= most, "%u of at most %u", nb, most);
		cr_assert_lt(nb_tries++, MAX_TRIES);
		search_tell(&s, nb, nb <= limit);
	}
	return s.good;
}

Test(search, it_finds_the_largest_number_to_a_sixteenth)
{
	for (unsigned int limit = 1; limit < MOST; limit++) {
		unsigned int found = find(MOST, limit);

		cr_assert(found <= limit && limit - found <= MAX(found / 16, 1), "%u instead of %u",
			found, limit);
	}
}

Test(search, all_there_is_room_for_is_enough)
{
	cr_assert_eq(find(MOST, MOST), MOST);
	cr_assert_eq(find(MOST, 5 * MOST), MOST);
	cr_assert_eq(find(7, 100), 7);
	cr_assert_eq(find(1, 1), 1);
}

Test(search, none_may_hold)
{
	cr_assert_eq(find(MOST, 0), 0);
	cr_assert_eq(find(1, 0), 0);
}
