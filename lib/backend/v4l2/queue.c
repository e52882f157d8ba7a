/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The buffers of a host node, on the thread. Which way a queue goes is found out when its buffers
 * are made: the node takes the guest's (USERPTR or DMABUF), or has its own, which are copied.
 */
#include <errno.h>
#include <string.h>

#include "backend/v4l2/format.h"
#include "backend/v4l2/host.h"
#include "backend/v4l2/sys.h"
#include "base/util.h"
#include "protocol/ioctl.h"

/* In the order in which they are tried. */
static const struct {
	uint32_t memory;
	const char *text;
} modes[HOST_NB_MODES] = {
	[HOST_IMPORT] = {V4L2_MEMORY_USERPTR, "imported by the node (USERPTR)"},
	[HOST_DMABUF] = {V4L2_MEMORY_DMABUF, "imported by the node (DMABUF)"},
	[HOST_COPY] = {V4L2_MEMORY_MMAP, "copied, once, from or to the node's (MMAP)"},
};

uint32_t
host_memory_of(enum host_mode mode)
{
	return mode == HOST_AUTO ? V4L2_MEMORY_MMAP : modes[mode].memory;
}

/* Once a direction, and when it changes. */
static void
tell_mode(struct host_queue *q)
{
	struct v4l2_device *dev = q->host->dev;
	bool output = V4L2_TYPE_IS_OUTPUT(q->type);

	if (dev->told[output] != q->mode || dev->told_shared[output] != q->shared) {
		dev->told[output] = q->mode;
		dev->told_shared[output] = q->shared;
		log_notice(&log_v4l2, "device %s: %s buffers are %s%s",
			vmedia_device_name(dev->device), output ? "output" : "capture",
			q->shared ? "the guest's own pages, " : "", modes[q->mode].text);
	}
}

/* ---- mappings ---- */

static void
unmap_all(struct host_queue *q)
{
	for (uint32_t i = 0; i < HOST_MAX_BUFFERS; i++) {
		struct host_buffer *hb = &q->buffers[i];

		for (uint32_t p = 0; p < VIDEO_MAX_PLANES; p++) {
			if (hb->maps[p] != NULL) {
				v4l2_sys.unmap(hb->maps[p], hb->map_lengths[p]);
				hb->maps[p] = NULL;
			}
		}
		host_dmabuf_drop(hb);
	}
}

typedef void pages_fn(struct shared_plane *plane, struct shared_budget *budget);

static void
all_pages(struct host_queue *q, pages_fn *fn)
{
	for (uint32_t i = 0; q->shared && i < HOST_MAX_BUFFERS; i++) {
		for (uint32_t p = 0; p < VIDEO_MAX_PLANES; p++) {
			fn(&q->buffers[i].pages[p], &q->host->dev->pieces);
		}
	}
}

static void
forget_memory(struct host_queue *q)
{
	unmap_all(q);
	all_pages(q, shared_free);
}

static int
make_room(struct host_queue *q, uint32_t first, const struct vmedia_buffers *made)
{
	int err = 0;

	for (uint32_t i = first; q->shared && i < q->nb_buffers; i++) {
		for (uint32_t p = 0; p < made->nb_planes && err == 0; p++) {
			err = shared_make(&q->buffers[i].pages[p], made->lengths[p]);
		}
	}
	return err;
}

static int
query(struct host_queue *q, uint32_t index, struct v4l2_buffer *b, struct v4l2_plane *planes)
{
	memset(b, 0, sizeof(*b));
	memset(planes, 0, VIDEO_MAX_PLANES * sizeof(planes[0]));
	b->type = q->type;
	b->index = index;
	b->memory = host_memory_of(q->mode);
	if (v4l2_type_is_multiplanar(q->type)) {
		b->m.planes = planes;
		b->length = VIDEO_MAX_PLANES;
	}
	return host_ioctl(q->host, VIDIOC_QUERYBUF, b);
}

static int
map_plane(struct host_buffer *hb, uint32_t p, uint32_t offset, uint32_t length)
{
	int err = v4l2_sys.map(hb->queue->host->fd, offset, length, &hb->maps[p]);

	if (err != 0) {
		hb->maps[p] = NULL;
		return err;
	}
	hb->map_lengths[p] = length;
	return 0;
}

static int
map_buffer(struct host_queue *q, uint32_t index)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;
	int err = query(q, index, &b, planes);

	if (err != 0) {
		return err;
	}
	if (!v4l2_type_is_multiplanar(q->type)) {
		return map_plane(&q->buffers[index], 0, b.m.offset, b.length);
	}
	for (uint32_t p = 0; p < MIN(b.length, VIDEO_MAX_PLANES) && err == 0; p++) {
		err = map_plane(&q->buffers[index], p, planes[p].m.mem_offset, planes[p].length);
	}
	return err;
}

static int
map_from(struct host_queue *q, uint32_t first)
{
	int err = 0;

	for (uint32_t i = first; i < q->nb_buffers && q->mode == HOST_COPY && err == 0; i++) {
		err = map_buffer(q, i);
	}
	return err;
}

/* ---- REQBUFS ---- */

static int
ask(struct host_queue *q, enum host_mode mode, void *arg)
{
	uint32_t *count = arg;
	struct v4l2_requestbuffers rb = {
		.count = *count, .type = q->type, .memory = host_memory_of(mode)};
	int err = host_ioctl(q->host, VIDIOC_REQBUFS, &rb);

	if (err == 0) {
		*count = MIN(rb.count, HOST_MAX_BUFFERS);
		q->mode = mode;
	}
	return err;
}

/* The guest's own pages lie in no file that udmabuf knows. */
static bool
is_possible(const struct host_queue *q, enum host_mode mode, bool shared)
{
	return mode != HOST_DMABUF || (q->host->dev->udmabuf >= 0 && !shared);
}

typedef int make_fn(struct host_queue *q, enum host_mode mode, void *arg);

/* From `first` on. -EINVAL is a driver's word for a kind of memory that it does not know. */
static int
try_from(struct host_queue *q, enum host_mode first, bool shared, make_fn *make, void *arg)
{
	int err = -EINVAL;

	for (enum host_mode mode = first; mode < HOST_NB_MODES && err == -EINVAL; mode++) {
		err = is_possible(q, mode, shared) ? make(q, mode, arg) : -EINVAL;
	}
	return err;
}

static int
try_modes(struct host_queue *q, enum host_mode wanted, bool shared, make_fn *make, void *arg)
{
	if (wanted == HOST_AUTO) {
		return try_from(q, HOST_IMPORT, shared, make, arg);
	}
	return is_possible(q, wanted, shared) ? make(q, wanted, arg) : -EINVAL;
}

/* As long as the node says for each plane, and never shorter than the format. */
static int
sizes(struct host_queue *q, uint32_t index, struct vmedia_buffers *made)
{
	bool mplane = v4l2_type_is_multiplanar(q->type);
	struct v4l2_format f = {.type = q->type};
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;
	int err = host_ioctl(q->host, VIDIOC_G_FMT, &f);

	err = err != 0 ? err : query(q, index, &b, planes);
	if (err != 0) {
		return err;
	}
	made->flags = b.flags;
	made->nb_planes = v4l2_format_planes(&f, made->lengths);
	if (mplane) {
		made->nb_planes = MIN(b.length, VIDEO_MAX_PLANES);
	}
	for (uint32_t p = 0; p < made->nb_planes; p++) {
		made->lengths[p] = MAX(made->lengths[p], mplane ? planes[p].length : b.length);
	}
	q->nb_planes = made->nb_planes;
	return made->nb_planes > 0 ? 0 : -EINVAL;
}

static void
give_up(struct host_queue *q)
{
	uint32_t none = 0;

	forget_memory(q);
	ask(q, q->mode, &none);
	q->nb_buffers = 0;
}

/* The node has `count` buffers now, `first` of them from before. */
static int
take_over(struct host_queue *q, uint32_t first, uint32_t count, struct vmedia_buffers *made)
{
	int err = sizes(q, first, made);

	q->nb_buffers = count;
	err = err != 0 ? err : map_from(q, first);
	err = err != 0 ? err : make_room(q, first, made);
	made->count = count - first;
	if (err == 0) {
		tell_mode(q);
	}
	return err;
}

static void
forget_queued(struct host_queue *q)
{
	q->nb_queued = 0;
	for (uint32_t i = 0; i < HOST_MAX_BUFFERS; i++) {
		q->buffers[i].queued = false;
	}
}

void
host_run_reqbufs(struct host_job *job)
{
	const struct v4l2_requestbuffers *rb = &job->arg.requestbuffers;
	struct host_queue *q = host_queue_of(job->host, rb->type);
	uint32_t count = rb->count;
	bool choose = count > 0 || q->mode == HOST_AUTO;
	bool shared = rb->memory == V4L2_MEMORY_USERPTR;

	memset(&job->made, 0, sizeof(job->made));
	q->type = rb->type;
	job->status = choose ? try_modes(q, q->host->dev->buffers, shared, ask, &count)
	                     : ask(q, q->mode, &count);
	if (job->status == -EBUSY || job->status == -ENODEV) {
		return; /* nothing has changed */
	}
	forget_memory(q);
	forget_queued(q);
	q->nb_buffers = 0;
	q->proved = false;
	q->shared = shared;
	if (job->status == 0 && count > 0) {
		job->status = take_over(q, 0, count, &job->made);
	}
	if (job->status != 0) {
		give_up(q);
	}
	job->made.status = job->status;
}

/* ---- CREATE_BUFS ---- */

static int
create(struct host_queue *q, enum host_mode mode, void *arg)
{
	struct v4l2_create_buffers *cb = arg;
	int err;

	cb->memory = host_memory_of(mode);
	err = host_ioctl(q->host, VIDIOC_CREATE_BUFS, cb);
	if (err == 0) {
		q->mode = mode;
	}
	return err;
}

void
host_run_create_bufs(struct host_job *job)
{
	struct v4l2_create_buffers *cb = &job->arg.create_buffers;
	struct host_queue *q = host_queue_of(job->host, cb->format.type);
	bool shared = cb->memory == V4L2_MEMORY_USERPTR;

	memset(&job->made, 0, sizeof(job->made));
	if (q->nb_buffers > 0 && shared != q->shared) {
		job->status = job->made.status = -EINVAL;
		return;
	}
	q->shared = shared;
	q->type = cb->format.type;
	job->status = try_modes(
		q, q->nb_buffers > 0 ? q->mode : q->host->dev->buffers, shared, create, cb);
	if (job->status == 0 && cb->count > 0) {
		/* Indices are the guest's: none may be missing. */
		job->status =
			cb->index == q->nb_buffers && cb->index + cb->count <= HOST_MAX_BUFFERS
				? take_over(q, cb->index, cb->index + cb->count, &job->made)
				: -ENOMEM;
	}
	job->made.status = job->status;
}

int
host_queue_fall_back(struct host_queue *q)
{
	uint32_t count = q->nb_buffers, none = 0;
	int err = -EINVAL;

	if (q->host->dev->buffers == HOST_AUTO && q->mode != HOST_COPY && !q->proved &&
		!q->streaming) {
		enum host_mode next = q->mode + 1;

		err = ask(q, q->mode, &none);
		unmap_all(q);
		err = err != 0 ? err : try_from(q, next, q->shared, ask, &count);
	}
	if (err == 0 && count < q->nb_buffers) {
		err = -ENOMEM;
	}
	err = err != 0 ? err : map_from(q, 0);
	if (err == 0) {
		all_pages(q, shared_unmap);
		tell_mode(q);
	}
	return err;
}

int
host_queue_restart(struct host_queue *q)
{
	uint32_t none = 0, count = q->nb_buffers, type = q->type;
	int err;

	if (q->streaming) {
		host_ioctl(q->host, VIDIOC_STREAMOFF, &type);
	}
	unmap_all(q);
	err = ask(q, q->mode, &none); /* only now are pages not pinned any more */
	all_pages(q, shared_unmap);
	err = err != 0 ? err : ask(q, q->mode, &count);
	err = err == 0 && count < q->nb_buffers ? -ENOMEM : err;
	err = err != 0 ? err : map_from(q, 0);
	if (err == 0 && q->streaming) {
		err = host_ioctl(q->host, VIDIOC_STREAMON, &type);
	}
	q->streaming = q->streaming && err == 0;
	host_watch(q->host);
	return err;
}

/* ---- streaming ---- */

void
host_run_streamon(struct host_job *job)
{
	struct host_queue *q = host_queue_of(job->host, job->arg.type);

	job->status = host_ioctl(job->host, VIDIOC_STREAMON, &job->arg.type);
	if (job->status == 0) {
		q->streaming = true;
		host_watch(job->host);
	}
}

void
host_run_streamoff(struct host_job *job)
{
	struct host_queue *q = host_queue_of(job->host, job->arg.type);

	job->status = host_ioctl(job->host, VIDIOC_STREAMOFF, &job->arg.type);
	if (job->status == 0) {
		q->streaming = false;
		forget_queued(q);
		all_pages(q, shared_unmap);
		host_watch(job->host);
	}
}

void
host_queue_forget(struct host_queue *q)
{
	if (q->shared && q->streaming) {
		host_ioctl(q->host, VIDIOC_STREAMOFF, &q->type); /* ahead of unmapping */
	}
	forget_memory(q);
	forget_queued(q);
	q->shared = false;
	q->type = 0;
	q->mode = HOST_AUTO;
	q->nb_buffers = 0;
	q->streaming = false;
	q->proved = false;
}
