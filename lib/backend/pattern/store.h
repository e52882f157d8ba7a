/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large pieces of a frame are written: through the caches, or past them by non-temporal stores.
 * On one CPU the first takes up to 1.9 x as long, on another the second 1.3 x. So each stream finds
 * out by the time its frames take: the first few go both ways, later ones the faster way, and two
 * in STORE_TRY_EVERY the other. A frame counts when the one before it went the same way.
 *
 * Frames below STORE_LEAST_BYTES go through the caches always: the reader finds them there.
 */
#ifndef VMEDIA_BACKEND_PATTERN_STORE_H
#define VMEDIA_BACKEND_PATTERN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

#define STORE_LEAST_BYTES (8u << 20) /* four such buffers fill an L3 cache of 32 MiB */
#define STORE_NB_FIRST    4          /* frames of a stream: half of them one way, half the other */
#define STORE_TRY_EVERY   32

enum store_way {
	STORE_CACHED,
	STORE_PAST_CACHES, /* with SSE2; elsewhere the same as STORE_CACHED and never tried */
	STORE_NB_WAYS
};

struct store {
	bool is_choosing;              /* false: always `way` */
	bool counts;                   /* the frame at hand does */
	enum store_way way;            /* of the frame at hand */
	enum store_way better;         /* so far */
	uint32_t nb_frames;            /* begun */
	uint64_t ticks;                /* TSC, of the frame at hand so far */
	uint64_t least[STORE_NB_WAYS]; /* of a frame, forgotten by and by; 0: not known yet */
};

/* For frames of so many bytes, of one stream. */
void store_init(struct store *s, uint64_t frame_bytes);
/* All frames go this way. */
void store_force(struct store *s, enum store_way way);
/* Frames will take another time from now on. */
void store_forget(struct store *s);

/* A frame begins: decides its way. */
void store_begin(struct store *s);
/* The same as vmedia_plane_write(), in the frame's way. */
void store_write(struct store *s, struct vmedia_plane *plane, uint32_t offset, const void *src,
	uint32_t nb_bytes);
/* What was written is there for whoever sees what this thread stores from now on. */
void store_flush(const struct store *s);
/* So many TSC ticks of drawing, flush included; the frame's last if is_complete. */
void store_spent(struct store *s, uint64_t ticks, bool is_complete);

#endif
