/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the packed ring (virtio 2.8). A position is a slot and a wrap counter. */
#include "virtq/chain.h"

#define PACKED_AVAIL    (1u << VRING_PACKED_DESC_F_AVAIL)
#define PACKED_USED     (1u << VRING_PACKED_DESC_F_USED)
#define PACKED_WRAP_BIT 15
#define PACKED_OFF_MASK ((1u << PACKED_WRAP_BIT) - 1)

static void
advance(const struct virtq *vq, uint16_t *slot, bool *wrap, uint16_t nb)
{
	uint32_t next = (uint32_t)*slot + nb;

	if (next >= vq->size) {
		next -= vq->size;
		*wrap = !*wrap;
	}
	*slot = next;
}

static uint16_t
encode(uint16_t slot, bool wrap)
{
	return slot | (uint16_t)(wrap << PACKED_WRAP_BIT);
}

/* Slots of two laps in a row; the wrap counter is 1 in the first of them. */
static uint32_t
position(const struct virtq *vq, uint16_t coded)
{
	return (coded & PACKED_OFF_MASK) + (coded >> PACKED_WRAP_BIT ? 0 : vq->size);
}

int
virtq_packed_start(struct virtq *vq, const struct virtq_config *config)
{
	uint16_t avail = config->avail_base & PACKED_OFF_MASK;
	uint16_t used = config->used_base & PACKED_OFF_MASK;

	if ((uintptr_t)config->desc % 16 != 0 || (uintptr_t)config->driver % 4 != 0 ||
		(uintptr_t)config->device % 4 != 0 || avail >= config->size ||
		used >= config->size) {
		return -EINVAL;
	}
	vq->avail_idx = avail;
	vq->avail_wrap = config->avail_base >> PACKED_WRAP_BIT;
	vq->used_idx = used;
	vq->used_wrap = config->used_base >> PACKED_WRAP_BIT;
	vq->used_flushed = used;
	vq->used_flushed_wrap = vq->used_wrap;
	vq->signalled_idx = config->used_base;
	/* A ring that goes on from elsewhere may hold used descriptors nobody signalled. */
	vq->signalled_valid = config->used_base == encode(0, true);
	return 0;
}

uint16_t
virtq_packed_base(const struct virtq *vq)
{
	return encode(vq->avail_idx, vq->avail_wrap);
}

uint16_t
virtq_packed_used_base(const struct virtq *vq)
{
	return encode(vq->used_idx, vq->used_wrap);
}

/* Acquires a slot; true when it is available in the lap of that wrap counter. */
static bool
acquire(const struct virtq *vq, uint16_t slot, bool wrap, uint16_t *flags)
{
	const struct vring_packed_desc *ring = vq->desc;

	*flags = __atomic_load_n(&ring[slot].flags, __ATOMIC_ACQUIRE);
	return !!(*flags & PACKED_AVAIL) == wrap && !!(*flags & PACKED_USED) != wrap;
}

/* The slot next to take. */
static bool
look(const struct virtq *vq, uint16_t *flags)
{
	return acquire(vq, vq->avail_idx, vq->avail_wrap, flags);
}

static int
add(struct chain_walk *walk, const struct ring_desc *d, uint16_t flags)
{
	if (flags & VRING_DESC_F_INDIRECT) {
		if (unlikely(flags & VRING_DESC_F_NEXT)) {
			return -EPROTO;
		}
		return chain_add_table(walk, d->addr, d->len);
	}
	return chain_add(walk, d->addr, d->len, flags & VRING_DESC_F_WRITE);
}

/*
 * Takes the chain whose head has these flags. The id stands in its last descriptor, so even a bad
 * chain is walked to its end. Gives the ring up when there is no end.
 */
static int
walk_chain(struct virtq *vq, struct virtq_chain *chain, uint16_t flags)
{
	const struct vring_packed_desc *ring = vq->desc;
	struct chain_walk walk;
	uint16_t slot = vq->avail_idx;
	int err = 0;

	chain_begin(&walk, vq, chain);
	for (uint32_t nb = 1; nb <= vq->size; nb++) {
		struct ring_desc d = ring_desc_load(&ring[slot]);

		/* The head's flags are those acquired, not a second look at them. */
		flags = nb == 1 ? flags : d.last;
		if (likely(err == 0)) {
			err = add(&walk, &d, flags);
		}
		if (!(flags & VRING_DESC_F_NEXT)) {
			chain->id = d.third;
			chain->nb_slots = nb;
			advance(vq, &vq->avail_idx, &vq->avail_wrap, nb);
			return err;
		}
		slot = slot + 1 < vq->size ? slot + 1 : 0;
	}
	ring_give_up(vq, VIRTQ_ENDLESS);
	return -ELOOP;
}

unsigned int
virtq_packed_pop(
	struct virtq *vq, struct virtq_chain **chains, unsigned int nb, enum chain_habit habit)
{
	const struct vring_packed_desc *ring = vq->desc;
	unsigned int nb_popped = 0;
	uint16_t flags;

	if (habit == CHAIN_RETURNS && nb > 0 && look(vq, &flags)) {
		chain_predict(chains[0]);
	}
	for (unsigned int todo = nb; todo > 0 && look(vq, &flags); todo--) {
		struct virtq_chain *chain = chains[nb_popped];

		__builtin_prefetch(&ring[vq->avail_idx] + 4);
		if (likely(walk_chain(vq, chain, flags) == 0)) {
			nb_popped++;
			continue;
		}
		if (vq->broken) {
			break;
		}
		ring_count(&vq->stats.nb_bad_chain, 1);
		virtq_packed_push(vq, chain, 0);
	}
	return nb_popped;
}

bool
virtq_packed_peek(const struct virtq *vq, struct ring_desc *desc, uint16_t *flags)
{
	const struct vring_packed_desc *ring = vq->desc;

	if (!look(vq, flags)) {
		return false;
	}
	*desc = ring_desc_load(&ring[vq->avail_idx]);
	return true;
}

const void *
virtq_packed_slot(const struct virtq *vq)
{
	return (const struct vring_packed_desc *)vq->desc + vq->avail_idx;
}

bool
virtq_packed_has_work(const struct virtq *vq)
{
	uint16_t flags;

	return look(vq, &flags);
}

struct virtq_look
virtq_packed_look(const struct virtq *vq)
{
	const struct vring_packed_desc *ring = vq->desc;

	return (struct virtq_look){
		.word = &ring[vq->avail_idx].flags,
		.mask = PACKED_AVAIL | PACKED_USED,
		.value = vq->avail_wrap ? PACKED_AVAIL : PACKED_USED,
		.until_equal = true,
	};
}

uint16_t
virtq_packed_nb_available(const struct virtq *vq, uint16_t max)
{
	uint16_t slot = vq->avail_idx;
	bool wrap = vq->avail_wrap;
	uint16_t flags;
	uint16_t nb = 0;

	while (nb < max && nb < vq->size && acquire(vq, slot, wrap, &flags)) {
		advance(vq, &slot, &wrap, 1);
		nb++;
	}
	return nb;
}

void
virtq_packed_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written)
{
	struct vring_packed_desc *desc = (struct vring_packed_desc *)vq->desc + vq->used_idx;
	uint16_t flags = vq->used_wrap ? PACKED_AVAIL | PACKED_USED : 0;

	if (written > 0) {
		flags |= VRING_DESC_F_WRITE;
	}
	desc->id = chain->id;
	desc->len = written;
	/* The driver looks at the first of the burst before all others: it opens them all. */
	if (vq->nb_unflushed++ == 0) {
		vq->held_flags = flags;
	} else {
		__atomic_store_n(&desc->flags, flags, __ATOMIC_RELAXED);
	}
	advance(vq, &vq->used_idx, &vq->used_wrap, chain->nb_slots);
}

void
virtq_packed_flush(struct virtq *vq)
{
	struct vring_packed_desc *ring = vq->desc;

	__atomic_store_n(&ring[vq->used_flushed].flags, vq->held_flags, __ATOMIC_RELEASE);
	vq->used_flushed = vq->used_idx;
	vq->used_flushed_wrap = vq->used_wrap;
}

bool
virtq_packed_call_wanted(struct virtq *vq)
{
	uint16_t old = vq->signalled_idx;
	bool valid = vq->signalled_valid;
	/* Both halves in one load: off_wrap below, flags above. */
	uint32_t event = __atomic_load_n((const uint32_t *)vq->driver, __ATOMIC_ACQUIRE);
	uint16_t off_wrap = event;
	uint16_t flags = event >> 16;

	vq->signalled_idx = encode(vq->used_flushed, vq->used_flushed_wrap);
	vq->signalled_valid = true;
	if (flags == VRING_PACKED_EVENT_FLAG_DISABLE) {
		return false;
	}
	/* Nonsense is answered with a notification too many rather than one too few. */
	if (flags != VRING_PACKED_EVENT_FLAG_DESC || !vq->event_idx || !valid ||
		(off_wrap & PACKED_OFF_MASK) >= vq->size) {
		return true;
	}
	return ring_event_crossed(position(vq, off_wrap), position(vq, vq->signalled_idx),
		position(vq, old), 2u * vq->size);
}

void
virtq_packed_want_kicks(struct virtq *vq, bool wanted)
{
	uint32_t event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

	if (wanted && vq->event_idx) {
		event = virtq_packed_base(vq) | VRING_PACKED_EVENT_FLAG_DESC << 16;
	} else if (wanted) {
		event = VRING_PACKED_EVENT_FLAG_ENABLE << 16;
	}
	__atomic_store_n((uint32_t *)vq->device, event, __ATOMIC_RELEASE);
}
