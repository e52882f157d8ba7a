/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of a buffer to the node and back. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/v4l2/host.h"
#include "base/clock.h"
#include "base/util.h"
#include "device/device.h"
#include "protocol/ioctl.h"

/* ---- back on the device's reactor ---- */

static void
fill(const struct host_buffer *hb, struct vmedia_buffer *buffer)
{
	const struct v4l2_buffer *b = &hb->b;
	bool mplane = v4l2_type_is_multiplanar(buffer->type);

	buffer->flags = b->flags;
	buffer->field = b->field;
	buffer->sequence = b->sequence;
	buffer->timestamp_ns = (uint64_t)b->timestamp.tv_sec * NSEC_PER_SEC +
	                       (uint64_t)b->timestamp.tv_usec * NSEC_PER_USEC;
	buffer->timecode = b->timecode;
	for (uint32_t p = 0; p < buffer->nb_planes; p++) {
		buffer->planes[p].bytesused = mplane ? hb->planes[p].bytesused : b->bytesused;
		buffer->planes[p].data_offset = mplane ? hb->planes[p].data_offset : 0;
	}
}

/* Whoever touches a pixel now dies: what still arrives intact was not copied. */
static void
go_blind(struct v4l2_device *dev)
{
	struct shm_arena *arena = device_arena(dev->device);

	if (mprotect(shm_arena_addr(arena, 0), shm_arena_size(arena), PROT_NONE) != 0) {
		log_err(&log_v4l2, "device %s: blind-after: %s", vmedia_device_name(dev->device),
			strerror(errno));
	}
}

static void
returned(void *arg)
{
	struct host_buffer *hb = arg;
	struct host *host = hb->queue->host;

	if (host->session == NULL) {
		return; /* closed meanwhile: the buffer is gone */
	}
	if (hb->status == -ENODEV) {
		host->gone = -ENODEV;
	}
	if (hb->status == 0) {
		fill(hb, hb->buffer);
		vmedia_frame_moved(host->dev->device, hb->nb_copied);
		if (host->dev->blind_after > 0 && --host->dev->blind_after == 0) {
			go_blind(host->dev);
		}
	} else {
		hb->buffer->flags |= V4L2_BUF_FLAG_ERROR;
	}
	vmedia_buffer_done(hb->buffer);
}

/* ---- on the thread ---- */

static void
send_back(struct host_buffer *hb, int status)
{
	hb->status = status;
	hb->msg = (struct reactor_msg){.fn = returned, .arg = hb};
	reactor_send(hb->queue->host->dev->reactor, &hb->msg);
}

static uint32_t
plane_used(const struct host_buffer *hb, uint32_t p)
{
	return v4l2_type_is_multiplanar(hb->b.type) ? hb->planes[p].bytesused : hb->b.bytesused;
}

static uint32_t
copy_plane(const struct host_buffer *hb, uint32_t p, void *node, uint32_t nb)
{
	bool output = V4L2_TYPE_IS_OUTPUT(hb->b.type);

	if (hb->queue->shared) {
		return shared_copy(&hb->pages[p], node, nb, !output);
	}
	memcpy(output ? node : hb->addrs[p], output ? hb->addrs[p] : node, nb);
	return nb;
}

/* In the direction of the queue; bytes beyond either end stay where they are. */
static void
copy(struct host_buffer *hb)
{
	for (uint32_t p = 0; p < hb->queue->nb_planes; p++) {
		uint32_t nb = MIN(plane_used(hb, p), hb->lengths[p]);

		if (hb->queue->mode == HOST_COPY) {
			nb = MIN(nb, hb->map_lengths[p]);
			hb->nb_copied += copy_plane(hb, p, hb->maps[p], nb);
		} else if (hb->pages[p].holds == SHARED_PLAIN) {
			hb->nb_copied += copy_plane(hb, p, hb->addrs[p], nb);
		}
	}
}

static void
tell_plain(struct v4l2_device *dev, int why)
{
	if (!dev->told_plain) {
		dev->told_plain = true;
		log_notice(&log_v4l2, "device %s: buffers of the guest are copied: %s",
			vmedia_device_name(dev->device),
			why == -ENOSPC ? "they are in more pieces than max-pieces"
				       : "their pieces are not whole pages that can be mapped");
	}
}

/* The guest's own pages, where the node can reach them. */
static int
reach(struct host_buffer *hb, uint32_t p)
{
	struct v4l2_device *dev = hb->queue->host->dev;
	struct shared_plane *pages = &hb->pages[p];
	int err = shared_map(pages, &dev->pieces);

	if (err != 0 && pages->nb_segments > 0 && dev->buffers == HOST_AUTO) {
		tell_plain(dev, err);
		err = shared_plain(pages, hb->lengths[p], &dev->pieces);
	}
	hb->addrs[p] = pages->addr;
	return err;
}

static int
reach_all(struct host_buffer *hb)
{
	bool wanted = hb->queue->shared && hb->queue->mode == HOST_IMPORT;
	int err = 0;

	for (uint32_t p = 0; wanted && p < hb->queue->nb_planes && err == 0; p++) {
		err = reach(hb, p);
	}
	return err;
}

/* Into the union m of a v4l2_buffer or v4l2_plane: an address, an fd, or nothing. */
static int
memory_of_plane(struct host_buffer *hb, uint32_t p, void *m)
{
	unsigned long userptr = hb->queue->mode == HOST_IMPORT ? (uintptr_t)hb->addrs[p] : 0;
	int fd;

	if (hb->queue->mode != HOST_DMABUF) {
		memcpy(m, &userptr, sizeof(userptr));
		return 0;
	}
	fd = host_dmabuf_of(hb, p);
	memcpy(m, &fd, sizeof(fd));
	return MIN(fd, 0);
}

static int
name_memory(struct host_buffer *hb)
{
	struct v4l2_buffer *b = &hb->b;
	int err = 0;

	b->memory = host_memory_of(hb->queue->mode);
	if (!v4l2_type_is_multiplanar(b->type)) {
		b->length = hb->lengths[0];
		return memory_of_plane(hb, 0, &b->m);
	}
	b->m.planes = hb->planes;
	b->length = hb->queue->nb_planes;
	for (uint32_t p = 0; p < b->length && err == 0; p++) {
		err = memory_of_plane(hb, p, &hb->planes[p].m);
		hb->planes[p].length = hb->lengths[p];
	}
	return err;
}

static int
queue(struct host_buffer *hb)
{
	struct v4l2_buffer b;
	int err = reach_all(hb);

	if (err != 0) {
		return err;
	}
	hb->nb_copied = 0;
	if (V4L2_TYPE_IS_OUTPUT(hb->b.type)) {
		copy(hb);
	}
	err = name_memory(hb);
	if (err != 0) {
		return err;
	}
	host_dmabuf_from_guest(hb);
	b = hb->b; /* an error leaves it as it is, for another try */
	return host_ioctl(hb->queue->host, VIDIOC_QBUF, &b);
}

static void
queue_run(void *arg)
{
	struct host_buffer *hb = arg;
	struct host_queue *q = hb->queue;
	int err = queue(hb);

	while (err != 0 && err != -ENODEV && q->nb_queued == 0 && host_queue_fall_back(q) == 0) {
		err = queue(hb);
	}
	if (err != 0) {
		send_back(hb, err);
		return;
	}
	hb->queued = true;
	q->nb_queued++;
	q->proved = true;
}

void
host_frames_fail(struct host_queue *q, int status)
{
	for (uint32_t i = 0; i < HOST_MAX_BUFFERS; i++) {
		if (q->buffers[i].queued) {
			q->buffers[i].queued = false;
			send_back(&q->buffers[i], status);
		}
	}
	q->nb_queued = 0;
}

static int
take_one(struct host_queue *q)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {{0}};
	struct v4l2_buffer b = {.type = q->type, .memory = host_memory_of(q->mode)};
	struct host_buffer *hb;
	int err;

	if (v4l2_type_is_multiplanar(q->type)) {
		b.m.planes = planes;
		b.length = VIDEO_MAX_PLANES;
	}
	err = host_ioctl(q->host, VIDIOC_DQBUF, &b);
	if (err != 0) {
		return err;
	}
	if (b.index >= q->nb_buffers || !q->buffers[b.index].queued) {
		return 0; /* not one of ours */
	}
	hb = &q->buffers[b.index];
	hb->queued = false;
	q->nb_queued--;
	hb->b = b;
	memcpy(hb->planes, planes, sizeof(planes));
	if (!V4L2_TYPE_IS_OUTPUT(q->type)) {
		copy(hb);
	}
	host_dmabuf_to_guest(hb);
	host_events_take(q->host); /* EOS and source change go ahead of the last buffer */
	send_back(hb, 0);
	return 0;
}

/* EAGAIN: no more for now. EPIPE: the last one has gone; the guest knows. Others are for good. */
static void
take_queue(struct host_queue *q)
{
	int err = 0;

	while (err == 0 && q->streaming) {
		err = take_one(q);
	}
	if (err != 0 && err != -EAGAIN && err != -EPIPE && err != -EINVAL) {
		if (q->shared) { /* the guest's pages are its own again */
			host_ioctl(q->host, VIDIOC_STREAMOFF, &q->type);
		}
		host_frames_fail(q, err);
	}
}

void
host_frames_take(struct host *host)
{
	take_queue(&host->queues[1]);
	take_queue(&host->queues[0]);
}

/* ---- on the device's reactor ---- */

static void
describe(struct host_buffer *hb, const struct vmedia_buffer *buffer)
{
	struct v4l2_buffer *b = &hb->b;

	memset(b, 0, sizeof(*b));
	memset(hb->planes, 0, sizeof(hb->planes));
	b->index = buffer->index;
	b->type = buffer->type;
	b->flags = buffer->flags;
	b->field = buffer->field;
	b->timestamp.tv_sec = (time_t)(buffer->timestamp_ns / NSEC_PER_SEC);
	b->timestamp.tv_usec = (suseconds_t)(buffer->timestamp_ns % NSEC_PER_SEC / NSEC_PER_USEC);
	b->timecode = buffer->timecode;
	b->bytesused = buffer->planes[0].bytesused;
	for (uint32_t p = 0; p < buffer->nb_planes; p++) {
		hb->planes[p].bytesused = buffer->planes[p].bytesused;
		hb->planes[p].data_offset = buffer->planes[p].data_offset;
		hb->addrs[p] = buffer->planes[p].addr;
		hb->lengths[p] = buffer->planes[p].length;
		if (hb->queue->shared) {
			shared_take(&hb->pages[p], &buffer->planes[p]);
		}
	}
	if (v4l2_type_is_multiplanar(buffer->type)) {
		b->bytesused = 0;
	}
}

void
host_buffer_send(struct host *host, struct vmedia_buffer *buffer)
{
	struct host_buffer *hb = &host_queue_of(host, buffer->type)->buffers[buffer->index];

	if (hb->hold.nb_planes == 0 && !hb->queue->shared) {
		vmedia_buffer_hold(buffer, &hb->hold);
	}
	hb->buffer = buffer;
	describe(hb, buffer);
	hb->msg = (struct reactor_msg){.fn = queue_run, .arg = hb};
	reactor_send(host->dev->thread, &hb->msg);
}

void
host_holds_drop(struct host_queue *q)
{
	for (uint32_t i = 0; i < HOST_MAX_BUFFERS; i++) {
		vmedia_hold_drop(q->host->dev->device, &q->buffers[i].hold);
	}
}
