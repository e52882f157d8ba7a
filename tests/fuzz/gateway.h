/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What stands round one connection of the gateway: its event loop, librte_vhost and a device, all
 * on the calling thread, and what each of them may be asked. For the fuzzers of connections and of
 * memory tables; descriptors are those of kernel.h.
 */
#ifndef VMEDIA_TESTS_FUZZ_GATEWAY_H
#define VMEDIA_TESTS_FUZZ_GATEWAY_H

#include "kernel.h"
#include "transport/internal.h"

#define BED_ARENA_BYTES   4096
#define BED_MAX_WATCHES   8
#define BED_QUEUE_SIZE    256
#define BED_NB_CHANNELS   8
#define BED_LIBRARY_QUEUE 256

struct bed {
	struct vhost_user *vu;
	struct kernel_stream outer, inner;
	struct kernel_stream channels[BED_NB_CHANNELS];
	unsigned int nb_channels;
	struct {
		struct watch *watch;
		uint32_t events; /* 0: not armed */
		bool oneshot;
	} watches[BED_MAX_WATCHES];
	unsigned int nb_watches;
	/* librte_vhost */
	bool library_open, library_slow, library_refuses;
	unsigned int nb_answers; /* not given yet */
	uint32_t answer_request[4];
	struct guest_mem_region regions[MESSAGE_LIBRARY_REGIONS];
	uint32_t nb_regions;
	/* the device */
	bool device_slow;
	void (*done)(void *arg); /* a quiesce that waits */
	void *done_arg;
	bool quiet, has_memory;
	struct guest_mem mem;
	bool running[TRANSPORT_NB_QUEUES];
	struct virtq_config configs[TRANSPORT_NB_QUEUES];
	unsigned int nb_windows_asked, nb_windows_answered;
	bool disconnected;
};

extern struct bed *bed;

/* A device with one front-end, connected by bed->outer. Ends what was before. */
void bed_open(enum transport_compat compat, bool with_arena);
/* Everything that is due, until nothing is. */
void bed_run(void);
/* The device is out of its passes; the library answers; so they were asked to be slow. */
void bed_device_quiet(void);
void bed_library_answer(void);
/* The back-end channel as the front-end sees it; NULL: there is none. */
struct kernel_stream *bed_channel(void);
/* The device asks for its window. */
void bed_window(void);
/* The front-end goes, all the rest catches up: nothing may be left over. */
void bed_close(void);

#endif
