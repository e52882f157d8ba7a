/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bus: the way from the driver to its device. Rings, commands and sessions are the same on each;
 * what differs is how features are agreed on, how the device learns of memory and rings, and how it
 * is told to start, to stop and to look.
 *
 * Called by the driver's thread only, in this order: connect, realize, then start, stop, reset and
 * reboot as the program likes, disconnect at the end, also after a connect or realize that failed.
 * All return 0 or a negative errno.
 */
#ifndef VMEDIA_DRIVER_BUS_H
#define VMEDIA_DRIVER_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct driver;

struct bus_ops {
	/* Reaches the device; sets drv->info.features and makes drv->mem. */
	int (*connect)(struct driver *drv);
	/* The rings exist: whatever else is known before the start. Makes drv->window. */
	int (*realize)(struct driver *drv);
	void (*disconnect)(struct driver *drv);
	/* After realize, a stop, a reset or a reboot: the device serves the rings as they stand. */
	int (*start)(struct driver *drv);
	/* A pause: the device leaves the rings alone and forgets nothing. */
	int (*stop)(struct driver *drv);
	/* The device forgets everything. Running or not before, stopped afterwards. */
	int (*reset)(struct driver *drv);
	/* The same because the machine around the device was reset. */
	int (*reboot)(struct driver *drv);
	int (*read_config)(struct driver *drv, uint32_t offset, void *data, uint32_t size);
	bool (*is_dead)(const struct driver *drv);
	/* After a sleep: takes note of interrupts. */
	void (*acknowledge)(struct driver *drv);
	/* Copies a part of the window from the device; NULL: it is mapped. */
	int (*fetch)(struct driver *drv, uint64_t offset, uint64_t len);
	int max_sleep_ms; /* how long to trust that an interrupt wakes a sleeper */
};

extern const struct bus_ops bus_local;      /* someone in this process serves the rings */
extern const struct bus_ops bus_vhost_user; /* a vhost-user socket: we are the front-end */
extern const struct bus_ops bus_virtio_pci; /* a device of a QEMU whose processor we are */

#endif
