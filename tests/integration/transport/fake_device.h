/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A listener without a device: it obeys the contract of transport.h, with a thread of its own in
 * the place of the reactor, counts what is asked of it, and notes every breach of the contract.
 */
#ifndef VMEDIA_TESTS_FAKE_DEVICE_H
#define VMEDIA_TESTS_FAKE_DEVICE_H

#include <pthread.h>
#include <stdbool.h>

#include "transport/transport.h"

struct fake_device {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	void (*done)(void *arg); /* a quiesce that waits for the thread */
	void *done_arg;
	bool quiet;
	unsigned int quiesce_delay_ms;
	unsigned int nb_quiesces;
	unsigned int nb_stops; /* of these, for good */
	unsigned int nb_resets;
	unsigned int nb_set_memory;
	unsigned int nb_breaches;
	struct guest_mem mem;
	bool running[TRANSPORT_NB_QUEUES];
	unsigned int nb_starts[TRANSPORT_NB_QUEUES];
	struct virtq_config configs[TRANSPORT_NB_QUEUES];
	uint16_t bases[TRANSPORT_NB_QUEUES]; /* what ring_stop returns */
	unsigned int nb_windows;
	int window_status;
	atomic_uint lost; /* of base/fault.h: bit 0, the front-end's memory */
};

extern const struct transport_listener fake_listener;

void fake_device_init(struct fake_device *dev);
void fake_device_fini(struct fake_device *dev);

/* Waits, at most 3 s, for window_ready number `nb`; its status, or 1 when it did not come. */
int fake_device_wait_window(struct fake_device *dev, unsigned int nb);
/* Waits, at most 3 s, until no guest memory is left, as after a disconnect. */
bool fake_device_wait_detached(struct fake_device *dev);

#endif
