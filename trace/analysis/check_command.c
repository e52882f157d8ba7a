/* SPDX-License-Identifier: BSD-3-Clause */
/* Every command has exactly one answer, and its stages come in order. */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "analysis/check_internal.h"

static bool
skipped(const struct check_device *device, uint64_t seq)
{
	return (device->skipped[seq % CHECK_WINDOW / 64] >> seq % 64 & 1) != 0;
}

static void
skipped_set(struct check_device *device, uint64_t seq, bool value)
{
	uint64_t bit = 1ULL << seq % 64;
	uint64_t *word = &device->skipped[seq % CHECK_WINDOW / 64];

	*word = value ? *word | bit : *word & ~bit;
}

/* A number leaves the window: if it is still missing, it always will be. */
static void
judge_missing(
	struct check *check, struct check_device *device, uint64_t seq, const struct event *event)
{
	if (skipped(device, seq)) {
		check_violation(check, CHECK_NOT_PUBLISHED, event, "number %" PRIu64, seq);
		skipped_set(device, seq, false);
	}
}

static void
number_jumps(
	struct check *check, struct check_device *device, uint64_t seq, const struct event *event)
{
	uint64_t low = device->next_seq > CHECK_WINDOW ? device->next_seq - CHECK_WINDOW : 0;

	if (seq - device->next_seq >= CHECK_WINDOW) {
		check_violation(check, CHECK_NOT_PUBLISHED, event,
			"numbers %" PRIu64 " to %" PRIu64, device->next_seq, seq - CHECK_WINDOW);
		memset(device->skipped, 0, sizeof(device->skipped));
		device->next_seq = seq - CHECK_WINDOW + 1;
		low = device->next_seq;
	}
	for (uint64_t i = device->next_seq; i <= seq; i++) {
		if (i >= CHECK_WINDOW && i - CHECK_WINDOW >= low) {
			judge_missing(check, device, i - CHECK_WINDOW, event);
		}
		skipped_set(device, i, i != seq);
		device->first_skip_ns[i % CHECK_WINDOW] = event->time_ns;
	}
	device->next_seq = seq + 1;
}

static void
published(struct check *check, const struct event *event, uint64_t seq)
{
	struct check_device *device = check->devices[(uint32_t)event_get(event, FIELD_device)];

	if (!device->has_seq) {
		device->has_seq = true;
		device->first_seq = seq;
		device->next_seq = seq + 1;
	} else if (seq < device->first_seq) {
		return;
	} else if (seq >= device->next_seq) {
		number_jumps(check, device, seq, event);
	} else if (seq + CHECK_WINDOW >= device->next_seq && skipped(device, seq)) {
		skipped_set(device, seq, false);
	} else if (seq + CHECK_WINDOW >= device->next_seq) {
		check_violation(check, CHECK_PUBLISHED_TWICE, event, "number %" PRIu64, seq);
	}
}

void
check_command(struct check *check, const struct event *event)
{
	uint64_t nb_orphans = check->spans.nb_orphans, nb_twice = check->spans.nb_twice;
	struct span span;
	char name[16];

	if (spans_add(&check->spans, event, &span)) {
		if (event->kind != EVENT_cmd_span || !check_knows(check, EVENT_BIT(cmd_publish))) {
			check->verdict.nb_commands++;
			published(check, event, span.seq);
		}
		if (span.disorder) {
			check_violation(check, CHECK_STAGE_ORDER, event, "number %" PRIu64 ", %s",
				span.seq, event_code_name(span.code, name));
		}
	}
	if (check->spans.nb_twice != nb_twice) {
		check_violation(check, CHECK_PUBLISHED_TWICE, event,
			"number %" PRIu64 " was taken again before it was answered",
			event_get(event, FIELD_seq));
	}
	if (check->spans.nb_orphans != nb_orphans &&
		check->devices[event_get(event, FIELD_device)]->has_seq) {
		check_violation(check, CHECK_STAGE_ALONE, event, "%s of number %" PRIu64,
			event_name(event->kind), event_get(event, FIELD_seq));
	}
}

void
check_commands_lost(struct check *check)
{
	memset(&check->spans, 0, sizeof(check->spans));
	for (uint32_t i = 0; i < CHECK_MAX_DEVICES; i++) {
		if (check->devices[i] != NULL) {
			check->devices[i]->has_seq = false;
			memset(check->devices[i]->skipped, 0, sizeof(check->devices[i]->skipped));
		}
	}
}

void
check_commands_reset(struct check *check, uint32_t device)
{
	spans_forget(&check->spans, device);
	memset(check->devices[device]->skipped, 0, sizeof(check->devices[device]->skipped));
}

static void
finish_device(struct check *check, uint32_t index)
{
	struct check_device *device = check->devices[index];
	struct event end = {.present = 1ULL << FIELD_device};
	uint64_t low = device->next_seq > CHECK_WINDOW ? device->next_seq - CHECK_WINDOW : 0;

	end.fields[FIELD_device] = index;
	end.time_ns = check->now_ns;
	for (uint64_t seq = low; seq < device->next_seq; seq++) {
		if (device->first_skip_ns[seq % CHECK_WINDOW] + CHECK_GRACE_NS < check->now_ns) {
			judge_missing(check, device, seq, &end);
		}
	}
}

void
check_commands_finish(struct check *check)
{
	for (uint32_t i = 0; i < CHECK_MAX_DEVICES; i++) {
		if (check->devices[i] != NULL) {
			finish_device(check, i);
		}
	}
	for (uint32_t i = 0; i < SPANS_MAX * 2; i++) {
		const struct spans_slot *slot = &check->spans.slots[i];
		struct event begin = {.time_ns = slot->times_ns[0],
			.present = 1ULL << FIELD_device | 1ULL << FIELD_seq};

		if (slot->key == 0 || slot->times_ns[0] + CHECK_GRACE_NS >= check->now_ns) {
			continue;
		}
		begin.fields[FIELD_device] = (int64_t)(slot->key >> 48) - 1;
		check_violation(check, CHECK_NOT_PUBLISHED, &begin, "number %" PRIu64,
			(uint64_t)(slot->key & 0xffffffffffffULL));
	}
}
