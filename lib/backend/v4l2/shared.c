/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pages are mapped again from where they are mapped already: mremap with an old size of 0. So
 * no file of the guest's memory has to be known, or kept open.
 */
#include "backend/v4l2/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"

#define PAGE_BYTES   4096
#define MIN_SEGMENTS 64 /* as many as the core has room for */

int
shared_make(struct shared_plane *plane, uint32_t bytes)
{
	uint32_t max = MAX(bytes / PAGE_BYTES + 2, (uint32_t)MIN_SEGMENTS);

	plane->segments = calloc(max, sizeof(plane->segments[0]));
	plane->mapped = calloc(max, sizeof(plane->mapped[0]));
	plane->max_segments = max;
	return plane->segments != NULL && plane->mapped != NULL ? 0 : -ENOMEM;
}

static void
give_range(struct shared_plane *plane)
{
	if (plane->range != NULL) {
		munmap(plane->range, plane->range_bytes);
	}
	plane->range = NULL;
	plane->holds = SHARED_NOTHING;
}

void
shared_free(struct shared_plane *plane, struct shared_budget *budget)
{
	shared_unmap(plane, budget);
	give_range(plane);
	free(plane->segments);
	free(plane->mapped);
	memset(plane, 0, sizeof(*plane));
}

void
shared_take(struct shared_plane *plane, const struct vmedia_plane *guest)
{
	plane->nb_segments = 0;
	if (guest->nb_segments > 0 && guest->nb_segments <= plane->max_segments) {
		plane->nb_segments = guest->nb_segments;
		memcpy(plane->segments, guest->segments,
			guest->nb_segments * sizeof(plane->segments[0]));
	}
}

/* ---- ranges ---- */

static void *
reserve(void *at, size_t bytes)
{
	return mmap(at, bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at != NULL ? MAP_FIXED : 0), -1, 0);
}

/* The old one goes when the new one is there, so they are never the same. */
static int
new_range(struct shared_plane *plane, size_t bytes, struct shared_budget *budget)
{
	void *range = reserve(NULL, bytes);

	if (range == MAP_FAILED) {
		return -errno;
	}
	shared_unmap(plane, budget);
	give_range(plane);
	plane->range = range;
	plane->range_bytes = bytes;
	return 0;
}

void
shared_unmap(struct shared_plane *plane, struct shared_budget *budget)
{
	if (plane->holds == SHARED_PIECES) {
		budget->nb -= plane->nb_mapped;
		if (reserve(plane->range, plane->range_bytes) == MAP_FAILED) {
			give_range(plane);
		}
	}
	if (plane->holds != SHARED_PLAIN) {
		plane->holds = SHARED_NOTHING;
		plane->addr = NULL;
	}
	plane->nb_mapped = 0;
}

/* ---- pieces ---- */

static size_t
offset_in_page(const struct iovec *piece)
{
	return (uintptr_t)piece->iov_base % PAGE_BYTES;
}

static size_t
page_bytes(const struct iovec *piece)
{
	return round_up(offset_in_page(piece) + piece->iov_len, PAGE_BYTES);
}

/* Whole pages, but for the begin of the first piece and the end of the last. */
static bool
is_linear(const struct iovec *pieces, uint32_t nb)
{
	for (uint32_t i = 0; i < nb; i++) {
		if ((i > 0 && offset_in_page(&pieces[i]) != 0) ||
			(i + 1 < nb &&
				(offset_in_page(&pieces[i]) + pieces[i].iov_len) % PAGE_BYTES !=
					0)) {
			return false;
		}
	}
	return nb > 0;
}

static bool
is_mapped(const struct shared_plane *plane)
{
	return plane->holds == SHARED_PIECES && plane->nb_mapped == plane->nb_segments &&
	       memcmp(plane->mapped, plane->segments,
		       plane->nb_segments * sizeof(plane->segments[0])) == 0;
}

static int
map_pieces(struct shared_plane *plane)
{
	char *at = plane->range;

	for (uint32_t i = 0; i < plane->nb_segments; i++) {
		const struct iovec *piece = &plane->segments[i];
		char *page = (char *)piece->iov_base - offset_in_page(piece);

		if (mremap(page, 0, page_bytes(piece), MREMAP_MAYMOVE | MREMAP_FIXED, at) ==
			MAP_FAILED) {
			return -errno;
		}
		at += page_bytes(piece);
	}
	return 0;
}

static int
map_anew(struct shared_plane *plane, struct shared_budget *budget)
{
	size_t bytes = 0;
	int err;

	for (uint32_t i = 0; i < plane->nb_segments; i++) {
		bytes += page_bytes(&plane->segments[i]);
	}
	err = new_range(plane, bytes, budget);
	if (err != 0) {
		return err;
	}
	budget->nb += plane->nb_segments;
	plane->holds = SHARED_PIECES;
	plane->nb_mapped = plane->nb_segments;
	memcpy(plane->mapped, plane->segments, plane->nb_segments * sizeof(plane->mapped[0]));
	plane->addr = plane->range + offset_in_page(&plane->segments[0]);
	err = map_pieces(plane);
	if (err != 0) {
		plane->refused = true;
		shared_unmap(plane, budget);
	}
	return err;
}

int
shared_map(struct shared_plane *plane, struct shared_budget *budget)
{
	if (is_mapped(plane)) {
		return 0;
	}
	if (plane->nb_segments == 1) {
		shared_unmap(plane, budget);
		plane->holds = SHARED_PIECE;
		plane->addr = plane->segments[0].iov_base;
		return 0;
	}
	if (plane->refused || !is_linear(plane->segments, plane->nb_segments)) {
		return -EINVAL;
	}
	/* What is mapped now gives way. */
	if (plane->nb_segments > budget->max - (budget->nb - plane->nb_mapped)) {
		return -ENOSPC;
	}
	return map_anew(plane, budget);
}

int
shared_plain(struct shared_plane *plane, uint32_t bytes, struct shared_budget *budget)
{
	size_t range_bytes = round_up(MAX(bytes, 1u), PAGE_BYTES);
	int err;

	if (plane->holds == SHARED_PLAIN && plane->range_bytes >= range_bytes) {
		return 0;
	}
	err = new_range(plane, range_bytes, budget);
	if (err == 0 && mprotect(plane->range, range_bytes, PROT_READ | PROT_WRITE) != 0) {
		err = -errno;
	}
	if (err == 0) {
		plane->holds = SHARED_PLAIN;
		plane->addr = plane->range;
	}
	return err;
}

uint32_t
shared_copy(const struct shared_plane *plane, void *ours, uint32_t bytes, bool to_guest)
{
	uint32_t done = 0;

	for (uint32_t i = 0; i < plane->nb_segments && done < bytes; i++) {
		const struct iovec *piece = &plane->segments[i];
		uint32_t nb = (uint32_t)MIN(piece->iov_len, (size_t)(bytes - done));
		char *at = (char *)ours + done;

		memcpy(to_guest ? piece->iov_base : at, to_guest ? at : piece->iov_base, nb);
		done += nb;
	}
	return done;
}
