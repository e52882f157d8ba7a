/* SPDX-License-Identifier: BSD-3-Clause */
/* What people and machines get to see: progress, tables, JSON. */
#ifndef VMEDIA_APP_STREAM_REPORT_H
#define VMEDIA_APP_STREAM_REPORT_H

#include "stream.h"
#include "threads.h"

/* One line, rewritten in place on a terminal. */
void report_progress(const struct stream *streams, unsigned int nb, double elapsed_s, double all_s);
void report_progress_end(void);
/* The table per stream, totals, and what was wrong first. */
void report_streams(const struct stream *streams, unsigned int nb);
/* CPU use per thread; `usage` is a difference. */
void report_threads(const char *title, const struct threads *usage);
/* Everything as JSON; -ENOTSUP: built without json-c. */
int report_json(const char *path, const struct stream *streams, unsigned int nb,
	const struct threads *device, const struct threads *self);

#endif
