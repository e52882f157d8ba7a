/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user-space virtio-media driver: the other end of the wire. It is a virtio driver (split and
 * packed rings, commands, events) and, below that, either a vhost-user front-end (it connects to a
 * socket, lends guest memory, serves the shared memory requests of the back-end) or the only guest
 * of a QEMU. It trusts nothing that the device writes: each byte is copied once, checked and only
 * then used; what fails a check is dropped and counted (struct driver_stats), protocol.md R-102 to
 *
 *
 * Threads. One driver object belongs to one thread; two drivers are independent. driver_connect()
 * starts one helper thread per driver, which sleeps in poll(2) and wakes only for a request of the
 * back-end (SHMEM_MAP, SHMEM_UNMAP) or its death; it never touches the rings.
 *
 * Errors are negative errno. A status that the device put on the wire comes back as -status, so
 * -ENOTTY, -EINVAL, -EBUSY and so on mean what V4L2 says. Beyond these:
 *   -EPROTO     the device broke the protocol in this answer; nothing of it was used
 *   -ETIMEDOUT  no answer within timeout_ms; the chain stays the device's, reset or go on
 *   -EAGAIN     no free command slot or descriptors; driver_poll() and try again
 *   -ENODEV     the back-end is gone, or the device was reset or stopped
 *   -EIO        the ring is broken or the session got an error event
 */
#ifndef VMEDIA_DRIVER_DRIVER_H
#define VMEDIA_DRIVER_DRIVER_H

#include <linux/videodev2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define DRIVER_QUEUE_COMMAND     0
#define DRIVER_QUEUE_EVENT       1
#define DRIVER_NB_QUEUES         2
#define DRIVER_MAX_BUFFERS       64 /* per V4L2 queue; more breaks the protocol */
#define DRIVER_MAX_EVENT_BUFFERS 64

/* vhost-user protocol features that QEMU 11.1 acknowledges of what a media back-end offers:
 * MQ, REPLY_ACK, BACKEND_REQ, CONFIG, BACKEND_SEND_FD, SHMEM. */
#define DRIVER_PROTOCOL_FEATURES 0x400629ULL

struct driver;
struct driver_session;

enum driver_wait {
	DRIVER_POLL,  /* spin on the rings, interrupts suppressed: no system call while waiting */
	DRIVER_SLEEP, /* sleep in poll(2) on the call eventfds */
};

/* Start from driver_config_init() and change what matters. Read during the call only. */
struct driver_config {
	const char *socket_path; /* connect here ... */
	int socket_fd;       /* ... unless this connected stream socket is >= 0: then owned by us */
	bool packed;         /* packed rings; -EOPNOTSUPP when not offered. false: split */
	bool indirect;       /* use INDIRECT_DESC when offered. Default true */
	bool event_idx;      /* use EVENT_IDX when offered. Default true */
	bool hugepages;      /* guest memory from 2 MiB pages, else plain 4 KiB pages */
	bool resend_memory;  /* as QEMU: new memory table, window included, after each map.
	                      * Default true */
	bool local_eventfds; /* driver_create_local(): kick and call eventfds, else none */
	uint16_t commandq_size;     /* power of two, 2..16384. Default 256 */
	uint16_t eventq_size;       /* power of two, 2..16384. Default 64 */
	uint16_t nb_event_buffers;  /* posted event buffers, 0..64 and <= eventq_size. Default 16 */
	uint16_t nb_memory_regions; /* guest memory as 1..8 adjacent regions of equal size, so that
	                             * buffers can straddle them. Default 1 */
	uint32_t fragment_bytes; /* cut chain parts into descriptors of at most this. 0: one each */
	uint32_t sg_page_bytes; /* cut SHARED_PAGES SG entries at multiples of this. 0: one entry */
	uint64_t mem_bytes;     /* guest memory, rings and slots included. Default 8 MiB */
	uint64_t protocol_features; /* at most these are acked. Default DRIVER_PROTOCOL_FEATURES */
	uint64_t event_repost_delay_ns; /* a slow driver: hand event buffers back this late. 0 */
	enum driver_wait wait;          /* default DRIVER_SLEEP */
	/* For commands and socket replies; default 5000 as in Linux. A command that falls due while
	 * nobody looked for 100 ms (a machine that stood still) has that time once more. */
	int timeout_ms;
};

void driver_config_init(struct driver_config *config);

/* What the two sides agreed on; valid while connected. */
struct driver_info {
	uint64_t features;          /* virtio features acked, VHOST_USER_F_PROTOCOL_FEATURES too */
	uint64_t protocol_features; /* acked */
	uint64_t region_bytes;      /* size of shared memory region 0; 0: none, MMAP unsupported */
	uint32_t device_caps;       /* config space: V4L2_CAP_* */
	uint32_t device_type;       /* config space: VFL_TYPE_* */
	char card[33];              /* config space, terminated here */
};

/* Everything counted since connect. "dropped" ones are a device's protocol violations. */
struct driver_stats {
	uint64_t commands;         /* chains published on the commandq */
	uint64_t completions;      /* used elements accepted from the commandq */
	uint64_t kicks;            /* eventfd writes, both queues */
	uint64_t kicks_suppressed; /* publications the device did not want to hear of */
	uint64_t sleeps;           /* poll(2) calls while waiting */
	uint64_t interrupts;       /* driver_attach(): sleeps in which MSI-X messages came */
	uint64_t timeouts;         /* commands given up */
	uint64_t excused; /* commands that fell due while nobody looked: not given up yet */
	uint64_t late;    /* used elements of commands given up before */
	uint64_t events_dqbuf, events_v4l2, events_error; /* accepted and delivered */
	uint64_t events_stale;    /* DQBUF of a queue that was stopped or freed: expected */
	uint64_t events_overflow; /* V4L2 events of a session that nobody read */
	uint64_t ring_bad_index; /* dropped: used index ran away; the ring is broken from then on */
	uint64_t ring_bad_id;    /* dropped: used id that is not in flight */
	uint64_t bad_used_len;   /* dropped: used.len beyond the writable part, or too short */
	uint64_t bad_status;     /* dropped: status that is no errno */
	uint64_t bad_reply;      /* dropped: reply that contradicts the request */
	uint64_t events_bad;     /* dropped: unknown kind, short, type or index or length wrong */
	uint64_t events_unknown_session;       /* dropped */
	uint64_t events_duplicate;             /* dropped: DQBUF of a buffer that is not queued */
	uint64_t channel_maps, channel_unmaps; /* done */
	uint64_t channel_refused; /* requests on the back-end channel answered with an error */
};

/*
 * Connects and starts as QEMU 11.1 does (vmm.md 1.4): negotiation, memory, rings, event buffers,
 * enable, one kick per queue. *drv is ready for driver_open(). -EPROTO when the back-end answers
 * something impossible, -ENOTSUP without VERSION_1.
 */
int driver_connect(const struct driver_config *config, struct driver **drv);

/* Memory and rings without a socket: someone in this process serves driver_ring_layout(). */
int driver_create_local(const struct driver_config *config, struct driver **drv);

/*
 * A QEMU under `-accel qtest`, which has no processor, with a virtio-media device on PCI bus 0: the
 * program is the guest. pause, resume and reset are what the monitor calls stop, cont and
 * system_reset; each returns 0 when that is done, or a negative errno.
 */
struct driver_machine {
	const char *qtest_path;  /* QEMU's qtest socket */
	const char *memory_path; /* the file behind guest memory, which QEMU shares (share=on) */
	uint8_t slot;            /* of the device, 0..31 */
	int (*pause)(void *arg);
	int (*resume)(void *arg);
	int (*reset)(void *arg);
	void *arg;
};

/*
 * The driver in that guest. Its memory is mem_bytes from MEMORY_GPA (1 GiB) on, so the guest has
 * more than that; socket_path, protocol_features and regions of the configuration do not matter.
 * driver_stop() pauses the machine, driver_start() continues it, driver_reset() resets the device
 * through its registers, driver_reboot() the machine. -ENODEV: no virtio device in the slot;
 * -EINVAL: queues larger than the device's.
 */
int driver_attach(const struct driver_config *config, const struct driver_machine *machine,
	struct driver **drv);

/* Hangs up and frees everything, sessions included. Outstanding requests end with -ENODEV. */
void driver_disconnect(struct driver *drv);

/*
 * stop: ENABLE 0 and GET_VRING_BASE per queue, as at a pause; sessions and requests in flight stay.
 * start: everything again with the saved ring positions. reset: stop, then forget sessions,
 * mappings and ring contents: requests end with -ENODEV, session and map pointers are dead; start
 * afterwards. reboot: the same by a reset of the whole machine where there is one. All wait at most
 * timeout_ms per message.
 */
int driver_stop(struct driver *drv);
int driver_start(struct driver *drv);
int driver_reset(struct driver *drv);
int driver_reboot(struct driver *drv);

void driver_get_info(const struct driver *drv, struct driver_info *info);
void driver_get_stats(const struct driver *drv, struct driver_stats *stats);

/* Asks the back-end again: `size` bytes of the config space from `offset`, sum <= 256. */
int driver_read_config(struct driver *drv, uint32_t offset, void *data, uint32_t size);

/*
 * Progress without blocking and, in DRIVER_POLL, without a system call: takes finished commands,
 * delivers events, re-posts event buffers. Returns how many used elements were taken, or -ENODEV /
 * -EIO when device or ring are dead. Callbacks run inside; they may submit, not block.
 */
int driver_poll(struct driver *drv);

/* driver_poll() until it took something or timeout_ms passed (0: none, < 0: for ever); spins or
 * sleeps as configured. Number taken, -ETIMEDOUT, or an error of driver_poll(). */
int driver_wait(struct driver *drv, int timeout_ms);

/*
 * For a program with its own poll(2) over many drivers (DRIVER_SLEEP): the fd that becomes readable
 * with an interrupt of the queue (-1: none), and "interrupts on": true when the caller may sleep,
 * false when something is already there and driver_poll() comes first.
 */
int driver_call_fd(const struct driver *drv, unsigned int queue);
bool driver_arm(struct driver *drv);

/* Event buffers taken from now on go back this late (a slow driver). */
void driver_set_event_repost_delay(struct driver *drv, uint64_t delay_ns);

/* TSC stamps of one command: just before it was published, and when its used element was seen. */
struct driver_timing {
	uint64_t submit_tsc;
	uint64_t seen_tsc;
};

enum driver_event_kind {
	DRIVER_EVENT_DQBUF,
	DRIVER_EVENT_V4L2,
	DRIVER_EVENT_ERROR
};

/* One checked event, a private copy. Pointers inside `buffer` are zero. */
struct driver_event {
	enum driver_event_kind kind;
	int error;         /* ERROR: the errno the device gave, negative */
	uint64_t seen_tsc; /* when the used element was seen */
	union {
		struct {
			struct v4l2_buffer buffer; /* index < allocated, was queued, now is not */
			struct v4l2_plane planes[VIDEO_MAX_PLANES]; /* .buffer.length are valid */
		} dqbuf;
		struct v4l2_event v4l2;
	};
};

typedef void driver_event_fn(
	struct driver_session *session, const struct driver_event *event, void *arg);

/*
 * A session is one OPEN. Without a callback events queue up per session in order of arrival: each
 * buffer at most once, at most 64 V4L2 events. With one they are handed over inside driver_poll().
 */
int driver_open(struct driver *drv, struct driver_session **session);
/* Waits for the used element of CLOSE. The pointer is dead afterwards, also on error. */
int driver_close(struct driver_session *session);
uint32_t driver_session_id(const struct driver_session *session);
void driver_session_set_event_fn(struct driver_session *session, driver_event_fn *fn, void *arg);
/* Oldest queued event. -EAGAIN: none; after an ERROR event was read: -EIO. */
int driver_event_pop(struct driver_session *session, struct driver_event *event);
/* The same, waiting up to timeout_ms. -ETIMEDOUT. */
int driver_event_wait(struct driver_session *session, struct driver_event *event, int timeout_ms);

/*
 * One V4L2 ioctl, as ioctl(2): `request` is VIDIOC_*, `arg` its struct, updated on success (and for
 * EXT_CTRLS also on failure). QBUF, QUERYBUF, PREPARE_BUF follow m.planes; USERPTR memory must come
 * from driver_mem_alloc(). EXT_CTRLS follow `controls` and the pointers in it, from anywhere; the
 * caller's pointers are put back in all cases. QUERYCAP is answered from the config space;
 * DQBUF, DQEVENT, G/S_JPEGCOMP and LOG_STATUS are never sent: -ENOTTY. STREAMOFF and
 * REQBUFS discard this queue's events of before.
 */
int driver_ioctl(struct driver_session *session, unsigned long request, void *arg);
int driver_ioctl_timed(struct driver_session *session, unsigned long request, void *arg,
	struct driver_timing *timing);

/* status: as driver_ioctl() would return. `arg` of the request has been updated. */
typedef void driver_done_fn(struct driver_session *session, int status,
	const struct driver_timing *timing, void *cookie);

/*
 * The same without waiting; `arg`, and all it points to, stays alive until done() ran, once, from
 * driver_poll(). Any number in flight up to the queue; answers may overtake each other.
 */
int driver_ioctl_submit(struct driver_session *session, unsigned long request, void *arg,
	driver_done_fn *done, void *cookie);

/*
 * MMAP of the plane that QUERYBUF gave `mem_offset`: *addr points into the window of region 0, *len
 * is its exact length. -ENODEV without a region; -EPROTO when the answer is not page aligned,
 * leaves the region or is not backed by a SHMEM_MAP. One driver_munmap() per success. PROT of the
 * mapping is what the back-end asked for; `writable` is passed on to the device only.
 */
int driver_mmap(struct driver_session *session, uint32_t mem_offset, bool writable, void **addr,
	size_t *len);
/* Also after driver_close(); not after driver_reset(). */
int driver_munmap(struct driver *drv, void *addr);
/*
 * Reads what the device put into [addr, addr + len) of the window. Where the window is memory of
 * this process it is there already; behind driver_attach() it is copied from the guest's.
 */
int driver_window_fetch(struct driver *drv, const void *addr, size_t len);
/* Start of the window of region 0; parts that are not mapped fault. NULL: no region. */
void *driver_window(const struct driver *drv, size_t *len);
/*
 * The back-end's file behind [addr, addr + len) of the window, so that another process can map the
 * same pages: *fd is a duplicate with close-on-exec, the caller's. -EINVAL: not one mapped range.
 */
int driver_window_file(
	struct driver *drv, const void *addr, size_t len, int *fd, uint64_t *fd_offset);

/* Guest memory for SHARED_PAGES, zeroed, page aligned; NULL: none left. Freed at the latest by
 * driver_disconnect(); the caller keeps it while the device may use it. */
void *driver_mem_alloc(struct driver *drv, size_t bytes);
void driver_mem_free(struct driver *drv, void *addr);
/* The guest-physical address of memory of ours; 0 when [addr, addr + bytes) is not guest memory. */
uint64_t driver_mem_gpa(const struct driver *drv, const void *addr, size_t bytes);
/* And back; NULL when the range leaves guest memory. */
void *driver_mem_host(const struct driver *drv, uint64_t gpa, size_t bytes);
/* A duplicate, with close-on-exec, of the file that guest memory is, so that another process can
 * write there; *fd_offset: where addr lies in it. Negative errno. */
int driver_mem_file(const struct driver *drv, const void *addr, int *fd, uint64_t *fd_offset);

/* Where a ring lies, for someone who serves it in this process. Pointers, and what vhost-user says.
 */
struct driver_ring_layout {
	void *desc;   /* split: descriptor table. packed: the ring */
	void *driver; /* split: available ring. packed: driver event suppression */
	void *device; /* split: used ring. packed: device event suppression */
	uint64_t desc_gpa, driver_gpa, device_gpa;
	uint64_t features;    /* INDIRECT_DESC, EVENT_IDX, RING_PACKED as used */
	uint16_t size;        /* descriptors */
	int kick_fd, call_fd; /* -1: none */
};
int driver_ring_layout(
	const struct driver *drv, unsigned int queue, struct driver_ring_layout *layout);

/*
 * Raw chains, for benches and for tests of the device: fixed memory, any bytes, no meaning. The
 * same slots, rings and kicks as commands, so an echo loop and the device are measured by the same
 * code. Pieces are byte ranges of one buffer of at most 64 KiB and may overlap (the Linux driver
 * uses one memory for both halves of a payload); one descriptor each, at most 32 in all.
 */
struct driver_raw_piece {
	uint32_t offset_bytes, len_bytes;
};
struct driver_raw_shape {
	struct driver_raw_piece pieces[32]; /* readable ones first */
	unsigned int nb_read, nb_write;
};
struct driver_raw;

/* Takes one command slot until release. -EINVAL, -EAGAIN, -ENOMEM. */
int driver_raw_prepare(
	struct driver *drv, const struct driver_raw_shape *shape, struct driver_raw **raw);
/* The buffer; zeroed at prepare, afterwards exactly what caller and device wrote. */
void *driver_raw_buffer(struct driver_raw *raw);
/* Fills *shape as driver_ioctl() places this ioctl: [command][payload]{response}{payload}. */
int driver_raw_shape_ioctl(unsigned long request, struct driver_raw_shape *shape);
/* Publishes, kicks if the device wants it. -EBUSY while in flight. */
int driver_raw_submit(struct driver_raw *raw);
/* 1: back, *used_len (checked against the writable bytes) and *timing are set; 0: not yet. */
int driver_raw_poll(struct driver_raw *raw, uint32_t *used_len, struct driver_timing *timing);
/* submit, spin or sleep until it is back. 0, -ETIMEDOUT, -ENODEV, -EIO. */
int driver_raw_call(struct driver_raw *raw, uint32_t *used_len, struct driver_timing *timing);
/* Used elements taken from the eventq since connect, dropped events included: a raw QBUF is unknown
 * to the session, so its DQBUF is dropped, but it was seen. *seen_tsc: the last one. */
uint64_t driver_raw_events(const struct driver *drv, uint64_t *seen_tsc);
/* The bytes of the last of them, until as many came as there are event buffers. NULL: none yet. */
const void *driver_raw_event(const struct driver *drv);
/* While in flight the slot is given up to the device and comes back by itself. */
void driver_raw_release(struct driver_raw *raw);

#endif
