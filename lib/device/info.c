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
		stats->bells[i].notified = counter_read(&device->vqs[i].stats.nb_notified);
		stats->bells[i].suppressed = counter_read(&device->vqs[i].stats.nb_suppressed);
		stats->refused.bad_chains += counter_read(&device->vqs[i].stats.nb_bad_chain);
	}
	stats->work_tsc = counter_read(&device->work_tsc);
	stats->open_sessions = (uint32_t)counter_read(&device->nb_open_sessions);
	stats->pending_events = (uint32_t)counter_read(&device->nb_pending);
	stats->started = counter_read(&device->nb_started) == TRANSPORT_NB_QUEUES;
	stats->broken = (enum virtq_broken)counter_read(&device->broken);
	shm_arena_usage(device->arena, &stats->arena);
}

void
device_ioctl_answers(const struct vmedia_device *device, uint32_t nr, struct ioctl_answers *answers)
{
	unsigned int i;

	answers->nb_ok = counter_read(&device->ioctls_ok[nr]);
	answers->nb_failed = counter_read(&device->ioctls_failed[nr].nb);
	for (i = 0; i < ARRAY_SIZE(answers->errnos); i++) {
		answers->errnos[i] = counter_read(&device->ioctls_failed[nr].errnos[i]);
	}
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

struct hists {
	struct vmedia_device *device;
	const struct reactor *asked;
	bool done;
};

static void
hists_reset(void *arg)
{
	struct hists *hists = arg;
	struct vmedia_device *device = hists->device;

	if (device->reactor != hists->asked) {
		return; /* it has moved */
	}
	hist_reset(&device->command_hist);
	hist_reset(&device->frame_hist);
	hists->done = true;
}

void
device_hists_reset(struct vmedia_device *device)
{
	struct hists hists = {.device = device};

	while (!hists.done) {
		struct reactor *reactor = device->reactor;

		hists.asked = reactor;
		reactor_call(reactor, hists_reset, &hists);
	}
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

uint32_t
vmedia_device_port(const struct vmedia_device *device)
{
	return device->port;
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
