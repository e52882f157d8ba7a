/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The broker: one process per vhost-user socket, for all programs of one user that use it through
 * the shim (docs/decisions/0006-v4l2-shim.md). One thread; the driver's rings, the programs'
 * connections and their opens are epoll sources. Errors are negative errno.
 */
#ifndef VMEDIA_V4L2_SHIM_BROKER_H
#define VMEDIA_V4L2_SHIM_BROKER_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "driver/driver.h"
#include "v4l2-shim/protocol.h"

#define BROKER_NB_TYPES 15u /* V4L2 buffer types */

struct source {
	void (*fn)(struct source *source, uint32_t events);
};

struct broker {
	int epoll, listen_fd;
	struct source listener;
	struct driver *drv;
	struct driver_info info;
	const uint8_t *memory; /* where the file of SHIM_MEMORY starts */
	char address[SHIM_ADDRESS_BYTES];
	LIST_HEAD(, channel) channels;
	LIST_HEAD(, session) sessions;
	LIST_HEAD(, session) stale; /* something arrived, and their sockets do not say it yet */
	uint32_t last_token;
	uint64_t last_map;
	bool had_client;
	uint64_t spin_ns, spin_end_ns; /* looks for news until then, instead of sleeping */
};

/* A mapping lives until MUNMAP or until the connection that asked for it ends. */
struct mapping {
	LIST_ENTRY(mapping) link;
	uint64_t id;
	void *addr; /* in the driver's window */
};

/* A connection of a program: one request at a time. */
struct channel {
	struct source source;
	LIST_ENTRY(channel) link;
	struct broker *broker;
	int fd;
	struct call *call; /* under way; NULL: none */
	LIST_HEAD(, mapping) maps;
};

/* A request under way. It outlives its channel when the device still works on it. */
struct call {
	struct channel *channel; /* NULL: nobody waits for the answer any more */
	struct session *session;
	TAILQ_ENTRY(call) link; /* in session->waiters */
	bool waits;
	uint32_t type, index; /* of the buffer, for QBUF and the like */
	struct shim_request req;
	uint8_t *arg, *array, *extra;
	_Alignas(8) uint8_t payload[];
};

struct done_buffer {
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
};

/* Memory of the driver's that stands for a buffer in a program's memory. */
struct user_plane {
	void *addr;
	uint32_t bytes, length; /* that are there, and that the program gave */
	unsigned long userptr;  /* the program's */
};

struct user_buffer {
	bool queued, prepared; /* the device may use it */
	struct user_plane planes[VIDEO_MAX_PLANES];
};

/* What the guest's driver knows of a queue (protocol 3.5). */
struct queue {
	bool streaming, last_seen;
	uint32_t allocated, nb_queued;
	uint32_t head, nb_done;
	struct done_buffer *done; /* ring of DRIVER_MAX_BUFFERS; NULL before the first buffers */
	struct user_buffer *user; /* DRIVER_MAX_BUFFERS; NULL before the first of USERPTR */
};

struct subscription {
	TAILQ_ENTRY(subscription) link; /* pending ones at the end, in order */
	uint32_t type, id;
	bool pending;
	struct v4l2_event event;
};

/* An open: one OPEN of the device. */
struct session {
	struct source source; /* the broker's end of the open's socket */
	LIST_ENTRY(session) link;
	struct broker *broker;
	struct driver_session *driver;
	uint32_t token;
	int fd;
	int pri_fd, pri_peer; /* both ends stay here; a copy of pri_peer is the program's */
	bool readable, filled, urgent;
	bool is_stale;
	LIST_ENTRY(session) stale_link;
	uint32_t priority;
	struct queue queues[BROKER_NB_TYPES];
	TAILQ_HEAD(, subscription) subscriptions;
	uint32_t nb_pending, event_sequence;
	TAILQ_HEAD(, call) waiters;
};

/* broker.c */
int broker_watch(struct broker *broker, int fd, uint32_t events, struct source *source);

/* Serves until nobody is left or the device is gone. ready_fd gets an int: 0, or the negative errno
 * that ended the start; -EADDRINUSE: another broker serves this address. */
int broker_run(const char *socket_path, const char *address, uint32_t spin_us, int ready_fd);

/* channel.c */
void channel_accept(struct broker *broker);
void channels_close(struct broker *broker);
/* Sends the answer, with fds if any, and frees the call. */
void call_reply(struct call *call, struct shim_reply *reply, const int *fds, unsigned int nb_fds);
void call_finish(struct call *call, int status);

/* session.c */
int session_open(struct broker *broker, struct session **session, int fds[2]);
void session_close(struct session *session);
struct session *session_by_token(struct broker *broker, uint32_t token);
/* Makes the open's sockets say what its queues say. reply: NULL when no answer is on its way. */
void session_update(struct session *session, struct shim_reply *reply);
/* The same for all where something arrived since the last call: what the device finished at once,
 * as an m2m device does a pair of buffers, programs see at once. */
void sessions_update(struct broker *broker);

/* ioctl.c: answers now or later */
void ioctl_start(struct call *call);
void ioctl_place(struct call *call);
void ioctl_wake(struct session *session);
void ioctl_cancel(struct call *call);

/* queue.c */
void queue_done(struct session *session, const struct driver_event *event);
/* 0, -EAGAIN: nothing yet, or what V4L2 says. */
int queue_take(struct session *session, struct v4l2_buffer *buffer);
void queue_track(struct session *session, struct call *call, int status);
void queue_before(struct session *session, struct call *call);
bool queue_readable(const struct session *session);
bool queue_writable(const struct session *session);
void queues_free(struct session *session);

/* usermem.c: buffers of USERPTR memory. Other calls pass through untouched. */
/* QBUF, PREPARE_BUF, SHIM_PLACE: finds memory for the planes, says where and puts it in their
 * place. */
int usermem_place(struct call *call);
/* After the device's answer, or DQBUF: the program's pointers instead of ours. */
void usermem_answer(struct call *call, int status);
void usermem_done(struct session *session, uint32_t type, uint32_t index);
/* STREAMOFF and the like; freed: REQBUFS and the end. */
void usermem_stopped(struct session *session, uint32_t type, bool freed);

/* events.c */
int events_subscribe(struct session *session, const struct v4l2_event_subscription *sub);
void events_unsubscribe(struct session *session, const struct v4l2_event_subscription *sub);
void events_arrived(struct session *session, const struct v4l2_event *event);
int events_take(struct session *session, struct v4l2_event *event);
void events_free(struct session *session);

#endif
