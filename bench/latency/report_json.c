/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "core/output.h"
#include "latency/latency.h"

#ifdef HAVE_JSONC
#include <json.h>

static void
add_number(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

static struct json_object *
shape_json(const struct latency *l, const struct run *run, enum shape shape)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "echo", figures_json(&run->figures[SIDE_ECHO][shape]));
	if (l->has_device && (shape != SHAPE_DONE || l->device_stamps)) {
		json_object_object_add(
			o, "device", figures_json(&run->figures[SIDE_DEVICE][shape]));
		add_number(o, "p50_device_to_echo", run->ratio[shape]);
		add_number(o, "p50_device_to_echo_paired", run->paired[shape]);
		add_number(o, "p99_device_to_echo", run->ratio99[shape]);
	}
	return o;
}

static struct json_object *
run_json(const struct latency *l, const struct run *run)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "noisy", json_object_new_boolean(run->noisy));
	json_object_object_add(o, "floor", figures_json(&run->floor));
	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		json_object_object_add(o, shape_names[shape], shape_json(l, run, shape));
	}
	for (unsigned int i = 0; l->has_device && i < NB_MAPPINGS; i++) {
		json_object_object_add(o, mapping_names[i], figures_json(&run->mappings[i]));
	}
	add_number(o, "floor_slice_p50_min_ns", run->floor_min);
	add_number(o, "floor_slice_p50_max_ns", run->floor_max);
	add_number(o, "run_ms", run->run_ms);
	add_number(o, "device_ms", run->device_ms);
	add_number(o, "driver_delay_ms", run->driver_delay_ms);
	add_number(o, "reactor_delay_ms", run->reactor_delay_ms);
	add_number(o, "other_threads_ms", run->others_ms);
	add_number(o, "steal_driver_ms", run->steal_ms[0]);
	add_number(o, "steal_device_ms", run->steal_ms[1]);
	json_object_object_add(o, "kicks", json_object_new_int64((int64_t)run->kicks));
	return o;
}

int
report_json(const struct latency *l)
{
	struct json_object *top = json_object_new_object(), *runs = json_object_new_array();
	struct json_object *medians = json_object_new_object();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-latency-1"));
	json_object_object_add(top, "environment", environment_json(&l->env));
	json_object_object_add(
		top, "rings", json_object_new_string(l->o.packed ? "packed" : "split"));
	json_object_object_add(
		top, "descriptors", json_object_new_string(l->o.direct ? "direct" : "indirect"));
	json_object_object_add(top, "slices", json_object_new_int((int)l->o.slices));
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		json_object_array_add(runs, run_json(l, &l->runs[i]));
	}
	json_object_object_add(top, "runs", runs);
	for (unsigned int shape = 0; l->has_device && shape < NB_SHAPES; shape++) {
		add_number(medians, shape_names[shape], report_median(l, shape, FIGURES_P50));
	}
	json_object_object_add(top, "median_p50_device_to_echo", medians);
	medians = json_object_new_object();
	for (unsigned int i = 0; l->has_device && i < NB_MAPPINGS; i++) {
		add_number(medians, mapping_names[i], report_median_mapping(l, i));
	}
	json_object_object_add(top, "median_p50_to_G_CTRL", medians);
	return output_json(l->o.json, top);
}
#else
int
report_json(const struct latency *l)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif
