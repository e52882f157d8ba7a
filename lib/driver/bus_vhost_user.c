/* SPDX-License-Identifier: BSD-3-Clause */
/* The bus over a vhost-user socket: what QEMU does for its guest, done here. */
#include "base/util.h"
#include "driver/internal.h"

static void
vrings(struct driver *drv, struct frontend_vring *vq)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		struct ring *r = &drv->rings[q];
		uint64_t desc, driver, device, base = (uintptr_t)r->pages;

		ring_areas(r, &desc, &driver, &device);
		vq[q] = (struct frontend_vring){
			.ring = r,
			.desc = base + desc,
			.avail = base + driver,
			.used = base + device,
			.masked_fd = drv->spare_fds[0],
			.err_fd = drv->spare_fds[1],
		};
	}
}

static int
vu_connect(struct driver *drv)
{
	const struct driver_config *c = &drv->config;
	struct frontend *fe = &drv->fe;
	int ret = frontend_init(fe, c->socket_fd, c->timeout_ms);

	if (ret == 0) {
		ret = driver_open_eventfds(drv);
	}
	if (ret == 0 && fe->sock < 0) {
		fe->sock = message_connect(c->socket_path);
		ret = MIN(fe->sock, 0);
	}
	fe->mem = &drv->mem;
	fe->window = &drv->window;
	fe->resend_memory = c->resend_memory;
	fe->death_fd = drv->rings[DRIVER_QUEUE_COMMAND].call_fd;
	if (ret == 0) {
		ret = frontend_negotiate(fe, driver_wanted_features(c), c->protocol_features);
	}
	drv->info.features = fe->features;
	drv->info.protocol_features = fe->protocol_features;
	return ret == 0 ? memory_init(&drv->mem, c->mem_bytes, c->nb_memory_regions, c->hugepages)
	                : ret;
}

static int
vu_realize(struct driver *drv)
{
	struct frontend_vring vq[DRIVER_NB_QUEUES];
	uint64_t region = 0;
	int ret;

	vrings(drv, vq);
	ret = frontend_setup_vrings(&drv->fe, vq, DRIVER_NB_QUEUES);
	if (ret == 0) {
		ret = frontend_get_region(&drv->fe, &region);
	}
	if (ret == 0) {
		window_fini(&drv->window);
		ret = window_init(&drv->window, region);
		drv->window.max_maps = MEMORY_MAX_REGIONS - drv->config.nb_memory_regions;
	}
	return ret == 0 ? channel_start(&drv->fe) : ret;
}

static void
vu_disconnect(struct driver *drv)
{
	frontend_fini(&drv->fe);
}

static int
vu_start(struct driver *drv)
{
	struct frontend_vring vq[DRIVER_NB_QUEUES];
	int ret;

	vrings(drv, vq);
	ret = frontend_start(&drv->fe, vq, DRIVER_NB_QUEUES);
	if (ret == 0) {
		driver_kick_all(drv);
	}
	return ret;
}

static int
vu_stop(struct driver *drv)
{
	struct frontend_vring vq[DRIVER_NB_QUEUES];

	vrings(drv, vq);
	return frontend_stop(&drv->fe, vq, DRIVER_NB_QUEUES);
}

/* On the wire a reset and a reboot are a stop; that it was one shows at the next start. */
static int
vu_reset(struct driver *drv)
{
	int ret = drv->running ? vu_stop(drv) : 0;

	window_unmap_all(&drv->window);
	return ret;
}

static int
vu_read_config(struct driver *drv, uint32_t offset, void *data, uint32_t size)
{
	return frontend_get_config(&drv->fe, offset, data, size);
}

static bool
vu_is_dead(const struct driver *drv)
{
	return frontend_is_dead(&drv->fe);
}

const struct bus_ops bus_vhost_user = {
	.connect = vu_connect,
	.realize = vu_realize,
	.disconnect = vu_disconnect,
	.start = vu_start,
	.stop = vu_stop,
	.reset = vu_reset,
	.reboot = vu_reset,
	.read_config = vu_read_config,
	.is_dead = vu_is_dead,
	.acknowledge = driver_drain_eventfds,
	.max_sleep_ms = 1000,
};
