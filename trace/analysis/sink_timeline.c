/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "analysis/sink.h"
#include "analysis/streams.h"

struct state {
	const struct options *options;
	struct streams *streams;
};

static uint64_t
wants(void *arg, uint64_t known)
{
	return STREAMS_WANTS;
}

static void
destroy(void *arg)
{
	struct state *state = arg;

	streams_destroy(state->streams);
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
	state->streams = streams_create();
	if (state->streams == NULL) {
		destroy(state);
		return NULL;
	}
	return state;
}

static int
add(void *arg, const struct event *event)
{
	streams_add(((struct state *)arg)->streams, event);
	return 0;
}

static void
lost(void *arg, uint64_t nb_events)
{
	((struct state *)arg)->streams->nb_lost += nb_events;
}

static bool
finish(void *arg, FILE *out, char *why, size_t why_bytes)
{
	const struct state *state = arg;

	streams_print(state->streams, (uint32_t)state->options->width, out);
	return true;
}

const struct analysis analysis_timeline = {
	.user = OPTIONS_TIMELINE,
	.wants = wants,
	.create = create,
	.add = add,
	.lost = lost,
	.finish = finish,
	.destroy = destroy,
};
