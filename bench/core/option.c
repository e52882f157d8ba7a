/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/option.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

double
option_number(struct argp_state *state, const char *arg, double least, double most)
{
	char *end;
	double n = strtod(arg, &end);

	if (end == arg || *end != '\0' || !(n >= least && n <= most)) {
		argp_error(state, "%s: a number from %g to %g, please", arg, least, most);
	}
	return n;
}

uint64_t
option_whole(struct argp_state *state, const char *arg, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n = strtoull(arg, &end, 10);

	if (end == arg || *end != '\0' || n < least || n > most) {
		argp_error(state, "%s: a number from %" PRIu64 " to %" PRIu64 ", please", arg,
			least, most);
	}
	return n;
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
