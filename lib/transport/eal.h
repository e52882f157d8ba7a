/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL without EAL options. vmedia needs it only for librte_vhost and telemetry: no hugepages, no
 * PCI, no lcores that poll. Reactors are threads of our own, pinned by the reactor room, and
 * register themselves with EAL where they call into DPDK.
 */
#ifndef VMEDIA_TRANSPORT_EAL_H
#define VMEDIA_TRANSPORT_EAL_H

#include <stdint.h>

#define TRANSPORT_EAL_MAX_CPUS 256

struct transport_eal_config {
	const char *program;     /* for messages; also the start of the unique file prefix */
	const int *reactor_cpus; /* CPUs that reactors will be pinned to */
	unsigned int nb_reactor_cpus;
	uint32_t memory_mb; /* of EAL's own heap (4 KiB pages); 0: 64 */
};

/*
 * Once per process, before other threads start; 0 or a negative errno, with EAL's reason in the
 * log. The calling thread becomes EAL's main lcore and keeps, as its affinity, the CPUs of the
 * process that are not reactor CPUs (all of them if none is left), so that threads made later, and
 * EAL's control threads, stay away from reactors. EAL's log lines go to our sink, type "dpdk".
 */
int transport_eal_init(const struct transport_eal_config *config);

/* After gateway_stop. */
void transport_eal_fini(void);

/* Fits reactor_config.thread_init. A failure (no free lcore id) is logged and harmless: the thread
 * then uses DPDK as an unregistered one. */
void transport_eal_thread_register(void *unused);

/*
 * Raises RLIMIT_NOFILE towards its hard limit as far as nb_devices need and returns how many
 * devices fit (limited by file descriptors and by librte_vhost), each with a front-end whose memory
 * is one file; less than nb_devices: the log says what to raise.
 */
unsigned int transport_raise_limits(unsigned int nb_devices);

#endif
