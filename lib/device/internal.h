/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the device room. Everything here is touched by the owning reactor only, or while
 * the device is quiesced.
 *
 *   device.c       create, destroy
 *   listener.c     what the transport tells: quiesce, memory, rings, reset, resume
 *   info.c         statistics; what backends may ask
 *   device_poll.c  HOT: one pass: commands → backend poll → events → notify; deadlines
 *   broken.c       what ends a device until its next start: bad rings, memory that is gone
 *   command.c      HOT: the five commands; request slots; completion and errno → wire
 *   request.c      requests not answered at once: deadlines, reset, memory that moves
 *   ioctl.c        HOT: decode → backend or core handler → encode
 *   ioctl_*.c      the core's handlers by family: buffers, reqbufs, format, ctrl, event, input,
 *                  selection
 *   session.c      the session table
 *   node.c         refuses, at the start, nodes that no guest could register
 *   pages.c        buffers in the guest's own memory
 *   ctrl_payload.c texts and arrays of EXT_CTRLS
 *   mapping.c      MMAP, MUNMAP, the window
 *   forward*.c     for backends that forward to another device: vmedia/forward.h
 *   move.c         to another reactor
 *   warm.c         HOT: asks for its memory ahead of a frame
 *   notify.c       HOT: which bells are rung when
 *   event.c        HOT: pending DQBUF and V4L2 events, subscriptions, the drain barrier
 *   offload.c      work and jobs of backends, on top of the reactor's
 *   registry.c     the list of backends, options
 *   trace.c        what tracers hear; the state dump
 */
#ifndef VMEDIA_DEVICE_INTERNAL_H
#define VMEDIA_DEVICE_INTERNAL_H

#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "device/device.h"
#include "media/bufq.h"
#include "media/ctrl.h"
#include "protocol/ioctl.h"
#include "shm/map.h"
#include "stats/counters.h"
#include "trace/hooks.h"
#include "virtq/virtq.h"

#define DEVICE_NB_REQUESTS 64 /* commands in flight; a driver with more waits in its ring */
#define DEVICE_NB_SPARES   4  /* EXT_CTRLS that can be deferred at a time; more: EBUSY */
#define DEVICE_COMMANDQ    0
#define DEVICE_EVENTQ      1

/*
 * FREE → POPPED → answered → FREE, or POPPED → DEFERRED → answered. A deferred request whose
 * deadline passes before its owner completes it is answered -EIO and stays EXPIRED, out of use,
 * until the owner does complete it: so a `struct vmedia_request *` never means another command.
 * Whoever returns VMEDIA_DEFER therefore completes exactly once, always.
 */
enum request_state {
	REQUEST_FREE,
	REQUEST_POPPED,
	REQUEST_BLOCKED,  /* not begun: an earlier command of its session is not finished */
	REQUEST_DEFERRED, /* somebody will call vmedia_request_complete */
	REQUEST_WINDOW,   /* MMAP, not begun: the window is on its way */
	REQUEST_DRAINING, /* carried out; the answer waits for the driver to take events (T-11) */
	REQUEST_EXPIRED /* answered by the deadline or gone by reset; its owner has not completed */
};

/* The fixed part of a command, copied once. */
union request_cmd {
	struct virtio_media_cmd_header hdr;
	struct virtio_media_cmd_close close;
	struct virtio_media_cmd_ioctl ioctl;
	struct virtio_media_cmd_mmap mmap;
	struct virtio_media_cmd_munmap munmap;
};

/* Buffers of one REQBUFS or CREATE_BUFS: one block of memory, allocated and freed on offload. */
struct buffer_slab {
	struct buffer_slab *next; /* of the reaper */
	uint32_t nb;              /* buffers in use: with the last one the block goes */
	uint32_t nb_pages;        /* buffers with room for the guest's pages */
	struct bufq_buffer buffers[];
};

/* REQBUFS and CREATE_BUFS under way: ranges are found here, backed and zeroed on offload. */
struct buffers_job {
	struct vmedia_job job;
	struct vmedia_request *request;
	uint32_t direction; /* DEVICE_CAPTURE or DEVICE_OUTPUT */
	uint32_t memory;    /* V4L2_MEMORY_* */
	uint32_t nb_wanted;
	uint32_t nb_reserved; /* buffers whose ranges are held */
	uint32_t nb_ready;    /* of these, backed by pages and zeroed */
	bool more;            /* go on with the next one */
	uint64_t stop_tsc;    /* no further pages after this */
	uint32_t nb_planes;
	uint32_t lengths[VIDEO_MAX_PLANES];
	uint32_t offsets[BUFQ_MAX_BUFFERS][VIDEO_MAX_PLANES];
	struct buffer_slab *slab;
};

/* Frees slabs on offload; one job at a time. */
struct buffers_reaper {
	struct vmedia_job job;
	bool busy;
	struct buffer_slab *dead;    /* collected meanwhile */
	struct buffer_slab *freeing; /* the job's */
};

/* The fixed part of an answer; ioctls go out from the payload. */
union request_resp {
	struct virtio_media_resp_header hdr;
	struct virtio_media_resp_open open;
	struct virtio_media_resp_mmap mmap;
};

/* Of a command that is traced: times of its stages, 0 those that were left out. */
struct request_trace {
	uint64_t seq; /* number of the command on its device */
	uint64_t dequeue_tsc;
	uint64_t parse_tsc;
	uint64_t begin_tsc;
	uint64_t end_tsc;
};

/* A command that is answered and not yet published, as a tracer will hear of it. */
struct answered {
	struct trace_cmd_span span;
	uint32_t written;
};

/* One command: a slot of the device's pool, last freed first used so that it stays in the cache. */
struct vmedia_request {
	struct vmedia_device *device;
	struct vmedia_session *session; /* NULL: the command has none */
	const struct ioctl_desc *desc;  /* ioctls */
	enum request_state state;
	bool blocking;         /* deferred: later commands of this session wait for it */
	bool traced;           /* somebody records: trace is valid */
	bool stale;            /* its memory went away: comes back with length 0, nothing written */
	uint64_t seen_tsc;     /* the pass that took it began */
	uint64_t deadline_tsc; /* deferred */
	uint64_t drain_event;  /* DRAINING: number of the last event to wait for */
	struct iov_cursor in;  /* behind the fixed part */
	union request_cmd cmd;
	union request_resp resp;
	TAILQ_ENTRY(vmedia_request) link; /* of the list its state says */
	struct ioctl_payload payload;
	struct virtq_chain chain;
	struct buffers_job buffers_job;
	struct request_trace trace;
};
TAILQ_HEAD(request_list, vmedia_request);

/* Whether somebody still waits for the answer. A job that comes back late looks here first and
 * then undoes what it did, before it calls vmedia_request_complete all the same. */
static inline bool
request_is_alive(const struct vmedia_request *request)
{
	return request->state == REQUEST_DEFERRED;
}

/* A node context: format and interval. One per device, or per session on m2m nodes. */
struct context {
	struct vmedia_format capture;
	struct vmedia_format output;
	struct ctrl_state *ctrls; /* node.nb_ctrls */
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
	bool closing;           /* closed for the guest; stays until its last job came back */
	uint32_t nb_blocking;   /* deferred requests that later commands of the session wait for */
	uint32_t nb_jobs;       /* requests DEFERRED or EXPIRED: their owners still refer to us */
	struct request_list waiting; /* those later commands, in order */
	uint64_t last_event;         /* number of its newest published event, see nb_published */
	uint32_t event_sequence;     /* of V4L2 events */
	uint64_t bytes;              /* of live buffers, against the quota */
	uint32_t nb_subscriptions;
	struct subscription *subscriptions; /* quota.max_subscriptions slots */
	void *priv;                         /* the backend's */
	TAILQ_ENTRY(vmedia_session) link;
};
TAILQ_HEAD(session_list, vmedia_session);

/* Of all sessions there can be, those not open included. */
struct session_memory {
	struct vmedia_session *sessions;
	struct subscription *subscriptions;
	char *privs;
	size_t priv_bytes; /* of one session */
	char *ctrls;       /* m2m nodes: ctrls_bytes() of each session */
	uint32_t nb_used;  /* places taken at least once */
};

enum {
	DEVICE_CAPTURE,
	DEVICE_OUTPUT
};

/* A message to the device; it follows when the device moves before it is read. */
struct device_msg {
	struct reactor_msg msg;
	struct reactor *to;
};

#define DEVICE_WARM_STEPS 2
/* What was asked for ahead of the next frame. */
struct device_warm {
	uint64_t due_tsc;                      /* of that frame */
	uint32_t step;                         /* what comes next; DEVICE_WARM_STEPS: nothing */
	uint32_t ahead_tsc[DEVICE_WARM_STEPS]; /* lengths */
};

struct vmedia_device {
	/* every pass */
	struct poller poller;
	bool running; /* not quiesced */
	bool quiescing;
	bool stopping; /* quiescing until no command is left, at the latest at stop_tsc */
	const struct vmedia_backend_ops *backend;
	uint64_t backend_due_tsc;   /* next backend poll */
	uint64_t next_deadline_tsc; /* earliest of deferred, window and draining requests */
	atomic_uint lost;           /* enum device_lost bits, set by base/fault.h on any thread */
	uint64_t broken;            /* enum virtq_broken: told, and not over yet */
	struct device_warm warm;
	struct pending_list pending;
	uint64_t nb_pending;
	uint32_t pass_commands;
	bool stamp_done;
	bool bell_now;           /* something published does not wait for the eventq's bell */
	uint64_t coalesce_tsc;   /* length between two bells for frames; 0: one in each pass */
	uint64_t next_bell_tsc;  /* not earlier, for frames alone */
	uint64_t bell_due_tsc;   /* frames wait for this bell */
	uint32_t nb_unpublished; /* answers pushed since the last flush of the commandq */
	uint32_t nb_spans;       /* of these, with times for a tracer */
	uint32_t first_free;     /* free slots: free_chains[first_free .. DEVICE_NB_REQUESTS - 1] */
	struct virtq_chain *free_chains[DEVICE_NB_REQUESTS];
	struct virtq vqs[TRANSPORT_NB_QUEUES];
	uint32_t session_mask;
	struct vmedia_session **session_table;       /* by id & session_mask: no search */
	vmedia_ioctl_fn *handlers[VMEDIA_NB_IOCTLS]; /* the backend's, else the core's */
	struct device_counters counters;
	struct device_refusals refused;
	uint64_t ioctls_ok[VMEDIA_NB_IOCTLS];
	uint64_t unpublished_tsc[DEVICE_NB_REQUESTS]; /* seen_tsc of those answers */
	/* now and then */
	struct {
		uint64_t nb, errnos[3];
	} ioctls_failed[VMEDIA_NB_IOCTLS]; /* as in struct ioctl_answers */
	struct request_list deferred;      /* each list by deadline, earliest first */
	struct request_list window_waiting;
	struct request_list draining;
	uint32_t nb_deferred;    /* in the three lists */
	uint64_t nb_published;   /* events, ever; an event's number is the value after it */
	uint64_t nb_event_slots; /* eventq: chains available before the first event of a start */
	uint64_t published_base; /* nb_published at that start */
	uint64_t starved_tsc;    /* since when an event waits for a descriptor; 0: none does */
	uint64_t given_up;       /* events up to this number were waited for in vain, once */
	uint64_t taken_base;     /* chains taken from the eventq before that start */
	struct virtq_chain event_chain;
	struct session_list sessions;
	struct session_memory session_memory;
	struct session_list free_sessions;    /* kept for the next OPEN */
	struct session_list closing_sessions; /* closed; their jobs are not back yet */
	uint64_t nb_open_sessions;
	uint32_t next_session_id;        /* from 1; never reissued before it wraps */
	struct vmedia_session *owner[2]; /* non-m2m: who may have buffers, per direction */
	struct context context;
	uint32_t port; /* input or output that is chosen */
	struct vmedia_node node;
	struct ctrl_state *ctrls; /* node.nb_ctrls; on m2m nodes sessions have their own */
	uint8_t *ctrl_payload;    /* room for the largest; of the command at hand */
	uint8_t *ctrl_changed;    /* V4L2_EVENT_CTRL_CH_* and CTRL_IS_NEWS of the command at hand;
	                           * node.nb_ctrls */
	struct v4l2_ext_control *ctrl_scratch; /* IOCTL_MAX_CTRLS; input of the command at hand */
	struct v4l2_ext_control *ctrl_memory;  /* of the scratch and all spares */
	struct v4l2_ext_control *ctrl_spares[DEVICE_NB_SPARES]; /* for deferred commands */
	uint32_t nb_spares;
	void *priv; /* the backend's */
	struct guest_mem mem;
	struct shm_arena *arena;
	int arena_guard; /* of base/fault.h; -1: none */
	struct shm_map *map;
	struct range_returns *returns; /* mapping.c */
	enum {
		WINDOW_NONE,
		WINDOW_REQUESTED,
		WINDOW_STALE, /* requested by an earlier start; its answer says nothing about us */
		WINDOW_READY,
		WINDOW_FAILED
	} window;
	int window_status; /* FAILED: why */
	struct buffers_reaper reaper;
	struct work work;
	bool pages_asked;      /* while quiescing: the backend knows that pages may go ... */
	bool pages_going;      /* ... and still has some */
	bool quiet;            /* quiesced, not resumed yet: the guest's memory may move */
	bool work_held;        /* work came up meanwhile */
	uint32_t nb_offloaded; /* jobs under way, held ones too */
	struct reactor_msg *held, **held_end; /* jobs that came back meanwhile, in order */
	bool work_moves;   /* it was queued at the reactor that the device left */
	uint64_t work_tsc; /* spent in it; a counter */
	void (*quiesced)(void *arg);
	void *quiesced_arg;
	enum transport_quiesce quiesce_why;
	struct device_msg quiesce_msg;
	struct device_msg resume_msg;
	struct device_msg window_msg;
	struct reactor_msg move_msg;
	int window_msg_status;
	bool window_msg_busy;
	uint16_t stopped_base;            /* of the commandq at its last stop: next to take ... */
	uint16_t stopped_used;            /* ... and next to give back */
	uint64_t nb_started;              /* rings, for device_stats */
	int kickfds[TRANSPORT_NB_QUEUES]; /* watched; -1: none */
	struct transport *transport;
	const struct transport_ops *transport_ops;
	_Atomic(struct reactor *) reactor; /* written by itself, when it gives the device away */
	struct device_option *options;     /* copies: strings of the backend point into them */
	uint32_t nb_options;
	struct device_quota quota;
	bool shared_pages;
	bool remove_buffers;
	uint64_t deadline_tsc; /* length */
	uint64_t drain_tsc;    /* length */
	uint64_t stop_tsc;     /* while stopping */
	uint32_t index;
	struct vmedia_request *requests;
	struct log_ratelimit guest_faults;
	char name[64];
	struct hist command_hist;
	struct hist frame_hist;
	struct answered spans[DEVICE_NB_REQUESTS];
};

/* Whether an answer reaches the driver now. While it does not, parked requests stay parked: for the
 * ring to go on, or for a reset. */
static inline bool
device_may_answer(const struct vmedia_device *device)
{
	return (device->running || device->stopping) && device->vqs[DEVICE_COMMANDQ].started;
}

/* Pages that were taken from under us. */
enum device_lost {
	DEVICE_LOST_GUEST = 1, /* the front-end's */
	DEVICE_LOST_ARENA = 2  /* ours: the front-end punched it, or no huge page was left */
};

/* Something broke that was not told yet. */
static inline bool
device_breaks(const struct vmedia_device *device)
{
	unsigned int lost = atomic_load_explicit(&device->lost, memory_order_relaxed);

	return unlikely((device->vqs[DEVICE_COMMANDQ].broken | device->vqs[DEVICE_EVENTQ].broken |
				lost) != 0) &&
	       device->broken == VIRTQ_SOUND;
}

/* ---- broken.c */
/* Names what broke, once; without memory also lets the front-end go. */
void broken_tell(struct vmedia_device *device);
/* Guest memory is replaced or gone: what was lost of the old does not matter. */
void broken_new_memory(struct vmedia_device *device);
/* A ring was started: whether the device is broken is up to the other one. */
void broken_ring_started(struct vmedia_device *device);
/* Rings are stopped, sessions closed: everything is sound again, the arena if there are pages. */
void broken_reset(struct vmedia_device *device);

/* ---- command.c */
/* A chain just popped: runs it, or parks it behind an earlier command of its session. */
void command_handle(struct vmedia_request *request);
/* After the last blocking request of a session is answered: run what waited. */
void command_run_waiting(struct vmedia_session *session);
/* POPPED or DEFERRED → the list of `state`, with a deadline in length_tsc. `block`: later commands
 * of the session wait until it is answered. command_handle does it for handlers that return
 * VMEDIA_DEFER. */
void request_park(
	struct vmedia_request *request, enum request_state state, uint64_t length_tsc, bool block);
/* Writes the answer, pushes the chain, frees the slot. status: 0 or negative errno. */
void request_answer(struct vmedia_request *request, int status);
/* Answers a DEFERRED request without its owner; the slot is EXPIRED until that completes. */
void request_give_up(struct vmedia_request *request, int status);
/* The same without an answer, whatever its state: nobody waits for it. */
void request_drop(struct vmedia_request *request);

/* ---- request.c */
/* Answers what is past its deadline: draining requests with 0, others with -EIO. */
void request_expire(struct vmedia_device *device, uint64_t now_tsc);
/* Rings stop: what is under way is to be answered by device->stop_tsc. */
void request_hurry_all(struct vmedia_device *device);
/* Reset: nobody waits for any answer any more. */
void request_drop_all(struct vmedia_device *device);
/* The guest's memory moves: parked requests are found again in `mem` (NULL: gone). */
void request_rebase_all(struct vmedia_device *device, const struct guest_mem *mem);
/* Counts and logs, rate-limited, what the guest did wrong. */
void guest_fault(struct vmedia_device *device, enum trace_fault what);

/* ---- ioctl.c */
/* 0, negative errno or VMEDIA_DEFER. in stands behind the command's fixed part. */
int ioctl_handle(struct vmedia_request *request, uint32_t code, struct iov_cursor *in);
/* Makes device->handlers of the backend's table and the core's. */
void ioctl_handlers_init(struct vmedia_device *device);
/* The core's own handler of ioctl number `nr` (below VMEDIA_NB_IOCTLS) for such a device; NULL: it
 * has none. In ioctl_core.c. */
vmedia_ioctl_fn *core_handler(const struct vmedia_device *device, uint32_t nr);

/* ---- ioctl_buffers.c */
vmedia_ioctl_fn core_querybuf, core_qbuf, core_prepare_buf, core_streamon, core_streamoff;
/* The queue of a buffer type in this session, or NULL. */
struct bufq *session_queue(struct vmedia_session *session, uint32_t type);
/* Stops streaming and takes all buffers back, at once; their memory is freed on offload, mapped
 * ranges when MUNMAP ends them. For CLOSE and reset. */
void session_free_buffers(struct vmedia_session *session);
/* Not streaming any more, every buffer DEQUEUED, the backend has none, unpublished events gone. */
void queue_stop(struct vmedia_session *session, struct bufq *q);
/* On a node with one owner per direction: somebody else owns this one. */
bool queue_is_foreign(const struct vmedia_session *session, const struct bufq *q);

/* ---- pages.c */
/* Room for the pages of a buffer of such planes, lengths in bytes; on offload. -ENOMEM: free it. */
int pages_alloc(struct bufq_buffer *buffer, const uint32_t *lengths);
void pages_free(struct bufq_buffer *buffer);
/* Reads the SG lists of QBUF or PREPARE_BUF and finds the pieces. -EINVAL, -ENOMEM: *buffer must
 * not be queued. */
int pages_collect(struct vmedia_request *request, struct bufq_buffer *buffer,
	uint32_t nb_segments[VIDEO_MAX_PLANES]);
/* The planes consist of what was collected. */
void pages_attach(struct bufq_buffer *buffer, const uint32_t nb_segments[VIDEO_MAX_PLANES]);
/* The guest's memory moves: what is queued is found again in `mem` (NULL: gone). */
void pages_rebase_all(struct vmedia_device *device, const struct guest_mem *mem);

/* ---- ioctl_reqbufs.c */
vmedia_ioctl_fn core_reqbufs, core_create_bufs, core_remove_bufs;
/* The queue has `count` buffers more, of such planes; answers the request later. */
struct buffers_wish {
	uint32_t memory, count, nb_planes;
	uint32_t lengths[VIDEO_MAX_PLANES];
};
int buffers_make(struct vmedia_request *request, struct bufq *q, const struct buffers_wish *wish);
/* A stopped queue gives up its buffers and its owner. */
void queue_free(struct vmedia_session *session, struct bufq *q);

/* ---- ioctl_format.c, ioctl_ctrl.c, ioctl_event.c, ioctl_input.c, ioctl_selection.c */
vmedia_ioctl_fn core_g_selection, core_s_selection;
vmedia_ioctl_fn core_enum_fmt, core_g_fmt, core_s_fmt, core_try_fmt, core_enum_framesizes,
	core_enum_frameintervals, core_g_parm, core_s_parm;
vmedia_ioctl_fn core_queryctrl, core_query_ext_ctrl, core_querymenu, core_g_ctrl, core_s_ctrl,
	core_g_ext_ctrls, core_s_ext_ctrls, core_try_ext_ctrls;
vmedia_ioctl_fn core_subscribe_event, core_unsubscribe_event;
/* Takes a slot for what is allowed already. -ENOMEM: too many. */
int subscription_add(struct vmedia_session *session, const struct v4l2_event_subscription *sub);
/* Somebody has buffers of the current format, or is about to have them. */
bool format_is_busy(struct vmedia_session *session, uint32_t type);
/* What the format of a camera or a display is on this port. */
int port_resize(const struct vmedia_device *device, uint32_t port, struct vmedia_format *format);
/* Ids of V4L2_EVENT_SOURCE_CHANGE that there are. */
uint32_t device_nb_inputs(const struct vmedia_device *device);
vmedia_ioctl_fn core_enuminput, core_g_input, core_s_input, core_enumoutput, core_g_output,
	core_s_output;
struct context *session_context(struct vmedia_session *session);
/* Fills the formats of a context with the node's defaults. */
void context_init(const struct vmedia_device *device, struct context *context);
/* Bytes of the states of all the node's controls, with their payloads behind them. */
size_t ctrls_bytes(const struct vmedia_device *device);
/* Fills `state` with the defaults of the node's controls. */
void ctrls_init(const struct vmedia_device *device, struct ctrl_state *state);
/* What a control is now, VOLATILE ones asked; `state` of class controls is empty. */
int ctrl_now(struct vmedia_session *session, const struct vmedia_ctrl_desc *desc,
	struct ctrl_state *state);
static inline bool
device_is_m2m(const struct vmedia_device *device)
{
	return (device->node.device_caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)) != 0;
}

/* The control changed and the command did not name it: its session hears of it, too. */
#define CTRL_IS_NEWS 0x80

/* ---- cluster.c: controls that another one decides about (V4L2's auto clusters) */
/* Flags that a control has because of what its master is at first. */
uint32_t cluster_flags(const struct vmedia_node *node, const struct vmedia_ctrl_desc *desc);
/* Other controls have this one as their master. */
bool cluster_has_master(const struct vmedia_node *node, const struct vmedia_ctrl_desc *desc);
/* Before the backend hears that a master is switched off: the others keep the values of now. */
void cluster_keep(struct vmedia_session *session, const struct vmedia_ctrl_desc *master);
/* After a master has become 0 or 1. tell_changed afterwards. */
void cluster_switch(
	struct vmedia_session *session, const struct vmedia_ctrl_desc *master, bool is_automatic);

/* ---- ctrl_payload.c: what stands behind the pointers of EXT_CTRLS */
/* Where in the command the payload of a control begins. */
struct ctrl_mark {
	struct iov_cursor sg;
	uint32_t nb_sg;
};
struct ctrl_mark ctrl_payload_mark(const struct vmedia_request *request);
void ctrl_payload_return(struct vmedia_request *request, const struct ctrl_mark *mark);
/* Passes over the payload of a control that needs none; only its size counts (T-31). */
int ctrl_payload_skip(struct vmedia_request *request, const struct v4l2_ext_control *ctrl);
/* The guest's new value into `payload`, checked. -ENOSPC: ctrl->size is then what it has to be. */
int ctrl_payload_take(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, uint8_t *payload);
/* A value to the guest. -ENOSPC: as above. */
int ctrl_payload_give(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, const uint8_t *payload);

/* ---- session.c */
/* 0, negative errno or VMEDIA_DEFER: the backend completes the request. */
int session_open(struct vmedia_request *request, struct vmedia_session **session);
/* Everything of the session goes, its buffers included (mapped ranges stay until MUNMAP). */
/* request: the guest's CLOSE, or NULL. VMEDIA_DEFER: the backend completes that. */
int session_close(struct vmedia_session *session, struct vmedia_request *request);
void session_close_all(struct vmedia_device *device);
/* A closed session without jobs becomes memory for the next OPEN. */
void session_free(struct vmedia_session *session);
/* Runs what waited in all sessions: after a quiescence. */
void session_run_waiting(struct vmedia_device *device);
int session_table_create(struct vmedia_device *device);
void session_table_destroy(struct vmedia_device *device);
static inline struct vmedia_session *
session_find(const struct vmedia_device *device, uint32_t id)
{
	struct vmedia_session *s = device->session_table[id & device->session_mask];

	return likely(s != NULL && s->id == id) ? s : NULL;
}

/* ---- move.c */
/* Any thread: fn(device) on the device's reactor, if it begins with device_follow(). */
void device_send(struct vmedia_device *device, struct device_msg *msg, void (*fn)(void *arg));
/* First thing of such a function. True: the device has moved, fn will be called again there. */
bool device_follow(struct vmedia_device *device, struct device_msg *msg);

/* ---- mapping.c */
int mapping_mmap(struct vmedia_request *request); /* 0, errno or VMEDIA_DEFER */
int mapping_munmap(struct vmedia_device *device, uint64_t driver_addr);
void mapping_window_ready(struct vmedia_device *device, int status);
/* Carries out, or fails, what waited for the window. */
void mapping_run_waiting(struct vmedia_device *device);
/* Reset: no window, no mapping. */
void mapping_reset(struct vmedia_device *device);
/* The map and what gives ranges back. */
int mapping_init(struct vmedia_device *device);
void mapping_fini(struct vmedia_device *device);
/* Gives a range back: punched on offload, then freed. Never fails. */
void mapping_range_put(struct vmedia_device *device, const struct shm_range *range);
/* Some are still on their way. */
bool mapping_ranges_return(const struct vmedia_device *device);

/* ---- event.c */
/* Publishes what is pending while the eventq has chains; flushes the eventq. Events published. */
unsigned int event_flush(struct vmedia_device *device);
void event_buffer_pending(struct vmedia_device *device, struct bufq_buffer *buffer);
/* Withdraws what is unpublished: of one queue, or of the whole session (queue NULL). */
void event_withdraw(struct vmedia_session *session, const struct bufq *queue);
/* Queues *event for one subscription slot; marks it pending. */
void event_subscription_raise(struct subscription *subscription, const struct v4l2_event *event);
void event_subscription_drop(struct subscription *subscription);
/*
 * The drain barrier (T-11): whether the driver has taken every event of this session that was
 * published so far, judged by its re-posting.
 */
bool event_drained(const struct vmedia_session *session);
/*
 * Last statement of a handler whose work is done: `return event_drain_wait(request);`. 0: nothing
 * to wait for, the answer is 0. VMEDIA_DEFER: the core answers 0 when the driver has taken the
 * events, or after drain_ms; nobody completes. The done() of a job does
 * `if (event_drain_wait(request) == 0) vmedia_request_complete(request, 0);`
 */
int event_drain_wait(struct vmedia_request *request);
/* Answers draining requests whose events have been taken. */
void event_drain_check(struct vmedia_device *device);

/* ---- offload.c */
void offload_init(struct vmedia_device *device);
/* Not quiet any more: what work and jobs held back is done now. */
void offload_resume(struct vmedia_device *device);

/* ---- registry.c */
/* Defaults and the given options into the backend's private memory. -EINVAL: told in the log. */
int device_options_store(const char *name, const struct vmedia_backend_ops *backend,
	const struct device_option *options, uint32_t nb_options, void *priv);

/* ---- node.c */
/* -EINVAL: no guest could register it; told in the log. */
int node_check(
	const char *name, const struct vmedia_backend_ops *backend, const struct vmedia_node *node);

/* ---- trace.c: what hot files call only while request->traced, or with the event enabled */
void device_trace_dequeued(
	struct vmedia_device *device, struct virtq_chain **taken, unsigned int nb);
void request_trace_parsed(struct vmedia_request *request);
void request_trace_begin(struct vmedia_request *request);
void request_trace_parked(const struct vmedia_request *request, enum trace_parked cause);
void request_trace_end(struct vmedia_request *request, int status);
void request_trace_deadline(const struct vmedia_request *request);
void request_trace_answered(const struct vmedia_request *request, int status, uint32_t written);
/* The spans of all answers since the last call: now_tsc is when the driver was told. */
void device_trace_published(struct vmedia_device *device, uint64_t now_tsc);
void device_trace_frame(
	struct vmedia_device *device, const struct bufq_buffer *buffer, uint64_t now_tsc);
/* Rings the bell, if it is to be rung, and tells of it. */
void device_trace_notify(struct vmedia_device *device, unsigned int queue);
void session_trace_format(struct vmedia_session *session, uint32_t type);
void device_trace_add(struct vmedia_device *device);
void device_trace_ring(struct vmedia_device *device, unsigned int queue);
void device_trace_memory(struct vmedia_device *device);

/* ---- device_poll.c */
/* Events caused by commands, then the answers. */
void answers_publish(struct vmedia_device *device);

/* ---- warm.c */
void device_warm_init(struct vmedia_device *device);
/* With nothing to do: asks for the memory of the next frame, if it is time to. 1: it did. */
unsigned int device_warm(struct vmedia_device *device, uint64_t now_tsc);
/* When to do so next; VMEDIA_NO_DEADLINE: not before that frame. */
uint64_t device_warm_tsc(const struct vmedia_device *device);

/* ---- notify.c */
/* Rings the bells of a driver that wants to hear of what was published; now_tsc is about now. */
void device_notify(struct vmedia_device *device, uint64_t now_tsc);

/* ---- device.c */
void device_quiesce_check(struct vmedia_device *device); /* nothing in flight any more? */
extern const struct poller_ops device_poller_ops;        /* device_poll.c */

#endif
