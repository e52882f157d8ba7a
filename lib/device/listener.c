/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the transport tells a device. Everything runs on the reactor: the transport's thread sends
 * quiesce, resume and the window's answer, and calls for the rest.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "device/internal.h"

LOG_TYPE_USE(device);

/* ---- listener: quiesce and resume ---- */

/* When no command is under way that could give the backend more of them. */
static bool
pages_are_gone(struct vmedia_device *device)
{
	if (!device->pages_asked) {
		device->pages_asked = true;
		device->pages_going = device->backend->pages_let_go != NULL &&
		                      device->backend->pages_let_go(device);
	}
	return !device->pages_going;
}

/* From poll() and messages alone: jobs and work, which may be at a buffer, have returned. */
void
device_quiesce_check(struct vmedia_device *device)
{
	if (!device->quiescing || !TAILQ_EMPTY(&device->deferred) ||
		!TAILQ_EMPTY(&device->draining) ||
		(device->stopping && !TAILQ_EMPTY(&device->window_waiting)) ||
		!pages_are_gone(device)) {
		return;
	}
	answers_publish(device);
	device_notify(device, clock_tsc());
	device->quiescing = false;
	device->stopping = false;
	device->quiet = true;
	device->quiesced(device->quiesced_arg);
}

static void
quiesce_on_reactor(void *arg)
{
	struct vmedia_device *device = arg;

	if (device_follow(device, &device->quiesce_msg)) {
		return;
	}
	device->running = false;
	device->quiescing = true;
	device->pages_asked = false;
	device->stopping =
		device->quiesce_why == TRANSPORT_STOP && device->vqs[DEVICE_COMMANDQ].started;
	if (device->stopping) {
		device->stop_tsc = clock_tsc() + clock_ns_to_tsc(TRANSPORT_STOP_MS * NSEC_PER_MSEC);
		request_hurry_all(device);
	}
	device_quiesce_check(device);
}

static void
on_quiesce(void *arg, enum transport_quiesce why, void (*done)(void *arg), void *done_arg)
{
	struct vmedia_device *device = arg;

	device->quiesce_why = why;
	device->quiesced = done;
	device->quiesced_arg = done_arg;
	device_send(device, &device->quiesce_msg, quiesce_on_reactor);
}

static void
resume_on_reactor(void *arg)
{
	struct vmedia_device *device = arg;

	if (device_follow(device, &device->resume_msg)) {
		return;
	}
	device->running = true;
	device->backend_due_tsc = 0;
	offload_resume(device);
	device_poller_ops.disarm(&device->poller); /* it could not while quiesced */
	if (device_may_answer(device)) {
		mapping_run_waiting(device);
	}
	session_run_waiting(device);
	request_expire(device, clock_tsc());
}

static void
on_resume(void *arg)
{
	struct vmedia_device *device = arg;

	device_send(device, &device->resume_msg, resume_on_reactor);
}

/* ---- listener: what changes while quiesced ---- */

struct call {
	struct vmedia_device *device;
	unsigned int queue;
	const struct virtq_config *config;
	const struct guest_mem *mem;
	int err;
	uint16_t base;
};

static void
set_memory(void *arg)
{
	struct call *call = arg;
	struct vmedia_device *device = call->device;

	request_rebase_all(device, call->mem);
	pages_rebase_all(device, call->mem);
	broken_new_memory(device);
	if (call->mem != NULL) {
		device->mem = *call->mem;
	} else {
		memset(&device->mem, 0, sizeof(device->mem));
	}
	device_trace_memory(device);
}

static void
on_set_memory(void *arg, const struct guest_mem *mem)
{
	struct vmedia_device *device = arg;
	struct call call = {.device = device, .mem = mem};

	reactor_call(device->reactor, set_memory, &call);
}

/* Kick fds are watched and unwatched on the transport's thread: these are system calls. */
static void
unwatch(struct vmedia_device *device, unsigned int queue)
{
	if (device->kickfds[queue] >= 0) {
		reactor_unwatch(device->reactor, device->kickfds[queue]);
		device->kickfds[queue] = -1;
	}
}

/*
 * Commands under way keep their chains when the ring goes on where it stopped. A transport knows
 * one position of it, not both: the used index of a split ring, the base of a packed one.
 */
static bool
goes_on(const struct vmedia_device *device, const struct virtq_config *config)
{
	return config->avail_base == device->stopped_base ||
	       (!config->packed && config->used_base == device->stopped_used);
}

static void
ring_start(void *arg)
{
	struct call *call = arg;
	struct vmedia_device *device = call->device;
	struct virtq_config config = *call->config;

	if (atomic_load(&device->lost) & DEVICE_LOST_ARENA) {
		call->err = -ENOMEM;
		return;
	}
	if (call->queue == DEVICE_COMMANDQ && !goes_on(device, &config)) {
		request_drop_all(device);
	} else if (call->queue == DEVICE_COMMANDQ && device->first_free > 0) {
		config.avail_base = device->stopped_base;
		config.used_base = device->stopped_used;
	}
	call->err = virtq_start(&device->vqs[call->queue], &config, &device->mem);
	if (call->err != 0) {
		return;
	}
	broken_ring_started(device);
	counter_inc(&device->nb_started);
	if (call->queue == DEVICE_EVENTQ) {
		device->nb_event_slots = 0;
	}
	device_trace_ring(device, call->queue);
}

static int
watch(struct vmedia_device *device, unsigned int queue, int kickfd)
{
	int err = kickfd >= 0 ? reactor_watch(device->reactor, kickfd, true) : 0;

	device->kickfds[queue] = err == 0 ? kickfd : -1;
	return err;
}

static int
on_ring_start(void *arg, unsigned int queue, const struct virtq_config *config)
{
	struct vmedia_device *device = arg;
	struct call call = {.device = device, .queue = queue, .config = config};

	if (queue >= TRANSPORT_NB_QUEUES) {
		return -EINVAL;
	}
	call.err = watch(device, queue, config->kickfd);
	if (call.err == 0) {
		reactor_call(device->reactor, ring_start, &call);
	}
	if (call.err != 0) {
		unwatch(device, queue);
		log_warning(&log_device, "device %s: queue %u does not start: %s", device->name,
			queue, strerror(-call.err));
	}
	return call.err;
}

static void
ring_stop(void *arg)
{
	struct call *call = arg;
	struct vmedia_device *device = call->device;

	if (device->vqs[call->queue].started) {
		counter_sub(&device->nb_started, 1);
		trace_hook(ring_stop, .device = (uint16_t)device->index,
			.queue = (uint8_t)call->queue);
	}
	call->base = virtq_stop(&device->vqs[call->queue]);
	if (call->queue == DEVICE_COMMANDQ) {
		device->stopped_base = call->base;
		device->stopped_used = virtq_used_base(&device->vqs[DEVICE_COMMANDQ]);
		device->nb_unpublished = 0;
		device->nb_spans = 0;
	}
}

static uint16_t
on_ring_stop(void *arg, unsigned int queue)
{
	struct vmedia_device *device = arg;
	struct call call = {.device = device, .queue = queue};

	if (queue >= TRANSPORT_NB_QUEUES) {
		return 0;
	}
	unwatch(device, queue);
	reactor_call(device->reactor, ring_stop, &call);
	return call.base;
}

static void
reset(void *arg)
{
	struct vmedia_device *device = arg;

	request_drop_all(device);
	session_close_all(device);
	mapping_reset(device);
	vmedia_work_cancel(device);
	device->owner[DEVICE_CAPTURE] = NULL;
	device->owner[DEVICE_OUTPUT] = NULL;
	device->nb_event_slots = 0;
	device->stopped_used = device->stopped_base; /* nothing is under way any more */
	broken_reset(device);
	counter_inc(&device->counters.nb_resets);
	trace_hook(device_reset, .device = (uint16_t)device->index);
}

static void
on_reset(void *arg)
{
	struct vmedia_device *device = arg;

	reactor_call(device->reactor, reset, device);
}

static void
window_on_reactor(void *arg)
{
	struct vmedia_device *device = arg;
	int status = device->window_msg_status;

	if (device_follow(device, &device->window_msg)) {
		return;
	}
	__atomic_store_n(&device->window_msg_busy, false, __ATOMIC_RELEASE);
	mapping_window_ready(device, status);
}

static void
on_window_ready(void *arg, int status)
{
	struct vmedia_device *device = arg;

	/* One answer per request, so the message is free; a second answer is not listened to. */
	if (__atomic_exchange_n(&device->window_msg_busy, true, __ATOMIC_ACQUIRE)) {
		return;
	}
	device->window_msg_status = status;
	device_send(device, &device->window_msg, window_on_reactor);
}

static void
on_get_config(void *arg, uint8_t config[TRANSPORT_CONFIG_BYTES])
{
	const struct vmedia_device *device = arg;
	struct virtio_media_config c = {
		.device_caps = htole32(device->node.device_caps),
		.device_type = htole32(device->node.device_type),
	};

	_Static_assert(sizeof(c) == TRANSPORT_CONFIG_BYTES, "config space");
	memcpy(c.card, device->node.card, strnlen(device->node.card, sizeof(c.card) - 1));
	memcpy(config, &c, sizeof(c));
}

const struct transport_listener device_listener = {
	.quiesce = on_quiesce,
	.resume = on_resume,
	.set_memory = on_set_memory,
	.ring_start = on_ring_start,
	.ring_stop = on_ring_stop,
	.reset = on_reset,
	.window_ready = on_window_ready,
	.get_config = on_get_config,
};
