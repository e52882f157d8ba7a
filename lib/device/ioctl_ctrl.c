/* SPDX-License-Identifier: BSD-3-Clause */
/* Both control APIs on one set of values. HOT: G_CTRL. */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "device/internal.h"
#include "media/ctrl.h"

static struct ctrl_table
table_of(const struct vmedia_session *session)
{
	const struct vmedia_node *node = &session->device->node;

	return (struct ctrl_table){node->ctrls, node->nb_ctrls};
}

size_t
ctrls_bytes(const struct vmedia_device *device)
{
	struct ctrl_table table = {device->node.ctrls, device->node.nb_ctrls};

	return (size_t)table.nb * sizeof(struct ctrl_state) +
	       ctrl_payload_offset(&table, table.nb) + 8;
}

void
ctrls_init(const struct vmedia_device *device, struct ctrl_state *state)
{
	struct ctrl_table table = {device->node.ctrls, device->node.nb_ctrls};
	uint8_t *payloads = (uint8_t *)(state + table.nb);

	for (uint32_t i = 0; i < table.nb; i++) {
		const struct vmedia_ctrl_desc *desc = &table.descs[i];

		state[i] = (struct ctrl_state){
			.value = desc->value, .flags = cluster_flags(&device->node, desc)};
		if (ctrl_payload_bytes(desc) != 0) {
			state[i].payload = payloads + ctrl_payload_offset(&table, i);
			ctrl_payload_default(desc, state[i].payload);
			state[i].value = 0;
		}
	}
}

int
ctrl_now(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc,
	struct ctrl_state *state)
{
	const struct vmedia_backend_ops *backend = session->device->backend;
	struct ctrl_table table = table_of(session);
	int index = ctrl_index(&table, desc);

	*state = (struct ctrl_state){0};
	if (index < 0) {
		return -EACCES;
	}
	*state = session_context(session)->ctrls[index];
	if (ctrl_readable(desc) != 0) {
		return -EACCES;
	}
	if (unlikely((desc->flags | state->flags) & V4L2_CTRL_FLAG_VOLATILE) &&
		backend->get_ctrl != NULL) {
		return backend->get_ctrl(session, desc->id, &state->value);
	}
	return 0;
}

static int
get_value(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc, int64_t *value)
{
	struct ctrl_state state;
	int ret = ctrl_now(session, desc, &state);

	*value = state.value;
	return ret;
}

static int
may_write(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc)
{
	struct ctrl_table table = table_of(session);
	int ret = ctrl_writable(desc);
	int index = ctrl_index(&table, desc);

	if (ret == 0 && session_context(session)->ctrls[index].flags & V4L2_CTRL_FLAG_GRABBED) {
		ret = -EBUSY;
	}
	return ret;
}

/* Tells one session, unless it is the cause and does not want to hear of what it did. */
static void
tell(struct vmedia_session *session, const struct v4l2_event *event, bool is_cause)
{
	uint32_t i, left = session->nb_subscriptions;

	for (i = 0; left > 0; i++) {
		struct subscription *s = &session->subscriptions[i];

		left -= s->used;
		if (s->used && s->type == V4L2_EVENT_CTRL && s->id == event->id &&
			(!is_cause || (s->flags & V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK))) {
			event_subscription_raise(s, event);
		}
	}
}

static void
tell_all(struct vmedia_device *device, const struct v4l2_event *event,
	const struct vmedia_session *cause)
{
	struct vmedia_session *session;

	TAILQ_FOREACH (session, &device->sessions, link) {
		tell(session, event, session == cause);
	}
}

/* Once a command: a guest can name one control a thousand times in S_EXT_CTRLS, and have hundreds
 * of sessions listen. */
static void
tell_changed(struct vmedia_session *cause)
{
	struct vmedia_device *device = cause->device;
	const struct ctrl_state *ctrls = session_context(cause)->ctrls;
	struct v4l2_event event;
	uint32_t i;

	for (i = 0; i < device->node.nb_ctrls; i++) {
		uint32_t changes = device->ctrl_changed[i];
		bool is_news = changes & CTRL_IS_NEWS;

		if (likely(changes == 0)) {
			continue;
		}
		device->ctrl_changed[i] = 0;
		ctrl_fill_event(&device->node.ctrls[i], &ctrls[i],
			changes & ~(uint32_t)CTRL_IS_NEWS, &event);
		if (device_is_m2m(device)) {
			tell(cause, &event, !is_news);
		} else {
			tell_all(device, &event, is_news ? NULL : cause);
		}
	}
}

/* The state of a control of the whole device; NULL: there is none. */
static struct ctrl_state *
state_of(struct vmedia_device *device, uint32_t id, const struct vmedia_ctrl_desc **desc)
{
	struct ctrl_table table = {device->node.ctrls, device->node.nb_ctrls};
	int index;

	*desc = ctrl_find(&table, id);
	index = *desc != NULL ? ctrl_index(&table, *desc) : -EINVAL;
	return index >= 0 ? &device->ctrls[index] : NULL;
}

void
vmedia_ctrl_update(struct vmedia_device *device, uint32_t id, int64_t value)
{
	const struct vmedia_ctrl_desc *desc;
	struct ctrl_state *state = state_of(device, id, &desc);
	struct v4l2_event event;

	if (state != NULL && state->payload == NULL && state->value != value) {
		state->value = value;
		ctrl_fill_event(desc, state, V4L2_EVENT_CTRL_CH_VALUE, &event);
		tell_all(device, &event, NULL);
	}
}

void
vmedia_ctrl_grab(struct vmedia_device *device, uint32_t id, bool grabbed)
{
	const struct vmedia_ctrl_desc *desc;
	struct ctrl_state *state = state_of(device, id, &desc);
	struct v4l2_event event;

	if (state != NULL && !(state->flags & V4L2_CTRL_FLAG_GRABBED) == grabbed) {
		state->flags ^= V4L2_CTRL_FLAG_GRABBED;
		ctrl_fill_event(desc, state, V4L2_EVENT_CTRL_CH_FLAGS, &event);
		tell_all(device, &event, NULL);
	}
}

/* *value has been validated; tell_changed afterwards. */
static int
set_value(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc, int64_t value)
{
	struct vmedia_device *device = session->device;
	struct ctrl_table table = table_of(session);
	int index = ctrl_index(&table, desc);
	struct ctrl_state *current = &session_context(session)->ctrls[index];
	int ret = 0;

	if (current->flags & V4L2_CTRL_FLAG_VOLATILE ||
		(current->value == value &&
			!(ctrl_flags(desc) & V4L2_CTRL_FLAG_EXECUTE_ON_WRITE))) {
		return 0;
	}
	if (value == 0) {
		cluster_keep(session, desc);
	}
	if (device->backend->set_ctrl != NULL) {
		ret = device->backend->set_ctrl(session, desc->id, value);
	}
	if (ret == 0 && current->value != value) {
		current->value = value;
		device->ctrl_changed[index] &= (uint8_t)~CTRL_IS_NEWS;
		device->ctrl_changed[index] |= V4L2_EVENT_CTRL_CH_VALUE;
		cluster_switch(session, desc, value != 0);
	}
	return ret;
}

static uint32_t
dynamic_flags(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc)
{
	struct ctrl_table table = table_of(session);
	int index = ctrl_index(&table, desc);

	return index >= 0 ? session_context(session)->ctrls[index].flags : 0;
}

/* ---- The old API */

/* Who asks by an old number is answered by it. */
static uint32_t
shown_id(uint32_t asked, const struct vmedia_ctrl_desc *desc)
{
	return (asked & V4L2_CTRL_ID_MASK) == asked && asked >= V4L2_CID_PRIVATE_BASE ? asked
	                                                                              : desc->id;
}

int
core_queryctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_queryctrl *q = arg;
	const struct vmedia_ctrl_desc *desc;
	uint32_t id = q->id;

	desc = ctrl_query(&table, id);
	if (desc == NULL) {
		return -EINVAL;
	}
	ctrl_fill_queryctrl(desc, q);
	q->id = shown_id(id, desc);
	q->flags |= dynamic_flags(session, desc);
	return 0;
}

int
core_query_ext_ctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_query_ext_ctrl *q = arg;
	const struct vmedia_ctrl_desc *desc;
	uint32_t id = q->id;

	desc = ctrl_query(&table, id);
	if (desc == NULL) {
		return -EINVAL;
	}
	ctrl_fill_query_ext(desc, q);
	q->id = shown_id(id, desc);
	q->flags |= dynamic_flags(session, desc);
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
	int64_t value;
	int ret;

	desc = ctrl_find_old(&table, c->id);
	if (unlikely(desc == NULL || ctrl_is_wide(desc))) {
		return -EINVAL;
	}
	ret = get_value(session, desc, &value);
	c->value = (int32_t)value;
	return ret;
}

int
core_s_ctrl(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct ctrl_table table = table_of(session);
	struct v4l2_control *c = arg;
	const struct vmedia_ctrl_desc *desc;
	int64_t value = c->value;
	int ret;

	desc = ctrl_find_old(&table, c->id);
	if (desc == NULL || ctrl_is_wide(desc)) {
		return -EINVAL;
	}
	ret = may_write(session, desc);
	if (ret == 0) {
		ret = ctrl_validate(desc, &value);
	}
	if (ret == 0) {
		c->value = (int32_t)value;
		ret = set_value(session, desc, value);
		tell_changed(session);
	}
	return ret;
}

/* ---- Extended controls: error_idx is count while nothing was touched, else the culprit. */

/* The control of entry i; NULL with error_idx set. */
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

/* The value of a text or an array; the wire's `which` asks for the default. */
static int
give_payload(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, bool is_default)
{
	struct vmedia_session *session = request->session;
	struct ctrl_table table = table_of(session);
	const uint8_t *payload = session_context(session)->ctrls[ctrl_index(&table, desc)].payload;

	if (is_default) {
		ctrl_payload_default(desc, session->device->ctrl_payload);
		payload = session->device->ctrl_payload;
	}
	return ctrl_payload_give(request, desc, ctrl, payload);
}

static int
give_number(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, bool is_default)
{
	int64_t value = desc->value;
	int ret = ctrl_payload_skip(request, ctrl);

	if (ret == 0 && !is_default) {
		ret = get_value(request->session, desc, &value);
	}
	ctrl_value_to(desc, value, ctrl);
	return ret;
}

int
core_g_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_ext_control *ctrls = request->payload.ctrls;
	struct v4l2_ext_controls *ext = arg;
	bool is_default = ext->which == V4L2_CTRL_WHICH_DEF_VAL;
	uint32_t i;
	int ret = ext_begin(session, request, ext, true);

	if (ret != 1) {
		return ret;
	}
	ret = ext_check_readable(session, ext, ctrls);
	for (i = 0; ret == 0 && i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(session, ext, ctrls[i].id);

		ret = ctrl_payload_bytes(desc) != 0
		              ? give_payload(request, desc, &ctrls[i], is_default)
		              : give_number(request, desc, &ctrls[i], is_default);
		if (ret == -ENOSPC) {
			ext->error_idx = i;
		}
	}
	return ret;
}

static int
validate_number(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl)
{
	int64_t value = ctrl_value_of(desc, ctrl);
	int ret = ctrl_payload_skip(request, ctrl);

	if (ret == 0) {
		ret = ctrl_validate(desc, &value);
	}
	if (ret == 0) {
		ctrl_value_to(desc, value, ctrl);
	}
	return ret;
}

/* Leaves the value in the device's ctrl_payload; the guest sees what became of what it wished. */
static int
validate_payload(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl)
{
	struct ctrl_mark mark = ctrl_payload_mark(request);
	uint8_t *payload = request->device->ctrl_payload;
	int ret = ctrl_payload_take(request, desc, ctrl, payload);

	if (ret == 0) {
		ctrl_payload_return(request, &mark);
		ret = ctrl_payload_give(request, desc, ctrl, payload);
	}
	return ret;
}

static int
validate_entry(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl)
{
	int ret = desc != NULL ? may_write(request->session, desc) : -EINVAL;

	if (ret != 0) {
		return ret;
	}
	return ctrl_payload_bytes(desc) != 0 ? validate_payload(request, desc, ctrl)
	                                     : validate_number(request, desc, ctrl);
}

/* Validates all and brings the values to their ranges; error_idx at the culprit. */
static int
ext_validate(struct vmedia_request *request, struct v4l2_ext_controls *ext)
{
	struct v4l2_ext_control *ctrls = request->payload.ctrls;
	uint32_t i;

	for (i = 0; i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(request->session, ext, ctrls[i].id);
		int ret = validate_entry(request, desc, &ctrls[i]);

		if (ret != 0) {
			ext->error_idx = i;
			return ret;
		}
	}
	return 0;
}

int
core_try_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	int ret = ext_begin(session, request, arg, false);

	return ret == 1 ? ext_validate(request, arg) : ret;
}

/* Fetched and checked once more, as the guest may have written to it since. */
static int
set_payload(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl)
{
	struct vmedia_device *device = request->device;
	struct ctrl_table table = table_of(request->session);
	int index = ctrl_index(&table, desc);
	uint8_t *current = session_context(request->session)->ctrls[index].payload;
	uint32_t bytes = ctrl_payload_bytes(desc);
	int ret = validate_payload(request, desc, ctrl);

	if (ret != 0 || memcmp(current, device->ctrl_payload, bytes) == 0) {
		return ret;
	}
	if (device->backend->set_payload != NULL) {
		ret = device->backend->set_payload(
			request->session, desc->id, device->ctrl_payload, bytes);
	}
	if (ret == 0) {
		memcpy(current, device->ctrl_payload, bytes);
		device->ctrl_changed[index] |= V4L2_EVENT_CTRL_CH_VALUE;
	}
	return ret;
}

static int
set_entry(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl)
{
	int ret;

	if (ctrl_payload_bytes(desc) != 0) {
		return set_payload(request, desc, ctrl);
	}
	ret = ctrl_payload_skip(request, ctrl);
	return ret == 0 ? set_value(request->session, desc, ctrl_value_of(desc, ctrl)) : ret;
}

/* Who decides about others goes first: one command may switch a cluster off and set its controls.
 */
static int
set_masters(struct vmedia_request *request, struct v4l2_ext_controls *ext)
{
	const struct v4l2_ext_control *ctrls = request->payload.ctrls;
	struct vmedia_session *session = request->session;

	for (uint32_t i = 0; i < ext->count; i++) {
		const struct vmedia_ctrl_desc *desc = ext_desc(session, ext, ctrls[i].id);
		int ret = 0;

		if (desc->type == V4L2_CTRL_TYPE_BOOLEAN &&
			cluster_has_master(&session->device->node, desc)) {
			ret = set_value(session, desc, ctrls[i].value);
		}
		if (ret != 0) {
			ext->error_idx = i;
			return ret;
		}
	}
	return 0;
}

int
core_s_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_ext_control *ctrls = request->payload.ctrls;
	struct ctrl_mark first = ctrl_payload_mark(request);
	struct v4l2_ext_controls *ext = arg;
	uint32_t i;
	int ret = ext_begin(session, request, ext, false);

	if (ret != 1) {
		return ret;
	}
	ret = ext_validate(request, ext);
	if (ret != 0) {
		ext->error_idx = ext->count;
		return ret;
	}
	ctrl_payload_return(request, &first);
	ret = set_masters(request, ext);
	for (i = 0; i < ext->count && ret == 0; i++) {
		ret = set_entry(request, ext_desc(session, ext, ctrls[i].id), &ctrls[i]);
		if (ret != 0) {
			ext->error_idx = i;
		}
	}
	tell_changed(session);
	return ret;
}
