/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.vmediatest.script: plays a script as a trace, repeat times. With sink.ctf.fs behind it,
 * this writes CTF; times and numbers go on from round to round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <babeltrace2/babeltrace.h>

#include "script.h"

#define EVENTS_PER_PACKET 4096u

struct source {
	struct script *script;
	uint64_t nb_rounds;
	bt_event_class *classes[SCRIPT_NAMES_MAX];
	bt_stream_class *stream_class;
	bt_trace *trace;
	bt_stream *stream;
};

enum step {
	STEP_BEGIN,
	STEP_LINES,
	STEP_DONE,
};

struct iterator {
	const struct source *source;
	bt_self_message_iterator *self;
	enum step step;
	bt_packet *packet;
	unsigned int nb_in_packet, line, loss_step;
	uint64_t round, time_ns;
};

BT_PLUGIN_MODULE();
BT_PLUGIN(vmediatest);
BT_PLUGIN_DESCRIPTION("Traces for tests");

static void
class_make(struct source *source, bt_trace_class *trace_class, unsigned int i)
{
	const struct script_name *name = &source->script->names[i];
	bt_field_class *payload = bt_field_class_structure_create(trace_class);
	char full[48];

	for (unsigned int f = 0; f < name->nb_fields; f++) {
		bool is_signed = strcmp(name->fields[f], "status") == 0;
		bt_field_class *field =
			name->is_text[f] ? bt_field_class_string_create(trace_class)
			: is_signed      ? bt_field_class_integer_signed_create(trace_class)
					 : bt_field_class_integer_unsigned_create(trace_class);

		if (!name->is_text[f]) {
			bool is_wide = strstr(name->fields[f], "_ns") != NULL ||
			               strcmp(name->fields[f], "seq") == 0;

			bt_field_class_integer_set_field_value_range(field, is_wide ? 64 : 32);
		}
		bt_field_class_structure_append_member(payload, name->fields[f], field);
		bt_field_class_put_ref(field);
	}
	snprintf(full, sizeof(full), "%s%s",
		strchr(name->name, ':') != NULL ? "" : "vmedia:", name->name);
	source->classes[i] = bt_event_class_create(source->stream_class);
	bt_event_class_set_name(source->classes[i], full);
	bt_event_class_set_payload_field_class(source->classes[i], payload);
	bt_field_class_put_ref(payload);
}

static void
trace_make(struct source *source, bt_self_component *self)
{
	bt_trace_class *trace_class = bt_trace_class_create(self);
	bt_clock_class *clock = bt_clock_class_create(self);

	bt_clock_class_set_name(clock, "monotonic");
	source->stream_class = bt_stream_class_create(trace_class);
	bt_stream_class_set_default_clock_class(source->stream_class, clock);
	bt_stream_class_set_supports_packets(source->stream_class, BT_TRUE, BT_TRUE, BT_TRUE);
	bt_stream_class_set_supports_discarded_events(source->stream_class, BT_TRUE, BT_TRUE);
	for (unsigned int i = 0; i < source->script->nb_names; i++) {
		class_make(source, trace_class, i);
	}
	source->trace = bt_trace_create(trace_class);
	source->stream = bt_stream_create(source->stream_class, source->trace);
	bt_clock_class_put_ref(clock);
	bt_trace_class_put_ref(trace_class);
}

/* Without this it would be version 0 alone, and sink.ctf.fs of Babeltrace 2.1 wants 1. */
static bt_component_class_get_supported_mip_versions_method_status
script_mip_versions(bt_self_component_class_source *self, const bt_value *params, void *data,
	bt_logging_level level, bt_integer_range_set_unsigned *supported)
{
	return bt_integer_range_set_unsigned_add_range(supported, 0, 1) ==
	                       BT_INTEGER_RANGE_SET_ADD_RANGE_STATUS_OK
	               ? BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_OK
	               : BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_MEMORY_ERROR;
}

static bt_component_class_initialize_method_status
script_init(bt_self_component_source *self, bt_self_component_source_configuration *config,
	const bt_value *params, void *data)
{
	const bt_value *path = bt_value_map_borrow_entry_value_const(params, "path");
	const bt_value *repeat = bt_value_map_borrow_entry_value_const(params, "repeat");
	struct source *source = calloc(1, sizeof(*source));

	source->script = path != NULL ? script_read(bt_value_string_get(path)) : NULL;
	if (source->script == NULL) {
		free(source);
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	source->nb_rounds = repeat != NULL ? (uint64_t)bt_value_integer_signed_get(repeat) : 1;
	trace_make(source, bt_self_component_source_as_self_component(self));
	bt_self_component_set_data(bt_self_component_source_as_self_component(self), source);
	bt_self_component_source_add_output_port(self, "out", NULL, NULL);
	return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static void
script_finalize(bt_self_component_source *self)
{
	struct source *source =
		bt_self_component_get_data(bt_self_component_source_as_self_component(self));

	for (unsigned int i = 0; i < source->script->nb_names; i++) {
		bt_event_class_put_ref(source->classes[i]);
	}
	bt_stream_put_ref(source->stream);
	bt_trace_put_ref(source->trace);
	bt_stream_class_put_ref(source->stream_class);
	script_free(source->script);
	free(source);
}

static bt_message_iterator_class_initialize_method_status
script_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *config,
	bt_self_component_port_output *port)
{
	struct iterator *iterator = calloc(1, sizeof(*iterator));

	iterator->source =
		bt_self_component_get_data(bt_self_message_iterator_borrow_component(self));
	iterator->self = self;
	iterator->time_ns = iterator->source->script->lines[0].time_ns;
	bt_self_message_iterator_set_data(self, iterator);
	return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static void
script_iterator_finalize(bt_self_message_iterator *self)
{
	struct iterator *iterator = bt_self_message_iterator_get_data(self);

	bt_packet_put_ref(iterator->packet);
	free(iterator);
}

static int64_t
value_of(const struct iterator *iterator, const struct script_line *line, unsigned int field)
{
	const struct script *script = iterator->source->script;
	const char *name = script->names[line->name].fields[field];
	int64_t round = (int64_t)iterator->round;

	if (strcmp(name, "seq") == 0) {
		return line->values[field] + round * script->nb_seqs;
	}
	if (strcmp(name, "sequence") == 0) {
		return line->values[field] + round * script->nb_sequences;
	}
	return line->values[field];
}

static bt_message *
event_make(const struct iterator *iterator, const struct script_line *line)
{
	const struct script_name *name = &iterator->source->script->names[line->name];
	bt_message *message =
		bt_message_event_create_with_packet_and_default_clock_snapshot(iterator->self,
			iterator->source->classes[line->name], iterator->packet, iterator->time_ns);
	bt_field *payload = bt_event_borrow_payload_field(bt_message_event_borrow_event(message));

	for (unsigned int i = 0; i < name->nb_fields; i++) {
		bt_field *field = bt_field_structure_borrow_member_field_by_index(payload, i);

		if (name->is_text[i]) {
			bt_field_string_set_value(field, line->text);
		} else if (strcmp(name->fields[i], "status") == 0) {
			bt_field_integer_signed_set_value(field, line->values[i]);
		} else {
			bt_field_integer_unsigned_set_value(
				field, (uint64_t)value_of(iterator, line, i));
		}
	}
	return message;
}

static bt_message *
packet_end(struct iterator *iterator)
{
	bt_message *message = bt_message_packet_end_create_with_default_clock_snapshot(
		iterator->self, iterator->packet, iterator->time_ns);

	bt_packet_put_ref(iterator->packet);
	iterator->packet = NULL;
	return message;
}

static bt_message *
packet_begin(struct iterator *iterator)
{
	iterator->packet = bt_packet_create(iterator->source->stream);
	iterator->nb_in_packet = 0;
	return bt_message_packet_beginning_create_with_default_clock_snapshot(
		iterator->self, iterator->packet, iterator->time_ns);
}

static bt_message *
loss_make(struct iterator *iterator, const struct script_line *line)
{
	bt_message *message = bt_message_discarded_events_create_with_default_clock_snapshots(
		iterator->self, iterator->source->stream, iterator->time_ns, iterator->time_ns);

	bt_message_discarded_events_set_count(message, line->nb_lost);
	return message;
}

static void
advance(struct iterator *iterator)
{
	const struct script *script = iterator->source->script;

	if (++iterator->line == script->nb_lines) {
		iterator->line = 0;
		iterator->round++;
	}
	if (iterator->round < iterator->source->nb_rounds) {
		iterator->time_ns =
			script->lines[iterator->line].time_ns + iterator->round * script->period_ns;
	}
}

/* A loss stands between two packets, and CTF wants it to end when the next one does: an empty one.
 */
static bt_message *
loss_play(struct iterator *iterator, const struct script_line *line)
{
	bt_message *message;

	switch (iterator->loss_step++) {
	case 0:
		return loss_make(iterator, line);
	case 1:
		return packet_begin(iterator);
	default:
		message = packet_end(iterator);
		iterator->loss_step = 0;
		advance(iterator);
		return message;
	}
}

static bt_message *
line_play(struct iterator *iterator)
{
	const struct script_line *line = &iterator->source->script->lines[iterator->line];
	bool is_over = iterator->round == iterator->source->nb_rounds;
	bt_message *message;

	if (iterator->packet != NULL && iterator->loss_step == 0 &&
		(is_over || line->nb_lost != 0 || iterator->nb_in_packet == EVENTS_PER_PACKET)) {
		return packet_end(iterator);
	}
	if (is_over) {
		iterator->step = STEP_DONE;
		return bt_message_stream_end_create(iterator->self, iterator->source->stream);
	}
	if (line->nb_lost != 0) {
		return loss_play(iterator, line);
	}
	if (iterator->packet == NULL) {
		return packet_begin(iterator);
	}
	message = event_make(iterator, line);
	iterator->nb_in_packet++;
	advance(iterator);
	return message;
}

static bt_message_iterator_class_next_method_status
script_next(bt_self_message_iterator *self, bt_message_array_const messages, uint64_t capacity,
	uint64_t *count)
{
	struct iterator *iterator = bt_self_message_iterator_get_data(self);
	uint64_t nb = 0;

	if (iterator->step == STEP_BEGIN) {
		messages[nb++] = bt_message_stream_beginning_create(self, iterator->source->stream);
		iterator->step = STEP_LINES;
	}
	while (nb < capacity && iterator->step != STEP_DONE) {
		messages[nb++] = line_play(iterator);
	}
	*count = nb;
	return nb != 0 ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK
	               : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}

BT_PLUGIN_SOURCE_COMPONENT_CLASS(script, script_next);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_INITIALIZE_METHOD(script, script_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_FINALIZE_METHOD(script, script_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(
	script, script_iterator_init);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(
	script, script_iterator_finalize);
BT_PLUGIN_SOURCE_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD(script, script_mip_versions);
