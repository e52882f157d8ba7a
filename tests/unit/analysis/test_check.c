/* SPDX-License-Identifier: BSD-3-Clause */
/* The sliding window of command numbers; tests/analysis/test-check has a trace per rule. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "analysis/check.h"
#include "make.h"

static FILE *out;
static struct check *check;
static uint64_t now_ns = 1000;

static void
set_up(void)
{
	out = fopen("/dev/null", "we");
	check = check_create(out);
	check_declared(check, EVENT_BIT(cmd_span));
}

static void
tear_down(void)
{
	check_destroy(check);
	fclose(out);
}

static void
answer(uint64_t seq)
{
	struct event event = make_stage(EVENT_cmd_span, now_ns, 0, seq);

	now_ns += 1000;
	cr_assert_eq(check_add(check, &event), 0);
}

static struct check_verdict
finish(void)
{
	struct event later = make_event(EVENT_stream_on, now_ns + 2 * CHECK_GRACE_NS);
	struct check_verdict verdict;

	cr_assert_eq(check_add(check, &later), 0);
	check_finish(check, false, false, &verdict);
	return verdict;
}

Test(check, numbers_that_overtake_within_the_window_are_fine, .init = set_up, .fini = tear_down)
{
	for (uint64_t base = 0; base < 100 * CHECK_WINDOW; base += CHECK_WINDOW / 2) {
		for (uint64_t i = CHECK_WINDOW / 2; i-- > 0;) {
			if (base != 0 || i != 0) {
				answer(base + i + 1);
			}
		}
	}
	cr_assert_eq(finish().nb_violations[CHECK_PUBLISHED_TWICE], 0u);
}

Test(check, each_missing_number_is_found_once, .init = set_up, .fini = tear_down)
{
	struct check_verdict verdict;

	for (uint64_t seq = 0; seq < 10 * CHECK_WINDOW; seq++) {
		if (seq % 100 != 50) {
			answer(seq);
		}
	}
	verdict = finish();
	cr_assert_eq(verdict.nb_violations[CHECK_NOT_PUBLISHED], 10 * CHECK_WINDOW / 100);
	cr_assert_eq(verdict.nb_total, 10 * CHECK_WINDOW / 100);
}

Test(check, each_repeated_number_is_found, .init = set_up, .fini = tear_down)
{
	for (uint64_t seq = 0; seq < 10 * CHECK_WINDOW; seq++) {
		answer(seq);
		if (seq % 100 == 99) {
			answer(seq - 60);
		}
	}
	cr_assert_eq(finish().nb_violations[CHECK_PUBLISHED_TWICE], 10 * CHECK_WINDOW / 100);
}

Test(check, a_far_jump_is_a_violation_and_does_not_take_forever, .init = set_up, .fini = tear_down)
{
	answer(1);
	answer(1ULL << 40);
	answer((1ULL << 40) + 1);
	cr_assert_gt(finish().nb_violations[CHECK_NOT_PUBLISHED], 0u);
}

Test(check, devices_and_sessions_beyond_the_tables_are_refused, .init = set_up, .fini = tear_down)
{
	struct event event = make_stage(EVENT_cmd_span, 1000, CHECK_MAX_DEVICES, 0);

	cr_assert_lt(check_add(check, &event), 0);
}
