/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile driver: bytes become guest memory, ring and all, and change between the passes.
 *
 *	0     format and features, see below     6     number of changes
 *	1     ring size                          7     number of passes
 *	2, 4  available and used base            8     changes (u16 offset, u16 value), then memory
 *
 * Guest regions are heap blocks of their own, so ASan sees each access beyond them. Beyond that
 * the target checks that chains keep to guest memory and their limits, that the ring code writes
 * nothing but used entries and its suppression field, and that it leaves a broken ring alone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "virtq/virtq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define F_PACKED    1u
#define F_EVENT_IDX 2u
#define F_INDIRECT  4u
#define F_REVERSE   8u  /* return each burst last to first */
#define F_RESTART   16u /* stop and start between the passes */

#define HEADER_BYTES  8
#define MAX_RING_SIZE 64
#define MAX_PASSES    8
#define NB_REGIONS    3
#define MEMORY_BYTES  (0x1000 + 0x1000 + 0x8000)

/* The ring, a neighbour without a gap, and room for large tables behind a hole. */
static const struct {
	uint64_t gpa;
	size_t bytes;
} layout[NB_REGIONS] = {{0, 0x1000}, {0x1000, 0x1000}, {0x10000, 0x8000}};

struct target {
	struct guest_mem mem;
	struct virtq vq;
	struct virtq_config config;
	char *regions[NB_REGIONS];
	size_t device_bytes;
	char before[MEMORY_BYTES];
};

static struct virtq_chain *chains[VIRTQ_BURST];

#define check(truth)                                                                \
	do {                                                                        \
		if (!(truth)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
			abort();                                                    \
		}                                                                   \
	} while (0)

static uint16_t
get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

/* Copies all regions one after the other. */
static void
save(struct target *t)
{
	size_t at = 0;

	for (int i = 0; i < NB_REGIONS; i++) {
		memcpy(t->before + at, t->regions[i], layout[i].bytes);
		at += layout[i].bytes;
	}
}

static bool
within(const void *p, size_t n, const void *start, size_t bytes)
{
	uintptr_t off = (uintptr_t)p - (uintptr_t)start;

	return off <= bytes && n <= bytes - off;
}

/* The only places the ring code may write to: all else is as it was saved. */
static void
check_untouched(struct target *t, bool all)
{
	size_t ring = t->config.packed ? t->config.size * 16u : 0;
	size_t at = 0;

	for (int i = 0; i < NB_REGIONS; i++) {
		char *r = t->regions[i];

		if (i == 0 && !all) {
			memcpy(t->before, r, ring);
			memcpy(t->before + ((char *)t->config.device - r), t->config.device,
				t->device_bytes);
		}
		check(memcmp(t->before + at, r, layout[i].bytes) == 0);
		at += layout[i].bytes;
	}
}

static void
check_piece(const struct target *t, const struct iovec *iov)
{
	bool inside = false;

	for (int i = 0; i < NB_REGIONS; i++) {
		inside |= within(iov->iov_base, iov->iov_len, t->regions[i], layout[i].bytes);
	}
	check(inside && iov->iov_len > 0);
	/* Both ends, which tells ASan the same. */
	volatile const char *p = iov->iov_base;

	(void)p[0];
	(void)p[iov->iov_len - 1];
}

static void
check_chain(const struct target *t, const struct virtq_chain *c)
{
	uint64_t sums[2] = {0, 0};

	check(c->nb_readable + c->nb_writable <= VIRTQ_CHAIN_MAX_IOV);
	check(c->nb_slots >= 1 && c->nb_slots <= t->config.size);
	for (unsigned int i = 0; i < c->nb_readable + c->nb_writable; i++) {
		check_piece(t, &c->iov[i]);
		sums[i >= c->nb_readable] += c->iov[i].iov_len;
	}
	check(sums[0] == c->readable_bytes && sums[1] == c->writable_bytes);
	check(sums[0] + sums[1] <= UINT32_MAX);
}

static void
pass(struct target *t, bool reverse)
{
	bool was_broken = t->vq.broken;
	unsigned int nb;

	save(t);
	nb = virtq_pop_burst(&t->vq, chains, VIRTQ_BURST);
	check(nb <= VIRTQ_BURST);
	for (unsigned int i = 0; i < nb; i++) {
		const struct virtq_chain *c = chains[reverse ? nb - 1 - i : i];

		check_chain(t, c);
		virtq_push(&t->vq, c, c->writable_bytes);
	}
	virtq_flush(&t->vq);
	virtq_notify(&t->vq);
	if (!virtq_kicks_on(&t->vq)) {
		virtq_kicks_off(&t->vq);
	}
	check_untouched(t, was_broken);
}

/* Ring addresses the transport would have checked: in the first region, aligned. */
static bool
configure(struct target *t, const uint8_t *data)
{
	struct virtq_config *c = &t->config;
	struct guest_mem_region regions[NB_REGIONS];

	for (int i = 0; i < NB_REGIONS; i++) {
		t->regions[i] = calloc(1, layout[i].bytes);
		check(t->regions[i] != NULL);
		regions[i] = (struct guest_mem_region){
			.gpa = layout[i].gpa, .size_bytes = layout[i].bytes, .addr = t->regions[i]};
	}
	check(guest_mem_init(&t->mem, regions, NB_REGIONS) == 0);
	c->packed = data[0] & F_PACKED;
	c->event_idx = data[0] & F_EVENT_IDX;
	c->indirect = data[0] & F_INDIRECT;
	c->size = 1 + data[1] % MAX_RING_SIZE;
	c->avail_base = get_u16(data + 2);
	c->used_base = get_u16(data + 4);
	c->callfd = -1;
	c->desc = t->regions[0];
	c->driver = t->regions[0] + 16u * c->size;
	c->device = (char *)c->driver + (c->packed ? 4 : (6 + 2u * c->size + 3) / 4 * 4);
	t->device_bytes = c->packed ? 4 : 6 + 8u * c->size;
	return virtq_start(&t->vq, c, &t->mem) == 0;
}

/* Regions in a row, from the byte at `at` on. */
static void
fill(struct target *t, size_t at, const uint8_t *data, size_t size)
{
	for (int i = 0; i < NB_REGIONS && size > 0; i++) {
		if (at >= layout[i].bytes) {
			at -= layout[i].bytes;
			continue;
		}
		size_t n = layout[i].bytes - at;

		n = n < size ? n : size;
		memcpy(t->regions[i] + at, data, n);
		data += n;
		size -= n;
		at = 0;
	}
}

static void
restart(struct target *t)
{
	struct virtq_config *c = &t->config;

	c->avail_base = virtq_stop(&t->vq);
	c->used_base = t->vq.used_idx;
	if (c->packed) {
		c->used_base |= (uint16_t)(t->vq.used_wrap << 15);
	}
	check(virtq_start(&t->vq, c, &t->mem) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct target target;
	struct target *t = &target;
	const uint8_t *changes = data + HEADER_BYTES;

	if (size < HEADER_BYTES || size - HEADER_BYTES < data[6] * 4u) {
		return 0;
	}
	for (unsigned int i = 0; i < VIRTQ_BURST && chains[i] == NULL; i++) {
		chains[i] = calloc(1, sizeof(*chains[i]));
		check(chains[i] != NULL);
	}
	memset(t, 0, sizeof(*t));
	if (configure(t, data)) {
		unsigned int nb_passes = 1 + data[7] % MAX_PASSES;
		unsigned int next = 0;

		fill(t, 0, changes + data[6] * 4u, size - HEADER_BYTES - data[6] * 4u);
		for (unsigned int i = 1; i <= nb_passes; i++) {
			pass(t, data[0] & F_REVERSE);
			for (; next < data[6] * i / nb_passes; next++) {
				fill(t, get_u16(changes + next * 4), changes + next * 4 + 2, 2);
			}
			if (data[0] & F_RESTART) {
				restart(t);
			}
		}
	}
	for (int i = 0; i < NB_REGIONS; i++) {
		free(t->regions[i]);
	}
	return 0;
}
