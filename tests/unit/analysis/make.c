/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "make.h"

void
make_set(struct event *event, enum event_field field, int64_t value)
{
	event->fields[field] = value;
	event->present |= 1ULL << field;
}

struct event
make_event(enum event_kind kind, uint64_t time_ns)
{
	struct event event = {.time_ns = time_ns, .kind = kind};

	make_set(&event, FIELD_device, 0);
	make_set(&event, FIELD_session, 1);
	return event;
}

struct event
make_stage(enum event_kind kind, uint64_t time_ns, uint32_t device, uint64_t seq)
{
	struct event event = {.time_ns = time_ns, .kind = kind};

	make_set(&event, FIELD_device, device);
	make_set(&event, FIELD_seq, (int64_t)seq);
	return event;
}

struct span
make_span(uint64_t begin_ns, uint64_t total_ns, uint32_t code)
{
	struct span span = {.begin_ns = begin_ns, .session = 1, .code = code};

	span.ns[SPAN_PARSE] = span.ns[SPAN_WAIT] = span.ns[SPAN_PUBLISH] = 100;
	span.ns[SPAN_BACKEND] = total_ns - 300;
	span.ns[SPAN_TOTAL] = total_ns;
	return span;
}
