/* SPDX-License-Identifier: BSD-3-Clause */
/* What others may ask of a device: control threads for statistics, backends for the rest. */
#include "device/internal.h"

struct transport *
device_transport(struct vmedia_device *device)
{
	return device->transport;
}

struct reactor *
device_reactor(const struct vmedia_device *device)
{
	return device->reactor;
}

struct shm_arena *
device_arena(const struct vmedia_device *device)
{
	return device->arena;
}

void
device_stats(const struct vmedia_device *device, struct device_stats *stats)
{
#define X(name, help) stats->counters.name = counter_read(&device->counters.name);
	DEVICE_COUNTERS(X)
#undef X
#define X(name, help) stats->refused.name = counter_read(&device->refused.name);
	DEVICE_REFUSALS(X)
#undef X
	for (unsigned int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		stats->refused.bad_chains += counter_read(&device->vqs[i].stats.nb_bad_chain);
	}
	stats->open_sessions = (uint32_t)counter_read(&device->nb_open_sessions);
	stats->pending_events = (uint32_t)counter_read(&device->nb_pending);
	stats->started = counter_read(&device->nb_started) == TRANSPORT_NB_QUEUES;
	stats->broken = (enum virtq_broken)counter_read(&device->broken);
	shm_arena_usage(device->arena, &stats->arena);
}

const struct hist *
device_command_hist(const struct vmedia_device *device)
{
	return &device->command_hist;
}

const struct hist *
device_frame_hist(const struct vmedia_device *device)
{
	return &device->frame_hist;
}

static void
hists_reset(void *arg)
{
	struct vmedia_device *device = arg;

	hist_reset(&device->command_hist);
	hist_reset(&device->frame_hist);
}

void
device_hists_reset(struct vmedia_device *device)
{
	reactor_call(device->reactor, hists_reset, device);
}

/* ---- for backends ---- */

void *
vmedia_device_priv(struct vmedia_device *device)
{
	return device->priv;
}

void *
vmedia_session_priv(struct vmedia_session *session)
{
	return session->priv;
}

struct vmedia_device *
vmedia_session_device(struct vmedia_session *session)
{
	return session->device;
}

const char *
vmedia_device_name(const struct vmedia_device *device)
{
	return device->name;
}

uint32_t
vmedia_device_index(const struct vmedia_device *device)
{
	return device->index;
}

static uint64_t *
missed_counter(struct vmedia_device *device, enum vmedia_missed cause)
{
	switch (cause) {
	case VMEDIA_MISSED_NO_BUFFER:
		return &device->counters.nb_missed_no_buffer;
	case VMEDIA_MISSED_LATE_RENDER:
		return &device->counters.nb_missed_late_render;
	default:
		return &device->counters.nb_missed_late_reactor;
	}
}

void
vmedia_frame_missed(struct vmedia_device *device, enum vmedia_missed cause, uint32_t nb_periods)
{
	trace_hook(frame_missed, .device = (uint16_t)device->index, .cause = (uint8_t)cause,
		.nb_periods = nb_periods);
	counter_add(missed_counter(device, cause), nb_periods);
}

uint64_t
vmedia_missed(const struct vmedia_device *device, enum vmedia_missed cause)
{
	switch (cause) {
	case VMEDIA_MISSED_NO_BUFFER:
		return counter_read(&device->counters.nb_missed_no_buffer);
	case VMEDIA_MISSED_LATE_RENDER:
		return counter_read(&device->counters.nb_missed_late_render);
	default:
		return counter_read(&device->counters.nb_missed_late_reactor);
	}
}
