/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "core/cpu.h"
#include "core/environment.h"
#include "core/figures.h"
#include "core/noise.h"
#include "core/option.h"
#include "core/output.h"
#include "micro/micro.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define MAX_ROUNDS 100
#define MAX_ROWS   32

struct options {
	struct cpu_pair cpus; /* the second one runs everything */
	unsigned int rounds;
	const char *only, *json;
};

struct row {
	const struct micro *micro;
	double ns[MAX_ROUNDS]; /* of one operation, by round */
};

static const struct micro *const tables[] = {
	micro_pass, micro_ring, micro_codec, micro_memory, micro_stats};
static struct row rows[MAX_ROWS];
static unsigned int nb_rows;

static const struct argp_option argp_rows[] = {
	{"cpu", 'c', "N", 0, "run on this one (default: the last one allowed)", 0},
	{"rounds", 'r', "N", 0, "of each row, in turns, 1 to 100 (default 5)", 0},
	{"only", 'o', "TEXT", 0, "rows whose name contains this", 0},
	{"json", 'j', "FILE", 0, "write the figures here as well", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'c':
		o->cpus.device = (int)option_whole(state, key, arg, 0, 1023);
		return 0;
	case 'r':
		o->rounds = (unsigned int)option_whole(state, key, arg, 1, MAX_ROUNDS);
		return 0;
	case 'o':
		o->only = arg;
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

static void
choose(const struct options *o)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct micro *m = tables[i]; m->name != NULL; m++) {
			if (o->only == NULL || strstr(m->name, o->only) != NULL) {
				rows[nb_rows++].micro = m;
			}
		}
	}
}

/* All of a round, the part that warms up not counted. */
static int
measure(struct row *row, unsigned int round)
{
	const struct micro *m = row->micro;
	uint64_t ticks = 0;
	int ret = m->begin != NULL ? m->begin() : 0;

	if (ret == 0) {
		m->run(MAX(m->nb / 10, 1));
		ticks = m->run(m->nb);
		ret = ticks > 0 ? 0 : -EIO;
	}
	if (m->end != NULL) {
		m->end();
	}
	if (ret != 0) {
		fprintf(stderr, "%s: %s\n", m->name, strerror(-ret));
		return ret;
	}
	row->ns[round] = (double)ticks * NSEC_PER_SEC / (double)clock_tsc_hz() / (double)m->nb;
	return 0;
}

static void
print(const struct row *row, unsigned int rounds)
{
	double sorted[MAX_ROUNDS], median;

	memcpy(sorted, row->ns, rounds * sizeof(sorted[0]));
	median = median_of(sorted, rounds);
	printf("%-20s %12.1f %12.1f %12.1f", row->micro->name, median, sorted[0],
		sorted[rounds - 1]);
	if (row->micro->bytes > 0) {
		printf(" %8.2f", (double)row->micro->bytes / median);
	} else {
		printf(" %8s", "");
	}
	printf("  %s\n", row->micro->what);
}

#ifdef HAVE_JSONC
static struct json_object *
row_json(const struct row *row, unsigned int rounds)
{
	struct json_object *o = json_object_new_object(), *ns = json_object_new_array();

	json_object_object_add(o, "name", json_object_new_string(row->micro->name));
	json_object_object_add(o, "what", json_object_new_string(row->micro->what));
	json_object_object_add(o, "bytes", json_object_new_int64((int64_t)row->micro->bytes));
	for (unsigned int i = 0; i < rounds; i++) {
		json_object_array_add(ns, json_object_new_double(row->ns[i]));
	}
	json_object_object_add(o, "ns", ns);
	return o;
}

static int
write_json(const struct options *o, const struct environment *env, const struct noise *noise)
{
	struct json_object *top = json_object_new_object(), *all = json_object_new_array();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-micro-1"));
	json_object_object_add(top, "environment", environment_json(env));
	for (unsigned int i = 0; i < nb_rows; i++) {
		json_object_array_add(all, row_json(&rows[i], o->rounds));
	}
	json_object_object_add(top, "rows", all);
	noise_json(top, noise);
	return output_json(o->json, top);
}
#else
static int
write_json(const struct options *o, const struct environment *env, const struct noise *noise)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif

int
main(int argc, char **argv)
{
	static const struct argp argp = {argp_rows, parse, NULL,
		"What the parts of the device cost on their own, in one thread.", NULL, NULL, NULL};
	struct options o = {.cpus = {-1, -1}, .rounds = 5};
	static struct noise_begin begin;
	struct environment env;
	struct noise noise;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.cpus.device < 0) {
		o.cpus.device = cpu_last();
	}
	o.cpus.driver = o.cpus.device;
	choose(&o);
	environment_read(&env, &o.cpus);
	if (nb_rows == 0 || cpu_pin(o.cpus.device) != 0) {
		fprintf(stderr, nb_rows == 0 ? "no row of that name\n" : "cannot run there\n");
		return EXIT_USAGE;
	}
	noise_begin(&begin, &o.cpus, 0);
	for (unsigned int i = 0; i < o.rounds * nb_rows; i++) {
		if (measure(&rows[i % nb_rows], i / nb_rows) != 0) {
			return 1;
		}
	}
	noise_end(&begin, &noise);
	environment_print(&env);
	printf("%-20s %12s %12s %12s %8s\n", "ns per operation", "median", "least", "most", "GB/s");
	for (unsigned int i = 0; i < nb_rows; i++) {
		print(&rows[i], o.rounds);
	}
	noise_print(&noise);
	return o.json != NULL && write_json(&o, &env, &noise) != 0 ? 1 : 0;
}
