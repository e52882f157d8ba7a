/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the driver's side of what is measured, the same code for echo and device. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "latency/latency.h"

#define TIMEOUT_MS     5000
#define NULL_CAMERA    "vmedia null capture"
#define POLLS_PER_LOOK 4096
#define F_INDIRECT     (1ULL << 28)
#define F_EVENT_IDX    (1ULL << 29)

static const unsigned long requests[2] = {VIDIOC_G_CTRL, VIDIOC_QBUF};

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static void
configure(struct driver_config *config, const struct latency_options *o)
{
	driver_config_init(config);
	config->packed = o->packed;
	config->indirect = !o->direct;
	config->hugepages = o->hugepages;
	config->wait = DRIVER_POLL;
	config->timeout_ms = TIMEOUT_MS;
}

static int
prepare(struct subject *s)
{
	const struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};
	const struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	const void *args[2] = {&control, &buffer};

	for (unsigned int i = 0; i < 2; i++) {
		int ret = chain_prepare(&s->chains[i], s->drv, s->session, requests[i], args[i]);

		if (ret != 0) {
			return complain("chain", ret);
		}
		s->chains[i].name = shape_names[i];
		s->chains[i].checked = s->checked;
	}
	return 0;
}

static int
stream(struct driver_session *session)
{
	struct v4l2_requestbuffers reqbufs = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};
	int ret = driver_ioctl(session, VIDIOC_G_CTRL, &control);

	if (ret != 0) {
		return complain("G_CTRL, Brightness", ret);
	}
	ret = driver_ioctl(session, VIDIOC_REQBUFS, &reqbufs);
	if (ret != 0) {
		return complain("REQBUFS", ret);
	}
	ret = driver_ioctl(session, VIDIOC_STREAMON, &type);
	return ret != 0 ? complain("STREAMON", ret) : 0;
}

/* Another device may answer all of this, but not at once, and it would be no comparison. */
static int
check_kind(const struct driver *drv, const char *socket)
{
	struct driver_info info;

	driver_get_info(drv, &info);
	if (strcmp(info.card, NULL_CAMERA) == 0) {
		return 0;
	}
	fprintf(stderr,
		"%s: this is \"%s\", a null camera is wanted: --device "
		"socket=...,backend=null,role=capture\n",
		socket, info.card);
	return -ENODEV;
}

int
subject_device(struct subject *s, struct target *target, const struct latency_options *o)
{
	struct driver_config config;
	int ret;

	memset(s, 0, sizeof(*s));
	configure(&config, o);
	config.socket_fd = target->fds[0];
	target->fds[0] = -1;
	ret = driver_connect(&config, &s->drv);
	ret = ret != 0 ? ret : driver_open(s->drv, &s->session);
	if (ret != 0) {
		return target_complain(target, 0, ret);
	}
	s->checked = true;
	ret = o->target.spawn == NULL ? check_kind(s->drv, o->target.sockets[0]) : 0;
	ret = ret != 0 ? ret : stream(s->session);
	return ret != 0 ? ret : prepare(s);
}

/* For the time of an OPEN the echo answers with what a driver wants to read. */
static int
open_echo(struct subject *s, struct partner *p)
{
	static const union {
		struct virtio_media_resp_open resp;
		uint8_t bytes[ECHO_MAX_BYTES];
	} answer = {.resp = {.session_id = 1}};
	int ret;

	p->commands[0].fixed = answer.bytes;
	partner_work(p, PARTNER_COMMANDS);
	ret = driver_open(s->drv, &s->session);
	partner_rest(p);
	p->commands[0].fixed = NULL;
	return ret;
}

int
subject_echo(struct subject *s, struct partner *p, const struct latency_options *o,
	const struct subject *like)
{
	struct driver_config config;
	struct driver_info info;
	int ret;

	memset(s, 0, sizeof(*s));
	configure(&config, o);
	if (like != NULL) {
		driver_get_info(like->drv, &info);
		config.indirect = (info.features & F_INDIRECT) != 0;
		config.event_idx = (info.features & F_EVENT_IDX) != 0;
	}
	ret = driver_create_local(&config, &s->drv);
	if (ret == 0) {
		ret = partner_start(p, o->cpus.device, &s->drv, 1);
	}
	if (ret == 0) {
		ret = open_echo(s, p);
	}
	return ret != 0 ? complain("echo", ret) : prepare(s);
}

void
subject_end(struct subject *s)
{
	for (unsigned int i = 0; i < 2; i++) {
		chain_release(&s->chains[i]);
	}
	if (s->drv != NULL) {
		driver_disconnect(s->drv);
	}
	memset(s, 0, sizeof(*s));
}

/* One round trip. */
static inline int
call(const struct chain *c, struct driver_timing *timing)
{
	uint32_t used_len;
	int ret;

	chain_fill(c);
	ret = driver_raw_call(c->raw, &used_len, timing);
	return likely(ret == 0) ? chain_check(c, used_len) : complain(c->name, ret);
}

int
subject_ask_g_ctrl(struct subject *s, uint64_t nb, struct hist *ticks)
{
	struct driver_timing timing;
	int ret = 0;

	while (nb-- > 0 && ret == 0) {
		ret = call(&s->chains[SHAPE_G_CTRL], &timing);
		hist_record(ticks, timing.seen_tsc - timing.submit_tsc);
	}
	return ret;
}

/* Until the event number `nb_seen` + 1 was seen. */
static int
wait_event(const struct subject *s, uint64_t nb_seen, uint64_t *seen_tsc)
{
	uint64_t deadline_tsc = 0;
	unsigned int polls = 0;
	int ret;

	while (driver_raw_events(s->drv, seen_tsc) == nb_seen) {
		ret = driver_poll(s->drv);
		if (unlikely(ret < 0)) {
			return complain("DQBUF event", ret);
		}
		if (likely(++polls % POLLS_PER_LOOK != 0)) {
			continue;
		}
		if (deadline_tsc == 0) {
			deadline_tsc = clock_tsc() + clock_ns_to_tsc(TIMEOUT_MS * NSEC_PER_MSEC);
		} else if (clock_tsc() > deadline_tsc) {
			return complain("DQBUF event", -ETIMEDOUT);
		}
	}
	return 0;
}

int
subject_ask_qbuf(
	struct subject *s, uint64_t nb, struct hist *qbuf, struct hist *dqbuf, struct hist *done)
{
	struct driver_timing timing;
	uint64_t seen_tsc, nb_seen;
	int ret = 0;

	while (nb-- > 0 && ret == 0) {
		nb_seen = driver_raw_events(s->drv, &seen_tsc);
		ret = call(&s->chains[SHAPE_QBUF], &timing);
		if (likely(ret == 0)) {
			ret = wait_event(s, nb_seen, &seen_tsc);
		}
		hist_record(qbuf, timing.seen_tsc - timing.submit_tsc);
		hist_record(dqbuf, seen_tsc - timing.submit_tsc);
		if (done != NULL && ret == 0) {
			uint32_t done_tsc = partner_read_stamp(driver_raw_event(s->drv));

			hist_record(done, (uint32_t)seen_tsc - done_tsc);
		}
	}
	return ret;
}

int
subject_learn(struct subject *s, bool *stamped)
{
	static struct hist ignored;
	const struct virtio_media_event_dqbuf *event;
	int ret = subject_ask_qbuf(s, 1, &ignored, &ignored, NULL);

	event = driver_raw_event(s->drv);
	*stamped = ret == 0 && (event->buffer.flags & V4L2_BUF_FLAG_TIMECODE) != 0;
	return ret;
}
