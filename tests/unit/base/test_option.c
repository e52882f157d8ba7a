/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/option.h"

struct settings {
	uint32_t fps, colour, loud;
	const char *name;
};

static const char *const colours[] = {"red", "green", NULL};
static const struct vmedia_option table[] = {
	{"fps", "frames per second", VMEDIA_OPTION_U32, offsetof(struct settings, fps), 1, 240,
		NULL, "30"},
	{"colour", "which", VMEDIA_OPTION_CHOICE, offsetof(struct settings, colour), 0, 0, colours,
		"green"},
	{"loud", "or not", VMEDIA_OPTION_BOOL, offsetof(struct settings, loud), 0, 0, NULL, "no"},
	{"name", "of it", VMEDIA_OPTION_STRING, offsetof(struct settings, name)},
	{NULL},
};

static struct settings s;
static char why[256];

static int
set(const char *key, const char *value)
{
	return option_store(option_find(table, key), &s, value, why, sizeof(why));
}

Test(option, defaults_come_from_the_table)
{
	option_defaults(table, &s);
	cr_assert_eq(s.fps, 30);
	cr_assert_eq(s.colour, 1);
	cr_assert_eq(s.loud, 0);
	cr_assert_null(s.name);
}

Test(option, values_are_stored_where_the_row_says)
{
	cr_assert_eq(set("fps", "0x20"), 0);
	cr_assert_eq(set("colour", "red"), 0);
	cr_assert_eq(set("loud", "yes"), 0);
	cr_assert_eq(set("name", "cam"), 0);
	cr_assert(s.fps == 32 && s.colour == 0 && s.loud == 1 && strcmp(s.name, "cam") == 0);
	for (int i = 0; i < 4; i++) {
		static const char *const yes[] = {"yes", "on", "true", "1"};
		static const char *const no[] = {"no", "off", "false", "0"};

		cr_assert_eq(set("loud", no[i]), 0);
		cr_assert_eq(s.loud, 0);
		cr_assert_eq(set("loud", yes[i]), 0);
		cr_assert_eq(s.loud, 1);
	}
}

Test(option, a_bad_value_changes_nothing_and_the_reason_says_what_is_allowed)
{
	static const char *const bad[] = {
		"", "0", "241", "-1", "1x", "x", " ", "99999999999999999999", "4294967297"};

	option_defaults(table, &s);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(set("fps", bad[i]), -EINVAL, "fps=%s", bad[i]);
		cr_assert_not_null(strstr(why, "1 .. 240"));
	}
	cr_assert_eq(set("colour", "blue"), -EINVAL);
	cr_assert_not_null(strstr(why, "red | green"));
	cr_assert_eq(set("loud", "maybe"), -EINVAL);
	cr_assert_not_null(strstr(why, "no | yes"));
	cr_assert_eq(set("name", ""), -EINVAL);
	cr_assert(s.fps == 30 && s.colour == 1 && s.loud == 0);
}

Test(option, unknown_keys_have_no_row_and_keys_are_listed)
{
	char keys[64];

	cr_assert_null(option_find(table, "size"));
	cr_assert_null(option_find(NULL, "fps"));
	option_keys(table, keys, sizeof(keys));
	cr_assert_str_eq(keys, "fps, colour, loud, name");
	option_keys(NULL, keys, sizeof(keys));
	cr_assert_str_eq(keys, "none");
}

Test(option, help_has_a_line_per_row)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	option_help(table, out);
	fclose(out);
	cr_assert_not_null(strstr(text, "1 .. 240"));
	cr_assert_not_null(strstr(text, "frames per second"));
	free(text);
}
