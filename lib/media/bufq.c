/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. The states of V4L2 buffers; what vb2 does for a kernel driver. */
#include "media/bufq.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/plane.h"

/* Flags that tell where a buffer is: never taken from the guest, never from a backend. */
#define STATE_FLAGS                                                                            \
	(V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE |                    \
		V4L2_BUF_FLAG_PREPARED | V4L2_BUF_FLAG_IN_REQUEST | V4L2_BUF_FLAG_REQUEST_FD | \
		V4L2_BUF_FLAG_TIMESTAMP_MASK | V4L2_BUF_FLAG_TSTAMP_SRC_MASK |                 \
		V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | V4L2_BUF_FLAG_NO_CACHE_CLEAN)
/* What an application may say about the contents of an output buffer. */
#define OUTPUT_FLAGS                                                            \
	(V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME | \
		V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_LAST)

static bool
is_mplane(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

void
bufq_init(struct bufq *q, uint32_t type, bool timestamp_copy)
{
	memset(q, 0, sizeof(*q));
	q->type = type;
	q->timestamp_copy = timestamp_copy;
}

static uint32_t
free_run(const struct bufq *q, uint32_t from, uint32_t nb)
{
	uint32_t run = 0;

	while (run < nb && from + run < BUFQ_MAX_BUFFERS && bufq_get(q, from + run) == NULL) {
		run++;
	}
	return run;
}

uint32_t
bufq_room(const struct bufq *q, uint32_t nb, uint32_t *first)
{
	uint32_t i, run, most = 0;

	*first = 0;
	for (i = 0; i < BUFQ_MAX_BUFFERS && most < nb; i++) {
		run = free_run(q, i, nb);
		if (run > most) {
			most = run;
			*first = i;
		}
	}
	return most;
}

void
bufq_add(struct bufq *q, uint32_t index, struct bufq_buffer *buffer, uint32_t memory)
{
	assert(index < BUFQ_MAX_BUFFERS && q->buffers[index] == NULL);
	buffer->pub.type = q->type;
	buffer->pub.index = index;
	buffer->pub.field = V4L2_FIELD_NONE;
	buffer->state = BUFQ_DEQUEUED;
	buffer->pending.kind = PENDING_BUFFER;
	q->buffers[index] = buffer;
	q->nb_buffers = MAX(q->nb_buffers, index + 1);
	q->memory = memory;
}

int
bufq_check_remove(const struct bufq *q, uint32_t index, uint32_t count)
{
	uint32_t i;

	if (count > BUFQ_MAX_BUFFERS || index > BUFQ_MAX_BUFFERS - count) {
		return -EINVAL;
	}
	for (i = index; i < index + count; i++) {
		const struct bufq_buffer *buffer = bufq_get(q, i);

		if (buffer == NULL) {
			return -EINVAL;
		}
		if (buffer->state != BUFQ_DEQUEUED) {
			return -EBUSY;
		}
	}
	return 0;
}

void
bufq_remove(struct bufq *q, uint32_t index, uint32_t count)
{
	memset(&q->buffers[index], 0, count * sizeof(q->buffers[0]));
	while (q->nb_buffers > 0 && q->buffers[q->nb_buffers - 1] == NULL) {
		q->nb_buffers--;
	}
	if (q->nb_buffers == 0) {
		q->memory = 0;
	}
}

void
bufq_clear(struct bufq *q)
{
	assert(!q->streaming);
	memset(q->buffers, 0, sizeof(q->buffers));
	q->nb_buffers = 0;
	q->nb_queued = 0;
	q->memory = 0;
}

/* data_offset counts only with several planes; bytesused 0 means "all of it", as in vb2. */
static int
check_plane(uint32_t length, uint32_t bytesused, uint32_t data_offset)
{
	if (bytesused == 0) {
		bytesused = length;
	}
	if (bytesused > length || (data_offset > 0 && data_offset >= bytesused)) {
		return -EINVAL;
	}
	return 0;
}

/* SHARED_PAGES are as long as the driver says, MMAP buffers as long as they were made. */
static uint32_t
length_of(const struct bufq *q, const struct vmedia_buffer *pub, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes, uint32_t i)
{
	if (likely(q->memory == V4L2_MEMORY_MMAP)) {
		return pub->planes[i].length;
	}
	return is_mplane(q->type) ? planes[i].length : b->length;
}

static int
check_lengths(const struct bufq *q, const struct bufq_buffer *buffer, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes)
{
	uint32_t i;

	for (i = 0; i < buffer->pub.nb_planes; i++) {
		if (length_of(q, &buffer->pub, b, planes, i) < buffer->pages[i].min_bytes) {
			return -EINVAL;
		}
	}
	return 0;
}

static int
check_planes(const struct bufq *q, const struct vmedia_buffer *pub, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes)
{
	uint32_t i;
	int ret = 0;

	if (!V4L2_TYPE_IS_OUTPUT(q->type)) {
		return 0;
	}
	if (b->field == V4L2_FIELD_ALTERNATE) {
		return -EINVAL;
	}
	if (!is_mplane(q->type)) {
		return check_plane(length_of(q, pub, b, planes, 0), b->bytesused, 0);
	}
	for (i = 0; i < pub->nb_planes && ret == 0; i++) {
		ret = check_plane(length_of(q, pub, b, planes, i), planes[i].bytesused,
			planes[i].data_offset);
	}
	return ret;
}

/* Everything that can be wrong, before anything is changed (S-23). */
int
bufq_check(const struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes)
{
	const struct bufq_buffer *buffer;

#ifndef VMEDIA_PLANT_SEQUENCE /* the planted defect: the guest's index is believed */
	if (unlikely(b->type != q->type || b->index >= q->nb_buffers)) {
		return -EINVAL;
	}
#endif
	buffer = q->buffers[b->index];
	if (unlikely(buffer == NULL || b->memory != q->memory)) {
		return -EINVAL;
	}
	if (unlikely(is_mplane(q->type) && nb_planes < buffer->pub.nb_planes)) {
		return -EINVAL;
	}
	if (unlikely(b->flags & V4L2_BUF_FLAG_REQUEST_FD)) {
		return -EBADR;
	}
	if (unlikely(buffer->state != BUFQ_DEQUEUED && buffer->state != BUFQ_PREPARED)) {
		return -EINVAL;
	}
	if (unlikely(q->memory != V4L2_MEMORY_MMAP && check_lengths(q, buffer, b, planes) != 0)) {
		return -EINVAL;
	}
	/* What a prepared buffer contains was said and checked then. */
	return unlikely(buffer->state == BUFQ_PREPARED) ? 0
	                                                : check_planes(q, &buffer->pub, b, planes);
}

/* What QBUF says, even of a buffer that was prepared, and PREPARE_BUF does not. */
static void
take_time(const struct bufq *q, struct vmedia_buffer *pub, const struct v4l2_buffer *b)
{
	if (q->timestamp_copy) {
		pub->timestamp_ns = (uint64_t)b->timestamp.tv_sec * NSEC_PER_SEC +
		                    (uint64_t)b->timestamp.tv_usec * NSEC_PER_USEC;
	}
	if (b->flags & V4L2_BUF_FLAG_TIMECODE) {
		pub->flags |= V4L2_BUF_FLAG_TIMECODE;
		pub->timecode = b->timecode;
	}
}

static void
take_output(const struct bufq *q, struct vmedia_buffer *pub, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes)
{
	bool mplane = is_mplane(q->type);
	uint32_t i;

	for (i = 0; i < pub->nb_planes; i++) {
		uint32_t bytesused = mplane ? planes[i].bytesused : b->bytesused;

		pub->planes[i].bytesused = bytesused != 0 ? bytesused : pub->planes[i].length;
		pub->planes[i].data_offset = mplane ? planes[i].data_offset : 0;
	}
	pub->flags = b->flags & OUTPUT_FLAGS;
	pub->field = b->field == V4L2_FIELD_ANY ? V4L2_FIELD_NONE : b->field;
	if (q->timestamp_copy) {
		pub->flags |= b->flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
	}
}

/* The contents as the owner describes them; nothing of an earlier frame is left. */
static void
take(const struct bufq *q, struct vmedia_buffer *pub, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes)
{
	uint32_t i;

	for (i = 0; unlikely(q->memory != V4L2_MEMORY_MMAP) && i < pub->nb_planes; i++) {
		pub->planes[i].length = length_of(q, pub, b, planes, i);
	}
	pub->flags = 0;
	pub->field = V4L2_FIELD_NONE;
	pub->sequence = 0;
	pub->timestamp_ns = 0;
	memset(&pub->timecode, 0, sizeof(pub->timecode));
	if (V4L2_TYPE_IS_OUTPUT(q->type)) {
		take_output(q, pub, b, planes);
		return;
	}
	for (i = 0; i < pub->nb_planes; i++) {
		pub->planes[i].bytesused = 0;
		pub->planes[i].data_offset = 0;
	}
}

int
bufq_queue(struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes, struct bufq_buffer **buffer)
{
	int ret = bufq_check(q, b, planes, nb_planes);

	if (unlikely(ret != 0)) {
		return ret;
	}
	*buffer = q->buffers[b->index];
	if (likely((*buffer)->state == BUFQ_DEQUEUED)) {
		take(q, &(*buffer)->pub, b, planes);
	}
	if (V4L2_TYPE_IS_OUTPUT(q->type)) {
		take_time(q, &(*buffer)->pub, b);
	}
	(*buffer)->state = BUFQ_QUEUED;
	q->nb_queued++;
	return 0;
}

int
bufq_prepare(struct bufq *q, const struct v4l2_buffer *b, const struct v4l2_plane *planes,
	uint32_t nb_planes, struct bufq_buffer **buffer)
{
	int ret = bufq_check(q, b, planes, nb_planes);

	if (ret != 0) {
		return ret;
	}
	if (q->buffers[b->index]->state == BUFQ_PREPARED) {
		return -EINVAL;
	}
	*buffer = q->buffers[b->index];
	take(q, &(*buffer)->pub, b, planes);
	(*buffer)->state = BUFQ_PREPARED;
	return 0;
}

static uint32_t
fill_flags(const struct bufq *q, const struct bufq_buffer *buffer, bool mapped)
{
	uint32_t flags = buffer->pub.flags & ~STATE_FLAGS;

	/* ERROR and LAST belong to one DQBUF event, not to the buffer. */
	if (buffer->state != BUFQ_DONE) {
		flags &= ~(V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST);
	}
	if (buffer->state == BUFQ_QUEUED) {
		flags |= V4L2_BUF_FLAG_QUEUED;
	} else if (buffer->state == BUFQ_PREPARED) {
		flags |= V4L2_BUF_FLAG_PREPARED;
	}
	if (mapped) {
		flags |= V4L2_BUF_FLAG_MAPPED;
	}
	if (q->timestamp_copy) {
		flags |= V4L2_BUF_FLAG_TIMESTAMP_COPY;
		flags |= buffer->pub.flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK;
	} else {
		flags |= V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | q->timestamp_source;
	}
	return flags;
}

/* The driver's own pointer of a plane stays as it came. */
static void
fill_plane(const struct bufq *q, const struct vmedia_plane *plane, struct v4l2_plane *p)
{
	uint64_t userptr = p->m.userptr;

	memset(p, 0, sizeof(*p));
	p->bytesused = plane->bytesused;
	p->length = plane->length;
	if (likely(q->memory == V4L2_MEMORY_MMAP)) {
		p->m.mem_offset = plane->offset;
	} else {
		p->m.userptr = userptr;
	}
	p->data_offset = plane->data_offset;
}

void
bufq_fill(const struct bufq *q, const struct bufq_buffer *buffer, bool mapped,
	struct v4l2_buffer *b, struct v4l2_plane *planes)
{
	const struct vmedia_buffer *pub = &buffer->pub;
	uint32_t i;

	memset(b, 0, sizeof(*b));
	b->index = pub->index;
	b->type = q->type;
	b->flags = fill_flags(q, buffer, mapped);
	b->field = pub->field;
	b->timestamp.tv_sec = (time_t)(pub->timestamp_ns / NSEC_PER_SEC);
	b->timestamp.tv_usec = (suseconds_t)(pub->timestamp_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	b->timecode = pub->timecode;
	b->sequence = pub->sequence;
	b->memory = q->memory;
	if (!is_mplane(q->type)) {
		b->bytesused = pub->planes[0].bytesused;
		b->length = pub->planes[0].length;
		b->m.offset = pub->planes[0].offset;
		return;
	}
	b->length = pub->nb_planes;
	for (i = 0; i < pub->nb_planes; i++) {
		fill_plane(q, &pub->planes[i], &planes[i]);
	}
}

/* What the guest lent for this frame. */
static void
drop_pages(struct bufq_buffer *buffer)
{
	uint32_t i;

	buffer->lost = false;
	for (i = 0; i < buffer->pub.nb_planes; i++) {
		plane_set_segments(&buffer->pub.planes[i], NULL, 0);
	}
}

void
bufq_done(struct bufq *q, struct bufq_buffer *buffer)
{
	uint32_t i;

	assert(buffer->state == BUFQ_QUEUED);
	if (unlikely(q->memory != V4L2_MEMORY_MMAP)) {
		buffer->pub.flags |= buffer->lost ? V4L2_BUF_FLAG_ERROR : 0;
		drop_pages(buffer);
	}
	for (i = 0; i < buffer->pub.nb_planes; i++) {
		struct vmedia_plane *plane = &buffer->pub.planes[i];

		plane->bytesused = MIN(plane->bytesused, plane->length);
	}
	buffer->state = BUFQ_DONE;
	q->nb_queued--;
	q->next = buffer->pub.index + 1 < q->nb_buffers ? buffer->pub.index + 1 : 0;
}

void
bufq_dequeued(struct bufq *q, struct bufq_buffer *buffer)
{
	assert(buffer->state == BUFQ_DONE);
	buffer->state = BUFQ_DEQUEUED;
}

void
bufq_cancel(struct bufq *q)
{
	uint32_t i;

	for (i = 0; i < q->nb_buffers; i++) {
		struct bufq_buffer *buffer = q->buffers[i];

		if (buffer == NULL) {
			continue;
		}
		buffer->state = BUFQ_DEQUEUED;
		if (q->memory != V4L2_MEMORY_MMAP) {
			drop_pages(buffer);
		}
	}
	q->nb_queued = 0;
}
