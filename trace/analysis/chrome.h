/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A trace as Chrome's JSON, which ui.perfetto.dev and chrome://tracing open: a process per device,
 * a thread per session, a slice per command with its stages inside, marks for the other events.
 * Either everything in a range of time, or the slowest commands and what happened around them.
 */
#ifndef VMEDIA_ANALYSIS_CHROME_H
#define VMEDIA_ANALYSIS_CHROME_H

#include <stdio.h>

#include "analysis/span.h"

struct chrome {
	FILE *out;
	uint64_t nb_written;
};

void chrome_begin(struct chrome *chrome, FILE *out);
void chrome_span(struct chrome *chrome, const struct span *span);
/* Anything but the events of commands; they are drawn by chrome_span. */
void chrome_event(struct chrome *chrome, const struct event *event);
void chrome_end(struct chrome *chrome);

#endif
