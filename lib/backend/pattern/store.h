/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How large pieces of a frame are written: through the caches, or past them by non-temporal stores.
 * Which takes longer differs from CPU to CPU, up to 1.9 x either way, so each stream finds out:
 * frames are timed, the first few both ways, later one in STORE_TRY_EVERY the other way.
 *
 * Frames below STORE_LEAST_BYTES go through the caches always: the reader finds them there.
 */
#ifndef VMEDIA_BACKEND_PATTERN_STORE_H
#define VMEDIA_BACKEND_PATTERN_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

#define STORE_LEAST_BYTES (8u << 20) /* four of them are as much as large L3 caches hold */
#define STORE_NB_FIRST    4          /* frames of a stream that go both ways in turn */
#define STORE_TRY_EVERY   64

enum store_way {
	STORE_CACHED,
	STORE_PAST_CACHES, /* x86-64; elsewhere the same as STORE_CACHED and never tried */
	STORE_NB_WAYS
};

struct store {
	bool is_choosing;              /* false: always `way` */
	enum store_way way;            /* of the frame at hand */
	enum store_way better;         /* so far */
	uint32_t nb_frames;            /* begun */
	uint64_t ticks;                /* TSC, of the frame at hand so far */
	uint64_t least[STORE_NB_WAYS]; /* of a frame, forgotten by and by; 0: not known yet */
};

/* For frames of so many bytes, of one stream. */
void store_init(struct store *s, uint64_t frame_bytes);

/* A frame begins: decides its way. */
void store_begin(struct store *s);
/* So many TSC ticks of drawing, the frame's last if is_complete. All that was written is visible
 * to whoever sees what the caller stores from now on. */
void store_spent(struct store *s, uint64_t ticks, bool is_complete);

/* The same as vmedia_plane_write(), in the frame's way. */
void store_write(struct store *s, struct vmedia_plane *plane, uint32_t offset, const void *src,
	uint32_t nb_bytes);

#endif
