/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's side of a device: a thread that alone talks to the host node, and what it keeps for
 * each open of it. The thread is a reactor of its own (idle=interrupt), so handing over is one
 * message each way, and whatever blocks, blocks this device's thread and nobody else.
 *
 *   v4l2.c    the device's reactor: ioctls of the guest become jobs
 *   host.c    the thread: jobs, opens, ioctls, events, readiness
 *   queue.c   the thread: buffers of the host node, imported or copied
 *   dmabuf.c  the thread: guest buffers for drivers that take DMA buffers only
 *   frames.c  the way of a buffer: device's reactor → thread → node → thread → device's reactor
 *   shared.c  the thread: the guest's own pages, as the node can have them
 *   withdraw.c   both: these pages are about to move or go
 *   node.c    what the node is
 *   ready*.c  the thread: which opens have something
 *
 * Members belong to the device's reactor (R), to the thread (T), or go with a message (M): whoever
 * has it owns them.
 */
#ifndef VMEDIA_BACKEND_V4L2_HOST_H
#define VMEDIA_BACKEND_V4L2_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "backend/v4l2/ready.h"
#include "backend/v4l2/shared.h"
#include "base/log.h"
#include "reactor/reactor.h"
#include "vmedia/forward.h"

#define HOST_MAX_BUFFERS VIDEO_MAX_FRAME
#define HOST_NB_JOBS     64   /* as many as the core has commands in flight */
#define HOST_NB_CTRLS    4    /* EXT_CTRLS under way; the core has no more either */
#define HOST_ARG_BYTES   2072 /* the largest argument of an ioctl */

enum host_mode {
	HOST_AUTO,   /* the first of these that goes */
	HOST_IMPORT, /* the node works in the guest's buffers: V4L2_MEMORY_USERPTR */
	HOST_DMABUF, /* the same, as DMA buffers: V4L2_MEMORY_DMABUF */
	HOST_COPY,   /* in its own, mapped ones: V4L2_MEMORY_MMAP */
	HOST_NB_MODES
};

enum host_wait {
	HOST_WAIT_AUTO,
	HOST_WAIT_URING,
	HOST_WAIT_EPOLL
};

struct v4l2_device {
	const char *node; /* options */
	uint32_t fd, buffers, wait, blind_after;
	char path[64];    /* of fd */
	int udmabuf;      /* fd; -1: there is none, or it is of no use. Constant */
	bool told_dmabuf; /* T: the log knows that it makes none */
	struct vmedia_device *device;
	struct reactor *reactor; /* the device's */
	struct reactor *thread;
	struct poller poller;             /* T */
	struct ready ready;               /* T: the opens */
	enum host_mode told[2];           /* T: capture, output: what the log knows */
	bool told_shared[2];              /* T: the same */
	bool told_plain;                  /* T */
	struct shared_budget pieces;      /* T; max: option */
	LIST_HEAD(, host) opened;         /* T */
	uint32_t nb_shared;               /* R: hosts that had buffers of the guest's */
	struct reactor_msg withdraw_msg;  /* M */
	uint32_t device_caps;             /* constant */
	TAILQ_HEAD(, host) free_hosts;    /* R */
	SLIST_HEAD(, host_job) free_jobs; /* R */
	struct host_job *jobs;
	struct vmedia_ctrls *ctrls[HOST_NB_CTRLS]; /* R: those not in use */
	uint32_t nb_ctrls;
};

/* The pages of a plane. addr NULL: not made. */
struct host_dmabuf {
	void *addr;
	uint32_t length;
	int fd;
};

struct host_buffer {
	struct reactor_msg msg; /* M: to the thread and back */
	struct host_queue *queue;
	struct vmedia_buffer *buffer; /* R */
	struct vmedia_hold hold;      /* R: while the host may write there */
	/* M: what QBUF says, then what DQBUF said */
	struct v4l2_buffer b;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	void *addrs[VIDEO_MAX_PLANES]; /* the guest's */
	uint32_t lengths[VIDEO_MAX_PLANES];
	uint64_t nb_copied;           /* bytes */
	int status;                   /* 0, or why the node did not take it */
	bool queued;                  /* T: the node has it */
	void *maps[VIDEO_MAX_PLANES]; /* T: HOST_COPY */
	uint32_t map_lengths[VIDEO_MAX_PLANES];
	struct shared_plane pages[VIDEO_MAX_PLANES];
	struct host_dmabuf dmabufs[VIDEO_MAX_PLANES]; /* T: HOST_DMABUF */
};

/* T, but for what is marked. */
struct host_queue {
	struct host *host;
	uint32_t type;       /* 0: never used */
	enum host_mode mode; /* not AUTO while there are buffers */
	uint32_t nb_buffers, nb_planes;
	uint32_t nb_queued;
	bool shared; /* the guest's buffers are its own pages; R: may read it */
	bool proved; /* the node took a buffer */
	bool streaming;
	struct host_buffer buffers[HOST_MAX_BUFFERS];
};

/* One open of the node. */
struct host {
	struct v4l2_device *dev;
	struct vmedia_session *session; /* R; NULL: closed */
	int gone;                       /* R: 0, or what every command is answered */
	int fd;                         /* T; negative: not open */
	uint32_t nb_subscriptions;      /* T: at least that many */
	uint32_t watched;               /* T: epoll events */
	struct host_queue queues[2];    /* capture, output */
	bool shared;                    /* R: had buffers of the guest's */
	struct vmedia_request *closer;  /* R: waits for the node to be closed */
	struct reactor_msg close_msg;   /* M */
	struct reactor_msg broke_msg;   /* M */
	LIST_ENTRY(host) opened;        /* T */
	TAILQ_ENTRY(host) link;         /* R */
};

struct host_event {
	struct reactor_msg msg; /* M */
	struct host *host;
	struct v4l2_event event;
	SLIST_ENTRY(host_event) link; /* of its job */
};
SLIST_HEAD(host_events, host_event);

/* What the thread does for one command. */
struct host_job {
	struct reactor_msg msg;             /* M */
	void (*run)(struct host_job *job);  /* on the thread; sets status */
	void (*done)(struct host_job *job); /* on the reactor; completes the request */
	struct v4l2_device *dev;
	struct host *host; /* NULL, OPEN: one is to be made */
	struct vmedia_request *request;
	unsigned long cmd;
	int status;
	struct vmedia_ctrls *ctrls; /* EXT_CTRLS */
	struct vmedia_buffers made; /* REQBUFS, CREATE_BUFS */
	struct host_events events;  /* that came up to then, newest first */
	SLIST_ENTRY(host_job) link;
	union {
		uint8_t bytes[HOST_ARG_BYTES];
		uint32_t type;
		struct v4l2_requestbuffers requestbuffers;
		struct v4l2_create_buffers create_buffers;
		struct v4l2_event_subscription subscription;
		struct v4l2_ext_controls ext_controls;
	} arg;
};

extern struct log_type log_v4l2;

/* ---- host.c; control thread */
/* By an open of the node that is of no other use. */
int host_choose_waiting(struct v4l2_device *dev, int fd);
int host_thread_start(struct v4l2_device *dev);
void host_thread_stop(struct v4l2_device *dev);

/* On the reactor: a job for the thread, ahead of nothing that was handed over before. */
void host_send(struct host_job *job);
/* On the reactor: the session is closed. The host goes back to free_hosts when the node is. */
void host_close(struct host *host);

/* On the thread: run() of jobs. */
void host_run_open(struct host_job *job);
void host_run_ioctl(struct host_job *job);
/* An ioctl that has to wait: drivers refuse it, EAGAIN, on an open that must not block. */
void host_run_waiting(struct host_job *job);
void host_run_ext_ctrls(struct host_job *job);
void host_run_subscribe(struct host_job *job);
int host_ioctl(const struct host *host, unsigned long cmd, void *arg);
/* On the thread: the events that are there, to the guest. */
void host_events_take(struct host *host);
/* What of the node is waited for depends on what streams. */
void host_watch(struct host *host);

/* ---- queue.c, on the thread */
void host_run_reqbufs(struct host_job *job);
void host_run_create_bufs(struct host_job *job);
void host_run_streamon(struct host_job *job);
void host_run_streamoff(struct host_job *job);
/* Another mode than this one. Only while the node has no buffer of the queue. */
int host_queue_fall_back(struct host_queue *q);
/* Takes all buffers back and the guest's memory out of the node, then goes on without any. */
int host_queue_restart(struct host_queue *q);
/* The fd is about to be closed: mappings go. */
void host_queue_forget(struct host_queue *q);
/* V4L2_MEMORY_*. */
uint32_t host_memory_of(enum host_mode mode);
static inline struct host_queue *
host_queue_of(struct host *host, uint32_t type)
{
	return &host->queues[V4L2_TYPE_IS_OUTPUT(type) ? 1 : 0];
}

/* ---- dmabuf.c */
/* Control thread. Negative errno: it is what was asked for, and cannot be had. */
int host_dmabuf_start(struct v4l2_device *dev);
void host_dmabuf_stop(struct v4l2_device *dev);
/* On the thread: the fd of a plane, made where it is not there yet. -EINVAL: it cannot be. */
int host_dmabuf_of(struct host_buffer *hb, uint32_t p);
void host_dmabuf_to_guest(const struct host_buffer *hb);
void host_dmabuf_from_guest(const struct host_buffer *hb);
void host_dmabuf_drop(struct host_buffer *hb);

/* ---- frames.c */
/* On the reactor: to the node, after everything that was handed over before. */
void host_buffer_send(struct host *host, struct vmedia_buffer *buffer);
/* On the reactor: the host does not touch the buffers of a queue any more. */
void host_holds_drop(struct host_queue *q);
/* On the thread: takes what is ready. */
void host_frames_take(struct host *host);
/* On the thread: buffers the node will not give back any more leave with an error. */
void host_frames_fail(struct host_queue *q, int status);

/* ---- withdraw.c; on the reactor: pages_let_go */
bool host_withdraw_pages(struct vmedia_device *device);

/* ---- node.c; control thread */
int host_node_query(struct v4l2_device *dev, struct vmedia_node *node);
const char *host_path(const struct v4l2_device *dev);

#endif
