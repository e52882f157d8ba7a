/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare/compare.h"
#include "core/option.h"
#include "core/output.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

static const struct argp_option rows[] = {
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"direct", 'd', NULL, 0, "no indirect descriptors", 0},
	{"rounds", 'r', "N", 0, "each with new processes, 4 to 100 (default 12)", 0},
	{"pairs", 'n', "N", 0, "turns A B B A per round, 1 to 100 (default 6)", 0},
	{"samples", 's', "N", 0, "round trips per shape and slice (default 2000)", 0},
	{"same", 't', "PART", 0, "what counts as no difference (default 0.03)", 0},
	{"json", 'j', "FILE", 0, "write everything, each ratio included", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct compare_options *o = state->input;

	switch (key) {
	case 'c':
		option_cpus(arg, &o->common.cpus);
		break;
	case 'p':
		o->common.packed = true;
		break;
	case 'd':
		o->common.direct = true;
		break;
	case 'n':
		o->pairs = (unsigned int)option_whole(
			state, key, arg, 1, COMPARE_MAX_PAIRS / COMPARE_MAX_ROUNDS);
		break;
	case 'r':
		o->rounds = (unsigned int)option_whole(state, key, arg, 4, COMPARE_MAX_ROUNDS);
		break;
	case 's':
		o->samples = option_whole(state, key, arg, 1000, 1000000000);
		break;
	case 't':
		o->same = option_number(state, key, arg, 0.001, 1);
		break;
	case 'j':
		o->json = option_json(state, arg);
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num >= COMPARE_NB_SIDES) {
			argp_usage(state);
		}
		o->spawn[state->arg_num] = arg;
		break;
	case ARGP_KEY_END:
		if (state->arg_num != COMPARE_NB_SIDES) {
			argp_error(state, "two vmediads, please: A and B");
		}
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Each is stopped as soon as it is ready: there is one CPU for both. */
static int
start(struct compare *c, enum compare_side side)
{
	struct target_options target = {.spawn = c->o.spawn[side],
		.nb_devices = 1,
		.device = "backend=null,role=capture",
		.cpu = c->o.common.cpus.device};
	int ret = target_start(&c->targets[side], &target);

	if (ret == 0) {
		ret = subject_device(&c->subjects[side], &c->targets[side], &c->o.common);
	}
	return ret == 0 ? target_stop(&c->targets[side]) : ret;
}

static void
end(struct compare *c)
{
	for (unsigned int side = 0; side < COMPARE_NB_SIDES; side++) {
		if (c->targets[side].pid > 0) {
			target_continue(&c->targets[side]);
		}
		subject_end(&c->subjects[side]);
		target_end(&c->targets[side]);
	}
}

/* Whoever starts first does not do so in the next round. */
static int
run_round(struct compare *c, unsigned int index)
{
	enum compare_side first = index % COMPARE_NB_SIDES;
	int ret = start(c, first);

	if (ret == 0) {
		ret = start(c, !first);
	}
	if (ret == 0) {
		ret = cpu_pin(c->o.common.cpus.driver);
	}
	for (unsigned int i = 0; i < c->o.pairs && ret == 0; i++) {
		ret = compare_pair(c);
	}
	end(c);
	return ret;
}

static int
measure(struct compare *c)
{
	bool show = isatty(STDERR_FILENO);
	int ret = 0;

	for (unsigned int i = 0; i < c->o.rounds && ret == 0; i++) {
		ret = run_round(c, i);
		if (show) {
			fprintf(stderr, "\rround %u of %u", i + 1, c->o.rounds);
		}
	}
	if (show) {
		fprintf(stderr, "\r\033[K");
	}
	return ret;
}

static void
print_table(const struct compare *c)
{
	printf("A: %s\nB: %s\n", c->o.spawn[COMPARE_A], c->o.spawn[COMPARE_B]);
	printf("%-8s %5s %8s   %-15s  %s\n", "", "", "B / A", "95 % interval", "B is");
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		const struct compare_metric *m = &c->metrics[i];

		printf("%-8s p%-4g %8.3f   %.3f .. %.3f   %s\n", shape_names[m->shape],
			compare_percents[m->percentile], m->median, m->low, m->high, m->verdict);
	}
	printf("%u rounds of %u pairs; better and worse: 5 %% over all rows together; same: the "
	       "interval lies within %g %%\n",
		c->o.rounds, c->o.pairs, c->o.same * 100);
}

#ifdef HAVE_JSONC
static struct json_object *
metric_json(struct compare_metric *m)
{
	struct json_object *o = json_object_new_object(), *ratios = json_object_new_array();

	json_object_object_add(o, "shape", json_object_new_string(shape_names[m->shape]));
	json_object_object_add(
		o, "percentile", json_object_new_double(compare_percents[m->percentile]));
	json_object_object_add(o, "a_ns", json_object_new_double(median_of(m->a_ns, m->nb)));
	json_object_object_add(o, "ratio", json_object_new_double(m->median));
	json_object_object_add(o, "low", json_object_new_double(m->low));
	json_object_object_add(o, "high", json_object_new_double(m->high));
	json_object_object_add(o, "p", json_object_new_double(m->p));
	json_object_object_add(o, "verdict", json_object_new_string(m->verdict));
	for (unsigned int i = 0; i < m->nb; i++) {
		json_object_array_add(ratios, json_object_new_double(m->ratios[i]));
	}
	json_object_object_add(o, "ratios", ratios);
	return o;
}

static int
write_json(struct compare *c, const char *path)
{
	struct json_object *top = json_object_new_object(), *metrics = json_object_new_array();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-compare-1"));
	json_object_object_add(top, "environment", environment_json(&c->env));
	json_object_object_add(top, "a", json_object_new_string(c->o.spawn[COMPARE_A]));
	json_object_object_add(top, "b", json_object_new_string(c->o.spawn[COMPARE_B]));
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		json_object_array_add(metrics, metric_json(&c->metrics[i]));
	}
	json_object_object_add(top, "metrics", metrics);
	return output_json(path, top);
}
#else
static int
write_json(struct compare *c, const char *path)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif

/* 0; 1: B is worse somewhere, or something failed. */
static int
verdict(const struct compare *c)
{
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		if (strcmp(c->metrics[i].verdict, "worse") == 0) {
			return 1;
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, "A B",
		"Compares the round trips of two builds of vmediad, A and B, that take turns on the "
		"same CPUs. Exit status 1 when B is worse.",
		NULL, NULL, NULL};
	static struct compare c;
	int ret;

	c.o = (struct compare_options){.common.cpus = CPU_PAIR_DEFAULT,
		.rounds = 12,
		.pairs = 6,
		.samples = 2000,
		.same = 0.03};
	option_parse(&argp, argc, argv, &c.o, &c.o.common.cpus);
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		c.metrics[i].shape = i / COMPARE_NB_PERCENTILES;
		c.metrics[i].percentile = i % COMPARE_NB_PERCENTILES;
	}
	environment_read(&c.env, &c.o.common.cpus);
	if (measure(&c) != 0) {
		return 1;
	}
	compare_judge(&c);
	environment_print(&c.env);
	print_table(&c);
	ret = c.o.json != NULL ? write_json(&c, c.o.json) : 0;
	return ret != 0 ? 1 : verdict(&c);
}
