/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/figures.h"
#include "core/output.h"
#include "streams/streams.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const struct group *g, unsigned int nb_runs, size_t member)
{
	double values[STREAMS_MAX_RUNS];

	for (unsigned int i = 0; i < nb_runs; i++) {
		values[i] = *(const double *)(const void *)((const char *)&g->runs[i] + member);
	}
	qsort(values, nb_runs, sizeof(values[0]), compare);
	return values[nb_runs / 2];
}

void
streams_report(
	const struct streams_options *o, const struct group *groups, const struct environment *env)
{
	environment_print(env);
	printf("%u frames a second each, %s rings, pages=%s, %u runs, medians\n", o->fps,
		o->packed ? "packed" : "split", o->pages, o->runs);
	printf("%8s %10s %10s %12s %12s %12s %9s %9s %8s\n", "devices", "frames/s", "work/frame",
		"with looks", "idle pass", "per device", "KiB each", "huge each", "fds each");
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		const struct group *g = &groups[i];

		printf("%8u %10.0f %10.0f %12.0f %12.1f %12.2f %9.0f %9.0f %8.1f  ns\n", g->nb,
			(double)g->runs[0].nb_frames / g->runs[0].seconds,
			median(g, o->runs, offsetof(struct streams_run, work_ns)),
			median(g, o->runs, offsetof(struct streams_run, busy_ns)), g->rest_pass_ns,
			g->rest_pass_ns / g->nb, g->rss_kib, g->huge_kib, g->fds);
	}
	figures_print_heading(stdout, "frame done -> event seen");
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		struct figures f;
		char label[32];

		snprintf(label, sizeof(label), "%u devices", groups[i].nb);
		figures_take(&f, &groups[i].latency);
		figures_print(stdout, label, &f);
	}
}

#ifdef HAVE_JSONC
static void
add_number(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

static struct json_object *
group_json(const struct group *g, unsigned int nb_runs)
{
	struct json_object *o = json_object_new_object(), *runs = json_object_new_array();
	struct figures f;

	json_object_object_add(o, "devices", json_object_new_int((int)g->nb));
	add_number(o, "rest_pass_ns", g->rest_pass_ns);
	add_number(o, "rss_kib_per_device", g->rss_kib);
	add_number(o, "huge_kib_per_device", g->huge_kib);
	add_number(o, "fds_per_device", g->fds);
	figures_take(&f, &g->latency);
	json_object_object_add(o, "done_to_seen", figures_json(&f));
	for (unsigned int i = 0; i < nb_runs; i++) {
		const struct streams_run *run = &g->runs[i];
		struct json_object *r = json_object_new_object();

		add_number(r, "frames_per_second", (double)run->nb_frames / run->seconds);
		add_number(r, "work_ns_per_frame", run->work_ns);
		add_number(r, "busy_ns_per_frame", run->busy_ns);
		add_number(r, "idle_pass_ns", run->idle_pass_ns);
		json_object_array_add(runs, r);
	}
	json_object_object_add(o, "runs", runs);
	return o;
}

int
streams_json(
	const struct streams_options *o, const struct group *groups, const struct environment *env)
{
	struct json_object *top = json_object_new_object(), *all = json_object_new_array();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-streams-1"));
	json_object_object_add(top, "environment", environment_json(env));
	json_object_object_add(top, "fps", json_object_new_int((int)o->fps));
	json_object_object_add(
		top, "rings", json_object_new_string(o->packed ? "packed" : "split"));
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		json_object_array_add(all, group_json(&groups[i], o->runs));
	}
	json_object_object_add(top, "groups", all);
	return output_json(o->json, top);
}
#else
int
streams_json(
	const struct streams_options *o, const struct group *groups, const struct environment *env)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif
