/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SHARED_PAGES: buffers that are the guest's own memory, used where it lies. From QBUF or
 * PREPARE_BUF until the buffer comes back a plane is a list of pieces of guest memory; when the
 * guest's memory map changes meanwhile they are found again, or are gone and the buffer comes back
 * with V4L2_BUF_FLAG_ERROR.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "device/internal.h"
#include "media/plane.h"

#define PAGE_BYTES 4096
/* Guests merge neighbouring pages, but need not. Room for pages one by one, and for some more. */
#define MIN_SEGMENTS 64

static uint32_t
max_segments(uint32_t bytes)
{
	return MAX(bytes / PAGE_BYTES + 2, (uint32_t)MIN_SEGMENTS);
}

int
pages_alloc(struct bufq_buffer *buffer, const uint32_t *lengths)
{
	uint32_t p;

	for (p = 0; p < buffer->pub.nb_planes; p++) {
		struct bufq_pages *pages = &buffer->pages[p];

		pages->min_bytes = lengths[p];
		pages->max_segments = max_segments(lengths[p]);
		pages->segments = calloc(pages->max_segments, sizeof(pages->segments[0]));
		pages->gpas = calloc(pages->max_segments, sizeof(pages->gpas[0]));
		if (pages->segments == NULL || pages->gpas == NULL) {
			return -ENOMEM;
		}
		buffer->pub.planes[p].length = lengths[p];
	}
	return 0;
}

void
pages_free(struct bufq_buffer *buffer)
{
	uint32_t p;

	for (p = 0; p < buffer->pub.nb_planes; p++) {
		free(buffer->pages[p].segments);
		free(buffer->pages[p].gpas);
	}
}

/* The pieces of one plane while they are collected. */
struct collection {
	struct bufq_pages *pages;
	const struct guest_mem *mem;
	uint32_t hint;   /* the region of the memory that was looked at last ... */
	uint32_t region; /* ... and the one of the last piece */
	uint32_t nb;
	uint64_t covered; /* bytes */
	uint64_t *unmapped;
};

/* Appends, or extends the last piece where the guest's and our addresses both go on, in the same
 * region. When there is no room the rest is left out: covered tells. */
static void
append(struct collection *c, uint64_t gpa, void *addr, uint64_t len)
{
	struct bufq_pages *pages = c->pages;
	struct iovec *last = c->nb > 0 ? &pages->segments[c->nb - 1] : NULL;

	if (last != NULL && c->region == c->hint &&
		(char *)last->iov_base + last->iov_len == addr &&
		pages->gpas[c->nb - 1] + last->iov_len == gpa) {
		last->iov_len += len;
	} else if (c->nb < pages->max_segments) {
		pages->segments[c->nb] = (struct iovec){addr, len};
		pages->gpas[c->nb++] = gpa;
	} else {
		return;
	}
	c->region = c->hint;
	c->covered += len;
}

static int
translate(struct collection *c, uint64_t gpa, uint64_t len)
{
	while (len > 0) {
		uint64_t n = len;
		void *addr = guest_mem_translate(c->mem, &c->hint, gpa, &n);

		if (addr == NULL) {
			return -EINVAL;
		}
		append(c, gpa, addr, n);
		gpa += n;
		len -= n;
	}
	return 0;
}

/* The whole list is read: that of the next plane follows. */
static int
collect(struct ioctl_payload *payload, struct collection *c, uint64_t length)
{
	struct virtio_media_sg_entry sg;
	uint64_t sum;
	int ret;

	for (sum = 0; sum < length; sum += sg.len) {
		ret = ioctl_sg_one(payload, length - sum, &sg);
		if (ret == 0) {
			ret = translate(c, sg.start, sg.len);
			counter_add(c->unmapped, ret != 0);
		}
		if (ret != 0) {
			return ret == -E2BIG ? -EINVAL : ret;
		}
	}
	return 0;
}

static uint32_t
wanted_bytes(const struct vmedia_request *request, uint32_t plane, uint32_t *bytesused)
{
	const struct v4l2_buffer *b = &request->payload.arg.buffer;
	const struct v4l2_plane *p = &request->payload.planes[plane];
	bool mplane = v4l2_type_is_multiplanar(b->type);

	*bytesused = V4L2_TYPE_IS_OUTPUT(b->type) ? (mplane ? p->bytesused : b->bytesused) : 0;
	return mplane ? p->length : b->length;
}

int
pages_collect(struct vmedia_request *request, struct bufq_buffer *buffer,
	uint32_t nb_segments[VIDEO_MAX_PLANES])
{
	uint32_t p, bytesused;
	int ret;

	for (p = 0; p < buffer->pub.nb_planes; p++) {
		struct collection c = {.pages = &buffer->pages[p],
			.mem = &request->device->mem,
			.unmapped = &request->device->refused.unmapped_address};
		uint32_t length = wanted_bytes(request, p, &bytesused);

		ret = collect(&request->payload, &c, length);
		if (ret != 0) {
			return ret;
		}
		if (c.covered < length && c.covered < MAX(c.pages->min_bytes, bytesused)) {
			counter_inc(&request->device->refused.too_many_pieces);
			return -ENOMEM; /* cut into more pieces than there is room for */
		}
		nb_segments[p] = c.nb;
	}
	return 0;
}

void
pages_attach(struct bufq_buffer *buffer, const uint32_t nb_segments[VIDEO_MAX_PLANES])
{
	uint32_t p;

	for (p = 0; p < buffer->pub.nb_planes; p++) {
		plane_set_segments(
			&buffer->pub.planes[p], buffer->pages[p].segments, nb_segments[p]);
	}
}

/* Where the pieces of a plane are in the new map. All or nothing. */
static int
rebase_plane(struct bufq_buffer *buffer, uint32_t p, const struct guest_mem *mem)
{
	struct vmedia_plane *plane = &buffer->pub.planes[p];
	const struct bufq_pages *pages = &buffer->pages[p];
	uint32_t i, hint = 0, nb = plane->nb_segments;

	for (i = 0; i < nb; i++) {
		uint64_t len = pages->segments[i].iov_len;
		void *addr =
			mem != NULL ? guest_mem_translate(mem, &hint, pages->gpas[i], &len) : NULL;

		if (addr == NULL || len != pages->segments[i].iov_len) {
			plane_set_segments(plane, NULL, 0);
			return -EFAULT;
		}
		pages->segments[i].iov_base = addr;
	}
	plane_set_segments(plane, pages->segments, nb);
	return 0;
}

static void
rebase_queue(struct bufq *q, const struct guest_mem *mem)
{
	uint32_t i, p;

	for (i = 0; i < q->nb_buffers; i++) {
		struct bufq_buffer *buffer = q->buffers[i];

		if (buffer == NULL ||
			(buffer->state != BUFQ_QUEUED && buffer->state != BUFQ_PREPARED)) {
			continue;
		}
		for (p = 0; p < buffer->pub.nb_planes; p++) {
			buffer->lost |= rebase_plane(buffer, p, mem) != 0;
		}
	}
}

void
pages_rebase_all(struct vmedia_device *device, const struct guest_mem *mem)
{
	struct vmedia_session *session;
	unsigned int i;

	TAILQ_FOREACH (session, &device->sessions, link) {
		for (i = 0; i < ARRAY_SIZE(session->queues); i++) {
			if (session->queues[i].memory == V4L2_MEMORY_USERPTR) {
				rebase_queue(&session->queues[i], mem);
			}
		}
	}
}
