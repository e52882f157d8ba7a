/* SPDX-License-Identifier: BSD-3-Clause */
/* Config spaces, QEMU's and worse ones. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "driver/pci.h"

#define NB_WORDS 64
#define MSIX     0x11u

/* A config space: what is read, and which bits of the BARs take what is written. */
struct space {
	uint32_t words[NB_WORDS];
	uint32_t bar_mask[PCI_NB_BARS];
	unsigned int nb_reads, fail_at; /* fail_at: this read and all after it; 0: none */
	uint32_t command;
};

static struct space space;
static struct pci_function f;

static int
read_word(void *arg, uint8_t offset, uint32_t *value)
{
	struct space *s = arg;

	cr_assert_eq(offset % 4, 0);
	cr_assert_lt(s->nb_reads, 2000, "it goes round in circles");
	*value = s->words[offset / 4];
	return ++s->nb_reads >= s->fail_at && s->fail_at != 0 ? -EIO : 0;
}

static int
write_word(void *arg, uint8_t offset, uint32_t value)
{
	struct space *s = arg;
	unsigned int i = offset / 4;

	if (i >= 4 && i < 4 + PCI_NB_BARS) {
		uint32_t mask = s->bar_mask[i - 4];

		s->words[i] = (s->words[i] & ~mask & 0xf) | (value & mask);
	} else if (i == 1) {
		s->command = value;
	} else {
		s->words[i] = value;
	}
	return 0;
}

static const struct pci_config config = {read_word, write_word, &space};

/* As QEMU 11.1 lays out vhost-user-test-device-pci with a window of 8 MiB. */
static void
setup(void)
{
	static const uint32_t caps[] = {
		[0x40 / 4] = 0x01100009,
		2,
		0,
		0x1000, /* common */
		[0x50 / 4] = 0x03104009,
		2,
		0x1000,
		0x1000, /* ISR */
		[0x60 / 4] = 0x04105009,
		2,
		0x2000,
		0x1000, /* device */
		[0x70 / 4] = 0x02146009,
		2,
		0x3000,
		0x1000,
		4, /* notify */
		[0x84 / 4] = 0x05147009,
		0,
		0,
		0,
		0, /* PCI access */
		[0x98 / 4] = 0x00008411,
		1,
		0x801, /* MSI-X, one vector */
		[0xa4 / 4] = 0x08189809,
		4,
		0,
		0x00800000,
		0,
		0, /* shared memory 0 */
	};

	memset(&space, 0, sizeof(space));
	memcpy(space.words, caps, sizeof(caps));
	space.words[0] = 0x105f1af4;
	space.words[1] = 0x00100000;
	space.words[0x34 / 4] = 0xa4;
	space.words[6] = space.words[8] = 0xc; /* BARs 2 and 4: 64 bits, prefetchable */
	space.bar_mask[1] = 0xfffff000;
	space.bar_mask[2] = 0xffffc000;
	space.bar_mask[4] = 0xff800000;
	space.bar_mask[3] = space.bar_mask[5] = UINT32_MAX;
}

TestSuite(driver_pci, .init = setup);

static int
probe(void)
{
	return pci_probe(&config, &f);
}

Test(driver_pci, qemu_is_understood)
{
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.device, 0x105f);
	cr_assert_eq(f.bars[1].bytes, 0x1000);
	cr_assert_eq(f.bars[2].bytes, 0x4000);
	cr_assert_eq(f.bars[4].bytes, 8 << 20);
	cr_assert(f.bars[4].wide && !f.bars[1].wide);
	cr_assert_eq(f.notify.offset, 0x3000);
	cr_assert_eq(f.notify_multiplier, 4);
	cr_assert_eq(f.shm.bytes, 8 << 20);
	cr_assert_eq(f.msix, 0x98);
	cr_assert_eq(f.msix_table.bar, 1);
	cr_assert_eq(space.command, 0, "decoding stays off until BARs are placed");
}

Test(driver_pci, bars_get_places_that_do_not_overlap)
{
	cr_assert_eq(probe(), 0);
	cr_assert_eq(pci_enable(&config, &f), 0);
	for (unsigned int i = 0; i < PCI_NB_BARS; i++) {
		const struct pci_bar *a = &f.bars[i];

		cr_assert(a->bytes == 0 || a->address % a->bytes == 0);
		for (unsigned int k = 0; k < i; k++) {
			const struct pci_bar *b = &f.bars[k];

			cr_assert(a->bytes == 0 || b->bytes == 0 ||
				  a->address >= b->address + b->bytes ||
				  b->address >= a->address + a->bytes);
		}
	}
	cr_assert_eq(space.words[8] & ~0xfu, (uint32_t)f.bars[4].address);
	cr_assert_eq(space.words[9], f.bars[4].address >> 32);
	cr_assert_eq(space.words[5] & ~0xfu, (uint32_t)f.bars[1].address);
	cr_assert_eq(space.command & 6, 6, "memory and bus mastering");
	cr_assert_eq(pci_address(&f, &f.notify), f.bars[2].address + 0x3000);
	cr_assert_eq(pci_enable_msix(&config, &f), 0);
	cr_assert_eq(space.words[0x98 / 4] >> 31, 1);
}

Test(driver_pci, other_devices_are_none)
{
	static const uint32_t ids[] = {
		0xffffffff, 0, 0x10001af4, 0x103f1af4, 0x10801af4, 0x10708086};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		space.words[0] = ids[i];
		cr_assert_eq(probe(), -ENODEV, "%08x", ids[i]);
	}
	space.words[0] = 0x10701af4;
	cr_assert_eq(probe(), 0);
	space.words[1] = 0;
	cr_assert_eq(probe(), -ENODEV, "no capability list");
}

Test(driver_pci, failed_access_is_passed_on_at_each_place)
{
	unsigned int nb;

	cr_assert_eq(probe(), 0);
	nb = space.nb_reads;
	for (unsigned int i = 1; i <= nb; i++) {
		setup();
		space.fail_at = i;
		cr_assert_eq(probe(), -EIO, "read %u of %u", i, nb);
	}
}

Test(driver_pci, list_that_bites_its_tail_ends)
{
	static const uint8_t targets[] = {0xa4, 0x98, 0x40};

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		setup();
		space.words[0x40 / 4] |= (uint32_t)targets[i] << 8;
		cr_assert_eq(probe(), -EPROTO);
	}
}

Test(driver_pci, list_into_the_header_is_refused)
{
	for (uint32_t at = 4; at < 0x40; at += 4) {
		space.words[0x40 / 4] = 0x01100009 | at << 8;
		cr_assert_eq(probe(), -EPROTO, "%x", at);
	}
}

/* The list may be of the most that fits, and unknown ones are passed over. */
Test(driver_pci, longest_list_is_read)
{
	for (uint32_t at = 0x40; at < 0x100; at += 4) {
		space.words[at / 4] = 0x05 | ((at + 4) & 0xff) << 8;
	}
	space.words[0x34 / 4] = 0x40;
	cr_assert_eq(probe(), -ENOTSUP, "nothing of virtio");
}

Test(driver_pci, capability_beyond_the_end_is_refused)
{
	static const uint32_t words[] = {0x01100009, 0x02140009, 0x08180009, MSIX};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		setup();
		space.words[0x40 / 4] |= 0xfc << 8;
		space.words[0xfc / 4] = words[i];
		cr_assert_eq(probe(), -EPROTO, "%08x", words[i]);
	}
}

Test(driver_pci, short_capability_is_refused)
{
	static const struct {
		unsigned int at;
		uint8_t bytes;
	} shorts[] = {{0x40, 0}, {0x40, 15}, {0x70, 16}, {0x70, 19}, {0xa4, 20}, {0xa4, 23}};

	for (size_t i = 0; i < ARRAY_SIZE(shorts); i++) {
		setup();
		space.words[shorts[i].at / 4] &= 0xff00ffff;
		space.words[shorts[i].at / 4] |= (uint32_t)shorts[i].bytes << 16;
		cr_assert_eq(probe(), -EPROTO, "%x of %u", shorts[i].at, shorts[i].bytes);
	}
}

/* Each of: registers, window, table of vectors. */
Test(driver_pci, range_beyond_its_bar_is_refused)
{
	static const struct {
		unsigned int at;
		uint32_t value;
	} bad[] = {
		{0x48, 0x3004}, {0x48, 0xfffff000}, {0x48, 2}, {0x4c, 0x4004}, {0x4c, UINT32_MAX},
		{0x4c, 55}, {0x44, 0}, {0x44, 3},                         /* common */
		{0x78, 0x4000}, {0x7c, 1}, {0x74, 5},                     /* notify */
		{0x68, 0x3001}, {0x6c, 0x2001},                           /* device */
		{0xac, 0x1000}, {0xb4, 1}, {0xb8, UINT32_MAX}, {0xa8, 1}, /* shared memory */
		{0x9c, 0xff9}, {0x9c, 0x0}, {0x98, 0x07ff8411},           /* MSI-X */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setup();
		space.words[bad[i].at / 4] = bad[i].value;
		cr_assert_eq(probe(), -EPROTO, "%x: %x", bad[i].at, bad[i].value);
	}
}

Test(driver_pci, window_that_wraps_round_is_refused)
{
	space.words[0xac / 4] = 0xfffff000;
	space.words[0xb4 / 4] = UINT32_MAX;
	space.words[0xb0 / 4] = 0x2000;
	cr_assert_eq(probe(), -EPROTO);
}

Test(driver_pci, reserved_bar_is_as_if_the_capability_were_not_there)
{
	space.words[0xa8 / 4] = 6;
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.shm.bytes, 0);
	space.words[0x44 / 4] = 0xff;
	cr_assert_eq(probe(), -ENOTSUP);
}

Test(driver_pci, only_region_0_is_the_window)
{
	space.words[0xa8 / 4] = 1 << 8 | 4;
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.shm.bytes, 0);
}

Test(driver_pci, first_capability_of_a_kind_counts)
{
	space.words[0x50 / 4] = 0x01104009; /* was ISR; comes before the real one */
	space.words[0x58 / 4] = 0x1000;
	space.words[0x5c / 4] = 0x40;
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.common.offset, 0x1000);
	cr_assert_eq(f.common.bytes, 0x40);
}

Test(driver_pci, without_msix_is_polled)
{
	space.words[0xa4 / 4] = 0x08188409;
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.msix, 0);
	cr_assert_eq(f.msix_table.bytes, 0);
}

Test(driver_pci, impossible_bars_are_refused)
{
	static const struct {
		unsigned int bar;
		uint32_t type, mask;
	} bad[] = {
		{0, 0x2, 0xfffff000}, /* below 1 MiB: no more */
		{0, 0x6, 0xfffff000}, /* reserved */
		{5, 0x4, 0xfffff000}, /* where would its upper half be? */
		{0, 0x0, 0xfff0f000}, /* no power of two */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		setup();
		if (bad[i].bar == 5) {
			space.words[8] = space.bar_mask[4] = 0;
			space.words[0x98 / 4] = 0x8411;
			space.words[0x34 / 4] = 0x98;
		}
		space.words[4 + bad[i].bar] = bad[i].type;
		space.bar_mask[bad[i].bar] = bad[i].mask;
		cr_assert_eq(
			probe(), -EPROTO, "BAR %u: %x, %x", bad[i].bar, bad[i].type, bad[i].mask);
	}
}

Test(driver_pci, port_bar_is_passed_over)
{
	space.words[4] = 1;
	space.bar_mask[0] = 0xffffffe0;
	cr_assert_eq(probe(), 0);
	cr_assert_eq(f.bars[0].bytes, 0);
}

Test(driver_pci, bars_that_no_place_holds_are_refused)
{
	space.bar_mask[0] = 0x80000000; /* 2 GiB below 4 GiB */
	cr_assert_eq(probe(), 0);
	cr_assert_eq(pci_enable(&config, &f), -ENOSPC);
	setup();
	space.bar_mask[4] = 0;
	space.bar_mask[5] = 0x80000000; /* half of all addresses */
	cr_assert_eq(probe(), 0);
	cr_assert_eq(pci_enable(&config, &f), -ENOSPC);
	cr_assert_eq(space.command, 0);
}

Test(driver_pci, notification_stays_in_its_range)
{
	uint64_t address;

	cr_assert_eq(probe(), 0);
	cr_assert_eq(pci_enable(&config, &f), 0);
	cr_assert_eq(pci_notify_address(&f, 1, &address), 0);
	cr_assert_eq(address, f.bars[2].address + 0x3004);
	cr_assert_eq(pci_notify_address(&f, 0x3ff, &address), 0);
	cr_assert_eq(pci_notify_address(&f, 0x400, &address), -EPROTO);
	cr_assert_eq(pci_notify_address(&f, 0xffff, &address), -EPROTO);
	f.notify_multiplier = UINT32_MAX;
	cr_assert_eq(pci_notify_address(&f, 0xffff, &address), -EPROTO);
	f.notify_multiplier = 1;
	cr_assert_eq(pci_notify_address(&f, 3, &address), -EPROTO, "odd");
	f.notify_multiplier = 0;
	cr_assert_eq(pci_notify_address(&f, 0xffff, &address), 0);
}
