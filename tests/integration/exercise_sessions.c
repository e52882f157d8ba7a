/* SPDX-License-Identifier: BSD-3-Clause */
/* Many sessions of a codec side by side, each with formats, buffers and a frame of its own. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "exercise.h"

enum {
	WIDTH = 32,
	HEIGHT = 32,
	NB_ASKED = 100,
	NB_PAIRS = 501,
	WAIT_MS = 10000
};

struct context {
	struct exercise *ex;
	struct driver_session *session;
	uint32_t nb_done[2]; /* buffers that came back: of the input, of the result */
};

static const uint32_t types[2] = {V4L2_BUF_TYPE_VIDEO_OUTPUT, V4L2_BUF_TYPE_VIDEO_CAPTURE};

static int
command(struct context *c, unsigned long request, const char *name, void *arg)
{
	int rc = driver_ioctl(c->session, request, arg);

	exercise_claim(c->ex, rc == 0, "session %" PRIu32 ": %s: %s", driver_session_id(c->session),
		name, strerror(-rc));
	return rc;
}

#define COMMAND(c, name, arg) command((c), VIDIOC_##name, #name, (arg))

static void
on_event(struct driver_session *session, const struct driver_event *event, void *arg)
{
	struct context *c = arg;

	if (event->kind == DRIVER_EVENT_DQBUF) {
		c->nb_done[event->dqbuf.buffer.type == types[1]]++;
	} else {
		exercise_claim(c->ex, false, "unexpected event of kind %d", event->kind);
	}
}

/* One format and one buffer each way: GREY comes in, YUYV goes out. */
static int
prepare(struct context *c)
{
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		struct v4l2_format f = {.type = types[i]};
		struct v4l2_requestbuffers req = {
			.count = 1, .type = types[i], .memory = V4L2_MEMORY_MMAP};

		f.fmt.pix.width = WIDTH;
		f.fmt.pix.height = HEIGHT;
		f.fmt.pix.pixelformat = i == 0 ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_YUYV;
		rc = COMMAND(c, S_FMT, &f);
		rc = rc != 0 ? rc : COMMAND(c, REQBUFS, &req);
	}
	return rc;
}

/* The buffer's memory, until driver_munmap(); NULL, said. */
static uint8_t *
map(struct context *c, uint32_t type, size_t wanted)
{
	struct v4l2_buffer b = {.type = type, .memory = V4L2_MEMORY_MMAP};
	void *addr = NULL;
	size_t len = 0;
	int rc = COMMAND(c, QUERYBUF, &b);

	rc = rc != 0 ? rc : driver_mmap(c->session, b.m.offset, true, &addr, &len);
	exercise_claim(c->ex, rc == 0 && len >= wanted, "MMAP: %s, %zu bytes", strerror(-rc), len);
	return rc == 0 ? addr : NULL;
}

/* A picture that no neighbour has. */
static uint8_t
pixel(uint64_t session, uint32_t at)
{
	return (uint8_t)(16 + (session * 31 + at) % 200);
}

static int
fill(struct context *c, uint64_t number)
{
	uint8_t *grey = map(c, types[0], WIDTH * HEIGHT);

	if (grey == NULL) {
		return -EIO;
	}
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		grey[i] = pixel(number, i);
	}
	return driver_munmap(c->ex->drv, grey);
}

static int
start(struct context *c)
{
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0; i++) {
		struct v4l2_buffer b = {.type = types[i], .memory = V4L2_MEMORY_MMAP};

		b.bytesused = i == 0 ? WIDTH * HEIGHT : 0;
		rc = COMMAND(c, QBUF, &b);
	}
	for (int i = 0; i < 2 && rc == 0; i++) {
		int type = (int)types[i];

		rc = COMMAND(c, STREAMON, &type);
	}
	return rc;
}

/* Both buffers are back, once, and the result is the picture in the other format. */
static int
check(struct context *c, uint64_t number)
{
	uint64_t until = clock_monotonic_ns() + WAIT_MS * NSEC_PER_MSEC;
	const uint8_t *yuyv;
	uint32_t nb_wrong = 0;

	while ((c->nb_done[0] == 0 || c->nb_done[1] == 0) && clock_monotonic_ns() < until) {
		driver_wait(c->ex->drv, 100);
	}
	exercise_claim(c->ex, c->nb_done[0] == 1 && c->nb_done[1] == 1,
		"session %" PRIu64 ": %" PRIu32 " and %" PRIu32
		" buffers came back, 1 and 1 wanted",
		number, c->nb_done[0], c->nb_done[1]);
	yuyv = map(c, types[1], (size_t)WIDTH * HEIGHT * 2);
	if (yuyv == NULL) {
		return -EIO;
	}
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++) {
		nb_wrong += yuyv[2 * i] != pixel(number, i) || yuyv[2 * i + 1] != 128;
	}
	exercise_claim(c->ex, nb_wrong == 0,
		"session %" PRIu64 ": %" PRIu32 " of %d pixels are wrong", number, nb_wrong,
		WIDTH * HEIGHT);
	return driver_munmap(c->ex->drv, (void *)(uintptr_t)yuyv);
}

/* The same for all of them; the first error ends it. */
static int
each(struct context *contexts, uint64_t nb, int (*fn)(struct context *c, uint64_t number))
{
	int rc = 0;

	for (uint64_t i = 0; i < nb && rc == 0; i++) {
		rc = fn(&contexts[i], i);
	}
	return rc;
}

static int
open_one(struct context *c, uint64_t number)
{
	int rc = driver_open(c->ex->drv, &c->session);

	(void)number;
	if (!exercise_claim(c->ex, rc == 0, "OPEN: %s", strerror(-rc))) {
		return rc;
	}
	driver_session_set_event_fn(c->session, on_event, c);
	return prepare(c);
}

static int
start_one(struct context *c, uint64_t number)
{
	int rc = fill(c, number);

	return rc != 0 ? rc : start(c);
}

static int
close_one(struct context *c, uint64_t number)
{
	int rc = driver_close(c->session);

	(void)number;
	exercise_claim(c->ex, rc == 0, "CLOSE: %s", strerror(-rc));
	return rc;
}

static double
ticks_of_command(const struct exercise *ex)
{
	uint64_t before = clock_tsc();

	for (int i = 0; i < NB_ASKED; i++) {
		struct v4l2_format f = {.type = types[0]};

		driver_ioctl(ex->session, VIDIOC_G_FMT, &f);
	}
	return (double)(clock_tsc() - before) / NB_ASKED;
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* What a command takes, times what it takes on a device without these sessions: the median of
 * pairs, each so short that the CPUs seldom move meanwhile. */
static double
times_alone(const struct exercise *ex, const struct exercise *alone)
{
	double times[NB_PAIRS];

	for (int n = 0; n < NB_PAIRS; n++) {
		double without = ticks_of_command(alone);

		times[n] = ticks_of_command(ex) / without;
	}
	qsort(times, NB_PAIRS, sizeof(times[0]), compare_doubles);
	return times[NB_PAIRS / 2];
}

static int
turn(struct exercise *ex, const struct exercise *alone, struct context *contexts, uint64_t nb)
{
	int rc;

	memset(contexts, 0, nb * sizeof(*contexts));
	for (uint64_t i = 0; i < nb; i++) {
		contexts[i].ex = ex;
	}
	exercise_handshake(ex, "none");
	rc = each(contexts, nb, open_one);
	exercise_handshake(ex, "open");
	exercise_result("times_alone", times_alone(ex, alone));
	rc = rc != 0 ? rc : each(contexts, nb, start_one);
	rc = rc != 0 ? rc : each(contexts, nb, check);
	rc = rc != 0 ? rc : each(contexts, nb, close_one);
	return rc;
}

/* Twice, so that what is left behind shows; the session of the program stays open beside them. */
int
do_sessions(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	struct exercise alone = *ex;
	struct context *contexts = calloc(nb, sizeof(*contexts));
	int rc = contexts != NULL ? exercise_open(ex) : -ENOMEM;

	alone.config.socket_path = ex->args[1];
	rc = rc != 0 ? rc : exercise_open(&alone);
	if (rc == 0) {
		rc = turn(ex, &alone, contexts, nb);
		rc = rc != 0 ? rc : turn(ex, &alone, contexts, nb);
		exercise_handshake(ex, "closed");
		exercise_close(&alone);
		exercise_close(ex);
	}
	free(contexts);
	return rc;
}
