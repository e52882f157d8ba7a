/* SPDX-License-Identifier: BSD-3-Clause */
/* What ends a device until its next start: rings that make no sense, memory that is gone. */
#include <string.h>

#include "device/internal.h"

LOG_TYPE_USE(device);

/* The rings are in memory that is gone, or tell of buffers that nobody else sees. */
static void
lose_memory(struct vmedia_device *device, unsigned int lost)
{
	const char *whose = lost & DEVICE_LOST_GUEST ? "memory of the front-end" : "buffer memory";

	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		trace_hook(ring_broken, .device = (uint16_t)device->index, .queue = (uint8_t)queue);
		virtq_give_up(&device->vqs[queue], VIRTQ_MEMORY_LOST);
	}
	counter_set(&device->broken, VIRTQ_MEMORY_LOST);
	counter_inc(&device->counters.nb_memory_lost);
	counter_inc(&device->refused.memory_lost);
	log_warning(&log_device,
		"device %s: %s was truncated, punched or has no page behind it: the connection "
		"ends",
		device->name, whose);
	device->transport_ops->give_up(device->transport);
}

static void
count_broken(struct device_refusals *refused, uint8_t why)
{
	uint64_t *const counters[] = {
		[VIRTQ_AVAIL_JUMPED] = &refused->avail_jumped,
		[VIRTQ_BAD_HEAD] = &refused->bad_head,
		[VIRTQ_ENDLESS] = &refused->endless_chain,
	};

	if (why < ARRAY_SIZE(counters) && counters[why] != NULL) {
		counter_inc(counters[why]);
	}
}

static const struct virtq *
broken_queue(const struct vmedia_device *device)
{
	const struct virtq *commandq = &device->vqs[DEVICE_COMMANDQ];

	return commandq->broken ? commandq : &device->vqs[DEVICE_EVENTQ];
}

void
broken_tell(struct vmedia_device *device)
{
	const struct virtq *vq = broken_queue(device);
	unsigned int lost = atomic_load(&device->lost);
	unsigned int queue = vq == &device->vqs[DEVICE_COMMANDQ] ? DEVICE_COMMANDQ : DEVICE_EVENTQ;

	if (lost != 0) {
		lose_memory(device, lost);
		return;
	}
	trace_hook(ring_broken, .device = (uint16_t)device->index, .queue = (uint8_t)queue);
	counter_set(&device->broken, vq->broken);
	count_broken(&device->refused, vq->broken);
	log_warning(&log_device,
		"device %s: the driver's %s is broken and stays stopped until a reset: %s",
		device->name, queue == DEVICE_COMMANDQ ? "commandq" : "eventq",
		virtq_broken_text(vq->broken));
}

void
broken_new_memory(struct vmedia_device *device)
{
	atomic_fetch_and(&device->lost, ~(unsigned int)DEVICE_LOST_GUEST);
}

void
broken_ring_started(struct vmedia_device *device)
{
	counter_set(&device->broken, broken_queue(device)->broken);
}

void
broken_reset(struct vmedia_device *device)
{
	int err;

	counter_set(&device->broken, VIRTQ_SOUND);
	if ((atomic_load(&device->lost) & DEVICE_LOST_ARENA) == 0) {
		return;
	}
	err = shm_arena_restore(device->arena);
	if (err != 0) {
		log_err(&log_device,
			"device %s: no pages for its buffers any more, it stays stopped: %s",
			device->name, strerror(-err));
		counter_set(&device->broken, VIRTQ_MEMORY_LOST);
		return;
	}
	atomic_fetch_and(&device->lost, ~(unsigned int)DEVICE_LOST_ARENA);
}
