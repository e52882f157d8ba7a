/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest in plain memory: guest regions, queues, and the driver side of split and packed rings.
 *
 * Written from the virtio specification alone and deliberately unlike lib/virtq (positions are
 * 64-bit counters, EVENT_IDX is decided by counting), so that a mistake in one is not repeated in
 * the other. All calls on one queue come from one thread; the device may run in another.
 *
 *	struct fake_guest *g = fake_guest_create(&(struct fake_guest_config){.nb_queues = 2});
 *	int id = fake_guest_send(g, 0, &(struct iovec){cmd, sizeof(cmd)}, 1, &resp_len, 1);
 *	... the device works ...
 *	struct fake_used used;
 *	if (fake_guest_poll(g, 0, &used) == 1 && used.id == id) { ... used.writable[0] ... }
 */
#ifndef VMEDIA_TESTS_FAKE_GUEST_H
#define VMEDIA_TESTS_FAKE_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define FAKE_GUEST_MAX_QUEUES  4
#define FAKE_GUEST_MAX_REGIONS 8

/* How the descriptors of one chain are laid out. */
enum fake_shape {
	FAKE_DIRECT,   /* all in the ring */
	FAKE_INDIRECT, /* one descriptor that refers to a table */
	FAKE_MIXED,    /* the first in the ring, then one that refers to a table with the others */
};

struct fake_guest_config {
	unsigned int nb_queues; /* 0: 1 */
	uint16_t queue_size;    /* 0: 64; packed: need not be a power of two */
	bool packed;
	bool event_idx;
	bool indirect;           /* tells the device only; `shape` is free to break it */
	enum fake_shape shape;   /* may be changed at any time in fake_guest.config */
	unsigned int nb_regions; /* 0: 1; the rings are in the first, buffers go round */
	size_t region_bytes;     /* 0: 1 MiB; rounded up to 4 KiB */
	bool shared;             /* the memory can be mapped twice, as a front-end's can */
	bool adjacent;           /* regions follow each other in GPA, else there are holes */
};

struct fake_region {
	uint64_t gpa;
	size_t bytes;
	char *addr; /* a block of its own: ASan sees what goes beyond */
	bool *granules;
	size_t rover;
};

struct fake_chain {
	bool busy;
	uint16_t nb_slots;
	uint16_t *slots;   /* split: the descriptors it holds */
	struct iovec *iov; /* readable, writable, then the indirect table if there is one */
	unsigned int nb_readable;
	unsigned int nb_writable;
	unsigned int nb_iov;
};

struct fake_queue {
	void *desc;   /* split: descriptor table; packed: descriptor ring */
	void *driver; /* split: avail ring; packed: driver event suppression */
	void *device; /* split: used ring; packed: device event suppression */
	uint16_t size;
	int kickfd; /* eventfds, non-blocking, owned by the guest */
	int callfd;
	uint64_t nb_avail;         /* split: chains, packed: slots ever written ... */
	uint64_t nb_published;     /* ... and shown to the device */
	uint64_t nb_used;          /* split: chains, packed: slots ever taken back */
	uint16_t first_flags;      /* packed: flags of the first chain not yet published */
	uint16_t nb_free;          /* split: descriptors, packed: slots */
	uint16_t *free_slots;      /* split: a stack */
	struct fake_chain *chains; /* by id */
	int reaped;                /* id whose memory the last poll lent out, or -1 */
};

struct fake_guest {
	struct fake_guest_config config;
	struct fake_region regions[FAKE_GUEST_MAX_REGIONS];
	struct fake_queue queues[FAKE_GUEST_MAX_QUEUES];
	unsigned int next_region;
	unsigned int nb_overruns; /* buffers found written behind their end */
};

/* A used entry. Pointers are good until the next add or poll on that queue. */
struct fake_used {
	int id;
	uint32_t len;
	uint16_t flags; /* packed: flags of the used descriptor */
	const struct iovec *readable;
	unsigned int nb_readable;
	const struct iovec *writable;
	unsigned int nb_writable;
};

/* One descriptor exactly as a hostile driver wants it. next: split only. */
struct fake_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* Aborts when memory is short: there is nothing to test then. */
struct fake_guest *fake_guest_create(const struct fake_guest_config *config);
void fake_guest_destroy(struct fake_guest *g);

/* Writes a chain, not yet visible: copies of readable[], then zeroed room of the given lengths.
 * Returns its id, or -ENOSPC when ring or memory are full. */
int fake_guest_add(struct fake_guest *g, unsigned int queue, const struct iovec *readable,
	unsigned int nb_readable, const uint32_t *writable, unsigned int nb_writable);

/* Shows the device all that was added. True when the device wants a kick for it. */
bool fake_guest_publish(struct fake_guest *g, unsigned int queue);

/* Add, publish, and kick when wanted. */
int fake_guest_send(struct fake_guest *g, unsigned int queue, const struct iovec *readable,
	unsigned int nb_readable, const uint32_t *writable, unsigned int nb_writable);

void fake_guest_kick(struct fake_guest *g, unsigned int queue);

/* 1: *used is the next used entry; 0: none; -EPROTO: an id that is not outstanding, a length
 * beyond the writable part, or (packed) a WRITE flag that does not fit the length. */
int fake_guest_poll(struct fake_guest *g, unsigned int queue, struct fake_used *used);
bool fake_guest_has_used(const struct fake_guest *g, unsigned int queue);

/* Copies n bytes from the start of the writable part; false when it is shorter. */
bool fake_used_copy(const struct fake_used *used, void *dst, size_t n);

/* Asks for a notification when `after` more entries (packed: slots) were used, 0 being the next
 * one; without EVENT_IDX for each. Returns true when there are used entries already. */
bool fake_guest_calls_on(struct fake_guest *g, unsigned int queue, uint16_t after);
void fake_guest_calls_off(struct fake_guest *g, unsigned int queue);

/* Notifications since the last call of this. */
uint64_t fake_guest_nb_calls(struct fake_guest *g, unsigned int queue);
/* Kicks since the last call of this. */
uint64_t fake_guest_nb_kicks(struct fake_guest *g, unsigned int queue);

/* Writes descs[] from slot `first` on (packed: from the driver's position on, first is the id)
 * and publishes them as one chain. Its used entry is polled like any other. */
void fake_guest_raw(struct fake_guest *g, unsigned int queue, uint16_t first,
	const struct fake_desc *descs, unsigned int nb);

/* Guest memory for raw chains, in the given region; and addresses both ways. */
void *fake_guest_alloc(struct fake_guest *g, unsigned int region, size_t bytes);
uint64_t fake_guest_gpa(const struct fake_guest *g, const void *ptr);

/* Forgets all chains and clears the rings, as a driver does around a device reset. */
void fake_guest_reset(struct fake_guest *g, unsigned int queue);

#endif
