/* SPDX-License-Identifier: BSD-3-Clause */
/* transport_ops over a public UNIX socket: create, listen, accept, destroy, status. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "transport/internal.h"

#define DEFAULT_QUEUE_SIZE 32768
#define SOCKET_MODE        0660
#define ACCEPT_RETRY_NS    (200 * NSEC_PER_MSEC)

static struct vhost_user *
vhost_user(const struct transport *transport)
{
	return (struct vhost_user *)(uintptr_t)transport;
}

/* Out of descriptors, the connection stays in the backlog and would wake us for ever. */
static void
accept_failed(struct vhost_user *vu, int err)
{
	uint32_t suppressed;

	if (err == EAGAIN || err == EINTR || err == ECONNABORTED) {
		vhost_user_listen(vu);
		return;
	}
	if (log_ratelimit_pass(&vu->accept_log, &suppressed)) {
		log_warning(&log_transport, "%s: front-end not accepted: %s (%u more like it)",
			vu->name, strerror(err), suppressed);
	}
	vu->accept_again_ns = clock_monotonic_ns() + ACCEPT_RETRY_NS;
}

uint64_t
vhost_user_deadline(const struct vhost_user *vu)
{
	uint64_t accept_ns = vu->accept_again_ns != 0 ? vu->accept_again_ns : UINT64_MAX;

	return MIN(accept_ns, channel_deadline(vu));
}

void
vhost_user_expire(struct vhost_user *vu, uint64_t now_ns)
{
	if (channel_deadline(vu) <= now_ns) {
		channel_expire(vu);
	}
	if (vu->accept_again_ns != 0 && vu->accept_again_ns <= now_ns) {
		vu->accept_again_ns = 0;
		if (vu->listen.fd >= 0) {
			vhost_user_listen(vu);
		}
	}
}

static void
listen_ready(struct watch *watch, uint32_t events)
{
	struct vhost_user *vu = container_of(watch, struct vhost_user, listen);
	int fd;

	if (vu->state != CONN_IDLE) {
		return;
	}
	fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		accept_failed(vu, errno);
		return;
	}
	log_info(&log_transport, "%s: front-end connected", vu->name);
	conn_open(vu, fd);
}

/* One front-end at a time: the watch is one-shot, the next stays in the backlog. */
void
vhost_user_listen(struct vhost_user *vu)
{
	gateway_rearm(&vu->listen, EPOLLIN);
}

void
vhost_user_disconnected(struct vhost_user *vu)
{
	if (vu->destroying) {
		sem_post(&vu->destroyed);
	} else {
		vhost_user_listen(vu);
	}
}

/* True when the file at the path is a socket that nobody listens on. */
static bool
is_stale(const struct sockaddr_un *sun)
{
	struct stat st;
	bool stale = false;
	int fd;

	if (stat(sun->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode)) {
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0) {
		stale = connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 &&
		        errno == ECONNREFUSED;
		close(fd);
	}
	return stale;
}

static int
bind_path(int fd, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (is_stale(&sun)) {
		unlink(path);
	}
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		return -errno;
	}
	if (chmod(path, SOCKET_MODE) != 0 || listen(fd, SOMAXCONN) != 0) {
		int err = -errno;

		unlink(path);
		return err;
	}
	return 0;
}

static int
open_path(struct vhost_user *vu, const char *path)
{
	int fd;
	int err;

	if (path == NULL || strlen(path) >= sizeof(vu->path) || path[0] == '\0') {
		return -EINVAL;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	err = bind_path(fd, path);
	if (err != 0) {
		log_err(&log_transport, "%s: cannot listen on %s: %s", vu->name, path,
			strerror(-err));
		close(fd);
		return err;
	}
	memcpy(vu->path, path, strlen(path) + 1);
	return fd;
}

static int
open_listener(struct vhost_user *vu, const struct transport_config *config)
{
	int fd;

	if (config->listen_fd < 0 || config->path != NULL) {
		return open_path(vu, config->path);
	}
	fd = fcntl(config->listen_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return fd;
}

static int
set_up(struct vhost_user *vu, const struct transport_config *config)
{
	static atomic_uint next_id;

	vu->base.ops = &vhost_user_ops;
	vu->id = atomic_fetch_add(&next_id, 1);
	snprintf(vu->name, sizeof(vu->name), "%s", config->name != NULL ? config->name : "device");
	vu->max_queue_size =
		config->max_queue_size != 0 ? config->max_queue_size : DEFAULT_QUEUE_SIZE;
	vu->arena_fd = config->arena_fd;
	vu->arena_bytes = config->arena_bytes;
	vu->compat = config->compat;
	vu->library.lost = config->lost;
	vu->library.lost_mark = config->lost_mark;
	vu->state = CONN_IDLE;
	vu->outer.fd = -1;
	vu->inner.fd = -1;
	vu->channel.watch.fd = -1;
	vu->listen.ready = listen_ready;
	rings_init(vu);
	if (vu->arena_fd >= 0 && (fstat(vu->arena_fd, &vu->arena) != 0 || vu->arena_bytes == 0)) {
		log_err(&log_transport, "%s: arena is not usable", vu->name);
		return -EINVAL;
	}
	vu->listen.fd = open_listener(vu, config);
	return vu->listen.fd < 0 ? vu->listen.fd : 0;
}

static int
attach(void *arg)
{
	struct vhost_user *vu = arg;
	int err = gateway_watch(&vu->listen, EPOLLIN | EPOLLONESHOT);

	if (err == 0) {
		gateway_add(vu);
	}
	return err;
}

static void
give_up(struct vhost_user *vu)
{
	if (vu->listen.fd >= 0) {
		close(vu->listen.fd);
	}
	if (vu->path[0] != '\0') {
		unlink(vu->path);
	}
	library_fini(&vu->library);
	sem_destroy(&vu->destroyed);
	free(vu);
}

static int
create(const struct transport_config *config, const struct transport_listener *listener,
	void *device, struct transport **transport)
{
	struct vhost_user *vu = calloc(1, sizeof(*vu));
	int err;

	if (vu == NULL) {
		return -ENOMEM;
	}
	vu->listen.fd = -1;
	vu->listener = listener;
	vu->device = device;
	sem_init(&vu->destroyed, 0, 0);
	library_init(&vu->library);
	err = set_up(vu, config);
	if (err == 0) {
		/* Before the first connection can be accepted: up-calls come from then on. */
		*transport = &vu->base;
		err = gateway_call(attach, vu);
	}
	if (err != 0) {
		give_up(vu);
	}
	return err;
}

static int
begin_destroy(void *arg)
{
	struct vhost_user *vu = arg;

	vu->destroying = true;
	gateway_unwatch(&vu->listen);
	if (vu->state == CONN_IDLE) {
		sem_post(&vu->destroyed);
	} else {
		conn_close(vu, "device removed");
	}
	return 0;
}

static int
detach(void *arg)
{
	gateway_remove(arg);
	return 0;
}

static void
destroy(struct transport *transport)
{
	struct vhost_user *vu = vhost_user(transport);

	if (vu->path[0] != '\0') {
		unlink(vu->path);
		vu->path[0] = '\0';
	}
	gateway_call(begin_destroy, vu);
	while (sem_wait(&vu->destroyed) != 0) {
	}
	gateway_call(detach, vu);
	give_up(vu);
}

static void
window_map(struct transport *transport)
{
	gateway_post(vhost_user(transport), EVENT_WINDOW);
}

static void
end_connection(struct transport *transport)
{
	gateway_post(vhost_user(transport), EVENT_GIVE_UP);
}

const struct transport_ops vhost_user_ops = {
	.name = "vhost-user",
	.create = create,
	.destroy = destroy,
	.window_map = window_map,
	.give_up = end_connection,
};

void
vhost_user_status(const struct transport *transport, struct transport_status *status)
{
	const struct vhost_user *vu = vhost_user(transport);

	status->connected = atomic_load(&vu->connected);
	status->started = atomic_load(&vu->started);
	status->features = atomic_load(&vu->status_features);
	status->protocol_features = atomic_load(&vu->status_protocol_features);
	status->nb_connections = atomic_load(&vu->nb_connections);
	refusals_read(vu, status);
}
