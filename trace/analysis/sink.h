/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all sinks of the plugin have in common: parameters, reading, losses, output. A sink is one
 * const struct analysis, which knows nothing of Babeltrace's messages.
 */
#ifndef VMEDIA_ANALYSIS_SINK_H
#define VMEDIA_ANALYSIS_SINK_H

#include <stdio.h>

#include "analysis/event.h"
#include "analysis/options.h"

struct analysis {
	enum options_user user;
	uint64_t fields; /* FIELD_BITs that it reads; 0: all */
	/* The events it looks at, given which ones the trace declares; asked again when more do. */
	uint64_t (*wants)(void *state, uint64_t known);
	void *(*create)(const struct options *options, FILE *out); /* NULL: no memory */
	int (*add)(void *state, const struct event *event);        /* 0 or -ENOMEM */
	void (*lost)(void *state, uint64_t nb_events);
	/* Writes the result; what is wrong with the trace in why[] makes babeltrace2 fail. */
	bool (*finish)(void *state, FILE *out, char *why, size_t why_bytes);
	void (*destroy)(void *state);
};

extern const struct analysis analysis_latency, analysis_timeline, analysis_report, analysis_check,
	analysis_perfetto;

#endif
