/* SPDX-License-Identifier: BSD-3-Clause */
/* Ioctls in the broker: what the guest's driver and the V4L2 core answer, and the rest to the
 * device. */
#include <errno.h>
#include <linux/version.h>
#include <string.h>

#include "base/util.h"
#include "protocol/v4l2.h"
#include "v4l2-shim/broker.h"

/* Points the struct to the array that came with it, and its elements to what they point to. */
static int
link_buffer(struct call *call)
{
	struct v4l2_buffer *buffer = (void *)call->arg;

	if (!V4L2_TYPE_IS_MULTIPLANAR(buffer->type)) {
		return 0;
	}
	buffer->m.planes = (void *)call->array;
	return buffer->length <= VIDEO_MAX_PLANES &&
	                       call->req.array_bytes == buffer->length * sizeof(struct v4l2_plane)
	               ? 0
	               : -EINVAL;
}

static int
link_controls(struct call *call)
{
	struct v4l2_ext_controls *arg = (void *)call->arg;
	struct v4l2_ext_control *ctrl = (void *)call->array;
	uint64_t at = 0;

	arg->controls = ctrl;
	if (arg->count > V4L2_CID_MAX_CTRLS ||
		call->req.array_bytes != arg->count * sizeof(*ctrl)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < arg->count; i++) {
		if (ctrl[i].size == 0) {
			continue;
		}
		ctrl[i].ptr = call->extra + at;
		at += round_up((uint64_t)ctrl[i].size, 8);
		if (at > round_up((uint64_t)call->req.extra_bytes, 8)) {
			return -EINVAL;
		}
	}
	return 0;
}

static int
link_pointers(struct call *call)
{
	if (call->req.arg_bytes != _IOC_SIZE(call->req.request)) {
		return -EINVAL;
	}
	switch (call->req.request) {
	case VIDIOC_QUERYBUF:
	case VIDIOC_QBUF:
	case VIDIOC_DQBUF:
	case VIDIOC_PREPARE_BUF:
		return link_buffer(call);
	case VIDIOC_G_EXT_CTRLS:
	case VIDIOC_S_EXT_CTRLS:
	case VIDIOC_TRY_EXT_CTRLS:
		return link_controls(call);
	default:
		return 0;
	}
}

/* Those that a session of lower priority must not do. */
static bool
needs_priority(uint64_t request)
{
	switch (request) {
	case VIDIOC_S_PRIORITY:
	case VIDIOC_S_FMT:
	case VIDIOC_REQBUFS:
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF:
	case VIDIOC_S_PARM:
	case VIDIOC_S_STD:
	case VIDIOC_S_TUNER:
	case VIDIOC_S_AUDIO:
	case VIDIOC_S_INPUT:
	case VIDIOC_S_OUTPUT:
	case VIDIOC_S_AUDOUT:
	case VIDIOC_S_MODULATOR:
	case VIDIOC_S_FREQUENCY:
	case VIDIOC_S_EXT_CTRLS:
	case VIDIOC_ENCODER_CMD:
	case VIDIOC_DECODER_CMD:
	case VIDIOC_S_HW_FREQ_SEEK:
	case VIDIOC_S_DV_TIMINGS:
	case VIDIOC_CREATE_BUFS:
	case VIDIOC_REMOVE_BUFS:
	case VIDIOC_S_SELECTION:
		return true;
	default:
		return false;
	}
}

static uint32_t
highest_priority(const struct broker *broker)
{
	const struct session *session;
	uint32_t highest = V4L2_PRIORITY_UNSET;

	LIST_FOREACH(session, &broker->sessions, link)
	{
		highest = MAX(highest, session->priority);
	}
	return highest;
}

static int
set_priority(struct session *session, uint32_t priority)
{
	if (priority < V4L2_PRIORITY_BACKGROUND || priority > V4L2_PRIORITY_RECORD) {
		return -EINVAL;
	}
	session->priority = priority;
	return 0;
}

static int
query_capabilities(struct call *call)
{
	struct v4l2_capability *cap = (void *)call->arg;
	int ret = driver_ioctl(call->session->driver, VIDIOC_QUERYCAP, cap);

	cap->version = LINUX_VERSION_CODE;
	return ret;
}

static int
take_buffer(struct call *call)
{
	int ret = queue_take(call->session, (void *)call->arg);

	if (ret == 0) {
		usermem_answer(call, ret);
	}
	return ret;
}

/* 1: not answered here. -EAGAIN: not yet. */
static int
answer_here(struct call *call)
{
	struct session *session = call->session;
	uint32_t priority;

	switch (call->req.request) {
	case VIDIOC_QUERYCAP:
		return query_capabilities(call);
	case VIDIOC_DQBUF:
		return take_buffer(call);
	case VIDIOC_DQEVENT:
		return events_take(session, (void *)call->arg);
	case VIDIOC_G_PRIORITY:
		priority = highest_priority(session->broker);
		memcpy(call->arg, &priority, sizeof(priority));
		return 0;
	case VIDIOC_S_PRIORITY:
		memcpy(&priority, call->arg, sizeof(priority));
		return set_priority(session, priority);
	default:
		return 1;
	}
}

static bool
may_wait(const struct call *call, int status)
{
	return (call->req.flags & SHIM_NONBLOCK) == 0 &&
	       ((call->req.request == VIDIOC_DQBUF && status == -EAGAIN) ||
		       (call->req.request == VIDIOC_DQEVENT && status == -ENOENT));
}

static void
wait_here(struct call *call)
{
	call->waits = true;
	TAILQ_INSERT_TAIL(&call->session->waiters, call, link);
}

void
ioctl_wake(struct session *session)
{
	struct call *call = TAILQ_FIRST(&session->waiters), *next;

	for (; call != NULL; call = next) {
		int status = answer_here(call);

		next = TAILQ_NEXT(call, link);
		if (!may_wait(call, status)) {
			call_finish(call, status);
		}
	}
}

void
ioctl_cancel(struct call *call)
{
	if (call->waits) {
		call_finish(call, -EINTR);
	}
}

static void
device_answered(
	struct driver_session *driver, int status, const struct driver_timing *timing, void *cookie)
{
	struct call *call = cookie;
	struct session *session = call->session;

	queue_track(session, call, status);
	usermem_answer(call, status);
	if (call->req.request == VIDIOC_SUBSCRIBE_EVENT && status != 0) {
		events_unsubscribe(session, (const void *)call->arg);
	}
	if (call->req.request == VIDIOC_UNSUBSCRIBE_EVENT && status == 0) {
		events_unsubscribe(session, (const void *)call->arg);
	}
	call_finish(call, status);
	ioctl_wake(session); /* STREAMOFF ends the waiting of other threads */
}

static void
ask_device(struct call *call)
{
	int ret = 0;

	if (call->req.request == VIDIOC_SUBSCRIBE_EVENT) {
		ret = events_subscribe(call->session, (const void *)call->arg);
	}
	if (ret == 0) {
		ret = usermem_place(call);
	}
	if (ret != 0) {
		call_finish(call, ret);
		return;
	}
	queue_before(call->session, call);
	ret = driver_ioctl_submit(
		call->session->driver, call->req.request, call->arg, device_answered, call);
	if (ret != 0) {
		queue_track(call->session, call, ret);
		usermem_answer(call, ret);
		call_finish(call, ret);
	}
}

void
ioctl_place(struct call *call)
{
	int ret = link_pointers(call);

	call_finish(call, ret == 0 ? usermem_place(call) : ret);
}

void
ioctl_start(struct call *call)
{
	int ret = link_pointers(call);

	if (ret == 0 && needs_priority(call->req.request) &&
		call->session->priority < highest_priority(call->session->broker)) {
		ret = -EBUSY;
	}
	if (ret == 0) {
		ret = answer_here(call);
	}
	if (ret == 1) {
		ask_device(call);
	} else if (may_wait(call, ret)) {
		wait_here(call);
	} else {
		call_finish(call, ret);
	}
}
