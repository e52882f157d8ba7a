/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-trace-command: what the summary profile adds to a command, beside a bare event of five
 * small integers: bursts of commands unrecorded, commands recorded, and bare events in turns, on
 * one thread with everything in its cache. bench/trace-cost starts it under vmedia-trace record.
 *
 * What interrupts a burst makes that burst slow, and no other; so medians of bursts are compared.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "core/cpu.h"
#include "core/option.h"
#include "micro/micro.h"
#include "stats/hist.h"
#include "trace/hooks.h"
#include "trace/provider.h"

#define BURST    64
#define WARM     400000 /* bare events, until the pages of the default buffer are there */
#define REST     100    /* turns between two pauses, in which the consumer makes room */
#define PAUSE_NS (20 * NSEC_PER_MSEC)

static struct {
	uint64_t turns;
	int cpu;
} options = {.turns = 4000, .cpu = -1};

enum part {
	BARE,
	OFF,
	ON,
	NB_PARTS
};

static struct hist ticks[NB_PARTS]; /* of a burst */

static const struct argp_option rows[] = {
	{"turns", 'n', "N", 0, "how many (default 4000)", 0},
	{"cpu", 'c', "CPU", 0, "to run on", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'n':
		options.turns = option_whole(state, key, arg, 1, 1000000);
		return 0;
	case 'c':
		options.cpu = (int)option_whole(state, key, arg, 0, 1023);
		return 0;
	case ARGP_KEY_ARG:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct micro *
find_command(void)
{
	const struct micro *m = micro_pass;

	while (strcmp(m->name, "pass, G_CTRL") != 0) {
		m++;
	}
	return m;
}

static void
pause_for_consumer(void)
{
	const struct timespec pause = {0, (long)PAUSE_NS};

	nanosleep(&pause, NULL);
}

static uint64_t
run_bare(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		trace_hook(ring_start, .device = (uint16_t)(i >> 16), .queue = 0,
			.size = (uint16_t)i, .packed = 0, .event_idx = 1);
	}
	return clock_tsc() - begin_tsc;
}

/* As a recording that ends and one that begins do, but within a turn. */
static void
record_commands(bool is_on)
{
	CMM_STORE_SHARED(lttng_ust_tracepoint_vmedia___cmd_span.state, is_on);
}

static uint64_t
run_part(enum part part, const struct micro *command)
{
	if (part == BARE) {
		return run_bare(BURST);
	}
	record_commands(part == ON);
	return command->run(BURST);
}

static void
warm_up(void)
{
	for (unsigned int i = 0; i < WARM; i += WARM / 100) {
		run_bare(WARM / 100);
		pause_for_consumer();
	}
}

/* A command that fails has no time. */
static int
run_turns(const struct micro *command)
{
	for (uint64_t turn = 0; turn < options.turns; turn++) {
		for (unsigned int i = 0; i < NB_PARTS; i++) {
			enum part part = (enum part)((turn + i) % NB_PARTS);
			uint64_t took = run_part(part, command);

			if (took == 0) {
				return -EIO;
			}
			hist_record(&ticks[part], took);
		}
		if (turn % REST == REST - 1) {
			pause_for_consumer();
		}
	}
	return 0;
}

static double
median_ns(enum part part)
{
	return (double)clock_tsc_to_ns(hist_percentile(&ticks[part], 50) * 1000) / 1000 / BURST;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"Says what the recording of a command costs, and what a bare event does.", NULL,
		NULL, NULL};
	const struct micro *command = find_command();

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (options.cpu >= 0 && cpu_pin(options.cpu) != 0) {
		fprintf(stderr, "cannot run on CPU %d\n", options.cpu);
		return 1;
	}
	if (!trace_enabled(cmd_span) || !trace_enabled(ring_start)) {
		fprintf(stderr, "nobody records; start it with vmedia-trace record\n");
		return 1;
	}
	trace_provider_thread_init();
	clock_tsc_hz();
	warm_up();
	if (command->begin() != 0 || run_turns(command) != 0) {
		fprintf(stderr, "a command fails\n");
		return 1;
	}
	record_commands(true);
	printf("{\"events\": %" PRIu64 ", \"bare_ns\": %.2f, \"off_ns\": %.2f, \"on_ns\": %.2f}\n",
		options.turns * BURST * 2 + WARM, median_ns(BARE), median_ns(OFF), median_ns(ON));
	command->end();
	return 0;
}
