/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capacity/capacity.h"
#include "core/output.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

void
capacity_print_heading(const struct capacity *c)
{
	const struct capacity_options *o = &c->o;

	environment_print(&c->env);
	printf("%ux%u, %u frames a second each, backend null, %s rings; p%g of done -> seen at "
	       "most %g us,\nat most %g %% of the frames missed or later than a period; at most %u "
	       "devices (%s)\n",
		o->streams.width, o->streams.height, o->streams.fps,
		o->streams.packed ? "packed" : "split", o->percent, o->limit_us, o->late_percent,
		o->most, o->because);
	printf("%7s %8s %9s %7s %7s %9s %9s %9s %6s\n", "devices", "seconds", "frames", "missed",
		"late", "p50", "judged", "longest", "busy");
	printf("%7s %8s %9s %7s %7s %9s %9s %9s %6s\n", "", "", "", "", "", "us", "us", "us", "%");
	fflush(stdout);
}

void
capacity_print_try(const struct capacity_try *t)
{
	const struct streams_run *run = &t->run;
	double p50_us = t->figures.ns[FIGURES_P50] / 1e3;
	char p50[32] = "-";

	if (p50_us >= 0) {
		snprintf(p50, sizeof(p50), "%.1f", p50_us);
	}
	printf("%7u %8.1f %9llu %7llu %7llu %9s %9.1f %9.1f %6.1f  %s%s%s\n", t->nb, run->seconds,
		(unsigned long long)run->nb_frames, (unsigned long long)run->nb_missed,
		(unsigned long long)run->nb_late, p50, t->percentile_us, t->figures.max_ns / 1e3,
		t->busy_percent, t->holds ? "holds" : "does not hold",
		t->is_long ? " at length" : "", run->noise.noisy ? ", noisy" : "");
	fflush(stdout);
}

static void
print_none(const struct capacity *c)
{
	if (c->failed) {
		printf("not finished; so far %u streams held\n", c->nb_short);
		return;
	}
	printf("no number of streams is served in time on these CPUs: what was judged is too long, "
	       "or frames were missed or late\n");
	if (c->o.late_percent < 1) {
		printf("  where others use the CPUs, too: --slo 99=1000 --late 1\n");
	}
}

void
capacity_print_result(const struct capacity *c)
{
	const struct capacity_options *o = &c->o;
	const struct capacity_try *t = c->found;

	if (t == NULL) {
		print_none(c);
		return;
	}
	printf("%s%u streams of %ux%u with %u frames a second on one reactor: %.0f frames a "
	       "second\n",
		t->nb == o->most ? "at least " : "", t->nb, o->streams.width, o->streams.height,
		o->streams.fps, (double)t->run.nb_frames / t->run.seconds);
	printf("  ");
	noise_print(&t->run.noise);
}

#ifdef HAVE_JSONC
static void
add_number(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

static void
add_whole(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, json_object_new_int64((int64_t)value));
}

static struct json_object *
try_json(const struct capacity_try *t)
{
	struct json_object *o = json_object_new_object();

	add_whole(o, "devices", t->nb);
	json_object_object_add(o, "is_long", json_object_new_boolean(t->is_long));
	json_object_object_add(o, "holds", json_object_new_boolean(t->holds));
	add_number(o, "seconds", t->run.seconds);
	add_whole(o, "frames", t->run.nb_frames);
	add_whole(o, "missed", t->run.nb_missed);
	add_whole(o, "late", t->run.nb_late);
	add_number(o, "judged_us", t->percentile_us);
	add_number(o, "busy_percent", t->busy_percent);
	add_number(o, "work_ns_per_frame", t->run.work_ns);
	json_object_object_add(o, "done_to_seen", figures_json(&t->figures));
	noise_json(o, &t->run.noise);
	return o;
}

int
capacity_json(const struct capacity *c)
{
	const struct capacity_options *o = &c->o;
	struct json_object *top = json_object_new_object(), *tries = json_object_new_array();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-capacity-1"));
	json_object_object_add(top, "environment", environment_json(&c->env));
	json_object_object_add(top, "backend", json_object_new_string("null"));
	json_object_object_add(
		top, "rings", json_object_new_string(o->streams.packed ? "packed" : "split"));
	add_whole(top, "width", o->streams.width);
	add_whole(top, "height", o->streams.height);
	add_whole(top, "fps", o->streams.fps);
	add_number(top, "percent", o->percent);
	add_number(top, "limit_us", o->limit_us);
	add_number(top, "late_percent", o->late_percent);
	add_whole(top, "most", o->most);
	json_object_object_add(top, "because", json_object_new_string(o->because));
	add_whole(top, "streams", c->found != NULL ? c->found->nb : 0);
	add_whole(top, "streams_short", c->nb_short);
	json_object_object_add(top, "failed", json_object_new_boolean(c->failed));
	for (unsigned int i = 0; i < c->nb_tries; i++) {
		json_object_array_add(tries, try_json(&c->tries[i]));
	}
	json_object_object_add(top, "tries", tries);
	return output_json(o->streams.json, top);
}
#else
int
capacity_json(const struct capacity *c)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif
