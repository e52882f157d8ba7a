/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define LINE_BYTES 512

static const char *const level_names[] = {"err", "warning", "notice", "info", "debug"};

static void
sink_stderr(enum log_level level, const char *type, const char *line)
{
	const char *prefix = level <= LOG_LEVEL_WARNING ? level_names[level] : "";

	fprintf(stderr, "vmedia.%s: %s%s%s\n", type, prefix, *prefix != '\0' ? ": " : "", line);
}

static log_sink_fn *sink = sink_stderr;
static struct log_type *types;

void
log_set_sink(log_sink_fn *new_sink)
{
	sink = new_sink != NULL ? new_sink : sink_stderr;
}

void
log_type_register(struct log_type *type)
{
	type->next = types;
	types = type;
}

static int
level_by_name(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (strcmp(name, level_names[i]) == 0) {
			return (int)i;
		}
	}
	return -EINVAL;
}

int
log_set_level(const char *spec)
{
	const char *colon = strchr(spec, ':');
	int level = level_by_name(colon != NULL ? colon + 1 : spec);
	size_t len = colon != NULL ? (size_t)(colon - spec) : 0;
	bool found = colon == NULL;

	if (level < 0) {
		return level;
	}
	for (struct log_type *t = types; t != NULL; t = t->next) {
		if (colon == NULL || (strlen(t->name) == len && strncmp(t->name, spec, len) == 0)) {
			t->level = (enum log_level)level;
			found = true;
		}
	}
	return found ? 0 : -EINVAL;
}

void
log_write(const struct log_type *type, enum log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list ap;

	if (level > type->level) {
		return;
	}
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	sink(level, type->name, line);
}

bool
log_ratelimit_pass(struct log_ratelimit *limit, uint32_t *suppressed)
{
	uint64_t now_ns = clock_monotonic_ns();

	if (now_ns < limit->next_ns) {
		limit->suppressed++;
		return false;
	}
	*suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_ns = now_ns + NSEC_PER_SEC;
	return true;
}
