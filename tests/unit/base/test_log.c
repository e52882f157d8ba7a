/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

LOG_TYPE_DEFINE(apple);
LOG_TYPE_DEFINE(pear);

static char last[512];
static int nb_lines;

static void
sink(enum log_level level, const char *type, const char *line)
{
	snprintf(last, sizeof(last), "%d %s %s", level, type, line);
	nb_lines++;
}

static void
start(void)
{
	log_set_sink(sink);
	nb_lines = 0;
}

TestSuite(log, .init = start);

Test(log, a_line_reaches_the_sink_with_level_and_type)
{
	log_warning(&log_apple, "%s has %d", "tree", 3);
	cr_assert_str_eq(last, "1 apple tree has 3");
}

Test(log, the_default_level_is_notice)
{
	log_info(&log_apple, "kept back");
	log_notice(&log_apple, "shown");
	cr_assert_eq(nb_lines, 1);
}

Test(log, a_level_can_be_set_for_one_type)
{
	cr_assert_eq(log_set_level("apple:debug"), 0);
	log_debug(&log_apple, "shown");
	log_debug(&log_pear, "kept back");
	cr_assert_eq(nb_lines, 1);
	cr_assert_eq(log_set_level("err"), 0);
	log_warning(&log_pear, "kept back");
	cr_assert_eq(nb_lines, 1);
}

Test(log, unknown_levels_and_types_are_refused)
{
	cr_assert_eq(log_set_level("loud"), -EINVAL);
	cr_assert_eq(log_set_level("apple:loud"), -EINVAL);
	cr_assert_eq(log_set_level("plum:debug"), -EINVAL);
	cr_assert_eq(log_set_level("app:debug"), -EINVAL, "a part of a name is no name");
}

Test(log, a_long_line_is_cut_not_overrun)
{
	char text[2000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_err(&log_apple, "%s", text);
	cr_assert_lt(strlen(last), sizeof(last));
}

Test(log, the_rate_limit_passes_one_line_a_second_and_counts_the_rest)
{
	struct log_ratelimit limit = {0};
	const struct timespec second = {1, 10 * 1000 * 1000};
	uint32_t suppressed = 77;

	cr_assert(log_ratelimit_pass(&limit, &suppressed));
	cr_assert_eq(suppressed, 0);
	for (int i = 0; i < 5; i++) {
		cr_assert_not(log_ratelimit_pass(&limit, &suppressed));
	}
	nanosleep(&second, NULL);
	cr_assert(log_ratelimit_pass(&limit, &suppressed));
	cr_assert_eq(suppressed, 5);
}
