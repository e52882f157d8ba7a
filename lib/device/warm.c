/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. By the time its next frame is due a device has left the CPU's nearer caches, to other
 * devices or to whoever shares them: its memory is asked for a little ahead, while the reactor
 * would only look at what rests. In two steps, as the second one follows pointers that the first
 * one asked for. All of it is a hint: what is guessed wrong is fetched when it is used.
 */
#include "device/internal.h"

/* Before the frame is due. A pass of 256 devices that finds nothing takes 1 µs. */
static const uint32_t ahead_ns[DEVICE_WARM_STEPS] = {20000, 10000};

void
device_warm_init(struct vmedia_device *device)
{
	for (unsigned int i = 0; i < DEVICE_WARM_STEPS; i++) {
		device->warm.ahead_tsc[i] = (uint32_t)clock_ns_to_tsc(ahead_ns[i]);
	}
}

static void
ask(const void *from, size_t bytes)
{
	uintptr_t end = (uintptr_t)from + bytes;
	uintptr_t line = (uintptr_t)from & ~(uintptr_t)(CACHE_LINE_BYTES - 1);

	for (; line < end; line += CACHE_LINE_BYTES) {
		prefetch_for_write((const char *)line);
	}
}

/* The slot that the next command takes. */
static void
ask_request(const struct vmedia_device *device)
{
	struct vmedia_request *request;

	if (device->first_free == DEVICE_NB_REQUESTS) {
		return;
	}
	request =
		container_of(device->free_chains[device->first_free], struct vmedia_request, chain);
	ask(request, offsetof(struct vmedia_request, payload.arg.buffer) +
			     sizeof(request->payload.arg.buffer));
	ask(&request->chain, offsetof(struct virtq_chain, iov[4]));
	ask(&request->trace, sizeof(request->trace));
}

/* The device itself, its rings, a slot. */
static void
ask_device(const struct vmedia_device *device)
{
	ask(device, offsetof(struct vmedia_device, free_chains));
	ask(device->vqs, sizeof(device->vqs));
	ask(&device->session_mask, sizeof(device->session_mask) + sizeof(device->session_table));
	ask(&device->handlers[_IOC_NR(VIDIOC_QBUF)], sizeof(device->handlers[0]));
	ask(&device->counters, sizeof(device->counters));
	ask(&device->ioctls_ok[_IOC_NR(VIDIOC_QBUF)], sizeof(device->ioctls_ok[0]));
	ask(device->unpublished_tsc, sizeof(device->unpublished_tsc[0]));
	ask(&device->draining, offsetof(struct vmedia_device, event_chain.iov[2]) -
				       offsetof(struct vmedia_device, draining));
	ask(device->owner, sizeof(device->owner));
	ask(&device->priv, sizeof(device->priv));
	ask(&device->map, sizeof(device->map));
	ask(&device->reactor, sizeof(device->reactor));
	ask(&device->command_hist, offsetof(struct hist, counts));
	ask(&device->frame_hist, offsetof(struct hist, counts));
	for (unsigned int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		virtq_prefetch_ring(&device->vqs[i]);
	}
	ask_request(device);
}

/* What their pointers lead to: who streams, the buffer that is most likely next, its event's. */
static void
ask_stream(struct vmedia_device *device)
{
	unsigned int direction =
		device->owner[DEVICE_CAPTURE] != NULL ? DEVICE_CAPTURE : DEVICE_OUTPUT;
	const struct vmedia_session *session = device->owner[direction];
	const struct bufq_buffer *buffer;

	virtq_prefetch_next(&device->vqs[DEVICE_EVENTQ], sizeof(struct virtio_media_event_dqbuf));
	ask(device->priv, CACHE_LINE_BYTES);
	if (session == NULL) {
		return;
	}
	ask(session, sizeof(*session));
	ask(session->priv, 2 * CACHE_LINE_BYTES);
	ask(&device->session_table[session->id & device->session_mask],
		sizeof(device->session_table[0]));
	buffer = bufq_get(&session->queues[direction], session->queues[direction].next);
	if (buffer != NULL) {
		ask(buffer, offsetof(struct bufq_buffer, pages[0]));
	}
}

uint64_t
device_warm_tsc(const struct vmedia_device *device)
{
	const struct device_warm *warm = &device->warm;

	if (warm->step == DEVICE_WARM_STEPS) {
		return VMEDIA_NO_DEADLINE;
	}
	return warm->due_tsc - MIN(warm->due_tsc, warm->ahead_tsc[warm->step]);
}

unsigned int
device_warm(struct vmedia_device *device, uint64_t now_tsc)
{
	struct device_warm *warm = &device->warm;

	if (warm->due_tsc != device->backend_due_tsc) {
		warm->due_tsc = device->backend_due_tsc;
		warm->step = 0;
	}
	if (now_tsc < device_warm_tsc(device)) {
		return 0;
	}
	if (warm->step++ == 0) {
		ask_device(device);
	} else {
		ask_stream(device);
	}
	return 1;
}
