/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of check.h: commands (check_command.c), buffers (check_buffer.c). */
#ifndef VMEDIA_ANALYSIS_CHECK_INTERNAL_H
#define VMEDIA_ANALYSIS_CHECK_INTERNAL_H

#include "analysis/check.h"

struct check_device {
	bool has_seq;
	uint64_t next_seq;  /* one above the highest published */
	uint64_t first_seq; /* what is below was taken before the trace began */
	uint64_t skipped[CHECK_WINDOW /
			 64]; /* bit seq % CHECK_WINDOW: below next_seq, not published */
	uint64_t first_skip_ns[CHECK_WINDOW];
	bool is_starved;        /* events wait for a descriptor: their delay is the driver's */
	uint32_t lowest_opened; /* of the sessions opened within the trace; 0: none yet */
};

enum check_buffer_state {
	BUFFER_UNKNOWN, /* since before the trace began */
	BUFFER_IDLE,    /* the driver's */
	BUFFER_QUEUED,
	BUFFER_DONE, /* its DQBUF event is due */
};

struct check_queue {
	uint8_t states[CHECK_MAX_BUFFERS];
	uint64_t done_ns[CHECK_MAX_BUFFERS];
	bool has_frame[CHECK_MAX_BUFFERS]; /* of those that are done */
	bool has_sequence;
	uint32_t sequence;
};

/* Queue 0: capture and whatever has no type, 1: output. Of V4L2's types the even ones are output.
 */
struct check_session {
	uint32_t device, session; /* what tells it from others */
	uint32_t at;              /* in the list of all */
	struct check_queue queues[2];
};

struct check {
	FILE *out;
	uint64_t now_ns;
	uint64_t known; /* EVENT_BITs that the trace declares */
	struct check_verdict verdict;
	struct check_device *devices[CHECK_MAX_DEVICES];
	struct check_session *sessions[CHECK_MAX_SESSIONS];
	uint32_t nb_sessions;
	void *session_tree;                 /* the same, of tsearch(3) */
	struct check_session *last_session; /* found last; NULL: none, or it ended */
	struct spans spans;
};

/* Counts, and prints the first ones: "time device:session text". */
void check_violation(struct check *check, enum check_rule rule, const struct event *event,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

/* NULL: no memory, or too many. */
struct check_device *check_device_get(struct check *check, uint32_t device);

void check_command(struct check *check, const struct event *event);
void check_commands_finish(struct check *check);
void check_commands_lost(struct check *check);
/* Commands of a device that was reset get no answer. */
void check_commands_reset(struct check *check, uint32_t device);

static inline bool
check_knows(const struct check *check, uint64_t bit)
{
	return (check->known & bit) != 0;
}

int check_buffer(struct check *check, const struct event *event);
void check_buffers_finish(struct check *check);
void check_buffers_free(struct check *check);
void check_buffers_lost(struct check *check);

#endif
