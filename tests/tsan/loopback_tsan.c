/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole device under ThreadSanitizer: this thread is driver and front-end, the reactor and its
 * offload thread run by themselves. Frames flow while memory tables change, rings stop and go on,
 * statistics are read and sessions come and go; and the device moves between two reactors.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/device/harness.h"

#define NB_FRAMES  400
#define NB_BUFFERS 8
#define NB_ROUNDS  20
#define NB_MOVES   40

#define CHECK(claim)                                                                \
	do {                                                                        \
		if (!(claim)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			exit(1);                                                    \
		}                                                                   \
	} while (0)

static union {
	uint8_t bytes[H_EVENT_SIZE];
	struct virtio_media_event_dqbuf dqbuf;
} event;

static void
look(struct h *h)
{
	struct device_stats stats;
	static struct hist copy;

	device_stats(h->device, &stats);
	CHECK(stats.started && !stats.broken && stats.open_sessions == 1);
	hist_snapshot(device_command_hist(h->device), &copy);
	hist_snapshot(device_frame_hist(h->device), &copy);
}

static struct reactor *other;

static void
move(struct h *h)
{
	struct reactor *to = device_reactor(h->device) == h->reactor ? other : h->reactor;

	CHECK(device_move(h->device, to) == 0 && device_reactor(h->device) == to);
}

static void
frames(struct h *h, uint32_t session, uint32_t nb)
{
	uint32_t n = 0, sequence = 0;

	while (n < nb) {
		if (h_event(h, &event) < 0) {
			h_pass(h, 1);
			continue;
		}
		CHECK(event.dqbuf.hdr.session_id == session);
		CHECK(n == 0 || event.dqbuf.buffer.sequence == sequence + 1);
		sequence = event.dqbuf.buffer.sequence;
		h_post_events(h, 1, H_EVENT_SIZE);
		CHECK(h_qbuf(h, session, event.dqbuf.buffer.index) == 0);
		if (n++ % 50 == 7) {
			look(h);
		}
		if (n % (NB_FRAMES / NB_MOVES) == 3) {
			move(h);
		}
	}
}

static void
drop_events(struct h *h)
{
	while (h_event(h, &event) >= 0) {
		h_post_events(h, 1, H_EVENT_SIZE);
	}
}

static void
stream(struct h *h)
{
	uint32_t s = h_open(h), i;
	uint64_t addr;

	CHECK(h_reqbufs(h, s, NB_BUFFERS) == NB_BUFFERS);
	CHECK(h_mmap(h, s, 0, 1, &addr) == 0);
	for (i = 0; i < NB_BUFFERS; i++) {
		CHECK(h_qbuf(h, s, i) == 0);
	}
	CHECK(h_stream(h, s, true) == 0);
	frames(h, s, NB_FRAMES);
	CHECK(h_stream(h, s, false) == 0);
	drop_events(h);
	CHECK(h_munmap(h, addr) == 0);
	h_close(h, s);
}

static void
come_and_go(struct h *h)
{
	for (uint32_t i = 0; i < NB_ROUNDS; i++) {
		uint32_t s = h_open(h);

		CHECK(h_reqbufs(h, s, 1 + i % 4) == (int)(1 + i % 4));
		CHECK(h_qbuf(h, s, 0) == 0);
		if (i % 4 == 3) {
			loopback_reset(h->transport);
			fake_guest_reset(h->guest, DEVICE_COMMANDQ);
			fake_guest_reset(h->guest, DEVICE_EVENTQ);
			h_start(h);
		} else {
			h_close(h, s);
		}
	}
}

static atomic_bool moved_enough;

/* Messages of the transport meet a device that moves. */
static void *
move_along(void *arg)
{
	struct h *h = arg;

	for (unsigned int i = 0; !atomic_load(&moved_enough); i++) {
		struct reactor *to = i % 2 == 0 ? other : h->reactor;
		int ret = device_move(h->device, to);

		CHECK(ret == 0 || ret == -EBUSY);
	}
	return NULL;
}

static void
come_go_and_move(struct h *h)
{
	pthread_t thread;

	atomic_store(&moved_enough, false);
	CHECK(pthread_create(&thread, NULL, move_along, h) == 0);
	come_and_go(h);
	atomic_store(&moved_enough, true);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void
run(bool packed, enum reactor_idle idle)
{
	struct h *h = h_create(&(struct h_config){.packed = packed,
		.event_idx = packed,
		.threaded = true,
		.idle = idle,
		.drain_ms = 10,
		.endless = true});

	CHECK(reactor_create(&(struct reactor_config){.name = "other", .cpu = -1, .idle = idle},
		      &other) == 0);
	CHECK(reactor_start(other) == 0);
	h_post_events(h, 16, H_EVENT_SIZE);
	stream(h);
	come_go_and_move(h);
	CHECK(device_move(h->device, h->reactor) == 0);
	h_destroy(h);
	reactor_destroy(other);
}

int
main(void)
{
	static const enum reactor_idle idles[] = {
		REACTOR_POLL, REACTOR_ADAPTIVE, REACTOR_INTERRUPT};

	for (size_t i = 0; i < ARRAY_SIZE(idles); i++) {
		run(false, idles[i]);
		run(true, idles[i]);
	}
	puts("a driver and a reactor shared two rings without a race");
	return 0;
}
