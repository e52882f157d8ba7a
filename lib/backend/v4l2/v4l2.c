/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * v4l2: a host's V4L2 node. What the guest asks is asked of the node, on a thread of its own
 * (host.h says who does what); v4l2.md is the manual.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/v4l2/format.h"
#include "backend/v4l2/host.h"
#include "backend/v4l2/ioctls.h"
#include "base/compiler.h"
#include "base/util.h"
#include "device/device.h"

LOG_TYPE_DEFINE(v4l2);

struct v4l2_session {
	struct host *host; /* NULL: not open */
};

static const char *const buffers_names[] = {"auto", "import", "dmabuf", "copy", NULL};
static const char *const wait_names[] = {"auto", "io_uring", "epoll", NULL};

#define OPTION(name) offsetof(struct v4l2_device, name)
static const struct vmedia_option options[] = {
	{"node", "path of the host device, as /dev/video0 or /dev/v4l/by-id/...",
		VMEDIA_OPTION_STRING, OPTION(node), 0, 0, NULL, NULL},
	{"fd", "instead of node: number of an inherited file descriptor of it", VMEDIA_OPTION_U32,
		OPTION(fd), 3, INT32_MAX, NULL, NULL},
	{"buffers", "the host's way to guest buffers", VMEDIA_OPTION_CHOICE, OPTION(buffers), 0, 0,
		buffers_names, "auto"},
	{"max-pieces", "of guest's memory that are mapped at once, with shared-pages=yes",
		VMEDIA_OPTION_U32, OPTION(pieces.max), 0, 32768, NULL, "4096"},
	{"wait", "how frames and events of the host are waited for", VMEDIA_OPTION_CHOICE,
		OPTION(wait), 0, 0, wait_names, "auto"},
	{"blind-after", "for tests: after so many frames pixels are out of reach here",
		VMEDIA_OPTION_U32, OPTION(blind_after), 0, INT32_MAX, NULL, NULL},
	{NULL},
};

/* ---- ioctls ---- */

/* What of the argument has to be looked at. */
enum rule {
	RULE_NONE,
	RULE_TYPE,    /* a buffer type: none of overlays, which the guest cannot have */
	RULE_NO_READ, /* no buffers of read() or write() in the answer */
	RULE_NO_RDS   /* no RDS that is had by read() */
};

struct row {
	unsigned long cmd;
	enum rule rule;
	uint32_t at; /* bytes */
};

#define ROW(name, handler, rule, at) [_IOC_NR(VIDIOC_##name)] = {VIDIOC_##name, RULE_##rule, at},
static const struct row rows[VMEDIA_NB_IOCTLS] = {V4L2_FORWARDED(ROW)};

static struct host *
host_of(struct vmedia_session *session)
{
	struct v4l2_session *s = vmedia_session_priv(session);

	return s->host;
}

static bool
type_is_ours(const struct v4l2_device *dev, uint32_t type)
{
	return type < 32 && (v4l2_caps_types(dev->device_caps) & 1u << type) != 0;
}

static int
check(const struct row *row, const void *arg)
{
	uint32_t type;

	if (row->rule != RULE_TYPE) {
		return 0;
	}
	memcpy(&type, (const char *)arg + row->at, sizeof(type));
	return type == V4L2_BUF_TYPE_VIDEO_OVERLAY || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_OVERLAY
	               ? -EINVAL
	               : 0;
}

static struct host_job *
job_new(struct v4l2_device *dev, struct vmedia_request *request)
{
	struct host_job *job = SLIST_FIRST(&dev->free_jobs);

	if (job != NULL) {
		SLIST_REMOVE_HEAD(&dev->free_jobs, link);
		job->request = request;
		job->host = NULL;
	}
	return job;
}

typedef void job_fn(struct host_job *job);

/* VMEDIA_DEFER: the thread has it. */
static int
hand_over(struct vmedia_session *session, struct vmedia_request *request, void *arg, job_fn *run,
	job_fn *done)
{
	struct v4l2_device *dev = vmedia_device_priv(vmedia_session_device(session));
	const struct row *row = &rows[vmedia_request_ioctl(request)];
	struct host *host = host_of(session);
	struct host_job *job;
	int err = check(row, arg);

	if (err != 0 || host == NULL || host->gone != 0) {
		return host == NULL ? -ENODEV : err != 0 ? err : host->gone;
	}
	job = job_new(dev, request);
	if (job == NULL) {
		return -EBUSY;
	}
	job->host = host;
	job->ctrls = dev->nb_ctrls > 0 ? dev->ctrls[dev->nb_ctrls - 1] : NULL;
	job->cmd = row->cmd;
	job->run = run;
	job->done = done;
	memcpy(job->arg.bytes, arg, _IOC_SIZE(row->cmd));
	host_send(job);
	return VMEDIA_DEFER;
}

/* Events of the node up to the end of the job, oldest first; while the session is open. */
static void
tell_events(struct host_job *job)
{
	struct host_events oldest_first = SLIST_HEAD_INITIALIZER(oldest_first);
	struct host_event *event;

	while ((event = SLIST_FIRST(&job->events)) != NULL) {
		SLIST_REMOVE_HEAD(&job->events, link);
		SLIST_INSERT_HEAD(&oldest_first, event, link);
	}
	while ((event = SLIST_FIRST(&oldest_first)) != NULL) {
		SLIST_REMOVE_HEAD(&oldest_first, link);
		if (job->host->session != NULL) {
			vmedia_event_send(job->host->session, &event->event);
		}
		free(event);
	}
}

static void
finish(struct host_job *job, int status)
{
	if (status == -ENODEV) {
		job->host->gone = -ENODEV;
	}
	if (status != VMEDIA_DEFER) {
		vmedia_request_complete(job->request, status);
	}
}

/* What the answer says that a guest cannot use goes. */
static void
clean(const struct row *row, void *arg)
{
	if (row->rule == RULE_NO_READ) {
		((struct v4l2_streamparm *)arg)->parm.capture.readbuffers = 0;
	} else if (row->rule == RULE_NO_RDS) {
		v4l2_tuner_clean(arg);
	}
}

/* The answer may be read by somebody while it is late: it is written only while it is not. */
static void
ioctl_done(struct host_job *job)
{
	const struct row *row = &rows[_IOC_NR(job->cmd)];

	tell_events(job);
	if (job->status == 0) {
		clean(row, job->arg.bytes);
	}
	if (job->status == 0 && vmedia_request_is_alive(job->request)) {
		memcpy(vmedia_request_arg(job->request), job->arg.bytes, _IOC_SIZE(job->cmd));
	}
	finish(job, job->status);
}

static int
forward(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_ioctl, ioctl_done);
}

static int
seek(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_waiting, ioctl_done);
}

/* ---- controls ---- */

/* An error carries the arguments as well: error_idx, and sizes with ENOSPC. */
static void
ext_ctrls_done(struct host_job *job)
{
	struct v4l2_ext_controls *answer = vmedia_request_arg(job->request);

	tell_events(job);
	if (vmedia_request_is_alive(job->request)) {
		answer->error_idx = job->arg.ext_controls.error_idx;
		vmedia_ctrls_give(job->request, job->ctrls);
	}
	job->dev->ctrls[job->dev->nb_ctrls++] = job->ctrls;
	finish(job, job->status);
}

static int
ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_device *dev = vmedia_device_priv(vmedia_session_device(session));
	const struct v4l2_ext_controls *e = arg;
	int ret;

	if (e->which == V4L2_CTRL_WHICH_REQUEST_VAL) {
		return -EINVAL; /* request_fd would be one of ours */
	}
	if (dev->nb_ctrls == 0) {
		return -EBUSY;
	}
	ret = vmedia_ctrls_take(request, dev->ctrls[dev->nb_ctrls - 1]);
	if (ret == 0) {
		ret = hand_over(session, request, arg, host_run_ext_ctrls, ext_ctrls_done);
	}
	if (ret == VMEDIA_DEFER) {
		dev->nb_ctrls--; /* the thread has it: see hand_over */
	}
	return ret;
}

/* ---- events ---- */

static void
subscribe_done(struct host_job *job)
{
	if (job->status == 0 && job->host->session != NULL) {
		job->status = vmedia_event_subscribe(job->host->session, &job->arg.subscription);
	}
	tell_events(job);
	finish(job, job->status);
}

static void
unsubscribe_done(struct host_job *job)
{
	tell_events(job);
	if (job->status == 0 && vmedia_request_is_alive(job->request)) {
		vmedia_ioctl_core(job->host->session, job->request, job->arg.bytes);
	}
	finish(job, job->status);
}

static int
subscribe(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_subscribe, subscribe_done);
}

static int
unsubscribe(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_ioctl, unsubscribe_done);
}

/* ---- buffers ---- */

#define CAPABILITIES (V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS)

/* Nobody waited for it: what node and core think of the queue is not the same any more. The session
 * is of no use; closing it puts everything right. */
static bool
too_late(struct host_job *job)
{
	if (vmedia_request_is_alive(job->request)) {
		return false;
	}
	if (job->host->gone == 0) {
		job->host->gone = -EIO;
	}
	finish(job, -EIO);
	return true;
}

static void
reqbufs_done(struct host_job *job)
{
	struct host_queue *q = host_queue_of(job->host, job->arg.requestbuffers.type);

	tell_events(job);
	if (too_late(job)) {
		return;
	}
	if (job->status == -EBUSY || job->status == -ENODEV) {
		finish(job, job->status); /* nothing has changed */
		return;
	}
	host_holds_drop(q);
	vmedia_buffers_make(job->request, &job->made);
}

/* The memory of a queue, and what the answer says of it. */
static bool
may_use(struct vmedia_session *session, uint32_t memory, uint32_t *capabilities)
{
	struct v4l2_device *dev = vmedia_device_priv(vmedia_session_device(session));
	bool pages = vmedia_takes_pages(dev->device);
	struct host *host = host_of(session);

	*capabilities = CAPABILITIES | (pages ? V4L2_BUF_CAP_SUPPORTS_USERPTR : 0u);
	if (memory == V4L2_MEMORY_USERPTR && pages && host != NULL && !host->shared) {
		host->shared = true;
		dev->nb_shared++;
	}
	return memory == V4L2_MEMORY_MMAP || (memory == V4L2_MEMORY_USERPTR && pages);
}

/* Raw and sliced VBI are two types of one queue. */
static bool
may_retype(struct vmedia_session *session, uint32_t type)
{
	if (!type_is_ours(vmedia_device_priv(vmedia_session_device(session)), type)) {
		return false;
	}
	vmedia_queue_retype(session, type);
	return true;
}

static int
reqbufs(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_requestbuffers *rb = arg;

	if (!may_use(session, rb->memory, &rb->capabilities) || !may_retype(session, rb->type)) {
		return -EINVAL;
	}
	rb->count = MIN(rb->count, HOST_MAX_BUFFERS);
	rb->flags = 0;
	return hand_over(session, request, arg, host_run_reqbufs, reqbufs_done);
}

static void
create_bufs_done(struct host_job *job)
{
	struct v4l2_create_buffers *cb;
	uint32_t nb_buffers = 0;
	bool streams;

	tell_events(job);
	if (too_late(job)) {
		return;
	}
	cb = vmedia_request_arg(job->request);
	cb->format = job->arg.create_buffers.format;
	cb->index = job->arg.create_buffers.index;
	vmedia_queue(job->host->session, cb->format.type, &nb_buffers, &streams);
	if (job->status == 0 && cb->count > 0 && cb->index != nb_buffers) {
		job->status = -ENOMEM; /* an earlier call got fewer than the node made */
	}
	if (job->status != 0 || cb->count == 0) {
		finish(job, job->status);
	} else {
		vmedia_buffers_make(job->request, &job->made);
	}
}

static int
create_bufs(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_create_buffers *cb = arg;
	uint32_t nb_buffers;
	bool streams;

	if (!may_retype(session, cb->format.type) ||
		!may_use(session, cb->memory, &cb->capabilities) ||
		!vmedia_queue(session, cb->format.type, &nb_buffers, &streams)) {
		return -EINVAL;
	}
	if (cb->count > 0 && streams) {
		return -EBUSY;
	}
	if (cb->count > 0 && nb_buffers == HOST_MAX_BUFFERS) {
		return -ENOBUFS;
	}
	cb->count = MIN(cb->count, HOST_MAX_BUFFERS - nb_buffers);
	cb->flags = 0;
	return hand_over(session, request, arg, host_run_create_bufs, create_bufs_done);
}

/* The core has no room for what the node made. The session is of no use until it is closed. */
static void
buffers_failed(struct vmedia_session *session, uint32_t type)
{
	struct host *host = host_of(session);

	if (host != NULL && host->gone == 0) {
		host->gone = -ENOMEM;
	}
}

static int
qbuf(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	const struct host *host = host_of(session);

	if (host == NULL || host->gone != 0) {
		return host == NULL ? -ENODEV : host->gone;
	}
	return vmedia_ioctl_core(session, request, arg);
}

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	host_buffer_send(host_of(session), buffer);
}

/* ---- streaming: the node first, then the core ---- */

static void
stream_done(struct host_job *job)
{
	tell_events(job);
	if (too_late(job)) {
		return;
	}
	if (job->status == 0) {
		job->status = vmedia_ioctl_core(
			job->host->session, job->request, vmedia_request_arg(job->request));
	}
	finish(job, job->status);
}

static int
streamon(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_streamon, stream_done);
}

static int
streamoff(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return hand_over(session, request, arg, host_run_streamoff, stream_done);
}

static int
start_streaming(struct vmedia_session *session, uint32_t type)
{
	return 0; /* the node streams already */
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
	/* the node has stopped, or is about to be closed */
}

/* ---- sessions ---- */

static void
open_done(struct host_job *job)
{
	struct vmedia_session *session = vmedia_request_session(job->request);

	if (job->host == NULL || job->status != 0 || !vmedia_request_is_alive(job->request)) {
		if (job->host != NULL) {
			host_close(job->host);
		}
		vmedia_request_complete(job->request, job->status);
		return;
	}
	((struct v4l2_session *)vmedia_session_priv(session))->host = job->host;
	job->host->session = session;
	job->host->gone = 0;
	vmedia_request_complete(job->request, 0);
}

static int
open_later(struct vmedia_session *session, struct vmedia_request *request)
{
	struct v4l2_device *dev = vmedia_device_priv(vmedia_session_device(session));
	struct host_job *job = job_new(dev, request);

	if (job == NULL) {
		return -EBUSY;
	}
	job->host = TAILQ_FIRST(&dev->free_hosts);
	if (job->host != NULL) {
		TAILQ_REMOVE(&dev->free_hosts, job->host, link);
	}
	job->run = host_run_open;
	job->done = open_done;
	host_send(job);
	return VMEDIA_DEFER;
}

static void
close_session(struct vmedia_session *session)
{
	struct host *host = host_of(session);

	if (host != NULL) {
		host_close(host);
	}
}

/* The guest's own pages are let go before it hears that the session is closed. */
static int
close_later(struct vmedia_session *session, struct vmedia_request *request)
{
	struct host *host = host_of(session);
	bool waits = host != NULL && host->shared;

	if (waits) {
		host->closer = request;
	}
	close_session(session);
	return waits ? VMEDIA_DEFER : 0;
}

/* ---- devices ---- */

static void
destroy(struct vmedia_device *device)
{
	struct v4l2_device *dev = vmedia_device_priv(device);
	struct host *host;

	host_thread_stop(dev);
	host_dmabuf_stop(dev);
	while ((host = TAILQ_FIRST(&dev->free_hosts)) != NULL) {
		TAILQ_REMOVE(&dev->free_hosts, host, link);
		free(host);
	}
	for (uint32_t i = 0; i < dev->nb_ctrls; i++) {
		free(dev->ctrls[i]);
	}
	free(dev->jobs);
}

static int
create_ctrls(struct v4l2_device *dev)
{
	while (dev->nb_ctrls < HOST_NB_CTRLS) {
		dev->ctrls[dev->nb_ctrls] = calloc(1, sizeof(*dev->ctrls[0]));
		if (dev->ctrls[dev->nb_ctrls] == NULL) {
			return -ENOMEM;
		}
		dev->nb_ctrls++;
	}
	return 0;
}

static int
create_jobs(struct v4l2_device *dev)
{
	dev->jobs = calloc(HOST_NB_JOBS, sizeof(dev->jobs[0]));
	for (uint32_t i = 0; dev->jobs != NULL && i < HOST_NB_JOBS; i++) {
		dev->jobs[i].dev = dev;
		SLIST_INSERT_HEAD(&dev->free_jobs, &dev->jobs[i], link);
	}
	return dev->jobs != NULL ? 0 : -ENOMEM;
}

static int
create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct v4l2_device *dev = vmedia_device_priv(device);
	int err;

	TAILQ_INIT(&dev->free_hosts);
	SLIST_INIT(&dev->free_jobs);
	LIST_INIT(&dev->opened);
	dev->ready.fd = dev->udmabuf = -1;
	dev->device = device;
	dev->reactor = device_reactor(device);
	if (dev->fd != 0) {
		snprintf(dev->path, sizeof(dev->path), "/proc/self/fd/%u", dev->fd);
	}
	err = host_node_query(dev, node);
	err = err != 0 ? err : host_dmabuf_start(dev);
	err = err != 0 ? err : create_jobs(dev);
	err = err != 0 ? err : create_ctrls(dev);
	err = err != 0 ? err : host_thread_start(dev);
	if (err != 0) {
		destroy(device);
	}
	return err;
}

#define HANDLER(name, handler, rule, at) [_IOC_NR(VIDIOC_##name)] = (handler),
static const struct vmedia_backend_ops v4l2_ops = {
	.name = "v4l2",
	.summary = "V4L2 device of the host",
	.options = options,
	.device_bytes = sizeof(struct v4l2_device),
	.session_bytes = sizeof(struct v4l2_session),
	.forwards = true,
	.keeps_reactor = true,
	.create = create,
	.destroy = destroy,
	.open_later = open_later,
	.close = close_session,
	.close_later = close_later,
	.pages_let_go = host_withdraw_pages,
	.ioctl = {V4L2_FORWARDED(HANDLER)},
	.buffers_failed = buffers_failed,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
};

VMEDIA_BACKEND_REGISTER(v4l2_ops)
