/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. */
/*
 * The echo: what a device cannot avoid, and nothing else. It serves the ring of a local driver
 * (driver_create_local) in the format that was negotiated, with the chains of the driver unchanged:
 * takes a chain, copies its readable bytes into its writable part, as many as fit, writes the used
 * element and publishes it. It translates addresses by one subtraction, checks nothing, looks
 * nothing up and shares no code with lib/virtq. A device that does all of that is compared with it.
 *
 * The readable bytes pass through private memory on their way, because both halves of a chain may
 * be the same memory (protocol.md R-22): the device cannot avoid that copy either.
 *
 * It neither takes nor sends notifications: both sides poll. One thread.
 */
#ifndef VMEDIA_BENCH_ECHO_H
#define VMEDIA_BENCH_ECHO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "driver/driver.h"

#define ECHO_MAX_BYTES   65536u
#define ECHO_EVENT_BYTES 608u /* a DQBUF event */

struct echo_ring {
	struct driver_ring_layout at;
	uint64_t to_host;     /* gpa + this is the address, modulo 2^64 */
	uint16_t avail, used; /* split: indices. packed: positions */
	bool packed, avail_wrap, used_wrap;
	uint8_t *bytes;       /* ECHO_MAX_BYTES on their way */
	const uint8_t *fixed; /* copied into the writable part instead; NULL: the readable part */
};

/* A chain on its way back. */
struct echo_used {
	uint16_t id;       /* split: head. packed: buffer id */
	uint16_t nb_descs; /* in the ring */
	uint32_t len;      /* bytes written */
};

/* Serves `queue` of a driver whose memory is one region. 0 or negative errno. */
int echo_ring_init(struct echo_ring *r, const struct driver *drv, unsigned int queue);
void echo_ring_fini(struct echo_ring *r);

/* Answers one command if one is there. */
bool echo_serve(struct echo_ring *commands);

/* Writes an event of ECHO_EVENT_BYTES into the next buffer of the eventq; false: none there. */
bool echo_event(struct echo_ring *events, const void *event);

/* echo_split.c, echo_packed.c: pop copies the bytes, push publishes. */
bool echo_split_pop(struct echo_ring *r, struct echo_used *used);
void echo_split_push(struct echo_ring *r, const struct echo_used *used);
bool echo_packed_pop(struct echo_ring *r, struct echo_used *used);
void echo_packed_push(struct echo_ring *r, const struct echo_used *used);

/* The bytes of one chain, descriptor by descriptor: readable ones come first. */
struct echo_copy {
	const uint8_t *from; /* what is written */
	uint8_t *bytes;
	uint32_t nb_read, nb_written;
};

static inline void
echo_copy_begin(const struct echo_ring *r, struct echo_copy *c)
{
	c->bytes = r->bytes;
	c->from = r->fixed != NULL ? r->fixed : r->bytes;
	c->nb_read = r->fixed != NULL ? ECHO_MAX_BYTES : 0;
	c->nb_written = 0;
}

static inline void
echo_copy_desc(struct echo_copy *c, void *mem, uint32_t len, bool write)
{
	if (write) {
		uint32_t left = c->nb_read - c->nb_written;

		len = len < left ? len : left;
		memcpy(mem, c->from + c->nb_written, len);
		c->nb_written += len;
	} else if (likely(c->from == c->bytes)) {
		memcpy(c->bytes + c->nb_read, mem, len);
		c->nb_read += len;
	}
}

#endif
