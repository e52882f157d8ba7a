/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One V4L2 buffer queue: which buffers exist, in which state, by the rules of videobuf2. Knows
 * nothing of the wire, of the arena or of threads; its owner is the device's reactor.
 *
 *   DEQUEUED → (PREPARED →) QUEUED → DONE (its DQBUF event waits for a descriptor) → DEQUEUED
 */
#ifndef VMEDIA_MEDIA_BUFQ_H
#define VMEDIA_MEDIA_BUFQ_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

#define BUFQ_MAX_BUFFERS 32 /* VIDEO_MAX_FRAME */

/* What waits to be published on the eventq; embedded, so that it never needs memory. */
enum pending_kind {
	PENDING_BUFFER,
	PENDING_EVENT
};
struct pending {
	TAILQ_ENTRY(pending) link;
	enum pending_kind kind;
};
TAILQ_HEAD(pending_list, pending);

enum bufq_state {
	BUFQ_DEQUEUED,
	BUFQ_PREPARED,
	BUFQ_QUEUED,
	BUFQ_DONE
};

/* Room for the pages of one plane, SHARED_PAGES only; the arrays are the device's. */
struct bufq_pages {
	uint32_t min_bytes; /* what the format needs: less is refused */
	uint32_t max_segments;
	struct iovec *segments;
	uint64_t *gpas; /* guest-physical start of each segment */
};

struct bufq_buffer {
	struct vmedia_buffer pub; /* what the backend sees; first member */
	enum bufq_state state;
	uint64_t queued_tsc;    /* when QBUF was seen */
	uint64_t done_tsc;      /* when vmedia_buffer_done was called */
	struct pending pending; /* on the device's event list in state DONE */
	bool lost;              /* the guest took pages away while they were queued */
	void *block;            /* the device's: what the buffer's memory is part of */
	struct bufq_pages pages[VIDEO_MAX_PLANES];
};

struct bufq {
	uint32_t type;       /* V4L2_BUF_TYPE_*; fixed */
	uint32_t memory;     /* V4L2_MEMORY_MMAP or _USERPTR once buffers exist, else 0 */
	uint32_t nb_buffers; /* indices 0 .. nb_buffers - 1, of which some may be removed */
	uint32_t nb_queued;  /* in state QUEUED */
	uint32_t next;       /* index behind the last one done: a guess at the next one */
	bool streaming;
	bool timestamp_copy;       /* m2m: TIMESTAMP_COPY; else TIMESTAMP_MONOTONIC */
	uint32_t timestamp_source; /* MONOTONIC: V4L2_BUF_FLAG_TSTAMP_SRC_* */
	struct bufq_buffer *buffers[BUFQ_MAX_BUFFERS]; /* NULL: removed; memory is the device's */
};

void bufq_init(struct bufq *q, uint32_t type, bool timestamp_copy);

/* The buffer of this index, or NULL. */
static inline struct bufq_buffer *
bufq_get(const struct bufq *q, uint32_t index)
{
	return index < q->nb_buffers ? q->buffers[index] : NULL;
}

/* The first run of `nb` free indices, or of as many as there are one after the other: how many, and
 * from where. */
uint32_t bufq_room(const struct bufq *q, uint32_t nb, uint32_t *first);
/* Adds a DEQUEUED buffer at a free index; planes' addr, offset and length are set already, with
 * V4L2_MEMORY_USERPTR length and pages. */
void bufq_add(struct bufq *q, uint32_t index, struct bufq_buffer *buffer, uint32_t memory);
/* REMOVE_BUFS: whether all of a range may go: 0, -EINVAL (one does not exist) or -EBUSY (one is not
 * DEQUEUED). */
int bufq_check_remove(const struct bufq *q, uint32_t index, uint32_t count);
/* Forgets these, which may go; the caller frees them. */
void bufq_remove(struct bufq *q, uint32_t index, uint32_t count);
/* Forgets all buffers; the caller frees them. Not while streaming. */
void bufq_clear(struct bufq *q);

/* Whether bufq_queue would take it: 0, or its error. */
int bufq_check(const struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes);

/*
 * QBUF and PREPARE_BUF: checks `b` and `planes` (R-66: index, type, memory, state, planes, sizes,
 * REQUEST_FD → EBADR) and takes bytesused, field, timestamp (m2m) from them. On success *buffer is
 * QUEUED (PREPARED). nb_planes: plane structs that came along. Of a PREPARED buffer bufq_queue
 * takes the timestamp and timecode alone: what it contains was said and checked already.
 */
int bufq_queue(struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes, struct bufq_buffer **buffer);
int bufq_prepare(struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes, struct bufq_buffer **buffer);

/*
 * Fills `b` (and planes[nb_planes], multi-planar only) with the buffer's state for QUERYBUF, QBUF,
 * PREPARE_BUF replies and DQBUF events: every field set, pointers zero, flags by state (QUEUED,
 * PREPARED, MAPPED if `mapped`, the backend's flags only when done, timestamp type always).
 */
void bufq_fill(const struct bufq *q, const struct bufq_buffer *buffer, bool mapped,
	struct v4l2_buffer *b, struct v4l2_plane *planes);

/* QUEUED → DONE, by the backend: the guest's pages are let go; and DONE → DEQUEUED, when the event
 * was published. */
void bufq_done(struct bufq *q, struct bufq_buffer *buffer);
void bufq_dequeued(struct bufq *q, struct bufq_buffer *buffer);
/* STREAMOFF: every buffer back to DEQUEUED, whatever its state. */
void bufq_cancel(struct bufq *q);

static inline struct bufq_buffer *
bufq_buffer_of(struct vmedia_buffer *pub)
{
	return (struct bufq_buffer *)(void *)pub;
}

#endif
