/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. One pass of a device: commands → answers out → backend → events out. No lock, no allocation,
 * no system call but the bell of a driver that wants it.
 *
 * Events that a command caused are in the used ring before its answer is; buffers that the
 * backend finishes come after it, as poll() is called later.
 */
#include <stdlib.h>

#include "device/internal.h"

static unsigned int
commands_take(struct vmedia_device *device, uint64_t seen_tsc)
{
	struct virtq *vq = &device->vqs[DEVICE_COMMANDQ];
	bool traced = trace_enabled(cmd_span) || trace_enabled(cmd_dequeue);
	struct virtq_chain *taken[VIRTQ_BURST];
	unsigned int i, nb = MIN(device->pass_commands, DEVICE_NB_REQUESTS - device->first_free);

	nb = virtq_pop_burst(vq, &device->free_chains[device->first_free], nb);
	for (i = 0; i < nb; i++) {
		taken[i] = device->free_chains[device->first_free + i];
	}
	device->first_free += nb;
	if (unlikely(traced)) {
		device_trace_dequeued(device, taken, nb);
	}
	for (i = 0; i < nb; i++) {
		struct vmedia_request *request =
			container_of(taken[i], struct vmedia_request, chain);

		if (i + 1 < nb) {
			__builtin_prefetch(taken[i + 1]->iov[0].iov_base);
		}
		request->state = REQUEST_POPPED;
		request->seen_tsc = seen_tsc;
		request->traced = traced;
		command_handle(request);
	}
	return nb;
}

#ifdef VMEDIA_PLANT_SLOW
/* Planted for tests/bars/test-compare: each burst is published late, by the environment's ns. */
static uint64_t plant_slow_tsc;

static void __attribute__((constructor)) plant_slow(void)
{
	const char *ns = getenv("VMEDIA_PLANT_SLOW_NS");

	plant_slow_tsc = ns != NULL ? clock_ns_to_tsc(strtoull(ns, NULL, 10)) : 0;
}

static void
slow_down(void)
{
	uint64_t until_tsc = clock_tsc() + plant_slow_tsc;

	while (clock_tsc() < until_tsc) {
	}
}
#else
#define slow_down() ((void)0)
#endif

/* For the histogram, and for a tracer. */
static void
answers_account(struct vmedia_device *device, uint64_t now_tsc)
{
	uint32_t i;

	for (i = 0; i < device->nb_unpublished; i++) {
		hist_record(&device->command_hist, now_tsc - device->unpublished_tsc[i]);
	}
	device->nb_unpublished = 0;
	if (unlikely(device->nb_spans > 0)) {
		device_trace_published(device, now_tsc);
	}
}

void
answers_publish(struct vmedia_device *device)
{
	struct virtq *vq = &device->vqs[DEVICE_COMMANDQ];
	uint64_t now_tsc = 0;

	if (device->nb_pending > 0) {
		event_flush(device);
	}
	slow_down();
	if (unlikely(device->nb_spans > 0)) {
		now_tsc = clock_tsc(); /* no driver has seen an answer before its time */
	}
	virtq_flush(vq);
	virtq_prefetch_ring(&device->vqs[DEVICE_EVENTQ]); /* a frame may be done right now */
	if (likely(now_tsc == 0)) {
		now_tsc = clock_tsc();
	}
	answers_account(device, now_tsc); /* ringing the bell comes after it */
}

/* Neither commands nor events; what is under way comes to its end. */
static unsigned int
poll_quiesced(struct vmedia_device *device, uint64_t now_tsc)
{
	if (!device->quiescing) {
		return 0;
	}
	if (!TAILQ_EMPTY(&device->draining)) {
		event_drain_check(device);
	}
	if (now_tsc >= device->next_deadline_tsc) {
		request_expire(device, now_tsc);
	}
	device_quiesce_check(device);
	return 1;
}

static unsigned int
backend_poll(struct vmedia_device *device, uint64_t now_tsc)
{
	if (device->backend->poll == NULL) {
		device->backend_due_tsc = VMEDIA_NO_DEADLINE;
		return 0;
	}
	device->backend_due_tsc = device->backend->poll(device, now_tsc);
	return device->backend_due_tsc <= now_tsc;
}

static uint64_t
next_due(const struct vmedia_device *device)
{
	uint64_t due_tsc = MIN(device->backend_due_tsc, device->next_deadline_tsc);

	return MIN(due_tsc, device->bell_due_tsc);
}

/* Nothing to do before the driver sends a command or something is due; the reactor is told. */
static void
device_rest(struct vmedia_device *device)
{
	const struct virtq_look look = virtq_look(&device->vqs[DEVICE_COMMANDQ]);
	const struct poller_rest rest = {
		.word = look.word,
		.mask = look.mask,
		.value = look.value,
		.until_equal = look.until_equal,
		.due_tsc = MIN(next_due(device), device_warm_tsc(device)),
	};

	reactor_poller_rest(device->reactor, &device->poller, &rest);
}

static unsigned int
device_poll(struct poller *poller, uint64_t now_tsc)
{
	struct vmedia_device *device = container_of(poller, struct vmedia_device, poller);
	struct virtq *vq = &device->vqs[DEVICE_COMMANDQ];
	unsigned int n = 0;

	if (unlikely(!device->running)) {
		return poll_quiesced(device, now_tsc);
	}
	if (virtq_has_work(vq) && likely(device->first_free < DEVICE_NB_REQUESTS)) {
		n = commands_take(device, now_tsc);
		device->backend_due_tsc = 0; /* a command may have given it something to do */
	}
	if (device->nb_unpublished > 0 || vq->nb_unflushed > 0) {
		answers_publish(device);
		n++;
	}
	if (now_tsc >= device->backend_due_tsc) {
		n += backend_poll(device, now_tsc);
	}
	if (device->nb_pending > 0) {
		n += event_flush(device);
	}
	device_notify(device, now_tsc);
	if (unlikely(!TAILQ_EMPTY(&device->draining))) {
		event_drain_check(device);
	}
	if (unlikely(now_tsc >= device->next_deadline_tsc)) {
		request_expire(device, now_tsc);
	}
	if (device_breaks(device)) {
		broken_tell(device);
	}
	/* A driver whose command was answered may be about to send the next one. */
	if (n == 0 && device->nb_pending == 0 && device->nb_unpublished == 0 &&
		TAILQ_EMPTY(&device->draining)) {
		n = device_warm(device, now_tsc);
		device_rest(device);
	}
	return n;
}

/* A front-end that gives no kick fd wants its rings polled. */
static bool
is_polled(const struct vmedia_device *device)
{
	return (device->vqs[DEVICE_COMMANDQ].started && device->kickfds[DEVICE_COMMANDQ] < 0) ||
	       (device->nb_pending > 0 && device->kickfds[DEVICE_EVENTQ] < 0);
}

/* Event buffers of the driver matter only while something waits for them; the drain barrier looks
 * at what is posted already, which no kick would tell. */
static bool
device_arm(struct poller *poller)
{
	struct vmedia_device *device = container_of(poller, struct vmedia_device, poller);
	bool work;

	if (!device->running) {
		return device->quiescing;
	}
	work = virtq_kicks_on(&device->vqs[DEVICE_COMMANDQ]) &&
	       device->first_free < DEVICE_NB_REQUESTS;
	if (device->nb_pending > 0) {
		work |= virtq_kicks_on(&device->vqs[DEVICE_EVENTQ]);
	}
	return work || is_polled(device) || device_breaks(device) || device->nb_unpublished > 0 ||
	       !TAILQ_EMPTY(&device->draining);
}

static void
device_disarm(struct poller *poller)
{
	struct vmedia_device *device = container_of(poller, struct vmedia_device, poller);
	unsigned int i;

	for (i = 0; i < TRANSPORT_NB_QUEUES && device->running; i++) {
		if (device->vqs[i].kicks_wanted) {
			virtq_kicks_off(&device->vqs[i]);
		}
	}
}

static uint64_t
device_deadline(struct poller *poller)
{
	struct vmedia_device *device = container_of(poller, struct vmedia_device, poller);

	if (!device->running && !device->quiescing) {
		return REACTOR_NO_DEADLINE;
	}
	return next_due(device);
}

const struct poller_ops device_poller_ops = {
	.poll = device_poll,
	.arm = device_arm,
	.disarm = device_disarm,
	.deadline = device_deadline,
};
