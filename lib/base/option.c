/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/option.h"

static const char *const bool_names[] = {"no", "yes", "off", "on", "false", "true", "0", "1", NULL};

const struct vmedia_option *
option_find(const struct vmedia_option *table, const char *key)
{
	for (const struct vmedia_option *row = table; row != NULL && row->key != NULL; row++) {
		if (strcmp(row->key, key) == 0) {
			return row;
		}
	}
	return NULL;
}

static void
join(const char *const *names, unsigned int nb, char *text, size_t text_bytes)
{
	size_t at = 0;

	for (unsigned int i = 0; i < nb && names[i] != NULL && at < text_bytes; i++) {
		at += (size_t)snprintf(
			text + at, text_bytes - at, "%s%s", i > 0 ? " | " : "", names[i]);
	}
}

void
option_allowed(const struct vmedia_option *row, char *text, size_t text_bytes)
{
	switch (row->type) {
	case VMEDIA_OPTION_U32:
		snprintf(text, text_bytes, "%u .. %u", row->min, row->max);
		break;
	case VMEDIA_OPTION_CHOICE:
		join(row->choices, UINT32_MAX, text, text_bytes);
		break;
	case VMEDIA_OPTION_BOOL:
		join(bool_names, 2, text, text_bytes);
		break;
	case VMEDIA_OPTION_STRING:
		snprintf(text, text_bytes, "text");
		break;
	}
}

static int
parse_u32(const struct vmedia_option *row, const char *value, uint32_t *number)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(value, &end, 0);
	if (errno != 0 || end == value || *end != '\0' || *value == '-' || n < row->min ||
		n > row->max) {
		return -EINVAL;
	}
	*number = (uint32_t)n;
	return 0;
}

static int
parse_name(const char *const *names, const char *value, uint32_t *index)
{
	for (uint32_t i = 0; names[i] != NULL; i++) {
		if (strcmp(names[i], value) == 0) {
			*index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int
parse(const struct vmedia_option *row, const char *value, uint32_t *number)
{
	int rc = 0;

	switch (row->type) {
	case VMEDIA_OPTION_U32:
		return parse_u32(row, value, number);
	case VMEDIA_OPTION_CHOICE:
		return parse_name(row->choices, value, number);
	case VMEDIA_OPTION_BOOL:
		rc = parse_name(bool_names, value, number);
		*number &= 1;
		return rc;
	case VMEDIA_OPTION_STRING:
		break;
	}
	return *value != '\0' ? 0 : -EINVAL;
}

int
option_store(
	const struct vmedia_option *row, void *base, const char *value, char *why, size_t why_bytes)
{
	uint32_t number = 0;
	int rc = parse(row, value, &number);

	if (rc != 0) {
		char allowed[256] = "";

		option_allowed(row, allowed, sizeof(allowed));
		snprintf(why, why_bytes, "%s=%s: allowed is %s (%s)", row->key, value, allowed,
			row->help);
		return rc;
	}
	if (base == NULL) {
		return 0;
	}
	if (row->type == VMEDIA_OPTION_STRING) {
		memcpy((char *)base + row->offset, &value, sizeof(value));
	} else {
		memcpy((char *)base + row->offset, &number, sizeof(number));
	}
	return 0;
}

void
option_defaults(const struct vmedia_option *table, void *base)
{
	char why[256];

	for (const struct vmedia_option *row = table; row != NULL && row->key != NULL; row++) {
		if (row->value != NULL) {
			option_store(row, base, row->value, why, sizeof(why));
		}
	}
}

void
option_keys(const struct vmedia_option *table, char *text, size_t text_bytes)
{
	size_t at = 0;

	snprintf(text, text_bytes, "none");
	for (; table != NULL && table->key != NULL && at < text_bytes; table++) {
		at += (size_t)snprintf(
			text + at, text_bytes - at, "%s%s", at > 0 ? ", " : "", table->key);
	}
}

void
option_help(const struct vmedia_option *table, FILE *out)
{
	for (const struct vmedia_option *row = table; row != NULL && row->key != NULL; row++) {
		char allowed[256] = "";

		option_allowed(row, allowed, sizeof(allowed));
		fprintf(out, "  %-15s  %-25s  %-8s  %s\n", row->key, allowed,
			row->value != NULL ? row->value : "-", row->help);
	}
}
