/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/cpu.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
may_run_on(int cpu)
{
	cpu_set_t set;

	return cpu >= 0 && cpu < CPU_SETSIZE && sched_getaffinity(0, sizeof(set), &set) == 0 &&
	       CPU_ISSET(cpu, &set);
}

int
cpu_pair_parse(const char *text, struct cpu_pair *pair)
{
	char rest;

	if (sscanf(text, "%d,%d%c", &pair->driver, &pair->device, &rest) != 2) {
		fprintf(stderr, "--cpus %s: two numbers, please, as in 0,1\n", text);
		return -EINVAL;
	}
	if (pair->driver == pair->device) {
		fprintf(stderr, "--cpus %s: two different CPUs, please\n", text);
		return -EINVAL;
	}
	if (!may_run_on(pair->driver) || !may_run_on(pair->device)) {
		fprintf(stderr, "--cpus %s: this process may not run on CPU %d\n", text,
			may_run_on(pair->driver) ? pair->device : pair->driver);
		return -EINVAL;
	}
	return 0;
}

int
cpu_pair_default(struct cpu_pair *pair)
{
	int found[2], nb = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE && nb < 2; cpu++) {
		if (may_run_on(cpu)) {
			found[nb++] = cpu;
		}
	}
	if (nb < 2) {
		return -ENODEV;
	}
	*pair = (struct cpu_pair){.driver = found[0], .device = found[1]};
	return 0;
}

int
cpu_last(void)
{
	int last = 0;

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		last = may_run_on(cpu) ? cpu : last;
	}
	return last;
}

int
cpu_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0 ? 0 : -errno;
}

void
cpu_unpin(void)
{
	cpu_set_t set;

	memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}
