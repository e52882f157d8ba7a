/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "analysis/describe.h"

#define CAUSES_MAX 4u

/* The enums of provider/events.toml that the field `cause` has, by event. */
static const struct {
	enum event_kind kind;
	const char *names[CAUSES_MAX];
} causes[] = {
	{EVENT_frame_missed, {"no buffer", "late render", "late reactor"}},
	{EVENT_cmd_park, {"session busy", "backend", "window", "drain"}},
	{EVENT_cmd_malformed,
		{"unknown command", "short command", "no room", "small event buffer"}},
	{EVENT_poll_wake, {"kick", "timeout", "message"}},
};

const char *
describe_cause(enum event_kind kind, uint64_t cause)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(causes); i++) {
		if (causes[i].kind == kind && cause < CAUSES_MAX) {
			return causes[i].names[cause];
		}
	}
	return NULL;
}

const char *
describe_ns(uint64_t ns, char *text)
{
	static const char *const units[] = {"ns", "µs", "ms", "s"};
	double value = (double)ns;
	unsigned int unit = 0;
	int digits;

	if (ns == UINT64_MAX) {
		return "none"; /* no deadline, in poll_sleep */
	}
	while (value >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1000;
		unit++;
	}
	digits = unit == 0 || value >= 99.95 || value == (double)(uint64_t)value ? 0
	         : value >= 9.995                                                ? 1
	                                                                         : 2;
	snprintf(text, 24, "%.*f %s", digits, value, units[unit]);
	return text;
}

static const char *
value_text(const struct event *event, enum event_field field, char *text, size_t text_bytes)
{
	uint64_t value = event_get(event, field);
	const char *cause = describe_cause(event->kind, value);
	const char *name = event_field_name(field);
	size_t bytes = strlen(name);

	if (field == FIELD_code) {
		return event_code_name((uint32_t)value, text);
	}
	if (field == FIELD_cause && cause != NULL) {
		return cause;
	}
	if (field == FIELD_buftype && value <= 2) {
		return value == 0 ? "none" : value == 1 ? "capture" : "output";
	}
	if (field == FIELD_queue) {
		return value == 0 ? "commandq" : "eventq";
	}
	if (bytes > 3 && strcmp(name + bytes - 3, "_ns") == 0 && field != FIELD_timestamp_ns) {
		return describe_ns(value, text);
	}
	snprintf(text, text_bytes, "%" PRId64, (int64_t)value);
	return text;
}

void
describe_event(const struct event *event, char *text, size_t text_bytes)
{
	char value[64];
	size_t used = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < NB_FIELDS && used < text_bytes; i++) {
		if (!event_has(event, i) || i == FIELD_timestamp_ns) {
			continue;
		}
		used += (size_t)snprintf(text + used, text_bytes - used, "%s%s %s",
			used == 0 ? "" : ", ", event_field_name(i),
			value_text(event, i, value, sizeof(value)));
	}
}
