/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/virtio_pci.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "driver/frontend.h"

LOG_TYPE_USE(driver);

#define CONFIG_ADDRESS  0xcf8 /* the ports of a PC's first PCI bus */
#define CONFIG_DATA     0xcfc
#define CONFIG_ENABLE   (1u << 31)
#define MESSAGE         0x4d534958u /* what MSI-X writes */
#define MAX_GENERATIONS 16          /* changes of the config space while it is read */

#define FIELD(name)                                   \
	offsetof(struct virtio_pci_common_cfg, name), \
		sizeof(((struct virtio_pci_common_cfg *)NULL)->name)

static int
select_config(struct virtio_pci *vp, uint8_t offset)
{
	return qtest_out(&vp->qtest, CONFIG_ADDRESS,
		CONFIG_ENABLE | (uint32_t)vp->machine.slot << 11 | offset);
}

static int
config_read(void *arg, uint8_t offset, uint32_t *value)
{
	struct virtio_pci *vp = arg;
	int ret = select_config(vp, offset);

	return ret == 0 ? qtest_in(&vp->qtest, CONFIG_DATA, value) : ret;
}

static int
config_write(void *arg, uint8_t offset, uint32_t value)
{
	struct virtio_pci *vp = arg;
	int ret = select_config(vp, offset);

	return ret == 0 ? qtest_out(&vp->qtest, CONFIG_DATA, value) : ret;
}

static int
put(struct virtio_pci *vp, size_t offset, size_t bytes, uint32_t value)
{
	return qtest_write(&vp->qtest, pci_address(&vp->function, &vp->function.common) + offset,
		(unsigned int)bytes, value);
}

static int
get(struct virtio_pci *vp, size_t offset, size_t bytes, uint32_t *value)
{
	return qtest_read(&vp->qtest, pci_address(&vp->function, &vp->function.common) + offset,
		(unsigned int)bytes, value);
}

int
virtio_pci_reset(struct virtio_pci *vp)
{
	uint64_t deadline_ns = message_deadline(vp->qtest.timeout_ms);
	uint32_t status = 0;
	int ret = put(vp, FIELD(device_status), 0);

	vp->live = false;
	while (ret == 0) {
		ret = get(vp, FIELD(device_status), &status);
		if (ret != 0 || status == 0) {
			return ret;
		}
		ret = clock_monotonic_ns() < deadline_ns ? 0 : -ETIMEDOUT;
	}
	return ret;
}

static int
add_status(struct virtio_pci *vp, uint32_t bit)
{
	uint32_t status;
	int ret = get(vp, FIELD(device_status), &status);

	return ret == 0 ? put(vp, FIELD(device_status), status | bit) : ret;
}

static int
offered_features(struct virtio_pci *vp, uint64_t *features)
{
	uint32_t word = 0;
	int ret = 0;

	*features = 0;
	for (uint32_t i = 0; ret == 0 && i < 2; i++) {
		ret = put(vp, FIELD(device_feature_select), i);
		if (ret == 0) {
			ret = get(vp, FIELD(device_feature), &word);
		}
		*features |= (uint64_t)word << (32 * i);
	}
	return ret;
}

/* The PCI function is found anew each time: a reset of the machine took its addresses. */
static int
find_function(struct virtio_pci *vp)
{
	const struct pci_config config = {config_read, config_write, vp};
	int ret = pci_probe(&config, &vp->function);

	if (ret == 0) {
		ret = pci_enable(&config, &vp->function);
	}
	if (ret != 0) {
		log_err(&log_driver, "PCI slot %u, %04x:%04x: no usable virtio device",
			vp->machine.slot, vp->function.vendor, vp->function.device);
		return ret;
	}
	return virtio_pci_reset(vp);
}

int
virtio_pci_find(struct virtio_pci *vp, uint64_t wanted)
{
	uint64_t offered;
	int ret = find_function(vp);

	if (ret == 0) {
		ret = offered_features(vp, &offered);
	}
	if (ret != 0) {
		return ret;
	}
	if (!(offered & VIRTIO_F_VERSION_1_BIT)) {
		return -ENOTSUP;
	}
	vp->features = offered & (wanted | VIRTIO_F_VERSION_1_BIT);
	return wanted & ~offered & RING_F_PACKED ? -EOPNOTSUPP : 0;
}

int
virtio_pci_queue_max(struct virtio_pci *vp, uint16_t queue, uint16_t *size)
{
	uint32_t value = 0;
	int ret = put(vp, FIELD(queue_select), queue);

	if (ret == 0) {
		ret = get(vp, FIELD(queue_size), &value);
	}
	*size = (uint16_t)value;
	return ret;
}

static int
negotiate(struct virtio_pci *vp)
{
	uint64_t offered;
	uint32_t status = 0;
	int ret = add_status(vp, VIRTIO_CONFIG_S_ACKNOWLEDGE);

	if (ret == 0) {
		ret = add_status(vp, VIRTIO_CONFIG_S_DRIVER);
	}
	if (ret == 0) {
		ret = offered_features(vp, &offered);
	}
	if (ret == 0 && (vp->features & ~offered) != 0) {
		log_err(&log_driver, "the device offers other features when asked again");
		ret = -EPROTO;
	}
	for (uint32_t i = 0; ret == 0 && i < 2; i++) {
		ret = put(vp, FIELD(guest_feature_select), i);
		if (ret == 0) {
			ret = put(vp, FIELD(guest_feature), (uint32_t)(vp->features >> (32 * i)));
		}
	}
	if (ret == 0) {
		ret = add_status(vp, VIRTIO_CONFIG_S_FEATURES_OK);
	}
	if (ret == 0) {
		ret = get(vp, FIELD(device_status), &status);
	}
	return ret == 0 && !(status & VIRTIO_CONFIG_S_FEATURES_OK) ? -ENOTSUP : ret;
}

/* One vector for everything; all of its messages write the same word. */
static int
set_up_message(struct virtio_pci *vp)
{
	const struct pci_config config = {config_read, config_write, vp};
	const uint32_t entry[] = {
		(uint32_t)vp->message_gpa, (uint32_t)(vp->message_gpa >> 32), MESSAGE, 0};
	uint64_t address;
	int ret = 0;

	if (vp->function.msix_table.bytes == 0) {
		return 0; /* polled only */
	}
	address = pci_address(&vp->function, &vp->function.msix_table);
	for (unsigned int i = 0; ret == 0 && i < ARRAY_SIZE(entry); i++) {
		ret = qtest_write(&vp->qtest, address + 4 * i, 4, entry[i]);
	}
	return ret == 0 ? pci_enable_msix(&config, &vp->function) : ret;
}

static int
put_address(struct virtio_pci *vp, size_t offset, uint64_t address)
{
	int ret = put(vp, offset, 4, (uint32_t)address);

	return ret == 0 ? put(vp, offset + 4, 4, (uint32_t)(address >> 32)) : ret;
}

static int
set_up_queue(struct virtio_pci *vp, uint16_t i, const struct virtio_pci_queue *queue)
{
	uint32_t notify = 0;
	int ret = put(vp, FIELD(queue_select), i);

	if (ret == 0) {
		ret = put(vp, FIELD(queue_size), queue->size);
	}
	if (ret == 0 && vp->function.msix_table.bytes != 0) {
		ret = put(vp, FIELD(queue_msix_vector), 0);
	}
	if (ret == 0) {
		ret = put_address(
			vp, offsetof(struct virtio_pci_common_cfg, queue_desc_lo), queue->desc);
	}
	if (ret == 0) {
		ret = put_address(
			vp, offsetof(struct virtio_pci_common_cfg, queue_avail_lo), queue->driver);
	}
	if (ret == 0) {
		ret = put_address(
			vp, offsetof(struct virtio_pci_common_cfg, queue_used_lo), queue->device);
	}
	if (ret == 0) {
		ret = get(vp, FIELD(queue_notify_off), &notify);
	}
	if (ret == 0) {
		ret = pci_notify_address(&vp->function, (uint16_t)notify, &vp->bells[i]);
	}
	return ret == 0 ? put(vp, FIELD(queue_enable), 1) : ret;
}

int
virtio_pci_bring_up(struct virtio_pci *vp, const struct virtio_pci_queue *queues)
{
	int ret = find_function(vp);

	if (ret == 0) {
		ret = set_up_message(vp);
	}
	if (ret == 0) {
		ret = negotiate(vp);
	}
	for (uint16_t i = 0; ret == 0 && i < DRIVER_NB_QUEUES; i++) {
		ret = set_up_queue(vp, i, &queues[i]);
	}
	if (ret == 0) {
		ret = add_status(vp, VIRTIO_CONFIG_S_DRIVER_OK);
	}
	vp->live = ret == 0;
	return ret;
}

int
virtio_pci_read_config(struct virtio_pci *vp, uint32_t offset, void *data, uint32_t bytes)
{
	const struct pci_range *range = &vp->function.config;
	uint32_t before = 0, after = 0;
	int ret = 0;

	if (range->bytes == 0) {
		return -EOPNOTSUPP;
	}
	if (offset > range->bytes || bytes > range->bytes - offset) {
		return -EINVAL;
	}
	for (unsigned int i = 0; ret == 0 && i < MAX_GENERATIONS; i++) {
		ret = get(vp, FIELD(config_generation), &before);
		if (ret == 0) {
			ret = qtest_read_bytes(&vp->qtest,
				pci_address(&vp->function, range) + offset, data, bytes);
		}
		if (ret == 0) {
			ret = get(vp, FIELD(config_generation), &after);
		}
		if (ret == 0 && before == after) {
			return 0;
		}
	}
	return ret != 0 ? ret : -EPROTO;
}

/* A failure shows in qtest_is_dead(). */
void
virtio_pci_notify(struct virtio_pci *vp, uint16_t queue)
{
	if (vp->live && !vp->paused) {
		qtest_write(&vp->qtest, vp->bells[queue], 2, queue);
	}
}

bool
virtio_pci_take_message(struct virtio_pci *vp)
{
	return vp->message != NULL &&
	       __atomic_exchange_n(vp->message, 0, __ATOMIC_ACQUIRE) == MESSAGE;
}
