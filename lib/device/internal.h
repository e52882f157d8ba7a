/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the device room. Everything here is touched by the owning reactor only, or while
 * the device is quiesced.
 *
 *   device.c       create, destroy, quiesce and resume, reset, the listener
 *   device_poll.c  HOT: one pass: commands → backend poll → events → notify; deadlines
 *   command.c      HOT: the five commands; request slots; completion and errno → wire
 *   ioctl.c        HOT: decode → backend or core handler → encode
 *   ioctl_*.c      the core's handlers by family: buffers, format, ctrl, event, input
 *   session.c      the session table
 *   mapping.c      MMAP, MUNMAP, the window
 *   event.c        HOT: pending DQBUF and V4L2 events, subscriptions, the drain barrier
 *   offload.c      vmedia_offload on top of the reactor's
 *   registry.c     the list of backends, options
 */
#ifndef VMEDIA_DEVICE_INTERNAL_H
#define VMEDIA_DEVICE_INTERNAL_H

#include "base/clock.h"
#include "base/log.h"
#include "device/device.h"
#include "media/bufq.h"
#include "protocol/ioctl.h"
#include "shm/map.h"
#include "stats/counters.h"
#include "virtq/virtq.h"

#define DEVICE_NB_REQUESTS 64 /* commands in flight; a driver with more waits in its ring */
#define DEVICE_COMMANDQ    0
#define DEVICE_EVENTQ      1

enum request_state {
	REQUEST_FREE,
	REQUEST_POPPED,
	REQUEST_DEFERRED
};

/* One command: a slot of the device's pool, last freed first used so that it stays in the cache. */
struct vmedia_request {
	struct vmedia_device *device;
	struct vmedia_session *session; /* NULL before it is known */
	const struct ioctl_desc *desc;  /* ioctls */
	enum request_state state;
	bool blocking;         /* deferred: later commands of this session wait for it */
	uint64_t seen_tsc;     /* popped */
	uint64_t deadline_tsc; /* deferred */
	TAILQ_ENTRY(vmedia_request) link; /* free, deferred or waiting list */
	uint32_t
		generation; /* counts uses of the slot: tells a late job that its request is gone */
	struct ioctl_payload payload;
	struct virtq_chain chain;
};
TAILQ_HEAD(request_list, vmedia_request);

/* A node context: format and interval. One per device, or per session on m2m nodes. */
struct context {
	struct vmedia_format capture;
	struct vmedia_format output;
};

/* A subscription and the slot of its one pending event (section 4.4: newest replaces, the change
 * masks of CTRL and SOURCE_CHANGE are ORed). */
struct subscription {
	uint32_t type, id, flags;
	bool used;          /* slot taken */
	bool pending_valid; /* on the device's pending list */
	struct pending pending;
	struct v4l2_event event;
	struct vmedia_session *session;
};

struct vmedia_session {
	uint32_t id;
	struct vmedia_device *device;
	struct bufq queues[2];  /* DEVICE_CAPTURE, DEVICE_OUTPUT; type 0: the node has none */
	struct context context; /* m2m nodes; others use the device's */
	bool closing;           /* only CLOSE is left, or it is under way */
	uint32_t nb_blocking;   /* deferred requests that later commands of the session wait for */
	struct request_list waiting; /* those later commands, in order */
	uint64_t bytes;              /* of live buffers, against the quota */
	uint32_t nb_subscriptions;
	struct subscription *subscriptions; /* quota.max_subscriptions slots */
	void *priv;                         /* the backend's */
	TAILQ_ENTRY(vmedia_session) link;
};
TAILQ_HEAD(session_list, vmedia_session);

enum {
	DEVICE_CAPTURE,
	DEVICE_OUTPUT
};

struct vmedia_device {
	/* every pass */
	struct poller poller;
	bool running; /* not quiesced */
	bool destroying;
	const struct vmedia_backend_ops *backend;
	uint64_t backend_due_tsc;   /* next backend poll */
	uint64_t next_deadline_tsc; /* earliest of the deferred requests' and drains' */
	struct pending_list pending;
	uint32_t nb_pending;
	struct virtq vqs[TRANSPORT_NB_QUEUES];
	struct request_list free_requests;
	struct request_list deferred;
	uint32_t nb_deferred;
	uint32_t session_mask;
	struct vmedia_session **session_table; /* by id & session_mask: no search */
	struct device_counters counters;
	/* now and then */
	struct session_list sessions;
	uint32_t nb_open_sessions;
	uint32_t next_session_id;        /* from 1; never reissued before it wraps */
	struct vmedia_session *owner[2]; /* non-m2m: who may have buffers, per direction */
	struct context context;
	struct vmedia_node node;
	int32_t *ctrl_values;                  /* node.nb_ctrls */
	struct v4l2_ext_control *ctrl_scratch; /* IOCTL_MAX_CTRLS; input of the command at hand */
	void *priv;                            /* the backend's */
	struct guest_mem mem;
	struct shm_arena *arena;
	struct shm_map *map;
	enum {
		WINDOW_NONE,
		WINDOW_REQUESTED,
		WINDOW_READY,
		WINDOW_FAILED
	} window;
	struct request_list window_waiting; /* MMAPs until the window is there */
	struct work work;
	void (*quiesced)(void *arg);
	void *quiesced_arg;
	struct transport *transport;
	const struct transport_ops *transport_ops;
	struct reactor *reactor;
	struct device_quota quota;
	uint64_t deadline_tsc; /* length */
	uint64_t drain_tsc;    /* length */
	uint32_t pass_commands;
	uint32_t index;
	struct vmedia_request *requests;
	struct log_ratelimit guest_faults;
	char name[64];
	struct hist command_hist;
	struct hist frame_hist;
};

/* ---- command.c */
void command_handle(struct vmedia_request *request);
/* After the last deferred request of a session is answered: run what waited. */
void command_run_waiting(struct vmedia_session *session);
/* The request becomes DEFERRED: deadline set, session blocked when `block`. */
void request_defer(struct vmedia_request *request, bool block);
/* Writes the answer, pushes the chain, frees the slot. status: 0 or negative errno. */
void request_answer(struct vmedia_request *request, int status);
/* Answers with -EIO what is past its deadline; the job behind it goes on and finds, by the
 * generation, that nobody waits any more. */
void request_expire(struct vmedia_device *device, uint64_t now_tsc);

/* ---- ioctl.c */
/* 0, negative errno or VMEDIA_DEFER. in stands behind the command's fixed part. */
int ioctl_handle(struct vmedia_request *request, uint32_t code, struct iov_cursor *in);
/* The core's own handlers; NULL where it has none. */
extern vmedia_ioctl_fn *const core_ioctls[VMEDIA_NB_IOCTLS];

/* ---- ioctl_buffers.c: REQBUFS, CREATE_BUFS, QUERYBUF, QBUF, PREPARE_BUF, STREAMON, STREAMOFF */
vmedia_ioctl_fn core_reqbufs, core_create_bufs, core_querybuf, core_qbuf, core_prepare_buf,
	core_streamon, core_streamoff;
/* The queue of a buffer type in this session, or NULL. */
struct bufq *session_queue(struct vmedia_session *session, uint32_t type);
/* Stops streaming and takes all buffers back, at once; their memory is freed on offload, mapped
 * ranges when MUNMAP ends them. For CLOSE and reset. */
void session_free_buffers(struct vmedia_session *session);

/* ---- ioctl_format.c, ioctl_ctrl.c, ioctl_event.c, ioctl_input.c */
vmedia_ioctl_fn core_enum_fmt, core_g_fmt, core_s_fmt, core_try_fmt, core_enum_framesizes,
	core_enum_frameintervals, core_g_parm, core_s_parm;
vmedia_ioctl_fn core_queryctrl, core_query_ext_ctrl, core_querymenu, core_g_ctrl, core_s_ctrl,
	core_g_ext_ctrls, core_s_ext_ctrls, core_try_ext_ctrls;
vmedia_ioctl_fn core_subscribe_event, core_unsubscribe_event;
vmedia_ioctl_fn core_enuminput, core_g_input, core_s_input, core_enumoutput, core_g_output,
	core_s_output;
struct context *session_context(struct vmedia_session *session);
/* Fills a context with the node's defaults. */
void context_init(const struct vmedia_device *device, struct context *context);
static inline bool
device_is_m2m(const struct vmedia_device *device)
{
	return (device->node.device_caps & V4L2_CAP_VIDEO_M2M) != 0;
}

/* ---- session.c */
int session_open(struct vmedia_device *device, struct vmedia_session **session);
/* Everything of the session goes, its buffers included (mapped ranges stay until MUNMAP). */
void session_close(struct vmedia_session *session);
void session_close_all(struct vmedia_device *device);
static inline struct vmedia_session *
session_find(const struct vmedia_device *device, uint32_t id)
{
	struct vmedia_session *s = device->session_table[id & device->session_mask];

	return likely(s != NULL && s->id == id) ? s : NULL;
}

/* ---- mapping.c */
int mapping_mmap(struct vmedia_request *request, uint32_t flags, uint32_t offset,
	struct virtio_media_resp_mmap *resp); /* 0, errno or VMEDIA_DEFER */
int mapping_munmap(struct vmedia_device *device, uint64_t driver_addr);
void mapping_window_ready(struct vmedia_device *device, int status);
/* Gives a range back: punched on offload, then freed. Never fails. */
void mapping_range_put(struct vmedia_device *device, const struct shm_range *range);

/* ---- event.c */
void event_flush(struct vmedia_device *device);
void event_buffer_pending(struct vmedia_device *device, struct bufq_buffer *buffer);
/* Withdraws what is unpublished: of one queue, or of the whole session (queue NULL). */
void event_withdraw(struct vmedia_session *session, const struct bufq *queue);
/* Queues *event for one subscription slot; marks it pending. */
void event_subscription_raise(struct subscription *subscription, const struct v4l2_event *event);
void event_subscription_drop(struct subscription *subscription);
/*
 * The drain barrier (T-11): true when every event published so far has been taken by the driver,
 * judged by its re-posting. If not, the request is deferred and answered when it has or after
 * drain_ms.
 */
bool event_drained(const struct vmedia_device *device);
void event_drain_wait(struct vmedia_request *request);

/* ---- device.c */
void device_quiesce_check(struct vmedia_device *device); /* nothing in flight any more? */
extern const struct poller_ops device_poller_ops;        /* device_poll.c */

#endif
