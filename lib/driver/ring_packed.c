/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver side of a packed virtqueue (virtio 1.4, 2.8). HOT. */
#include <errno.h>

#include "base/compiler.h"
#include "driver/ring.h"

#define PACKED_AVAIL (1U << 7)
#define PACKED_USED  (1U << 15)

#define EVENT_ENABLE  0
#define EVENT_DISABLE 1
#define EVENT_DESC    2

static inline uint16_t
avail_flags(const struct ring *r)
{
	return r->avail_wrap ? PACKED_AVAIL : PACKED_USED;
}

static inline void
avail_advance(struct ring *r)
{
	if (++r->avail == r->size) {
		r->avail = 0;
		r->avail_wrap = !r->avail_wrap;
	}
}

/* Everything but the flags, which make a descriptor visible. */
static void
desc_write(struct ring_desc *d, const struct ring_buf *buf, uint16_t id)
{
	d->addr = buf->gpa;
	d->len = buf->len;
	d->packed.id = id;
}

static void
table_write(const struct ring_chain *chain, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		desc_write(&chain->table[i], &chain->bufs[i], 0);
		chain->table[i].packed.flags = i >= chain->nb_read ? RING_DESC_WRITE : 0;
	}
}

/* The flags of the first descriptor go last: they publish the chain. */
static void
direct_write(struct ring *r, const struct ring_chain *chain, unsigned int nb, uint16_t id)
{
	struct ring_desc *head = &r->p.desc[r->avail];
	uint16_t head_flags = 0;

	for (unsigned int i = 0; i < nb; i++) {
		struct ring_desc *d = &r->p.desc[r->avail];
		uint16_t flags =
			(uint16_t)(avail_flags(r) | (i >= chain->nb_read ? RING_DESC_WRITE : 0) |
				   (i + 1 < nb ? RING_DESC_NEXT : 0));

		desc_write(d, &chain->bufs[i], id);
		if (i == 0) {
			head_flags = flags;
		} else {
			d->packed.flags = flags;
		}
		avail_advance(r);
	}
	__atomic_store_n(&head->packed.flags, head_flags, __ATOMIC_RELEASE);
}

static void
indirect_write(struct ring *r, const struct ring_chain *chain, unsigned int nb, uint16_t id)
{
	struct ring_buf table = {chain->table_gpa, nb * (uint32_t)sizeof(*chain->table)};
	struct ring_desc *d = &r->p.desc[r->avail];
	uint16_t flags = (uint16_t)(avail_flags(r) | RING_DESC_INDIRECT);

	table_write(chain, nb);
	desc_write(d, &table, id);
	avail_advance(r);
	__atomic_store_n(&d->packed.flags, flags, __ATOMIC_RELEASE);
}

int
ring_packed_add(struct ring *r, const struct ring_chain *chain)
{
	unsigned int nb = chain->nb_read + chain->nb_write;
	bool indirect = r->indirect && nb > 1 && chain->table != NULL;
	unsigned int need = indirect ? 1 : nb;
	uint16_t id = r->free_id;

	if (unlikely(r->broken)) {
		return -EIO;
	}
	if (unlikely(nb == 0 || need > r->size)) {
		return -ENOSPC;
	}
	if (unlikely(need > r->nb_free)) {
		return -EAGAIN;
	}
	r->free_id = r->flight[id].next;
	r->nb_free -= (uint16_t)need;
	r->flight[id].token = chain->token;
	r->flight[id].nb_descs = (uint16_t)need;
	r->nb_unkicked += (uint16_t)need;
	if (indirect) {
		indirect_write(r, chain, nb, id);
	} else {
		direct_write(r, chain, nb, id);
	}
	return 0;
}

static inline bool
desc_is_used(const struct ring *r, uint16_t flags)
{
	bool avail = (flags & PACKED_AVAIL) != 0;
	bool used = (flags & PACKED_USED) != 0;

	return avail == used && used == r->used_wrap;
}

int
ring_packed_pop(struct ring *r, uint16_t *token, uint32_t *len)
{
	struct ring_desc *d = &r->p.desc[r->used];
	uint16_t flags = __atomic_load_n(&d->packed.flags, __ATOMIC_ACQUIRE);
	uint16_t id;

	if (likely(!desc_is_used(r, flags)) || unlikely(r->broken)) {
		return 0;
	}
	id = __atomic_load_n(&d->packed.id, __ATOMIC_RELAXED);
	if (unlikely(id >= r->size || r->flight[id].nb_descs == 0)) {
		r->nb_bad_id++;
		r->broken = true;
		return 0;
	}
	/* Without WRITE the length means nothing. */
	*len = (flags & RING_DESC_WRITE) ? __atomic_load_n(&d->len, __ATOMIC_RELAXED) : 0;
	*token = r->flight[id].token;
	r->used += r->flight[id].nb_descs;
	if (r->used >= r->size) {
		r->used -= r->size;
		r->used_wrap = !r->used_wrap;
	}
	r->nb_free += r->flight[id].nb_descs;
	r->flight[id].nb_descs = 0;
	r->flight[id].next = r->free_id;
	r->free_id = id;
	return 1;
}

bool
ring_packed_need_kick(struct ring *r)
{
	uint16_t old = (uint16_t)(r->avail - r->nb_unkicked);
	uint32_t word;
	uint16_t off_wrap, flags, event;

	r->nb_unkicked = 0;
	/* Published before the device's wish is read, or both sides could wait. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	word = __atomic_load_n((uint32_t *)(void *)r->p.device, __ATOMIC_RELAXED);
	off_wrap = (uint16_t)word;
	flags = (uint16_t)(word >> 16) & 3;
	if (flags != EVENT_DESC || !r->event_idx) {
		return flags != EVENT_DISABLE;
	}
	event = off_wrap & 0x7fff;
	if ((off_wrap >> 15) != (r->avail_wrap ? 1 : 0)) {
		event = (uint16_t)(event - r->size);
	}
	return ring_crossed(event, r->avail, old);
}

bool
ring_packed_arm(struct ring *r)
{
	uint16_t flags;

	r->armed = true;
	if (r->event_idx) {
		__atomic_store_n(&r->p.driver->off_wrap,
			(uint16_t)(r->used | (r->used_wrap ? 1U << 15 : 0)), __ATOMIC_RELAXED);
	}
	/* The position is there before it counts. */
	__atomic_store_n(
		&r->p.driver->flags, r->event_idx ? EVENT_DESC : EVENT_ENABLE, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	flags = __atomic_load_n(&r->p.desc[r->used].packed.flags, __ATOMIC_RELAXED);
	return !desc_is_used(r, flags);
}

void
ring_packed_disarm(struct ring *r)
{
	r->armed = false;
	__atomic_store_n(&r->p.driver->flags, EVENT_DISABLE, __ATOMIC_RELAXED);
}
