/* SPDX-License-Identifier: BSD-3-Clause */
/* What a transport would tell the device of a fake guest: memory map and ring addresses. */
#ifndef VMEDIA_TESTS_FAKE_GUEST_VIRTQ_H
#define VMEDIA_TESTS_FAKE_GUEST_VIRTQ_H

#include "fake/guest.h"
#include "virtq/virtq.h"

static inline int
fake_guest_mem(const struct fake_guest *g, struct guest_mem *mem)
{
	struct guest_mem_region regions[FAKE_GUEST_MAX_REGIONS];

	for (unsigned int i = 0; i < g->config.nb_regions; i++) {
		regions[i] = (struct guest_mem_region){
			.gpa = g->regions[i].gpa,
			.size_bytes = g->regions[i].bytes,
			.uva = (uintptr_t)g->regions[i].addr,
			.addr = g->regions[i].addr,
		};
	}
	return guest_mem_init(mem, regions, g->config.nb_regions);
}

static inline struct virtq_config
fake_guest_virtq(const struct fake_guest *g, unsigned int queue)
{
	const struct fake_queue *q = &g->queues[queue];
	uint16_t base = g->config.packed ? 0x8000 : 0;

	return (struct virtq_config){
		.desc = q->desc,
		.driver = q->driver,
		.device = q->device,
		.size = q->size,
		.packed = g->config.packed,
		.event_idx = g->config.event_idx,
		.indirect = g->config.indirect,
		.avail_base = base,
		.used_base = base,
		.callfd = q->callfd,
		.kickfd = q->kickfd,
	};
}

#endif
