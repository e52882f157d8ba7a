/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that talks to the node: jobs in order; what is ready is told, never asked for. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "backend/v4l2/host.h"
#include "backend/v4l2/sys.h"
#include "base/compiler.h"

#define NB_READY 16 /* opens looked after per call */

int
host_ioctl(const struct host *host, unsigned long cmd, void *arg)
{
	return host->fd >= 0 ? v4l2_sys.ioctl(host->fd, cmd, arg) : -ENODEV;
}

/* ---- events ---- */

static struct host_event *
event_take(struct host *host)
{
	struct host_event *event = malloc(sizeof(*event));

	if (event == NULL) {
		return NULL;
	}
	event->host = host;
	memset(&event->event, 0, sizeof(event->event));
	if (host_ioctl(host, VIDIOC_DQEVENT, &event->event) != 0) {
		free(event);
		return NULL;
	}
	return event;
}

static void
event_arrived(void *arg)
{
	struct host_event *event = arg;

	if (event->host->session != NULL) {
		vmedia_event_send(event->host->session, &event->event);
	}
	free(event);
}

void
host_events_take(struct host *host)
{
	struct host_event *event;

	while (host->nb_subscriptions > 0 && (event = event_take(host)) != NULL) {
		event->msg = (struct reactor_msg){.fn = event_arrived, .arg = event};
		reactor_send(host->dev->reactor, &event->msg);
	}
}

/* Events that a command caused leave with its answer, ahead of it. */
static void
events_collect(struct host_job *job)
{
	struct host_event *event;

	while (job->host != NULL && job->host->nb_subscriptions > 0 &&
		(event = event_take(job->host)) != NULL) {
		SLIST_INSERT_HEAD(&job->events, event, link);
	}
}

/* ---- readiness ---- */

static void
unwatch(struct host *host)
{
	if (host->watched != 0) {
		host->dev->ready.ops->del(&host->dev->ready, host->fd, host);
		host->watched = 0;
	}
}

/* Edge-triggered: a queue with a buffer to spare is writable all the time. Without a stream it is
 * only asked for events: to be polled for data would start read() in the driver, and end every
 * REQBUFS with EBUSY. The fd is added anew, as a driver may look at what is waited for only then.
 */
void
host_watch(struct host *host)
{
	bool streams = host->queues[0].streaming || host->queues[1].streaming;
	uint32_t events = EPOLLPRI | (streams ? EPOLLIN | EPOLLOUT : 0u);
	struct ready *ready = &host->dev->ready;
	int err;

	if (events == host->watched && !streams) {
		return;
	}
	unwatch(host);
	err = ready->ops->add(ready, host->fd, events, host);
	if (err != 0) {
		log_err(&log_v4l2, "device %s: the node cannot be waited for: %s",
			vmedia_device_name(host->dev->device), strerror(-err));
		return;
	}
	host->watched = events;
}

static unsigned int
poll_nodes(struct poller *poller, uint64_t now_tsc)
{
	struct v4l2_device *dev = container_of(poller, struct v4l2_device, poller);
	void *hosts[NB_READY];
	unsigned int nb = dev->ready.ops->take(&dev->ready, hosts, NB_READY);

	for (unsigned int i = 0; i < nb; i++) {
		host_events_take(hosts[i]);
		host_frames_take(hosts[i]);
	}
	return nb;
}

static const struct poller_ops poller_ops = {.poll = poll_nodes};

/* ---- jobs ---- */

static void
job_done(void *arg)
{
	struct host_job *job = arg;
	struct v4l2_device *dev = job->dev;

	job->done(job);
	SLIST_INSERT_HEAD(&dev->free_jobs, job, link);
}

static void
job_run(void *arg)
{
	struct host_job *job = arg;

	job->run(job);
	events_collect(job);
	job->msg = (struct reactor_msg){.fn = job_done, .arg = job};
	reactor_send(job->dev->reactor, &job->msg);
}

void
host_send(struct host_job *job)
{
	SLIST_INIT(&job->events);
	job->msg = (struct reactor_msg){.fn = job_run, .arg = job};
	reactor_send(job->dev->thread, &job->msg);
}

void
host_run_ioctl(struct host_job *job)
{
	job->status = host_ioctl(job->host, job->cmd, job->arg.bytes);
}

void
host_run_waiting(struct host_job *job)
{
	v4l2_sys.set_blocking(job->host->fd, true);
	host_run_ioctl(job);
	v4l2_sys.set_blocking(job->host->fd, false);
}

void
host_run_ext_ctrls(struct host_job *job)
{
	job->arg.ext_controls.controls = job->ctrls->ctrls;
	host_run_ioctl(job);
}

void
host_run_subscribe(struct host_job *job)
{
	host_run_ioctl(job);
	job->host->nb_subscriptions += job->status == 0;
}

/* ---- open and close ---- */

static struct host *
host_new(struct v4l2_device *dev)
{
	struct host *host = calloc(1, sizeof(*host));

	for (uint32_t q = 0; host != NULL && q < ARRAY_SIZE(host->queues); q++) {
		host->queues[q].host = host;
		for (uint32_t i = 0; i < HOST_MAX_BUFFERS; i++) {
			host->queues[q].buffers[i].queue = &host->queues[q];
		}
	}
	if (host != NULL) {
		host->dev = dev;
		host->fd = -ENODEV;
	}
	return host;
}

void
host_run_open(struct host_job *job)
{
	if (job->host == NULL) {
		job->host = host_new(job->dev);
	}
	if (job->host == NULL) {
		job->status = -ENOMEM;
		return;
	}
	job->host->nb_subscriptions = 0;
	job->host->watched = 0;
	LIST_INSERT_HEAD(&job->dev->opened, job->host, opened);
	job->host->fd = v4l2_sys.open(host_path(job->dev));
	job->status = job->host->fd >= 0 ? 0 : job->host->fd;
	if (job->status == 0) {
		host_watch(job->host);
	}
}

static void
closed(void *arg)
{
	struct host *host = arg;

	for (uint32_t q = 0; q < ARRAY_SIZE(host->queues); q++) {
		host_holds_drop(&host->queues[q]);
	}
	host->dev->nb_shared -= host->shared;
	host->shared = false;
	TAILQ_INSERT_HEAD(&host->dev->free_hosts, host, link);
	if (host->closer != NULL) {
		struct vmedia_request *closer = host->closer;

		host->closer = NULL;
		vmedia_request_complete(closer, 0);
	}
}

static void
close_run(void *arg)
{
	struct host *host = arg;

	unwatch(host);
	LIST_REMOVE(host, opened);
	for (uint32_t q = 0; q < ARRAY_SIZE(host->queues); q++) {
		host_queue_forget(&host->queues[q]);
	}
	if (host->fd >= 0) {
		v4l2_sys.close(host->fd);
	}
	host->fd = -ENODEV;
	host->close_msg = (struct reactor_msg){.fn = closed, .arg = host};
	reactor_send(host->dev->reactor, &host->close_msg);
}

void
host_close(struct host *host)
{
	host->session = NULL;
	host->close_msg = (struct reactor_msg){.fn = close_run, .arg = host};
	reactor_send(host->dev->thread, &host->close_msg);
}

/* ---- the thread ---- */

static void
attach(void *arg)
{
	struct v4l2_device *dev = arg;

	reactor_poller_add(dev->thread, &dev->poller);
}

static void
detach(void *arg)
{
	struct v4l2_device *dev = arg;

	reactor_poller_del(dev->thread, &dev->poller);
}

/* io_uring where it is built in, allowed, and able to wait for this node; else epoll. */
int
host_choose_waiting(struct v4l2_device *dev, int fd)
{
	int err = dev->wait == HOST_WAIT_EPOLL ? -ENOSYS
	                                       : ready_create(&dev->ready, &ready_uring, fd);

	if (err != 0 && dev->wait == HOST_WAIT_URING) {
		log_err(&log_v4l2, "device %s: wait=io_uring: %s%s",
			vmedia_device_name(dev->device), strerror(-err),
			err == -EINVAL ? ": it cannot wait for a codec; use wait=auto" : "");
		return err;
	}
	err = err != 0 ? ready_create(&dev->ready, &ready_epoll, fd) : 0;
	if (err == 0) {
		log_info(&log_v4l2, "device %s: the node is waited for by %s",
			vmedia_device_name(dev->device), dev->ready.ops->name);
	}
	return err;
}

int
host_thread_start(struct v4l2_device *dev)
{
	struct reactor_config config = {.name = "v4l2", .cpu = -1, .idle = REACTOR_INTERRUPT};
	int err = reactor_create(&config, &dev->thread);

	err = err != 0 ? err : reactor_start(dev->thread);
	err = err != 0 ? err : reactor_watch(dev->thread, dev->ready.fd, false);
	if (err == 0) {
		dev->poller.ops = &poller_ops;
		reactor_call(dev->thread, attach, dev);
	}
	return err;
}

static void
nothing(void *arg)
{
	(void)arg; /* what was sent before it has arrived: that is all */
}

void
host_thread_stop(struct v4l2_device *dev)
{
	if (dev->poller.added) {
		reactor_call(dev->thread, detach, dev);
	}
	reactor_destroy(dev->thread); /* the last jobs run */
	if (dev->reactor != NULL) {
		reactor_call(dev->reactor, nothing, NULL);
	}
	ready_destroy(&dev->ready);
}
