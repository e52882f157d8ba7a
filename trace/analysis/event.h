/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One event of a vmedia trace, decoded: numbers under the names that the event list gives them. A
 * field name means the same in every event, so all events share one set of fields. What reads a
 * trace (the Babeltrace side) fills this in; everything that thinks about it sees only this.
 */
#ifndef VMEDIA_ANALYSIS_EVENT_H
#define VMEDIA_ANALYSIS_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "analysis/names.h"

#define EVENT_ENUM(name) EVENT_##name,
#define FIELD_ENUM(name) FIELD_##name,

enum event_kind {
	EVENT_NAMES(EVENT_ENUM) NB_EVENTS
};
enum event_field {
	FIELD_NAMES(FIELD_ENUM) NB_FIELDS
};

_Static_assert(NB_EVENTS <= 64 && NB_FIELDS <= 64, "sets of them are 64-bit masks");

struct event {
	uint64_t time_ns; /* since the epoch of the trace's clock */
	uint32_t kind;    /* enum event_kind */
	uint64_t present; /* mask of the fields that this event has */
	const char *text; /* the field `name`, until the next event; or NULL */
	int64_t fields[NB_FIELDS];
};

/* code of a command that is no ioctl: this plus its number (provider/events.toml). */
#define EVENT_CODE_COMMAND 0xff00u

/* Device numbers: so many in a process, and in all that are read together. */
#define EVENT_TRACE_DEVICES 1024u
#define EVENT_MAX_DEVICES   (16u * EVENT_TRACE_DEVICES)

#define EVENT_BIT(name) (1ULL << EVENT_##name)
#define FIELD_BIT(name) (1ULL << FIELD_##name)

static inline bool
event_has(const struct event *event, enum event_field field)
{
	return (event->present >> field & 1) != 0;
}

/* 0 when the event has no such field. */
static inline uint64_t
event_get(const struct event *event, enum event_field field)
{
	return event_has(event, field) ? (uint64_t)event->fields[field] : 0;
}

/* The index of a name, or -ENOENT; and back. */
int event_find(const char *name);
int event_find_field(const char *name);
const char *event_name(enum event_kind kind);
const char *event_field_name(enum event_field field);

/* "QBUF", "OPEN", or "code 0x1f" where there is no name; text is the caller's and at least 16 long.
 */
const char *event_code_name(uint32_t code, char *text);

/* Whether a code has this name, in any case; "code 0x1f" has none, and is one. */
bool event_is_code(const char *name);

/* A key for tables: device and session, or device and number. */
static inline uint64_t
event_key(uint32_t device, uint64_t number)
{
	return (uint64_t)device << 48 | (number & 0xffffffffffffULL);
}

#endif
