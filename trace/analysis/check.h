/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules that every trace of a sound device keeps. Memory: devices and open sessions, both capped.
 * What was under way when the trace began is not judged, nor what is younger than CHECK_GRACE_NS
 * when it ends.
 */
#ifndef VMEDIA_ANALYSIS_CHECK_H
#define VMEDIA_ANALYSIS_CHECK_H

#include <stdio.h>

#include "analysis/span.h"

#define CHECK_GRACE_NS     100000000u
#define CHECK_MAX_DEVICES  EVENT_MAX_DEVICES
#define CHECK_MAX_SESSIONS 65536u /* open at a time, 1.5 KiB each */
#define CHECK_MAX_BUFFERS  64u    /* per session and direction */
#define CHECK_WINDOW       512u   /* commands of a device that may overtake one */
#define CHECK_SHOWN        10u    /* violations of a kind that are printed one by one */

enum check_rule {
	CHECK_PUBLISHED_TWICE,
	CHECK_NOT_PUBLISHED,
	CHECK_STAGE_ORDER,
	CHECK_STAGE_ALONE,
	CHECK_QUEUED_TWICE,
	CHECK_DONE_NOT_QUEUED,
	CHECK_DQBUF_NOT_QUEUED,
	CHECK_DQBUF_NOT_DONE,
	CHECK_DQBUF_MISSING,
	CHECK_INDEX,
	CHECK_SEQUENCE,
	CHECK_SESSION,
	CHECK_LOST,
	CHECK_EMPTY,
	CHECK_NB_RULES
};

struct check;

/* Violations are written to out as they are found. NULL: no memory. */
struct check *check_create(FILE *out);
void check_destroy(struct check *check);

/* The events it looks at; which of them the trace declares decides what can be judged. */
#define CHECK_WANTS                                                                         \
	(EVENT_BIT(device_reset) | EVENT_BIT(session_open) | EVENT_BIT(session_close) |     \
		EVENT_BIT(stream_on) | EVENT_BIT(stream_off) | EVENT_BIT(buf_queued) |      \
		EVENT_BIT(frame_done) | EVENT_BIT(dqbuf_publish) | EVENT_BIT(evq_starved) | \
		EVENT_BIT(evq_refill) | SPANS_WANTS_JOINED | SPANS_WANTS_STAGES)
void check_declared(struct check *check, uint64_t known);

/* 0 or -ENOMEM. */
int check_add(struct check *check, const struct event *event);
/* What was under way is not judged any more. */
void check_lost(struct check *check, uint64_t nb_events);

struct check_verdict {
	uint64_t nb_violations[CHECK_NB_RULES];
	uint64_t nb_total;
	uint64_t nb_commands, nb_frames, nb_dqbufs, nb_lost;
};
/* The end of the trace: judges what is left, prints the summary. */
void check_finish(
	struct check *check, bool allow_lost, bool allow_empty, struct check_verdict *verdict);

#endif
