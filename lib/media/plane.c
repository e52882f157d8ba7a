/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. Planes that lie in pieces: the guest's own pages. Rows come in order, so the search for a
 * piece begins at the last one. */
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"
#include "media/plane.h"

void
plane_set_segments(struct vmedia_plane *plane, struct iovec *segments, uint32_t nb)
{
	plane->segments = segments;
	plane->nb_segments = nb;
	plane->segment = 0;
	plane->segment_offset = 0;
	plane->addr = nb == 1 && segments[0].iov_len >= plane->length ? segments[0].iov_base : NULL;
}

/* The bytes from offset on that are in one piece; *nb_bytes: in, wanted; out, how many of them. */
static char *
piece(struct vmedia_plane *plane, uint32_t offset, uint32_t *nb_bytes)
{
	const struct iovec *s;

	if (offset < plane->segment_offset || plane->segment >= plane->nb_segments) {
		plane->segment = 0;
		plane->segment_offset = 0;
	}
	while (plane->segment < plane->nb_segments &&
		offset - plane->segment_offset >= plane->segments[plane->segment].iov_len) {
		plane->segment_offset += (uint32_t)plane->segments[plane->segment++].iov_len;
	}
	if (plane->segment == plane->nb_segments) {
		return NULL;
	}
	s = &plane->segments[plane->segment];
	*nb_bytes = (uint32_t)MIN(*nb_bytes, s->iov_len - (offset - plane->segment_offset));
	return (char *)s->iov_base + (offset - plane->segment_offset);
}

/* What of nb_bytes lies within the plane. */
static uint32_t
within(const struct vmedia_plane *plane, uint32_t offset, uint32_t nb_bytes)
{
	return offset < plane->length ? MIN(nb_bytes, plane->length - offset) : 0;
}

void
vmedia_plane_write(struct vmedia_plane *plane, uint32_t offset, const void *src, uint32_t nb_bytes)
{
	const char *from = src;

	nb_bytes = within(plane, offset, nb_bytes);
	if (likely(plane->addr != NULL)) {
		memcpy((char *)plane->addr + offset, from, nb_bytes);
		return;
	}
	while (nb_bytes > 0) {
		uint32_t n = nb_bytes;
		char *to = piece(plane, offset, &n);

		if (to == NULL) {
			return;
		}
		memcpy(to, from, n);
		from += n;
		offset += n;
		nb_bytes -= n;
	}
}

void
vmedia_plane_read(struct vmedia_plane *plane, uint32_t offset, void *dst, uint32_t nb_bytes)
{
	char *to = dst;

	nb_bytes = within(plane, offset, nb_bytes);
	if (likely(plane->addr != NULL)) {
		memcpy(to, (const char *)plane->addr + offset, nb_bytes);
		return;
	}
	while (nb_bytes > 0) {
		uint32_t n = nb_bytes;
		const char *from = piece(plane, offset, &n);

		if (from == NULL) {
			return;
		}
		memcpy(to, from, n);
		to += n;
		offset += n;
		nb_bytes -= n;
	}
}
