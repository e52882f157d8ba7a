/* SPDX-License-Identifier: BSD-3-Clause */
/* No bus at all: memory and rings that someone in this process serves. */
#include <errno.h>

#include "driver/internal.h"

static int
local_connect(struct driver *drv)
{
	const struct driver_config *c = &drv->config;
	int ret = c->wait == DRIVER_SLEEP && !c->local_eventfds ? -EINVAL : 0;

	if (ret == 0 && c->local_eventfds) {
		ret = driver_open_eventfds(drv);
	}
	drv->info.features = driver_wanted_features(c) | VIRTIO_F_VERSION_1_BIT;
	return ret == 0 ? memory_init(&drv->mem, c->mem_bytes, c->nb_memory_regions, c->hugepages)
	                : ret;
}

/* Who serves the rings finds them by driver_ring_layout(). */
static int
local_start(struct driver *drv)
{
	ring_kick(&drv->rings[DRIVER_QUEUE_EVENT]);
	return 0;
}

static int
nothing(struct driver *drv)
{
	return 0;
}

static void
local_disconnect(struct driver *drv)
{
}

static int
local_read_config(struct driver *drv, uint32_t offset, void *data, uint32_t size)
{
	return -EOPNOTSUPP;
}

static bool
local_is_dead(const struct driver *drv)
{
	return false;
}

const struct bus_ops bus_local = {
	.connect = local_connect,
	.realize = nothing,
	.disconnect = local_disconnect,
	.start = local_start,
	.stop = nothing,
	.reset = nothing,
	.reboot = nothing,
	.read_config = local_read_config,
	.is_dead = local_is_dead,
	.acknowledge = driver_drain_eventfds,
	.max_sleep_ms = 1000,
};
