/* SPDX-License-Identifier: BSD-3-Clause */
/* Opens: the sockets that programs hold, and what these say to poll(2). */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "v4l2-shim/broker.h"

struct session *
session_by_token(struct broker *broker, uint32_t token)
{
	struct session *session;

	LIST_FOREACH(session, &broker->sessions, link)
	{
		if (session->token == token) {
			return session;
		}
	}
	return NULL;
}

static void
drain(int fd)
{
	char bytes[2 * SHIM_FILL_BYTES];

	while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
	}
}

static void
update_readable(struct session *session, struct shim_reply *reply)
{
	bool wanted = queue_readable(session);

	if (wanted && !session->readable) {
		session->readable = send(session->fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	} else if (!wanted && session->readable && reply != NULL) {
		reply->nb_take = 1;
		session->readable = false;
	}
}

static void
update_writable(struct session *session, struct shim_reply *reply)
{
	bool wanted = queue_writable(session);

	if (wanted && session->filled) {
		session->filled = false;
		drain(session->fd);
	} else if (!wanted && !session->filled && reply != NULL) {
		session->filled = true;
		reply->fill = 1;
	}
}

static void
update_urgent(struct session *session)
{
	bool wanted = session->nb_pending > 0;
	char byte;

	if (wanted && !session->urgent) {
		session->urgent =
			send(session->pri_fd, "", 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
	} else if (!wanted && session->urgent) {
		session->urgent = recv(session->pri_peer, &byte, 1, MSG_OOB | MSG_DONTWAIT) != 1;
	}
}

void
session_update(struct session *session, struct shim_reply *reply)
{
	/* EOS and source change come ahead of the last buffer: a program that wakes up between the
	 * two must not see the buffer alone. */
	update_urgent(session);
	update_readable(session, reply);
	update_writable(session, reply);
}

static void
event_arrived(struct driver_session *driver, const struct driver_event *event, void *arg)
{
	struct session *session = arg;

	if (event->kind == DRIVER_EVENT_DQBUF) {
		queue_done(session, event);
	} else if (event->kind == DRIVER_EVENT_V4L2) {
		events_arrived(session, &event->v4l2);
	}
	ioctl_wake(session);
	if (!session->is_stale) {
		session->is_stale = true;
		LIST_INSERT_HEAD(&session->broker->stale, session, stale_link);
	}
}

static void
freshen(struct session *session)
{
	session->is_stale = false;
	LIST_REMOVE(session, stale_link);
}

void
sessions_update(struct broker *broker)
{
	struct session *session;

	while ((session = LIST_FIRST(&broker->stale)) != NULL) {
		freshen(session);
		session_update(session, NULL);
	}
}

/* The program closed its last copy, or filled its side. */
static void
face_ready(struct source *source, uint32_t events)
{
	struct session *session = container_of(source, struct session, source);

	if (events & (EPOLLHUP | EPOLLRDHUP | EPOLLERR)) {
		session_close(session);
	} else if (!session->filled) {
		drain(session->fd);
	}
}

/* The peer's address tells a shim which open an unknown fd is. */
static int
name_socket(struct session *session)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int len = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, SHIM_TOKEN_FORMAT,
		session->broker->address, session->token);

	len += (int)offsetof(struct sockaddr_un, sun_path) + 1;
	return bind(session->fd, (struct sockaddr *)&addr, (socklen_t)len) == 0 ? 0 : -errno;
}

static int
make_sockets(struct session *session, int *program_fd)
{
	int smallest = 1;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	session->pri_fd = pair[0];
	session->pri_peer = pair[1];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	session->fd = pair[0];
	*program_fd = pair[1];
	if (setsockopt(*program_fd, SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)) != 0) {
		return -errno;
	}
	return name_socket(session);
}

int
session_open(struct broker *broker, struct session **opened, int fds[2])
{
	struct session *session = calloc(1, sizeof(*session));
	int ret;

	if (session == NULL) {
		return -ENOMEM;
	}
	session->broker = broker;
	session->fd = session->pri_fd = session->pri_peer = fds[0] = -1;
	session->priority = V4L2_PRIORITY_DEFAULT;
	session->token = ++broker->last_token;
	session->source.fn = face_ready;
	TAILQ_INIT(&session->subscriptions);
	TAILQ_INIT(&session->waiters);
	LIST_INSERT_HEAD(&broker->sessions, session, link);
	ret = make_sockets(session, &fds[0]);
	if (ret == 0) {
		ret = driver_open(broker->drv, &session->driver);
	}
	if (ret == 0) {
		driver_session_set_event_fn(session->driver, event_arrived, session);
		ret = broker_watch(
			broker, session->fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &session->source);
	}
	if (ret != 0) {
		if (fds[0] >= 0) {
			close(fds[0]);
		}
		session_close(session);
		return ret;
	}
	session_update(session, NULL);
	fds[1] = session->pri_peer;
	*opened = session;
	return 0;
}

void
session_close(struct session *session)
{
	while (!TAILQ_EMPTY(&session->waiters)) {
		call_finish(TAILQ_FIRST(&session->waiters), -ENODEV);
	}
	if (session->driver != NULL) {
		/* Answers what is in flight; a device that is gone needs no CLOSE. */
		driver_close(session->driver);
	}
	if (session->is_stale) {
		freshen(session);
	}
	LIST_REMOVE(session, link);
	queues_free(session);
	events_free(session);
	if (session->fd >= 0) {
		close(session->fd);
	}
	if (session->pri_fd >= 0) {
		close(session->pri_fd);
		close(session->pri_peer);
	}
	free(session);
}
