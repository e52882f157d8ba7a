/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway thread: epoll loop, posts from other threads, calls, deadlines, its directory. */
#include "transport/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "transport/internal.h"

#define NB_EVENTS  64
#define SPIN_NS    20000
#define NO_TIMEOUT (-1) /* of epoll_wait */

LOG_TYPE_DEFINE(transport);

struct call {
	int (*fn)(void *arg);
	void *arg;
	int result;
	sem_t done;
	struct call *next;
};

static struct {
	bool started;
	pthread_t thread;
	int epoll_fd;
	struct watch wake;
	char directory[64];
	TAILQ_HEAD(, vhost_user) devices; /* gateway thread */
	bool stop;                        /* gateway thread */
	bool expecting;                   /* gateway thread */
	atomic_bool asleep;               /* or about to be: posts and calls must wake it */
	struct vhost_user *_Atomic posted;
	struct call *_Atomic called;
} gw = {.epoll_fd = -1, .wake = {.fd = -1}};

int
gateway_watch(struct watch *watch, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = watch};

	return epoll_ctl(gw.epoll_fd, EPOLL_CTL_ADD, watch->fd, &ev) == 0 ? 0 : -errno;
}

void
gateway_rearm(struct watch *watch, uint32_t events)
{
	struct epoll_event ev = {.events = events | EPOLLONESHOT, .data.ptr = watch};

	epoll_ctl(gw.epoll_fd, EPOLL_CTL_MOD, watch->fd, &ev);
}

/* The explicit DEL matters: the front-end may hold the same file description open. */
void
gateway_unwatch(struct watch *watch)
{
	if (watch->fd >= 0) {
		epoll_ctl(gw.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
		close(watch->fd);
		watch->fd = -1;
	}
}

/* Spares a reactor the system call while the gateway is awake. */
static void
wake_up(void)
{
	uint64_t one = 1;

	if (!atomic_load(&gw.asleep) || !atomic_exchange(&gw.asleep, false)) {
		return;
	}

	if (write(gw.wake.fd, &one, sizeof(one)) != sizeof(one)) {
		/* EAGAIN: the counter is full, so the thread is awake anyway. */
	}
}

void
gateway_expect(void)
{
	gw.expecting = true;
}

/* A device is on the stack at most once: whoever sets the first bit pushes it. */
void
gateway_post(struct vhost_user *vu, unsigned int event)
{
	if (atomic_fetch_or(&vu->events, event) == 0) {
		struct vhost_user *head = atomic_load(&gw.posted);

		do {
			vu->post_next = head;
		} while (!atomic_compare_exchange_weak(&gw.posted, &head, vu));
		wake_up();
	}
}

int
gateway_call(int (*fn)(void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};

	if (!gw.started) {
		return -ENOTCONN;
	}
	sem_init(&call.done, 0, 0);
	call.next = atomic_load(&gw.called);
	while (!atomic_compare_exchange_weak(&gw.called, &call.next, &call)) {
	}
	wake_up();
	while (sem_wait(&call.done) != 0) {
	}
	sem_destroy(&call.done);
	return call.result;
}

void
gateway_add(struct vhost_user *vu)
{
	TAILQ_INSERT_TAIL(&gw.devices, vu, link);
}

void
gateway_remove(struct vhost_user *vu)
{
	TAILQ_REMOVE(&gw.devices, vu, link);
}

const char *
gateway_directory(void)
{
	return gw.directory;
}

static void
wake_ready(struct watch *watch, uint32_t events)
{
	uint64_t count;

	if (read(watch->fd, &count, sizeof(count)) != sizeof(count)) {
		/* Nobody else reads it: only EAGAIN after a stale event. */
	}
}

static void
run_posted(void)
{
	struct vhost_user *vu = atomic_exchange(&gw.posted, NULL);

	while (vu != NULL) {
		struct vhost_user *next =
			vu->post_next; /* before the bits: it may be pushed anew */
		unsigned int events = atomic_exchange(&vu->events, 0);

		/* First: it is about this connection, and the device may be quiet for its end. */
		if ((events & EVENT_GIVE_UP) != 0) {
			conn_close(vu, "memory of the front-end is gone");
		}
		if ((events & EVENT_QUIET) != 0) {
			conn_quiet(vu);
		}
		if ((events & EVENT_WINDOW) != 0) {
			channel_window(vu);
		}
		vu = next;
	}
}

static void
run_called(void)
{
	struct call *call = atomic_exchange(&gw.called, NULL);

	while (call != NULL) {
		struct call *next = call->next;

		call->result = call->fn(call->arg);
		sem_post(&call->done);
		call = next;
	}
}

/* Expires what is due and returns how long epoll may sleep, in ms. */
static int
run_deadlines(void)
{
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t next_ns = UINT64_MAX;
	struct vhost_user *vu;

	TAILQ_FOREACH (vu, &gw.devices, link) {
		vhost_user_expire(vu, now_ns);
		next_ns = MIN(next_ns, vhost_user_deadline(vu));
	}
	if (next_ns == UINT64_MAX) {
		return NO_TIMEOUT;
	}
	return next_ns <= now_ns ? 0 : (int)MIN((next_ns - now_ns) / NSEC_PER_MSEC + 1, 60000ULL);
}

static bool
is_asked(void)
{
	return atomic_load(&gw.posted) != NULL || atomic_load(&gw.called) != NULL;
}

static void
spin(void)
{
	uint64_t end_tsc = clock_tsc() + clock_ns_to_tsc(SPIN_NS);

	while (!is_asked() && clock_tsc() < end_tsc) {
		cpu_relax();
	}
}

static int
wait_for_events(struct epoll_event *events)
{
	int timeout_ms = run_deadlines();
	int n;

	if (gw.expecting) {
		gw.expecting = false;
		spin();
	}
	atomic_store(&gw.asleep, true);
	/* Whoever posts from here on sees it asleep; who did before is seen here. */
	n = epoll_wait(gw.epoll_fd, events, NB_EVENTS, is_asked() ? 0 : timeout_ms);
	atomic_store(&gw.asleep, false);
	return n;
}

static void *
gateway_run(void *arg)
{
	struct epoll_event events[NB_EVENTS];

	pthread_setname_np(pthread_self(), "vm-gateway");
	while (!gw.stop) {
		int n = wait_for_events(events);

		for (int i = 0; i < n; i++) {
			struct watch *watch = events[i].data.ptr;

			/* Closed by an earlier event of this batch: its memory is still there, as
			 * devices go only in run_called. */
			if (watch->fd >= 0) {
				watch->ready(watch, events[i].events);
			}
		}
		run_posted();
		run_called();
	}
	return NULL;
}

static int
make_directory(void)
{
	const char *parents[] = {"/run", getenv("TMPDIR"), "/tmp"};

	for (unsigned int i = 0; i < ARRAY_SIZE(parents); i++) {
		int len;

		if (parents[i] == NULL) {
			continue;
		}
		len = snprintf(gw.directory, sizeof(gw.directory), "%s/vmedia-XXXXXX", parents[i]);
		if (len > 0 && (size_t)len < sizeof(gw.directory) && mkdtemp(gw.directory)) {
			return 0;
		}
	}
	log_err(&log_transport, "no directory for inner sockets in /run, TMPDIR or /tmp: %s",
		strerror(errno));
	return -errno;
}

static void
release(void)
{
	if (gw.directory[0] != '\0') {
		rmdir(gw.directory);
		gw.directory[0] = '\0';
	}
	if (gw.wake.fd >= 0) {
		close(gw.wake.fd);
		gw.wake.fd = -1;
	}
	if (gw.epoll_fd >= 0) {
		close(gw.epoll_fd);
		gw.epoll_fd = -1;
	}
}

static int
start(void)
{
	int err = make_directory();

	if (err != 0) {
		gw.directory[0] = '\0';
		return err;
	}
	gw.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	gw.wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	gw.wake.ready = wake_ready;
	if (gw.epoll_fd < 0 || gw.wake.fd < 0) {
		return -errno;
	}
	err = gateway_watch(&gw.wake, EPOLLIN);
	if (err != 0) {
		return err;
	}
	err = library_start(gw.directory);
	if (err != 0) {
		return err;
	}
	TAILQ_INIT(&gw.devices);
	gw.stop = false;
	err = -pthread_create(&gw.thread, NULL, gateway_run, NULL);
	if (err != 0) {
		library_stop();
	}
	return err;
}

int
gateway_start(void)
{
	int err;

	if (gw.started) {
		return -EALREADY;
	}
	err = start();
	if (err != 0) {
		release();
		return err;
	}
	gw.started = true;
	return 0;
}

static int
stop_thread(void *arg)
{
	if (!TAILQ_EMPTY(&gw.devices)) {
		return -EBUSY;
	}
	gw.stop = true;
	return 0;
}

int
gateway_stop(void)
{
	int err = gateway_call(stop_thread, NULL);

	if (err != 0) {
		return err;
	}
	pthread_join(gw.thread, NULL);
	gw.started = false;
	library_stop();
	release();
	return 0;
}
