/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "analysis/bt2.h"
#include "analysis/filter.h"

#define WHY_BYTES 512

struct component {
	const struct filter_kind *kind;
	struct options options;
};

static void
component_fail(bt_self_component *self, const char *why)
{
	BT_CURRENT_THREAD_ERROR_APPEND_CAUSE_FROM_COMPONENT(self, "%s", why);
}

bt_component_class_initialize_method_status
filter_init(bt_self_component_filter *self, const struct filter_kind *kind, const bt_value *params)
{
	bt_self_component *base = bt_self_component_filter_as_self_component(self);
	struct component *component = calloc(1, sizeof(*component));
	char why[WHY_BYTES];

	if (component == NULL) {
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
	}
	component->kind = kind;
	if (options_parse(&component->options, kind->user, params, why, sizeof(why)) < 0) {
		component_fail(base, why);
		free(component);
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	if (bt_self_component_filter_add_input_port(self, "in", NULL, NULL) !=
			BT_SELF_COMPONENT_ADD_PORT_STATUS_OK ||
		bt_self_component_filter_add_output_port(self, "out", NULL, NULL) !=
			BT_SELF_COMPONENT_ADD_PORT_STATUS_OK) {
		free(component);
		return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	bt_self_component_set_data(base, component);
	return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void
filter_finalize(bt_self_component_filter *self)
{
	free(bt_self_component_get_data(bt_self_component_filter_as_self_component(self)));
}

static void
filter_free(struct filter *filter)
{
	while (filter->nb_ready != 0) {
		bt_message_put_ref(filter->ready[filter->first_ready]);
		filter->first_ready = (filter->first_ready + 1) % filter->ready_size;
		filter->nb_ready--;
	}
	if (filter->state != NULL) {
		filter->kind->fini(filter);
	}
	bt_message_iterator_put_ref(filter->upstream);
	reader_fini(&filter->reader);
	free(filter->ready);
	free(filter->state);
	free(filter);
}

bt_message_iterator_class_initialize_method_status
filter_iterator_init(bt_self_message_iterator *self, bt_self_message_iterator_configuration *config,
	bt_self_component_port_output *port)
{
	bt_self_component *base = bt_self_message_iterator_borrow_component(self);
	const struct component *component = bt_self_component_get_data(base);
	struct filter *filter = calloc(1, sizeof(*filter));

	if (filter == NULL) {
		return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_MEMORY_ERROR;
	}
	filter->kind = component->kind;
	filter->options = &component->options;
	filter->self = self;
	filter->state = calloc(1, filter->kind->state_bytes);
	if (filter->state == NULL ||
		bt_message_iterator_create_from_message_iterator(self,
			bt_self_component_filter_borrow_input_port_by_index(
				(bt_self_component_filter *)base, 0),
			&filter->upstream) !=
			BT_MESSAGE_ITERATOR_CREATE_FROM_MESSAGE_ITERATOR_STATUS_OK) {
		filter_free(filter);
		return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	bt_self_message_iterator_set_data(self, filter);
	return BT_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

void
filter_iterator_finalize(bt_self_message_iterator *self)
{
	filter_free(bt_self_message_iterator_get_data(self));
}

bool
filter_emit(struct filter *filter, const bt_message *message)
{
	uint64_t at;

	if (filter->nb_ready == filter->ready_size) {
		uint64_t size = filter->ready_size != 0 ? filter->ready_size * 2 : 64;
		const bt_message **ready = calloc(size, sizeof(*ready));

		if (ready == NULL) {
			bt_message_put_ref(message);
			return false;
		}
		for (uint64_t i = 0; i < filter->nb_ready; i++) {
			ready[i] = filter->ready[(filter->first_ready + i) % filter->ready_size];
		}
		free(filter->ready);
		filter->ready = ready;
		filter->ready_size = size;
		filter->first_ready = 0;
	}
	at = (filter->first_ready + filter->nb_ready++) % filter->ready_size;
	filter->ready[at] = message;
	return true;
}

static uint64_t
hand_on(struct filter *filter, bt_message_array_const messages, uint64_t capacity)
{
	uint64_t nb = 0;

	while (nb < capacity && filter->nb_ready != 0) {
		messages[nb++] = filter->ready[filter->first_ready];
		filter->first_ready = (filter->first_ready + 1) % filter->ready_size;
		filter->nb_ready--;
	}
	return nb;
}

/* Takes all; what is wrong, or NULL. */
static const char *
take_all(struct filter *filter, bt_message_array_const messages, uint64_t nb)
{
	const char *wrong = NULL;

	for (uint64_t i = 0; i < nb; i++) {
		if (wrong == NULL) {
			wrong = filter->kind->take(filter, messages[i]);
		} else {
			bt_message_put_ref(messages[i]);
		}
	}
	return wrong;
}

bt_message_iterator_class_next_method_status
filter_next(bt_self_message_iterator *self, bt_message_array_const messages, uint64_t capacity,
	uint64_t *count)
{
	struct filter *filter = bt_self_message_iterator_get_data(self);
	const char *wrong = NULL;

	while (filter->nb_ready == 0 && !filter->is_at_end && wrong == NULL) {
		bt_message_array_const taken;
		uint64_t nb;
		bt_message_iterator_next_status status =
			bt_message_iterator_next(filter->upstream, &taken, &nb);

		if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
			filter->is_at_end = true;
			wrong = filter->kind->end(filter);
		} else if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_OK) {
			return (bt_message_iterator_class_next_method_status)status;
		} else {
			wrong = take_all(filter, taken, nb);
		}
	}
	if (wrong != NULL) {
		component_fail(bt_self_message_iterator_borrow_component(self), wrong);
		return BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_ERROR;
	}
	*count = hand_on(filter, messages, capacity);
	return *count != 0 ? BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_OK
	                   : BT_MESSAGE_ITERATOR_CLASS_NEXT_METHOD_STATUS_END;
}
