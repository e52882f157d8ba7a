/* SPDX-License-Identifier: BSD-3-Clause */
/* One HTML page about a trace, complete in itself: drawings are inline SVG, nothing is fetched. */
#ifndef VMEDIA_ANALYSIS_REPORT_H
#define VMEDIA_ANALYSIS_REPORT_H

#include <stdio.h>

#include "analysis/heat.h"
#include "analysis/latency.h"
#include "analysis/slow.h"
#include "analysis/streams.h"

struct report {
	const char *title;
	uint64_t first_ns, last_ns; /* of all events */
	uint64_t nb_events, nb_lost;
	struct latency *latency;
	struct streams *streams;
	struct slow *slow;
	struct heat heat; /* total latency of all commands */
};

void report_write(struct report *report, FILE *out);

/* The sections; each draws itself, or says why there is nothing to draw. */
void report_percentiles(const struct report *report, FILE *out);
void report_heat(const struct report *report, FILE *out);
void report_stages(const struct report *report, FILE *out);
void report_streams(const struct report *report, FILE *out);
void report_slowest(const struct report *report, FILE *out);

/* A time of the trace in seconds since its first event. */
static inline double
report_seconds(const struct report *report, uint64_t time_ns)
{
	return ((double)time_ns - (double)report->first_ns) / 1e9;
}

#define REPORT_WIDTH 1000.0 /* of every drawing */

#endif
