/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtio device through its PCI registers (virtio 1.4, 3.1 and 4.1), reached over qtest: found,
 * reset, brought up with features and rings, its config space read. MSI-X messages go to a word of
 * guest memory, since there is no processor to interrupt.
 */
#ifndef VMEDIA_DRIVER_VIRTIO_PCI_H
#define VMEDIA_DRIVER_VIRTIO_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "driver/driver.h"
#include "driver/pci.h"
#include "driver/qtest.h"
#include "driver/ring.h"

struct virtio_pci {
	struct qtest qtest;
	struct driver_machine machine;
	struct pci_function function;
	bool live;   /* DRIVER_OK, and no reset since */
	bool paused; /* the machine */
	uint64_t features;
	uint64_t bells[DRIVER_NB_QUEUES]; /* where each queue is notified */
	uint32_t *message;                /* written by MSI-X */
	uint64_t message_gpa;
};

/* Where the areas of a ring are, guest-physical. */
struct virtio_pci_queue {
	uint16_t size;
	uint64_t desc, driver, device;
};

/* PCI, then a reset, then features: what is wanted of what is offered, in vp->features. */
int virtio_pci_find(struct virtio_pci *vp, uint64_t wanted);
/* Largest size that the device takes for a queue. */
int virtio_pci_queue_max(struct virtio_pci *vp, uint16_t queue, uint16_t *size);
/* From wherever it is to DRIVER_OK. */
int virtio_pci_bring_up(struct virtio_pci *vp, const struct virtio_pci_queue *queues);
/* Status 0, until the device says so, too. */
int virtio_pci_reset(struct virtio_pci *vp);
/* The device's config space, between two equal generations. -EINVAL: outside. */
int virtio_pci_read_config(struct virtio_pci *vp, uint32_t offset, void *data, uint32_t bytes);
void virtio_pci_notify(struct virtio_pci *vp, uint16_t queue);
/* Whether a message came since the last call. */
bool virtio_pci_take_message(struct virtio_pci *vp);

#endif
