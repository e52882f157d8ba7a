/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "base/util.h"
#include "analysis/latency.h"

const double latency_percents[LATENCY_NB_PERCENTS] = {50, 90, 99, 99.9, 99.99};
const char *const latency_percent_names[LATENCY_NB_PERCENTS] = {
	"p50", "p90", "p99", "p99.9", "p99.99"};

struct latency *
latency_create(void)
{
	return calloc(1, sizeof(struct latency));
}

void
latency_destroy(struct latency *latency)
{
	if (latency == NULL) {
		return;
	}
	for (unsigned int i = 0; i < LATENCY_NB_CODES; i++) {
		free(latency->codes[i]);
	}
	for (unsigned int i = 0; i <= LATENCY_MAX_SESSIONS; i++) {
		free(latency->sessions[i].ns);
	}
	free(latency);
}

static unsigned int
code_index(uint32_t code)
{
	uint32_t command = code - EVENT_CODE_COMMAND;

	if (code < VMEDIA_NB_IOCTLS) {
		return code;
	}
	return VMEDIA_NB_IOCTLS + MIN(command, LATENCY_NB_COMMANDS - 1);
}

static void
stages_record(struct latency_stages *stages, const struct span *span)
{
	stages->nb_errors += span->status != 0;
	for (unsigned int i = 0; i < SPAN_NB_ROWS; i++) {
		hist_record(&stages->ns[i], span->ns[i]);
	}
}

static struct latency_session *
session_find(struct latency *latency, const struct span *span)
{
	uint64_t key = event_key(span->device, span->session);
	uint32_t place = (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 40);
	struct latency_session *session;

	for (;; place++) {
		uint16_t *index = &latency->places[place % (LATENCY_MAX_SESSIONS * 2)];

		if (*index == 0 && latency->nb_sessions == LATENCY_MAX_SESSIONS) {
			return &latency->sessions[LATENCY_MAX_SESSIONS];
		}
		if (*index == 0) {
			*index = (uint16_t)++latency->nb_sessions;
			session = &latency->sessions[*index - 1];
			session->device = span->device;
			session->session = span->session;
			return session;
		}
		session = &latency->sessions[*index - 1];
		if (session->device == span->device && session->session == span->session) {
			return session;
		}
	}
}

int
latency_record(struct latency *latency, const struct span *span)
{
	struct latency_stages **stages = &latency->codes[code_index(span->code)];
	struct latency_session *session = session_find(latency, span);
	uint64_t end_ns = span->begin_ns + span->ns[SPAN_TOTAL];

	if (*stages == NULL) {
		*stages = calloc(1, sizeof(**stages));
	}
	if (session->ns == NULL) {
		session->ns = calloc(1, sizeof(*session->ns));
	}
	if (*stages == NULL || session->ns == NULL) {
		return -ENOMEM;
	}
	stages_record(*stages, span);
	session->nb_errors += span->status != 0;
	hist_record(session->ns, span->ns[SPAN_TOTAL]);
	latency->first_ns =
		latency->first_ns == 0 ? span->begin_ns : MIN(latency->first_ns, span->begin_ns);
	latency->last_ns = MAX(latency->last_ns, end_ns);
	return 0;
}

void
latency_record_dqbuf(struct latency *latency, const struct event *event)
{
	hist_record(&latency->dqbuf_held_ns, event_get(event, FIELD_held_ns));
	hist_record(&latency->dqbuf_deliver_ns, event_get(event, FIELD_latency_ns));
}

void
latency_finish(struct latency *latency)
{
	for (unsigned int i = 0; i < LATENCY_NB_CODES; i++) {
		const struct latency_stages *stages = latency->codes[i];

		for (unsigned int row = 0; stages != NULL && row < SPAN_NB_ROWS; row++) {
			hist_merge(&latency->all.ns[row], &stages->ns[row]);
		}
		latency->all.nb_errors += stages != NULL ? stages->nb_errors : 0;
	}
}

static void
stages_rows(
	const struct latency_stages *stages, struct latency_row *row, latency_row_fn fn, void *arg)
{
	for (unsigned int i = 0; i < SPAN_NB_ROWS; i++) {
		row->stage = span_stage_names[i];
		row->nb_errors = stages->nb_errors;
		row->ns = &stages->ns[i];
		fn(row, arg);
	}
}

void
latency_rows(const struct latency *latency, latency_row_fn fn, void *arg)
{
	struct latency_row row = {.group = LATENCY_ALL, .name = "all"};
	char name[64];

	stages_rows(&latency->all, &row, fn, arg);
	row.group = LATENCY_IOCTL;
	for (uint32_t i = 0; i < LATENCY_NB_CODES; i++) {
		uint32_t code =
			i < VMEDIA_NB_IOCTLS ? i : EVENT_CODE_COMMAND + i - VMEDIA_NB_IOCTLS;

		if (latency->codes[i] != NULL) {
			row.name =
				code == EVENT_CODE_COMMAND ? "other" : event_code_name(code, name);
			stages_rows(latency->codes[i], &row, fn, arg);
		}
	}
	row = (struct latency_row){LATENCY_DQBUF, "DQBUF", "held", 0, &latency->dqbuf_held_ns};
	fn(&row, arg);
	row.stage = "deliver";
	row.ns = &latency->dqbuf_deliver_ns;
	fn(&row, arg);
	row.group = LATENCY_SESSION;
	row.stage = span_stage_names[SPAN_TOTAL];
	row.name = name;
	for (uint32_t i = 0; i <= LATENCY_MAX_SESSIONS; i++) {
		const struct latency_session *session = &latency->sessions[i];

		if (session->ns == NULL) {
			continue;
		}
		snprintf(name, sizeof(name), i == LATENCY_MAX_SESSIONS ? "others" : "%u:%u",
			session->device, session->session);
		row.nb_errors = session->nb_errors;
		row.ns = session->ns;
		fn(&row, arg);
	}
}
