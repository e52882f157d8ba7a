/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flt.vmedia.spans: a trace of one stream with one vmedia:cmd_span per command, joined from the
 * events of its stages where the device did not do it, and the losses. Everything else is dropped.
 */
#include <stdlib.h>

#include "base/compiler.h"
#include "analysis/filter.h"
#include "analysis/span.h"

static const struct {
	const char *name;
	uint8_t bits;
	bool is_signed, is_hex;
} members[] = {
	{"device", 16},
	{"session", 32},
	{"seq", 64},
	{"code", 16, .is_hex = true},
	{"status", 32, .is_signed = true},
	{"parse_ns", 64},
	{"begin_ns", 64},
	{"end_ns", 64},
	{"publish_ns", 64},
};

struct out {
	struct spans spans;
	bt_stream_class *stream_class;
	bt_event_class *event_class;
	bt_stream *stream; /* NULL: no stream has begun upstream */
	bt_packet *packet; /* one for all; NULL: there was no span yet. CTF wants its times. */
	uint64_t last_ns;
};

static bt_field_class *
member_class(bt_trace_class *trace_class, unsigned int i)
{
	bt_field_class *class = members[i].is_signed
	                                ? bt_field_class_integer_signed_create(trace_class)
	                                : bt_field_class_integer_unsigned_create(trace_class);

	if (class != NULL) {
		bt_field_class_integer_set_field_value_range(class, members[i].bits);
		if (members[i].is_hex) {
			bt_field_class_integer_set_preferred_display_base(
				class, BT_FIELD_CLASS_INTEGER_PREFERRED_DISPLAY_BASE_HEXADECIMAL);
		}
	}
	return class;
}

static bool
event_class_make(struct out *out, bt_trace_class *trace_class)
{
	bt_field_class *payload = bt_field_class_structure_create(trace_class);
	bool is_good = payload != NULL;

	for (unsigned int i = 0; is_good && i < ARRAY_SIZE(members); i++) {
		bt_field_class *class = member_class(trace_class, i);

		is_good = class != NULL &&
		          bt_field_class_structure_append_member(payload, members[i].name, class) ==
		                  BT_FIELD_CLASS_STRUCTURE_APPEND_MEMBER_STATUS_OK;
		bt_field_class_put_ref(class);
	}
	out->event_class = is_good ? bt_event_class_create(out->stream_class) : NULL;
	is_good = out->event_class != NULL &&
	          bt_event_class_set_name(out->event_class, "vmedia:cmd_span") ==
	                  BT_EVENT_CLASS_SET_NAME_STATUS_OK &&
	          bt_event_class_set_payload_field_class(out->event_class, payload) ==
	                  BT_EVENT_CLASS_SET_FIELD_CLASS_STATUS_OK;
	bt_field_class_put_ref(payload);
	return is_good;
}

/* Counts ns from the same origin as the clock of the trace that is read. */
static bt_clock_class *
clock_make(struct filter *filter, const bt_clock_class *from)
{
	bt_self_component *self = bt_self_message_iterator_borrow_component(filter->self);
	bt_clock_class *clock = bt_clock_class_create(self);

	if (clock == NULL) {
		return NULL;
	}
	bt_clock_class_set_origin_is_unix_epoch(clock, bt_clock_class_origin_is_unix_epoch(from));
	/* From version 1 on, a clock has no UUID. */
	if (bt_self_component_get_graph_mip_version(self) == 0 &&
		bt_clock_class_get_uuid(from) != NULL) {
		bt_clock_class_set_uuid(clock, bt_clock_class_get_uuid(from));
	}
	return clock;
}

static bool
classes_make(struct filter *filter, struct out *out, const bt_clock_class *from)
{
	bt_trace_class *trace_class =
		bt_trace_class_create(bt_self_message_iterator_borrow_component(filter->self));
	bt_clock_class *clock = clock_make(filter, from);
	bt_trace *trace = NULL;
	bool is_good = trace_class != NULL && clock != NULL;

	out->stream_class = is_good ? bt_stream_class_create(trace_class) : NULL;
	is_good = out->stream_class != NULL &&
	          bt_stream_class_set_default_clock_class(out->stream_class, clock) ==
	                  BT_STREAM_CLASS_SET_DEFAULT_CLOCK_CLASS_STATUS_OK;
	if (is_good) {
		bt_stream_class_set_supports_packets(out->stream_class, BT_TRUE, BT_TRUE, BT_TRUE);
		bt_stream_class_set_supports_discarded_events(out->stream_class, BT_TRUE, BT_TRUE);
		is_good = event_class_make(out, trace_class);
	}
	trace = is_good ? bt_trace_create(trace_class) : NULL;
	out->stream = trace != NULL ? bt_stream_create(out->stream_class, trace) : NULL;
	bt_trace_put_ref(trace);
	bt_clock_class_put_ref(clock);
	bt_trace_class_put_ref(trace_class);
	return out->stream != NULL;
}

static const char *
emit(struct filter *filter, bt_message *message)
{
	return message != NULL && filter_emit(filter, message) ? NULL : "no memory";
}

/* With the first stream upstream, ours begins. */
static const char *
begin(struct filter *filter, struct out *out, const bt_message *message)
{
	const bt_stream_class *class = bt_stream_borrow_class_const(
		bt_message_stream_beginning_borrow_stream_const(message));

	if (out->stream != NULL) {
		return NULL;
	}
	if (!classes_make(filter, out, bt_stream_class_borrow_default_clock_class_const(class))) {
		return "no memory";
	}
	return emit(filter, bt_message_stream_beginning_create(filter->self, out->stream));
}

static const char *
packet_begin(struct filter *filter, struct out *out, uint64_t time_ns)
{
	out->packet = bt_packet_create(out->stream);
	return out->packet == NULL
	               ? "no memory"
	               : emit(filter,
				 bt_message_packet_beginning_create_with_default_clock_snapshot(
					 filter->self, out->packet, time_ns));
}

static const char *
span_emit(struct filter *filter, struct out *out, const struct span *span, uint64_t time_ns)
{
	const uint64_t values[] = {span->device, span->session, span->seq, span->code & 0xffff, 0,
		span->ns[SPAN_PARSE], span->ns[SPAN_PARSE] + span->ns[SPAN_WAIT],
		span->ns[SPAN_TOTAL] - span->ns[SPAN_PUBLISH], span->ns[SPAN_TOTAL]};
	const char *wrong = out->packet == NULL ? packet_begin(filter, out, time_ns) : NULL;
	bt_message *message;
	bt_field *payload;

	_Static_assert(ARRAY_SIZE(values) == ARRAY_SIZE(members), "a value for each member");
	if (wrong != NULL) {
		return wrong;
	}
	message = bt_message_event_create_with_packet_and_default_clock_snapshot(
		filter->self, out->event_class, out->packet, time_ns);
	if (message == NULL) {
		return "no memory";
	}
	payload = bt_event_borrow_payload_field(bt_message_event_borrow_event(message));
	for (unsigned int i = 0; i < ARRAY_SIZE(members); i++) {
		bt_field *field = bt_field_structure_borrow_member_field_by_index(payload, i);

		if (members[i].is_signed) {
			bt_field_integer_signed_set_value(field, span->status);
		} else {
			bt_field_integer_unsigned_set_value(field, values[i]);
		}
	}
	return emit(filter, message);
}

static const char *
loss_emit(struct filter *filter, struct out *out)
{
	bt_message *message = bt_message_discarded_events_create_with_default_clock_snapshots(
		filter->self, out->stream, out->last_ns, out->last_ns);

	if (message != NULL) {
		bt_message_discarded_events_set_count(message, filter->output.nb_lost);
	}
	return emit(filter, message);
}

static const char *
take_read(struct filter *filter, struct out *out, const bt_message *message)
{
	const struct event *event = &filter->output.event;
	struct span span;

	filter->reader.wants = spans_wants(filter->reader.known);
	switch (reader_read(&filter->reader, message, &filter->output)) {
	case READER_EVENT:
		out->last_ns = event->time_ns;
		return spans_add(&out->spans, event, &span)
		               ? span_emit(filter, out, &span, event->time_ns)
		               : NULL;
	case READER_LOST:
		return loss_emit(filter, out);
	case READER_NO_MEMORY:
		return "no memory";
	case READER_NO_CLOCK:
		return "the trace has a stream without a clock";
	case READER_OTHER:
		break;
	}
	return bt_message_get_type(message) == BT_MESSAGE_TYPE_STREAM_BEGINNING
	               ? begin(filter, out, message)
	               : NULL;
}

static const char *
take(struct filter *filter, const bt_message *message)
{
	const char *wrong = take_read(filter, filter->state, message);

	bt_message_put_ref(message);
	return wrong;
}

static const char *
end(struct filter *filter)
{
	struct out *out = filter->state;
	const char *wrong = NULL;

	if (out->packet != NULL) {
		wrong = emit(filter, bt_message_packet_end_create_with_default_clock_snapshot(
					     filter->self, out->packet, out->last_ns));
	}
	if (out->stream != NULL && wrong == NULL) {
		wrong = emit(filter, bt_message_stream_end_create(filter->self, out->stream));
	}
	return wrong;
}

static void
fini(struct filter *filter)
{
	struct out *out = filter->state;

	bt_packet_put_ref(out->packet);
	bt_stream_put_ref(out->stream);
	bt_event_class_put_ref(out->event_class);
	bt_stream_class_put_ref(out->stream_class);
}

const struct filter_kind filter_spans = {
	.user = OPTIONS_SPANS,
	.state_bytes = sizeof(struct out),
	.take = take,
	.end = end,
	.fini = fini,
};
