/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-exercise: a driver that does one thing to a vhost-user socket, many times, and claims what
 * has to be true of it. Integration tests and bars start it beside vmediad. One thread.
 */
#ifndef VMEDIA_TESTS_EXERCISE_H
#define VMEDIA_TESTS_EXERCISE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "driver/driver.h"
#include "stats/hist.h"

#define EXERCISE_MAX_ARGS 3
#define FLOW_MAX_BUFFERS  32

struct exercise {
	struct driver_config config;   /* from the options */
	struct driver_machine machine; /* memory_path NULL: the socket is vmediad's */
	uint32_t nb_buffers;
	bool json, handshake;
	const char *args[EXERCISE_MAX_ARGS]; /* of the command; NULL: not given */
	struct driver *drv;                  /* connected by exercise_open */
	struct driver_session *session;
	bool failed; /* a claim did not hold */
};

/* One number of the result, printed at the end. The name is kept, not copied. */
void exercise_result(const char *name, double value);
/* NAME_p50_us, NAME_p99_us, NAME_max_us of a histogram in ns; `names` gives the three. */
void exercise_result_hist(const char *const names[3], const struct hist *ns);
/* Says what is wrong and makes the exit status 1 when `holds` is false. Returns `holds`. */
bool exercise_claim(struct exercise *ex, bool holds, const char *format, ...) __printf_like(3, 4);
/* With --handshake: prints the word and waits for a line, so that a test can look meanwhile. */
void exercise_handshake(const struct exercise *ex, const char *word);
/* Argument i as a number, at least 1; exits when it is none. */
uint64_t exercise_number(const struct exercise *ex, unsigned int i);

/* Prints the word and waits for a line, "go" when the other side did what the word says. */
int exercise_ask(const char *word);

/* Connection and session. 0 or a negative errno, said on stderr. */
int exercise_open(struct exercise *ex);
void exercise_close(struct exercise *ex);
/* One G_CTRL (brightness); timing may be NULL. */
int exercise_get_ctrl(struct exercise *ex, struct driver_timing *timing);

/* One V4L2 queue that streams: every event is checked against the order of the QBUFs. */
struct flow {
	struct exercise *ex;
	const struct flows *flows;
	struct v4l2_pix_format format;
	uint32_t type, nb_buffers, sizeimage;
	struct v4l2_buffer buffers[FLOW_MAX_BUFFERS];
	bool with_device[FLOW_MAX_BUFFERS];
	bool fresh[FLOW_MAX_BUFFERS];     /* holds a frame that nobody looked at */
	uint32_t order[FLOW_MAX_BUFFERS]; /* ring of indices as queued */
	uint32_t order_head, nb_queued;
	void *addr[FLOW_MAX_BUFFERS];        /* of each buffer */
	uint32_t sequence[FLOW_MAX_BUFFERS]; /* of the last frame in it */
	uint32_t idle[FLOW_MAX_BUFFERS];     /* to be queued again */
	uint32_t nb_idle;
	bool stopping;
	uint64_t nb_frames, nb_gaps, nb_out_of_order, nb_damaged, nb_failed;
	uint32_t last_sequence;
};

/* Streams of a node: one flow, or two on an m2m node, which exchange frames. */
struct flows {
	struct flow flow[2];
	unsigned int nb;
	uint32_t memory; /* V4L2_MEMORY_USERPTR: in guest memory; anything else: MMAP */
	/* Called with each frame before its buffer is queued again; NULL: not looked at. */
	void (*look)(struct flow *flow, uint32_t index);
};

/*
 * REQBUFS, memory for every buffer, QBUF of all, STREAMON. `memory` and `look` are the caller's.
 * 0 or a negative errno, said on stderr.
 */
int flows_start(struct exercise *ex, struct flows *flows);
/* Queues what came back and takes what is there. Number of things done or an error. */
int flows_turn(struct flows *flows);
/* flows_turn, and if it did nothing waits for at most 100 ms. Negative: the device is gone. */
int flows_step(struct flows *flows);
/* Looks at the frames that came and were not queued again yet. */
void flows_look(struct flows *flows);
/* Frames received on the slowest flow. */
uint64_t flows_nb_frames(const struct flows *flows);
/* Queues nothing any more and waits until every buffer came back: false when some did not. */
bool flows_drain(struct flows *flows);
/* STREAMOFF, REQBUFS(0); the figures and the claims "once, in order, intact". */
void flows_stop(struct flows *flows);

/* The commands: 0, or a negative errno that ends the program. */
typedef int exercise_fn(struct exercise *ex);
exercise_fn do_ioctls, do_timed, do_connects, do_opens, do_reqbufs_loop;
exercise_fn do_frames, do_mixed, do_spread, do_slow, do_stream;
exercise_fn do_rare;
exercise_fn do_sessions;
exercise_fn do_machine;
/* A machine whose monitor is whoever reads what we print: exercise_ask(). */
extern const struct driver_machine exercise_machine;

#endif
