/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers in a program's memory (USERPTR). The device reaches only what the driver lends it, so
 * each plane has a place there; the shim copies (docs/decisions/0006-v4l2-shim.md).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "v4l2-shim/broker.h"

static struct user_buffer *
find(struct session *session, uint32_t type, uint32_t index)
{
	struct queue *queue = type < BROKER_NB_TYPES ? &session->queues[type] : NULL;

	return queue != NULL && queue->user != NULL && index < DRIVER_MAX_BUFFERS
	               ? &queue->user[index]
	               : NULL;
}

static struct user_buffer *
find_or_make(struct session *session, const struct v4l2_buffer *b)
{
	struct queue *queue = b->type < BROKER_NB_TYPES ? &session->queues[b->type] : NULL;

	if (queue != NULL && queue->user == NULL) {
		queue->user = calloc(DRIVER_MAX_BUFFERS, sizeof(*queue->user));
	}
	return find(session, b->type, b->index);
}

static bool
is_user(const struct call *call)
{
	const struct v4l2_buffer *b = (const void *)call->arg;

	switch (call->req.request) {
	case VIDIOC_QUERYBUF:
	case VIDIOC_QBUF:
	case VIDIOC_DQBUF:
	case VIDIOC_PREPARE_BUF:
		return b->memory == V4L2_MEMORY_USERPTR;
	default:
		return false;
	}
}

static uint32_t
nb_planes(const struct v4l2_buffer *b)
{
	return V4L2_TYPE_IS_MULTIPLANAR(b->type) ? MIN(b->length, (uint32_t)VIDEO_MAX_PLANES) : 1;
}

static uint32_t *
length_of(struct v4l2_buffer *b, uint32_t i)
{
	return V4L2_TYPE_IS_MULTIPLANAR(b->type) ? &b->m.planes[i].length : &b->length;
}

static unsigned long *
pointer_of(struct v4l2_buffer *b, uint32_t i)
{
	return V4L2_TYPE_IS_MULTIPLANAR(b->type) ? &b->m.planes[i].m.userptr : &b->m.userptr;
}

static void
release(struct driver *drv, struct user_plane *plane)
{
	if (plane->addr != NULL) {
		madvise(plane->addr, plane->bytes, MADV_REMOVE); /* the pages, too */
		driver_mem_free(drv, plane->addr);
	}
	*plane = (struct user_plane){0};
}

static int
fit(struct driver *drv, struct user_plane *plane, uint32_t length, unsigned long userptr)
{
	if (plane->bytes < length) {
		release(drv, plane);
		plane->addr = driver_mem_alloc(drv, length);
		if (plane->addr == NULL) {
			return -ENOMEM;
		}
		plane->bytes = (uint32_t)round_up((uint64_t)length, 4096);
	}
	plane->length = length;
	plane->userptr = userptr;
	return 0;
}

static void
say_place(const struct call *call, const struct user_buffer *user)
{
	const uint8_t *start = call->session->broker->memory;
	struct shim_places places = {0};

	if (call->req.extra_bytes != sizeof(places)) {
		return;
	}
	for (uint32_t i = 0; i < VIDEO_MAX_PLANES; i++) {
		if (user->planes[i].addr != NULL) {
			places.offset[i] = (uint64_t)((uint8_t *)user->planes[i].addr - start);
		}
	}
	memcpy(call->extra, &places, sizeof(places));
}

int
usermem_place(struct call *call)
{
	struct v4l2_buffer *b = (void *)call->arg;
	struct driver *drv = call->session->broker->drv;
	struct user_buffer *user;

	if (!is_user(call) || call->req.request == VIDIOC_QUERYBUF) {
		return 0;
	}
	user = find_or_make(call->session, b);
	if (user == NULL || user->queued) {
		return -EINVAL;
	}
	/* A prepared buffer stays what it was prepared as, whatever QBUF says. */
	for (uint32_t i = 0; i < nb_planes(b); i++) {
		struct user_plane *plane = &user->planes[i];
		int ret = 0;

		if (!user->prepared) {
			ret = fit(drv, plane, *length_of(b, i), *pointer_of(b, i));
		}
		if (ret != 0) {
			return ret;
		}
		*pointer_of(b, i) = (unsigned long)plane->addr;
		*length_of(b, i) = plane->length;
	}
	say_place(call, user);
	user->queued = call->req.op == SHIM_IOCTL && call->req.request == VIDIOC_QBUF;
	return 0;
}

void
usermem_answer(struct call *call, int status)
{
	struct v4l2_buffer *b = (void *)call->arg;
	struct user_buffer *user = is_user(call) ? find(call->session, b->type, b->index) : NULL;

	if (user == NULL) {
		return;
	}
	for (uint32_t i = 0; i < nb_planes(b); i++) {
		if (user->planes[i].addr !=
			NULL) { /* else it was never queued: as the device says */
			*pointer_of(b, i) = user->planes[i].userptr;
			*length_of(b, i) = user->planes[i].length;
		}
	}
	say_place(call, user);
	if (call->req.request == VIDIOC_QBUF && status != 0) {
		user->queued = false;
	} else if (call->req.request == VIDIOC_QBUF) {
		user->prepared = false;
	} else if (call->req.request == VIDIOC_PREPARE_BUF) {
		user->prepared |= status == 0;
	}
}

void
usermem_done(struct session *session, uint32_t type, uint32_t index)
{
	struct user_buffer *user = find(session, type, index);

	if (user != NULL) {
		user->queued = false;
	}
}

void
usermem_stopped(struct session *session, uint32_t type, bool freed)
{
	struct queue *queue = type < BROKER_NB_TYPES ? &session->queues[type] : NULL;

	if (queue == NULL || queue->user == NULL) {
		return;
	}
	for (uint32_t n = 0; n < DRIVER_MAX_BUFFERS; n++) {
		queue->user[n].queued = queue->user[n].prepared = false;
		for (uint32_t i = 0; freed && i < VIDEO_MAX_PLANES; i++) {
			release(session->broker->drv, &queue->user[n].planes[i]);
		}
	}
	if (freed) {
		free(queue->user);
		queue->user = NULL;
	}
}
