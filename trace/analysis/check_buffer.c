/* SPDX-License-Identifier: BSD-3-Clause */
/* Every buffer goes round: queued, done, handed back by one DQBUF event. */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include <linux/videodev2.h>

#include "analysis/check_internal.h"

static int
compare_sessions(const void *a, const void *b)
{
	const struct check_session *x = a, *y = b;

	if (x->device != y->device) {
		return x->device < y->device ? -1 : 1;
	}
	return (x->session > y->session) - (x->session < y->session);
}

static struct check_session *
session_find(struct check *check, const struct event *event)
{
	const struct check_session key = {.device = (uint32_t)event_get(event, FIELD_device),
		.session = (uint32_t)event_get(event, FIELD_session)};
	struct check_session *const *found;

	if (check->last_session != NULL && compare_sessions(check->last_session, &key) == 0) {
		return check->last_session;
	}
	found = tfind(&key, &check->session_tree, compare_sessions);
	check->last_session = found != NULL ? *found : NULL;
	return check->last_session;
}

static struct check_session *
session_make(struct check *check, const struct event *event, enum check_buffer_state state)
{
	struct check_session *session;

	if (check->nb_sessions == CHECK_MAX_SESSIONS) {
		return NULL;
	}
	session = calloc(1, sizeof(*session));
	if (session == NULL) {
		return NULL;
	}
	session->device = (uint32_t)event_get(event, FIELD_device);
	session->session = (uint32_t)event_get(event, FIELD_session);
	memset(session->queues[0].states, state, CHECK_MAX_BUFFERS);
	memset(session->queues[1].states, state, CHECK_MAX_BUFFERS);
	if (tsearch(session, &check->session_tree, compare_sessions) == NULL) {
		free(session);
		return NULL;
	}
	session->at = check->nb_sessions;
	check->sessions[check->nb_sessions++] = session;
	return session;
}

static void
session_forget(struct check *check, struct check_session *session)
{
	struct check_session *moved = check->sessions[--check->nb_sessions];

	tdelete(session, &check->session_tree, compare_sessions);
	check->sessions[session->at] = moved;
	moved->at = session->at;
	check->last_session = NULL;
	free(session);
}

/* Buffers that were done long ago and never handed back; then all are the driver's. */
static void
queue_ends(struct check *check, struct check_session *session, unsigned int which)
{
	struct check_queue *queue = &session->queues[which];

	bool is_starved = check->devices[session->device]->is_starved;

	for (uint32_t i = 0; i < CHECK_MAX_BUFFERS; i++) {
		struct event done = {.time_ns = queue->done_ns[i],
			.present = 1ULL << FIELD_device | 1ULL << FIELD_session};

		if (queue->states[i] == BUFFER_DONE && !is_starved &&
			queue->done_ns[i] + CHECK_GRACE_NS < check->now_ns) {
			done.fields[FIELD_device] = session->device;
			done.fields[FIELD_session] = session->session;
			check_violation(check, CHECK_DQBUF_MISSING, &done, "buffer %u", i);
		}
		queue->states[i] = BUFFER_IDLE;
	}
	queue->has_sequence = false;
}

static void
session_ends(struct check *check, struct check_session *session)
{
	queue_ends(check, session, 0);
	queue_ends(check, session, 1);
	session_forget(check, session);
}

static void
buf_queued(
	struct check *check, struct check_queue *queue, uint32_t index, const struct event *event)
{
	if (queue->states[index] == BUFFER_QUEUED) {
		check_violation(check, CHECK_QUEUED_TWICE, event, "buffer %u", index);
	} else if (queue->states[index] == BUFFER_DONE) {
		check_violation(check, CHECK_DQBUF_MISSING, event, "buffer %u", index);
	}
	queue->states[index] = BUFFER_QUEUED;
}

/* A buffer that comes back after the last frame, to say that it was the last, or after a failure,
 * has none, and a number that says nothing. */
static bool
has_frame(const struct event *event)
{
	uint64_t flags = event_get(event, FIELD_flags);
	bool is_empty = event_has(event, FIELD_bytesused) && event_get(event, FIELD_bytesused) == 0;

	return (flags & V4L2_BUF_FLAG_ERROR) == 0 &&
	       !((flags & V4L2_BUF_FLAG_LAST) != 0 && is_empty);
}

static void
frame_done(
	struct check *check, struct check_queue *queue, uint32_t index, const struct event *event)
{
	check->verdict.nb_frames++;
	if (queue->states[index] != BUFFER_QUEUED && queue->states[index] != BUFFER_UNKNOWN &&
		check_knows(check, EVENT_BIT(buf_queued))) {
		check_violation(check, CHECK_DONE_NOT_QUEUED, event, "buffer %u, frame %" PRIu64,
			index, event_get(event, FIELD_sequence));
	}
	queue->states[index] = BUFFER_DONE;
	queue->done_ns[index] = event->time_ns;
	queue->has_frame[index] = has_frame(event);
}

static void
judge_sequence(struct check *check, struct check_queue *queue, const struct event *event)
{
	uint32_t sequence = (uint32_t)event_get(event, FIELD_sequence);

	if (queue->has_sequence && sequence <= queue->sequence) {
		check_violation(
			check, CHECK_SEQUENCE, event, "%u after %u", sequence, queue->sequence);
	}
	queue->has_sequence = true;
	queue->sequence = sequence;
}

static void
dqbuf_publish(
	struct check *check, struct check_queue *queue, uint32_t index, const struct event *event)
{
	enum check_buffer_state state = queue->states[index];

	check->verdict.nb_dqbufs++;
	if (state == BUFFER_IDLE && check_knows(check, EVENT_BIT(buf_queued))) {
		check_violation(check, CHECK_DQBUF_NOT_QUEUED, event, "buffer %u", index);
	} else if (state == BUFFER_QUEUED && check_knows(check, EVENT_BIT(frame_done))) {
		check_violation(check, CHECK_DQBUF_NOT_DONE, event, "buffer %u", index);
	}
	if (state == BUFFER_DONE && queue->has_frame[index]) {
		judge_sequence(check, queue, event);
	}
	queue->states[index] = BUFFER_IDLE;
}

static void
in_session(struct check *check, struct check_session *session, const struct event *event)
{
	/* no type: capture */
	unsigned int which = event_has(event, FIELD_buftype)
	                             ? (unsigned int)(event_get(event, FIELD_buftype) + 1) % 2
	                             : 0;
	struct check_queue *queue = &session->queues[which];
	uint64_t index = event_get(event, FIELD_index);

	if (event->kind == EVENT_session_close) {
		session_ends(check, session);
	} else if (event->kind == EVENT_stream_off) {
		queue_ends(check, session, which);
	} else if (event->kind == EVENT_stream_on) {
		queue->has_sequence = false;
	} else if (index >= CHECK_MAX_BUFFERS) {
		check_violation(check, CHECK_INDEX, event, "%s of buffer %" PRIu64,
			event_name(event->kind), index);
	} else if (event->kind == EVENT_buf_queued) {
		buf_queued(check, queue, (uint32_t)index, event);
	} else if (event->kind == EVENT_frame_done) {
		frame_done(check, queue, (uint32_t)index, event);
	} else if (event->kind == EVENT_dqbuf_publish) {
		dqbuf_publish(check, queue, (uint32_t)index, event);
	}
}

int
check_buffer(struct check *check, const struct event *event)
{
	struct check_device *device = check->devices[(uint32_t)event_get(event, FIELD_device)];
	struct check_session *session = session_find(check, event);
	uint32_t id = (uint32_t)event_get(event, FIELD_session);

	if (event->kind == EVENT_evq_starved || event->kind == EVENT_evq_refill) {
		device->is_starved = event->kind == EVENT_evq_starved;
		return 0;
	}
	if (event->kind == EVENT_session_open) {
		if (device->lowest_opened == 0 || id < device->lowest_opened) {
			device->lowest_opened = id;
		}
		return session != NULL || session_make(check, event, BUFFER_IDLE) != NULL ? 0
		                                                                          : -ENOMEM;
	}
	if (session == NULL && device->lowest_opened != 0 && id >= device->lowest_opened) {
		check_violation(check, CHECK_SESSION, event, "%s", event_name(event->kind));
		return 0;
	}
	if (session == NULL) {
		session = session_make(check, event, BUFFER_UNKNOWN);
	}
	if (session == NULL) {
		return -ENOMEM;
	}
	in_session(check, session, event);
	return 0;
}

void
check_buffers_lost(struct check *check)
{
	for (uint32_t i = 0; i < check->nb_sessions; i++) {
		memset(check->sessions[i]->queues[0].states, BUFFER_UNKNOWN, CHECK_MAX_BUFFERS);
		memset(check->sessions[i]->queues[1].states, BUFFER_UNKNOWN, CHECK_MAX_BUFFERS);
	}
	for (uint32_t i = 0; i < CHECK_MAX_DEVICES; i++) {
		if (check->devices[i] != NULL) {
			check->devices[i]->lowest_opened = 0;
		}
	}
}

void
check_buffers_free(struct check *check)
{
	while (check->nb_sessions != 0) {
		session_forget(check, check->sessions[check->nb_sessions - 1]);
	}
}

void
check_buffers_finish(struct check *check)
{
	while (check->nb_sessions != 0) {
		session_ends(check, check->sessions[check->nb_sessions - 1]);
	}
}
