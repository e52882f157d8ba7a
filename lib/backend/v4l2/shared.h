/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A plane in the guest's own pages (SHARED_PAGES), as addresses without gaps that a driver can be
 * given (USERPTR): the pages mapped once more, one after the other, or plain memory instead, from
 * or to which is copied. On the thread, but for shared_take.
 */
#ifndef VMEDIA_BACKEND_V4L2_SHARED_H
#define VMEDIA_BACKEND_V4L2_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

/* Pieces that may be mapped at a time, each an entry in the kernel's list of this process. */
struct shared_budget {
	uint32_t max, nb;
};

enum shared_holds {
	SHARED_NOTHING,
	SHARED_PIECE,  /* the guest's memory is one piece: nothing had to be mapped */
	SHARED_PIECES, /* mapped in the range */
	SHARED_PLAIN   /* the range is memory of ours */
};

struct shared_plane {
	struct iovec *segments; /* the guest's list, a copy: goes with the buffer's message */
	uint32_t nb_segments, max_segments;
	struct iovec *mapped; /* the list that is mapped */
	uint32_t nb_mapped;
	enum shared_holds holds;
	bool refused; /* the kernel would not map this memory twice: not tried again */
	char *range;  /* addresses that are nobody else's */
	size_t range_bytes;
	char *addr; /* the first byte */
};

/* Room for the list of a plane of so many bytes. -ENOMEM. */
int shared_make(struct shared_plane *plane, uint32_t bytes);
/* Unmaps all and gives the room back; also of what was never made. */
void shared_free(struct shared_plane *plane, struct shared_budget *budget);
/* On the reactor: copies the list. */
void shared_take(struct shared_plane *plane, const struct vmedia_plane *guest);
/*
 * The pages at plane->addr; what is there already stays while the list is the same. A list that is
 * another gets addresses that are not those of before: vb2 takes it that equal addresses are equal
 * pages, and keeps the ones it pinned. -ENOSPC: over the budget; -EINVAL: the list is empty, a
 * piece does not begin and end with a page, or is of memory that cannot be mapped twice; or another
 * errno.
 */
int shared_map(struct shared_plane *plane, struct shared_budget *budget);
/* Memory of ours at plane->addr. -ENOMEM. */
int shared_plain(struct shared_plane *plane, uint32_t bytes, struct shared_budget *budget);
/* The guest's pages are not mapped any more; the addresses stay taken, see above. */
void shared_unmap(struct shared_plane *plane, struct shared_budget *budget);
/* From the guest's pages, or to them. Bytes copied: what they have no room for is left out. */
uint32_t shared_copy(const struct shared_plane *plane, void *ours, uint32_t bytes, bool to_guest);

#endif
