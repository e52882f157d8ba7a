/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dpdk-trace-pairs SECONDS EAL-OPTION...: an event of DPDK's trace and one of LTTng's at the same
 * time, ten times a second. test-dpdk-trace compares what the two traces call that time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <rte_eal.h>

#include "base/clock.h"
#include "pair.h"
#include "trace/hooks.h"
#include "trace/provider.h"

#define PER_SECOND 10

int
main(int argc, char **argv)
{
	const struct timespec pause = {0, NSEC_PER_SEC / PER_SECOND};
	int nb = argc > 1 ? atoi(argv[1]) * PER_SECOND : 0;

	if (nb == 0 || rte_eal_init(argc - 1, argv + 1) < 0) {
		fprintf(stderr, "usage: dpdk-trace-pairs SECONDS EAL-OPTION...\n");
		return 2;
	}
	trace_provider_thread_init();
	for (int i = 0; i < nb; i++) {
		vmedia_test_pair((uint64_t)i);
		trace_hook(reactor_stat, .tsc = clock_tsc(), .nb_passes = (uint64_t)i);
		nanosleep(&pause, NULL);
	}
	return rte_eal_cleanup() == 0 ? 0 : 1;
}
