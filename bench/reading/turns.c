/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a trace with sink.utils.dummy and with another sink in turns of a few milliseconds, in one
 * thread: what the machine does to one it does to the other. Prints the CPU time of each and the
 * ratio of their speeds. usage: trace-reading-turns PLUGIN_FOLDER TRACE SINK */
#include <babeltrace2/babeltrace.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TURN_RUNS 500 /* calls of the sink, of up to 15 messages each */

struct reader {
	bt_graph *graph;
	uint64_t cpu_ns;
	bool ended;
};

static void
fail(const char *what)
{
	fprintf(stderr, "trace-reading-turns: %s\n", what);
	exit(1);
}

static uint64_t
cpu_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const bt_plugin *
plugin_find(const char *name)
{
	const bt_plugin *plugin = NULL;

	if (bt_plugin_find(name, BT_TRUE, BT_TRUE, BT_TRUE, BT_TRUE, BT_FALSE, &plugin) !=
		BT_PLUGIN_FIND_STATUS_OK) {
		fail(name);
	}
	return plugin;
}

static const bt_component_source *
source_add(bt_graph *graph, const char *trace)
{
	const bt_component_source *source;
	bt_value *params = bt_value_map_create();
	bt_value *inputs;

	if (params == NULL ||
		bt_value_map_insert_empty_array_entry(params, "inputs", &inputs) !=
			BT_VALUE_MAP_INSERT_ENTRY_STATUS_OK ||
		bt_value_array_append_string_element(inputs, trace) !=
			BT_VALUE_ARRAY_APPEND_ELEMENT_STATUS_OK) {
		fail("no memory");
	}
	if (bt_graph_add_source_component(graph,
		    bt_plugin_borrow_source_component_class_by_name_const(plugin_find("ctf"), "fs"),
		    "source", params, BT_LOGGING_LEVEL_WARNING,
		    &source) != BT_GRAPH_ADD_COMPONENT_STATUS_OK) {
		fail("this is no trace");
	}
	bt_value_put_ref(params);
	return source;
}

static void
connect(bt_graph *graph, const bt_port_output *from, const bt_port_input *to)
{
	if (bt_graph_connect_ports(graph, from, to, NULL) != BT_GRAPH_CONNECT_PORTS_STATUS_OK) {
		fail("the components do not fit");
	}
}

/* As the command line of babeltrace2 does it: source, muxer, sink. */
static void
reader_init(struct reader *reader, const char *trace, const char *plugin, const char *name)
{
	const bt_component_source *source;
	const bt_component_filter *muxer;
	const bt_component_sink *sink;

	*reader = (struct reader){.graph = bt_graph_create(0)};
	source = source_add(reader->graph, trace);
	if (bt_graph_add_filter_component(reader->graph,
		    bt_plugin_borrow_filter_component_class_by_name_const(
			    plugin_find("utils"), "muxer"),
		    "muxer", NULL, BT_LOGGING_LEVEL_WARNING,
		    &muxer) != BT_GRAPH_ADD_COMPONENT_STATUS_OK ||
		bt_graph_add_sink_component(reader->graph,
			bt_plugin_borrow_sink_component_class_by_name_const(
				plugin_find(plugin), name),
			"sink", NULL, BT_LOGGING_LEVEL_WARNING,
			&sink) != BT_GRAPH_ADD_COMPONENT_STATUS_OK) {
		fail("there is no such sink");
	}
	for (uint64_t i = 0; i < bt_component_source_get_output_port_count(source); i++) {
		connect(reader->graph,
			bt_component_source_borrow_output_port_by_index_const(source, i),
			bt_component_filter_borrow_input_port_by_index_const(muxer, i));
	}
	connect(reader->graph, bt_component_filter_borrow_output_port_by_index_const(muxer, 0),
		bt_component_sink_borrow_input_port_by_index_const(sink, 0));
}

static void
reader_turn(struct reader *reader)
{
	uint64_t begin_ns = cpu_now_ns();

	for (unsigned int i = 0; i < TURN_RUNS && !reader->ended; i++) {
		bt_graph_run_once_status status = bt_graph_run_once(reader->graph);

		reader->ended = status == BT_GRAPH_RUN_ONCE_STATUS_END;
		if (status < 0) {
			fail("reading failed");
		}
	}
	reader->cpu_ns += cpu_now_ns() - begin_ns;
}

int
main(int argc, char **argv)
{
	struct reader dummy, sink;

	if (argc != 4) {
		fail("usage: trace-reading-turns PLUGIN_FOLDER TRACE SINK");
	}
	setenv("BABELTRACE_PLUGIN_PATH", argv[1], 1);
	reader_init(&dummy, argv[2], "utils", "dummy");
	reader_init(&sink, argv[2], "vmedia", argv[3]);
	for (bool even = true; !dummy.ended || !sink.ended; even = !even) {
		reader_turn(even ? &dummy : &sink);
		reader_turn(even ? &sink : &dummy);
	}
	fprintf(stderr, "{\"dummy_ns\": %llu, \"sink_ns\": %llu, \"ratio\": %.4f}\n",
		(unsigned long long)dummy.cpu_ns, (unsigned long long)sink.cpu_ns,
		(double)dummy.cpu_ns / (double)sink.cpu_ns);
	bt_graph_put_ref(dummy.graph);
	bt_graph_put_ref(sink.graph);
	return 0;
}
