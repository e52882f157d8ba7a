/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "analysis/report.h"
#include "analysis/sink.h"

struct state {
	const struct options *options;
	struct report report;
	struct spans spans;
	uint64_t span_events; /* the events that make a span in this trace */
};

static uint64_t
wants(void *arg, uint64_t known)
{
	((struct state *)arg)->span_events = spans_wants(known);
	return (1ULL << NB_EVENTS) - 1;
}

static void
destroy(void *arg)
{
	struct state *state = arg;

	latency_destroy(state->report.latency);
	streams_destroy(state->report.streams);
	slow_destroy(state->report.slow);
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
	state->report.title = options->title[0] != '\0' ? options->title : "vmedia trace";
	state->report.latency = latency_create();
	state->report.streams = streams_create();
	state->report.slow =
		slow_create((uint32_t)options->slowest, options->context_us * UINT64_C(1000));
	if (state->report.latency == NULL || state->report.streams == NULL ||
		state->report.slow == NULL) {
		destroy(state);
		return NULL;
	}
	return state;
}

static int
add_span(struct report *report, const struct span *span)
{
	int rc = latency_record(report->latency, span);

	heat_record(&report->heat, span->begin_ns, span->ns[SPAN_TOTAL]);
	return rc < 0 ? rc : slow_command(report->slow, span);
}

static int
add(void *arg, const struct event *event)
{
	struct state *state = arg;
	struct report *report = &state->report;
	uint64_t bit = 1ULL << event->kind;
	struct span span;

	if (report->nb_events++ == 0) {
		report->first_ns = event->time_ns;
	}
	report->last_ns = event->time_ns;
	slow_event(report->slow, event);
	if ((bit & STREAMS_WANTS) != 0) {
		streams_add(report->streams, event);
	}
	if (event->kind == EVENT_dqbuf_publish) {
		latency_record_dqbuf(report->latency, event);
	}
	if ((bit & state->span_events) != 0 && spans_add(&state->spans, event, &span)) {
		return add_span(report, &span);
	}
	return 0;
}

static void
lost(void *arg, uint64_t nb_events)
{
	((struct state *)arg)->report.nb_lost += nb_events;
}

static bool
finish(void *arg, FILE *out, char *why, size_t why_bytes)
{
	struct report *report = &((struct state *)arg)->report;

	latency_finish(report->latency);
	report_write(report, out);
	return true;
}

const struct analysis analysis_report = {
	.user = OPTIONS_REPORT,
	.wants = wants,
	.create = create,
	.add = add,
	.lost = lost,
	.finish = finish,
	.destroy = destroy,
};
