/* SPDX-License-Identifier: BSD-3-Clause */
/* Both control APIs on one set of values. HOT: G_CTRL. */
#include <errno.h>

#include "base/compiler.h"
#include "device/internal.h"
#include "media/ctrl.h"

static struct ctrl_table
table_of(const struct vmedia_session *session)
{
	const struct vmedia_node *node = &session->device->node;

	return (struct ctrl_table){node->ctrls, node->nb_ctrls};
}

static int
get_value(const struct vmedia_session *session, const struct vmedia_ctrl_desc *desc, int32_t *value)
{
	struct ctrl_table table = table_of(session);
	int index;

	if (ctrl_readable(desc) != 0) {
		return -EACCES;
	}
	index = ctrl_index(&table, desc);
	if (index < 0) {
		return index;
	}
	*value = session->device->ctrl_values[index];
	return 0;
}

static void
tell_others(struct vmedia_session *cause, const struct vmedia_ctrl_desc *desc, int32_t value)
{
	struct vmedia_session *session;
	struct v4l2_event event;
	uint32_t i, left;

	ctrl_fill_event(desc, value, V4L2_EVENT_CTRL_CH_VALUE, &event);
	TAILQ_FOREACH (session, &cause->device->sessions, link) {
		left = session->nb_subscriptions;
		for (i = 0; left > 0; i++) {
			struct subscription *s = &session->subscriptions[i];

			left -= s->used;
			if (s->used && s->type == V4L2_EVENT_CTRL && s->id == desc->id &&
				(session != cause ||
					(s->flags & V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK))) {
				event_subscription_raise(s, &event);
			}
		}
	}
}

/* Once a command: a guest can name one control a thousand times in S_EXT_CTRLS, and have hundreds
 * of sessions listen. */
static void
tell_changed(struct vmedia_session *cause)
{
	struct vmedia_device *device = cause->device;
	uint32_t i;

	for (i = 0; i < device->node.nb_ctrls; i++) {
		if (device->ctrl_changed[i]) {
			device->ctrl_changed[i] = false;
			tell_others(cause, &device->node.ctrls[i], device->ctrl_values[i]);
		}
	}
}

/* *value has been validated; tell_changed afterwards. */
static int
set_value(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc, int32_t value)
{
	struct vmedia_device *device = session->device;
	struct ctrl_table table = table_of(session);
	int index = ctrl_index(&table, desc);
	int32_t *current = &device->ctrl_values[index];
	int ret = 0;

	if (*current == value && !(ctrl_flags(desc) & V4L2_CTRL_FLAG_EXECUTE_ON_WRITE)) {
		return 0;
	}
	if (device->backend->set_ctrl != NULL) {
		ret = device->backend->set_ctrl(device, desc->id, value);
	}
	if (ret == 0 && *current != value) {
		*current = value;
		device->ctrl_changed[index] = true;
	}
	return ret;
}

/* ---- The old API */

int
core_queryctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_queryctrl *q = arg;
	const struct vmedia_ctrl_desc *desc;

	desc = ctrl_query(&table, q->id);
	if (desc == NULL) {
		return -EINVAL;
	}
	ctrl_fill_queryctrl(desc, q);
	return 0;
}

int
core_query_ext_ctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_query_ext_ctrl *q = arg;
	const struct vmedia_ctrl_desc *desc;

	desc = ctrl_query(&table, q->id);
	if (desc == NULL) {
		return -EINVAL;
	}
	ctrl_fill_query_ext(desc, q);
	return 0;
}

int
core_querymenu(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);

	return ctrl_fill_menu(&table, arg);
}

int
core_g_ctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_control *c = arg;
	const struct vmedia_ctrl_desc *desc;

	desc = ctrl_find(&table, c->id);
	return likely(desc != NULL) ? get_value(session, desc, &c->value) : -EINVAL;
}

int
core_s_ctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_control *c = arg;
	const struct vmedia_ctrl_desc *desc;
	int ret;

	desc = ctrl_find(&table, c->id);
	if (desc == NULL) {
		return -EINVAL;
	}
	ret = ctrl_writable(desc);
	if (ret == 0) {
		ret = ctrl_validate(desc, &c->value);
	}
	if (ret == 0) {
		ret = set_value(session, desc, c->value);
		tell_changed(session);
	}
	return ret;
}

/* ---- Extended controls: error_idx is count while nothing was touched, else the culprit. */

/* The control of entry i; NULL with error_idx set. Payload controls do not exist here, and integer
 * ones need no size (T-31). */
static const struct vmedia_ctrl_desc *
ext_desc(const struct vmedia_session *session, struct v4l2_ext_controls *ext, uint32_t id)
{
	struct ctrl_table table = table_of(session);
	uint32_t which = V4L2_CTRL_ID2WHICH(ext->which);

	if (ext->which != V4L2_CTRL_WHICH_CUR_VAL && ext->which != V4L2_CTRL_WHICH_DEF_VAL &&
		V4L2_CTRL_ID2WHICH(id) != which) {
		return NULL;
	}
	return ctrl_find(&table, id);
}

/* What all three have in common. 1: there are controls to look at. */
static int
ext_begin(const struct vmedia_session *session, struct vmedia_request *request,
	struct v4l2_ext_controls *ext, bool defaults_allowed)
{
	struct ctrl_table table = table_of(session);

	ext->error_idx = ext->count;
	if (ext->which == V4L2_CTRL_WHICH_REQUEST_VAL || ext->which == V4L2_CTRL_WHICH_MIN_VAL ||
		ext->which == V4L2_CTRL_WHICH_MAX_VAL ||
		(ext->which == V4L2_CTRL_WHICH_DEF_VAL && !defaults_allowed)) {
		return -EINVAL;
	}
	if (ext->count == 0) {
		return ctrl_class_check(&table, ext->which);
	}
	return request->payload.nb_ctrls == ext->count ? 1 : -EINVAL;
}

static int
ext_check_readable(const struct vmedia_session *session, struct v4l2_ext_controls *ext,
	const struct v4l2_ext_control *ctrls)
{
	uint32_t i;

	for (i = 0; i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(session, ext, ctrls[i].id);
		int ret = desc != NULL ? ctrl_readable(desc) : -EINVAL;

		if (ret != 0) {
			return ret;
		}
	}
	return 0;
}

int
core_g_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_ext_control *ctrls = request->payload.ctrls;
	struct v4l2_ext_controls *ext = arg;
	uint32_t i;
	int ret = ext_begin(session, request, ext, true);

	if (ret != 1) {
		return ret;
	}
	ret = ext_check_readable(session, ext, ctrls);
	for (i = 0; ret == 0 && i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(session, ext, ctrls[i].id);
		int32_t value = desc->value;

		if (ext->which != V4L2_CTRL_WHICH_DEF_VAL) {
			ret = get_value(session, desc, &value);
		}
		ctrls[i].value64 = 0;
		ctrls[i].value = value;
	}
	return ret;
}

/* Validates all and brings the values to their ranges; error_idx at the culprit. */
static int
ext_validate(const struct vmedia_session *session, struct v4l2_ext_controls *ext,
	struct v4l2_ext_control *ctrls)
{
	uint32_t i;

	for (i = 0; i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(session, ext, ctrls[i].id);
		int32_t value = ctrls[i].value;
		int ret = desc != NULL ? ctrl_writable(desc) : -EINVAL;

		if (ret == 0) {
			ret = ctrl_validate(desc, &value);
		}
		if (ret != 0) {
			ext->error_idx = i;
			return ret;
		}
		ctrls[i].value64 = 0;
		ctrls[i].value = value;
	}
	return 0;
}

int
core_try_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	int ret = ext_begin(session, request, arg, false);

	return ret == 1 ? ext_validate(session, arg, request->payload.ctrls) : ret;
}

int
core_s_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_ext_control *ctrls = request->payload.ctrls;
	struct v4l2_ext_controls *ext = arg;
	uint32_t i;
	int ret = ext_begin(session, request, ext, false);

	if (ret != 1) {
		return ret;
	}
	ret = ext_validate(session, ext, ctrls);
	if (ret != 0) {
		ext->error_idx = ext->count;
		return ret;
	}
	for (i = 0; i < ext->count && ret == 0; i++) {
		ret = set_value(session, ext_desc(session, ext, ctrls[i].id), ctrls[i].value);
		if (ret != 0) {
			ext->error_idx = i;
		}
	}
	tell_changed(session);
	return ret;
}
