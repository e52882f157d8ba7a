/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MMAP and MUNMAP. The whole arena is one window of the front-end, asked for by the first MMAP of
 * a start; with it MMAP is arithmetic. A window that the guest wants read-only is the same window:
 * R-89 is not enforced here.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/internal.h"

LOG_TYPE_USE(device);

/*
 * Ranges on their way back to the arena: their pages are punched on offload, then they are free. A
 * list through an array with a place per granule, so that giving one back needs no memory. The
 * granules of a list under way are still allocated, so nobody else writes their places.
 */
#define NO_RANGE UINT32_MAX

struct range_place {
	uint32_t next; /* granule, or NO_RANGE */
	uint32_t length;
};

struct range_returns {
	struct vmedia_job job;
	uint32_t waiting, under_way; /* heads */
	struct range_place places[];
};

int
mapping_init(struct vmedia_device *device)
{
	size_t nb = shm_arena_size(device->arena) / SHM_GRANULE_BYTES;
	struct range_returns *returns =
		calloc(1, sizeof(*returns) + nb * sizeof(returns->places[0]));

	if (returns == NULL) {
		return -ENOMEM;
	}
	returns->waiting = NO_RANGE;
	returns->under_way = NO_RANGE;
	device->returns = returns;
	return shm_map_create(device->arena, device->quota.max_windows, &device->map);
}

void
mapping_fini(struct vmedia_device *device)
{
	shm_map_destroy(device->map);
	free(device->returns);
}

static struct shm_range
range_at(const struct range_returns *returns, uint32_t granule)
{
	return (struct shm_range){granule * SHM_GRANULE_BYTES, returns->places[granule].length};
}

/* One range a turn: punching takes half a second per GiB, and somebody may wait for buffers. */
static void
returns_run(struct vmedia_job *job)
{
	struct range_returns *returns = container_of(job, struct range_returns, job);

	struct shm_range range = range_at(returns, returns->under_way);

	shm_range_punch(job->device->arena, &range);
}

static void returns_done(struct vmedia_job *job);

static void
returns_start(struct vmedia_device *device)
{
	struct range_returns *returns = device->returns;

	returns->under_way = returns->waiting;
	returns->waiting = NO_RANGE;
	returns->job.run = returns_run;
	returns->job.done = returns_done;
	vmedia_offload(device, &returns->job);
}

static void
returns_done(struct vmedia_job *job)
{
	struct range_returns *returns = container_of(job, struct range_returns, job);

	struct shm_range range = range_at(returns, returns->under_way);

	returns->under_way = returns->places[returns->under_way].next;
	shm_range_free(job->device->arena, &range);
	if (returns->under_way != NO_RANGE) {
		vmedia_offload(job->device, job);
	} else if (returns->waiting != NO_RANGE) {
		returns_start(job->device);
	}
}

bool
mapping_ranges_return(const struct vmedia_device *device)
{
	return device->returns->under_way != NO_RANGE;
}

void
mapping_range_put(struct vmedia_device *device, const struct shm_range *range)
{
	struct range_returns *returns = device->returns;
	uint32_t granule = range->offset / SHM_GRANULE_BYTES;

	if (!shm_arena_punches(device->arena)) {
		shm_range_free(device->arena, range);
		return;
	}
	returns->places[granule] = (struct range_place){returns->waiting, range->length};
	returns->waiting = granule;
	if (returns->under_way == NO_RANGE) {
		returns_start(device);
	}
}

/* The plane of this session that begins at the offset, or NULL. */
static const struct vmedia_plane *
find_plane(const struct vmedia_session *session, uint32_t offset)
{
	uint32_t q, b, p;

	for (q = 0; q < 2; q++) {
		if (session->queues[q].memory != V4L2_MEMORY_MMAP) {
			continue; /* the guest's own memory, or none */
		}
		for (b = 0; b < session->queues[q].nb_buffers; b++) {
			const struct bufq_buffer *buffer = session->queues[q].buffers[b];

			for (p = 0; buffer != NULL && p < buffer->pub.nb_planes; p++) {
				if (buffer->pub.planes[p].offset == offset) {
					return &buffer->pub.planes[p];
				}
			}
		}
	}
	return NULL;
}

static void
window_ask(struct vmedia_device *device)
{
	device->window = WINDOW_REQUESTED;
	shm_arena_expose(device->arena);
	device->transport_ops->window_map(device->transport);
}

/* 0: the window is there; VMEDIA_DEFER: it is on its way. */
static int
need_window(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;

	switch (device->window) {
	case WINDOW_READY:
		return 0;
	case WINDOW_FAILED:
		return device->window_status;
	case WINDOW_NONE:
		request_park(request, REQUEST_WINDOW, device->deadline_tsc, true);
		window_ask(device);
		return VMEDIA_DEFER;
	default:
		request_park(request, REQUEST_WINDOW, device->deadline_tsc, true);
		return VMEDIA_DEFER;
	}
}

int
mapping_mmap(struct vmedia_request *request)
{
	struct vmedia_device *device = request->device;
	const struct vmedia_plane *plane = find_plane(request->session, request->cmd.mmap.offset);
	struct shm_range range;
	int err;

	if (plane == NULL) {
		counter_inc(&device->refused.no_mapping);
		return -EINVAL;
	}
	err = need_window(request);
	if (err != 0) {
		return err;
	}
	range.offset = plane->offset;
	range.length = plane->length;
	err = shm_map_open(device->map, &range);
	if (err != 0) {
		counter_add(&device->counters.nb_quota, err == -ENOMEM);
		counter_add(&device->refused.quota_windows, err == -ENOMEM);
		return err;
	}
	request->resp.mmap.driver_addr = plane->offset;
	request->resp.mmap.len = plane->length;
	trace_hook(shm_map, .device = (uint16_t)device->index, .session = request->session->id,
		.driver_addr = plane->offset, .bytes = plane->length);
	return 0;
}

int
mapping_munmap(struct vmedia_device *device, uint64_t driver_addr)
{
	struct shm_range range;
	int ret = shm_map_close(device->map, driver_addr, &range);

	if (ret < 0) {
		counter_inc(&device->refused.no_mapping);
		return ret;
	}
	trace_hook(shm_unmap, .device = (uint16_t)device->index, .driver_addr = driver_addr);
	if (ret > 0) {
		mapping_range_put(device, &range);
	}
	return 0;
}

void
mapping_run_waiting(struct vmedia_device *device)
{
	struct vmedia_request *request;

	while ((device->window == WINDOW_READY || device->window == WINDOW_FAILED) &&
		(request = TAILQ_FIRST(&device->window_waiting)) != NULL) {
		request_answer(request, request->stale ? -EIO : mapping_mmap(request));
	}
}

void
mapping_window_ready(struct vmedia_device *device, int status)
{
	if (device->window == WINDOW_STALE) {
		device->window = WINDOW_NONE;
		if (!TAILQ_EMPTY(&device->window_waiting)) {
			window_ask(device);
		}
		return;
	}
	if (device->window != WINDOW_REQUESTED) {
		return;
	}
	device->window = status == 0 ? WINDOW_READY : WINDOW_FAILED;
	device->window_status = status == -ENOTSUP ? -ENOTTY : -EIO;
	if (status != 0) {
		log_warning(&log_device, "device %s: the front-end did not map the buffers: %s",
			device->name, strerror(-status));
	}
	if (device_may_answer(device)) {
		mapping_run_waiting(device);
	}
	if (status == -ETIMEDOUT) {
		device->window = WINDOW_NONE; /* late is not never: the next MMAP asks again */
	}
}

static void
range_freed(void *arg, const struct shm_range *range)
{
	mapping_range_put(arg, range);
}

void
mapping_reset(struct vmedia_device *device)
{
	bool on_its_way = device->window == WINDOW_REQUESTED || device->window == WINDOW_STALE;

	device->window = on_its_way ? WINDOW_STALE : WINDOW_NONE;
	shm_map_reset(device->map, range_freed, device);
}
