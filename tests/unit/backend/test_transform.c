/* SPDX-License-Identifier: BSD-3-Clause */
/* transform over loopback: pairs of buffers, formats of each side, sessions in turns, and a stop in
 * the middle of a picture. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define CAPTURE     V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT      V4L2_BUF_TYPE_VIDEO_OUTPUT
#define NR(name)    _IOC_NR(VIDIOC_##name)
#define NB_SESSIONS 64

static struct h *h;

static void
setup(const char *width, const char *height)
{
	const struct device_option options[] = {{"width", width}, {"height", height}};

	h = h_create(&(struct h_config){.backend = backend_find("transform"),
		.options = options,
		.nb_options = 2,
		.max_sessions = NB_SESSIONS,
		.arena_bytes = 256u << 20});
	h_post_events(h, 64, H_EVENT_SIZE);
}

static void
teardown(void)
{
	struct shm_arena_usage usage;

	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	h_destroy(h);
}

static void
set_format(uint32_t s, uint32_t type, uint32_t fourcc, uint32_t width, uint32_t height)
{
	struct v4l2_format f = {
		.type = type, .fmt.pix = {.width = width, .height = height, .pixelformat = fourcc}};

	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(f.fmt.pix.pixelformat, fourcc);
	cr_assert_eq(f.fmt.pix.width, width);
	cr_assert_eq(f.fmt.pix.height, height);
}

static void
start(uint32_t s, uint32_t type, uint32_t nb)
{
	struct v4l2_requestbuffers rb = {.count = nb, .type = type, .memory = V4L2_MEMORY_MMAP};

	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
}

static int
stop(uint32_t s, uint32_t type)
{
	return h_ioctl(h, s, NR(STREAMOFF), &type, sizeof(type), 0);
}

static uint8_t *
bytes_of(uint32_t s, uint32_t type, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};

	cr_assert_eq(h_ioctl(h, s, NR(QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	return shm_arena_addr(h->device->arena, b.m.offset);
}

static void
qbuf(uint32_t s, uint32_t type, uint32_t index, long sec)
{
	struct v4l2_buffer b = {.index = index,
		.type = type,
		.memory = V4L2_MEMORY_MMAP,
		.field = V4L2_FIELD_NONE,
		.timestamp.tv_sec = sec};

	cr_assert_eq(h_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b)), 0);
}

/* The next DQBUF event and whose it is. */
static uint32_t
dqbuf(struct v4l2_buffer *b)
{
	struct virtio_media_event_dqbuf event;
	uint8_t bytes[H_EVENT_SIZE];

	h_settle(h);
	cr_assert_eq(h_event(h, bytes), H_EVENT_SIZE);
	memcpy(&event, bytes, sizeof(event));
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	*b = event.buffer;
	h_post_events(h, 1, H_EVENT_SIZE);
	return event.hdr.session_id;
}

static bool
nothing_comes(void)
{
	uint8_t bytes[H_EVENT_SIZE];

	h_settle(h);
	return h_event(h, bytes) == -EAGAIN;
}

static void
set_flip(uint32_t s, uint32_t id, int value)
{
	struct v4l2_control c = {.id = id, .value = value};

	cr_assert_eq(h_ioctl(h, s, NR(S_CTRL), &c, sizeof(c), sizeof(c)), 0);
}

Test(transform, a_picture_changes_format_and_keeps_its_time)
{
	struct v4l2_buffer b;
	uint32_t s, i;
	uint8_t *from, *to;

	setup("32", "16");
	s = h_open(h);
	set_format(s, OUTPUT, V4L2_PIX_FMT_YUYV, 32, 16);
	set_format(s, CAPTURE, V4L2_PIX_FMT_GREY, 32, 16);
	start(s, OUTPUT, 1);
	start(s, CAPTURE, 1);
	from = bytes_of(s, OUTPUT, 0);
	to = bytes_of(s, CAPTURE, 0);
	for (i = 0; i < 32 * 16; i++) {
		from[2 * i] = (uint8_t)i;
	}
	qbuf(s, OUTPUT, 0, 42);
	cr_assert(nothing_comes());
	qbuf(s, CAPTURE, 0, 0);
	cr_assert_eq(dqbuf(&b), s);
	cr_assert_eq(b.type, OUTPUT);
	cr_assert_eq(dqbuf(&b), s);
	cr_assert_eq(b.type, CAPTURE);
	cr_assert_eq(b.bytesused, 32 * 16);
	cr_assert_eq(b.timestamp.tv_sec, 42);
	for (i = 0; i < 32 * 16; i++) {
		cr_assert_eq(to[i], (uint8_t)i);
	}
	h_close(h, s);
	teardown();
}

Test(transform, flips_are_those_of_the_moment)
{
	struct v4l2_buffer b;
	uint8_t *from, *to;
	uint32_t s;

	setup("16", "16");
	s = h_open(h);
	set_format(s, OUTPUT, V4L2_PIX_FMT_GREY, 16, 16);
	set_format(s, CAPTURE, V4L2_PIX_FMT_GREY, 16, 16);
	start(s, OUTPUT, 1);
	start(s, CAPTURE, 1);
	from = bytes_of(s, OUTPUT, 0);
	to = bytes_of(s, CAPTURE, 0);
	memset(from, 0, 256);
	from[0] = 200;
	for (unsigned int f = 0; f < 4; f++) {
		set_flip(s, V4L2_CID_HFLIP, f & 1);
		set_flip(s, V4L2_CID_VFLIP, f >> 1);
		qbuf(s, OUTPUT, 0, 0);
		qbuf(s, CAPTURE, 0, 0);
		dqbuf(&b);
		dqbuf(&b);
		cr_assert_eq(b.sequence, f);
		for (unsigned int i = 0; i < 256; i++) {
			bool here = i == (f & 1 ? 15u : 0u) + (f & 2 ? 240u : 0u);

			cr_assert_eq(to[i], here ? 200 : 0, "flips %u, pixel %u", f, i);
		}
	}
	h_close(h, s);
	teardown();
}

/* With every picture of the way large, the stop comes while the offload thread is at it. */
Test(transform, a_stop_in_the_middle_of_a_picture_gives_back_one_side_and_keeps_the_other)
{
	struct v4l2_buffer b;
	uint32_t s;

	setup("4096", "2160");
	s = h_open(h);
	set_format(s, OUTPUT, V4L2_PIX_FMT_NV12, 4096, 2160);
	set_format(s, CAPTURE, V4L2_PIX_FMT_XBGR32, 1280, 720);
	start(s, OUTPUT, 2);
	start(s, CAPTURE, 2);
	for (unsigned int i = 0; i < 20; i++) {
		uint32_t type = i % 2 == 0 ? OUTPUT : CAPTURE;
		uint32_t other = i % 2 == 0 ? CAPTURE : OUTPUT;

		qbuf(s, OUTPUT, 0, 0);
		qbuf(s, CAPTURE, 0, 0);
		cr_assert_eq(stop(s, type), 0);
		cr_assert(nothing_comes());
		/* what was stopped is the driver's; what was not still waits for its partner */
		cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
		qbuf(s, type, 1, 7);
		dqbuf(&b);
		cr_assert_eq(b.index, b.type == type ? 1 : 0);
		dqbuf(&b);
		cr_assert_eq(b.index, b.type == type ? 1 : 0);
		cr_assert(nothing_comes());
		cr_assert_eq(stop(s, other), 0);
		cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &other, sizeof(other), 0), 0);
	}
	h_close(h, s);
	teardown();
}

Test(transform, a_session_that_ends_in_the_middle_of_a_picture_harms_nobody)
{
	struct v4l2_buffer b;
	uint32_t victim, s;

	setup("1920", "1080");
	s = h_open(h);
	start(s, OUTPUT, 1);
	start(s, CAPTURE, 1);
	for (unsigned int i = 0; i < 20; i++) {
		victim = h_open(h);
		start(victim, OUTPUT, 1);
		start(victim, CAPTURE, 1);
		qbuf(victim, OUTPUT, 0, 0);
		qbuf(victim, CAPTURE, 0, 0);
		qbuf(s, OUTPUT, 0, i);
		qbuf(s, CAPTURE, 0, 0);
		h_close(h, victim);
		do {
			cr_assert_neq(dqbuf(&b), 0);
		} while (b.type != CAPTURE || b.timestamp.tv_sec != i);
		while (!nothing_comes()) {
		}
		h_post_events(h, 4, H_EVENT_SIZE);
	}
	h_close(h, s);
	teardown();
}

Test(transform, many_sessions_take_turns)
{
	uint32_t sessions[NB_SESSIONS], nb[NB_SESSIONS] = {0};
	struct v4l2_buffer b;

	setup("64", "64");
	for (unsigned int i = 0; i < NB_SESSIONS; i++) {
		sessions[i] = h_open(h);
		start(sessions[i], OUTPUT, 2);
		start(sessions[i], CAPTURE, 2);
	}
	for (unsigned int i = 0; i < NB_SESSIONS; i++) {
		for (uint32_t k = 0; k < 2; k++) {
			qbuf(sessions[i], OUTPUT, k, i + 1);
			qbuf(sessions[i], CAPTURE, k, 0);
		}
	}
	for (unsigned int n = 0; n < 4 * NB_SESSIONS; n++) {
		uint32_t s = dqbuf(&b);

		for (unsigned int i = 0; i < NB_SESSIONS; i++) {
			if (sessions[i] == s) {
				cr_assert_eq(b.sequence, nb[i] / 2);
				cr_assert_eq(b.timestamp.tv_sec, i + 1);
				nb[i]++;
			}
		}
	}
	for (unsigned int i = 0; i < NB_SESSIONS; i++) {
		cr_assert_eq(nb[i], 4);
		h_close(h, sessions[i]);
	}
	teardown();
}

static int
decoder_cmd(uint32_t s, uint32_t nr, uint32_t what)
{
	struct v4l2_decoder_cmd cmd = {.cmd = what, .flags = V4L2_DEC_CMD_STOP_TO_BLACK};
	int ret = h_ioctl(h, s, nr, &cmd, sizeof(cmd), sizeof(cmd));

	cr_assert(ret != 0 || cmd.flags == 0, "a flag that does nothing is taken back");
	return ret;
}

/* The capture buffer comes after the output buffer of its picture; whether it is the last. */
static bool
picture_comes(uint32_t nb_bytes)
{
	struct v4l2_buffer b;

	dqbuf(&b);
	if (b.type == OUTPUT) {
		dqbuf(&b);
	}
	cr_assert_eq(b.type, CAPTURE);
	cr_assert_eq(b.bytesused, nb_bytes);
	return (b.flags & V4L2_BUF_FLAG_LAST) != 0;
}

static void
eos_comes(uint32_t s)
{
	struct virtio_media_event_event event;
	uint8_t bytes[H_EVENT_SIZE];

	h_settle(h);
	cr_assert_gt(h_event(h, bytes), 0);
	memcpy(&event, bytes, sizeof(event));
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	cr_assert_eq(event.hdr.session_id, s);
	cr_assert_eq(event.event.type, V4L2_EVENT_EOS);
	h_post_events(h, 1, H_EVENT_SIZE);
}

static uint32_t
open_grey(uint32_t nb_buffers)
{
	uint32_t s = h_open(h);

	set_format(s, OUTPUT, V4L2_PIX_FMT_GREY, 16, 16);
	set_format(s, CAPTURE, V4L2_PIX_FMT_GREY, 16, 16);
	start(s, OUTPUT, nb_buffers);
	start(s, CAPTURE, nb_buffers);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), 0);
	return s;
}

/* proves: R-72 */
Test(transform, a_stop_lets_what_is_queued_come_and_marks_the_last)
{
	uint32_t s, other;

	setup("16", "16");
	s = open_grey(4);
	other = open_grey(1);
	for (uint32_t i = 0; i < 3; i++) {
		qbuf(s, OUTPUT, i, 0);
	}
	cr_assert_eq(decoder_cmd(s, NR(TRY_DECODER_CMD), V4L2_DEC_CMD_STOP), 0);
	cr_assert_eq(decoder_cmd(s, NR(DECODER_CMD), V4L2_DEC_CMD_STOP), 0);
	qbuf(s, OUTPUT, 3, 0); /* after the stop */
	for (uint32_t i = 0; i < 4; i++) {
		qbuf(s, CAPTURE, i, 0);
	}
	cr_assert_not(picture_comes(256));
	cr_assert_not(picture_comes(256));
	eos_comes(s);
	cr_assert(picture_comes(256));
	cr_assert(nothing_comes());
	/* Others do not wait. */
	qbuf(other, OUTPUT, 0, 0);
	qbuf(other, CAPTURE, 0, 0);
	cr_assert_not(picture_comes(256));
	cr_assert_eq(decoder_cmd(s, NR(DECODER_CMD), V4L2_DEC_CMD_START), 0);
	cr_assert_not(picture_comes(256));
	h_close(h, s);
	h_close(h, other);
	teardown();
}

/* proves: R-72 */
Test(transform, a_stop_without_pictures_ends_with_an_empty_buffer)
{
	uint32_t s;

	setup("16", "16");
	s = open_grey(2);
	cr_assert_eq(decoder_cmd(s, NR(DECODER_CMD), V4L2_DEC_CMD_STOP), 0);
	cr_assert(nothing_comes());
	qbuf(s, CAPTURE, 0, 0);
	eos_comes(s);
	cr_assert(picture_comes(0));
	cr_assert_eq(decoder_cmd(s, NR(DECODER_CMD), V4L2_DEC_CMD_STOP), 0);
	qbuf(s, CAPTURE, 1, 0);
	cr_assert(nothing_comes());
	/* STREAMOFF begins anew. */
	cr_assert_eq(stop(s, OUTPUT), 0);
	start(s, OUTPUT, 2);
	qbuf(s, OUTPUT, 0, 0);
	cr_assert_not(picture_comes(256));
	cr_assert_eq(decoder_cmd(s, NR(DECODER_CMD), V4L2_DEC_CMD_PAUSE), -EINVAL);
	h_close(h, s);
	teardown();
}
