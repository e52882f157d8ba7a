/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-trace-producer: one thread that emits bare events of five small integers, as fast as it
 * can in bursts, or paced. bench/trace-cost starts it under vmedia-trace record. Events that are
 * late are emitted at once, so the number is always what was asked for.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "core/cpu.h"
#include "stats/hist.h"
#include "trace/hooks.h"
#include "trace/provider.h"

#define BURST    50000 /* fits into the default buffer with room to spare */
#define PAUSE_NS (20 * NSEC_PER_MSEC)

static struct {
	uint64_t events, rate;
	int cpu;
} options = {.events = 1000000, .cpu = -1};

static const struct argp_option rows[] = {
	{"events", 'n', "N", 0, "how many (default 1000000)", 0},
	{"rate", 'r', "N", 0, "per second; 0 (default): in bursts, as fast as it can", 0},
	{"cpu", 'c', "CPU", 0, "to run on", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'n':
		options.events = strtoull(arg, NULL, 10);
		return 0;
	case 'r':
		options.rate = strtoull(arg, NULL, 10);
		return 0;
	case 'c':
		options.cpu = atoi(arg);
		return 0;
	case ARGP_KEY_ARG:
		argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static inline void
emit(uint64_t i)
{
	trace_hook(ring_start, .device = (uint16_t)(i >> 16), .queue = 0, .size = (uint16_t)i,
		.packed = 0, .event_idx = 1);
}

/* Nanoseconds per event of each burst. */
static void
run_bursts(struct hist *ps_per_event)
{
	const struct timespec pause = {0, (long)PAUSE_NS};

	for (uint64_t done = 0; done < options.events;) {
		uint64_t nb = options.events - done < BURST ? options.events - done : BURST;
		uint64_t begin_tsc = clock_tsc();

		for (uint64_t i = 0; i < nb; i++) {
			emit(done + i);
		}
		hist_record(ps_per_event, clock_tsc_to_ns((clock_tsc() - begin_tsc) * 1000) / nb);
		done += nb;
		nanosleep(&pause, NULL);
	}
}

/* Event i is due at begin + i / rate; the number of those that were more than 1 ms late. */
static uint64_t
run_paced(void)
{
	double ticks = (double)clock_tsc_hz() / (double)options.rate;
	uint64_t late_tsc = clock_ns_to_tsc(NSEC_PER_MSEC), begin_tsc = clock_tsc(), nb_late = 0;

	for (uint64_t i = 0; i < options.events; i++) {
		uint64_t due_tsc = begin_tsc + (uint64_t)((double)i * ticks);
		uint64_t now_tsc;

		while ((int64_t)((now_tsc = clock_tsc()) - due_tsc) < 0) {
		}
		nb_late += now_tsc - due_tsc > late_tsc;
		emit(i);
	}
	return nb_late;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"Emits events of five integers for a tracer, and says what they cost.", NULL, NULL,
		NULL};
	static struct hist ps_per_event;
	uint64_t begin_ns, nb_late = 0;

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (options.cpu >= 0 && cpu_pin(options.cpu) != 0) {
		fprintf(stderr, "cannot run on CPU %d\n", options.cpu);
		return 1;
	}
	trace_provider_thread_init();
	clock_tsc_hz();
	begin_ns = clock_monotonic_ns();
	if (options.rate != 0) {
		nb_late = run_paced();
	} else {
		run_bursts(&ps_per_event);
	}
	printf("{\"events\": %" PRIu64 ", \"seconds\": %.3f, \"late\": %" PRIu64
	       ", \"ns_per_event\": %.2f, \"enabled\": %s}\n",
		options.events, (double)(clock_monotonic_ns() - begin_ns) / 1e9, nb_late,
		(double)hist_percentile(&ps_per_event, 50) / 1000,
		trace_enabled(ring_start) ? "true" : "false");
	return 0;
}
