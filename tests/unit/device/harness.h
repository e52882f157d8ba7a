/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device over loopback with a guest in plain memory and a backend of a few lines, all on one
 * thread: `h_pass` is the reactor. Or, `threaded`, with a reactor that runs by itself; then h_pass
 * waits a little and the test must not look into the device. Calls that cannot fail in a sane test
 * abort it.
 */
#ifndef VMEDIA_TESTS_DEVICE_HARNESS_H
#define VMEDIA_TESTS_DEVICE_HARNESS_H

#include "device/internal.h"
#include "fake/guest.h"
#include "transport/loopback.h"

#define H_WIDTH      64
#define H_HEIGHT     32
#define H_SIZE       (H_WIDTH * H_HEIGHT * 2) /* YUYV */
#define H_CTRL       V4L2_CID_BRIGHTNESS
#define H_CTRL_WIDE  V4L2_CID_PIXEL_RATE /* INTEGER64 */
#define H_CTRL_NOW   V4L2_CID_EXPOSURE   /* READ_ONLY, VOLATILE: h_backend.now */
#define H_CTRL_BITS  V4L2_CID_3A_LOCK
#define H_CTRL_TEXT  (V4L2_CID_USER_BASE | 0xf000) /* STRING, 2, 4, 6 or 8 characters */
#define H_CTRL_ARRAY (V4L2_CID_USER_BASE | 0xf001) /* U16, 2 x 3, each 10 .. 1000 */
#define H_CTRL_AUTO  V4L2_CID_AUTOGAIN
#define H_CTRL_GAIN  V4L2_CID_GAIN /* H_CTRL_AUTO decides about it */
#define H_EVENT_SIZE 608
#define H_NB_PORTS   4 /* of the default size, half of it, a third of it, and that of the first */
#define H_MAX_REPLY  32768

/* How commands are cut into descriptors. */
enum h_cut {
	H_CUT_NONE,
	H_CUT_BYTES, /* 1 byte each */
	H_CUT_RANDOM
};

struct h_config {
	bool packed;
	bool event_idx;
	bool m2m;
	bool more_ctrls;   /* H_CTRL_* besides H_CTRL */
	bool crops;        /* crop and compose, though it is no m2m node */
	bool is_display;   /* instead of a camera */
	uint32_t nb_ports; /* several inputs or outputs, up to H_NB_PORTS */
	enum h_cut cut;
	bool no_shared_pages;
	bool shared_memory; /* the guest's: it can be mapped twice */
	bool remove_buffers;
	uint32_t deadline_ms;
	uint32_t drain_ms;
	uint32_t coalesce_us;
	uint32_t max_windows;
	uint32_t max_sessions;
	uint64_t arena_bytes;                     /* 0: the device's default */
	bool no_access;                           /* the arena is PROT_NONE here */
	const struct vmedia_backend_ops *backend; /* NULL: the one below */
	bool threaded;                            /* the reactor runs on its own thread */
	enum reactor_idle idle;
	bool endless; /* frames_allowed from the start, without end */
	const struct device_option *options;
	uint32_t nb_options;
};

/* Private memory of the test backend. */
struct h_backend {
	uint32_t fps; /* option */
	uint32_t mode;
	const char *label;
	uint32_t frames_allowed; /* poll() finishes so many buffers */
	uint32_t nb_frames;
	struct vmedia_buffer_list queued;
	struct vmedia_request *deferred; /* S_STD and, when told, G_EXT_CTRLS */
	bool defer_ctrls;
	bool refuse_open;
	int64_t now;
	int64_t set_value; /* by the last of nb_set set_ctrl */
	uint32_t set_id, nb_set;
	struct vmedia_session *set_session;
	uint8_t set_payload[16]; /* by the last of nb_set_payload */
	uint32_t nb_set_payload;
	uint32_t nb_opened, nb_closed, nb_started, nb_stopped;
};

struct h {
	struct h_config config;
	struct reactor *reactor;
	struct vmedia_device *device;
	struct transport *transport;
	struct fake_guest *guest;
	struct h_backend *backend;
	unsigned int nb_events; /* buffers the driver keeps posted */
	bool no_window;         /* do not answer window_map */
	int window_status;
};

/* The answer to one command. */
struct h_reply {
	uint32_t len; /* used.len */
	union {
		uint8_t bytes[H_MAX_REPLY];
		struct virtio_media_resp_header hdr;
		struct virtio_media_resp_open open;
		struct virtio_media_resp_mmap mmap;
	};
};

extern const struct vmedia_backend_ops h_backend_ops;

struct h *h_create(const struct h_config *config);
void h_destroy(struct h *h);
/* Starts both rings on a guest that forgot everything. */
void h_start(struct h *h);
void h_pass(struct h *h, unsigned int nb);
/* Passes until the reactor has had nothing to do for a while, offload jobs included. */
void h_settle(struct h *h);
/* The deadline of the commands from now on: what only prepares a test has no need to be in time. */
void h_deadline(struct h *h, uint32_t ms);
/* Bytes of the arena that are in use, once it has settled. */
uint64_t h_allocated(struct h *h);

/* Sends a command; returns its chain id. */
int h_send(struct h *h, const void *cmd, size_t bytes, uint32_t room);
/* The next used command, or -EAGAIN after a few passes. */
int h_recv(struct h *h, struct h_reply *reply);
/* Send, and pass until it is answered (5 s at most). Returns the status as negative errno. */
int h_cmd(struct h *h, const void *cmd, size_t bytes, uint32_t room, struct h_reply *reply);

uint32_t h_open(struct h *h);
void h_close(struct h *h, uint32_t session);
/* One ioctl with `in` bytes of arg and `out` of reply payload, both at arg. */
int h_ioctl(struct h *h, uint32_t session, uint32_t code, void *arg, size_t in, size_t out);
int h_send_ioctl(
	struct h *h, uint32_t session, uint32_t code, const void *arg, size_t in, size_t out);
int h_mmap(struct h *h, uint32_t session, uint32_t offset, uint32_t flags, uint64_t *addr);
int h_munmap(struct h *h, uint64_t addr);

/* Buffers: REQBUFS, QBUF, STREAMON of the capture queue. */
int h_reqbufs(struct h *h, uint32_t session, uint32_t count);
int h_qbuf(struct h *h, uint32_t session, uint32_t index);
int h_stream(struct h *h, uint32_t session, bool on);
int h_subscribe(struct h *h, uint32_t session, uint32_t type, uint32_t id, uint32_t flags);

/* The driver posts event buffers of so many bytes. */
void h_post_events(struct h *h, unsigned int nb, uint32_t bytes);
/* The next event into event[608]: its used.len, or -EAGAIN. It is not posted again. */
int h_event(struct h *h, void *event);

#endif
