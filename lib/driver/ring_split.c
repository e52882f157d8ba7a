/* SPDX-License-Identifier: BSD-3-Clause */
/* Driver side of a split virtqueue (virtio 1.4, 2.7). HOT. */
#include <errno.h>

#include "base/compiler.h"
#include "driver/ring.h"

/* While polling, used_event stays half the number space ahead and follows in steps of this. */
#define USED_EVENT_AHEAD 0x8000
#define USED_EVENT_STEP  0x1000

static inline void
store16(uint16_t *p, uint16_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELAXED);
}

static inline uint16_t
load16(const uint16_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static inline uint16_t *
used_event(struct ring *r)
{
	return &r->s.avail->ring[r->size];
}

/* avail_event lies behind the used elements. */
static inline uint16_t *
avail_event(struct ring *r)
{
	return (uint16_t *)(void *)&r->s.used->ring[r->size];
}

static void
desc_write(struct ring_desc *d, const struct ring_buf *buf, uint16_t flags, uint16_t next)
{
	d->addr = buf->gpa;
	d->len = buf->len;
	d->split.flags = flags;
	d->split.next = next;
}

static void
table_write(const struct ring_chain *chain, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		uint16_t flags = (uint16_t)((i >= chain->nb_read ? RING_DESC_WRITE : 0) |
					    (i + 1 < nb ? RING_DESC_NEXT : 0));

		desc_write(&chain->table[i], &chain->bufs[i], flags,
			(uint16_t)(i + 1 < nb ? i + 1 : 0));
	}
}

/* Takes descriptors from the free list, whose links live in private memory. */
static uint16_t
direct_write(struct ring *r, const struct ring_chain *chain, unsigned int nb)
{
	uint16_t id = r->free_id;

	for (unsigned int i = 0; i < nb; i++) {
		uint16_t next = r->flight[id].next;
		uint16_t flags = (uint16_t)((i >= chain->nb_read ? RING_DESC_WRITE : 0) |
					    (i + 1 < nb ? RING_DESC_NEXT : 0));

		desc_write(&r->s.desc[id], &chain->bufs[i], flags, i + 1 < nb ? next : 0);
		id = next;
	}
	return id;
}

int
ring_split_add(struct ring *r, const struct ring_chain *chain)
{
	unsigned int nb = chain->nb_read + chain->nb_write;
	bool indirect = r->indirect && nb > 1 && chain->table != NULL;
	unsigned int need = indirect ? 1 : nb;
	uint16_t head = r->free_id;

	if (unlikely(r->broken)) {
		return -EIO;
	}
	if (unlikely(nb == 0 || need > r->size)) {
		return -ENOSPC;
	}
	if (unlikely(need > r->nb_free)) {
		return -EAGAIN;
	}
	if (indirect) {
		struct ring_buf table = {chain->table_gpa, nb * (uint32_t)sizeof(*chain->table)};

		table_write(chain, nb);
		desc_write(&r->s.desc[head], &table, RING_DESC_INDIRECT, 0);
		r->free_id = r->flight[head].next;
	} else {
		r->free_id = direct_write(r, chain, nb);
	}
	r->nb_free -= (uint16_t)need;
	r->flight[head].token = chain->token;
	r->flight[head].nb_descs = (uint16_t)need;
	store16(&r->s.avail->ring[r->avail & r->mask], head);
	r->avail++;
	r->nb_unkicked++;
	__atomic_store_n(&r->s.avail->idx, r->avail, __ATOMIC_RELEASE);
	return 0;
}

static void
flight_free(struct ring *r, uint16_t head)
{
	uint16_t last = head;

	for (uint16_t i = 1; i < r->flight[head].nb_descs; i++) {
		last = r->flight[last].next;
	}
	r->nb_free += r->flight[head].nb_descs;
	r->flight[head].nb_descs = 0;
	r->flight[last].next = r->free_id;
	r->free_id = head;
}

int
ring_split_pop(struct ring *r, uint16_t *token, uint32_t *len)
{
	uint16_t idx = __atomic_load_n(&r->s.used->idx, __ATOMIC_ACQUIRE);
	uint16_t pending = (uint16_t)(idx - r->used);

	if (likely(pending == 0)) {
		return 0;
	}
	if (unlikely(pending > r->size || r->broken)) {
		r->nb_bad_index += !r->broken;
		r->broken = true;
		return 0;
	}
	while (pending-- > 0) {
		struct ring_used_elem *elem = &r->s.used->ring[r->used & r->mask];
		uint32_t id = __atomic_load_n(&elem->id, __ATOMIC_RELAXED);

		r->used++;
		if (unlikely(id >= r->size || r->flight[id].nb_descs == 0)) {
			r->nb_bad_id++;
			continue;
		}
		*len = __atomic_load_n(&elem->len, __ATOMIC_RELAXED);
		*token = r->flight[id].token;
		flight_free(r, (uint16_t)id);
		if (unlikely((uint16_t)(r->used - r->used_event_mark) >= USED_EVENT_STEP) &&
			!r->armed) {
			ring_split_disarm(r);
		}
		return 1;
	}
	return 0;
}

bool
ring_split_need_kick(struct ring *r)
{
	uint16_t old = (uint16_t)(r->avail - r->nb_unkicked);

	r->nb_unkicked = 0;
	/* The index is out before the device's wish is read, or both sides could wait. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (r->event_idx) {
		return ring_crossed(load16(avail_event(r)), r->avail, old);
	}
	return (load16(&r->s.used->flags) & 1) == 0;
}

bool
ring_split_arm(struct ring *r)
{
	r->armed = true;
	if (r->event_idx) {
		store16(used_event(r), r->used);
	} else {
		store16(&r->s.avail->flags, 0);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(&r->s.used->idx) == r->used;
}

void
ring_split_disarm(struct ring *r)
{
	r->armed = false;
	r->used_event_mark = r->used;
	if (r->event_idx) {
		store16(used_event(r), (uint16_t)(r->used + USED_EVENT_AHEAD));
	} else {
		store16(&r->s.avail->flags, 1);
	}
}
