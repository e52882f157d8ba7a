/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "analysis/check.h"
#include "analysis/sink.h"

struct state {
	const struct options *options;
	struct check *check;
};

static uint64_t
wants(void *arg, uint64_t known)
{
	check_declared(((struct state *)arg)->check, known);
	return CHECK_WANTS;
}

static void
destroy(void *arg)
{
	struct state *state = arg;

	check_destroy(state->check);
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
	state->check = check_create(out);
	if (state->check == NULL) {
		destroy(state);
		return NULL;
	}
	return state;
}

static int
add(void *arg, const struct event *event)
{
	return check_add(((struct state *)arg)->check, event);
}

static void
lost(void *arg, uint64_t nb_events)
{
	check_lost(((struct state *)arg)->check, nb_events);
}

static bool
finish(void *arg, FILE *out, char *why, size_t why_bytes)
{
	const struct state *state = arg;
	struct check_verdict verdict;

	check_finish(
		state->check, state->options->allow_lost, state->options->allow_empty, &verdict);
	snprintf(why, why_bytes, "the trace breaks the rules: %llu violations",
		(unsigned long long)verdict.nb_total);
	return verdict.nb_total == 0;
}

const struct analysis analysis_check = {
	.user = OPTIONS_CHECK,
	.wants = wants,
	.create = create,
	.add = add,
	.lost = lost,
	.finish = finish,
	.destroy = destroy,
};
