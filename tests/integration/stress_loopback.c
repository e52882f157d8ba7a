/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver that sends everything in any order, over loopback, to devices with a reactor of their
 * own: sessions come and go, buffers are made and freed while frames are drawn, rings stop and go
 * on, the driver resets, devices are destroyed in the middle of it all.
 *
 * Checked: every command is answered, once, within the time a device may take; after a reset no
 * byte of the arena is left over. The rest is for the sanitizers. Usage: [SECONDS [SEED]]; the seed
 * is printed.
 */
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake/guest_virtq.h"
#include "unit/device/harness.h"

#define NB_STEPS       3000
#define NB_SESSIONS    6
#define MAX_UNANSWERED 48
#define NB_EVENTS      12
#define ANSWER_NS      (10 * NSEC_PER_SEC)
#define CAPTURE        V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT         V4L2_BUF_TYPE_VIDEO_OUTPUT

enum what {
	NOTHING,
	COMMAND,
	OPEN
};

struct stress {
	struct h *h;
	const char *label;
	enum what sent[256]; /* by chain */
	unsigned int nb_unanswered;
	unsigned int nb_events;         /* descriptors the driver has to post */
	uint32_t sessions[NB_SESSIONS]; /* 0: none known */
	uint64_t nb_answers, nb_taken_events;
};

static uint64_t state;

static uint32_t
below(uint32_t n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(state >> 33) % n;
}

static void
fail(const struct stress *s, const char *what)
{
	fprintf(stderr, "%s: %s\n", s->label, what);
	abort();
}

/* ---- what the device gives back ---- */

static void
take_answers(struct stress *s)
{
	struct fake_used used;
	int ret;

	while ((ret = fake_guest_poll(s->h->guest, DEVICE_COMMANDQ, &used)) == 1) {
		struct virtio_media_resp_open open;
		enum what what = s->sent[used.id];

		if (what == NOTHING) {
			fail(s, "an answer to what was never sent");
		}
		if (what == OPEN && used.len == sizeof(open) &&
			fake_used_copy(&used, &open, sizeof(open))) {
			s->sessions[below(NB_SESSIONS)] = open.session_id;
		}
		s->sent[used.id] = NOTHING;
		s->nb_unanswered--;
		s->nb_answers++;
	}
	if (ret < 0) {
		fail(s, "a used entry that no driver would accept");
	}
}

static void
take_events(struct stress *s)
{
	uint8_t event[H_EVENT_SIZE];

	while (h_event(s->h, event) >= 0) {
		s->nb_events++;
		s->nb_taken_events++;
	}
	/* Now and then the driver is slow. */
	if (s->nb_events > 0 && below(4) != 0) {
		h_post_events(s->h, s->nb_events, H_EVENT_SIZE);
		s->nb_events = 0;
	}
}

static void
take(struct stress *s)
{
	h_pass(s->h, 1);
	take_answers(s);
	take_events(s);
}

static void
wait_for_answers(struct stress *s, unsigned int nb)
{
	uint64_t end_ns = clock_monotonic_ns() + ANSWER_NS;

	while (s->nb_unanswered > nb) {
		take(s);
		if (clock_monotonic_ns() > end_ns) {
			fail(s, "a command is never answered");
		}
	}
}

/* ---- what the driver sends ---- */

static void
sent(struct stress *s, int id, enum what what)
{
	s->sent[id] = what;
	s->nb_unanswered++;
}

static void
send_ioctl(struct stress *s, uint32_t nr, const void *arg, size_t in, size_t out)
{
	sent(s, h_send_ioctl(s->h, s->sessions[below(NB_SESSIONS)], nr, arg, in, out), COMMAND);
}

static uint32_t
any_type(void)
{
	return below(4) == 0 ? OUTPUT : CAPTURE;
}

static void
send_open(struct stress *s)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};

	sent(s, h_send(s->h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_open)), OPEN);
}

static void
send_close(struct stress *s)
{
	struct virtio_media_cmd_close cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = s->sessions[below(NB_SESSIONS)]};

	sent(s, h_send(s->h, &cmd, sizeof(cmd), 0), COMMAND);
}

static void
send_reqbufs(struct stress *s)
{
	struct v4l2_requestbuffers rb = {.count = below(3) == 0 ? 0 : 1 + below(8),
		.type = any_type(),
		.memory = V4L2_MEMORY_MMAP};

	send_ioctl(s, _IOC_NR(VIDIOC_REQBUFS), &rb, sizeof(rb), sizeof(rb));
}

static void
send_create_bufs(struct stress *s)
{
	struct v4l2_create_buffers create = {
		.count = 1 + below(4), .memory = V4L2_MEMORY_MMAP, .format.type = any_type()};

	create.format.fmt.pix.sizeimage = 100000 + below(200000);
	send_ioctl(s, _IOC_NR(VIDIOC_CREATE_BUFS), &create, sizeof(create), sizeof(create));
}

static void
send_qbuf(struct stress *s)
{
	struct v4l2_buffer b = {.index = below(8), .type = any_type(), .memory = V4L2_MEMORY_MMAP};

	send_ioctl(s, _IOC_NR(VIDIOC_QBUF), &b, sizeof(b), sizeof(b));
}

static void
send_stream(struct stress *s)
{
	uint32_t nr = below(3) != 0 ? _IOC_NR(VIDIOC_STREAMON) : _IOC_NR(VIDIOC_STREAMOFF);
	uint32_t type = any_type();

	send_ioctl(s, nr, &type, sizeof(type), 0);
}

static void
send_s_fmt(struct stress *s)
{
	struct v4l2_format f = {.type = any_type()};

	f.fmt.pix.width = 320 + 16 * below(30);
	f.fmt.pix.height = 160 + 8 * below(30);
	f.fmt.pix.pixelformat = below(2) ? V4L2_PIX_FMT_NV12 : V4L2_PIX_FMT_YUYV;
	send_ioctl(s, _IOC_NR(VIDIOC_S_FMT), &f, sizeof(f), sizeof(f));
}

static void
send_subscribe(struct stress *s)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL,
		.id = below(2) ? V4L2_CID_BRIGHTNESS : V4L2_CID_GAIN,
		.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL};
	struct v4l2_control c = {.id = V4L2_CID_BRIGHTNESS, .value = (int32_t)below(256)};

	send_ioctl(s, _IOC_NR(VIDIOC_SUBSCRIBE_EVENT) + below(2), &sub, sizeof(sub), 0);
	send_ioctl(s, _IOC_NR(VIDIOC_S_CTRL), &c, sizeof(c), sizeof(c));
}

static void
send_mmap(struct stress *s)
{
	struct virtio_media_cmd_mmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP,
		.session_id = s->sessions[below(NB_SESSIONS)],
		.offset = below(64) * SHM_GRANULE_BYTES};

	sent(s, h_send(s->h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_mmap)), COMMAND);
}

static void
send_munmap(struct stress *s)
{
	struct virtio_media_cmd_munmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_MUNMAP,
		.driver_addr = (uint64_t)below(64) * SHM_GRANULE_BYTES};

	sent(s, h_send(s->h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_munmap)), COMMAND);
}

/* A whole stream at once: most of it waits for its REQBUFS. */
static void
send_start(struct stress *s)
{
	uint32_t session = s->sessions[below(NB_SESSIONS)], i, type = CAPTURE;
	struct v4l2_requestbuffers rb = {.count = 4, .type = type, .memory = V4L2_MEMORY_MMAP};

	wait_for_answers(s, MAX_UNANSWERED / 2);
	sent(s, h_send_ioctl(s->h, session, _IOC_NR(VIDIOC_REQBUFS), &rb, sizeof(rb), sizeof(rb)),
		COMMAND);
	for (i = 0; i < 4; i++) {
		struct v4l2_buffer b = {.index = i, .type = type, .memory = V4L2_MEMORY_MMAP};

		sent(s, h_send_ioctl(s->h, session, _IOC_NR(VIDIOC_QBUF), &b, sizeof(b), sizeof(b)),
			COMMAND);
	}
	sent(s, h_send_ioctl(s->h, session, _IOC_NR(VIDIOC_STREAMON), &type, sizeof(type), 0),
		COMMAND);
}

static void
send_any(struct stress *s)
{
	static void (*const sends[])(struct stress *) = {send_open, send_close, send_start,
		send_reqbufs, send_reqbufs, send_create_bufs, send_qbuf, send_qbuf, send_qbuf,
		send_qbuf, send_stream, send_stream, send_s_fmt, send_subscribe, send_mmap,
		send_mmap, send_munmap};

	sends[below(sizeof(sends) / sizeof(sends[0]))](s);
}

/* ---- what the front-end does ---- */

/* As the vhost-user transport: a split ring at its used index, a packed one at its base. */
static void
ring_go_on(struct stress *s, unsigned int queue, uint16_t base)
{
	struct virtq_config config = fake_guest_virtq(s->h->guest, queue);
	const struct vring_used *used = config.device;

	config.used_base = config.packed ? base : used->idx;
	config.avail_base = config.used_base;
	if (loopback_ring_start(s->h->transport, queue, &config) != 0) {
		fail(s, "a ring does not go on");
	}
}

static void
pause_rings(struct stress *s)
{
	uint16_t bases[2];
	unsigned int queue;

	for (queue = 0; queue < 2; queue++) {
		bases[queue] = loopback_ring_stop(
			s->h->transport, queue, below(2) ? TRANSPORT_STOP : TRANSPORT_CHANGE);
	}
	if (below(2)) {
		usleep(below(500));
	}
	for (queue = 0; queue < 2; queue++) {
		ring_go_on(s, queue, bases[queue]);
	}
}

static void
move_memory(struct stress *s)
{
	struct guest_mem mem;

	if (fake_guest_mem(s->h->guest, &mem) == 0) {
		loopback_set_memory(s->h->transport, &mem);
	}
}

static void
check_arena(struct stress *s)
{
	uint64_t end_ns = clock_monotonic_ns() + ANSWER_NS;
	struct device_stats stats;

	do {
		h_pass(s->h, 1);
		device_stats(s->h->device, &stats);
		if (clock_monotonic_ns() > end_ns) {
			fail(s, "bytes of the arena are left over after a reset");
		}
	} while (stats.arena.allocated_bytes != 0);
	if (stats.broken || stats.open_sessions != 0 || stats.pending_events != 0) {
		fail(s, "something is left over after a reset");
	}
}

static void
reset(struct stress *s)
{
	loopback_reset(s->h->transport);
	check_arena(s);
	fake_guest_reset(s->h->guest, DEVICE_COMMANDQ);
	fake_guest_reset(s->h->guest, DEVICE_EVENTQ);
	memset(s->sent, 0, sizeof(s->sent));
	memset(s->sessions, 0, sizeof(s->sessions));
	s->nb_unanswered = 0;
	s->nb_events = 0;
	h_start(s->h);
	h_post_events(s->h, NB_EVENTS, H_EVENT_SIZE);
}

static void
step(struct stress *s)
{
	uint32_t n = below(1000);

	if (n < 3) {
		reset(s);
	} else if (n < 10) {
		pause_rings(s);
	} else if (n < 14) {
		move_memory(s);
	} else if (n < 20) {
		s->h->no_window = !s->h->no_window;
	} else if (n < 24) {
		usleep(below(20000));
	}
	send_any(s);
	if (below(3) == 0 || s->nb_unanswered >= MAX_UNANSWERED) {
		wait_for_answers(s, below(MAX_UNANSWERED - 2));
	}
}

/* ---- rounds ---- */

static const struct device_option m2m[] = {{"role", "m2m"}, {"width", "320"}, {"height", "240"}};
static const struct device_option paced[] = {{"fps", "200"}, {"width", "320"}, {"height", "240"}};

static void
begin(struct stress *s, bool pattern, bool packed, bool is_m2m)
{
	struct h_config config = {.packed = packed,
		.event_idx = packed || below(2),
		.threaded = true,
		.idle = (enum reactor_idle)(REACTOR_ADAPTIVE + below(2)),
		.deadline_ms = below(2) ? 30 : 2000,
		.drain_ms = 1 + below(20),
		.arena_bytes = 4u << 20,
		.max_windows = 8,
		.backend = backend_find(pattern ? "pattern" : "null"),
		.options = is_m2m ? m2m : paced,
		.nb_options = 3};

	memset(s, 0, sizeof(*s));
	s->label = pattern ? "pattern" : is_m2m ? "null m2m" : "null";
	s->h = h_create(&config);
	h_post_events(s->h, NB_EVENTS, H_EVENT_SIZE);
}

/* While the window is not answered each MMAP takes its deadline of up to 2 s, and what comes behind
 * it waits: a round of many such steps takes minutes, so time ends it, too. */
static void
run_round(uint64_t end_ns, uint64_t totals[2])
{
	struct stress both[2];
	uint32_t i, d;

	begin(&both[0], true, below(2), false);
	begin(&both[1], false, below(2), below(2));
	for (i = 0; i < NB_STEPS && clock_monotonic_ns() < end_ns; i++) {
		step(&both[below(2)]);
	}
	for (d = 0; d < 2; d++) {
		both[d].h->no_window = false;
		if (below(2)) { /* else it is destroyed as it is */
			wait_for_answers(&both[d], 0);
			reset(&both[d]);
		}
		h_destroy(both[d].h);
		totals[0] += both[d].nb_answers;
		totals[1] += both[d].nb_taken_events;
	}
}

/* Guest faults are warnings; an error says that the device lost its way. */
static void
on_log(enum log_level level, const char *type, const char *line)
{
	if (level == LOG_LEVEL_ERR) {
		fprintf(stderr, "%s: %s\n", type, line);
		abort();
	}
}

int
main(int argc, char **argv)
{
	uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 0) : 10;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : clock_monotonic_ns();
	uint64_t end_ns = clock_monotonic_ns() + seconds * NSEC_PER_SEC;
	uint64_t totals[2] = {0, 0}, nb_rounds = 0;

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	state = seed;
	log_set_sink(on_log);
	log_set_level("err");
	do {
		run_round(end_ns, totals);
		nb_rounds++;
	} while (clock_monotonic_ns() < end_ns);
	printf("%llu rounds, %llu answers, %llu events\n", (unsigned long long)nb_rounds,
		(unsigned long long)totals[0], (unsigned long long)totals[1]);
	return totals[0] == 0 || totals[1] == 0;
}
