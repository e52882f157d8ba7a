/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/option.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* argp_parse() hangs the options of the program below a parser of its own. */
static const char *
name_of(const struct argp *argp, int key)
{
	const char *name = NULL;

	for (const struct argp_option *o = argp->options; o != NULL && name == NULL; o++) {
		if (o->name == NULL && o->key == 0) {
			break;
		}
		name = o->key == key ? o->name : NULL;
	}
	for (const struct argp_child *c = argp->children; c != NULL && c->argp != NULL; c++) {
		name = name != NULL ? name : name_of(c->argp, key);
	}
	return name;
}

static const char *
name(const struct argp_state *state, int key)
{
	const char *found = name_of(state->root_argp, key);

	return found != NULL ? found : "?";
}

double
option_number(struct argp_state *state, int key, const char *arg, double least, double most)
{
	char *end;
	double n = strtod(arg, &end);

	if (end == arg || *end != '\0' || !(n >= least && n <= most)) {
		argp_error(state, "--%s %s: a number from %g to %g, please", name(state, key), arg,
			least, most);
	}
	return n;
}

uint64_t
option_whole(struct argp_state *state, int key, const char *arg, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (arg[0] < '0' || arg[0] > '9' || *end != '\0' || errno != 0 || n < least || n > most) {
		argp_error(state, "--%s %s: a whole number from %" PRIu64 " to %" PRIu64 ", please",
			name(state, key), arg, least, most);
	}
	return n;
}

void
option_slo(struct argp_state *state, const char *arg, double *percent, double *limit_us)
{
	char rest;

	if (sscanf(arg, "%lf=%lf%c", percent, limit_us, &rest) != 2 ||
		!(*percent > 0 && *percent < 100) || !(*limit_us > 0)) {
		argp_error(state,
			"--slo %s: percentile=microseconds, both above 0, please, as in 99.9=50",
			arg);
	}
}

const char *
option_json(struct argp_state *state, const char *arg)
{
#ifdef HAVE_JSONC
	int fd = open(arg, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd >= 0) {
		unlink(arg); /* it appears when there is something in it */
	} else if (errno == EEXIST) {
		fd = open(arg, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		argp_failure(state, 1, errno, "--json %s", arg);
	}
	close(fd);
#else
	argp_failure(state, 1, 0, "--json %s: built without json-c", arg);
#endif
	return arg;
}

const char *
option_idle(struct argp_state *state, const char *arg)
{
	if (strcmp(arg, "poll") != 0 && strcmp(arg, "adaptive") != 0 &&
		strcmp(arg, "interrupt") != 0) {
		argp_error(state, "--idle %s: poll, adaptive or interrupt, please", arg);
	}
	return arg;
}

void
option_target(struct argp_state *state, const struct target_options *target)
{
	if (target->spawn != NULL && target->nb_sockets > 0) {
		argp_error(state, "--spawn and --socket together: one of them, please");
	}
	if (target->spawn != NULL && target->pid != 0) {
		argp_error(state, "--pid is that of a --socket, not of --spawn");
	}
}

void
option_cpus(const char *arg, struct cpu_pair *cpus)
{
	if (cpu_pair_parse(arg, cpus) != 0) {
		exit(EXIT_USAGE);
	}
}

void
option_parse(const struct argp *argp, int argc, char **argv, void *input, struct cpu_pair *cpus)
{
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(argp, argc, argv, 0, NULL, input);
	if (cpus->driver < 0 && cpu_pair_default(cpus) != 0) {
		fprintf(stderr, "%s needs two CPUs\n", program_invocation_short_name);
		exit(EXIT_SKIPPED);
	}
}
