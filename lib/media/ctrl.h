/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Controls by V4L2's rules: lookup, iteration, ranges, menus. Stateless: values are kept by the
 * device. The class controls that V4L2 wants in front of each class need not be in a backend's
 * table; they are made up here.
 */
#ifndef VMEDIA_MEDIA_CTRL_H
#define VMEDIA_MEDIA_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

struct ctrl_table {
	const struct vmedia_ctrl_desc *descs; /* in any order; ids differ */
	uint32_t nb;
};

/* What changes of a control. */
struct ctrl_state {
	int64_t value;
	uint32_t flags;   /* beyond the table's: V4L2_CTRL_FLAG_GRABBED */
	uint8_t *payload; /* of texts and arrays, ctrl_payload_bytes() long; else NULL */
};

/* The control with exactly this id, class controls included; NULL: none. */
const struct vmedia_ctrl_desc *ctrl_find(const struct ctrl_table *table, uint32_t id);

/* The same, and also by the numbers from V4L2_CID_PRIVATE_BASE on that the old API counted a
 * device's own controls by, in the order of the table. */
const struct vmedia_ctrl_desc *ctrl_find_old(const struct ctrl_table *table, uint32_t id);

/* Like ctrl_find_old, but `id` may carry V4L2_CTRL_FLAG_NEXT_CTRL and _NEXT_COMPOUND: then the next
 * one by id, of the numbers and texts, of the arrays, or of both. */
const struct vmedia_ctrl_desc *ctrl_query(const struct ctrl_table *table, uint32_t id);

/* Index of a control's value in an array of table->nb values; -EINVAL: a class control. */
int ctrl_index(const struct ctrl_table *table, const struct vmedia_ctrl_desc *desc);

/* -EACCES: the control cannot be read, or be written. */
int ctrl_readable(const struct vmedia_ctrl_desc *desc);
int ctrl_writable(const struct vmedia_ctrl_desc *desc);

/* A new value as V4L2 takes it: integers are brought to the range and the nearest step, booleans
 * to 0 or 1, bitmasks lose unknown bits; a menu index out of range is -ERANGE, a hole -EINVAL. */
int ctrl_validate(const struct vmedia_ctrl_desc *desc, int64_t *value);

/* Bytes behind the pointer of v4l2_ext_control: texts with their NUL, arrays; 0: a number. */
uint32_t ctrl_payload_bytes(const struct vmedia_ctrl_desc *desc);
/* The same of all controls before this one, each from a multiple of 8 on. */
uint32_t ctrl_payload_offset(const struct ctrl_table *table, uint32_t index);
void ctrl_payload_default(const struct vmedia_ctrl_desc *desc, uint8_t *payload);
/*
 * A new value as V4L2 takes it, of which nb_bytes came: texts are ended, elements brought to their
 * range. -ERANGE: a text that is too long, too short, or not of a length in steps.
 */
int ctrl_payload_validate(const struct vmedia_ctrl_desc *desc, uint8_t *payload, uint32_t nb_bytes);
/* Bytes of a payload that say something: a text up to its NUL, an array as a whole. */
uint32_t ctrl_payload_used(const struct vmedia_ctrl_desc *desc, const uint8_t *payload);

/* Its values do not fit into 32 bits: not for the old API. */
static inline bool
ctrl_is_wide(const struct vmedia_ctrl_desc *desc)
{
	return desc->type == V4L2_CTRL_TYPE_INTEGER64 || ctrl_payload_bytes(desc) != 0;
}
/* A value as struct v4l2_ext_control carries it. */
int64_t ctrl_value_of(const struct vmedia_ctrl_desc *desc, const struct v4l2_ext_control *ext);
void ctrl_value_to(
	const struct vmedia_ctrl_desc *desc, int64_t value, struct v4l2_ext_control *ext);

/* Flags as QUERYCTRL shows them: the table's and those that follow from the type. */
uint32_t ctrl_flags(const struct vmedia_ctrl_desc *desc);

/* Fill the whole struct. */
void ctrl_fill_queryctrl(const struct vmedia_ctrl_desc *desc, struct v4l2_queryctrl *q);
void ctrl_fill_query_ext(const struct vmedia_ctrl_desc *desc, struct v4l2_query_ext_ctrl *q);
/* id and index in *m are the question. -EINVAL: not a menu, out of range, a hole. */
int ctrl_fill_menu(const struct ctrl_table *table, struct v4l2_querymenu *m);

/* V4L2_EVENT_CTRL with the given changes; timestamp and sequence are the caller's. */
void ctrl_fill_event(const struct vmedia_ctrl_desc *desc, const struct ctrl_state *state,
	uint32_t changes, struct v4l2_event *event);

/* EXT_CTRLS with count 0: 0 when the class has controls (or `which` names none), else -EINVAL. */
int ctrl_class_check(const struct ctrl_table *table, uint32_t which);

#endif
