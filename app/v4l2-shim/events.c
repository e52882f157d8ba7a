/* SPDX-License-Identifier: BSD-3-Clause */
/* Event subscriptions of an open as the V4L2 core keeps them: one waiting event for each; a newer
 * one replaces it, and what changed adds up. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "v4l2-shim/broker.h"

static struct subscription *
find(struct session *session, uint32_t type, uint32_t id)
{
	struct subscription *sub;

	TAILQ_FOREACH (sub, &session->subscriptions, link) {
		if (sub->type == type && sub->id == id) {
			return sub;
		}
	}
	return NULL;
}

int
events_subscribe(struct session *session, const struct v4l2_event_subscription *wanted)
{
	struct subscription *sub;

	if (wanted->type == V4L2_EVENT_ALL) {
		return -EINVAL;
	}
	if (find(session, wanted->type, wanted->id) != NULL) {
		return 0;
	}
	sub = calloc(1, sizeof(*sub));
	if (sub == NULL) {
		return -ENOMEM;
	}
	sub->type = wanted->type;
	sub->id = wanted->id;
	TAILQ_INSERT_HEAD(&session->subscriptions, sub, link);
	return 0;
}

static void
drop(struct session *session, struct subscription *sub)
{
	TAILQ_REMOVE(&session->subscriptions, sub, link);
	session->nb_pending -= sub->pending;
	free(sub);
}

void
events_unsubscribe(struct session *session, const struct v4l2_event_subscription *unwanted)
{
	struct subscription *sub;

	if (unwanted->type == V4L2_EVENT_ALL) {
		events_free(session);
		return;
	}
	sub = find(session, unwanted->type, unwanted->id);
	if (sub != NULL) {
		drop(session, sub);
	}
}

void
events_free(struct session *session)
{
	while (!TAILQ_EMPTY(&session->subscriptions)) {
		drop(session, TAILQ_FIRST(&session->subscriptions));
	}
}

static void
merge(struct v4l2_event *event, const struct v4l2_event *older)
{
	if (event->type == V4L2_EVENT_CTRL) {
		event->u.ctrl.changes |= older->u.ctrl.changes;
	} else if (event->type == V4L2_EVENT_SOURCE_CHANGE) {
		event->u.src_change.changes |= older->u.src_change.changes;
	}
}

void
events_arrived(struct session *session, const struct v4l2_event *event)
{
	struct subscription *sub = find(session, event->type, event->id);
	struct v4l2_event newer = *event;

	if (sub == NULL) {
		return;
	}
	newer.sequence = session->event_sequence++;
	if (sub->pending) {
		merge(&newer, &sub->event);
	} else {
		session->nb_pending++;
	}
	sub->event = newer;
	sub->pending = true;
	TAILQ_REMOVE(&session->subscriptions, sub, link);
	TAILQ_INSERT_TAIL(&session->subscriptions, sub, link);
}

int
events_take(struct session *session, struct v4l2_event *event)
{
	struct subscription *sub;

	TAILQ_FOREACH (sub, &session->subscriptions, link) {
		if (sub->pending) {
			sub->pending = false;
			session->nb_pending--;
			*event = sub->event;
			event->pending = session->nb_pending;
			return 0;
		}
	}
	return -ENOENT;
}
