/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Latency of commands: a histogram per ioctl and stage, and one per session. Memory is fixed: what
 * is not in the first LATENCY_MAX_SESSIONS sessions is counted together as "others".
 */
#ifndef VMEDIA_ANALYSIS_LATENCY_H
#define VMEDIA_ANALYSIS_LATENCY_H

#include <stdio.h>

#include "protocol/ioctl_table.h"
#include "stats/hist.h"
#include "analysis/span.h"

#define LATENCY_NB_COMMANDS  8u /* MALFORMED, OPEN .. MUNMAP; the last: all that has no name */
#define LATENCY_NB_CODES     (VMEDIA_NB_IOCTLS + LATENCY_NB_COMMANDS)
#define LATENCY_MAX_SESSIONS 256u

struct latency_stages {
	uint64_t nb_errors; /* commands answered with a status that is not 0 */
	struct hist ns[SPAN_NB_ROWS];
};

struct latency_session {
	uint32_t device, session;
	uint64_t nb_errors;
	struct hist *ns;
};

struct latency {
	struct latency_stages all;                      /* filled in by latency_finish */
	struct latency_stages *codes[LATENCY_NB_CODES]; /* made at the first command of its kind */
	struct hist dqbuf_held_ns;    /* from QBUF until the backend had finished the buffer */
	struct hist dqbuf_deliver_ns; /* from there until the driver could see the DQBUF event */
	struct latency_session sessions[LATENCY_MAX_SESSIONS + 1]; /* the last: others */
	uint32_t nb_sessions;
	uint16_t places[LATENCY_MAX_SESSIONS * 2]; /* hash: index of the session + 1; 0: free */
	uint64_t first_ns, last_ns;
	uint64_t nb_lost; /* events that the tracer lost */
};

enum latency_group {
	LATENCY_ALL,
	LATENCY_IOCTL,
	LATENCY_DQBUF,
	LATENCY_SESSION,
	LATENCY_NB_GROUPS
};

struct latency_row {
	enum latency_group group;
	const char *name; /* of the ioctl or session */
	const char *stage;
	uint64_t nb_errors;
	const struct hist *ns;
};

/* NULL when there is no memory. */
struct latency *latency_create(void);
void latency_destroy(struct latency *latency);
/* 0, or -ENOMEM at the first command of a kind. */
int latency_record(struct latency *latency, const struct span *span);
/* A dqbuf_publish event. */
void latency_record_dqbuf(struct latency *latency, const struct event *event);

/* Adds up; once, after the last command and before anything is read. */
void latency_finish(struct latency *latency);

/* Calls fn for each row: all, then ioctls by number, then sessions in order of appearance. */
typedef void (*latency_row_fn)(const struct latency_row *row, void *arg);
void latency_rows(const struct latency *latency, latency_row_fn fn, void *arg);

/* Percentiles that every table shows, and their names ("p99.9"). */
#define LATENCY_NB_PERCENTS 5u
extern const double latency_percents[LATENCY_NB_PERCENTS];
extern const char *const latency_percent_names[LATENCY_NB_PERCENTS];

/* Groups to print: a mask of 1 << enum latency_group. Durations in ns. */
void latency_print_text(const struct latency *latency, uint32_t groups, FILE *out);
void latency_print_csv(const struct latency *latency, uint32_t groups, FILE *out);
void latency_print_json(const struct latency *latency, uint32_t groups, FILE *out);

#endif
