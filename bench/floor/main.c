/* SPDX-License-Identifier: BSD-3-Clause */
/* vmedia-floor: how long a cache line takes to another CPU and back. */
#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "core/environment.h"
#include "core/figures.h"
#include "core/option.h"
#include "core/output.h"
#include "floor/floor.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define WARM_UP_ROUNDS 10000
#define MAX_ROUNDS     1000000000

struct options {
	struct cpu_pair cpus;
	uint64_t rounds;
	const char *json;
};

static struct floor lines;
static struct hist ticks;

static const struct argp_option rows[] = {
	{"cpus", 'c', "A,B", 0, "who asks and who answers (default: the first two)", 0},
	{"rounds", 'n', "N", 0, "round trips (default 1000000)", 0},
	{"json", 'j', "FILE", 0, "write the figures here as well", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		option_cpus(arg, &o->cpus);
		return 0;
	case 'n':
		o->rounds = option_whole(state, key, arg, 1, MAX_ROUNDS);
		return 0;
	case 'j':
		o->json = option_json(state, arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void *
answer(void *arg)
{
	const struct options *o = arg;

	if (cpu_pin(o->cpus.device) != 0) {
		fprintf(stderr, "cannot run on CPU %d\n", o->cpus.device);
		exit(1);
	}
	floor_answer(&lines);
	return NULL;
}

static int
write_json(const struct options *o, const struct environment *env, const struct figures *f)
{
#ifdef HAVE_JSONC
	struct json_object *top = json_object_new_object();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-floor-1"));
	json_object_object_add(top, "environment", environment_json(env));
	json_object_object_add(top, "cpu_asks", json_object_new_int(o->cpus.driver));
	json_object_object_add(top, "cpu_answers", json_object_new_int(o->cpus.device));
	json_object_object_add(top, "floor", figures_json(f));
	return output_json(o->json, top);
#else
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
#endif
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"Round trip of a cache line between two CPUs: the physical limit of a poll-mode "
		"device.",
		NULL, NULL, NULL};
	struct options o = {.cpus = CPU_PAIR_DEFAULT, .rounds = 1000000};
	struct environment env;
	struct figures f;
	pthread_t thread;
	int ret;

	option_parse(&argp, argc, argv, &o, &o.cpus);
	environment_read(&env, &o.cpus);
	ret = cpu_pin(o.cpus.driver);
	if (ret == 0) {
		ret = -pthread_create(&thread, NULL, answer, &o);
	}
	if (ret != 0) {
		fprintf(stderr, "cannot start on CPU %d: %s\n", o.cpus.driver, strerror(-ret));
		return 1;
	}
	floor_ask(&lines, WARM_UP_ROUNDS, &ticks);
	hist_reset(&ticks);
	floor_ask(&lines, o.rounds, &ticks);
	floor_end(&lines);
	pthread_join(thread, NULL);
	figures_take(&f, &ticks);
	environment_print(&env);
	figures_print_heading(stdout, "round trip");
	figures_print(stdout, "floor", &f);
	return o.json != NULL && write_json(&o, &env, &f) != 0 ? 1 : 0;
}
