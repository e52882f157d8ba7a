/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a measurement was disturbed: the measuring thread or the reactor waited for a CPU that
 * something else had, or the hypervisor took the CPUs away, for more than 5 % of the time.
 */
#ifndef VMEDIA_BENCH_NOISE_H
#define VMEDIA_BENCH_NOISE_H

#include <stdbool.h>

#include "core/cpu.h"
#include "core/usage.h"

struct noise {
	double run_ms;
	double waited_ms[2]; /* this thread; the busiest of the device's process */
	double ran_ms[2];    /* the same two */
	double steal_ms[2];  /* the CPUs */
	bool noisy;
};

/* Where it began. */
struct noise_begin {
	struct cpu_pair cpus;
	pid_t pid; /* of the device; 0: there is none */
	struct usage own, device;
	uint64_t steal_ns[2], at_ns;
};

/* Both by the thread that measures. */
void noise_begin(struct noise_begin *begin, const struct cpu_pair *cpus, pid_t pid);
void noise_end(const struct noise_begin *begin, struct noise *noise);

/* One line. */
void noise_print(const struct noise *noise);

#ifdef HAVE_JSONC
struct json_object;
/* noisy, run_ms, driver_waited_ms ... into an object. */
void noise_json(struct json_object *o, const struct noise *noise);
#endif

#endif
