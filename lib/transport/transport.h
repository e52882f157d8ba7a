/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between a device and whatever carries its rings. Two implementations: vhost_user (gateway +
 * librte_vhost) and loopback (same process, for tests, fuzzers and ThreadSanitizer).
 *
 * Control flow: the transport takes the device out of its reactor's passes (quiesce), changes what
 * it must, and puts it back (resume). While quiesced nobody else touches the device, so the other
 * up-calls run directly on the transport's thread.
 *
 *   quiesce → done → set_memory / ring_start / ring_stop / reset … → resume
 */
#ifndef VMEDIA_TRANSPORT_TRANSPORT_H
#define VMEDIA_TRANSPORT_TRANSPORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "virtq/guest_mem.h"
#include "virtq/virtq.h"

#define TRANSPORT_NB_QUEUES    2
#define TRANSPORT_CONFIG_BYTES 40

/* Virtio features every transport offers (bits 28, 29, 32, 34) and vmm.md R5. */
#define TRANSPORT_FEATURES                                                 \
	((1ULL << 28) /* INDIRECT_DESC */ | (1ULL << 29) /* EVENT_IDX */ | \
		(1ULL << 32) /* VERSION_1 */ | (1ULL << 34) /* RING_PACKED */)

struct transport_ops;

/* One per device; the first member of what each implementation allocates. */
struct transport {
	const struct transport_ops *ops;
};

enum transport_quiesce {
	/* Memory or fds change under running rings: commands that wait for something else than
	 * guest memory go on waiting. */
	TRANSPORT_CHANGE,
	/* Rings stop: every command that was taken is answered first, within TRANSPORT_STOP_MS,
	 * with an errno if need be. So a stopped ring's position is its used index. */
	TRANSPORT_STOP
};
#define TRANSPORT_STOP_MS 50

/* Up-calls: transport (F3) → device (F4). Transport's thread only; never concurrently. */
struct transport_listener {
	/* Leave the device out of passes, finish or fail what holds guest memory, then call
	 * done(arg), once, from the reactor's thread. Never blocks. Nested calls are not made. */
	void (*quiesce)(
		void *device, enum transport_quiesce why, void (*done)(void *arg), void *arg);
	void (*resume)(void *device);

	/* All while quiesced. */
	void (*set_memory)(void *device, const struct guest_mem *mem); /* copied; NULL: none */
	int (*ring_start)(void *device, unsigned int queue, const struct virtq_config *config);
	uint16_t (*ring_stop)(void *device, unsigned int queue); /* base; safe when stopped */
	/* The driver is new: sessions, events, windows go. */
	void (*reset)(void *device);

	/* Not quiesced, any thread: the answer to window_map. 0: the arena is mapped at the
	 * front-end; -ENOTSUP: it never will be on this connection; -EIO, -ETIMEDOUT. */
	void (*window_ready)(void *device, int status);
	/* Any time after creation, constant. */
	void (*get_config)(void *device, uint8_t config[TRANSPORT_CONFIG_BYTES]);
};

/* Which vhost-user protocol features a front-end is offered, see docs/vmediad.md. */
enum transport_compat {
	TRANSPORT_COMPAT_AUTO, /* what the front-ends of today use, guessed from their greeting */
	TRANSPORT_COMPAT_CURRENT, /* shared memory by its final number only */
	TRANSPORT_COMPAT_LEGACY,  /* with shared memory as crosvm of 2024 and 2025 wants it */
	TRANSPORT_COMPAT_ALL      /* whatever is implemented */
};

struct transport_config {
	const char *name; /* the device's, for logs */
	const char *path; /* UNIX socket to listen on; or NULL with listen_fd */
	int listen_fd;    /* an already listening socket (socket activation), or -1 */
	uint16_t
		max_queue_size; /* commandq and eventq, announced nowhere, a bound; default 32768 */
	enum transport_compat compat;
	int arena_fd; /* SHM region 0, kept open by the device; or -1: no region */
	uint64_t arena_bytes;
	/* Gets lost_mark when a page of the front-end's memory is gone (base/fault.h); the device
	 * then calls give_up. NULL: the memory is not guarded. */
	atomic_uint *lost;
	unsigned int lost_mark;
};

/* Down-calls: device → transport. */
struct transport_ops {
	const char *name;
	/* Control thread. The listener may be called before create returns. */
	int (*create)(const struct transport_config *config,
		const struct transport_listener *listener, void *device,
		struct transport **transport);
	/* Control thread. Quiesces, stops and disconnects first; no up-call afterwards. */
	void (*destroy)(struct transport *transport);
	/* Reactor thread, never blocks: map the whole arena at the front-end (SHMEM_MAP). Answered
	 * by window_ready, always, within 1.5 s. Called once per start, at the first command
	 * needing it. */
	void (*window_map)(struct transport *transport);
	/* Reactor thread, never blocks: memory shared with the front-end is gone, nothing can be
	 * told to it any more. Ends the connection as if the front-end had; the next is welcome. */
	void (*give_up)(struct transport *transport);
};

/* What was refused of a front-end, by reason: its messages, and its answers to ours. */
#define TRANSPORT_BAD_MESSAGES(X)                                                           \
	X(bad_header, "headers of another version, direction or size: the connection ends") \
	X(unknown_request, "requests that are not known here, or were not offered")         \
	X(bad_size, "messages shorter or longer than their request, or than their counts")  \
	X(bad_index, "queues beyond the second")                                            \
	X(bad_fds, "messages with too few or too many descriptors")                         \
	X(bad_features, "features that were not offered")                                   \
	X(read_only, "writes to the config space")                                          \
	X(bad_queue_size, "queue sizes of 0, too large, or (split) no power of two")        \
	X(no_eventfd, "kicks and calls that are no eventfd")                                \
	X(unmappable, "memory tables with regions that cannot be mapped")                   \
	X(too_many_regions, "memory regions beyond those that librte_vhost takes")          \
	X(unknown_region, "removals of memory regions that are not there")                  \
	X(no_descriptors, "memory regions for which there were no descriptors left")        \
	X(bad_table, "memory tables that overlap or wrap")                                  \
	X(bad_ring, "rings that cannot start where they are said to lie")                   \
	X(library, "messages that librte_vhost does not take")
#define TRANSPORT_BAD_ANSWERS(X)                                                 \
	X(map_refused, "SHMEM_MAP that the front-end refused")                   \
	X(map_unanswered, "SHMEM_MAP that the front-end did not answer in time") \
	X(bad_reply, "back-end channels closed for a malformed reply")
#define TRANSPORT_REFUSALS(X) TRANSPORT_BAD_MESSAGES(X) TRANSPORT_BAD_ANSWERS(X)

struct transport_refusals {
#define X(name, help) uint64_t name;
	TRANSPORT_REFUSALS(X)
#undef X
};

/* What an operator wants to see of a connection; control threads, copied under no lock. */
struct transport_status {
	bool connected;
	bool started;      /* both rings run */
	uint64_t features; /* virtio features acked */
	uint64_t protocol_features;
	uint64_t nb_connections;
	uint64_t nb_bad_messages; /* all of TRANSPORT_BAD_MESSAGES together */
	uint64_t nb_map_refused;
	struct transport_refusals refused; /* since the device was created */
};

#endif
