/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. Private to the room: what split and packed have in common, and what each of them offers to
 * the dispatch in virtq.c.
 *
 * Rings are little-endian on every machine (virtio 1.4); so are the hosts vmedia runs on, which
 * the assertion below keeps true.
 */
#ifndef VMEDIA_VIRTQ_RING_H
#define VMEDIA_VIRTQ_RING_H

#include <linux/virtio_ring.h>

#include "virtq/virtq.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are read without byte swapping");

/* A descriptor in private memory. Both formats keep 16 bytes: addr, len and two u16. */
struct ring_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t third; /* split: flags; packed: buffer id */
	uint16_t last;  /* split: next; packed: flags */
};

/* Each byte of the slot is read once (S-1): two 8-byte loads, slot is 16-byte aligned. */
static inline struct ring_desc
ring_desc_load(const void *slot)
{
	const uint64_t *words = slot;
	uint64_t addr = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
	uint64_t rest = __atomic_load_n(&words[1], __ATOMIC_RELAXED);

	return (struct ring_desc){
		.addr = addr,
		.len = (uint32_t)rest,
		.third = (uint16_t)(rest >> 32),
		.last = (uint16_t)(rest >> 48),
	};
}

/*
 * EVENT_IDX: did the used position, moving from old to new_pos, pass `event`? All three below
 * `period`, which is where positions start over: 65536 (split), twice the ring size (packed).
 */
static inline bool
ring_event_crossed(uint32_t event, uint32_t new_pos, uint32_t old, uint32_t period)
{
	uint32_t moved = new_pos >= old ? new_pos - old : new_pos + period - old;
	uint32_t behind = new_pos > event ? new_pos - event - 1 : new_pos + period - event - 1;

	return behind < moved;
}

/* Single writer; telemetry reads relaxed. */
static inline void
ring_count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* The ring cannot be trusted: it is not touched again before the next start. */
static inline void
ring_give_up(struct virtq *vq, enum virtq_broken why)
{
	vq->broken = why;
	ring_count(&vq->stats.nb_broken, 1);
}

/* -EINVAL: size, alignment or base of this format. */
int virtq_split_start(struct virtq *vq, const struct virtq_config *config);
int virtq_packed_start(struct virtq *vq, const struct virtq_config *config);

/* The coding of avail_base. */
uint16_t virtq_packed_base(const struct virtq *vq);
uint16_t virtq_packed_used_base(const struct virtq *vq);

/* Where a driver's next chain lies. */
enum chain_habit {
	CHAIN_RETURNS, /* most often where the last one was that had its slot */
	CHAIN_ROTATES  /* elsewhere */
};
unsigned int virtq_split_pop(
	struct virtq *vq, struct virtq_chain **chains, unsigned int nb, enum chain_habit habit);
unsigned int virtq_packed_pop(
	struct virtq *vq, struct virtq_chain **chains, unsigned int nb, enum chain_habit habit);

bool virtq_split_has_work(const struct virtq *vq);
bool virtq_packed_has_work(const struct virtq *vq);
struct virtq_look virtq_split_look(const struct virtq *vq);
struct virtq_look virtq_packed_look(const struct virtq *vq);
uint16_t virtq_split_nb_available(const struct virtq *vq, uint16_t max);
uint16_t virtq_packed_nb_available(const struct virtq *vq, uint16_t max);

/* What is read first of the next chain. */
const void *virtq_split_slot(const struct virtq *vq);
const void *virtq_packed_slot(const struct virtq *vq);

/* A look at the head of the next chain; false: there is none. */
bool virtq_split_peek(const struct virtq *vq, struct ring_desc *desc, uint16_t *flags);
bool virtq_packed_peek(const struct virtq *vq, struct ring_desc *desc, uint16_t *flags);

void virtq_split_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written);
void virtq_packed_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written);

/* Only with something pushed since the last one. */
void virtq_split_flush(struct virtq *vq);
void virtq_packed_flush(struct virtq *vq);

/* After a full fence: does the driver want to hear of the move from signalled_idx? Moves it. */
bool virtq_split_call_wanted(struct virtq *vq);
bool virtq_packed_call_wanted(struct virtq *vq);

/* Writes the suppression field; the caller fences behind it. */
void virtq_split_want_kicks(struct virtq *vq, bool wanted);
void virtq_packed_want_kicks(struct virtq *vq, bool wanted);

#endif
