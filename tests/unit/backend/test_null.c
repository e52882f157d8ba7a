/* SPDX-License-Identifier: BSD-3-Clause */
/* null in each of its roles, over loopback; time is what the test says. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define CAPTURE   V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT    V4L2_BUF_TYPE_VIDEO_OUTPUT
#define NR(name)  _IOC_NR(VIDIOC_##name)
#define NV12_SIZE (320 * 240 * 3 / 2)

static struct h *h;
static uint32_t s;

static void
setup(const char *role, const char *fps)
{
	const struct device_option options[] = {
		{"role", role}, {"fps", fps}, {"width", "320"}, {"height", "240"}};

	h = h_create(&(struct h_config){
		.backend = backend_find("null"), .options = options, .nb_options = 4});
	s = h_open(h);
	h_post_events(h, 64, H_EVENT_SIZE);
}

static void
teardown(void)
{
	struct shm_arena_usage usage;

	h_close(h, s);
	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	h_destroy(h);
}

static int
reqbufs(uint32_t type, uint32_t count)
{
	struct v4l2_requestbuffers rb = {.count = count, .type = type, .memory = V4L2_MEMORY_MMAP};
	int ret = h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));

	return ret != 0 ? ret : (int)rb.count;
}

static int
stream(uint32_t type, bool on)
{
	return h_ioctl(h, s, on ? NR(STREAMON) : NR(STREAMOFF), &type, sizeof(type), 0);
}

static struct v4l2_buffer
qbuf_at(uint32_t type, uint32_t index, long sec)
{
	struct v4l2_buffer b = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};

	b.timestamp.tv_sec = sec;
	cr_assert_eq(h_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert(b.flags & V4L2_BUF_FLAG_QUEUED);
	return b;
}

static void
qbuf(uint32_t type, uint32_t index)
{
	qbuf_at(type, index, 0);
}

/* The next DQBUF event; false: there is none. */
static bool
dqbuf(struct v4l2_buffer *b)
{
	struct virtio_media_event_dqbuf event;
	uint8_t bytes[H_EVENT_SIZE];
	int len;

	h_pass(h, 2);
	len = h_event(h, bytes);
	if (len == -EAGAIN) {
		return false;
	}
	cr_assert_eq(len, H_EVENT_SIZE);
	memcpy(&event, bytes, sizeof(event));
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	cr_assert_eq(event.hdr.session_id, s);
	*b = event.buffer;
	h_post_events(h, 1, H_EVENT_SIZE);
	return true;
}

static uint64_t
poll_at(uint64_t tsc)
{
	return h->device->backend->poll(h->device, tsc);
}

/* proves: R-68 R-74 */
Test(null, a_fast_camera_returns_every_buffer_once_in_order_and_full)
{
	struct v4l2_buffer b;
	uint64_t last_us = 0;
	uint32_t i;

	setup("capture", "0");
	cr_assert_eq(reqbufs(CAPTURE, 4), 4);
	cr_assert_eq(stream(CAPTURE, true), 0);
	for (i = 0; i < 100; i++) {
		uint64_t us;

		qbuf(CAPTURE, i % 4);
		cr_assert(dqbuf(&b));
		us = (uint64_t)b.timestamp.tv_sec * 1000000 + (uint64_t)b.timestamp.tv_usec;
		cr_assert_eq(b.index, i % 4);
		cr_assert_eq(b.sequence, i);
		cr_assert_eq(b.bytesused, NV12_SIZE);
		cr_assert_eq(b.field, V4L2_FIELD_NONE);
		cr_assert_eq(
			b.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
		cr_assert_geq(us, last_us);
		last_us = us;
		cr_assert_not(dqbuf(&b));
	}
	teardown();
}

Test(null, buffers_queued_before_streamon_come_back_after_it)
{
	struct v4l2_buffer b;
	uint32_t i;

	setup("capture", "0");
	cr_assert_eq(reqbufs(CAPTURE, 3), 3);
	for (i = 0; i < 3; i++) {
		qbuf(CAPTURE, i);
	}
	cr_assert_not(dqbuf(&b));
	cr_assert_eq(stream(CAPTURE, true), 0);
	for (i = 0; i < 3; i++) {
		cr_assert(dqbuf(&b));
		cr_assert_eq(b.index, i);
	}
	teardown();
}

Test(null, the_sequence_begins_anew_at_streamon)
{
	struct v4l2_buffer b;

	setup("capture", "0");
	cr_assert_eq(reqbufs(CAPTURE, 1), 1);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(CAPTURE, 0);
	cr_assert(dqbuf(&b));
	qbuf(CAPTURE, 0);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.sequence, 1);
	cr_assert_eq(stream(CAPTURE, false), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(CAPTURE, 0);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.sequence, 0);
	teardown();
}

/* proves: B18 B35 */
Test(null, a_display_keeps_bytesused_and_stamps_the_frame)
{
	struct v4l2_buffer b = {.type = OUTPUT, .memory = V4L2_MEMORY_MMAP, .bytesused = 1234};

	setup("output", "0");
	cr_assert_eq(reqbufs(CAPTURE, 2), -EINVAL);
	cr_assert_eq(reqbufs(OUTPUT, 2), 2);
	cr_assert_eq(stream(OUTPUT, true), 0);
	cr_assert_eq(h_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.bytesused, 1234);
	cr_assert_neq(b.timestamp.tv_sec, 0);
	teardown();
}

Test(null, m2m_pairs_buffers_and_copies_timestamps)
{
	struct v4l2_buffer b;

	setup("m2m", "0");
	cr_assert_eq(reqbufs(OUTPUT, 2), 2);
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(stream(OUTPUT, true), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf_at(OUTPUT, 1, 42);
	cr_assert_not(dqbuf(&b));
	qbuf(CAPTURE, 0);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.type, OUTPUT);
	cr_assert_eq(b.index, 1);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.type, CAPTURE);
	cr_assert_eq(b.index, 0);
	cr_assert_eq(b.timestamp.tv_sec, 42);
	cr_assert_eq(b.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK, V4L2_BUF_FLAG_TIMESTAMP_COPY);
	cr_assert_eq(b.bytesused, NV12_SIZE);
	cr_assert_not(dqbuf(&b));
	teardown();
}

Test(null, sessions_of_an_m2m_device_do_not_see_each_other)
{
	struct v4l2_buffer b;
	uint32_t first, second;

	setup("m2m", "0");
	first = s;
	second = h_open(h);
	cr_assert_eq(reqbufs(OUTPUT, 1), 1);
	cr_assert_eq(reqbufs(CAPTURE, 1), 1);
	cr_assert_eq(stream(OUTPUT, true), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(OUTPUT, 0);
	s = second;
	cr_assert_eq(reqbufs(OUTPUT, 1), 1);
	cr_assert_eq(reqbufs(CAPTURE, 1), 1);
	cr_assert_eq(stream(OUTPUT, true), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(CAPTURE, 0); /* the other one's output buffer must not go with it */
	cr_assert_not(dqbuf(&b));
	h_close(h, second);
	s = first;
	qbuf(CAPTURE, 0);
	cr_assert(dqbuf(&b));
	cr_assert(dqbuf(&b));
	teardown();
}

Test(null, a_paced_camera_gives_one_frame_a_period)
{
	struct v4l2_buffer b;
	uint64_t due, i;

	setup("capture", "1");
	cr_assert_eq(reqbufs(CAPTURE, 8), 8);
	for (i = 0; i < 8; i++) {
		qbuf(CAPTURE, (uint32_t)i);
	}
	cr_assert_eq(stream(CAPTURE, true), 0);
	while (dqbuf(&b)) {
	}
	due = poll_at(0);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(poll_at(due - 1), due);
		cr_assert_not(dqbuf(&b));
		due = poll_at(due);
		cr_assert(dqbuf(&b));
		cr_assert_not(dqbuf(&b));
	}
	teardown();
}

Test(null, periods_without_a_buffer_are_counted_and_leave_a_gap)
{
	struct v4l2_buffer b = {0};
	uint64_t due, missed;
	uint32_t sequence;

	setup("capture", "1");
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(stream(CAPTURE, true), 0);
	due = poll_at(poll_at(0));
	missed = vmedia_missed(h->device, VMEDIA_MISSED_NO_BUFFER);
	cr_assert_geq(missed, 1);
	qbuf(CAPTURE, 0);
	due = poll_at(due);
	cr_assert(dqbuf(&b));
	sequence = b.sequence;
	cr_assert_eq(sequence, missed);
	due = poll_at(due);
	due = poll_at(due);
	cr_assert_eq(vmedia_missed(h->device, VMEDIA_MISSED_NO_BUFFER), missed + 2);
	qbuf(CAPTURE, 0);
	poll_at(due);
	cr_assert(dqbuf(&b));
	cr_assert_eq(b.sequence, sequence + 3);
	teardown();
}

Test(null, periods_that_the_reactor_slept_through_are_counted)
{
	struct v4l2_buffer b;
	uint64_t due;

	setup("capture", "1");
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(stream(CAPTURE, true), 0);
	due = poll_at(poll_at(0));
	qbuf(CAPTURE, 0);
	poll_at(due + 3 * clock_tsc_hz() + clock_tsc_hz() / 2);
	cr_assert_eq(vmedia_missed(h->device, VMEDIA_MISSED_LATE_REACTOR), 3);
	cr_assert(dqbuf(&b));
	teardown();
}

Test(null, g_parm_tells_the_pace_and_s_parm_changes_it)
{
	struct v4l2_streamparm parm = {.type = CAPTURE};

	setup("capture", "25");
	cr_assert_eq(h_ioctl(h, s, NR(G_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.timeperframe.denominator, 25);
	parm.parm.capture.timeperframe = (struct v4l2_fract){1001, 30000};
	cr_assert_eq(h_ioctl(h, s, NR(S_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.timeperframe.numerator, 1001);
	cr_assert_eq(parm.parm.capture.readbuffers, 0);
	teardown();
}

Test(null, without_a_pace_there_are_no_intervals)
{
	struct v4l2_streamparm parm = {.type = CAPTURE};

	setup("capture", "0");
	cr_assert_eq(h_ioctl(h, s, NR(G_PARM), &parm, sizeof(parm), sizeof(parm)), -ENOTTY);
	cr_assert_eq(h_ioctl(h, s, NR(G_PARM), NULL, 0, sizeof(parm)), -ENOTTY);
	teardown();
}

Test(null, streams_with_an_arena_that_vmedia_itself_cannot_touch)
{
	const struct device_option options[] = {{"role", "capture"}};
	struct v4l2_buffer b;
	uint32_t i;

	h = h_create(&(struct h_config){.backend = backend_find("null"),
		.options = options,
		.nb_options = 1,
		.no_access = true});
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(reqbufs(CAPTURE, 4), 4);
	cr_assert_eq(stream(CAPTURE, true), 0);
	for (i = 0; i < 16; i++) {
		qbuf(CAPTURE, i % 4);
		cr_assert(dqbuf(&b));
	}
	teardown();
}
