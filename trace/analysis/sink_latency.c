/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "analysis/latency.h"
#include "analysis/sink.h"

struct state {
	const struct options *options;
	struct latency *latency;
	struct spans spans;
};

static uint64_t
wants(void *arg, uint64_t known)
{
	return spans_wants(known) | EVENT_BIT(dqbuf_publish);
}

static void
destroy(void *arg)
{
	struct state *state = arg;

	latency_destroy(state->latency);
	free(state);
}

static void *
create(const struct options *options, FILE *out)
{
	struct state *state = calloc(1, sizeof(*state));

	if (state == NULL) {
		return NULL;
	}
	state->options = options;
	state->latency = latency_create();
	if (state->latency == NULL) {
		destroy(state);
		return NULL;
	}
	return state;
}

static int
add(void *arg, const struct event *event)
{
	struct state *state = arg;
	struct span span;

	if (event->kind == EVENT_dqbuf_publish) {
		latency_record_dqbuf(state->latency, event);
		return 0;
	}
	return spans_add(&state->spans, event, &span) ? latency_record(state->latency, &span) : 0;
}

static void
lost(void *arg, uint64_t nb_events)
{
	struct state *state = arg;

	state->latency->nb_lost += nb_events;
}

static uint32_t
groups_of(const char *by)
{
	if (strcmp(by, "all") == 0) {
		return 1u << LATENCY_ALL;
	}
	if (strcmp(by, "ioctl") == 0) {
		return 1u << LATENCY_IOCTL;
	}
	if (strcmp(by, "dqbuf") == 0) {
		return 1u << LATENCY_DQBUF;
	}
	return strcmp(by, "session") == 0 ? 1u << LATENCY_SESSION : (1u << LATENCY_NB_GROUPS) - 1;
}

static bool
finish(void *arg, FILE *out, char *why, size_t why_bytes)
{
	struct state *state = arg;
	uint32_t groups = groups_of(state->options->by);

	latency_finish(state->latency);
	if (strcmp(state->options->format, "json") == 0) {
		latency_print_json(state->latency, groups, out);
	} else if (strcmp(state->options->format, "csv") == 0) {
		latency_print_csv(state->latency, groups, out);
	} else {
		latency_print_text(state->latency, groups, out);
	}
	return true;
}

const struct analysis analysis_latency = {
	.user = OPTIONS_LATENCY,
	.fields = SPANS_FIELDS | FIELD_BIT(held_ns) | FIELD_BIT(latency_ns),
	.wants = wants,
	.create = create,
	.add = add,
	.lost = lost,
	.finish = finish,
	.destroy = destroy,
};
