/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of the benches' options. What is wrong is told on stderr and ends the process, EXIT_USAGE
 * where argp_err_exit_status is that. Main thread. */
#ifndef VMEDIA_BENCH_OPTION_H
#define VMEDIA_BENCH_OPTION_H

#include <argp.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/target.h"

/* `key`: of the option, whose long name is told. */
double option_number(struct argp_state *state, int key, const char *arg, double least, double most);
/* No fractions. */
uint64_t option_whole(
	struct argp_state *state, int key, const char *arg, uint64_t least, uint64_t most);
/* --slo: percentile=microseconds, both above 0, as in 99.9=50. */
void option_slo(struct argp_state *state, const char *arg, double *percent, double *limit_us);
/* --json: a file that can be written, found out before anything is measured; what it holds stays.
 * Else exit status 1. */
const char *option_json(struct argp_state *state, const char *arg);
/* --idle: an idle policy of vmediad. */
const char *option_idle(struct argp_state *state, const char *arg);
/* --spawn or --socket, not both. */
void option_target(struct argp_state *state, const struct target_options *target);
/* As cpu_pair_parse() wants them. */
void option_cpus(const char *arg, struct cpu_pair *cpus);

/*
 * All options of the command line into *input. Where none of them sets cpus from CPU_PAIR_DEFAULT
 * it becomes the first two; a process that may run on one only ends, EXIT_SKIPPED.
 */
void option_parse(
	const struct argp *argp, int argc, char **argv, void *input, struct cpu_pair *cpus);

#endif
