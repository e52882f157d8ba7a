/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device side of one virtqueue, split (virtio 2.7) or packed (2.8), with indirect tables and
 * EVENT_IDX. One owner: every call from the thread that polls the device, except start and stop,
 * which happen while it is quiesced.
 *
 * The guest may rewrite everything at any time: indices, descriptors and indirect tables are read
 * once into private memory, checked, and only then used (S-1 .. S-5). A bad chain whose head is
 * known goes back with used.len 0; a ring that cannot be trusted any more is `broken` and is not
 * touched again until the next start.
 *
 * The cycle of one pass: pop_burst, push each chain, flush once, notify once.
 */
#ifndef VMEDIA_VIRTQ_VIRTQ_H
#define VMEDIA_VIRTQ_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/compiler.h"
#include "virtq/guest_mem.h"

#define VIRTQ_MAX_SIZE       32768
#define VIRTQ_BURST          32  /* most chains one pop_burst returns */
#define VIRTQ_CHAIN_MAX_DESC 288 /* descriptors; R-34 wants 256 at least */
#define VIRTQ_CHAIN_MAX_IOV  320 /* pieces: a buffer that spans regions takes more than one */

/* One descriptor chain, private to the device: translated, checked, readable pieces first. */
struct virtq_chain {
	uint16_t id;          /* split: head index; packed: buffer id */
	uint16_t nb_slots;    /* ring slots it takes (packed: the used index moves by so many) */
	uint16_t nb_readable; /* pieces of the R-part: iov[0 .. nb_readable - 1] */
	uint16_t nb_writable; /* pieces of the W-part, behind them */
	uint32_t readable_bytes;
	uint32_t writable_bytes;
	const void *table; /* the indirect table it came from: where to look first next time */
	struct iovec iov[VIRTQ_CHAIN_MAX_IOV];
};

static inline const struct iovec *
virtq_chain_writable(const struct virtq_chain *chain)
{
	return chain->iov + chain->nb_readable;
}

/* What the transport knows of a ring. All addresses are in this process and checked to lie, as
 * whole areas, inside one guest region with the alignment of virtio 2.7 / 2.8. */
struct virtq_config {
	void *desc;    /* split: descriptor table; packed: descriptor ring */
	void *driver;  /* split: avail ring; packed: driver event suppression */
	void *device;  /* split: used ring; packed: device event suppression */
	uint16_t size; /* split: a power of two; at most VIRTQ_MAX_SIZE */
	bool packed;
	bool event_idx;
	bool indirect;
	uint16_t avail_base; /* next chain to take; packed: bits 0-14 slot, bit 15 wrap counter */
	uint16_t used_base;  /* next used entry to write; same coding */
	int callfd;          /* eventfd, not owned; -1: the driver polls */
	/* Not used by virtq: the driver's kicks, watched by the device while it sleeps. Not owned,
	 * valid from ring_start to ring_stop; -1: the driver expects polling. */
	int kickfd;
};

/* Why something of the guest was refused; single writer, read relaxed by telemetry. */
struct virtq_stats {
	uint64_t nb_chains;     /* taken */
	uint64_t nb_used;       /* given back */
	uint64_t nb_notified;   /* eventfd writes */
	uint64_t nb_suppressed; /* notifications the driver did not want */
	uint64_t nb_bad_chain;  /* returned with length 0: loop, range, order, nesting, size */
	uint64_t nb_broken;     /* ring given up: avail index jumped, head index out of range */
};

/* Why a ring cannot be trusted any more. */
#define VIRTQ_BROKEN(X)                                                          \
	X(VIRTQ_SOUND, "")                                                       \
	X(VIRTQ_AVAIL_JUMPED, "available index ahead by more than the ring")     \
	X(VIRTQ_BAD_HEAD, "available ring names a descriptor that is not there") \
	X(VIRTQ_ENDLESS, "descriptor chain without an end")                      \
	X(VIRTQ_MEMORY_LOST, "memory shared with the front-end is gone")

enum virtq_broken {
#define X(name, text) name,
	VIRTQ_BROKEN(X)
#undef X
};
/* In words, for logs and telemetry; "" of VIRTQ_SOUND. */
const char *virtq_broken_text(enum virtq_broken broken);

struct virtq {
	/* read-mostly */
	const struct guest_mem *mem;
	void *desc;
	void *driver;
	void *device;
	uint16_t size;
	bool packed;
	bool event_idx;
	bool indirect;
	bool started;
	uint8_t broken;    /* enum virtq_broken; VIRTQ_SOUND when stopped */
	bool kicks_wanted; /* the driver is asked to kick (the reactor is about to sleep) */
	int callfd;
	/* moving */
	uint16_t avail_idx;     /* next to take (packed: slot) */
	uint16_t avail_shadow;  /* split: avail.idx last read */
	uint16_t used_idx;      /* next used entry to write (packed: slot) */
	uint16_t used_flushed;  /* split: used.idx the driver sees; packed: slot held back */
	uint16_t nb_unflushed;  /* pushed since the last flush */
	uint16_t signalled_idx; /* EVENT_IDX: used position at the last notification decision */
	bool avail_wrap;
	bool used_wrap;
	bool used_flushed_wrap;
	bool signalled_valid;
	bool unsignalled;    /* something was flushed since the last notification decision */
	uint16_t held_flags; /* packed: flags of the first unflushed used descriptor */
	uint32_t mem_hint;
	struct virtq_stats stats;
} __cache_aligned;

/*
 * Starts the ring; mem stays the caller's and outlives the ring. *vq is all zero before its first
 * start; statistics go on over a restart. -EINVAL: size, alignment, base, or started already.
 * Kicks are suppressed from the start; what is in the ring already is seen.
 */
int virtq_start(struct virtq *vq, const struct virtq_config *config, const struct guest_mem *mem);

/*
 * Stops it and returns the base for GET_VRING_BASE (coding of avail_base). What was pushed is
 * flushed, so nothing is lost that the base counts as taken. Safe when stopped.
 */
uint16_t virtq_stop(struct virtq *vq);
/* Where the next used entry goes, in the coding of used_base; behind the base by what is under way.
 */
uint16_t virtq_used_base(const struct virtq *vq);

/* A ring that runs is not touched again before its next start. Owner; also from outside of it. */
void virtq_give_up(struct virtq *vq, enum virtq_broken why);

/*
 * Takes up to nb (at most VIRTQ_BURST) chains into chains[0..]; returns how many. Bad chains are
 * pushed with length 0 at once and not counted in the result, so flush and notify also after a
 * pop of 0. Returns 0 when stopped or broken.
 */
unsigned int virtq_pop_burst(struct virtq *vq, struct virtq_chain **chains, unsigned int nb);

/*
 * The same for one chain of a queue whose buffers go round, so that the last one says nothing about
 * the next: virtq_prefetch_next() asked for what it can.
 */
bool virtq_pop(struct virtq *vq, struct virtq_chain *chain);

/*
 * Asks for the first `bytes` of the next chain's first buffer, to be written without waiting for
 * them when it is taken. Nothing is taken, and nothing that is read counts later. Chains that are
 * not there, indirect or outside of guest memory are left alone.
 */
void virtq_prefetch_next(struct virtq *vq, uint32_t bytes);

/* Asks for the line of the ring where the next chain stands, or will; reads nothing. */
void virtq_prefetch_ring(const struct virtq *vq);

/* True when a chain is available. Reads the ring, takes nothing. */
bool virtq_has_work(const struct virtq *vq);

/* What the driver changes when the ring is empty and it makes a chain available. */
struct virtq_look {
	const uint16_t *word; /* in guest memory; NULL: the ring is stopped or broken */
	uint16_t mask, value;
	bool until_equal; /* a chain is there once *word & mask is value; else once it is not */
};
struct virtq_look virtq_look(const struct virtq *vq);

/* How many chains are available, counted up to max; packed: descriptors, as a chain's length is not
 * known before it is taken. Reads the ring, takes nothing. */
uint16_t virtq_nb_available(const struct virtq *vq, uint16_t max);

/* Gives a chain back: `written` bytes from the start of its W-part. Not visible before the flush.
 */
void virtq_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written);

/* Makes all pushed chains visible with one release store. Nothing to do is fine. */
void virtq_flush(struct virtq *vq);

/* At most one eventfd write for what was flushed since the last call, none when suppressed. */
void virtq_notify(struct virtq *vq);
/* The same for an array of queues, with one fence: it waits until the driver's CPU has given up the
 * lines just written, 60 ns and more. */
void virtq_notify_all(struct virtq *vqs, unsigned int nb);

/*
 * Asks the driver to kick; call before sleeping. Returns true when chains are available all the
 * same: then do not sleep. virtq_kicks_off asks it not to.
 */
bool virtq_kicks_on(struct virtq *vq);
void virtq_kicks_off(struct virtq *vq);

#endif
