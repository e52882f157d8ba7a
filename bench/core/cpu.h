/* SPDX-License-Identifier: BSD-3-Clause */
/* The two CPUs of a measurement, and what programs exit with. Control path; any thread. */
#ifndef VMEDIA_BENCH_CPU_H
#define VMEDIA_BENCH_CPU_H

#define EXIT_USAGE   2  /* wrong options */
#define EXIT_SKIPPED 77 /* not possible on this machine */

struct cpu_pair {
	int driver; /* who asks: the guest's side */
	int device; /* who answers: floor, echo, or the reactor */
};

/* Nobody chose any: option_parse() does. */
#define CPU_PAIR_DEFAULT \
	{                \
		-1, -1   \
	}

/* "A,B", two different CPUs this process may run on. -EINVAL, with the reason on stderr. */
int cpu_pair_parse(const char *text, struct cpu_pair *pair);

/* The first two CPUs this process may run on. -ENODEV when there is only one. */
int cpu_pair_default(struct cpu_pair *pair);

/* The last CPU this process may run on. */
int cpu_last(void);

/* Keeps the calling thread on one CPU. Negative errno. */
int cpu_pin(int cpu);
/* Lets it run on all it may. */
void cpu_unpin(void);

#endif
