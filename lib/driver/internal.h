/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of this room share. HOT. */
#ifndef VMEDIA_DRIVER_INTERNAL_H
#define VMEDIA_DRIVER_INTERNAL_H

#include "base/clock.h"
#include "driver/bus.h"
#include "driver/driver.h"
#include "driver/frontend.h"
#include "driver/memory.h"
#include "driver/ring.h"
#include "driver/virtio_pci.h"
#include "driver/window.h"
#include "linux/virtio_media.h"
#include "protocol/ioctl_table.h"

/*
 * Memory of a command slot: one page. Command, response and a small payload share a cache line, so
 * that a short ioctl moves one line each way.
 */
#define SLOT_BYTES   4096u
#define SLOT_CMD     0u
#define SLOT_RESP    24u
#define SLOT_PAYLOAD 48u   /* the same memory in both halves, as in the Linux driver */
#define SLOT_TABLE   3072u /* indirect table */

#define MAX_SLOTS        256u
#define MAX_REPLY_BYTES  2072u
#define NB_BUFFER_TYPES  15u   /* V4L2 buffer types 0..14 */
#define MAX_SG_ENTRIES   1024u /* per ioctl, as in the Linux driver */
#define MAX_BOUNCE_BYTES (1u << 20)
#define MAX_CONTROLS     1024u
#define SESSION_BUCKETS  64u
#define MAX_V4L2_EVENTS  64u  /* waiting per session */
#define EVENT_SLOT_BYTES 640u /* 608 rounded up to cache lines */
#define EVENT_BYTES      ((uint32_t)sizeof(struct virtio_media_event_dqbuf))
#define COMPLETION_BATCH 64u

enum command_state {
	COMMAND_FREE,
	COMMAND_HELD,     /* taken, not published */
	COMMAND_FLIGHT,   /* published */
	COMMAND_GIVEN_UP, /* published, nobody waits any more: memory is the device's */
};

struct command;
/* Reads the answer; returns the status for the caller. cmd->used_len <= write_bytes here. */
typedef int command_decode_fn(struct command *cmd);

struct command {
	/* Fixed for the life of the driver. */
	struct driver *drv;
	uint8_t *mem;
	uint64_t gpa;
	struct command *next_free;

	/* Of the current use. */
	enum command_state state;
	bool finished; /* decoded, status is valid, someone will look */
	bool marked;   /* this QBUF set the queued bit of its buffer */
	bool excused;  /* fell due in an absence of the driver, and has its time once more */
	int status;
	uint32_t used_len;
	uint32_t write_bytes;
	uint64_t deadline_tsc;
	struct driver_timing timing;
	command_decode_fn *decode;
	driver_done_fn *done; /* NULL: someone waits for `finished` */
	void *cookie;
	struct driver_session *session;
	struct driver_raw *raw;

	/* An ioctl. */
	const struct ioctl_desc *desc;
	void *arg;
	uint32_t nb_elems; /* planes or controls */
	uint32_t elem_bytes;
	uint8_t *array_mem;  /* them in guest memory */
	uint8_t *extra;      /* guest memory beyond the slot, for arrays and SG lists */
	uint8_t *bounce;     /* guest memory for control payloads that lie elsewhere */
	uint8_t *array_copy; /* private copy of the answer: array_small or malloc */
	uint32_t buffer_type, buffer_index;
	uint8_t array_small[VIDEO_MAX_PLANES * sizeof(struct v4l2_plane)];
	_Alignas(8) uint8_t reply[MAX_REPLY_BYTES];
	struct ring_chain chain;
};

struct session_queue {
	uint32_t allocated;
	bool draining;   /* leftovers of a stopped queue are expected just now */
	uint64_t queued; /* one bit per buffer */
};

struct driver_session {
	struct driver *drv;
	struct driver_session *next;
	uint32_t id;
	bool error, closing;
	unsigned int nb_flight; /* asynchronous requests */
	driver_event_fn *event_fn;
	void *event_arg;
	struct driver_event *fifo;
	uint32_t fifo_size, fifo_head, fifo_count, nb_v4l2_waiting;
	struct session_queue queues[NB_BUFFER_TYPES];
};

struct held_event {
	uint16_t token;
	uint64_t due_tsc;
};

struct live_map {
	uint64_t offset; /* in region 0 */
	uint32_t refs;
};

struct driver {
	struct ring rings[DRIVER_NB_QUEUES];
	struct driver_config config;
	const struct bus_ops *bus;
	bool running;
	int dead; /* 0, or why nothing works any more: negative errno */
	uint64_t timeout_tsc, next_check_tsc;
	struct command *commands;
	struct command *free_commands;
	uint32_t nb_commands, nb_flight;
	bool armed; /* interrupts on for a caller's own poll(2) */

	uint8_t *event_mem;
	uint64_t event_gpa, repost_delay_tsc;
	uint64_t nb_events_taken, event_seen_tsc;
	const uint8_t *last_event; /* in event_mem; NULL: none yet */
	struct held_event held[DRIVER_MAX_EVENT_BUFFERS];
	uint32_t held_head, nb_held;

	struct driver_session *sessions[SESSION_BUCKETS];
	struct live_map *maps;
	uint32_t nb_maps, maps_size;

	struct driver_stats stats;
	struct driver_info info;
	struct memory mem;
	struct window window;
	struct frontend fe;
	struct virtio_pci *pci; /* of bus_virtio_pci */
	int spare_fds[2];       /* masked call and error eventfds, as QEMU hands over */
	uint8_t *slot_mem;
};

/* driver.c, for buses. The kick, call and spare eventfds, closed with the driver. */
int driver_open_eventfds(struct driver *drv);
/* Their interrupts, taken note of. */
void driver_drain_eventfds(struct driver *drv);
/* RING_F_* bits that the configuration allows. */
uint64_t driver_wanted_features(const struct driver_config *c);
void driver_kick_all(struct driver *drv);

/* command.c: slots, publication, completion. */
struct command *command_get(struct driver *drv);
void command_put(struct command *cmd);
/* Empty chain; then readable parts, then writable ones, cut as configured. */
void command_begin(struct command *cmd);
int command_add_read(struct command *cmd, const void *mem, uint32_t bytes);
int command_add_write(struct command *cmd, const void *mem, uint32_t bytes);
int command_publish(struct command *cmd);
/* Until finished; the status. The command is the caller's again unless it was given up. */
int command_wait(struct command *cmd);
/* publish, wait, put. */
int command_run(struct command *cmd);
/* Status of the response header: 0, -errno, -EPROTO. */
int command_status(struct command *cmd);
unsigned int command_collect(struct driver *drv);
void command_give_up(struct command *cmd, int status);
void command_fail_all(struct driver *drv, int status);
/* Every now and then: time-outs, death. 0 or drv->dead. */
int driver_check(struct driver *drv);
/* Until something arrived, at most until deadline_tsc: sleeps, or spins a little. */
void driver_idle(struct driver *drv, uint64_t deadline_tsc);

/* ioctl.c, payload.c, check.c */
int payload_build(struct command *cmd, const struct ioctl_desc *desc, void *arg);
int payload_build_array(struct command *cmd);
void payload_release(struct command *cmd);
int payload_copy_out(struct command *cmd);
int reply_check(struct command *cmd);
void ioctl_track_submit(struct command *cmd);
void ioctl_track_done(struct command *cmd);

/* raw.c */
void raw_detach(struct command *cmd);

/* event.c */
int events_init(struct driver *drv);
void events_post_all(struct driver *drv);
unsigned int events_collect(struct driver *drv);
uint64_t events_next_due(const struct driver *drv);

/* session.c */
struct driver_session *session_find(struct driver *drv, uint32_t id);
void sessions_free(struct driver *drv);
int session_fifo_grow(struct driver_session *session);
void session_fifo_push(struct driver_session *session, const struct driver_event *event);
void session_fifo_purge(struct driver_session *session, uint32_t type);

static inline bool
type_is_mplane(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

#endif
