/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * REQBUFS, CREATE_BUFS and REMOVE_BUFS. Where a buffer lies is decided on the reactor; committing
 * and zeroing its pages and all allocation and freeing of memory run on offload:
 *
 *   reserve → [wait for earlier frees → reserve again] → back (offload) → add, answer
 *
 * When nobody waits for the answer any more (deadline, CLOSE, reset), everything is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"
#include "device/internal.h"
#include "vmedia/forward.h"

bool
vmedia_takes_pages(const struct vmedia_device *device)
{
	return device->shared_pages && !device->node.mmap_only;
}

static uint32_t
capabilities(const struct vmedia_device *device)
{
	return V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS |
	       (vmedia_takes_pages(device) ? V4L2_BUF_CAP_SUPPORTS_USERPTR : 0u) |
	       (device->remove_buffers ? V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS : 0u);
}

static bool
memory_is_supported(const struct vmedia_device *device, uint32_t memory)
{
	return memory == V4L2_MEMORY_MMAP ||
	       (memory == V4L2_MEMORY_USERPTR && vmedia_takes_pages(device));
}

/* ---- Giving back */

static void
range_release(struct vmedia_session *session, uint32_t offset, uint32_t length)
{
	struct vmedia_device *device = session->device;
	struct shm_range range = {offset, length};

	session->bytes -= round_up(length, SHM_GRANULE_BYTES);
	if (shm_map_release(device->map, &range)) {
		mapping_range_put(device, &range);
	}
}

static void
slab_free(struct buffer_slab *slab)
{
	uint32_t i;

	for (i = 0; i < slab->nb_pages; i++) {
		pages_free(&slab->buffers[i]);
	}
	free(slab);
}

static void
reap_run(struct vmedia_job *job)
{
	struct buffers_reaper *reaper = container_of(job, struct buffers_reaper, job);

	while (reaper->freeing != NULL) {
		struct buffer_slab *slab = reaper->freeing;

		reaper->freeing = slab->next;
		slab_free(slab);
	}
}

static void reap_start(struct vmedia_device *device);

static void
reap_done(struct vmedia_job *job)
{
	struct buffers_reaper *reaper = container_of(job, struct buffers_reaper, job);

	reaper->busy = false;
	if (reaper->dead != NULL) {
		reap_start(job->device);
	}
}

static void
reap_start(struct vmedia_device *device)
{
	struct buffers_reaper *reaper = &device->reaper;

	reaper->busy = true;
	reaper->freeing = reaper->dead;
	reaper->dead = NULL;
	reaper->job.run = reap_run;
	reaper->job.done = reap_done;
	vmedia_offload(device, &reaper->job);
}

static void
slab_put(struct vmedia_device *device, struct buffer_slab *slab)
{
	slab->next = device->reaper.dead;
	device->reaper.dead = slab;
	if (!device->reaper.busy) {
		reap_start(device);
	}
}

static void
tell_buffers(const struct vmedia_session *session, const struct bufq *q)
{
	trace_hook(buffers, .device = (uint16_t)session->device->index, .session = session->id,
		.buftype = (uint8_t)q->type, .nb_buffers = q->nb_buffers);
}

static void
owner_update(struct vmedia_session *session, const struct bufq *q)
{
	struct vmedia_session **owner = &session->device->owner[q - session->queues];

	if (device_is_m2m(session->device)) {
		return;
	}
	if (q->nb_buffers > 0) {
		*owner = session;
	} else if (*owner == session) {
		*owner = NULL;
	}
}

/* Its pages, and the block it is part of if it is the last of that. */
static void
buffer_free(struct vmedia_session *session, const struct bufq *q, const struct bufq_buffer *buffer)
{
	const struct vmedia_buffer *pub = &buffer->pub;
	struct buffer_slab *slab = buffer->block;
	uint32_t p;

	for (p = 0; q->memory == V4L2_MEMORY_MMAP && p < pub->nb_planes; p++) {
		range_release(session, pub->planes[p].offset, pub->planes[p].length);
	}
	slab->nb--;
	if (slab->nb == 0) {
		slab_put(session->device, slab);
	}
}

static void
buffers_free(struct vmedia_session *session, const struct bufq *q, uint32_t index, uint32_t count)
{
	uint32_t i;

	for (i = index; i < index + count; i++) {
		if (q->buffers[i] != NULL) {
			buffer_free(session, q, q->buffers[i]);
		}
	}
}

void
queue_free(struct vmedia_session *session, struct bufq *q)
{
	buffers_free(session, q, 0, q->nb_buffers);
	bufq_clear(q);
	owner_update(session, q);
}

/* ---- Making */

static struct bufq *
job_queue(const struct buffers_job *job)
{
	return &job->request->session->queues[job->direction];
}

static void
job_release(struct buffers_job *job, uint32_t from)
{
	uint32_t i, p;

	for (i = from; i < job->nb_reserved; i++) {
		for (p = 0; job->memory == V4L2_MEMORY_MMAP && p < job->nb_planes; p++) {
			range_release(job->request->session, job->offsets[i][p], job->lengths[p]);
		}
	}
}

static int
reserve_plane(struct buffers_job *job, uint32_t plane)
{
	struct vmedia_session *session = job->request->session;
	struct vmedia_device *device = session->device;
	uint64_t bytes = round_up(job->lengths[plane], SHM_GRANULE_BYTES);
	struct shm_range range;
	int ret;

	if (bytes > device->quota.max_session_bytes ||
		session->bytes > device->quota.max_session_bytes - bytes) {
		counter_inc(&device->counters.nb_quota);
		counter_inc(&device->refused.quota_bytes);
		return -ENOMEM;
	}
	ret = shm_range_alloc(device->arena, job->lengths[plane], &range);
	if (ret != 0) {
		counter_inc(&device->refused.arena_full);
		return ret;
	}
	shm_map_hold(device->map, &range);
	session->bytes += bytes;
	job->offsets[job->nb_reserved][plane] = range.offset;
	return 0;
}

/* All planes of the next buffer, or none. */
static int
reserve_buffer(struct buffers_job *job)
{
	uint32_t *offsets = job->offsets[job->nb_reserved];
	uint32_t p, nb;
	int ret = 0;

	for (nb = 0; nb < job->nb_planes && ret == 0; nb++) {
		ret = reserve_plane(job, nb);
	}
	if (ret == 0) {
		job->nb_reserved++;
		return 0;
	}
	for (p = 0; p + 1 < nb; p++) {
		range_release(job->request->session, offsets[p], job->lengths[p]);
	}
	return ret;
}

static void
reserve(struct buffers_job *job)
{
	if (job->memory == V4L2_MEMORY_USERPTR) {
		job->nb_reserved = job->nb_wanted; /* the guest's memory, not ours */
	}
	while (job->nb_reserved < job->nb_wanted && reserve_buffer(job) == 0) {
	}
}

/* Pages of 4 KiB come at 1 GiB a second, and slower beside others: a buffer alone can be large
 * enough to pass the deadline. The first piece is tried in any case. */
#define PIECE_BYTES (16u << 20)

static bool
back_range(const struct buffers_job *job, const struct shm_range *range)
{
	struct shm_arena *arena = job->request->device->arena;
	uint64_t at;

	for (at = 0; at < range->length; at += PIECE_BYTES) {
		struct shm_range piece = {(uint32_t)(range->offset + at),
			(uint32_t)MIN(range->length - at, PIECE_BYTES)};

		if ((at > 0 && clock_tsc() >= job->stop_tsc) ||
			shm_range_commit(arena, &piece) != 0) {
			return false;
		}
	}
	return true;
}

static bool
back_buffer(struct buffers_job *job, uint32_t i)
{
	struct shm_arena *arena = job->request->device->arena;
	struct vmedia_buffer *pub = &job->slab->buffers[i].pub;
	uint32_t p;

	pub->session = job->request->session;
	pub->nb_planes = job->nb_planes;
	if (job->memory == V4L2_MEMORY_USERPTR) {
		job->slab->nb_pages++;
		return pages_alloc(&job->slab->buffers[i], job->lengths) == 0;
	}
	for (p = 0; p < job->nb_planes; p++) {
		struct shm_range range = {job->offsets[i][p], job->lengths[p]};

		if (!back_range(job, &range)) {
			return false;
		}
		pub->planes[p].addr = shm_arena_addr(arena, range.offset);
		pub->planes[p].offset = range.offset;
		pub->planes[p].length = range.length;
	}
	return true;
}

/* One buffer a turn: other devices' jobs come in between. */
static void
back_run(struct vmedia_job *base)
{
	struct buffers_job *job = container_of(base, struct buffers_job, job);
	uint32_t nb = job->nb_reserved;

	job->more = false;
	if (job->slab == NULL) {
		job->slab = calloc(1, sizeof(*job->slab) + nb * sizeof(struct bufq_buffer));
	}
	if (job->slab != NULL && job->nb_ready < nb && back_buffer(job, job->nb_ready)) {
		job->nb_ready++;
		job->more = job->nb_ready < nb && clock_tsc() < job->stop_tsc;
	}
}

/* As many as may be kept now, and from which index: the world went on while the job ran. */
static uint32_t
nb_to_keep(const struct buffers_job *job, uint32_t *first)
{
	const struct bufq *q = job_queue(job);

	if (!request_is_alive(job->request) || q->streaming ||
		queue_is_foreign(job->request->session, q)) {
		return 0;
	}
	return bufq_room(q, job->nb_ready, first);
}

static void
answer(struct buffers_job *job, uint32_t first, uint32_t nb)
{
	struct vmedia_request *request = job->request;

	if (nb == 0) {
		if (request->device->backend->buffers_failed != NULL) {
			request->device->backend->buffers_failed(
				request->session, job_queue(job)->type);
		}
		vmedia_request_complete(request, -ENOMEM);
		return;
	}
	if (request->desc->nr == _IOC_NR(VIDIOC_REQBUFS)) {
		request->payload.arg.requestbuffers.count = nb;
	} else {
		request->payload.arg.create_buffers.index = first;
		request->payload.arg.create_buffers.count = nb;
	}
	if (event_drain_wait(request) == 0) {
		vmedia_request_complete(request, 0);
	}
}

static void
back_done(struct vmedia_job *base)
{
	struct buffers_job *job = container_of(base, struct buffers_job, job);
	struct vmedia_session *session = job->request->session;
	struct bufq *q = job_queue(job);
	uint32_t i, nb, first = 0;

	if (job->more && request_is_alive(job->request)) {
		vmedia_offload(job->request->device, &job->job);
		return;
	}
	nb = nb_to_keep(job, &first);
	job_release(job, nb);
	for (i = 0; i < nb; i++) {
		job->slab->buffers[i].block = job->slab;
		bufq_add(q, first + i, &job->slab->buffers[i], job->memory);
	}
	if (nb > 0) {
		job->slab->nb = nb;
	} else if (job->slab != NULL) {
		slab_put(session->device, job->slab);
	}
	owner_update(session, q);
	tell_buffers(session, q);
	answer(job, first, nb);
}

static void
back_start(struct buffers_job *job)
{
	job->job.run = back_run;
	job->job.done = back_done;
	vmedia_offload(job->request->device, &job->job);
}

static void
wait_run(struct vmedia_job *job)
{
	(void)job; /* what was queued before it is what matters */
}

static void
wait_done(struct vmedia_job *base)
{
	struct buffers_job *job = container_of(base, struct buffers_job, job);

	if (request_is_alive(job->request)) {
		reserve(job);
		if (job->nb_reserved < job->nb_wanted && mapping_ranges_return(base->device) &&
			clock_tsc() < job->stop_tsc) {
			vmedia_offload(base->device, base);
			return;
		}
	}
	back_start(job);
}

/* Frees are punched on offload and count only then. A request that finds too little waits for
 * those that are under way, its own REQBUFS' among them. */
int
buffers_make(struct vmedia_request *request, struct bufq *q, const struct buffers_wish *wish)
{
	struct buffers_job *job = &request->buffers_job;
	uint32_t first;

	job->request = request;
	job->direction = (uint32_t)(q - request->session->queues);
	job->memory = wish->memory;
	job->nb_planes = wish->nb_planes;
	memcpy(job->lengths, wish->lengths, sizeof(job->lengths));
	job->nb_wanted = bufq_room(q, wish->count, &first);
	job->nb_reserved = 0;
	job->nb_ready = 0;
	job->slab = NULL;
	/* Fresh 4 KiB pages for 32 large pictures can take seconds. Fewer buffers in time are worth
	 * more than all of them after the deadline. */
	job->stop_tsc = request->seen_tsc + request->device->deadline_tsc / 4 * 3;
	reserve(job);
	if (job->nb_reserved == job->nb_wanted) {
		back_start(job);
	} else {
		job->job.run = wait_run;
		job->job.done = wait_done;
		vmedia_offload(request->device, &job->job);
	}
	if (!device_is_m2m(request->device)) {
		request->device->owner[job->direction] = request->session;
	}
	return VMEDIA_DEFER;
}

/* ---- The ioctls */

int
core_reqbufs(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_requestbuffers *rb = arg;
	struct bufq *q = session_queue(session, rb->type);
	const struct vmedia_format *format;
	struct buffers_wish wish = {.memory = rb->memory, .count = rb->count};

	rb->capabilities = capabilities(session->device);
	rb->flags = 0;
	if (q == NULL || !memory_is_supported(session->device, rb->memory)) {
		return -EINVAL;
	}
	if (q->streaming || queue_is_foreign(session, q)) {
		return -EBUSY;
	}
	queue_stop(session, q);
	queue_free(session, q);
	if (rb->count == 0) {
		tell_buffers(session, q);
		return event_drain_wait(request);
	}
	format = vmedia_format(session, q->type);
	wish.nb_planes = format->nb_planes;
	memcpy(wish.lengths, format->sizeimage, sizeof(format->sizeimage));
	return buffers_make(request, q, &wish);
}

/* The sizes an application asks for, which may be larger than the format needs, but not smaller. */
static int
create_lengths(struct buffers_wish *wish, const struct vmedia_format *format,
	const struct v4l2_format *given)
{
	const struct v4l2_pix_format_mplane *mp = &given->fmt.pix_mp;
	bool mplane = v4l2_type_is_multiplanar(given->type);
	uint32_t p;

	if (mplane && mp->num_planes != format->nb_planes) {
		return -EINVAL;
	}
	wish->nb_planes = format->nb_planes;
	for (p = 0; p < format->nb_planes; p++) {
		wish->lengths[p] = mplane ? mp->plane_fmt[p].sizeimage : given->fmt.pix.sizeimage;
		if (wish->lengths[p] < format->sizeimage[p]) {
			return -EINVAL;
		}
	}
	return 0;
}

int
core_create_bufs(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_create_buffers *create = arg;
	struct bufq *q = session_queue(session, create->format.type);
	struct buffers_wish wish = {.memory = create->memory, .count = create->count};
	uint32_t index;
	int ret;

	create->capabilities = capabilities(session->device);
	create->flags = 0;
	if (q == NULL || !memory_is_supported(session->device, create->memory) ||
		(q->nb_buffers > 0 && create->memory != q->memory)) {
		return -EINVAL;
	}
	create->index = q->nb_buffers;
	if (create->count == 0) {
		return 0;
	}
	/* While streaming the Linux guest would copy lists that are in use (T-13). */
	if (q->streaming || queue_is_foreign(session, q)) {
		return -EBUSY;
	}
	if (bufq_room(q, 1, &index) == 0) {
		return -ENOBUFS;
	}
	ret = create_lengths(&wish, vmedia_format(session, q->type), &create->format);
	return ret != 0 ? ret : buffers_make(request, q, &wish);
}

/* What the guest mapped of them stays until MUNMAP, as with REQBUFS. */
int
core_remove_bufs(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct v4l2_remove_buffers *remove = arg;
	struct bufq *q = session_queue(session, remove->type);
	int ret;

	(void)request;
	if (q == NULL) {
		return -EINVAL;
	}
	if (remove->count == 0) {
		return 0;
	}
	if (queue_is_foreign(session, q)) {
		return -EBUSY;
	}
	ret = bufq_check_remove(q, remove->index, remove->count);
	if (ret == 0) {
		buffers_free(session, q, remove->index, remove->count);
		bufq_remove(q, remove->index, remove->count);
		owner_update(session, q);
		tell_buffers(session, q);
	}
	return ret;
}
