/* SPDX-License-Identifier: BSD-3-Clause */
/* The broker's life: start, loop, end. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "v4l2-shim/broker.h"

#define CONNECT_SECONDS                                                          \
	3 /* the connection of a broker that is just ending makes vmediad say no \
	   */
#define FIRST_CLIENT_MS 10000
#define CHECK_DEVICE_MS 1000
#define BACKLOG         64
/* Plain pages that nobody touched cost nothing, so this is only a limit. */
#define USER_MEMORY_BYTES (2ULL << 30)

int
broker_watch(struct broker *broker, int fd, uint32_t events, struct source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(broker->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static void
listener_ready(struct source *source, uint32_t events)
{
	channel_accept(container_of(source, struct broker, listener));
}

static int
listen_at(const char *address)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address));
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int ret;

	if (fd < 0) {
		return -errno;
	}
	memcpy(addr.sun_path + 1, address, strlen(address));
	if (bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, BACKLOG) != 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

static int
connect_device(struct broker *broker, const char *socket_path)
{
	struct driver_config config;
	struct timespec pause = {.tv_nsec = 20000000};
	int ret = 0;

	driver_config_init(&config);
	config.socket_path = socket_path;
	config.mem_bytes = USER_MEMORY_BYTES;
	for (int i = 0; i < CONNECT_SECONDS * 50; i++) {
		ret = driver_connect(&config, &broker->drv);
		if (ret == 0 || ret == -ENOENT || ret == -ECONNREFUSED || ret == -EACCES) {
			break;
		}
		nanosleep(&pause, NULL);
	}
	if (ret == 0) {
		driver_get_info(broker->drv, &broker->info);
	}
	return ret;
}

static int
start(struct broker *broker, const char *socket_path)
{
	int ret;

	broker->listen_fd = listen_at(broker->address);
	if (broker->listen_fd < 0) {
		return broker->listen_fd;
	}
	broker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (broker->epoll < 0) {
		return -errno;
	}
	ret = connect_device(broker, socket_path);
	broker->listener.fn = listener_ready;
	if (ret == 0) {
		ret = broker_watch(broker, broker->listen_fd, EPOLLIN, &broker->listener);
	}
	for (unsigned int q = 0; ret == 0 && q < DRIVER_NB_QUEUES; q++) {
		ret = broker_watch(broker, driver_call_fd(broker->drv, q), EPOLLIN, NULL);
	}
	return ret;
}

static bool
is_idle(const struct broker *broker)
{
	return LIST_EMPTY(&broker->channels) && LIST_EMPTY(&broker->sessions);
}

static bool
is_spinning(const struct broker *broker)
{
	return broker->spin_ns != 0 && clock_monotonic_ns() < broker->spin_end_ns;
}

static void
spin_anew(struct broker *broker)
{
	if (broker->spin_ns != 0) {
		broker->spin_end_ns = clock_monotonic_ns() + broker->spin_ns;
	}
}

/* 0: nobody came in time. */
static int
wait_for_source(struct broker *broker, struct epoll_event *event)
{
	int nb;

	if (is_spinning(broker)) {
		nb = epoll_wait(broker->epoll, event, 1, 0);
		if (nb != 1) {
			sched_yield();
			return ~0;
		}
	} else if (!driver_arm(broker->drv)) {
		return ~0;
	} else {
		nb = epoll_wait(broker->epoll, event, 1,
			broker->had_client ? CHECK_DEVICE_MS : FIRST_CLIENT_MS);
	}
	return nb;
}

/* One source at a time: a handler may free any other. */
static void
loop(struct broker *broker)
{
	struct epoll_event event;
	int nb;

	while (!is_idle(broker) || !broker->had_client) {
		do {
			nb = driver_poll(broker->drv);
			sessions_update(broker);
			if (nb > 0) {
				spin_anew(broker);
			}
		} while (nb > 0);
		if (nb < 0) {
			return;
		}
		nb = wait_for_source(broker, &event);
		if (nb == 0 && !broker->had_client) {
			return;
		}
		if (nb == 1 && event.data.ptr != NULL) {
			struct source *source = event.data.ptr;

			spin_anew(broker);
			source->fn(source, event.events);
		}
		sessions_update(broker);
	}
}

static void
finish(struct broker *broker)
{
	struct session *session;

	/* First of all: whoever comes now starts a broker of their own. */
	if (broker->listen_fd >= 0) {
		close(broker->listen_fd);
	}
	while ((session = LIST_FIRST(&broker->sessions)) != NULL) {
		session_close(session);
	}
	channels_close(broker);
	if (broker->drv != NULL) {
		driver_disconnect(broker->drv);
	}
	if (broker->epoll >= 0) {
		close(broker->epoll);
	}
}

int
broker_run(const char *socket_path, const char *address, uint32_t spin_us, int ready_fd)
{
	struct broker broker = {.epoll = -1, .listen_fd = -1, .spin_ns = (uint64_t)spin_us * 1000};
	int ret;

	signal(SIGPIPE, SIG_IGN);
	LIST_INIT(&broker.channels);
	LIST_INIT(&broker.sessions);
	LIST_INIT(&broker.stale);
	memcpy(broker.address, address, strnlen(address, sizeof(broker.address) - 1));
	ret = start(&broker, socket_path);
	if (write(ready_fd, &ret, sizeof(ret)) != sizeof(ret) && ret == 0) {
		ret = -EPIPE;
	}
	close(ready_fd);
	if (ret == 0) {
		loop(&broker);
	}
	finish(&broker);
	return ret;
}
