/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: indirect tables; a Linux driver uses one for nearly every command. */
#include <string.h>

#include "virtq/chain.h"

#ifdef VMEDIA_PLANT_RING
/* Planted defect for the ring fuzzer: no upper bound, the copy leaves its array. */
#define MAX_TABLE_BYTES UINT32_MAX
#else
#define MAX_TABLE_BYTES (CHAIN_MAX_TABLE * sizeof(struct ring_desc))
#endif

/* The table may span regions; after the copy nobody can change it any more (S-1, S-4). */
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
		walk->chain->table = src;
		memcpy(dst, src, here);
		dst += here;
		gpa += here;
		len -= here;
	}
	return 0;
}

/* Entries are linked, and the walk takes as many steps as there are entries at most (S-3). */
static int
add_linked(struct chain_walk *walk, const struct ring_desc *table, uint32_t nb)
{
	uint32_t at = 0;

	for (uint32_t steps = 0; steps < nb; steps++) {
		const struct ring_desc *d = &table[at];
		uint16_t flags = d->third;

		if (unlikely(flags & VRING_DESC_F_INDIRECT)) {
			return -EPROTO;
		}
		int err = chain_add(walk, d->addr, d->len, flags & VRING_DESC_F_WRITE);

		if (unlikely(err != 0) || !(flags & VRING_DESC_F_NEXT)) {
			return err;
		}
		at = d->last;
		if (unlikely(at >= nb)) {
			return -EINVAL;
		}
	}
	return -ELOOP;
}

/* Entries follow each other; all flags but WRITE are reserved, INDIRECT is refused. */
static int
add_consecutive(struct chain_walk *walk, const struct ring_desc *table, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++) {
		uint16_t flags = table[i].last;

		if (unlikely(flags & VRING_DESC_F_INDIRECT)) {
			return -EPROTO;
		}
		int err = chain_add(walk, table[i].addr, table[i].len, flags & VRING_DESC_F_WRITE);

		if (unlikely(err != 0)) {
			return err;
		}
	}
	return 0;
}

int
chain_add_table(struct chain_walk *walk, uint64_t gpa, uint32_t len)
{
	struct ring_desc table[CHAIN_MAX_TABLE];
	struct virtq *vq = walk->vq;

	if (unlikely(!vq->indirect)) {
		return -EPROTO;
	}
	if (unlikely(len == 0 || len % sizeof(table[0]) != 0 || len > MAX_TABLE_BYTES)) {
		return -EINVAL;
	}
	int err = copy_table(walk, (char *)table, gpa, len);

	if (unlikely(err != 0)) {
		return err;
	}
	uint32_t nb = len / sizeof(table[0]);

	return vq->packed ? add_consecutive(walk, table, nb) : add_linked(walk, table, nb);
}
