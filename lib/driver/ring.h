/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Driver side of a virtqueue, split or packed (virtio 1.4, 2.7 and 2.8). HOT.
 *
 * The ring's own state is private; of the shared memory only three things are ever read: the used
 * index or flags, the used element, and the device's suppression field, each once. Descriptors are
 * written and never read back, so a device that scribbles over them harms itself alone.
 */
#ifndef VMEDIA_DRIVER_RING_H
#define VMEDIA_DRIVER_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "driver/memory.h"

#define RING_MAX_DESCS 64 /* descriptors of one chain, so also of one indirect table */
#define RING_MAX_SIZE  16384

/* Feature bits. */
#define RING_F_INDIRECT_DESC (1ULL << 28)
#define RING_F_EVENT_IDX     (1ULL << 29)
#define RING_F_PACKED        (1ULL << 34)

#define RING_DESC_NEXT     1
#define RING_DESC_WRITE    2
#define RING_DESC_INDIRECT 4

/* One descriptor of either format: the last two members swap their roles. */
struct ring_desc {
	uint64_t addr;
	uint32_t len;
	union {
		struct {
			uint16_t flags, next;
		} split;
		struct {
			uint16_t id, flags;
		} packed;
	};
};

struct ring_avail {
	uint16_t flags, idx;
	uint16_t ring[]; /* size entries, then used_event */
};

struct ring_used_elem {
	uint32_t id, len;
};

struct ring_used {
	uint16_t flags, idx;
	struct ring_used_elem ring[]; /* size entries, then avail_event */
};

/* Event suppression of a packed ring, one written by each side. */
struct ring_event {
	uint16_t off_wrap, flags;
};

/* A piece of guest memory. */
struct ring_buf {
	uint64_t gpa;
	uint32_t len;
};

/* A chain to be published: nb_read readable pieces, then nb_write writable ones. */
struct ring_chain {
	struct ring_buf bufs[RING_MAX_DESCS];
	uint16_t nb_read, nb_write;
	uint16_t token;          /* comes back with the used element */
	struct ring_desc *table; /* room for RING_MAX_DESCS, kept until used; NULL: direct only */
	uint64_t table_gpa;
};

/* What is in flight under an id (split: head index; packed: buffer id). */
struct ring_flight {
	uint16_t token;
	uint16_t nb_descs; /* 0: not in flight */
	uint16_t next;     /* free list of ids; split: links the descriptors of a chain, too */
};

struct ring {
	bool packed, indirect, event_idx;
	bool armed;  /* interrupts wanted */
	bool broken; /* the used index ran away: only a reset helps */
	bool avail_wrap, used_wrap;
	uint16_t size, mask, nb_free, free_id;
	uint16_t avail;       /* split: free-running index. packed: next descriptor to write */
	uint16_t used;        /* split: free-running index. packed: next descriptor to read */
	uint16_t nb_unkicked; /* indices (split) or descriptors (packed) published since a kick */
	uint16_t used_event_mark;
	struct ring_flight *flight; /* [size] */
	union {
		struct {
			struct ring_desc *desc;
			struct ring_avail *avail;
			struct ring_used *used;
		} s;
		struct {
			struct ring_desc *desc;
			struct ring_event *driver, *device;
		} p;
	};
	int kick_fd, call_fd;
	void (*bell)(void *arg, unsigned int queue); /* kicks instead of kick_fd when not NULL */
	void *bell_arg;
	unsigned int bell_queue;
	uint32_t start_base; /* for SET_VRING_BASE */
	void *pages;         /* the shared memory of the ring */
	uint64_t nb_bad_index, nb_bad_id, nb_kicks, nb_kicks_suppressed;
};

/* Allocates the ring in one region of guest memory. features: RING_F_*. fds stay the caller's. */
int ring_init(struct ring *r, struct memory *mem, uint16_t size, uint64_t features);
void ring_fini(struct ring *r, struct memory *mem);
/* Empty again, as after a device reset; everything in flight is forgotten. */
void ring_reset(struct ring *r);
/* Byte offsets of the three areas from r->pages. */
void ring_areas(const struct ring *r, uint64_t *desc, uint64_t *driver, uint64_t *device);

/* Makes the chain available. -EAGAIN: no room now, -ENOSPC: never fits, -EIO: broken. */
int ring_split_add(struct ring *r, const struct ring_chain *chain);
int ring_packed_add(struct ring *r, const struct ring_chain *chain);

/*
 * Takes one used element: 1 and *token, *len (as the device says it); 0: none. An element that
 * names nothing in flight is counted; a split ring goes on behind it, a packed one is broken since
 * nobody knows how far to go on.
 */
int ring_split_pop(struct ring *r, uint16_t *token, uint32_t *len);
int ring_packed_pop(struct ring *r, uint16_t *token, uint32_t *len);

/* True when the device wants to hear of what was published since the last call. */
bool ring_split_need_kick(struct ring *r);
bool ring_packed_need_kick(struct ring *r);

/* Interrupts on: true when nothing is there yet, so sleeping is right. Off: suppressed again. */
bool ring_split_arm(struct ring *r);
bool ring_packed_arm(struct ring *r);
void ring_split_disarm(struct ring *r);
void ring_packed_disarm(struct ring *r);

/* Kicks, wanted or not. */
void ring_bell(struct ring *r);
/* Kicks if wanted: one write(2) at most. */
void ring_kick(struct ring *r);

static inline int
ring_add(struct ring *r, const struct ring_chain *chain)
{
	return r->packed ? ring_packed_add(r, chain) : ring_split_add(r, chain);
}

static inline int
ring_pop(struct ring *r, uint16_t *token, uint32_t *len)
{
	return r->packed ? ring_packed_pop(r, token, len) : ring_split_pop(r, token, len);
}

static inline bool
ring_arm(struct ring *r)
{
	return r->packed ? ring_packed_arm(r) : ring_split_arm(r);
}

static inline void
ring_disarm(struct ring *r)
{
	if (r->packed) {
		ring_packed_disarm(r);
	} else {
		ring_split_disarm(r);
	}
}

/* The rule of EVENT_IDX: the step from old to new crossed `event`. All free-running (2.7.10). */
static inline bool
ring_crossed(uint16_t event, uint16_t new_idx, uint16_t old_idx)
{
	return (uint16_t)(new_idx - event - 1) < (uint16_t)(new_idx - old_idx);
}

#endif
