/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. What goes out on the eventq: done buffers and V4L2 events, first come, first served, linked
 * until the driver posts a descriptor and never dropped.
 */
#include <errno.h>
#include <string.h>

#include "device/internal.h"

LOG_TYPE_USE(device);

#define FLUSH_BURST 64 /* chains taken per call: a guest that posts rubbish cannot keep us here */

static struct virtq *
eventq(struct vmedia_device *device)
{
	return &device->vqs[DEVICE_EVENTQ];
}

static uint64_t
nb_taken(const struct vmedia_device *device)
{
	return device->vqs[DEVICE_EVENTQ].stats.nb_chains;
}

/* ---- the pending list ---- */

static void
pending_add(struct vmedia_device *device, struct pending *pending, enum pending_kind kind)
{
	pending->kind = kind;
	TAILQ_INSERT_TAIL(&device->pending, pending, link);
	counter_inc(&device->nb_pending);
}

static void
pending_remove(struct vmedia_device *device, struct pending *pending)
{
	TAILQ_REMOVE(&device->pending, pending, link);
	counter_sub(&device->nb_pending, 1);
}

void
event_buffer_pending(struct vmedia_device *device, struct bufq_buffer *buffer)
{
	pending_add(device, &buffer->pending, PENDING_BUFFER);
}

static bool
belongs_to(struct pending *pending, struct vmedia_session *session, const struct bufq *queue)
{
	const struct bufq_buffer *buffer;

	if (pending->kind == PENDING_EVENT) {
		return queue == NULL &&
		       container_of(pending, struct subscription, pending)->session == session;
	}
	buffer = container_of(pending, struct bufq_buffer, pending);
	return buffer->pub.session == session && (queue == NULL || queue->type == buffer->pub.type);
}

void
event_withdraw(struct vmedia_session *session, const struct bufq *queue)
{
	struct vmedia_device *device = session->device;
	struct pending *pending, *next;

	for (pending = TAILQ_FIRST(&device->pending); pending != NULL; pending = next) {
		next = TAILQ_NEXT(pending, link);
		if (!belongs_to(pending, session, queue)) {
			continue;
		}
		pending_remove(device, pending);
		if (pending->kind == PENDING_EVENT) {
			container_of(pending, struct subscription, pending)->pending_valid = false;
		}
	}
	if (TAILQ_EMPTY(&device->pending)) {
		device->starved_tsc = 0;
	}
}

/* ---- V4L2 events ---- */

/* The newest wins; what changed meanwhile is added up (section 4.4). */
static void
merge(struct v4l2_event *event, const struct v4l2_event *newer)
{
	uint32_t changes = 0;

	if (newer->type == V4L2_EVENT_CTRL) {
		changes = event->u.ctrl.changes;
	} else if (newer->type == V4L2_EVENT_SOURCE_CHANGE) {
		changes = event->u.src_change.changes;
	}
	*event = *newer;
	if (newer->type == V4L2_EVENT_CTRL) {
		event->u.ctrl.changes |= changes;
	} else if (newer->type == V4L2_EVENT_SOURCE_CHANGE) {
		event->u.src_change.changes |= changes;
	}
}

static void
stamp(struct v4l2_event *event, struct vmedia_session *session)
{
	if (!session->device->backend->forwards) {
		clock_gettime(CLOCK_MONOTONIC, &event->timestamp);
	}
	event->pending = 0;
	event->sequence = session->event_sequence++;
	memset(event->reserved, 0, sizeof(event->reserved));
}

void
event_subscription_raise(struct subscription *subscription, const struct v4l2_event *event)
{
	struct vmedia_session *session = subscription->session;

	if (subscription->pending_valid) {
		merge(&subscription->event, event);
	} else {
		subscription->event = *event;
		subscription->pending_valid = true;
		pending_add(session->device, &subscription->pending, PENDING_EVENT);
	}
	stamp(&subscription->event, session);
}

void
event_subscription_drop(struct subscription *subscription)
{
	if (subscription->pending_valid) {
		pending_remove(subscription->session->device, &subscription->pending);
	}
	subscription->pending_valid = false;
	subscription->used = false;
}

void
vmedia_session_event_queue(struct vmedia_session *session, const struct v4l2_event *event)
{
	uint32_t i, left = session->nb_subscriptions;

	for (i = 0; left > 0; i++) {
		struct subscription *s = &session->subscriptions[i];

		left -= s->used;
		if (s->used && s->type == event->type && s->id == event->id) {
			event_subscription_raise(s, event);
		}
	}
}

void
vmedia_event_queue(struct vmedia_device *device, const struct v4l2_event *event)
{
	struct vmedia_session *session;

	TAILQ_FOREACH (session, &device->sessions, link) {
		vmedia_session_event_queue(session, event);
	}
}

static void
stamp_done(struct bufq_buffer *buffer)
{
	struct v4l2_timecode *timecode = &buffer->pub.timecode;
	uint32_t done_tsc = (uint32_t)buffer->done_tsc;

	timecode->type = V4L2_TC_TYPE_24FPS;
	timecode->flags = V4L2_TC_USERBITS_USERDEFINED;
	_Static_assert(sizeof(timecode->userbits) == sizeof(done_tsc), "all of the user bits");
	memcpy(timecode->userbits, &done_tsc, sizeof(done_tsc));
	buffer->pub.flags |= V4L2_BUF_FLAG_TIMECODE;
}

void
vmedia_buffer_begin(struct vmedia_buffer *pub)
{
	trace_hook(frame_begin, .device = (uint16_t)pub->session->device->index,
		.session = pub->session->id, .buftype = (uint8_t)pub->type,
		.index = (uint8_t)pub->index, .sequence = pub->sequence);
}

void
vmedia_buffer_done(struct vmedia_buffer *pub)
{
	struct bufq_buffer *buffer = bufq_buffer_of(pub);
	struct vmedia_device *device = pub->session->device;
	struct bufq *q = session_queue(pub->session, pub->type);

	if (unlikely(buffer->state != BUFQ_QUEUED)) {
		log_err(&log_device,
			"device %s: the backend finished buffer %u, which it does not own",
			device->name, pub->index);
		return;
	}
	bufq_done(q, buffer);
	buffer->done_tsc = clock_tsc();
	if (pub->timestamp_ns == 0 && !q->timestamp_copy) {
		pub->timestamp_ns = clock_monotonic_at(buffer->done_tsc);
	}
	if (unlikely(device->stamp_done)) {
		stamp_done(buffer);
	}
	counter_inc(&device->counters.nb_frames);
	trace_hook(frame_done, .device = (uint16_t)device->index, .session = pub->session->id,
		.buftype = (uint8_t)pub->type, .index = (uint8_t)pub->index,
		.sequence = pub->sequence, .bytesused = pub->planes[0].bytesused,
		.flags = pub->flags, .timestamp_ns = pub->timestamp_ns);
	event_buffer_pending(device, buffer);
}

/* ---- publishing ---- */

/* Copies one event into the chain. False: it does not fit, the chain goes back empty. */
static bool
event_write(struct vmedia_device *device, const void *event, uint32_t bytes)
{
	struct virtq_chain *chain = &device->event_chain;
	struct iov_cursor out;

	iov_cursor_init(
		&out, virtq_chain_writable(chain), chain->nb_writable, chain->writable_bytes);
	if (unlikely(!iov_write(&out, event, bytes))) {
		virtq_push(eventq(device), chain, 0);
		device->taken_base++; /* carried nothing: the drain barrier does not count it */
		counter_inc(&device->counters.nb_event_too_small);
		guest_fault(device, TRACE_FAULT_SMALL_EVENT_BUFFER);
		return false;
	}
	virtq_push(eventq(device), chain, bytes);
	return true;
}

/* Where a DQBUF event can be written without a copy; NULL: not in one piece, or not aligned. */
static struct virtio_media_event_dqbuf *
event_in_place(const struct virtq_chain *chain)
{
	const struct iovec *iov = virtq_chain_writable(chain);

	if (unlikely(chain->nb_writable == 0 ||
		     iov->iov_len < sizeof(struct virtio_media_event_dqbuf) ||
		     (uintptr_t)iov->iov_base % _Alignof(struct virtio_media_event_dqbuf) != 0)) {
		return NULL;
	}
	return iov->iov_base;
}

/* A driver with no other buffer at the device, or whose stream ends here, waits for this one. */
static bool
event_rings_now(const struct bufq *queue, const struct bufq_buffer *buffer)
{
	return queue->nb_queued == 0 ||
	       (buffer->pub.flags & (V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST)) != 0;
}

static bool
publish_buffer(struct vmedia_device *device, struct pending *pending)
{
	struct bufq_buffer *buffer = container_of(pending, struct bufq_buffer, pending);
	struct vmedia_session *session = buffer->pub.session;
	struct bufq *queue = session_queue(session, buffer->pub.type);
	const struct shm_range range = {buffer->pub.planes[0].offset, buffer->pub.planes[0].length};
	struct virtio_media_event_dqbuf copy, *event = event_in_place(&device->event_chain);
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;

	bufq_fill(queue, buffer,
		queue->memory == V4L2_MEMORY_MMAP && shm_map_is_mapped(device->map, &range), &b,
		planes);
	ioctl_encode_dqbuf(
		event != NULL ? event : &copy, session->id, &b, planes, buffer->pub.nb_planes);
	if (likely(event != NULL)) {
		virtq_push(eventq(device), &device->event_chain, sizeof(*event));
	} else if (!event_write(device, &copy, sizeof(copy))) {
		return false;
	}
	device->bell_now |= event_rings_now(queue, buffer);
	bufq_dequeued(queue, buffer);
	session->last_event = device->nb_published + 1;
	return true;
}

static bool
publish_event(struct vmedia_device *device, struct pending *pending)
{
	struct subscription *subscription = container_of(pending, struct subscription, pending);
	struct virtio_media_event_event event = {
		.hdr = {VIRTIO_MEDIA_EVT_EVENT, subscription->session->id},
		.event = subscription->event,
	};

	if (unlikely(!event_write(device, &event, sizeof(event)))) {
		return false;
	}
	device->bell_now = true;
	subscription->pending_valid = false;
	trace_hook(event_publish, .device = (uint16_t)device->index,
		.session = subscription->session->id, .type = subscription->type,
		.id = subscription->id);
	subscription->session->last_event = device->nb_published + 1;
	return true;
}

/* Before the first event of a start: how many chains the driver keeps posted. */
static void
count_slots(struct vmedia_device *device)
{
	struct virtq *vq = eventq(device);

	device->published_base = device->nb_published;
	device->taken_base = nb_taken(device);
	device->nb_event_slots = virtq_nb_available(vq, vq->size);
}

/* The driver has posted nothing while an event is due: counted in each pass, told once. */
static void
starve(struct vmedia_device *device)
{
	counter_inc(&device->counters.nb_event_starved);
	if (device->starved_tsc == 0) {
		device->starved_tsc = clock_tsc();
		trace_hook(evq_starved, .device = (uint16_t)device->index,
			.backlog = (uint32_t)device->nb_pending);
	}
}

static void
refill(struct vmedia_device *device)
{
	trace_hook(evq_refill, .device = (uint16_t)device->index,
		.backlog = (uint32_t)device->nb_pending,
		.starved_ns = clock_tsc_to_ns(clock_tsc() - device->starved_tsc));
	device->starved_tsc = 0;
}

/* After the flush: for the histogram, and for a tracer. */
static void
frames_published(struct vmedia_device *device, struct bufq_buffer *const *frames, unsigned int nb)
{
	uint64_t now_tsc = clock_tsc();
	unsigned int i;

	for (i = 0; i < nb; i++) {
		hist_record(&device->frame_hist, now_tsc - frames[i]->done_tsc);
		if (unlikely(trace_enabled(dqbuf_publish))) {
			device_trace_frame(device, frames[i], now_tsc);
		}
	}
}

unsigned int
event_flush(struct vmedia_device *device)
{
	struct virtq_chain *chain = &device->event_chain;
	struct bufq_buffer *frames[FLUSH_BURST];
	unsigned int nb = 0, nb_frames = 0, i;
	struct pending *pending;

	if (unlikely(device->nb_event_slots == 0)) {
		count_slots(device);
	}
	for (i = 0; i < FLUSH_BURST && (pending = TAILQ_FIRST(&device->pending)) != NULL; i++) {
		bool is_buffer = pending->kind == PENDING_BUFFER;

		if (!virtq_pop(eventq(device), chain)) {
			starve(device);
			break;
		}
		if (unlikely(device->starved_tsc != 0)) {
			refill(device);
		}
		if (unlikely(!(is_buffer ? publish_buffer(device, pending)
					 : publish_event(device, pending)))) {
			continue;
		}
		pending_remove(device, pending);
		device->nb_published++;
		nb++;
		if (is_buffer) {
			frames[nb_frames++] = container_of(pending, struct bufq_buffer, pending);
		}
	}
	virtq_flush(eventq(device));
	counter_add(&device->counters.nb_events, nb);
	if (nb_frames > 0) {
		frames_published(device, frames, nb_frames);
	}
	virtq_prefetch_next(eventq(device), sizeof(struct virtio_media_event_dqbuf));
	return nb;
}

/* ---- the drain barrier (T-11) ---- */

static bool
was_taken(const struct vmedia_device *device, uint64_t number)
{
	uint64_t need, nb, missing;

	if (number <= device->published_base || number <= device->given_up) {
		return true;
	}
	/* Re-posting is the only acknowledgement: event n is through when n chains came on top. */
	need = device->nb_event_slots + (number - device->published_base);
	nb = nb_taken(device) - device->taken_base;
	missing = nb < need ? MIN(need - nb, VIRTQ_MAX_SIZE) : 0;
	return virtq_nb_available(&device->vqs[DEVICE_EVENTQ], (uint16_t)missing) >= missing;
}

bool
event_drained(const struct vmedia_session *session)
{
	return was_taken(session->device, session->last_event);
}

int
event_drain_wait(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;

	if (request->session != NULL) {
		request->drain_event = request->session->last_event;
	}
	if (was_taken(device, request->drain_event) || device->drain_tsc == 0) {
		return 0;
	}
	request_park(request, REQUEST_DRAINING, device->drain_tsc, true);
	return VMEDIA_DEFER;
}

void
event_drain_check(struct vmedia_device *device)
{
	struct vmedia_request *request, *next;

	for (request = TAILQ_FIRST(&device->draining); request != NULL; request = next) {
		next = TAILQ_NEXT(request, link);
		if (was_taken(device, request->drain_event)) {
			request_answer(request, 0);
		}
	}
}
