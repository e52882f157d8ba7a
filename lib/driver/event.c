/* SPDX-License-Identifier: BSD-3-Clause */
/* The eventq: buffers posted, events copied once, checked, recycled and only then delivered. HOT.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

static void
post(struct driver *drv, uint16_t token)
{
	struct ring_chain chain;

	chain.bufs[0] =
		(struct ring_buf){drv->event_gpa + (uint64_t)token * EVENT_SLOT_BYTES, EVENT_BYTES};
	chain.nb_read = 0;
	chain.nb_write = 1;
	chain.token = token;
	chain.table = NULL;
	/* It has room: only nb_event_buffers <= eventq_size ever circulate. */
	if (unlikely(ring_add(&drv->rings[DRIVER_QUEUE_EVENT], &chain) != 0)) {
		drv->dead = drv->dead != 0 ? drv->dead : -EIO;
	}
}

int
events_init(struct driver *drv)
{
	uint16_t nb = drv->config.nb_event_buffers;

	if (nb == 0) {
		return 0;
	}
	if (drv->event_mem == NULL) {
		drv->event_mem = memory_alloc(&drv->mem, (size_t)nb * EVENT_SLOT_BYTES);
	}
	if (drv->event_mem == NULL) {
		return -ENOMEM;
	}
	drv->event_gpa = memory_gpa(&drv->mem, drv->event_mem, (size_t)nb * EVENT_SLOT_BYTES);
	return 0;
}

void
events_post_all(struct driver *drv)
{
	drv->nb_held = drv->held_head = 0;
	for (uint16_t i = 0; i < drv->config.nb_event_buffers; i++) {
		post(drv, i);
	}
}

static void
recycle(struct driver *drv, uint16_t token)
{
	uint32_t i = (drv->held_head + drv->nb_held) % DRIVER_MAX_EVENT_BUFFERS;

	if (likely(drv->repost_delay_tsc == 0 && drv->nb_held == 0)) {
		post(drv, token);
		return;
	}
	drv->held[i] = (struct held_event){token, clock_tsc() + drv->repost_delay_tsc};
	drv->nb_held++;
}

static void
release_held(struct driver *drv)
{
	uint64_t now = clock_tsc();

	while (drv->nb_held > 0 && (int64_t)(now - drv->held[drv->held_head].due_tsc) >= 0) {
		post(drv, drv->held[drv->held_head].token);
		drv->held_head = (drv->held_head + 1) % DRIVER_MAX_EVENT_BUFFERS;
		drv->nb_held--;
	}
}

uint64_t
events_next_due(const struct driver *drv)
{
	return drv->nb_held > 0 ? drv->held[drv->held_head].due_tsc : UINT64_MAX;
}

/* bytesused and pointers of a DQBUF are the device's word: kept inside, or cleared.
 */
static bool
planes_ok(struct driver_event *event)
{
	struct v4l2_buffer *b = &event->dqbuf.buffer;

	if (!type_is_mplane(b->type)) {
		if (b->memory == V4L2_MEMORY_USERPTR) {
			b->m.userptr = 0;
		}
		return b->bytesused <= b->length;
	}
	b->m.planes = NULL;
	for (uint32_t i = 0; i < b->length; i++) {
		struct v4l2_plane *p = &event->dqbuf.planes[i];

		if (p->bytesused > p->length || p->data_offset > p->length) {
			return false;
		}
		if (b->memory == V4L2_MEMORY_USERPTR) {
			p->m.userptr = 0;
		}
	}
	return true;
}

static bool
take_dqbuf(struct driver_session *session, const uint8_t *mem, struct driver_event *event)
{
	struct driver_stats *stats = &session->drv->stats;
	struct v4l2_buffer *b = &event->dqbuf.buffer;
	struct session_queue *q;

	event->kind = DRIVER_EVENT_DQBUF;
	memcpy(b, mem + offsetof(struct virtio_media_event_dqbuf, buffer), sizeof(*b));
	memcpy(event->dqbuf.planes, mem + offsetof(struct virtio_media_event_dqbuf, planes),
		sizeof(event->dqbuf.planes));
	if (unlikely(b->type >= NB_BUFFER_TYPES ||
		     (type_is_mplane(b->type) && b->length > VIDEO_MAX_PLANES))) {
		stats->events_bad++;
		return false;
	}
	q = &session->queues[b->type];
	if (unlikely(b->index >= DRIVER_MAX_BUFFERS || !(q->queued & (1ULL << b->index)))) {
		/* Leftovers of a stopped queue are in order, a second DQBUF is not. */
		uint64_t *counter =
			b->index >= q->allocated && !q->draining
				? &stats->events_bad
				: (q->draining ? &stats->events_stale : &stats->events_duplicate);

		(*counter)++;
		return false;
	}
	if (unlikely(!planes_ok(event))) {
		stats->events_bad++;
		return false;
	}
	q->queued &= ~(1ULL << b->index);
	stats->events_dqbuf++;
	return true;
}

static bool
take_error(struct driver_session *session, const uint8_t *mem, struct driver_event *event)
{
	uint32_t code;

	memcpy(&code, mem + offsetof(struct virtio_media_event_error, error_code), sizeof(code));
	event->kind = DRIVER_EVENT_ERROR;
	event->error = code >= 1 && code <= 4095 ? -(int)code : -EIO;
	session->error = true;
	session->drv->stats.events_error++;
	return true;
}

static uint32_t
min_length(uint32_t kind)
{
	switch (kind) {
	case VIRTIO_MEDIA_EVT_ERROR:
		return sizeof(struct virtio_media_event_error);
	case VIRTIO_MEDIA_EVT_DQBUF:
		return sizeof(struct virtio_media_event_dqbuf);
	case VIRTIO_MEDIA_EVT_EVENT:
		return sizeof(struct virtio_media_event_event);
	default:
		return UINT32_MAX;
	}
}

/* Copies and checks. NULL: dropped and counted. */
static struct driver_session *
take(struct driver *drv, uint16_t token, uint32_t len, struct driver_event *event)
{
	const uint8_t *mem = drv->event_mem + (size_t)token * EVENT_SLOT_BYTES;
	struct virtio_media_event_header hdr;
	struct driver_session *session;
	bool ok;

	event->seen_tsc = clock_tsc_after_loads();
	drv->event_seen_tsc = event->seen_tsc;
	drv->last_event = mem;
	drv->nb_events_taken++;
	if (unlikely(len < sizeof(hdr) || len > EVENT_BYTES)) {
		drv->stats.events_bad++;
		return NULL;
	}
	memcpy(&hdr, mem, sizeof(hdr));
	if (unlikely(len < min_length(hdr.event))) {
		drv->stats.events_bad++;
		return NULL;
	}
	session = session_find(drv, hdr.session_id);
	if (unlikely(session == NULL || session->closing)) {
		*(session == NULL ? &drv->stats.events_unknown_session
				  : &drv->stats.events_stale) += 1;
		return NULL;
	}
	event->error = 0;
	if (likely(hdr.event == VIRTIO_MEDIA_EVT_DQBUF)) {
		ok = take_dqbuf(session, mem, event);
	} else if (hdr.event == VIRTIO_MEDIA_EVT_EVENT) {
		memcpy(&event->v4l2, mem + offsetof(struct virtio_media_event_event, event),
			sizeof(event->v4l2));
		event->kind = DRIVER_EVENT_V4L2;
		drv->stats.events_v4l2++;
		ok = true;
	} else {
		ok = take_error(session, mem, event);
	}
	return ok ? session : NULL;
}

unsigned int
events_collect(struct driver *drv)
{
	struct ring *ring = &drv->rings[DRIVER_QUEUE_EVENT];
	unsigned int nb = 0;
	uint16_t token;
	uint32_t len;

	while (nb < COMPLETION_BATCH && ring_pop(ring, &token, &len) > 0) {
		struct driver_event event;
		struct driver_session *session = take(drv, token, len, &event);

		recycle(drv, token);
		nb++;
		if (unlikely(session == NULL)) {
			continue;
		}
		if (session->event_fn != NULL) {
			session->event_fn(session, &event, session->event_arg);
		} else {
			session_fifo_push(session, &event);
		}
	}
	if (unlikely(drv->nb_held > 0)) {
		release_held(drv);
	}
	if (ring->nb_unkicked > 0 && drv->running) {
		ring_kick(ring);
	}
	return nb;
}
