/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the split ring (virtio 2.7). Indices are free-running u16 and compared by subtraction. */
#include "base/util.h"
#include "virtq/chain.h"

#define SPLIT_PERIOD 65536u

static uint16_t *
used_event(const struct virtq *vq)
{
	struct vring_avail *avail = vq->driver;

	return &avail->ring[vq->size];
}

static uint16_t *
avail_event(const struct virtq *vq)
{
	struct vring_used *used = vq->device;

	return (uint16_t *)&used->ring[vq->size];
}

int
virtq_split_start(struct virtq *vq, const struct virtq_config *config)
{
	if (!is_power_of_2(config->size) || (uintptr_t)config->desc % 16 != 0 ||
		(uintptr_t)config->driver % 2 != 0 || (uintptr_t)config->device % 4 != 0) {
		return -EINVAL;
	}
	vq->avail_idx = config->avail_base;
	vq->avail_shadow = config->avail_base;
	vq->used_idx = config->used_base;
	vq->used_flushed = config->used_base;
	vq->signalled_idx = config->used_base;
	/* A ring that goes on from elsewhere may hold used entries nobody signalled. */
	vq->signalled_valid = config->used_base == 0;
	return 0;
}

static int
walk_chain(struct virtq *vq, struct virtq_chain *chain)
{
	const struct vring_desc *table = vq->desc;
	struct chain_walk walk;
	uint16_t at = chain->id;

	chain_begin(&walk, vq, chain);
	for (uint32_t nb = 1; nb <= vq->size; nb++) {
		struct ring_desc d = ring_desc_load(&table[at]);
		uint16_t flags = d.third;

		chain->nb_slots = nb;
		if (flags & VRING_DESC_F_INDIRECT) {
			if (unlikely(flags & VRING_DESC_F_NEXT)) {
				return -EPROTO;
			}
			return chain_add_table(&walk, d.addr, d.len);
		}
		int err = chain_add(&walk, d.addr, d.len, flags & VRING_DESC_F_WRITE);

		if (unlikely(err != 0) || !(flags & VRING_DESC_F_NEXT)) {
			return err;
		}
		at = d.last;
		if (unlikely(at >= vq->size)) {
			return -EINVAL;
		}
	}
	return -ELOOP;
}

/* How many chains are there to take, at most nb; the only acquire of the burst. */
static unsigned int
look(struct virtq *vq, unsigned int nb)
{
	const struct vring_avail *avail = vq->driver;
	uint16_t nb_avail = vq->avail_shadow - vq->avail_idx;

	if (nb_avail < nb) {
		vq->avail_shadow = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE);
		nb_avail = vq->avail_shadow - vq->avail_idx;
		if (unlikely(nb_avail > vq->size)) {
			ring_give_up(vq, VIRTQ_AVAIL_JUMPED);
			return 0;
		}
	}
	return MIN(nb, nb_avail);
}

static uint16_t
load_head(const struct virtq *vq, uint16_t idx)
{
	const struct vring_avail *avail = vq->driver;

	return __atomic_load_n(&avail->ring[idx & (vq->size - 1)], __ATOMIC_RELAXED);
}

unsigned int
virtq_split_pop(
	struct virtq *vq, struct virtq_chain **chains, unsigned int nb, enum chain_habit habit)
{
	const struct vring_desc *table = vq->desc;
	unsigned int todo = look(vq, nb);
	unsigned int nb_popped = 0;
	uint16_t head;

	if (todo == 0) {
		return 0;
	}
	if (habit == CHAIN_RETURNS) {
		__builtin_prefetch(&table[chains[0]->id & (vq->size - 1)]);
		chain_predict(chains[0]);
	}
	head = load_head(vq, vq->avail_idx);
	while (todo > 0) {
		struct virtq_chain *chain = chains[nb_popped];

		if (unlikely(head >= vq->size)) {
			ring_give_up(vq, VIRTQ_BAD_HEAD);
			break;
		}
		chain->id = head;
		vq->avail_idx++;
		if (--todo > 0) {
			head = load_head(vq, vq->avail_idx);
			__builtin_prefetch(&table[head & (vq->size - 1)]);
		}
		if (likely(walk_chain(vq, chain) == 0)) {
			nb_popped++;
		} else {
			ring_count(&vq->stats.nb_bad_chain, 1);
			virtq_split_push(vq, chain, 0);
		}
	}
	return nb_popped;
}

bool
virtq_split_peek(const struct virtq *vq, struct ring_desc *desc, uint16_t *flags)
{
	const struct vring_desc *table = vq->desc;
	uint16_t head;

	if (!virtq_split_has_work(vq)) {
		return false;
	}
	head = load_head(vq, vq->avail_idx);
	if (unlikely(head >= vq->size)) {
		return false;
	}
	*desc = ring_desc_load(&table[head]);
	*flags = desc->third;
	return true;
}

const void *
virtq_split_slot(const struct virtq *vq)
{
	const struct vring_avail *avail = vq->driver;

	return &avail->ring[vq->avail_idx & (vq->size - 1)];
}

bool
virtq_split_has_work(const struct virtq *vq)
{
	const struct vring_avail *avail = vq->driver;

	return vq->avail_shadow != vq->avail_idx ||
	       __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) != vq->avail_idx;
}

struct virtq_look
virtq_split_look(const struct virtq *vq)
{
	const struct vring_avail *avail = vq->driver;

	return (struct virtq_look){.word = &avail->idx, .mask = UINT16_MAX, .value = vq->avail_idx};
}

uint16_t
virtq_split_nb_available(const struct virtq *vq, uint16_t max)
{
	const struct vring_avail *avail = vq->driver;
	uint16_t nb = __atomic_load_n(&avail->idx, __ATOMIC_ACQUIRE) - vq->avail_idx;

	return MIN(nb, max);
}

void
virtq_split_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written)
{
	struct vring_used *used = vq->device;
	struct vring_used_elem *elem = &used->ring[vq->used_idx & (vq->size - 1)];

	elem->id = chain->id;
	elem->len = written;
	vq->used_idx++;
	vq->nb_unflushed++;
}

void
virtq_split_flush(struct virtq *vq)
{
	struct vring_used *used = vq->device;

	__atomic_store_n(&used->idx, vq->used_idx, __ATOMIC_RELEASE);
	vq->used_flushed = vq->used_idx;
}

bool
virtq_split_call_wanted(struct virtq *vq)
{
	const struct vring_avail *avail = vq->driver;
	uint16_t old = vq->signalled_idx;
	bool valid = vq->signalled_valid;

	vq->signalled_idx = vq->used_flushed;
	vq->signalled_valid = true;
	if (!vq->event_idx) {
		uint16_t flags = __atomic_load_n(&avail->flags, __ATOMIC_RELAXED);

		return !(flags & VRING_AVAIL_F_NO_INTERRUPT);
	}
	uint16_t event = __atomic_load_n(used_event(vq), __ATOMIC_RELAXED);

	return unlikely(!valid) || ring_event_crossed(event, vq->used_flushed, old, SPLIT_PERIOD);
}

void
virtq_split_want_kicks(struct virtq *vq, bool wanted)
{
	struct vring_used *used = vq->device;

	if (vq->event_idx) {
		/* Just passed: the driver reaches it again in 65535 chains, a kick we ignore. */
		uint16_t event = wanted ? vq->avail_idx : vq->avail_idx - 1;

		__atomic_store_n(&used->flags, 0, __ATOMIC_RELAXED);
		__atomic_store_n(avail_event(vq), event, __ATOMIC_RELAXED);
	} else {
		uint16_t flags = wanted ? 0 : VRING_USED_F_NO_NOTIFY;

		__atomic_store_n(&used->flags, flags, __ATOMIC_RELAXED);
	}
}
