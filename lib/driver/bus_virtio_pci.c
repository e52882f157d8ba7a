/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bus of a guest: a virtio-pci device of a QEMU that runs under qtest. Guest memory is QEMU's,
 * mapped here from the same file; registers go through the socket; the monitor pauses, continues
 * and resets the machine. The window is not mapped here: it is copied out of QEMU's BAR.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "driver/internal.h"

LOG_TYPE_USE(driver);

static int
check_queues(struct driver *drv)
{
	const uint16_t sizes[DRIVER_NB_QUEUES] = {
		drv->config.commandq_size, drv->config.eventq_size};
	int ret = 0;

	for (uint16_t q = 0; ret == 0 && q < DRIVER_NB_QUEUES; q++) {
		uint16_t most;

		ret = virtio_pci_queue_max(drv->pci, q, &most);
		if (ret == 0 && sizes[q] > most) {
			log_err(&log_driver, "queue %u: size %u, the device takes %u", q, sizes[q],
				most);
			ret = -EINVAL;
		}
	}
	return ret;
}

static int
pci_connect(struct driver *drv)
{
	const struct driver_config *c = &drv->config;
	struct virtio_pci *vp = drv->pci;
	int ret = message_connect(vp->machine.qtest_path);

	qtest_init(&vp->qtest, ret, c->timeout_ms);
	ret = ret < 0 ? ret : memory_init_file(&drv->mem, vp->machine.memory_path, c->mem_bytes);
	if (ret == 0) {
		ret = virtio_pci_find(vp, driver_wanted_features(c));
	}
	drv->info.features = vp->features;
	return ret == 0 ? check_queues(drv) : ret;
}

static void
ring_the_bell(void *arg, unsigned int queue)
{
	virtio_pci_notify(arg, (uint16_t)queue);
}

static int
pci_realize(struct driver *drv)
{
	struct virtio_pci *vp = drv->pci;

	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		drv->rings[q].bell = ring_the_bell;
		drv->rings[q].bell_arg = vp;
		drv->rings[q].bell_queue = q;
	}
	vp->message = memory_alloc(&drv->mem, MEMORY_PAGE_BYTES);
	if (vp->message == NULL) {
		return -ENOMEM;
	}
	vp->message_gpa = memory_gpa(&drv->mem, vp->message, MEMORY_PAGE_BYTES);
	window_fini(&drv->window);
	return window_init_copy(&drv->window, vp->function.shm.bytes);
}

static void
pci_disconnect(struct driver *drv)
{
	if (drv->pci != NULL) {
		if (drv->pci->live && !drv->pci->paused) {
			virtio_pci_reset(drv->pci);
		}
		qtest_fini(&drv->pci->qtest);
	}
	free(drv->pci);
	drv->pci = NULL;
}

static int
resume(struct virtio_pci *vp)
{
	int ret = vp->paused ? vp->machine.resume(vp->machine.arg) : 0;

	vp->paused &= ret != 0;
	return ret;
}

static int
bring_up(struct driver *drv)
{
	struct virtio_pci_queue queues[DRIVER_NB_QUEUES];

	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		struct driver_ring_layout layout;
		int ret = driver_ring_layout(drv, q, &layout);

		if (ret != 0) {
			return ret;
		}
		queues[q] = (struct virtio_pci_queue){
			layout.size, layout.desc_gpa, layout.driver_gpa, layout.device_gpa};
	}
	return virtio_pci_bring_up(drv->pci, queues);
}

static int
pci_start(struct driver *drv)
{
	int ret = resume(drv->pci);

	if (ret == 0 && !drv->pci->live) {
		ret = bring_up(drv);
	}
	if (ret == 0) {
		driver_kick_all(drv);
	}
	return ret;
}

static int
pci_stop(struct driver *drv)
{
	struct virtio_pci *vp = drv->pci;
	int ret = vp->machine.pause(vp->machine.arg);

	vp->paused = ret == 0;
	return ret;
}

/* Nobody runs in a paused machine who could reset a device. */
static int
pci_reset(struct driver *drv)
{
	int ret = resume(drv->pci);

	return ret == 0 ? virtio_pci_reset(drv->pci) : ret;
}

static int
pci_reboot(struct driver *drv)
{
	struct virtio_pci *vp = drv->pci;

	vp->live = false;
	return vp->machine.reset(vp->machine.arg);
}

static int
pci_read_config(struct driver *drv, uint32_t offset, void *data, uint32_t size)
{
	return virtio_pci_read_config(drv->pci, offset, data, size);
}

static bool
pci_is_dead(const struct driver *drv)
{
	return qtest_is_dead(&drv->pci->qtest);
}

static void
pci_acknowledge(struct driver *drv)
{
	drv->stats.interrupts += virtio_pci_take_message(drv->pci);
}

static int
pci_fetch(struct driver *drv, uint64_t offset, uint64_t len)
{
	struct virtio_pci *vp = drv->pci;

	return qtest_read_bytes(&vp->qtest, pci_address(&vp->function, &vp->function.shm) + offset,
		drv->window.base + offset, len);
}

const struct bus_ops bus_virtio_pci = {
	.connect = pci_connect,
	.realize = pci_realize,
	.disconnect = pci_disconnect,
	.start = pci_start,
	.stop = pci_stop,
	.reset = pci_reset,
	.reboot = pci_reboot,
	.read_config = pci_read_config,
	.is_dead = pci_is_dead,
	.acknowledge = pci_acknowledge,
	.fetch = pci_fetch,
	.max_sleep_ms = 1, /* MSI-X writes a word that nobody can sleep on */
};
