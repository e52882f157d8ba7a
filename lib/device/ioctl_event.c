/* SPDX-License-Identifier: BSD-3-Clause */
/* Subscriptions. Every type, id and flag that is not known is refused (B1). */
#include <errno.h>

#include "device/internal.h"
#include "media/ctrl.h"

#define KNOWN_FLAGS (V4L2_EVENT_SUB_FL_SEND_INITIAL | V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK)

static const struct vmedia_ctrl_desc *
find_ctrl(const struct vmedia_session *session, uint32_t id)
{
	const struct vmedia_node *node = &session->device->node;
	struct ctrl_table table = {node->ctrls, node->nb_ctrls};

	return ctrl_find(&table, id);
}

static bool
is_declared(const struct vmedia_node *node, uint32_t type)
{
	return type < 32 && (node->events & 1u << type) != 0;
}

static int
check(const struct vmedia_session *session, const struct v4l2_event_subscription *sub)
{
	if ((sub->flags & ~KNOWN_FLAGS) != 0) {
		return -EINVAL;
	}
	if (sub->type == V4L2_EVENT_CTRL) {
		return find_ctrl(session, sub->id) != NULL ? 0 : -EINVAL;
	}
	if (sub->type == V4L2_EVENT_SOURCE_CHANGE && device_nb_inputs(session->device) > 1) {
		return sub->id < device_nb_inputs(session->device) ? 0 : -EINVAL;
	}
	return is_declared(&session->device->node, sub->type) && sub->id == 0 ? 0 : -EINVAL;
}

static struct subscription *
find(const struct vmedia_session *session, uint32_t type, uint32_t id)
{
	uint32_t i;

	for (i = 0; i < session->device->quota.max_subscriptions; i++) {
		struct subscription *s = &session->subscriptions[i];

		if (s->used && s->type == type && s->id == id) {
			return s;
		}
	}
	return NULL;
}

static struct subscription *
take_slot(struct vmedia_session *session)
{
	uint32_t i;

	for (i = 0; i < session->device->quota.max_subscriptions; i++) {
		if (!session->subscriptions[i].used) {
			session->subscriptions[i].used = true;
			session->nb_subscriptions++;
			return &session->subscriptions[i];
		}
	}
	return NULL;
}

/* The state of the control now; published before the answer of SUBSCRIBE. A class control
 * has none. */
static void
send_initial(struct vmedia_session *session, struct subscription *s)
{
	const struct vmedia_node *node = &session->device->node;
	struct ctrl_table table = {node->ctrls, node->nb_ctrls};
	const struct vmedia_ctrl_desc *desc = ctrl_find(&table, s->id);
	uint32_t changes = V4L2_EVENT_CTRL_CH_FLAGS;
	struct ctrl_state state;
	struct v4l2_event event;

	if (desc->type == V4L2_CTRL_TYPE_CTRL_CLASS) {
		return;
	}
	if (ctrl_now(session, desc, &state) == 0) {
		changes |= V4L2_EVENT_CTRL_CH_VALUE;
	}
	ctrl_fill_event(desc, &state, changes, &event);
	event_subscription_raise(s, &event);
	event_flush(session->device);
}

/* NULL: there is no room. */
static struct subscription *
add(struct vmedia_session *session, const struct v4l2_event_subscription *sub)
{
	struct subscription *s = take_slot(session);

	if (s == NULL) {
		counter_inc(&session->device->counters.nb_quota);
		counter_inc(&session->device->refused.quota_subscriptions);
		return NULL;
	}
	s->type = sub->type;
	s->id = sub->id;
	s->flags = sub->flags;
	s->session = session;
	s->pending_valid = false;
	s->pending.kind = PENDING_EVENT;
	return s;
}

int
subscription_add(struct vmedia_session *session, const struct v4l2_event_subscription *sub)
{
	return find(session, sub->type, sub->id) != NULL || add(session, sub) != NULL ? 0 : -ENOMEM;
}

int
core_subscribe_event(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct v4l2_event_subscription *sub = arg;
	struct subscription *s;
	int ret = check(session, sub);

	if (ret != 0 || find(session, sub->type, sub->id) != NULL) {
		return ret;
	}
	s = add(session, sub);
	if (s == NULL) {
		return -ENOMEM;
	}
	if (s->type == V4L2_EVENT_CTRL && (s->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL)) {
		send_initial(session, s);
	}
	return 0;
}

int
core_unsubscribe_event(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct v4l2_event_subscription *sub = arg;
	uint32_t i;

	for (i = 0; i < session->device->quota.max_subscriptions; i++) {
		struct subscription *s = &session->subscriptions[i];

		if (s->used && (sub->type == V4L2_EVENT_ALL ||
				       (s->type == sub->type && s->id == sub->id))) {
			event_subscription_drop(s);
			session->nb_subscriptions--;
		}
	}
	return 0;
}
