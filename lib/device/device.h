/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One virtio-media device: what the control room creates and looks at. See internal.h for the
 * inside.
 */
#ifndef VMEDIA_DEVICE_DEVICE_H
#define VMEDIA_DEVICE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/reactor.h"
#include "shm/arena.h"
#include "stats/hist.h"
#include "transport/transport.h"
#include "vmedia/backend.h"

/* A backend option as text, from --device or the config file. */
struct device_option {
	const char *key;
	const char *value;
};

/* What one guest may make the device hold (S-14). 0: the default in brackets. */
struct device_quota {
	uint32_t max_sessions;      /* [256], a power of two at most 65536 */
	uint32_t max_windows;       /* live mappings, orphans included [1024] */
	uint32_t max_subscriptions; /* per session [64] */
	uint64_t max_session_bytes; /* buffer bytes of one session [the arena] */
};

struct device_config {
	const char *name; /* unique in the process; copied */
	const struct vmedia_backend_ops *backend;
	const struct device_option *options; /* for the backend; unknown keys were refused before */
	uint32_t nb_options;
	struct reactor *reactor;
	/* Arena: size_bytes 0 takes default buffers (32) × the default format's size, rounded up.
	 */
	struct shm_arena_config arena;
	struct device_quota quota;
	bool shared_pages;    /* guests may bring buffers of their own (USERPTR) */
	bool remove_buffers;  /* VIDIOC_REMOVE_BUFS exists, where the core has the buffers */
	uint32_t deadline_ms; /* a deferred command is answered by then [2000] */
	uint32_t drain_ms;    /* longest wait for events in flight at STREAMOFF … [200] (T-11) */
	uint32_t coalesce_us; /* between two notifications of frames alone; 0: one per pass */
	uint32_t pass_commands; /* commands taken per pass [32] */
	/* For benches: the low 32 bits of the TSC at which a frame was done are the user bits of
	 * its timecode, so that a driver can tell how long ago that was. */
	bool stamp_done;
	const struct transport_ops *transport;
	struct transport_config transport_config; /* name, arena_* are filled in by device_create */
};

/*
 * Control thread, before device_create: settles arena.size_bytes where it is 0, so that the huge
 * pages of many devices can be added up first. Errors as those of device_create.
 */
int device_plan_arena(struct device_config *config);

/* Control thread. 0 or a negative errno; what was wrong is in the log. */
int device_create(const struct device_config *config, struct vmedia_device **device);
/* Control thread, while the reactor runs. Disconnects the front-end, closes all sessions. */
void device_destroy(struct vmedia_device *device);

/* False: its backend keeps its reactor. */
bool device_can_move(const struct vmedia_device *device);
/*
 * Control threads, one at a time per device, never within a reactor: another reactor takes the
 * device over, whatever it is doing; driver, sessions and frames do not notice. Both run until it
 * returns. 0; -EBUSY: for a second there was no moment without a job under way; -EOPNOTSUPP: it
 * cannot move; or why its fds could not be watched.
 */
int device_move(struct vmedia_device *device, struct reactor *to);

/* The listener that device_create hands to the transport (tests drive it through loopback). */
extern const struct transport_listener device_listener;
struct transport *device_transport(struct vmedia_device *device);
/* Reactor thread: tells a tracer of the device, its sessions and formats. */
void device_statedump(struct vmedia_device *device);
/* Any thread; it may be another one right after. */
struct reactor *device_reactor(const struct vmedia_device *device);
struct shm_arena *device_arena(const struct vmedia_device *device);

/* Numbers; single writer (the reactor), read relaxed by any thread. */
#define DEVICE_COUNTERS(X)                                                                \
	X(nb_commands, "commands answered")                                               \
	X(nb_failed, "commands answered with an errno")                                   \
	X(nb_malformed, "chains refused before they were a command")                      \
	X(nb_deferred, "commands answered later")                                         \
	X(nb_timed_out, "deferred commands answered by the deadline")                     \
	X(nb_sessions, "sessions opened")                                                 \
	X(nb_frames, "buffers done")                                                      \
	X(nb_cancelled, "buffers taken back by STREAMOFF, REQBUFS, CLOSE or reset")       \
	X(nb_events, "events published")                                                  \
	X(nb_event_starved, "passes in which events waited for a descriptor")             \
	X(nb_event_too_small, "event descriptors too small, returned empty")              \
	X(nb_missed_no_buffer, "periods missed: no queued buffer")                        \
	X(nb_missed_late_render, "periods missed: rendering took too long")               \
	X(nb_missed_late_reactor, "periods missed: the reactor came late")                \
	X(nb_imported, "frames that a host device put into guest buffers, or took there") \
	X(nb_copied, "frames copied to or from a host device's own buffers")              \
	X(bytes_copied, "pixel bytes copied")                                             \
	X(nb_quota, "requests refused by a quota")                                        \
	X(nb_memory_lost, "times that shared memory was taken from under the device")     \
	X(nb_resets, "device resets")

struct device_counters {
#define X(name, help) uint64_t name;
	DEVICE_COUNTERS(X)
#undef X
};

/* What was refused, by reason. Numbers as above; bad_chains is the rings' own. */
#define DEVICE_REFUSALS(X)                                                                \
	X(bad_chains, "descriptor chains that make no sense, returned empty")             \
	X(avail_jumped, "rings broken: available index ahead by more than the ring")      \
	X(bad_head, "rings broken: a descriptor that is not there")                       \
	X(endless_chain, "rings broken: a chain without an end")                          \
	X(memory_lost, "times that shared memory was gone")                               \
	X(unknown_command, "commands of no known number")                                 \
	X(short_command, "commands shorter than their header")                            \
	X(no_room, "commands without room for an answer")                                 \
	X(small_event, "event descriptors too small for the event")                       \
	X(no_session, "commands of a session that is not there")                          \
	X(unsupported_ioctl, "ioctls the device does not have")                           \
	X(bad_payload, "ioctls with a payload that is too short, or with no room for it") \
	X(no_mapping, "MMAP of what is no buffer, MUNMAP of what is not mapped")          \
	X(unmapped_address, "buffers that name memory the guest does not have")           \
	X(too_many_pieces, "buffers cut into more pieces than there is room for")         \
	X(quota_sessions, "OPEN beyond the number of sessions")                           \
	X(quota_windows, "MMAP beyond the number of windows")                             \
	X(quota_bytes, "buffers beyond the bytes of a session")                           \
	X(quota_subscriptions, "subscriptions beyond the number of a session")            \
	X(quota_deferred, "control commands that could not be put off")                   \
	X(arena_full, "buffers for which the arena has no room")                          \
	X(deadline, "commands given up at their deadline")

struct device_refusals {
#define X(name, help) uint64_t name;
	DEVICE_REFUSALS(X)
#undef X
};

struct device_stats {
	struct device_counters counters;
	struct device_refusals refused;
	uint32_t open_sessions;
	uint32_t pending_events;
	bool started;
	struct {
		uint64_t notified;   /* the driver, by its eventfd */
		uint64_t suppressed; /* it did not want to be */
	} bells[TRANSPORT_NB_QUEUES];
	enum virtq_broken broken; /* why a ring is not served; VIRTQ_SOUND: all is well */
	struct shm_arena_usage arena;
	uint64_t work_tsc; /* ticks its reactor spent in the backend's work (rendering) */
};
void device_stats(const struct vmedia_device *device, struct device_stats *stats);
/* What became of the ioctls of a number below VMEDIA_NB_IOCTLS. */
struct ioctl_answers {
	uint64_t nb_ok, nb_failed;
	uint64_t errnos[3]; /* bit n: it failed with errno n */
};
void device_ioctl_answers(
	const struct vmedia_device *device, uint32_t nr, struct ioctl_answers *answers);
/* Seen available → published, in TSC ticks, of commands; and done → published, of frames. Live;
 * copy with hist_snapshot. */
const struct hist *device_command_hist(const struct vmedia_device *device);
const struct hist *device_frame_hist(const struct vmedia_device *device);
void device_hists_reset(struct vmedia_device *device);

/* By name, NULL if there is none; and all of them, in order of registration. */
const struct vmedia_backend_ops *backend_find(const char *name);
const struct vmedia_backend_ops *backend_next(const struct vmedia_backend_ops *previous);
/* Checks one option without storing it. -EINVAL: *why says what is allowed. */
int backend_option_check(const struct vmedia_backend_ops *backend, const char *key,
	const char *value, char *why, size_t why_bytes);

#endif
