/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Moving to another reactor. The old one takes the device out of its passes and hands it over by a
 * message; neither the driver nor the backend is told, and nothing is lost, as all there is to a
 * device lies in its memory. Messages that reach the old reactor afterwards follow.
 */
#include <errno.h>
#include <unistd.h>

#include "device/internal.h"

#define PATIENCE_MS 1000 /* for jobs under way, or rings that change */

void
device_send(struct vmedia_device *device, struct device_msg *msg, void (*fn)(void *arg))
{
	msg->to = device->reactor;
	msg->msg = (struct reactor_msg){.fn = fn, .arg = device};
	reactor_send(msg->to, &msg->msg);
}

bool
device_follow(struct vmedia_device *device, struct device_msg *msg)
{
	struct reactor *now = device->reactor;

	if (msg->to == now) {
		return false;
	}
	msg->to = now;
	reactor_send(now, &msg->msg);
	return true;
}

static void
unwatch_kicks(const struct vmedia_device *device, struct reactor *reactor, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		if (device->kickfds[i] >= 0) {
			reactor_unwatch(reactor, device->kickfds[i]);
		}
	}
}

/* System calls on a reactor, a few for a move. Only it and a transport that has quiesced the device
 * may look at the fds. */
static int
watch_kicks(const struct vmedia_device *device, struct reactor *reactor)
{
	int err = 0;

	for (unsigned int i = 0; i < TRANSPORT_NB_QUEUES && err == 0; i++) {
		err = device->kickfds[i] >= 0 ? reactor_watch(reactor, device->kickfds[i], true)
		                              : 0;
		if (err != 0) {
			unwatch_kicks(device, reactor, i);
		}
	}
	return err;
}

static void
arrive(void *arg)
{
	struct vmedia_device *device = arg;

	reactor_poller_add(device->reactor, &device->poller);
	if (device->work_moves) {
		reactor_work_queue(device->reactor, &device->work);
	}
	device->work_moves = false;
	device_statedump(device);
}

struct move {
	struct vmedia_device *device;
	struct reactor *to;
	int err;
};

/* A job comes back to the reactor that gave it away; a quiesced device is the transport's. */
static void
leave(void *arg)
{
	struct move *move = arg;
	struct vmedia_device *device = move->device;
	struct reactor *from = device->reactor;

	move->err = device->running && device->nb_offloaded == 0 ? watch_kicks(device, move->to)
	                                                         : -EBUSY;
	if (move->err != 0) {
		return;
	}
	unwatch_kicks(device, from, TRANSPORT_NB_QUEUES);
	device->work_moves = device->work.queued;
	reactor_work_cancel(from, &device->work);
	reactor_poller_del(from, &device->poller);
	device->move_msg = (struct reactor_msg){.fn = arrive, .arg = device};
	device->reactor = move->to; /* from here on it is the other's */
	reactor_send(move->to, &device->move_msg);
}

static void
nothing(void *unused)
{
}

bool
device_can_move(const struct vmedia_device *device)
{
	return !device->backend->keeps_reactor;
}

int
device_move(struct vmedia_device *device, struct reactor *to)
{
	struct move move = {.device = device, .to = to, .err = -EBUSY};
	struct reactor *from = device->reactor;

	if (to == from) {
		return 0;
	}
	if (!device_can_move(device)) {
		return -EOPNOTSUPP;
	}
	for (unsigned int ms = 0; ms < PATIENCE_MS && move.err == -EBUSY; ms++) {
		if (ms > 0) {
			usleep(1000);
		}
		reactor_call(from, leave, &move);
	}
	if (move.err == 0) {
		reactor_call(to, nothing, NULL); /* behind its arrival */
	}
	return move.err;
}
