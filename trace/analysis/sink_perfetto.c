/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "analysis/chrome.h"
#include "analysis/sink.h"
#include "analysis/slow.h"

/* Commands become slices; their events are not shown once more. */
#define OF_COMMANDS (SPANS_WANTS_JOINED | SPANS_WANTS_STAGES)

struct state {
	const struct options *options;
	struct chrome chrome;
	struct slow *slow; /* NULL: a range */
	struct spans spans;
	uint64_t span_events;
	uint64_t nb_lost;
};

static uint64_t
wants(void *arg, uint64_t known)
{
	uint64_t all = (1ULL << NB_EVENTS) - 1;

	((struct state *)arg)->span_events = spans_wants(known);
	return (all & ~OF_COMMANDS) | spans_wants(known);
}

static void
destroy(void *arg)
{
	struct state *state = arg;

	slow_destroy(state->slow);
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
	if (options->slowest != 0) {
		state->slow = slow_create(
			(uint32_t)options->slowest, options->context_us * UINT64_C(1000));
		if (state->slow == NULL) {
			free(state);
			return NULL;
		}
	}
	chrome_begin(&state->chrome, out);
	return state;
}

static bool
in_range(const struct options *options, uint64_t begin_ns, uint64_t end_ns)
{
	return (options->begin_ns < 0 || end_ns >= (uint64_t)options->begin_ns) &&
	       (options->end_ns < 0 || begin_ns <= (uint64_t)options->end_ns);
}

static int
add(void *arg, const struct event *event)
{
	struct state *state = arg;
	struct span span;
	bool is_command = (1ULL << event->kind & OF_COMMANDS) != 0;
	bool is_span = is_command && spans_add(&state->spans, event, &span);

	if (event->text != NULL && state->slow != NULL) {
		chrome_event(&state->chrome, event); /* the names of devices, wherever they stand */
	}
	if (state->slow != NULL) {
		slow_event(state->slow, event);
		return is_span ? slow_command(state->slow, &span) : 0;
	}
	if (is_span && in_range(state->options, span.begin_ns, event->time_ns)) {
		chrome_span(&state->chrome, &span);
	} else if (!is_command && in_range(state->options, event->time_ns, event->time_ns)) {
		chrome_event(&state->chrome, event);
	}
	return 0;
}

static void
lost(void *arg, uint64_t nb_events)
{
	((struct state *)arg)->nb_lost += nb_events;
}

/* Stages of other commands around a slow one make slices, too, where they are complete. */
static void
write_slow(struct state *state, const struct slow_command *command)
{
	struct spans *spans = calloc(1, sizeof(*spans));
	struct event event;
	struct span span;
	bool is_drawn = false;

	for (uint32_t i = 0; spans != NULL && i < command->nb_notes; i++) {
		slow_note_event(&command->notes[i], &event);
		if ((1ULL << event.kind & OF_COMMANDS) == 0) {
			chrome_event(&state->chrome, &event);
		} else if (spans_add(spans, &event, &span)) {
			is_drawn |= span.device == command->span.device &&
			            span.seq == command->span.seq;
			chrome_span(&state->chrome, &span);
		}
	}
	if (!is_drawn) {
		chrome_span(&state->chrome, &command->span);
	}
	free(spans);
}

static bool
finish(void *arg, FILE *out, char *why, size_t why_bytes)
{
	struct state *state = arg;

	for (uint32_t i = 0; state->slow != NULL && i < state->slow->nb; i++) {
		write_slow(state, state->slow->commands[i]);
	}
	chrome_end(&state->chrome);
	if (state->nb_lost != 0) {
		fprintf(stderr, "sink.vmedia.perfetto: the tracer lost %llu events\n",
			(unsigned long long)state->nb_lost);
	}
	return true;
}

const struct analysis analysis_perfetto = {
	.user = OPTIONS_PERFETTO,
	.wants = wants,
	.create = create,
	.add = add,
	.lost = lost,
	.finish = finish,
	.destroy = destroy,
};
