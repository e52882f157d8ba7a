/* SPDX-License-Identifier: BSD-3-Clause */
#include "micro/local.h"

#include <errno.h>
#include <string.h>

#define MEM_BYTES  (8u << 20)
#define F_PACKED   (1ULL << 34)
#define F_INDIRECT (1ULL << 28)
#define WRAP       0x8000u /* a packed ring begins in its first lap */

int
local_create(struct local *local, bool packed)
{
	struct guest_mem_region region = {.size_bytes = MEM_BYTES};
	struct driver_ring_layout at;
	struct driver_config config;
	int ret;

	memset(local, 0, sizeof(*local));
	driver_config_init(&config);
	config.packed = packed;
	config.event_idx = false;
	config.mem_bytes = MEM_BYTES;
	config.wait = DRIVER_POLL;
	ret = driver_create_local(&config, &local->drv);
	if (ret == 0) {
		ret = driver_ring_layout(local->drv, DRIVER_QUEUE_COMMAND, &at);
	}
	if (ret != 0) {
		return ret;
	}
	/* The command queue is what a driver puts into its memory first. */
	region.gpa = at.desc_gpa;
	region.addr = driver_mem_host(local->drv, region.gpa, region.size_bytes);
	region.uva = (uint64_t)(uintptr_t)region.addr;
	return region.addr != NULL ? guest_mem_init(&local->mem, &region, 1) : -EFAULT;
}

void
local_destroy(struct local *local)
{
	if (local->drv != NULL) {
		driver_disconnect(local->drv);
	}
	memset(local, 0, sizeof(*local));
}

int
local_queue(const struct local *local, unsigned int queue, struct virtq_config *config)
{
	struct driver_ring_layout at;
	int ret = driver_ring_layout(local->drv, queue, &at);

	*config = (struct virtq_config){
		.desc = at.desc,
		.driver = at.driver,
		.device = at.device,
		.size = at.size,
		.packed = (at.features & F_PACKED) != 0,
		.indirect = (at.features & F_INDIRECT) != 0,
		.callfd = -1,
		.kickfd = -1,
	};
	if (config->packed) {
		config->avail_base = config->used_base = WRAP;
	}
	return ret;
}
