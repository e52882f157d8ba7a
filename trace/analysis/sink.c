/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: for each message of a trace. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "analysis/bt2.h"
#include "analysis/reader.h"
#include "analysis/sink.h"

#define WHY_BYTES 512

struct sink {
	const struct analysis *analysis;
	struct options options;
	bt_message_iterator *iterator;
	struct reader reader;
	uint64_t known; /* what analysis->wants was asked with */
	struct reader_output output;
	void *state;
	FILE *out;
};

#define fail(component, ...)                                 \
	BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT( \
		bt_self_component_sink_as_self_component(component), __VA_ARGS__)

static void
sink_free(struct sink *sink)
{
	if (sink->state != NULL) {
		sink->analysis->destroy(sink->state);
	}
	if (sink->out != NULL && sink->out != stdout) {
		fclose(sink->out);
	}
	bt_message_iterator_put_ref(sink->iterator);
	reader_fini(&sink->reader);
	free(sink);
}

/* NULL: the reason is in why. */
static struct sink *
sink_make(const struct analysis *analysis, const bt_value *params, char *why)
{
	struct sink *sink = calloc(1, sizeof(*sink));

	if (sink == NULL) {
		snprintf(why, WHY_BYTES, "no memory");
		return NULL;
	}
	sink->analysis = analysis;
	if (options_parse(&sink->options, analysis->user, params, why, WHY_BYTES) < 0) {
		sink_free(sink);
		return NULL;
	}
	sink->out = sink->options.path[0] != '\0' ? fopen(sink->options.path, "we") : stdout;
	if (sink->out == NULL) {
		snprintf(why, WHY_BYTES, "cannot write %.256s: %s", sink->options.path,
			strerror(errno));
		sink_free(sink);
		return NULL;
	}
	sink->state = analysis->create(&sink->options, sink->out);
	if (sink->state == NULL) {
		snprintf(why, WHY_BYTES, "no memory");
		sink_free(sink);
		return NULL;
	}
	sink->reader.fields = analysis->fields;
	sink->reader.wants = analysis->wants(sink->state, 0);
	return sink;
}

bt_component_class_initialize_method_status
sink_init(bt_self_component_sink *self, const struct analysis *analysis, const bt_value *params)
{
	char why[WHY_BYTES];
	struct sink *sink = sink_make(analysis, params, why);

	if (sink == NULL) {
		fail(self, "%s", why);
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	if (bt_self_component_sink_add_input_port(self, "in", NULL, NULL) !=
		BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
		sink_free(sink);
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	bt_self_component_set_data(bt_self_component_sink_as_self_component(self), sink);
	return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static struct sink *
sink_of(bt_self_component_sink *self)
{
	return bt_self_component_get_data(bt_self_component_sink_as_self_component(self));
}

void
sink_finalize(bt_self_component_sink *self)
{
	sink_free(sink_of(self));
}

bt_component_class_sink_graph_is_configured_method_status
sink_graph_is_configured(bt_self_component_sink *self)
{
	bt_self_component_port_input *port =
		bt_self_component_sink_borrow_input_port_by_index(self, 0);

	return bt_message_iterator_create_from_sink_component(
		       self, port, &sink_of(self)->iterator) ==
	                       BT_MESSAGE_ITERATOR_CREATE_FROM_SINK_COMPONENT_STATUS_OK
	               ? BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK
	               : BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_ERROR;
}

static bt_component_class_sink_consume_method_status
finish(bt_self_component_sink *self, struct sink *sink)
{
	char why[WHY_BYTES];
	bool is_good = sink->analysis->finish(sink->state, sink->out, why, sizeof(why));

	if (fflush(sink->out) != 0 || ferror(sink->out)) {
		fail(self, "cannot write %s: %s",
			sink->options.path[0] != '\0' ? sink->options.path : "the result",
			strerror(errno));
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
	}
	if (!is_good) {
		fail(self, "%s", why);
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
	}
	return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_END;
}

/* What is wrong, or NULL. */
static const char *
message_add(struct sink *sink, const bt_message *message)
{
	switch (reader_read(&sink->reader, message, &sink->output)) {
	case READER_EVENT:
		return sink->analysis->add(sink->state, &sink->output.event) < 0 ? "no memory"
		                                                                 : NULL;
	case READER_LOST:
		sink->analysis->lost(sink->state, sink->output.nb_lost);
		return NULL;
	case READER_OTHER:
		break;
	case READER_NO_MEMORY:
		return "no memory";
	case READER_NO_CLOCK:
		return "the trace has a stream without a clock: its events have no time";
	}
	if (unlikely(sink->known != sink->reader.known)) {
		sink->known = sink->reader.known;
		sink->reader.wants = sink->analysis->wants(sink->state, sink->known);
	}
	return NULL;
}

bt_component_class_sink_consume_method_status
sink_consume(bt_self_component_sink *self)
{
	struct sink *sink = sink_of(self);
	const char *wrong = NULL;
	bt_message_array_const messages;
	uint64_t nb;

	switch (bt_message_iterator_next(sink->iterator, &messages, &nb)) {
	case BT_MESSAGE_ITERATOR_NEXT_STATUS_OK:
		break;
	case BT_MESSAGE_ITERATOR_NEXT_STATUS_END:
		return finish(self, sink);
	case BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN:
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_AGAIN;
	case BT_MESSAGE_ITERATOR_NEXT_STATUS_MEMORY_ERROR:
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_MEMORY_ERROR;
	default:
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
	}
	for (uint64_t i = 0; i < nb; i++) {
		if (likely(wrong == NULL)) {
			wrong = message_add(sink, messages[i]);
		}
		bt_message_put_ref(messages[i]);
	}
	if (unlikely(wrong != NULL)) {
		fail(self, "%s", wrong);
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_ERROR;
	}
	return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}
