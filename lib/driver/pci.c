/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/util.h"

#define VENDOR_VIRTIO 0x1af4
#define DEVICE_MODERN 0x1040 /* plus the virtio device id, which is below 64 */
#define DEVICE_LAST   0x107f
#define CONFIG_BYTES  256u
#define CAPS_START    0x40u
#define MAX_CAPS      ((CONFIG_BYTES - CAPS_START) / 4)
#define COMMON_BYTES  ((uint64_t)sizeof(struct virtio_pci_common_cfg))
#define NOTIFY_BYTES  2u /* one access */
#define SHM_ID        0  /* of the only region that virtio-media has */
#define MIN_BAR_BYTES 16u
#define BAR(i)        ((uint8_t)(PCI_BASE_ADDRESS_0 + 4 * (i)))

/* Addresses that no guest memory of ours takes, and that a processor of 40 bits reaches. */
static const struct {
	uint64_t start, end;
} space32 = {0xc0000000, 0xf0000000}, space64 = {0x4000000000, 0x8000000000};

static int
read_ids(const struct pci_config *config, struct pci_function *f)
{
	uint32_t ids, status;
	int ret = config->read(config->arg, PCI_VENDOR_ID, &ids);

	if (ret == 0) {
		ret = config->read(config->arg, PCI_COMMAND, &status);
	}
	if (ret != 0) {
		return ret;
	}
	f->vendor = (uint16_t)ids;
	f->device = (uint16_t)(ids >> 16);
	if (f->vendor != VENDOR_VIRTIO || f->device < DEVICE_MODERN || f->device > DEVICE_LAST ||
		!(status >> 16 & PCI_STATUS_CAP_LIST)) {
		return -ENODEV;
	}
	return 0;
}

/* Consecutive words of config space. */
static int
read_words(const struct pci_config *config, uint8_t at, uint32_t *words, unsigned int nb)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = config->read(config->arg, (uint8_t)(at + 4 * i), &words[i]);
	}
	return ret;
}

/* The first capability of a kind counts; one with a reserved BAR is to be ignored (4.1.4.1). */
static void
set_range(struct pci_range *range, uint8_t bar, uint64_t offset, uint64_t bytes)
{
	if (range->bytes == 0 && bar < PCI_NB_BARS) {
		*range = (struct pci_range){offset, bytes, bar};
	}
}

static int
take_virtio(const struct pci_config *config, struct pci_function *f, uint8_t at)
{
	uint32_t w[6] = {0}; /* header; bar, id; offset; length; two more of some */
	unsigned int bytes, nb;
	uint8_t bar;
	int ret = read_words(config, at, w, 1);

	bytes = w[0] >> 16 & 0xff;
	nb = MIN(bytes / 4, (unsigned int)ARRAY_SIZE(w));
	if (ret != 0 || nb < 4 || at + bytes > CONFIG_BYTES) {
		return ret != 0 ? ret : -EPROTO;
	}
	ret = read_words(config, at, w, nb);
	bar = (uint8_t)w[1];
	switch (w[0] >> 24) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		set_range(&f->common, bar, w[2], w[3]);
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		if (nb < 5) {
			return -EPROTO;
		}
		if (f->notify.bytes == 0) {
			f->notify_multiplier = w[4];
		}
		set_range(&f->notify, bar, w[2], w[3]);
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		set_range(&f->config, bar, w[2], w[3]);
		break;
	case VIRTIO_PCI_CAP_SHARED_MEMORY_CFG:
		if (nb < 6) {
			return -EPROTO;
		}
		if ((w[1] >> 8 & 0xff) == SHM_ID) {
			set_range(&f->shm, bar, (uint64_t)w[4] << 32 | w[2],
				(uint64_t)w[5] << 32 | w[3]);
		}
		break;
	default:
		break;
	}
	return ret;
}

static int
take_msix(const struct pci_config *config, struct pci_function *f, uint8_t at)
{
	uint32_t w[2];
	uint64_t nb;
	int ret;

	if (at + PCI_CAP_MSIX_SIZEOF > CONFIG_BYTES) {
		return -EPROTO;
	}
	ret = read_words(config, at, w, 2);
	if (ret == 0 && f->msix == 0) {
		f->msix = at;
		nb = (w[0] >> 16 & PCI_MSIX_FLAGS_QSIZE) + 1;
		set_range(&f->msix_table, w[1] & PCI_MSIX_TABLE_BIR, w[1] & PCI_MSIX_TABLE_OFFSET,
			nb * PCI_MSIX_ENTRY_BYTES);
	}
	return ret;
}

static int
walk_capabilities(const struct pci_config *config, struct pci_function *f)
{
	uint32_t word;
	unsigned int nb = 0;
	int ret = config->read(config->arg, PCI_CAPABILITY_LIST, &word);
	uint8_t at = word & 0xfc;

	while (ret == 0 && at != 0) {
		if (at < CAPS_START || nb++ == MAX_CAPS) {
			return -EPROTO; /* into the header, or round in circles */
		}
		ret = config->read(config->arg, at, &word);
		if (ret != 0) {
			break;
		}
		if ((word & 0xff) == PCI_CAP_ID_VNDR) {
			ret = take_virtio(config, f, at);
		} else if ((word & 0xff) == PCI_CAP_ID_MSIX) {
			ret = take_msix(config, f, at);
		}
		at = word >> 8 & 0xfc;
	}
	return ret;
}

/* What a BAR says after all ones were written to it. Its address is lost. */
static int
size_word(const struct pci_config *config, unsigned int i, uint32_t *word)
{
	int ret = config->write(config->arg, BAR(i), UINT32_MAX);

	return ret == 0 ? config->read(config->arg, BAR(i), word) : ret;
}

static int
size_bar(const struct pci_config *config, struct pci_bar *bar, unsigned int i)
{
	uint32_t low, high = UINT32_MAX;
	uint64_t mask;
	int ret = size_word(config, i, &low);

	if (ret != 0 || low == 0 || (low & PCI_BASE_ADDRESS_SPACE) == PCI_BASE_ADDRESS_SPACE_IO) {
		return ret;
	}
	bar->wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (!bar->wide && (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) != 0) {
		return -EPROTO;
	}
	if (bar->wide && i + 1 == PCI_NB_BARS) {
		return -EPROTO;
	}
	if (bar->wide) {
		ret = size_word(config, i + 1, &high);
	}
	mask = (uint64_t)high << 32 | (low & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
	bar->bytes = ~mask + 1;
	return ret == 0 && (!is_power_of_2(bar->bytes) || bar->bytes < MIN_BAR_BYTES) ? -EPROTO
	                                                                              : ret;
}

/* Memory decoding is off meanwhile: a BAR of all ones lies anywhere. */
static int
size_bars(const struct pci_config *config, struct pci_function *f)
{
	int ret = config->write(config->arg, PCI_COMMAND, 0);

	for (unsigned int i = 0; ret == 0 && i < PCI_NB_BARS; i++) {
		ret = size_bar(config, &f->bars[i], i);
		i += f->bars[i].wide;
	}
	return ret;
}

/* least: what has to be there if anything is. */
static bool
fits(const struct pci_function *f, const struct pci_range *range, uint64_t least)
{
	uint64_t end;

	return range->bytes == 0 || (range->bytes >= least && range->offset % 4 == 0 &&
					    add_ok(range->offset, range->bytes, &end) &&
					    end <= f->bars[range->bar].bytes);
}

int
pci_probe(const struct pci_config *config, struct pci_function *f)
{
	int ret;

	*f = (struct pci_function){0};
	ret = read_ids(config, f);
	if (ret == 0) {
		ret = walk_capabilities(config, f);
	}
	if (ret == 0) {
		ret = size_bars(config, f);
	}
	if (ret != 0) {
		return ret;
	}
	if (f->common.bytes == 0 || f->notify.bytes == 0) {
		return -ENOTSUP;
	}
	return fits(f, &f->common, COMMON_BYTES) && fits(f, &f->notify, NOTIFY_BYTES) &&
	                       fits(f, &f->config, 1) && fits(f, &f->shm, 1) &&
	                       fits(f, &f->msix_table, PCI_MSIX_ENTRY_BYTES)
	               ? 0
	               : -EPROTO;
}

int
pci_enable(const struct pci_config *config, struct pci_function *f)
{
	uint64_t next32 = space32.start, next64 = space64.start;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < PCI_NB_BARS; i++) {
		struct pci_bar *bar = &f->bars[i];
		uint64_t *next = bar->wide ? &next64 : &next32;
		uint64_t end = bar->wide ? space64.end : space32.end;

		if (bar->bytes == 0) {
			continue;
		}
		if (bar->bytes > end || round_up(*next, bar->bytes) > end - bar->bytes) {
			return -ENOSPC;
		}
		bar->address = round_up(*next, bar->bytes);
		*next = bar->address + bar->bytes;
		ret = config->write(config->arg, BAR(i), (uint32_t)bar->address);
		if (ret == 0 && bar->wide) {
			ret = config->write(
				config->arg, BAR(i + 1), (uint32_t)(bar->address >> 32));
			i++;
		}
	}
	return ret == 0 ? config->write(
				  config->arg, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
	                : ret;
}

int
pci_enable_msix(const struct pci_config *config, const struct pci_function *f)
{
	return config->write(config->arg, f->msix, (uint32_t)PCI_MSIX_FLAGS_ENABLE << 16);
}

uint64_t
pci_address(const struct pci_function *f, const struct pci_range *range)
{
	return f->bars[range->bar].address + range->offset;
}

int
pci_notify_address(const struct pci_function *f, uint16_t queue_offset, uint64_t *address)
{
	uint64_t offset = (uint64_t)queue_offset * f->notify_multiplier;

	if (offset > f->notify.bytes - NOTIFY_BYTES || offset % 2 != 0) {
		return -EPROTO;
	}
	*address = pci_address(f, &f->notify) + offset;
	return 0;
}
