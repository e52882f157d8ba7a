/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands as spans. A trace tells of a command either with one event that carries all its times
 * (cmd_span) or with one event per stage; this joins the latter and hands out both as one thing.
 * Memory: the commands in flight, at most SPANS_MAX; what is beyond is counted as unfinished.
 */
#ifndef VMEDIA_ANALYSIS_SPAN_H
#define VMEDIA_ANALYSIS_SPAN_H

#include "analysis/event.h"

enum span_stage {
	SPAN_PARSE,   /* taken from the queue .. checked and decoded */
	SPAN_WAIT,    /* .. the backend begins */
	SPAN_BACKEND, /* .. the backend has answered */
	SPAN_PUBLISH, /* .. the answer is in the used ring, visible to the driver */
	SPAN_NB_STAGES,
	SPAN_TOTAL = SPAN_NB_STAGES,
	SPAN_NB_ROWS
};

struct span {
	uint64_t seq;
	uint64_t begin_ns; /* taken from the queue */
	uint32_t device, session, code;
	int32_t status;
	bool disorder;             /* a stage began before the one before it */
	uint64_t ns[SPAN_NB_ROWS]; /* how long each stage took, and the total */
};

extern const char *const span_stage_names[SPAN_NB_ROWS];

#define SPANS_MAX 4096u /* commands in flight over all devices: a power of two */

struct spans_slot {
	uint64_t key; /* 0: free */
	uint64_t times_ns[SPAN_NB_STAGES + 1];
	struct span span;
};

struct spans {
	uint32_t nb_in_flight;
	uint64_t nb_orphans; /* stages of a command whose begin is not in the trace */
	uint64_t nb_dropped; /* begins beyond SPANS_MAX */
	uint64_t nb_twice;   /* begins of a number that is in flight */
	struct spans_slot slots[SPANS_MAX * 2];
};

/* The events that spans_add looks at. */
#define SPANS_WANTS_JOINED EVENT_BIT(cmd_span)
#define SPANS_WANTS_STAGES                                                          \
	(EVENT_BIT(cmd_dequeue) | EVENT_BIT(cmd_parse) | EVENT_BIT(backend_begin) | \
		EVENT_BIT(backend_end) | EVENT_BIT(cmd_publish))

#define SPANS_FIELDS                                                                 \
	(FIELD_BIT(device) | FIELD_BIT(session) | FIELD_BIT(seq) | FIELD_BIT(code) | \
		FIELD_BIT(status) | FIELD_BIT(parse_ns) | FIELD_BIT(begin_ns) |      \
		FIELD_BIT(end_ns) | FIELD_BIT(publish_ns))

/* Which of them, given what the trace declares: where there is cmd_span, it says all. */
static inline uint64_t
spans_wants(uint64_t known)
{
	return (known & SPANS_WANTS_JOINED) != 0 ? SPANS_WANTS_JOINED : SPANS_WANTS_STAGES;
}

/* True when the event completed a command: *span is it. */
bool spans_add(struct spans *spans, const struct event *event, struct span *span);

/* Forgets what is in flight on a device. */
void spans_forget(struct spans *spans, uint32_t device);

#endif
