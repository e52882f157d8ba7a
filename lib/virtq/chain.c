/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: indirect tables; a Linux driver uses one for nearly every command. */
#include <string.h>

#include "virtq/chain.h"

#ifdef VMEDIA_PLANT_RING
/* Planted defect for the ring fuzzer: no upper bound, the copy leaves its array. */
#define MAX_TABLE_BYTES UINT32_MAX
#define COPY_ALWAYS     true
#else
#define COPY_ALWAYS     false
#define MAX_TABLE_BYTES (CHAIN_MAX_TABLE * sizeof(struct vring_desc))
#endif

/* The table spans regions: in one piece it can be read like one that does not. */
static int
copy_table(struct chain_walk *walk, char *dst, uint64_t gpa, uint32_t len)
{
	struct virtq *vq = walk->vq;

	while (len > 0) {
		uint64_t here = len;
		const void *src = guest_mem_translate(vq->mem, &vq->mem_hint, gpa, &here);

		if (unlikely(src == NULL)) {
			return -EFAULT;
		}
		memcpy(dst, src, here);
		dst += here;
		gpa += here;
		len -= here;
	}
	return 0;
}

/* Each entry is read once into private memory and only then used (S-1, S-4). Entries are linked,
 * and the walk takes as many steps as there are entries at most, so that a guest that changes the
 * links meanwhile ends it no later (S-3). */
static int
add_linked(struct chain_walk *walk, const struct vring_desc *table, uint32_t nb)
{
	uint32_t at = 0;

	for (uint32_t steps = 0; steps < nb; steps++) {
		const struct ring_desc d = ring_desc_load(&table[at]);
		uint16_t flags = d.third;

		if (unlikely(flags & VRING_DESC_F_INDIRECT)) {
			return -EPROTO;
		}
		int err = chain_add(walk, d.addr, d.len, flags & VRING_DESC_F_WRITE);

		if (unlikely(err != 0) || !(flags & VRING_DESC_F_NEXT)) {
			return err;
		}
		at = d.last;
		if (unlikely(at >= nb)) {
			return -EINVAL;
		}
	}
	return -ELOOP;
}

/* Entries follow each other; all flags but WRITE are reserved, INDIRECT is refused. */
static int
add_consecutive(struct chain_walk *walk, const struct vring_desc *table, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++) {
		const struct ring_desc d = ring_desc_load(&table[i]);
		uint16_t flags = d.last;

		if (unlikely(flags & VRING_DESC_F_INDIRECT)) {
			return -EPROTO;
		}
		int err = chain_add(walk, d.addr, d.len, flags & VRING_DESC_F_WRITE);

		if (unlikely(err != 0)) {
			return err;
		}
	}
	return 0;
}

static int
add_table(struct chain_walk *walk, const struct vring_desc *table, uint32_t nb)
{
	return walk->vq->packed ? add_consecutive(walk, table, nb) : add_linked(walk, table, nb);
}

/* In more than one piece, or not where two loads read an entry. */
static int
add_scattered_table(struct chain_walk *walk, uint64_t gpa, uint32_t len)
{
	_Alignas(16) struct vring_desc table[CHAIN_MAX_TABLE];
	int err = copy_table(walk, (char *)table, gpa, len);

	return err != 0 ? err : add_table(walk, table, len / sizeof(table[0]));
}

int
chain_add_table(struct chain_walk *walk, uint64_t gpa, uint32_t len)
{
	struct virtq *vq = walk->vq;
	uint64_t here = len;
	const void *table;

	if (unlikely(!vq->indirect)) {
		return -EPROTO;
	}
	if (unlikely(len == 0 || len % sizeof(struct vring_desc) != 0 || len > MAX_TABLE_BYTES)) {
		return -EINVAL;
	}
	table = guest_mem_translate(vq->mem, &vq->mem_hint, gpa, &here);
	if (unlikely(table == NULL)) {
		return -EFAULT;
	}
	walk->chain->table = table;
	if (unlikely(COPY_ALWAYS || here < len || (uintptr_t)table % sizeof(uint64_t) != 0)) {
		return add_scattered_table(walk, gpa, len);
	}
	return add_table(walk, table, len / sizeof(struct vring_desc));
}
