/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A modern virtio device on a PCI bus: where its registers lie (virtio 1.4, 4.1.4), read from its
 * config space, and places for its BARs. Whoever made the config space is not trusted: capability
 * lists end, every range lies inside its BAR, or the function is refused.
 */
#ifndef VMEDIA_DRIVER_PCI_H
#define VMEDIA_DRIVER_PCI_H

#include <stdbool.h>
#include <stdint.h>

#define PCI_NB_BARS 6

/* The way to a config space; offsets are multiples of 4. 0 or a negative errno. */
struct pci_config {
	int (*read)(void *arg, uint8_t offset, uint32_t *value);
	int (*write)(void *arg, uint8_t offset, uint32_t value);
	void *arg;
};

/* A part of a BAR. bytes 0: there is none. */
struct pci_range {
	uint64_t offset, bytes;
	uint8_t bar;
};

struct pci_bar {
	uint64_t bytes;   /* 0: no memory BAR here */
	uint64_t address; /* 0: not placed */
	bool wide;        /* 64 bits, takes the next BAR, too */
};

struct pci_function {
	uint16_t vendor, device;
	struct pci_bar bars[PCI_NB_BARS];
	struct pci_range common, notify, config;
	struct pci_range shm; /* shared memory region 0 */
	uint32_t notify_multiplier;
	uint8_t msix; /* offset of the MSI-X capability; 0: none */
	struct pci_range msix_table;
};

#define PCI_MSIX_ENTRY_BYTES 16u

/*
 * Reads everything. -ENODEV: nothing there, or no modern virtio device; -EPROTO: a config space
 * that contradicts itself; -ENOTSUP: no place for common configuration or notifications.
 */
int pci_probe(const struct pci_config *config, struct pci_function *f);
/* Gives each BAR an address and switches memory and bus mastering on. -ENOSPC: BARs too large. */
int pci_enable(const struct pci_config *config, struct pci_function *f);
/* MSI-X on, all vectors as the table says. */
int pci_enable_msix(const struct pci_config *config, const struct pci_function *f);

/* Guest-physical address of a range whose BAR was placed. */
uint64_t pci_address(const struct pci_function *f, const struct pci_range *range);
/* Where a queue is notified; queue_offset is the device's word. -EPROTO: outside. */
int pci_notify_address(const struct pci_function *f, uint16_t queue_offset, uint64_t *address);

#endif
