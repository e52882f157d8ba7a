/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "core/figures.h"
#include "core/output.h"
#include "load/load.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define NS_PER_US 1e3

static double
rate_of(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->nb / r->seconds : 0;
}

static double
ns_of(const struct hist *ticks, double percent)
{
	return (double)hist_percentile(ticks, percent) * 1e9 / (double)clock_tsc_hz();
}

static void
print_row(const char *side, const char *what, const struct hist *ticks)
{
	struct figures f;
	char label[32];

	snprintf(label, sizeof(label), "%s, %s", side, what);
	figures_take(&f, ticks);
	figures_print(stdout, label, &f);
}

static void
print_side(const struct load_run *run, enum load_side side)
{
	const struct load_result *open = &run->results[side][LOAD_OPEN];
	const struct load_result *closed = &run->results[side][LOAD_CLOSED];
	const char *name = load_side_names[side];

	print_row(name, "open: latency", &open->latency);
	print_row(name, "open: service", &open->service);
	print_row(name, "closed: service", &closed->service);
}

void
report_run(const struct load *l, unsigned int index)
{
	const struct load_run *run = &l->runs[index];
	char label[32];

	snprintf(label, sizeof(label), "run %u of %u%s", index + 1, l->o.runs,
		run->noisy ? ", noisy" : "");
	figures_print_heading(stdout, label);
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		if (l->has[side]) {
			print_side(run, side);
		}
	}
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		const struct load_result *open = &run->results[side][LOAD_OPEN];

		if (l->has[side]) {
			printf("  %-6s closed loop %.0f/s; open loop asked for %.0f/s, got %.0f/s, "
			       "longest wait to be sent %.1f us\n",
				load_side_names[side], rate_of(&run->results[side][LOAD_CLOSED]),
				run->rate, rate_of(open), (double)open->backlog_ns / NS_PER_US);
		}
	}
	printf("  waited for a CPU: driver %.1f ms, device %.1f ms; other threads ran %.1f ms; "
	       "stolen %.0f and %.0f ms; in %.0f ms\n",
		run->waited_ms[0], run->waited_ms[1], run->others_ms, run->steal_ms[0],
		run->steal_ms[1], run->run_ms);
	fflush(stdout);
}

/* Closed loop rates, device by echo. */
static void
print_ratios(const struct load *l)
{
	printf("  closed loop, rate device / echo:");
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		double echo = rate_of(&l->runs[i].results[LOAD_ECHO][LOAD_CLOSED]);

		printf(" %.2f", rate_of(&l->runs[i].results[LOAD_DEVICE][LOAD_CLOSED]) / echo);
	}
	printf("\n");
}

/* Of all runs together, and it must be known. */
static bool
check_slos(const struct load *l)
{
	static struct hist all;
	bool met = true;

	hist_reset(&all);
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		hist_merge(&all, &l->runs[i].results[LOAD_DEVICE][LOAD_OPEN].latency);
	}
	for (unsigned int i = 0; i < l->o.nb_slos; i++) {
		const struct load_slo *slo = &l->o.slos[i];
		bool sound = hist_percentile_is_sound(hist_count(&all), slo->percent);
		double ns = ns_of(&all, slo->percent);
		bool ok = sound && ns <= slo->limit_ns;
		char text[32] = "-";

		if (sound) {
			snprintf(text, sizeof(text), "%.1f us", ns / NS_PER_US);
		}
		printf("  service level p%g: %s, at most %g us: %s\n", slo->percent, text,
			slo->limit_ns / NS_PER_US,
			ok      ? "met"
			: sound ? "MISSED"
				: "UNKNOWN, too few samples");
		met &= ok;
	}
	return met;
}

/* Without a device: the rings of the echo. */
static unsigned int
nb_rings(const struct load *l)
{
	return l->has[LOAD_DEVICE] ? l->target.nb - (l->o.flood > 0) : l->o.target.nb_devices;
}

bool
report_end(const struct load *l)
{
	unsigned int nb_noisy = 0;

	for (unsigned int i = 0; i < l->nb_runs; i++) {
		nb_noisy += l->runs[i].noisy;
	}
	printf("all %u runs, %u noisy; %s, %u %s x %u in flight, %s rings, %s descriptors, "
	       "driver %s, %s arrivals",
		l->nb_runs, nb_noisy, l->o.ioctl, nb_rings(l),
		l->has[LOAD_DEVICE] ? "devices" : "rings of the echo, no device,", l->o.depth,
		l->o.packed ? "packed" : "split", l->o.direct ? "direct" : "indirect",
		l->o.interrupts ? "sleeps" : "polls", l->o.poisson ? "Poisson" : "even");
	if (l->o.flood > 0) {
		printf("; %u in flight on one more", l->o.flood);
	}
	printf("\n");
	if (l->has[LOAD_ECHO] && l->has[LOAD_DEVICE]) {
		print_ratios(l);
	}
	return check_slos(l);
}

#ifdef HAVE_JSONC
static unsigned int
nb_measured(const struct load *l)
{
	return l->has[LOAD_DEVICE] ? nb_rings(l) : 0;
}

static void
add_number(struct json_object *o, const char *name, double value)
{
	json_object_object_add(o, name, json_object_new_double(value));
}

/* The buckets in use: [lowest ns, count]. */
static struct json_object *
hist_json(const struct hist *ticks)
{
	struct json_object *o = json_object_new_array();
	double ns_per_tick = 1e9 / (double)clock_tsc_hz();

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		if (ticks->counts[i] != 0) {
			struct json_object *pair = json_object_new_array();

			json_object_array_add(pair,
				json_object_new_double((double)hist_bucket_low(i) * ns_per_tick));
			json_object_array_add(
				pair, json_object_new_int64((int64_t)ticks->counts[i]));
			json_object_array_add(o, pair);
		}
	}
	return o;
}

static struct json_object *
durations_json(const struct hist *ticks)
{
	struct figures f;
	struct json_object *o;

	figures_take(&f, ticks);
	o = figures_json(&f);
	json_object_object_add(o, "histogram_ns", hist_json(ticks));
	return o;
}

static struct json_object *
result_json(const struct load_result *r)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "per_second", rate_of(r));
	add_number(o, "seconds", r->seconds);
	add_number(o, "longest_wait_to_be_sent_ns", (double)r->backlog_ns);
	json_object_object_add(o, "latency", durations_json(&r->latency));
	json_object_object_add(o, "service", durations_json(&r->service));
	return o;
}

static struct json_object *
run_json(const struct load *l, const struct load_run *run)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "noisy", json_object_new_boolean(run->noisy));
	add_number(o, "asked_per_second", run->rate);
	add_number(o, "run_ms", run->run_ms);
	add_number(o, "driver_waited_ms", run->waited_ms[0]);
	add_number(o, "device_waited_ms", run->waited_ms[1]);
	add_number(o, "other_threads_ms", run->others_ms);
	add_number(o, "steal_driver_ms", run->steal_ms[0]);
	add_number(o, "steal_device_ms", run->steal_ms[1]);
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		struct json_object *loops = json_object_new_object();

		for (unsigned int loop = 0; loop < LOAD_NB_LOOPS && l->has[side]; loop++) {
			json_object_object_add(loops, load_loop_names[loop],
				result_json(&run->results[side][loop]));
		}
		json_object_object_add(o, load_side_names[side], loops);
	}
	return o;
}

int
report_json(const struct load *l)
{
	struct json_object *top = json_object_new_object(), *runs = json_object_new_array();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-load-1"));
	json_object_object_add(top, "environment", environment_json(&l->env));
	json_object_object_add(top, "ioctl", json_object_new_string(l->o.ioctl));
	json_object_object_add(top, "devices", json_object_new_int((int)nb_measured(l)));
	json_object_object_add(top, "flood", json_object_new_int((int)l->o.flood));
	json_object_object_add(top, "depth", json_object_new_int((int)l->o.depth));
	json_object_object_add(
		top, "rings", json_object_new_string(l->o.packed ? "packed" : "split"));
	json_object_object_add(
		top, "arrivals", json_object_new_string(l->o.poisson ? "poisson" : "even"));
	json_object_object_add(top, "seed", json_object_new_int64((int64_t)l->o.seed));
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		json_object_array_add(runs, run_json(l, &l->runs[i]));
	}
	json_object_object_add(top, "runs", runs);
	return output_json(l->o.json, top);
}
#else
int
report_json(const struct load *l)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif
