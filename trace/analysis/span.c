/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "base/util.h"
#include "analysis/span.h"

#define NB_SLOTS (SPANS_MAX * 2)

const char *const span_stage_names[SPAN_NB_ROWS] = {"parse", "wait", "backend", "publish", "total"};

/* A command's key is never 0, which marks a free slot. */
static uint64_t
key_of(const struct event *event)
{
	return event_key((uint32_t)event_get(event, FIELD_device) + 1, event_get(event, FIELD_seq));
}

static uint32_t
home_of(uint64_t key)
{
	return (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 40) % NB_SLOTS;
}

/* The slot of the key, or the free one where it would be. */
static struct spans_slot *
slot_find(struct spans *spans, uint64_t key)
{
	uint32_t i = home_of(key);

	while (spans->slots[i].key != 0 && spans->slots[i].key != key) {
		i = (i + 1) % NB_SLOTS;
	}
	return &spans->slots[i];
}

/* Closes the hole: what follows moves up unless it stands at or after its home. */
static void
slot_free(struct spans *spans, struct spans_slot *slot)
{
	uint32_t hole = (uint32_t)(slot - spans->slots);

	for (uint32_t i = (hole + 1) % NB_SLOTS; spans->slots[i].key != 0; i = (i + 1) % NB_SLOTS) {
		uint32_t home = home_of(spans->slots[i].key);

		if ((i - home) % NB_SLOTS >= (i - hole) % NB_SLOTS) {
			spans->slots[hole] = spans->slots[i];
			hole = i;
		}
	}
	spans->slots[hole].key = 0;
	spans->nb_in_flight--;
}

static void
begin(struct spans *spans, const struct event *event)
{
	uint64_t key = key_of(event);
	struct spans_slot *slot = slot_find(spans, key);

	if (slot->key == key) {
		spans->nb_twice++;
	} else if (spans->nb_in_flight == SPANS_MAX) {
		spans->nb_dropped++;
		return;
	} else {
		spans->nb_in_flight++;
	}
	memset(slot, 0, sizeof(*slot));
	slot->key = key;
	slot->times_ns[0] = event->time_ns;
}

/* What the stage's event says of the command besides the time. */
static void
note(struct span *span, const struct event *event)
{
	if (event_has(event, FIELD_session)) {
		span->session = (uint32_t)event_get(event, FIELD_session);
	}
	if (event_has(event, FIELD_code)) {
		span->code = (uint32_t)event_get(event, FIELD_code);
	}
	if (event_has(event, FIELD_status)) {
		span->status = (int32_t)event_get(event, FIELD_status);
	}
}

/* A stage without an event took no time. */
static void
durations(struct span *span, const uint64_t *times_ns)
{
	uint64_t last = times_ns[0];

	for (unsigned int i = 0; i < SPAN_NB_STAGES; i++) {
		uint64_t next = times_ns[i + 1] != 0 ? times_ns[i + 1] : last;

		span->disorder |= next < last;
		span->ns[i] = next < last ? 0 : next - last;
		last = next;
	}
	span->ns[SPAN_TOTAL] = last < times_ns[0] ? 0 : last - times_ns[0];
}

static bool
stage(struct spans *spans, const struct event *event, unsigned int time, struct span *span)
{
	struct spans_slot *slot = slot_find(spans, key_of(event));

	if (slot->key == 0) {
		spans->nb_orphans++;
		return false;
	}
	slot->times_ns[time] = event->time_ns;
	note(&slot->span, event);
	if (time != SPAN_NB_STAGES) {
		return false;
	}
	*span = slot->span;
	span->device = (uint32_t)event_get(event, FIELD_device);
	span->seq = event_get(event, FIELD_seq);
	span->begin_ns = slot->times_ns[0];
	durations(span, slot->times_ns);
	slot_free(spans, slot);
	return true;
}

/* The event stands at the publication; its times count from the moment the command was taken. */
static void
joined(const struct event *event, struct span *span)
{
	uint64_t parse = event_get(event, FIELD_parse_ns), begin = event_get(event, FIELD_begin_ns);
	uint64_t end = event_get(event, FIELD_end_ns), publish = event_get(event, FIELD_publish_ns);

	span->device = (uint32_t)event_get(event, FIELD_device);
	span->session = (uint32_t)event_get(event, FIELD_session);
	span->seq = event_get(event, FIELD_seq);
	span->code = (uint32_t)event_get(event, FIELD_code);
	span->status = (int32_t)event_get(event, FIELD_status);
	span->begin_ns = event->time_ns - publish;
	span->disorder = parse > begin || begin > end || end > publish;
	span->ns[SPAN_PARSE] = parse;
	span->ns[SPAN_WAIT] = MAX(begin, parse) - parse;
	span->ns[SPAN_BACKEND] = MAX(end, begin) - begin;
	span->ns[SPAN_PUBLISH] = MAX(publish, end) - end;
	span->ns[SPAN_TOTAL] = publish;
}

bool
spans_add(struct spans *spans, const struct event *event, struct span *span)
{
	switch (event->kind) {
	case EVENT_cmd_span:
		joined(event, span);
		return true;
	case EVENT_cmd_dequeue:
		begin(spans, event);
		return false;
	case EVENT_cmd_parse:
		return stage(spans, event, 1, span);
	case EVENT_backend_begin:
		return stage(spans, event, 2, span);
	case EVENT_backend_end:
		return stage(spans, event, 3, span);
	case EVENT_cmd_publish:
		return stage(spans, event, SPAN_NB_STAGES, span);
	default:
		return false;
	}
}

void
spans_forget(struct spans *spans, uint32_t device)
{
	uint32_t i = 0;

	while (i < NB_SLOTS) {
		if (spans->slots[i].key >> 48 == device + 1) {
			slot_free(spans, &spans->slots[i]); /* another one may move up to here */
		} else {
			i++;
		}
	}
}
