/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who used the CPUs while something was measured: time on a CPU and time spent waiting for one, per
 * thread, from schedstat; time the hypervisor took away, per CPU. Numbers since some start: take
 * two readings and subtract.
 */
#ifndef VMEDIA_BENCH_USAGE_H
#define VMEDIA_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

#define USAGE_MAX_THREADS 64

struct usage_thread {
	pid_t tid;
	char name[16];
	int cpu;           /* it ran on last */
	uint64_t cpu_ns;   /* running */
	uint64_t delay_ns; /* runnable, but something else ran */
};

struct usage {
	unsigned int nb;
	struct usage_thread threads[USAGE_MAX_THREADS];
};

/* All threads of a process; -ESRCH: no such process. */
int usage_read(pid_t pid, struct usage *usage);

/* *later becomes the difference; threads that ended are gone, new ones count from 0. */
void usage_subtract(struct usage *later, const struct usage *earlier);

/* The thread that ran longest; NULL when there is none. */
const struct usage_thread *usage_busiest(const struct usage *usage);
const struct usage_thread *usage_find(const struct usage *usage, pid_t tid);
/* Running time of all threads but these two (0: nobody). */
uint64_t usage_of_others(const struct usage *usage, pid_t tid, pid_t tid2);

/* Time the hypervisor took from this CPU since boot, in ns; a multiple of 10 ms. */
uint64_t usage_steal_ns(int cpu);

#endif
