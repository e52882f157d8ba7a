/* SPDX-License-Identifier: BSD-3-Clause */
/* What the first reactor of a vmediad says of itself, over DPDK's telemetry. Control path. */
#ifndef VMEDIA_BENCH_TELEMETRY_H
#define VMEDIA_BENCH_TELEMETRY_H

#include <stdint.h>
#include <sys/types.h>

/* Since the start; subtract two of them. */
struct telemetry_reactor {
	uint64_t nb_passes, nb_busy_passes;
	uint64_t busy_ns, idle_ns;
};

/* 0 or negative errno. */
int telemetry_reactor_read(pid_t pid, struct telemetry_reactor *r);
/* How often the reactor on that CPU has slept: never, where it polls. -ENOENT: there is none. */
int telemetry_sleeps(pid_t pid, int cpu, uint64_t *nb_sleeps);
void telemetry_reactor_subtract(
	struct telemetry_reactor *later, const struct telemetry_reactor *earlier);

#endif
