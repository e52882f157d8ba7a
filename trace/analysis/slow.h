/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slowest commands, each with what happened around it: events from context_ns before it was
 * taken until context_ns after it was answered, at most SLOW_NOTES of them. Memory is fixed: a ring
 * of the last events, and the kept ones.
 */
#ifndef VMEDIA_ANALYSIS_SLOW_H
#define VMEDIA_ANALYSIS_SLOW_H

#include "analysis/span.h"

#define SLOW_MAX      100u
#define SLOW_NOTES    64u   /* per command, of which ... */
#define SLOW_AT_BEGIN 16u   /* ... so many about its begin when there are more, ... */
#define SLOW_AT_END   32u   /* ... so many about its end, and the rest after it */
#define SLOW_HISTORY  4096u /* events looked back at: a power of two */

/* What is kept of an event: its fields packed, in the order of enum event_field. */
#define SLOW_NOTE_FIELDS 10u
struct slow_note {
	uint64_t time_ns;
	uint64_t present; /* of the first SLOW_NOTE_FIELDS fields */
	uint32_t kind;
	int64_t fields[SLOW_NOTE_FIELDS];
};

struct slow_command {
	struct span span;
	uint32_t nb_notes, nb_left_out;
	struct slow_note notes[SLOW_NOTES]; /* by time */
};

struct slow {
	uint32_t nb_wanted; /* 1 .. SLOW_MAX */
	uint64_t context_ns;
	uint32_t nb;
	struct slow_command *commands[SLOW_MAX]; /* the slowest first */
	uint64_t nb_history;
	struct slow_note history[SLOW_HISTORY];
};

/* NULL: no memory. */
struct slow *slow_create(uint32_t nb_wanted, uint64_t context_ns);
void slow_destroy(struct slow *slow);

/* Every event, in the order of time. */
void slow_event(struct slow *slow, const struct event *event);
/* A command that this event completed, after slow_event; 0 or -ENOMEM. */
int slow_command(struct slow *slow, const struct span *span);

/* A note as an event again; text is NULL. */
void slow_note_event(const struct slow_note *note, struct event *event);

#endif
