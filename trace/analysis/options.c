/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "analysis/event.h"
#include "analysis/options.h"

enum option_kind {
	OPTION_TEXT,
	OPTION_NUMBER,
	OPTION_YES_NO,
};

struct option_row {
	const char *name;
	uint32_t users;
	enum option_kind kind;
	size_t offset, bytes;
	const char *text;    /* default */
	const char *choices; /* "a|b|c" or NULL: any text */
	int64_t number, low, high;
};

#define AT(member) offsetof(struct options, member), sizeof(((struct options *)0)->member)

/* clang-format off */
static const struct option_row rows[] = {
	{"path", OPTIONS_SINKS, OPTION_TEXT, AT(path), ""},
	{"title", OPTIONS_REPORT, OPTION_TEXT, AT(title), ""},
	{"format", OPTIONS_LATENCY, OPTION_TEXT, AT(format), "text", "text|json|csv"},
	{"by", OPTIONS_LATENCY, OPTION_TEXT, AT(by), "every", "every|all|ioctl|dqbuf|session"},
	{"ioctl", OPTIONS_SELECT, OPTION_TEXT, AT(ioctl), ""},
	{"width", OPTIONS_TIMELINE, OPTION_NUMBER, AT(width), .number = 100, .low = 20, .high = 240},
	{"slowest", OPTIONS_REPORT, OPTION_NUMBER, AT(slowest), .number = 10, .low = 1, .high = 100},
	{"slowest", OPTIONS_PERFETTO, OPTION_NUMBER, AT(slowest), .number = 0, .low = 0, .high = 100},
	{"context-us", OPTIONS_REPORT | OPTIONS_PERFETTO | OPTIONS_SELECT, OPTION_NUMBER,
		AT(context_us), .number = 1000, .low = 0, .high = 60000000},
	{"min-us", OPTIONS_SELECT, OPTION_NUMBER, AT(min_us), .number = 0, .low = 0, .high = INT64_MAX},
	{"begin-ns", OPTIONS_PERFETTO, OPTION_NUMBER, AT(begin_ns), .number = -1, .low = -1,
		.high = INT64_MAX},
	{"end-ns", OPTIONS_PERFETTO, OPTION_NUMBER, AT(end_ns), .number = -1, .low = -1,
		.high = INT64_MAX},
	{"device", OPTIONS_SELECT, OPTION_NUMBER, AT(device), .number = -1, .low = -1,
		.high = UINT32_MAX},
	{"session", OPTIONS_SELECT, OPTION_NUMBER, AT(session), .number = -1, .low = -1,
		.high = UINT32_MAX},
	{"allow-lost", OPTIONS_CHECK, OPTION_YES_NO, AT(allow_lost)},
	{"allow-empty", OPTIONS_CHECK, OPTION_YES_NO, AT(allow_empty)},
};
/* clang-format on */

struct parsing {
	struct options *options;
	enum options_user user;
	char *why;
	size_t why_bytes;
	bool is_bad;
};

static bool
is_choice(const char *choices, const char *value)
{
	size_t bytes = strlen(value);

	while (choices != NULL) {
		if (strncmp(choices, value, bytes) == 0 &&
			(choices[bytes] == '|' || choices[bytes] == '\0')) {
			return true;
		}
		choices = strchr(choices, '|');
		choices = choices != NULL ? choices + 1 : NULL;
	}
	return false;
}

static bool
store_text(const struct option_row *row, const bt_value *value, struct parsing *parsing)
{
	const char *text = bt_value_is_string(value) ? bt_value_string_get(value) : NULL;

	if (text != NULL && row->choices != NULL && is_choice(row->choices, text)) {
		snprintf((char *)parsing->options + row->offset, row->bytes, "%s", text);
		return true;
	}
	if (text != NULL && row->choices == NULL && strlen(text) < row->bytes) {
		snprintf((char *)parsing->options + row->offset, row->bytes, "%s", text);
		return true;
	}
	snprintf(parsing->why, parsing->why_bytes, "%s wants %s%s", row->name,
		row->choices != NULL ? "one of " : "a text that is not too long, such as ",
		row->choices != NULL ? row->choices : "\"abc\"");
	return false;
}

static bool
store_number(const struct option_row *row, const bt_value *value, struct parsing *parsing)
{
	int64_t number = INT64_MIN;

	if (bt_value_is_signed_integer(value)) {
		number = bt_value_integer_signed_get(value);
	} else if (bt_value_is_unsigned_integer(value) &&
		   bt_value_integer_unsigned_get(value) <= INT64_MAX) {
		number = (int64_t)bt_value_integer_unsigned_get(value);
	}
	if (number < row->low || number > row->high) {
		snprintf(parsing->why, parsing->why_bytes, "%s wants a number from %lld to %lld",
			row->name, (long long)row->low, (long long)row->high);
		return false;
	}
	memcpy((char *)parsing->options + row->offset, &number, sizeof(number));
	return true;
}

static bool
store_yes_no(const struct option_row *row, const bt_value *value, struct parsing *parsing)
{
	if (!bt_value_is_bool(value)) {
		snprintf(parsing->why, parsing->why_bytes, "%s wants yes or no", row->name);
		return false;
	}
	*(bool *)((char *)parsing->options + row->offset) = bt_value_bool_get(value) != BT_FALSE;
	return true;
}

static bool
store(const struct option_row *row, const bt_value *value, struct parsing *parsing)
{
	switch (row->kind) {
	case OPTION_TEXT:
		return store_text(row, value, parsing);
	case OPTION_NUMBER:
		return store_number(row, value, parsing);
	case OPTION_YES_NO:
		return store_yes_no(row, value, parsing);
	}
	return false;
}

static void
say_unknown(struct parsing *parsing, const char *name)
{
	int used = snprintf(
		parsing->why, parsing->why_bytes, "unknown parameter %s; there are:", name);

	for (unsigned int i = 0; i < ARRAY_SIZE(rows) && used < (int)parsing->why_bytes; i++) {
		if ((rows[i].users & parsing->user) != 0) {
			used += snprintf(parsing->why + used, parsing->why_bytes - (size_t)used,
				" %s", rows[i].name);
		}
	}
}

static bt_value_map_foreach_entry_const_func_status
entry(const char *name, const bt_value *value, void *arg)
{
	struct parsing *parsing = arg;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		if ((rows[i].users & parsing->user) != 0 && strcmp(rows[i].name, name) == 0) {
			parsing->is_bad = !store(&rows[i], value, parsing);
			return parsing->is_bad
			               ? BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT
			               : BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_OK;
		}
	}
	say_unknown(parsing, name);
	parsing->is_bad = true;
	return BT_VALUE_MAP_FOREACH_ENTRY_CONST_FUNC_STATUS_INTERRUPT;
}

static void
defaults(struct options *options, enum options_user user)
{
	memset(options, 0, sizeof(*options));
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		char *at = (char *)options + rows[i].offset;

		if ((rows[i].users & (uint32_t)user) == 0) {
			continue;
		}
		if (rows[i].kind == OPTION_TEXT) {
			snprintf(at, rows[i].bytes, "%s", rows[i].text);
		} else if (rows[i].kind == OPTION_NUMBER) {
			memcpy(at, &rows[i].number, sizeof(rows[i].number));
		}
	}
}

/* What is good by itself and yet selects nothing. */
static void
judge(struct parsing *parsing)
{
	const struct options *options = parsing->options;

	if (options->end_ns >= 0 && options->begin_ns > options->end_ns) {
		snprintf(parsing->why, parsing->why_bytes, "begin-ns is later than end-ns");
		parsing->is_bad = true;
	}
	if (options->ioctl[0] != '\0' && !event_is_code(options->ioctl)) {
		snprintf(parsing->why, parsing->why_bytes,
			"ioctl=%.32s: no ioctl or command has this name; QBUF and OPEN are such names",
			options->ioctl);
		parsing->is_bad = true;
	}
}

int
options_parse(struct options *options, enum options_user user, const bt_value *params, char *why,
	size_t why_bytes)
{
	struct parsing parsing = {options, user, why, why_bytes, false};

	defaults(options, user);
	bt_value_map_foreach_entry_const(params, entry, &parsing);
	if (!parsing.is_bad) {
		judge(&parsing);
	}
	return parsing.is_bad ? -EINVAL : 0;
}
