/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option.h"
#include "streams/streams.h"

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with null cameras", 0},
	{"devices", 'd', "N,...", 0, "numbers of devices to compare (default 1,16,64,256)", 0},
	{"fps", 'f', "N", 0, "frames per second of each (default 60)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"pages", 'P', "4k|2m", 0, "of the arenas (default 4k)", 0},
	{"runs", 'r', "N", 0, "1 to 32 (default 5)", 0},
	{"time", 't', "SECONDS", 0, "of one turn (default 1)", 0},
	{"json", 'j', "FILE", 0, "write the figures here as well", 0},
	{0},
};

static void
parse_counts(struct argp_state *state, int key, char *arg, struct streams_options *o)
{
	char *rest = NULL;

	o->nb_counts = 0;
	if (arg[strspn(arg, ",")] == '\0') {
		option_whole(state, key, arg, 1, TARGET_MAX_DEVICES);
	}
	for (char *at = strtok_r(arg, ",", &rest); at != NULL; at = strtok_r(NULL, ",", &rest)) {
		if (o->nb_counts == STREAMS_MAX_GROUPS) {
			argp_error(state, "--devices: at most %d numbers", STREAMS_MAX_GROUPS);
		}
		o->counts[o->nb_counts++] =
			(unsigned int)option_whole(state, key, at, 1, TARGET_MAX_DEVICES);
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct streams_options *o = state->input;

	switch (key) {
	case 'S':
		o->spawn = arg;
		break;
	case 'd':
		parse_counts(state, key, arg, o);
		break;
	case 'f':
		o->fps = (unsigned int)option_whole(state, key, arg, 1, 1000);
		break;
	case 'c':
		option_cpus(arg, &o->cpus);
		break;
	case 'p':
		o->packed = true;
		break;
	case 'P':
		if (strcmp(arg, "4k") != 0 && strcmp(arg, "2m") != 0) {
			argp_error(state, "--pages %s: 4k or 2m, please", arg);
		}
		o->pages = arg;
		break;
	case 'r':
		o->runs = (unsigned int)option_whole(state, key, arg, 1, STREAMS_MAX_RUNS);
		break;
	case 't':
		o->seconds = option_number(state, key, arg, 0.1, 3600);
		break;
	case 'j':
		o->json = option_json(state, arg);
		break;
	case ARGP_KEY_END:
		if (o->spawn == NULL || o->nb_counts == 0) {
			argp_error(state, "--spawn VMEDIAD, please");
		}
		break;
	case ARGP_KEY_ARG:
		argp_usage(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* All are started, then they take turns. */
static int
measure(const struct streams_options *o, struct group *groups)
{
	int ret = 0;

	for (unsigned int i = 0; i < o->nb_counts && ret == 0; i++) {
		ret = group_start(&groups[i], o, o->counts[i]);
	}
	for (unsigned int i = 0; i < o->runs * o->nb_counts && ret == 0; i++) {
		struct group *g = &groups[i % o->nb_counts];

		ret = group_run(g, o, &g->runs[i / o->nb_counts]);
	}
	return ret;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"What one more device costs a reactor, at rest and while all of them stream.", NULL,
		NULL, NULL};
	static struct group groups[STREAMS_MAX_GROUPS];
	struct streams_options o = {.cpus = CPU_PAIR_DEFAULT,
		.pages = "4k",
		.counts = {1, 16, 64, 256},
		.nb_counts = 4,
		.fps = 60,
		.width = 160,
		.height = 120,
		.runs = 5,
		.seconds = 1};
	struct environment env;
	int ret;

	option_parse(&argp, argc, argv, &o, &o.cpus);
	environment_read(&env, &o.cpus);
	ret = cpu_pin(o.cpus.driver);
	ret = ret != 0 ? ret : measure(&o, groups);
	if (ret == 0) {
		streams_report(&o, groups, &env);
		ret = o.json != NULL ? streams_json(&o, groups, &env) : 0;
	}
	for (unsigned int i = 0; i < o.nb_counts; i++) {
		group_end(&groups[i]);
	}
	return ret != 0;
}
