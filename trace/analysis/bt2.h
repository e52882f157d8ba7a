/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods that Babeltrace calls; plugin.c puts them into its tables. */
#ifndef VMEDIA_ANALYSIS_BT2_H
#define VMEDIA_ANALYSIS_BT2_H

#include <babeltrace2/babeltrace.h>

struct analysis;
struct filter_kind;

bt_component_class_initialize_method_status sink_init(
	bt_self_component_sink *self, const struct analysis *analysis, const bt_value *params);
bt_component_class_sink_graph_is_configured_method_status sink_graph_is_configured(
	bt_self_component_sink *self);
bt_component_class_sink_consume_method_status sink_consume(bt_self_component_sink *self);
void sink_finalize(bt_self_component_sink *self);

bt_component_class_initialize_method_status filter_init(
	bt_self_component_filter *self, const struct filter_kind *kind, const bt_value *params);
void filter_finalize(bt_self_component_filter *self);
bt_message_iterator_class_initialize_method_status filter_iterator_init(
	bt_self_message_iterator *self, bt_self_message_iterator_configuration *config,
	bt_self_component_port_output *port);
void filter_iterator_finalize(bt_self_message_iterator *self);
bt_message_iterator_class_next_method_status filter_next(bt_self_message_iterator *self,
	bt_message_array_const messages, uint64_t capacity, uint64_t *count);

#endif
