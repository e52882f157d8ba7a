/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. Bells: the driver hears of what was published, at the end of a pass. Answers ring at once.
 * With coalesce-us=N frames ring the eventq's bell at most once in N µs: the first one at once,
 * those that follow within that time together, when it is over. What somebody waits for never
 * waits for a bell: see rings_now() and event_rings_now().
 */
#include "device/internal.h"

/* A driver that is to stop, or to post buffers, or whose taking of events is waited for. */
static bool
rings_now(const struct vmedia_device *device, uint64_t now_tsc)
{
	return device->bell_now || !device->running || device->starved_tsc != 0 ||
	       !TAILQ_EMPTY(&device->draining) || now_tsc >= device->next_bell_tsc;
}

/* Whether the eventq's bell waits. If not, and something was published, it is rung next. */
static bool
event_bell_waits(struct vmedia_device *device, uint64_t now_tsc)
{
	if (!device->vqs[DEVICE_EVENTQ].unsignalled) {
		return false;
	}
	if (rings_now(device, now_tsc)) {
		device->bell_now = false;
		device->next_bell_tsc = now_tsc + device->coalesce_tsc;
		device->bell_due_tsc = VMEDIA_NO_DEADLINE;
		return false;
	}
	device->bell_due_tsc = device->next_bell_tsc;
	return true;
}

void
device_notify(struct vmedia_device *device, uint64_t now_tsc)
{
	bool waits = unlikely(device->coalesce_tsc != 0) && event_bell_waits(device, now_tsc);
	unsigned int nb = waits ? DEVICE_EVENTQ : TRANSPORT_NB_QUEUES; /* it is the last one */

	if (likely(!trace_enabled(notify))) {
		virtq_notify_all(device->vqs, nb);
		return;
	}
	for (unsigned int queue = 0; queue < nb; queue++) {
		device_trace_notify(device, queue);
	}
}
