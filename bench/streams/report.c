/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "core/figures.h"
#include "core/output.h"
#include "streams/streams.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define LEAST_PACE 0.97 /* of the frames that are due: below, a stream did not keep its pace */

static double
rate_of(const struct streams_run *run)
{
	return (double)run->nb_frames / run->seconds;
}

/* Of a member of all runs. */
static double
median(const struct group *g, unsigned int nb_runs, size_t member)
{
	double values[STREAMS_MAX_RUNS];

	for (unsigned int i = 0; i < nb_runs; i++) {
		values[i] = *(const double *)(const void *)((const char *)&g->runs[i] + member);
	}
	return median_of(values, nb_runs);
}

struct pace {
	double due, median, least; /* frames a second */
	unsigned int nb_late;      /* runs in which fewer than due came */
};

/* A frame at either end of a turn may fall outside of it. */
static bool
is_late(const struct streams_run *run, double due, unsigned int nb_streams)
{
	double missing = due * run->seconds - (double)run->nb_frames;

	return rate_of(run) < LEAST_PACE * due && missing > 1.5 * nb_streams;
}

static void
judge_pace(struct pace *pace, const struct group *g, const struct streams_options *o)
{
	double rates[STREAMS_MAX_RUNS];

	*pace = (struct pace){.due = (double)g->nb * o->fps};
	for (unsigned int i = 0; i < o->runs; i++) {
		rates[i] = rate_of(&g->runs[i]);
		pace->nb_late += is_late(&g->runs[i], pace->due, g->nb);
	}
	pace->median = median_of(rates, o->runs);
	pace->least = rates[0];
}

static void
print_heading(void)
{
	printf("%7s %9s %9s %10s %10s %9s %10s %9s %9s %6s\n", "devices", "frames/s", "least run",
		"work/frame", "with looks", "idle pass", "per device", "resident", "huge", "files");
	printf("%7s %9s %9s %10s %10s %9s %10s %9s %9s %6s\n", "", "", "frames/s", "ns", "ns", "ns",
		"ns", "KiB each", "KiB each", "each");
}

static void
print_group(const struct group *g, const struct streams_options *o)
{
	struct pace pace;

	judge_pace(&pace, g, o);
	printf("%7u %9.0f %9.0f %10.0f %10.0f %9.1f %10.2f %9.0f %9.0f %6.1f\n", g->nb, pace.median,
		pace.least, median(g, o->runs, offsetof(struct streams_run, work_ns)),
		median(g, o->runs, offsetof(struct streams_run, busy_ns)), g->rest_pass_ns,
		g->rest_pass_ns / g->nb, g->rss_kib, g->huge_kib, g->fds);
}

static void
print_pace(const struct group *g, const struct streams_options *o)
{
	struct pace pace;

	judge_pace(&pace, g, o);
	if (pace.nb_late > 0) {
		printf("NOT ALL FRAMES CAME: %u devices, %u of %u runs below %g x the %.0f "
		       "frames/s that are due\n",
			g->nb, pace.nb_late, o->runs, LEAST_PACE, pace.due);
	}
}

static void
print_noise(const struct group *g, unsigned int nb_runs)
{
	unsigned int nb_noisy = 0;
	double waited_ms[2] = {0, 0}, steal_ms = 0, run_ms = 0;

	for (unsigned int i = 0; i < nb_runs; i++) {
		const struct noise *noise = &g->runs[i].noise;

		nb_noisy += noise->noisy;
		waited_ms[0] += noise->waited_ms[0];
		waited_ms[1] += noise->waited_ms[1];
		steal_ms += noise->steal_ms[0] + noise->steal_ms[1];
		run_ms += noise->run_ms;
	}
	printf("  %u devices: %u of %u runs noisy; waited for a CPU: driver %.1f ms, device "
	       "%.1f ms; stolen %.0f ms; in %.0f ms\n",
		g->nb, nb_noisy, nb_runs, waited_ms[0], waited_ms[1], steal_ms, run_ms);
}

void
streams_report(
	const struct streams_options *o, const struct group *groups, const struct environment *env)
{
	environment_print(env);
	printf("%u frames a second each, %s rings, pages=%s, %u runs, medians\n", o->fps,
		o->packed ? "packed" : "split", o->pages, o->runs);
	print_heading();
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		print_group(&groups[i], o);
	}
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		print_pace(&groups[i], o);
	}
	for (unsigned int i = 0; i < o->nb_counts; i++) {
		print_noise(&groups[i], o->runs);
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
group_json(const struct group *g, const struct streams_options *o)
{
	struct json_object *all = json_object_new_object(), *runs = json_object_new_array();
	struct figures f;
	struct pace pace;

	json_object_object_add(all, "devices", json_object_new_int((int)g->nb));
	add_number(all, "rest_pass_ns", g->rest_pass_ns);
	add_number(all, "rss_kib_per_device", g->rss_kib);
	add_number(all, "huge_kib_per_device", g->huge_kib);
	add_number(all, "fds_per_device", g->fds);
	judge_pace(&pace, g, o);
	add_number(all, "frames_due_per_second", pace.due);
	add_number(all, "frames_per_second_median", pace.median);
	add_number(all, "frames_per_second_least", pace.least);
	json_object_object_add(all, "kept_pace", json_object_new_boolean(pace.nb_late == 0));
	figures_take(&f, &g->latency);
	json_object_object_add(all, "done_to_seen", figures_json(&f));
	for (unsigned int i = 0; i < o->runs; i++) {
		const struct streams_run *run = &g->runs[i];
		struct json_object *r = json_object_new_object();

		add_number(r, "frames_per_second", rate_of(run));
		add_number(r, "work_ns_per_frame", run->work_ns);
		add_number(r, "busy_ns_per_frame", run->busy_ns);
		add_number(r, "idle_pass_ns", run->idle_pass_ns);
		noise_json(r, &run->noise);
		json_object_array_add(runs, r);
	}
	json_object_object_add(all, "runs", runs);
	return all;
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
		json_object_array_add(all, group_json(&groups[i], o));
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
