/* SPDX-License-Identifier: BSD-3-Clause */
/* The methods that Babeltrace calls; plugin.c puts them into its tables. */
#ifndef VMEDIA_ANALYSIS_BT2_H
#define VMEDIA_ANALYSIS_BT2_H

#include <babeltrace2/babeltrace.h>

struct analysis;

bt_component_class_initialize_method_status sink_init(
	bt_self_component_sink *self, const struct analysis *analysis, const bt_value *params);
bt_component_class_sink_graph_is_configured_method_status sink_graph_is_configured(
	bt_self_component_sink *self);
bt_component_class_sink_consume_method_status sink_consume(bt_self_component_sink *self);
void sink_finalize(bt_self_component_sink *self);

#endif
