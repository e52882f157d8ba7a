/* SPDX-License-Identifier: BSD-3-Clause */
/* CPU time and run delay of every thread of a process, between two looks at /proc. */
#ifndef VMEDIA_APP_STREAM_THREADS_H
#define VMEDIA_APP_STREAM_THREADS_H

#include <stdint.h>
#include <sys/types.h>

#define THREADS_MAX 64

struct thread_usage {
	pid_t tid;
	char name[16];
	uint64_t cpu_ns;   /* on a CPU */
	uint64_t delay_ns; /* runnable, but waiting for one */
};

struct threads {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	unsigned int nb;
	struct thread_usage threads[THREADS_MAX];
};

/* -ESRCH: no such process. */
int threads_read(pid_t pid, struct threads *threads);
/* What each thread of *later used since *earlier; *later becomes the difference. */
void threads_subtract(struct threads *later, const struct threads *earlier);
/* Steal time of all CPUs since boot in ns (what a hypervisor took). */
uint64_t threads_steal_ns(void);

#endif
