/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From Babeltrace's messages to struct event. Names are looked up once per event class; after that
 * an event costs a pointer compare, and its fields are read by index, only the wanted events'.
 *
 * Devices are numbered in a process, and a trace is of one process where several were recorded: in
 * the n-th trace (from 0) they count from n * EVENT_TRACE_DEVICES on.
 */
#ifndef VMEDIA_ANALYSIS_READER_H
#define VMEDIA_ANALYSIS_READER_H

#include <babeltrace2/babeltrace.h>

#include "analysis/event.h"

#define READER_MAX_TRACES 15u

struct reader_binding;

struct reader {
	uint64_t wants;  /* EVENT_BITs; may be changed at any time */
	uint64_t fields; /* FIELD_BITs to read; set ahead of the first message; 0: all */
	uint64_t known;  /* EVENT_BITs of all event classes met so far */
	struct reader_binding *bindings; /* hash table over the event class */
	uint32_t nb_bindings, nb_slots;
	const struct reader_binding *last;
	const bt_trace_class *traces[READER_MAX_TRACES]; /* of vmedia, in the order they came */
	uint32_t nb_traces;
};

enum reader_result {
	READER_EVENT, /* a wanted event: *event is filled in */
	READER_LOST,  /* *nb_lost events were lost here by the tracer (at least 1) */
	READER_OTHER,
	READER_NO_MEMORY,
	READER_NO_CLOCK /* an event without a time: such a trace cannot be analysed */
};

struct reader_output {
	struct event event;
	uint64_t nb_lost;
};

/* All zeroes is a valid reader that wants nothing. */
enum reader_result reader_read(
	struct reader *reader, const bt_message *message, struct reader_output *output);
void reader_fini(struct reader *reader);

#endif
