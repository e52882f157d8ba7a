/* SPDX-License-Identifier: BSD-3-Clause */
/* The transport without a wire; see loopback.h. */
#include "transport/loopback.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/compiler.h"

struct loopback {
	struct transport base;
	const struct transport_listener *listener;
	void *device;
	void (*progress)(void *arg);
	void *progress_arg;
	atomic_bool quiet;
	atomic_bool window_wanted;
	atomic_uint nb_window_requests;
	atomic_uint nb_given_up;
	bool running[TRANSPORT_NB_QUEUES];
};

static struct loopback *
loopback(struct transport *transport)
{
	return container_of(transport, struct loopback, base);
}

static void
quiet_now(void *arg)
{
	struct loopback *lo = arg;

	atomic_store_explicit(&lo->quiet, true, memory_order_release);
}

static void
quiesce(struct loopback *lo, enum transport_quiesce why)
{
	atomic_store_explicit(&lo->quiet, false, memory_order_relaxed);
	lo->listener->quiesce(lo->device, why, quiet_now, lo);
	while (!atomic_load_explicit(&lo->quiet, memory_order_acquire)) {
		if (lo->progress != NULL) {
			lo->progress(lo->progress_arg);
		} else {
			sched_yield();
		}
	}
}

static void
resume(struct loopback *lo)
{
	lo->listener->resume(lo->device);
}

static uint16_t
stop_one(struct loopback *lo, unsigned int queue)
{
	lo->running[queue] = false;
	return lo->listener->ring_stop(lo->device, queue);
}

static void
stop_all(struct loopback *lo)
{
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		stop_one(lo, queue);
	}
}

static int
create(const struct transport_config *config, const struct transport_listener *listener,
	void *device, struct transport **transport)
{
	struct loopback *lo = calloc(1, sizeof(*lo));

	if (lo == NULL) {
		return -ENOMEM;
	}
	lo->base.ops = &loopback_ops;
	lo->listener = listener;
	lo->device = device;
	*transport = &lo->base;
	return 0;
}

static void
destroy(struct transport *transport)
{
	struct loopback *lo = loopback(transport);

	quiesce(lo, TRANSPORT_STOP);
	stop_all(lo);
	lo->listener->set_memory(lo->device, NULL);
	lo->listener->reset(lo->device);
	resume(lo);
	free(lo);
}

static void
window_map(struct transport *transport)
{
	struct loopback *lo = loopback(transport);

	atomic_fetch_add(&lo->nb_window_requests, 1);
	atomic_store(&lo->window_wanted, true);
}

/* Nobody is connected: whoever plays the front-end looks. */
static void
give_up(struct transport *transport)
{
	atomic_fetch_add(&loopback(transport)->nb_given_up, 1);
}

const struct transport_ops loopback_ops = {
	.name = "loopback",
	.create = create,
	.destroy = destroy,
	.window_map = window_map,
	.give_up = give_up,
};

void
loopback_set_progress(struct transport *transport, void (*progress)(void *arg), void *arg)
{
	struct loopback *lo = loopback(transport);

	lo->progress = progress;
	lo->progress_arg = arg;
}

void
loopback_set_memory(struct transport *transport, const struct guest_mem *mem)
{
	struct loopback *lo = loopback(transport);

	quiesce(lo, TRANSPORT_CHANGE);
	lo->listener->set_memory(lo->device, mem);
	resume(lo);
}

int
loopback_ring_start(
	struct transport *transport, unsigned int queue, const struct virtq_config *config)
{
	struct loopback *lo = loopback(transport);
	int ret;

	if (queue >= TRANSPORT_NB_QUEUES) {
		return -EINVAL;
	}
	if (lo->running[queue]) {
		return -EBUSY;
	}
	quiesce(lo, TRANSPORT_CHANGE);
	ret = lo->listener->ring_start(lo->device, queue, config);
	lo->running[queue] = ret == 0;
	resume(lo);
	return ret;
}

uint16_t
loopback_ring_stop(struct transport *transport, unsigned int queue, enum transport_quiesce why)
{
	struct loopback *lo = loopback(transport);
	uint16_t base;

	quiesce(lo, why);
	base = stop_one(lo, queue);
	resume(lo);
	return base;
}

void
loopback_reset(struct transport *transport)
{
	struct loopback *lo = loopback(transport);

	quiesce(lo, TRANSPORT_STOP);
	stop_all(lo);
	lo->listener->reset(lo->device);
	resume(lo);
}

bool
loopback_window_wanted(const struct transport *transport)
{
	const struct loopback *lo = (const struct loopback *)(const void *)transport;

	return atomic_load(&lo->window_wanted);
}

bool
loopback_window_reply(struct transport *transport, int status)
{
	struct loopback *lo = loopback(transport);

	if (!atomic_exchange(&lo->window_wanted, false)) {
		return false;
	}
	lo->listener->window_ready(lo->device, status);
	return true;
}

unsigned int
loopback_window_requests(const struct transport *transport)
{
	const struct loopback *lo = (const struct loopback *)(const void *)transport;

	return atomic_load(&lo->nb_window_requests);
}

unsigned int
loopback_given_up(const struct transport *transport)
{
	const struct loopback *lo = (const struct loopback *)(const void *)transport;

	return atomic_load(&lo->nb_given_up);
}
