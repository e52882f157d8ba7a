/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/ctrl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"

#define CLASS_CTRL(class_id, text)                                                  \
	{                                                                           \
		.id = (class_id), .type = V4L2_CTRL_TYPE_CTRL_CLASS, .name = (text) \
	}
#define NEXT_FLAGS (V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND)

/* By id, which is the order of iteration; names as Linux gives them. */
static const struct vmedia_ctrl_desc classes[] = {
	CLASS_CTRL(V4L2_CID_USER_CLASS, "User Controls"),
	CLASS_CTRL(V4L2_CID_CODEC_CLASS, "Codec Controls"),
	CLASS_CTRL(V4L2_CID_CAMERA_CLASS, "Camera Controls"),
	CLASS_CTRL(V4L2_CID_FLASH_CLASS, "Flash Controls"),
	CLASS_CTRL(V4L2_CID_JPEG_CLASS, "JPEG Compression Controls"),
	CLASS_CTRL(V4L2_CID_IMAGE_SOURCE_CLASS, "Image Source Controls"),
	CLASS_CTRL(V4L2_CID_IMAGE_PROC_CLASS, "Image Processing Controls"),
	CLASS_CTRL(V4L2_CID_DETECT_CLASS, "Detection Controls"),
};

static bool
class_is_used(const struct ctrl_table *table, uint32_t which)
{
	uint32_t i;

	for (i = 0; i < table->nb; i++) {
		if (V4L2_CTRL_ID2WHICH(table->descs[i].id) == which) {
			return true;
		}
	}
	return false;
}

const struct vmedia_ctrl_desc *
ctrl_find(const struct ctrl_table *table, uint32_t id)
{
	size_t i;

	for (i = 0; i < table->nb; i++) {
		if (table->descs[i].id == id) {
			return &table->descs[i];
		}
	}
	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		if (classes[i].id == id && class_is_used(table, V4L2_CTRL_ID2WHICH(id))) {
			return &classes[i];
		}
	}
	return NULL;
}

/* Of the class of user controls, which had only 32 bits then. */
static bool
is_private_of_old(const struct vmedia_ctrl_desc *desc)
{
	return V4L2_CTRL_ID2WHICH(desc->id) == V4L2_CTRL_CLASS_USER &&
	       V4L2_CTRL_DRIVER_PRIV(desc->id) && !ctrl_is_wide(desc);
}

const struct vmedia_ctrl_desc *
ctrl_find_old(const struct ctrl_table *table, uint32_t id)
{
	uint32_t i, left = id - V4L2_CID_PRIVATE_BASE;

	if (id < V4L2_CID_PRIVATE_BASE) {
		return ctrl_find(table, id);
	}
	for (i = 0; i < table->nb; i++) {
		if (is_private_of_old(&table->descs[i]) && left-- == 0) {
			return &table->descs[i];
		}
	}
	return NULL;
}

static bool
is_array(const struct vmedia_ctrl_desc *desc)
{
	return desc->type >= V4L2_CTRL_COMPOUND_TYPES;
}

static void
keep_nearer(uint32_t after, const struct vmedia_ctrl_desc *candidate,
	const struct vmedia_ctrl_desc **best)
{
	if (candidate->id > after && (*best == NULL || candidate->id < (*best)->id)) {
		*best = candidate;
	}
}

const struct vmedia_ctrl_desc *
ctrl_query(const struct ctrl_table *table, uint32_t id)
{
	const struct vmedia_ctrl_desc *best = NULL;
	uint32_t after = id & V4L2_CTRL_ID_MASK;
	size_t i;

	if ((id & NEXT_FLAGS) == 0) {
		return ctrl_find_old(table, id);
	}
	for (i = 0; i < table->nb; i++) {
		if (id & (is_array(&table->descs[i]) ? V4L2_CTRL_FLAG_NEXT_COMPOUND
						     : V4L2_CTRL_FLAG_NEXT_CTRL)) {
			keep_nearer(after, &table->descs[i], &best);
		}
	}
	for (i = 0; i < ARRAY_SIZE(classes) && (id & V4L2_CTRL_FLAG_NEXT_CTRL); i++) {
		if (class_is_used(table, V4L2_CTRL_ID2WHICH(classes[i].id))) {
			keep_nearer(after, &classes[i], &best);
		}
	}
	return best;
}

int
ctrl_index(const struct ctrl_table *table, const struct vmedia_ctrl_desc *desc)
{
	if (desc->type == V4L2_CTRL_TYPE_CTRL_CLASS) {
		return -EINVAL;
	}
	return (int)(desc - table->descs);
}

uint32_t
ctrl_flags(const struct vmedia_ctrl_desc *desc)
{
	switch (desc->type) {
	case V4L2_CTRL_TYPE_CTRL_CLASS:
		return desc->flags | V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY;
	case V4L2_CTRL_TYPE_BUTTON:
		return desc->flags | V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE;
	case V4L2_CTRL_TYPE_STRING:
	case V4L2_CTRL_TYPE_U8:
	case V4L2_CTRL_TYPE_U16:
	case V4L2_CTRL_TYPE_U32:
		return desc->flags | V4L2_CTRL_FLAG_HAS_PAYLOAD;
	default:
		return desc->flags & V4L2_CTRL_FLAG_VOLATILE &&
		                       !(desc->flags & V4L2_CTRL_FLAG_READ_ONLY)
		               ? desc->flags | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE
		               : desc->flags;
	}
}

int
ctrl_readable(const struct vmedia_ctrl_desc *desc)
{
	return ctrl_flags(desc) & V4L2_CTRL_FLAG_WRITE_ONLY ? -EACCES : 0;
}

int
ctrl_writable(const struct vmedia_ctrl_desc *desc)
{
	return ctrl_flags(desc) & V4L2_CTRL_FLAG_READ_ONLY ? -EACCES : 0;
}

/* Distances from the minimum have no sign: the widest range has 64 bits. */
static int64_t
to_range(const struct vmedia_ctrl_desc *desc, int64_t value)
{
	uint64_t step = (uint64_t)MAX(desc->step, 1);
	uint64_t range = (uint64_t)desc->maximum - (uint64_t)desc->minimum;
	int64_t within = MAX(desc->minimum, MIN(value, desc->maximum));
	uint64_t distance = (uint64_t)within - (uint64_t)desc->minimum;
	uint64_t n = distance / step + (distance % step >= step - step / 2);

	n = MIN(n, range / step);
	return (int64_t)((uint64_t)desc->minimum + n * step);
}

static int
check_menu(const struct vmedia_ctrl_desc *desc, int64_t index)
{
	if (index < desc->minimum || index > desc->maximum) {
		return -ERANGE;
	}
	return desc->type == V4L2_CTRL_TYPE_MENU && desc->menu[index] == NULL ? -EINVAL : 0;
}

int
ctrl_validate(const struct vmedia_ctrl_desc *desc, int64_t *value)
{
	switch (desc->type) {
	case V4L2_CTRL_TYPE_INTEGER:
	case V4L2_CTRL_TYPE_INTEGER64:
		*value = to_range(desc, *value);
		return 0;
	case V4L2_CTRL_TYPE_BOOLEAN:
		*value = *value != 0;
		return 0;
	case V4L2_CTRL_TYPE_BITMASK:
		*value &= desc->maximum;
		return 0;
	case V4L2_CTRL_TYPE_MENU:
	case V4L2_CTRL_TYPE_INTEGER_MENU:
		return check_menu(desc, *value);
	case V4L2_CTRL_TYPE_BUTTON:
		*value = 0;
		return 0;
	default:
		return -EINVAL;
	}
}

int64_t
ctrl_value_of(const struct vmedia_ctrl_desc *desc, const struct v4l2_ext_control *ext)
{
	return ctrl_is_wide(desc) ? ext->value64 : ext->value;
}

void
ctrl_value_to(const struct vmedia_ctrl_desc *desc, int64_t value, struct v4l2_ext_control *ext)
{
	ext->value64 = 0;
	if (ctrl_is_wide(desc)) {
		ext->value64 = value;
	} else {
		ext->value = (int32_t)value;
	}
}

/* ---- Texts and arrays */

static uint32_t
elem_bytes(const struct vmedia_ctrl_desc *desc)
{
	switch (desc->type) {
	case V4L2_CTRL_TYPE_U8:
		return 1;
	case V4L2_CTRL_TYPE_U16:
		return 2;
	case V4L2_CTRL_TYPE_U32:
		return 4;
	default:
		return 0;
	}
}

uint32_t
ctrl_payload_bytes(const struct vmedia_ctrl_desc *desc)
{
	uint32_t i, bytes = elem_bytes(desc);

	if (desc->type == V4L2_CTRL_TYPE_STRING) {
		return (uint32_t)desc->maximum + 1;
	}
	for (i = 0; bytes != 0 && i < V4L2_CTRL_MAX_DIMS && desc->dims[i] != 0; i++) {
		bytes *= desc->dims[i];
	}
	return bytes;
}

uint32_t
ctrl_payload_offset(const struct ctrl_table *table, uint32_t index)
{
	uint32_t i, offset = 0;

	for (i = 0; i < index; i++) {
		offset += (uint32_t)round_up(ctrl_payload_bytes(&table->descs[i]), 8);
	}
	return offset;
}

/* Payloads begin at multiples of 8 in our memory, so that elements can be accessed as such. */
static uint32_t
elem_get(uint32_t size, const uint8_t *at)
{
	uint32_t value = 0;

	memcpy(&value, at, size); /* little endian, as all of virtio */
	return value;
}

void
ctrl_payload_default(const struct vmedia_ctrl_desc *desc, uint8_t *payload)
{
	uint32_t i, size = elem_bytes(desc), bytes = ctrl_payload_bytes(desc);

	if (desc->type == V4L2_CTRL_TYPE_STRING) {
		memset(payload, 0, bytes);
		memset(payload, ' ', (size_t)desc->minimum);
		return;
	}
	for (i = 0; i < bytes; i += size) {
		uint32_t value =
			desc->elems != NULL ? desc->elems[i / size] : (uint32_t)desc->value;

		memcpy(payload + i, &value, size);
	}
}

static int
validate_text(const struct vmedia_ctrl_desc *desc, char *text, uint32_t nb_bytes)
{
	uint32_t room = MIN(nb_bytes, (uint32_t)desc->maximum + 1), length;
	char last;

	if (room == 0) {
		return -ERANGE;
	}
	last = text[room - 1];
	text[room - 1] = '\0';
	length = (uint32_t)strlen(text);
	if (length == desc->maximum && last != '\0') {
		return -ERANGE;
	}
	memset(text + length, 0, (size_t)desc->maximum + 1 - length);
	return length >= desc->minimum && (length - desc->minimum) % MAX(desc->step, 1) == 0
	               ? 0
	               : -ERANGE;
}

int
ctrl_payload_validate(const struct vmedia_ctrl_desc *desc, uint8_t *payload, uint32_t nb_bytes)
{
	uint32_t i, size = elem_bytes(desc), bytes = ctrl_payload_bytes(desc);

	if (desc->type == V4L2_CTRL_TYPE_STRING) {
		return validate_text(desc, (char *)payload, nb_bytes);
	}
	for (i = 0; i < bytes; i += size) {
		uint32_t value = (uint32_t)to_range(desc, elem_get(size, payload + i));

		memcpy(payload + i, &value, size);
	}
	return 0;
}

uint32_t
ctrl_payload_used(const struct vmedia_ctrl_desc *desc, const uint8_t *payload)
{
	return desc->type == V4L2_CTRL_TYPE_STRING ? (uint32_t)strlen((const char *)payload) + 1
	                                           : ctrl_payload_bytes(desc);
}

static bool
is_menu(const struct vmedia_ctrl_desc *desc)
{
	return desc->type == V4L2_CTRL_TYPE_MENU || desc->type == V4L2_CTRL_TYPE_INTEGER_MENU;
}

static int64_t
step_of(const struct vmedia_ctrl_desc *desc)
{
	return is_menu(desc) ? 1 : desc->step;
}

/* A text is one element. */
static void
fill_elems(const struct vmedia_ctrl_desc *desc, struct v4l2_query_ext_ctrl *q)
{
	uint32_t bytes = ctrl_payload_bytes(desc);

	q->elem_size = is_array(desc)       ? elem_bytes(desc)
	               : bytes != 0         ? bytes
	               : ctrl_is_wide(desc) ? sizeof(int64_t)
	                                    : sizeof(int32_t);
	q->elems = is_array(desc) ? bytes / q->elem_size : 1;
	while (is_array(desc) && q->nr_of_dims < V4L2_CTRL_MAX_DIMS &&
		desc->dims[q->nr_of_dims] != 0) {
		q->dims[q->nr_of_dims] = desc->dims[q->nr_of_dims];
		q->nr_of_dims++;
	}
}

void
ctrl_fill_queryctrl(const struct vmedia_ctrl_desc *desc, struct v4l2_queryctrl *q)
{
	memset(q, 0, sizeof(*q));
	q->id = desc->id;
	q->type = desc->type;
	snprintf((char *)q->name, sizeof(q->name), "%s", desc->name);
	q->flags = ctrl_flags(desc);
	if (!ctrl_is_wide(desc) || desc->type == V4L2_CTRL_TYPE_STRING) {
		q->minimum = (int32_t)desc->minimum;
		q->maximum = (int32_t)desc->maximum;
		q->step = (int32_t)step_of(desc);
		q->default_value = (int32_t)desc->value;
	}
}

void
ctrl_fill_query_ext(const struct vmedia_ctrl_desc *desc, struct v4l2_query_ext_ctrl *q)
{
	memset(q, 0, sizeof(*q));
	q->id = desc->id;
	q->type = desc->type;
	snprintf(q->name, sizeof(q->name), "%s", desc->name);
	q->minimum = desc->minimum;
	q->maximum = desc->maximum;
	q->step = (uint64_t)step_of(desc);
	q->default_value = desc->value;
	q->flags = ctrl_flags(desc);
	fill_elems(desc, q);
}

int
ctrl_fill_menu(const struct ctrl_table *table, struct v4l2_querymenu *m)
{
	const struct vmedia_ctrl_desc *desc = ctrl_find_old(table, m->id);
	struct v4l2_querymenu out = {.id = m->id, .index = m->index};

	if (desc == NULL || !is_menu(desc) || check_menu(desc, m->index) != 0) {
		return -EINVAL;
	}
	if (desc->type == V4L2_CTRL_TYPE_INTEGER_MENU) {
		out.value = desc->numbers[m->index];
	} else {
		snprintf((char *)out.name, sizeof(out.name), "%s", desc->menu[m->index]);
	}
	*m = out;
	return 0;
}

void
ctrl_fill_event(const struct vmedia_ctrl_desc *desc, const struct ctrl_state *state,
	uint32_t changes, struct v4l2_event *event)
{
	memset(event, 0, sizeof(*event));
	event->type = V4L2_EVENT_CTRL;
	event->id = desc->id;
	event->u.ctrl.changes = changes;
	event->u.ctrl.type = desc->type;
	event->u.ctrl.value64 = state->value;
	event->u.ctrl.flags = ctrl_flags(desc) | state->flags;
	if (!ctrl_is_wide(desc)) {
		event->u.ctrl.minimum = (int32_t)desc->minimum;
		event->u.ctrl.maximum = (int32_t)desc->maximum;
		event->u.ctrl.step = (int32_t)step_of(desc);
		event->u.ctrl.default_value = (int32_t)desc->value;
	}
}

int
ctrl_class_check(const struct ctrl_table *table, uint32_t which)
{
	if (which == V4L2_CTRL_WHICH_CUR_VAL || which == V4L2_CTRL_WHICH_DEF_VAL) {
		return 0;
	}
	return class_is_used(table, V4L2_CTRL_ID2WHICH(which)) ? 0 : -EINVAL;
}
