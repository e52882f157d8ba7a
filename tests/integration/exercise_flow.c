/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers on their way round, and the check that each comes back once and in order. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "exercise.h"

/* What is left out of the order until the index is found was overtaken. */
static void
check_order(struct flow *flow, uint32_t index)
{
	if (flow->order[flow->order_head] != index) {
		flow->nb_out_of_order++;
	}
	flow->order_head = (flow->order_head + 1) % FLOW_MAX_BUFFERS;
	flow->nb_queued--;
}

static void
check_sequence(struct flow *flow, uint32_t sequence)
{
	uint32_t gap = sequence - flow->last_sequence - 1;

	if (flow->nb_frames > 0 && (int32_t)gap < 0) {
		flow->nb_out_of_order++;
	} else if (flow->nb_frames > 0) {
		flow->nb_gaps += gap;
	}
	flow->last_sequence = sequence;
}

static void
on_event(struct driver_session *session, const struct driver_event *event, void *arg)
{
	const struct v4l2_buffer *b = &event->dqbuf.buffer;
	struct flows *flows = arg;
	struct flow *flow = &flows->flow[0];

	if (event->kind != DRIVER_EVENT_DQBUF) {
		exercise_claim(flow->ex, false, "unexpected event of kind %d", event->kind);
		return;
	}
	flow += flows->nb > 1 && b->type != flow->type;
	if (b->type != flow->type || b->index >= flow->nb_buffers || !flow->with_device[b->index]) {
		flow->nb_damaged++;
		return;
	}
	if (b->flags & V4L2_BUF_FLAG_ERROR ||
		(!V4L2_TYPE_IS_OUTPUT(flow->type) && b->bytesused != flow->sizeimage)) {
		flow->nb_damaged++;
	}
	flow->sequence[b->index] = b->sequence;
	flow->fresh[b->index] = true;
	check_order(flow, b->index);
	check_sequence(flow, b->sequence);
	flow->nb_frames++;
	flow->with_device[b->index] = false;
	flow->idle[flow->nb_idle++] = b->index;
}

static void
on_queued(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	struct flow *flow = cookie;

	if (status != 0 && !flow->stopping && flow->nb_failed++ == 0) {
		exercise_claim(flow->ex, false, "QBUF: %s", strerror(-status));
	}
}

static uint32_t
memory_of(const struct flow *flow)
{
	return flow->flows->memory == V4L2_MEMORY_USERPTR ? V4L2_MEMORY_USERPTR : V4L2_MEMORY_MMAP;
}

static int
queue(struct flow *flow, uint32_t index)
{
	struct v4l2_buffer *b = &flow->buffers[index];
	int rc;

	*b = (struct v4l2_buffer){.index = index, .type = flow->type, .memory = memory_of(flow)};
	if (b->memory == V4L2_MEMORY_USERPTR) {
		b->m.userptr = (uintptr_t)flow->addr[index];
		b->length = flow->sizeimage;
	}
	if (V4L2_TYPE_IS_OUTPUT(flow->type)) {
		b->bytesused = flow->sizeimage;
	}
	rc = driver_ioctl_submit(flow->ex->session, VIDIOC_QBUF, b, on_queued, flow);
	if (rc == 0) {
		flow->with_device[index] = true;
		flow->order[(flow->order_head + flow->nb_queued++) % FLOW_MAX_BUFFERS] = index;
	}
	return rc;
}

/* At a frame that was not looked at yet. */
static void
look(struct flow *flow, uint32_t index)
{
	if (flow->flows->look != NULL && flow->fresh[index]) {
		flow->flows->look(flow, index);
	}
	flow->fresh[index] = false;
}

void
flows_look(struct flows *flows)
{
	for (unsigned int i = 0; i < flows->nb; i++) {
		for (uint32_t k = 0; k < flows->flow[i].nb_idle; k++) {
			look(&flows->flow[i], flows->flow[i].idle[k]);
		}
	}
}

/* Oldest first, so that every buffer is used. */
static int
queue_idle(struct flow *flow)
{
	uint32_t nb = 0;
	int rc = 0;

	while (nb < flow->nb_idle && !flow->stopping && rc == 0) {
		look(flow, flow->idle[nb]);
		rc = queue(flow, flow->idle[nb]);
		nb += rc == 0;
	}
	flow->nb_idle -= nb;
	memmove(flow->idle, flow->idle + nb, flow->nb_idle * sizeof(flow->idle[0]));
	return rc == -EAGAIN ? 0 : rc;
}

/* What somebody looks at stays mapped. */
static int
map_buffer(struct flow *flow, uint32_t index)
{
	struct exercise *ex = flow->ex;
	struct v4l2_buffer b = {.index = index, .type = flow->type, .memory = V4L2_MEMORY_MMAP};
	void *addr;
	size_t len = 0;
	int rc = driver_ioctl(ex->session, VIDIOC_QUERYBUF, &b);

	if (rc == 0) {
		rc = driver_mmap(ex->session, b.m.offset, true, &addr, &len);
	}
	if (rc == 0) {
		/* what the driver sees has to be there, and to be the device's */
		((volatile char *)addr)[len - 1] = ((volatile char *)addr)[0];
		flow->addr[index] = addr;
	}
	return rc == 0 && flow->flows->look == NULL ? driver_munmap(ex->drv, addr) : rc;
}

static int
get_buffers(struct flow *flow)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < flow->nb_buffers; i++) {
		if (memory_of(flow) == V4L2_MEMORY_USERPTR) {
			flow->addr[i] = driver_mem_alloc(flow->ex->drv, flow->sizeimage);
			rc = flow->addr[i] != NULL ? 0 : -ENOMEM;
		} else {
			rc = map_buffer(flow, i);
		}
		flow->idle[flow->nb_idle++] = i;
	}
	exercise_claim(flow->ex, rc == 0, "memory for buffers: %s", strerror(-rc));
	return rc;
}

static int
flow_prepare(struct flow *flow, struct exercise *ex, const struct flows *flows, uint32_t type)
{
	struct v4l2_requestbuffers req = {.count = ex->nb_buffers, .type = type};
	struct v4l2_format format = {.type = type};
	int rc = driver_ioctl(ex->session, VIDIOC_G_FMT, &format);

	*flow = (struct flow){.ex = ex,
		.flows = flows,
		.type = type,
		.format = format.fmt.pix,
		.sizeimage = format.fmt.pix.sizeimage};
	req.memory = memory_of(flow);
	if (rc == 0) {
		rc = driver_ioctl(ex->session, VIDIOC_REQBUFS, &req);
	}
	flow->nb_buffers = MIN(req.count, (uint32_t)FLOW_MAX_BUFFERS);
	if (!exercise_claim(ex, rc == 0 && req.count == ex->nb_buffers, "REQBUFS(%u): %s, got %u",
		    ex->nb_buffers, strerror(-rc), req.count)) {
		return rc < 0 ? rc : -ENOMEM;
	}
	return get_buffers(flow);
}

static int
flow_streamon(struct flow *flow)
{
	uint32_t type = flow->type;
	int rc = queue_idle(flow);

	if (rc == 0) {
		rc = driver_ioctl(flow->ex->session, VIDIOC_STREAMON, &type);
	}
	exercise_claim(flow->ex, rc == 0, "QBUF, STREAMON: %s", strerror(-rc));
	return rc;
}

int
flows_start(struct exercise *ex, struct flows *flows)
{
	struct driver_info info;
	uint32_t types[2] = {V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_OUTPUT};
	int rc = 0;

	driver_get_info(ex->drv, &info);
	flows->nb = info.device_caps & V4L2_CAP_VIDEO_M2M ? 2 : 1;
	if (info.device_caps & V4L2_CAP_VIDEO_OUTPUT) {
		types[0] = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	}
	driver_session_set_event_fn(ex->session, on_event, flows);
	for (unsigned int i = 0; rc == 0 && i < flows->nb; i++) {
		rc = flow_prepare(&flows->flow[i], ex, flows, types[i]);
	}
	for (unsigned int i = 0; rc == 0 && i < flows->nb; i++) {
		rc = flow_streamon(&flows->flow[i]);
	}
	return rc;
}

int
flows_turn(struct flows *flows)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < flows->nb; i++) {
		rc = queue_idle(&flows->flow[i]);
	}
	return rc == 0 ? driver_poll(flows->flow[0].ex->drv) : rc;
}

int
flows_step(struct flows *flows)
{
	int rc = flows_turn(flows);

	if (rc == 0) {
		rc = driver_wait(flows->flow[0].ex->drv, 100);
	}
	return rc == -ETIMEDOUT ? 0 : rc;
}

uint64_t
flows_nb_frames(const struct flows *flows)
{
	uint64_t nb = flows->flow[0].nb_frames;

	return flows->nb > 1 ? MIN(nb, flows->flow[1].nb_frames) : nb;
}

static uint32_t
nb_with_device(const struct flows *flows)
{
	uint32_t nb = 0;

	for (unsigned int i = 0; i < flows->nb; i++) {
		nb += flows->flow[i].nb_queued;
	}
	return nb;
}

bool
flows_drain(struct flows *flows)
{
	uint64_t start_ns = clock_monotonic_ns();

	for (unsigned int i = 0; i < flows->nb; i++) {
		flows->flow[i].stopping = true;
	}
	while (nb_with_device(flows) > 0 && clock_monotonic_ns() - start_ns < 5 * NSEC_PER_SEC) {
		if (flows_step(flows) < 0) {
			break;
		}
	}
	return nb_with_device(flows) == 0;
}

static void
flow_judge(struct flow *flow, uint64_t sum[4])
{
	exercise_claim(flow->ex, flow->nb_out_of_order == 0, "%llu frames out of order",
		(unsigned long long)flow->nb_out_of_order);
	exercise_claim(flow->ex, flow->nb_damaged == 0,
		"%llu frames with the ERROR flag, wrong bytesused, or of nobody",
		(unsigned long long)flow->nb_damaged);
	sum[0] += flow->nb_frames;
	sum[1] += flow->nb_gaps;
	sum[2] += flow->nb_out_of_order;
	sum[3] += flow->nb_damaged;
}

void
flows_stop(struct flows *flows)
{
	static const char *const names[] = {
		"nb_frames", "nb_gaps", "nb_out_of_order", "nb_damaged"};
	uint64_t sum[4] = {0};

	for (unsigned int i = 0; i < flows->nb; i++) {
		struct flow *flow = &flows->flow[i];
		struct v4l2_requestbuffers req = {.type = flow->type, .memory = memory_of(flow)};
		uint32_t type = flow->type;
		int rc;

		flow->stopping = true;
		rc = driver_ioctl(flow->ex->session, VIDIOC_STREAMOFF, &type);
		exercise_claim(flow->ex, rc == 0, "STREAMOFF: %s", strerror(-rc));
		rc = driver_ioctl(flow->ex->session, VIDIOC_REQBUFS, &req);
		exercise_claim(flow->ex, rc == 0, "REQBUFS(0): %s", strerror(-rc));
		flow_judge(flow, sum);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		exercise_result(names[i], (double)sum[i]);
	}
}
