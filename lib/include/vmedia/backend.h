/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The backend API: the one header to read before writing a media backend.
 *
 * A backend is a const table of functions that registers itself; lib/backend/null is the tutorial.
 * The core speaks virtio-media with the guest, keeps sessions, formats, buffers, controls and
 * events by V4L2's rules, and asks the backend for the rest:
 *
 *   create → open → (ioctls) → queue_setup → buf_queue … → start_streaming → poll / work … →
 *   stop_streaming → close → destroy
 *
 * Threads. create and destroy: control thread. Everything else: the device's reactor, which must
 * never block, sleep, allocate or make a system call on the way of a frame; what may block goes
 * through vmedia_offload(). No locks are needed: a device belongs to one reactor.
 *
 * Errors. Functions return 0 or a negative errno, which becomes the errno of the guest's ioctl.
 */
#ifndef VMEDIA_BACKEND_H
#define VMEDIA_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <linux/videodev2.h>

#ifdef __cplusplus
extern "C" {
#endif

#define VMEDIA_NB_IOCTLS   105 /* V4L2 ioctl numbers 0 .. 104 */
#define VMEDIA_DEFER       1   /* an ioctl handler's "I will answer with vmedia_request_complete" */
#define VMEDIA_NO_DEADLINE UINT64_MAX

struct vmedia_device;  /* one virtio device */
struct vmedia_session; /* one OPEN of it */
struct vmedia_request; /* one command in flight */

/* ---- Buffers -------------------------------------------------------------------------------- */

struct vmedia_plane {
	void *addr;           /* in this process: the very bytes the guest sees; NULL: pieces */
	uint32_t offset;      /* in SHM region 0 = mem_offset; SHARED_PAGES: 0 */
	uint32_t length;      /* bytes */
	uint32_t bytesused;   /* bytes; output: from QBUF; capture: set before vmedia_buffer_done */
	uint32_t data_offset; /* bytes */
	/* SHARED_PAGES that are not one piece: addr is NULL, and the guest's pages are here, in
	 * order. They can become fewer or none while the buffer is queued: the guest may take its
	 * memory away. Ask on each pass, or use vmedia_plane_write and _read. */
	uint32_t nb_segments;
	uint32_t segment;        /* where the last access was ... */
	uint32_t segment_offset; /* ... and where that piece begins in the plane */
	struct iovec *segments;
};

/* One V4L2 buffer. The backend owns it from buf_queue to vmedia_buffer_done (or stop_streaming)
 * and may use `link` meanwhile. It sets what V4L2 has the driver set: bytesused, field, sequence,
 * timestamp_ns, flags. */
struct vmedia_buffer {
	TAILQ_ENTRY(vmedia_buffer) link; /* the owner's */
	struct vmedia_session *session;
	uint32_t type;  /* V4L2_BUF_TYPE_* */
	uint32_t index; /* 0 .. 31 */
	uint32_t nb_planes;
	uint32_t flags; /* V4L2_BUF_FLAG_ERROR, _LAST, _KEYFRAME …, for the next DQBUF event */
	uint32_t field; /* V4L2_FIELD_* */
	uint32_t sequence;
	uint64_t timestamp_ns; /* CLOCK_MONOTONIC, 0: at vmedia_buffer_done; m2m: of the output */
	struct v4l2_timecode timecode;
	struct vmedia_plane planes[VIDEO_MAX_PLANES];
};

TAILQ_HEAD(vmedia_buffer_list, vmedia_buffer);

/* ---- What a backend says about itself ------------------------------------------------------- */

/* One `key=value` of --device and of the config file; this table parses, checks and is --help. */
enum vmedia_option_type {
	VMEDIA_OPTION_U32,
	VMEDIA_OPTION_CHOICE,
	VMEDIA_OPTION_BOOL,
	VMEDIA_OPTION_STRING
};

struct vmedia_option {
	const char *key;
	const char *help; /* one line; says the unit */
	enum vmedia_option_type type;
	size_t offset;     /* of the value in the device's private memory: uint32_t (U32, CHOICE:
	                    * its index, BOOL: 0 or 1) or const char * (STRING, lives on) */
	uint32_t min, max; /* U32 */
	const char *const *choices; /* CHOICE: NULL-terminated */
	const char *value;          /* default, as text; NULL: 0 / NULL */
};

/* One pixel format a node offers, for capture, output or both. The sizes are those of S_FMT. */
struct vmedia_format_desc {
	uint32_t fourcc;                           /* V4L2_PIX_FMT_*, known to media/format */
	uint32_t min_width, max_width, step_width; /* pixels */
	uint32_t min_height, max_height, step_height;
};

/* One control: a number, a text or an array of numbers. */
struct vmedia_ctrl_desc {
	uint32_t id;   /* V4L2_CID_* */
	uint32_t type; /* V4L2_CTRL_TYPE_INTEGER, INTEGER64, BOOLEAN, BITMASK (maximum: all bits),
	                * MENU, INTEGER_MENU, BUTTON; STRING (minimum .. maximum: its length; empty
	                * or blanks at first); U8, U16, U32: arrays (minimum .. maximum: of each) */
	const char *name;
	int64_t minimum, maximum, step, value;
	uint32_t flags;          /* V4L2_CTRL_FLAG_*; VOLATILE: get_ctrl is asked each time */
	const char *const *menu; /* MENU: maximum + 1 names, NULL for a hole */
	const int64_t *numbers;  /* INTEGER_MENU: maximum + 1 */
	uint32_t dims[V4L2_CTRL_MAX_DIMS]; /* arrays: elements; 0 ends the list */
	const uint32_t *elems;             /* arrays: what each is at first; NULL: value */
	/* id of the BOOLEAN that decides about this number (V4L2's auto clusters), 0: none. While
	 * it is 1 this one is VOLATILE and INACTIVE: get_ctrl is asked, what the guest sets is
	 * ignored. When it becomes 0 the value stays what it was then, and set_ctrl is told. */
	uint32_t master;
};

/* One of several inputs of a camera, or outputs of a display. */
struct vmedia_port_desc {
	const char *name;
	uint32_t type;          /* V4L2_INPUT_TYPE_*, V4L2_OUTPUT_TYPE_* */
	uint32_t width, height; /* pixels: the format after it was chosen; 0: the default */
};

/* What the node is; filled by create, constant afterwards. The device refuses to start with one
 * that no guest could register, and says why. */
struct vmedia_node {
	uint32_t device_caps; /* V4L2_CAP_*: VIDEO_CAPTURE, _OUTPUT or _M2M, and STREAMING */
	uint32_t device_type; /* VFL_TYPE_*: 0 video */
	char card[32];        /* name shown by QUERYCAP; UTF-8, NUL within 32 */
	const struct vmedia_format_desc *formats; /* for both directions */
	uint32_t nb_formats;
	const struct vmedia_ctrl_desc *ctrls;
	uint32_t nb_ctrls;
	const struct vmedia_port_desc *ports; /* the first is chosen at first */
	uint32_t nb_ports;                    /* 0: one, as usual */
	uint64_t arena_bytes;                 /* for buffers, when formats is empty */
	uint32_t events; /* besides controls': 1 << V4L2_EVENT_EOS, _SOURCE_CHANGE, _FRAME_SYNC */
	/* crop and compose in steps of so many pixels, see vmedia_format; 0: there is neither */
	uint32_t selection_step;
	bool mmap_only; /* jobs touch the buffers: SHARED_PAGES are refused */
	/* the format before the first S_FMT */
	uint32_t default_fourcc, default_width, default_height;
	struct v4l2_fract min_interval, max_interval, default_interval; /* seconds per frame */
};

/* The current format of one direction (device-wide; per session on m2m nodes). */
struct vmedia_format {
	uint32_t fourcc;
	uint32_t width, height; /* pixels */
	uint32_t nb_planes;     /* memory planes */
	uint32_t bytesperline[VIDEO_MAX_PLANES];
	uint32_t sizeimage[VIDEO_MAX_PLANES];
	uint32_t colorspace, ycbcr_enc, quantization, xfer_func;
	struct v4l2_fract interval; /* seconds per frame */
	/* what of the picture counts: crop of an output format, compose of a capture format */
	struct v4l2_rect selection;
	/* the same on the device's side, of a picture or a screen of width x height: crop of a
	 * camera, compose of a display; as large as `selection` */
	struct v4l2_rect device_side;
};

/* Answers one ioctl. `arg` is the V4L2 struct, a private copy of the guest's, zero where the guest
 * gave nothing; on success it goes back as the answer. 0, a negative errno or VMEDIA_DEFER. */
typedef int vmedia_ioctl_fn(
	struct vmedia_session *session, struct vmedia_request *request, void *arg);

struct vmedia_backend_ops {
	const char *name;                    /* backend=NAME */
	const char *summary;                 /* one line for --help */
	const struct vmedia_option *options; /* ends with a NULL key; or NULL */
	size_t device_bytes;  /* private memory per device, zeroed, then options are stored */
	size_t session_bytes; /* private memory per session, zeroed */
	bool forwards;        /* events carry the time of another device */
	bool keeps_reactor;   /* threads of its own send to the device's reactor: it cannot move */

	/* Control thread. create fills the node. destroy, optional: no session is left. */
	int (*create)(struct vmedia_device *device, struct vmedia_node *node);
	void (*destroy)(struct vmedia_device *device);

	/* Optional. open may refuse; close: streaming has been stopped already. */
	int (*open)(struct vmedia_session *session);
	/* Instead of open, and of close on CLOSE, where that is to be waited for: VMEDIA_DEFER,
	 * then vmedia_request_complete. close comes also when open_later failed. */
	int (*open_later)(struct vmedia_session *session, struct vmedia_request *request);
	void (*close)(struct vmedia_session *session);
	int (*close_later)(struct vmedia_session *session, struct vmedia_request *request);

	/* By V4L2 number (_IOC_NR). Absent: ioctl_default, else the core's answer, else ENOTTY: the
	 * core answers formats, parm, inputs/outputs, buffers, controls, events from the node. */
	vmedia_ioctl_fn *ioctl[VMEDIA_NB_IOCTLS];
	vmedia_ioctl_fn *ioctl_default; /* for backends that forward everything */

	/* For backends of vmedia/forward.h: no memory for the buffers they were answered. */
	void (*buffers_failed)(struct vmedia_session *session, uint32_t type);

	/* Optional: a control gets a new, checked value, on m2m nodes that of the session. */
	int (*set_ctrl)(struct vmedia_session *session, uint32_t id, int64_t value);
	/* The same for texts (NUL within nb_bytes) and arrays. */
	int (*set_payload)(struct vmedia_session *session, uint32_t id, const void *payload,
		uint32_t nb_bytes);
	/* For VOLATILE controls: the value now. */
	int (*get_ctrl)(struct vmedia_session *session, uint32_t id, int64_t *value);

	/* Streaming. buf_queue hands a buffer over, also before start_streaming. stop_streaming:
	 * forget all buffers of that type; the core takes them back. */
	void (*buf_queue)(struct vmedia_session *session, struct vmedia_buffer *buffer);
	int (*start_streaming)(struct vmedia_session *session, uint32_t type);
	void (*stop_streaming)(struct vmedia_session *session, uint32_t type);
	/* Of SHARED_PAGES in use by a thread of the backend's: see vmedia/forward.h. */
	bool (*pages_let_go)(struct vmedia_device *device);

	/* Each pass; short. Returns the TSC when it wants to be called again at the latest (now or
	 * earlier: it did something and may have more), VMEDIA_NO_DEADLINE: input wakes it. */
	uint64_t (*poll)(struct vmedia_device *device, uint64_t now_tsc);
	/* Long work in slices, asked for by vmedia_work_queue(): stop at until_tsc. True: finished.
	 * Planes may have moved, or be nowhere, since the last slice; vmedia_plane_write knows. */
	bool (*work)(struct vmedia_device *device, uint64_t until_tsc);
};

/* ---- What a backend may call; all on the device's reactor unless said ----------------------- */

/* Registers a backend. Use VMEDIA_BACKEND_REGISTER at file scope. */
void vmedia_backend_register(const struct vmedia_backend_ops *ops);
#define VMEDIA_BACKEND_REGISTER(ops)                                          \
	static void __attribute__((constructor)) register_backend_##ops(void) \
	{                                                                     \
		vmedia_backend_register(&(ops));                              \
	}

/* Private memory; any thread. */
void *vmedia_device_priv(struct vmedia_device *device);
void *vmedia_session_priv(struct vmedia_session *session);
struct vmedia_device *vmedia_session_device(struct vmedia_session *session);
const char *vmedia_device_name(const struct vmedia_device *device);
/* A small number that tells the devices of one process apart, from 0. */
uint32_t vmedia_device_index(const struct vmedia_device *device);
/* Which of the node's ports is chosen. It changes only while there are no buffers. */
uint32_t vmedia_device_port(const struct vmedia_device *device);
/* The format in force for a buffer type. */
const struct vmedia_format *vmedia_format(struct vmedia_session *session, uint32_t type);

/* Copies into a plane, or out of it, whether it is one piece or many; offset and nb_bytes in bytes.
 * What lies outside is left out. */
void vmedia_plane_write(
	struct vmedia_plane *plane, uint32_t offset, const void *src, uint32_t nb_bytes);
void vmedia_plane_read(struct vmedia_plane *plane, uint32_t offset, void *dst, uint32_t nb_bytes);

/* Optional: the backend begins with a buffer, its sequence is set. For tracing. */
void vmedia_buffer_begin(struct vmedia_buffer *buffer);
/* A buffer is finished: its DQBUF event goes out, exactly once, in the order of these calls. */
void vmedia_buffer_done(struct vmedia_buffer *buffer);
/* News of a control from the backend: a value (also of READ_ONLY ones), or that it cannot be set
 * for now (EBUSY). Subscribers hear of what is new. Not on m2m nodes, where each session has its
 * own. */
void vmedia_ctrl_update(struct vmedia_device *device, uint32_t id, int64_t value);
void vmedia_ctrl_grab(struct vmedia_device *device, uint32_t id, bool grabbed);
/* A V4L2 event for the sessions that subscribed to its (type, id). Copied. */
void vmedia_event_queue(struct vmedia_device *device, const struct v4l2_event *event);
/* The same for one session, if it subscribed: of m2m nodes. */
void vmedia_session_event_queue(struct vmedia_session *session, const struct v4l2_event *event);
/* The backend wants its work() called in slices within the pass budget; once per frame. */
void vmedia_work_queue(struct vmedia_device *device);
void vmedia_work_cancel(struct vmedia_device *device);
/* Answers a deferred request; later calls for a request past its deadline are ignored. */
void vmedia_request_complete(struct vmedia_request *request, int status);

/* A period without a frame, by cause; counted per device and shown (see docs/glossary.md). */
enum vmedia_missed {
	VMEDIA_MISSED_NO_BUFFER,
	VMEDIA_MISSED_LATE_RENDER,
	VMEDIA_MISSED_LATE_REACTOR,
	VMEDIA_NB_MISSED
};
void vmedia_frame_missed(
	struct vmedia_device *device, enum vmedia_missed cause, uint32_t nb_periods);
/* Periods counted so far, per cause. */
uint64_t vmedia_missed(const struct vmedia_device *device, enum vmedia_missed cause);

/* Work that may block: run() on the offload thread, then done() on the reactor. The memory is the
 * backend's until done(). The guest's memory, which planes may lie in, is for done() alone: that
 * waits while the memory changes, run() does not. */
struct vmedia_job {
	void (*run)(struct vmedia_job *job);
	void (*done)(struct vmedia_job *job);
	struct vmedia_device *device; /* the core's, and what follows */
	void *core[6];
};
void vmedia_offload(struct vmedia_device *device, struct vmedia_job *job);

#ifdef __cplusplus
}
#endif
#endif
