/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: for each event of a trace. */
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "analysis/reader.h"

#define PREFIX       "vmedia:"
#define FIRST_SLOTS  64u
#define FIELDS_MAX   24u
#define KIND_FOREIGN 0xffu

struct bound_field {
	uint8_t index; /* of the member in the payload */
	uint8_t field; /* enum event_field */
	bool is_signed;
};

struct reader_binding {
	const bt_event_class *class; /* our reference keeps the pointer unique; NULL: free */
	uint64_t bit;                /* of the kind; 0: not one of our events */
	uint64_t present;
	uint32_t first_device; /* what is added to the numbers of devices */
	uint8_t kind, nb_fields, text_index;
	bool has_text;
	struct bound_field fields[FIELDS_MAX];
};

static void
bind_field(struct reader_binding *binding, uint64_t wanted, uint64_t index,
	const bt_field_class_structure_member *member)
{
	const bt_field_class *class =
		bt_field_class_structure_member_borrow_field_class_const(member);
	int field = event_find_field(bt_field_class_structure_member_get_name(member));
	struct bound_field *bound = &binding->fields[binding->nb_fields];

	if (binding->nb_fields == FIELDS_MAX || index > UINT8_MAX) {
		return;
	}
	bound->index = (uint8_t)index;
	bound->field = (uint8_t)field;
	switch (bt_field_class_get_type(class)) {
	case BT_FIELD_CLASS_TYPE_STRING:
		if (field == FIELD_name) {
			binding->has_text = true;
			binding->text_index = (uint8_t)index;
		}
		return;
	case BT_FIELD_CLASS_TYPE_SIGNED_INTEGER:
	case BT_FIELD_CLASS_TYPE_SIGNED_ENUMERATION:
		bound->is_signed = true;
		break;
	case BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER:
	case BT_FIELD_CLASS_TYPE_UNSIGNED_ENUMERATION:
		break;
	default:
		return;
	}
	if (field >= 0 && (wanted >> field & 1) != 0) {
		binding->present |= 1ULL << field;
		binding->nb_fields++;
	}
}

static void
bind_fields(struct reader_binding *binding, uint64_t wanted, const bt_event_class *class)
{
	const bt_field_class *payload = bt_event_class_borrow_payload_field_class_const(class);
	uint64_t nb = payload != NULL ? bt_field_class_structure_get_member_count(payload) : 0;

	for (uint64_t i = 0; i < nb; i++) {
		bind_field(binding, wanted, i,
			bt_field_class_structure_borrow_member_by_index_const(payload, i));
	}
}

static struct reader_binding *
slot_of(const struct reader *reader, const bt_event_class *class)
{
	uint32_t i = (uint32_t)(((uintptr_t) class >> 4) * 0x9e3779b1u) & (reader->nb_slots - 1);

	while (reader->bindings[i].class != NULL && reader->bindings[i].class != class) {
		i = (i + 1) & (reader->nb_slots - 1);
	}
	return &reader->bindings[i];
}

static bool
grow(struct reader *reader)
{
	struct reader_binding *old = reader->bindings;
	uint32_t nb_old = reader->nb_slots;
	uint32_t nb = nb_old != 0 ? nb_old * 2 : FIRST_SLOTS;
	struct reader_binding *new = calloc(nb, sizeof(*new));

	if (new == NULL) {
		return false;
	}
	reader->bindings = new;
	reader->nb_slots = nb;
	reader->last = NULL;
	for (uint32_t i = 0; i < nb_old; i++) {
		if (old[i].class != NULL) {
			*slot_of(reader, old[i].class) = old[i];
		}
	}
	free(old);
	return true;
}

/* A reference to an event class, which bindings have, keeps its trace class, too. */
static uint32_t
first_device(struct reader *reader, const bt_event_class *class)
{
	const bt_trace_class *trace = bt_stream_class_borrow_trace_class_const(
		bt_event_class_borrow_stream_class_const(class));
	uint32_t i = 0;

	while (i < reader->nb_traces && reader->traces[i] != trace) {
		i++;
	}
	if (i == reader->nb_traces && i < READER_MAX_TRACES) {
		reader->traces[reader->nb_traces++] = trace;
	}
	return i * EVENT_TRACE_DEVICES;
}

static const struct reader_binding *
bind_new(struct reader *reader, const bt_event_class *class)
{
	const char *name = bt_event_class_get_name(class);
	struct reader_binding *binding;
	int kind = -1;

	if (reader->nb_bindings * 2 >= reader->nb_slots && !grow(reader)) {
		return NULL;
	}
	if (name != NULL && strncmp(name, PREFIX, strlen(PREFIX)) == 0) {
		kind = event_find(name + strlen(PREFIX));
	}
	binding = slot_of(reader, class);
	reader->nb_bindings++;
	bt_event_class_get_ref(class);
	binding->class = class;
	binding->kind = KIND_FOREIGN;
	if (kind >= 0) {
		binding->kind = (uint8_t)kind;
		binding->bit = 1ULL << kind;
		binding->first_device = first_device(reader, class);
		reader->known |= binding->bit;
		bind_fields(binding, reader->fields != 0 ? reader->fields : UINT64_MAX, class);
	}
	return binding;
}

static const struct reader_binding *
binding_find(struct reader *reader, const bt_event_class *class)
{
	const struct reader_binding *binding = reader->last;

	if (binding != NULL && binding->class == class) {
		return binding;
	}
	binding = reader->nb_slots != 0 ? slot_of(reader, class) : NULL;
	if (unlikely(binding == NULL || binding->class == NULL)) {
		binding = bind_new(reader, class);
	}
	reader->last = binding;
	return binding;
}

static void
fields_read(const struct reader_binding *binding, const bt_event *from, struct event *event)
{
	const bt_field *payload = bt_event_borrow_payload_field_const(from);

	event->present = binding->present;
	event->text = NULL;
	if (unlikely(binding->has_text)) {
		event->text = bt_field_string_get_value(
			bt_field_structure_borrow_member_field_by_index_const(
				payload, binding->text_index));
	}
	for (unsigned int i = 0; i < binding->nb_fields; i++) {
		const struct bound_field *bound = &binding->fields[i];
		const bt_field *field = bt_field_structure_borrow_member_field_by_index_const(
			payload, bound->index);

		if (bound->is_signed) {
			event->fields[bound->field] = bt_field_integer_signed_get_value(field);
		} else {
			event->fields[bound->field] =
				(int64_t)bt_field_integer_unsigned_get_value(field);
		}
	}
	if (unlikely(binding->first_device != 0) && event_has(event, FIELD_device)) {
		event->fields[FIELD_device] += binding->first_device;
	}
}

static enum reader_result
event_read(struct reader *reader, const bt_message *message, struct event *event)
{
	const bt_event *from = bt_message_event_borrow_event_const(message);
	const struct reader_binding *binding =
		binding_find(reader, bt_event_borrow_class_const(from));
	int64_t time_ns;

	if (unlikely(binding == NULL)) {
		return READER_NO_MEMORY;
	}
	if ((binding->bit & reader->wants) == 0) {
		return READER_OTHER;
	}
	if (unlikely(bt_clock_snapshot_get_ns_from_origin(
			     bt_message_event_borrow_default_clock_snapshot_const(message),
			     &time_ns) != BT_CLOCK_SNAPSHOT_GET_NS_FROM_ORIGIN_STATUS_OK)) {
		return READER_NO_CLOCK;
	}
	event->time_ns = (uint64_t)time_ns;
	event->kind = binding->kind;
	fields_read(binding, from, event);
	return READER_EVENT;
}

/* Binds what the metadata declares, so that `known` does not wait for the first event. */
static enum reader_result
stream_begins(struct reader *reader, const bt_message *message)
{
	const bt_stream_class *class = bt_stream_borrow_class_const(
		bt_message_stream_beginning_borrow_stream_const(message));

	if (bt_stream_class_borrow_default_clock_class_const(class) == NULL) {
		return READER_NO_CLOCK;
	}
	for (uint64_t i = 0; i < bt_stream_class_get_event_class_count(class); i++) {
		if (binding_find(reader,
			    bt_stream_class_borrow_event_class_by_index_const(class, i)) == NULL) {
			return READER_NO_MEMORY;
		}
	}
	return READER_OTHER;
}

enum reader_result
reader_read(struct reader *reader, const bt_message *message, struct reader_output *output)
{
	switch (bt_message_get_type(message)) {
	case BT_MESSAGE_TYPE_EVENT:
		return event_read(reader, message, &output->event);
	case BT_MESSAGE_TYPE_STREAM_BEGINNING:
		return stream_begins(reader, message);
	case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
		output->nb_lost = 1;
		bt_message_discarded_events_get_count(message, &output->nb_lost);
		return READER_LOST;
	case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
		output->nb_lost = 1;
		bt_message_discarded_packets_get_count(message, &output->nb_lost);
		return READER_LOST;
	default:
		return READER_OTHER;
	}
}

void
reader_fini(struct reader *reader)
{
	for (uint32_t i = 0; i < reader->nb_slots; i++) {
		bt_event_class_put_ref(reader->bindings[i].class);
	}
	free(reader->bindings);
	reader->bindings = NULL;
	reader->nb_slots = reader->nb_bindings = 0;
	reader->last = NULL;
}
