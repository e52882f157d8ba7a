/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "analysis/check_internal.h"

static const char *const rule_texts[CHECK_NB_RULES] = {
	[CHECK_PUBLISHED_TWICE] = "a command was answered twice",
	[CHECK_NOT_PUBLISHED] = "a command was never answered",
	[CHECK_STAGE_ORDER] = "a stage of a command began before the stage ahead of it",
	[CHECK_STAGE_ALONE] = "a stage of a command that was never taken from the queue",
	[CHECK_QUEUED_TWICE] = "a buffer was queued while it was queued",
	[CHECK_DONE_NOT_QUEUED] = "a frame was put into a buffer that was not queued",
	[CHECK_DQBUF_NOT_QUEUED] = "a DQBUF event for a buffer that was not queued",
	[CHECK_DQBUF_NOT_DONE] = "a DQBUF event for a buffer whose frame was not done",
	[CHECK_DQBUF_MISSING] = "a frame was done and its DQBUF event never went out",
	[CHECK_INDEX] = "a buffer index out of range",
	[CHECK_SEQUENCE] = "a frame's sequence number did not grow",
	[CHECK_SESSION] = "an event of a session that is not open",
	[CHECK_LOST] =
		"the tracer lost events: the trace proves nothing (allow-lost=yes accepts it)",
	[CHECK_EMPTY] = "no command in the trace (allow-empty=yes accepts it)",
};

struct check *
check_create(FILE *out)
{
	struct check *check = calloc(1, sizeof(*check));

	if (check != NULL) {
		check->out = out;
	}
	return check;
}

void
check_destroy(struct check *check)
{
	if (check == NULL) {
		return;
	}
	for (uint32_t i = 0; i < CHECK_MAX_DEVICES; i++) {
		free(check->devices[i]);
	}
	check_buffers_free(check);
	free(check);
}

void
check_violation(struct check *check, enum check_rule rule, const struct event *event,
	const char *format, ...)
{
	va_list args;

	check->verdict.nb_total++;
	if (check->verdict.nb_violations[rule]++ >= CHECK_SHOWN) {
		return;
	}
	fprintf(check->out, "BROKEN   %" PRIu64 ".%09" PRIu64 " device %" PRIu64,
		event->time_ns / 1000000000u, event->time_ns % 1000000000u,
		event_get(event, FIELD_device));
	if (event_has(event, FIELD_session)) {
		fprintf(check->out, " session %" PRIu64, event_get(event, FIELD_session));
	}
	fprintf(check->out, ": %s: ", rule_texts[rule]);
	va_start(args, format);
	vfprintf(check->out, format, args);
	va_end(args);
	fputc('\n', check->out);
}

struct check_device *
check_device_get(struct check *check, uint32_t device)
{
	if (device >= CHECK_MAX_DEVICES) {
		return NULL;
	}
	if (check->devices[device] == NULL) {
		check->devices[device] = calloc(1, sizeof(*check->devices[device]));
	}
	return check->devices[device];
}

int
check_add(struct check *check, const struct event *event)
{
	check->now_ns = event->time_ns;
	if (check_device_get(check, (uint32_t)event_get(event, FIELD_device)) == NULL) {
		return -ENOMEM;
	}
	switch (event->kind) {
	case EVENT_cmd_dequeue:
	case EVENT_cmd_parse:
	case EVENT_backend_begin:
	case EVENT_backend_end:
	case EVENT_cmd_publish:
	case EVENT_cmd_span:
		check_command(check, event);
		return 0;
	case EVENT_device_reset:
		check_commands_reset(check, (uint32_t)event_get(event, FIELD_device));
		return 0;
	default:
		return check_buffer(check, event);
	}
}

void
check_declared(struct check *check, uint64_t known)
{
	check->known = known;
}

void
check_lost(struct check *check, uint64_t nb_events)
{
	check->verdict.nb_lost += nb_events;
	check_commands_lost(check);
	check_buffers_lost(check);
}

static void
judge_whole(struct check *check, enum check_rule rule)
{
	check->verdict.nb_violations[rule]++;
	check->verdict.nb_total++;
	fprintf(check->out, "BROKEN   %s\n", rule_texts[rule]);
}

void
check_finish(struct check *check, bool allow_lost, bool allow_empty, struct check_verdict *verdict)
{
	check_commands_finish(check);
	check_buffers_finish(check);
	if (check->verdict.nb_lost != 0 && !allow_lost) {
		judge_whole(check, CHECK_LOST);
	}
	if (check->verdict.nb_commands == 0 && !allow_empty) {
		judge_whole(check, CHECK_EMPTY);
	}
	*verdict = check->verdict;
	for (unsigned int i = 0; i < CHECK_NB_RULES; i++) {
		if (verdict->nb_violations[i] > CHECK_SHOWN) {
			fprintf(check->out, "BROKEN   %" PRIu64 " times in all: %s\n",
				verdict->nb_violations[i], rule_texts[i]);
		}
	}
	fprintf(check->out,
		"%s %" PRIu64 " commands, %" PRIu64 " frames, %" PRIu64 " DQBUF events, %" PRIu64
		" lost; %" PRIu64 " violations\n",
		verdict->nb_total == 0 ? "ok      " : "FAILED  ", verdict->nb_commands,
		verdict->nb_frames, verdict->nb_dqbufs, verdict->nb_lost, verdict->nb_total);
}
