/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables by which babeltrace2 knows the plugin; `babeltrace2 help sink.vmedia.latency` prints
 * them. */
#include "analysis/bt2.h"
#include "analysis/filter.h"
#include "analysis/sink.h"

BT_PLUGIN_MODULE();
BT_PLUGIN(vmedia);
BT_PLUGIN_DESCRIPTION("What a vmedia trace says: latency, streams, rules, reports");
BT_PLUGIN_AUTHOR("the vmedia developers");
BT_PLUGIN_LICENSE("BSD-3-Clause");

/* Both metadata versions that exist: 0 is CTF 1.8, 1 came with Babeltrace 2.1 and CTF 2. */
static bt_component_class_get_supported_mip_versions_method_status
mip_versions(bt_integer_range_set_unsigned *supported)
{
	return bt_integer_range_set_unsigned_add_range(supported, 0, 1) ==
	                       BT_INTEGER_RANGE_SET_ADD_RANGE_STATUS_OK
	               ? BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_OK
	               : BT_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD_STATUS_MEMORY_ERROR;
}

static bt_component_class_get_supported_mip_versions_method_status
sink_mip_versions(bt_self_component_class_sink *self, const bt_value *params, void *data,
	bt_logging_level level, bt_integer_range_set_unsigned *supported)
{
	return mip_versions(supported);
}

/* A sink of that name whose work is analysis_NAME. */
#define SINK(name, description, help)                                                              \
	static bt_component_class_initialize_method_status name##_init(                            \
		bt_self_component_sink *self, bt_self_component_sink_configuration *config,        \
		const bt_value *params, void *data)                                                \
	{                                                                                          \
		return sink_init(self, &analysis_##name, params);                                  \
	}                                                                                          \
	BT_PLUGIN_SINK_COMPONENT_CLASS(name, sink_consume);                                        \
	BT_PLUGIN_SINK_COMPONENT_CLASS_DESCRIPTION(name, description);                             \
	BT_PLUGIN_SINK_COMPONENT_CLASS_HELP(name, help);                                           \
	BT_PLUGIN_SINK_COMPONENT_CLASS_INITIALIZE_METHOD(name, name##_init);                       \
	BT_PLUGIN_SINK_COMPONENT_CLASS_FINALIZE_METHOD(name, sink_finalize);                       \
	BT_PLUGIN_SINK_COMPONENT_CLASS_GRAPH_IS_CONFIGURED_METHOD(name, sink_graph_is_configured); \
	BT_PLUGIN_SINK_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD(name, sink_mip_versions)

SINK(latency, "Percentiles of the latency of commands, per ioctl, stage and session",
	"Parameters:\n"
	"  path=FILE               write there instead of standard output\n"
	"  format=text|json|csv    default text (microseconds); the others: nanoseconds\n"
	"  by=every|all|ioctl|dqbuf|session   which tables\n"
	"\n"
	"A percentile with fewer than 10 values beyond it is printed as '-'. Limit the time with\n"
	"babeltrace2's own --begin and --end.\n");
SINK(timeline, "Frames, missed periods and queue depth of each stream over time",
	"Parameters:\n"
	"  path=FILE       write there instead of standard output\n"
	"  width=CELLS     20 .. 240, default 100\n"
	"\n"
	"Per stream three lanes: frames done per cell; periods without a frame by cause (B: no\n"
	"buffer queued, R: late render, L: late reactor); mean number of queued buffers.\n");
SINK(check, "Whether the device kept its promises; babeltrace2 fails when it did not",
	"Parameters:\n"
	"  path=FILE         write there instead of standard output\n"
	"  allow-lost=yes    accept a trace whose tracer lost events\n"
	"  allow-empty=yes   accept a trace without a command\n"
	"\n"
	"Rules: every command is answered once and its stages come in order; every queued buffer is\n"
	"done once and comes back by one DQBUF event; indices are in range; sequence numbers grow;\n"
	"nothing happens in a session that is not open. Rules about buffers need the detail profile.\n"
	"What was under way when the trace began is not judged, nor the last 100 ms.\n");
SINK(report, "One HTML page about a trace, complete in itself",
	"Parameters:\n"
	"  path=FILE         write there instead of standard output\n"
	"  title=TEXT        of the page\n"
	"  slowest=N         how many of the slowest commands are shown, default 10, at most 100\n"
	"  context-us=N      how long around each of them, default 1000 microseconds\n"
	"\n"
	"Percentiles per ioctl, latency over time, time per stage, a lane per stream, and what happened\n"
	"around the slowest commands. The page fetches nothing and runs no script.\n");
SINK(perfetto, "Chrome's JSON for ui.perfetto.dev: a range of time, or the slowest commands",
	"Parameters:\n"
	"  path=FILE                 write there instead of standard output\n"
	"  begin-ns=T, end-ns=T      only what overlaps this range of the trace's time; default all\n"
	"  slowest=N                 instead: the N slowest commands, at most 100 ...\n"
	"  context-us=N              ... and so long around each of them, default 1000 microseconds\n"
	"\n"
	"A process per device, a thread per session; a slice per command with its stages inside.\n");

static bt_component_class_get_supported_mip_versions_method_status
filter_mip_versions(bt_self_component_class_filter *self, const bt_value *params, void *data,
	bt_logging_level level, bt_integer_range_set_unsigned *supported)
{
	return mip_versions(supported);
}

/* A filter of that name whose work is filter_NAME. */
#define FILTER(name, description, help)                                                         \
	static bt_component_class_initialize_method_status name##_init(                         \
		bt_self_component_filter *self, bt_self_component_filter_configuration *config, \
		const bt_value *params, void *data)                                             \
	{                                                                                       \
		return filter_init(self, &filter_##name, params);                               \
	}                                                                                       \
	BT_PLUGIN_FILTER_COMPONENT_CLASS(name, filter_next);                                    \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_DESCRIPTION(name, description);                        \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_HELP(name, help);                                      \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_INITIALIZE_METHOD(name, name##_init);                  \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_FINALIZE_METHOD(name, filter_finalize);                \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_INITIALIZE_METHOD(              \
		name, filter_iterator_init);                                                    \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_MESSAGE_ITERATOR_CLASS_FINALIZE_METHOD(                \
		name, filter_iterator_finalize);                                                \
	BT_PLUGIN_FILTER_COMPONENT_CLASS_GET_SUPPORTED_MIP_VERSIONS_METHOD(                     \
		name, filter_mip_versions)

FILTER(spans, "One vmedia:cmd_span per command, and nothing else",
	"Joins the events of a command's stages where the trace has no vmedia:cmd_span; losses of the\n"
	"tracer go on as they are. No parameters. To write the result with sink.ctf.fs, give that\n"
	"ignore-discarded-events=yes: CTF keeps losses between packets, and here all is one packet.\n");
FILTER(select, "Events of a device or session, or what happened around certain commands",
	"Parameters:\n"
	"  device=N, session=N   only events of these; others that name no device or session stay\n"
	"  ioctl=NAME            only what is near commands of this ioctl (QBUF) or kind (OPEN)\n"
	"  min-us=N              only what is near commands that took at least so long\n"
	"  context-us=N          near: so long ahead of it and after it, default 1000 microseconds\n"
	"\n"
	"Ahead of a command at most 16384 messages are looked back at.\n");
