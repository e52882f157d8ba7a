/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When backend pattern draws, what it counts as missed, and what it tells the guest about that.
 * The core is played by this file: one device, one session, time as the test says.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "stream/check.h"
#include "vmedia/backend.h"

#define WIDTH      480
#define HEIGHT     240 /* more than one slice */
#define BYTES      (WIDTH * HEIGHT)
#define NB_BUFFERS 4
#define TYPE       V4L2_BUF_TYPE_VIDEO_CAPTURE
#define INPUT      2
#define INDEX      3 /* of the device */
#define NEVER      UINT64_MAX

static const struct vmedia_backend_ops *ops;

struct vmedia_device {
	void *priv;
	bool work_queued;
	uint32_t begun, nb_begun; /* by FRAME_SYNC: the last, and how many */
	uint64_t missed[VMEDIA_NB_MISSED];
	struct vmedia_format format;
};

struct vmedia_session {
	struct vmedia_device *device;
};

/* The device under test, and what it has finished. */
static struct core {
	struct vmedia_device device;
	struct vmedia_session session;
	struct vmedia_buffer buffers[NB_BUFFERS];
	uint8_t pixels[NB_BUFFERS][BYTES];
	struct vmedia_buffer *done[64];
	uint32_t nb_done;
	uint64_t due, period; /* TSC */
	struct check *check;
} core;

/* ---- What the core does for a backend ---- */

void
vmedia_backend_register(const struct vmedia_backend_ops *registered)
{
	ops = registered;
}

void *
vmedia_device_priv(struct vmedia_device *device)
{
	return device->priv;
}

struct vmedia_device *
vmedia_session_device(struct vmedia_session *session)
{
	return session->device;
}

uint32_t
vmedia_device_port(const struct vmedia_device *device)
{
	return INPUT;
}

uint32_t
vmedia_device_index(const struct vmedia_device *device)
{
	return INDEX;
}

const struct vmedia_format *
vmedia_format(struct vmedia_session *session, uint32_t type)
{
	cr_assert_eq(type, TYPE);
	return &session->device->format;
}

void
vmedia_buffer_begin(struct vmedia_buffer *buffer)
{
}

void
vmedia_buffer_done(struct vmedia_buffer *buffer)
{
	cr_assert_lt(core.nb_done, ARRAY_SIZE(core.done));
	core.done[core.nb_done++] = buffer;
}

void
vmedia_event_queue(struct vmedia_device *device, const struct v4l2_event *event)
{
	cr_assert_eq(event->type, V4L2_EVENT_FRAME_SYNC);
	cr_assert_eq(event->id, 0);
	device->begun = event->u.frame_sync.frame_sequence;
	device->nb_begun++;
}

void
vmedia_ctrl_grab(struct vmedia_device *device, uint32_t id, bool grabbed)
{
}

void
vmedia_work_queue(struct vmedia_device *device)
{
	cr_assert_not(device->work_queued, "once per frame");
	device->work_queued = true;
}

void
vmedia_work_cancel(struct vmedia_device *device)
{
	device->work_queued = false;
}

void
vmedia_frame_missed(struct vmedia_device *device, enum vmedia_missed cause, uint32_t nb_periods)
{
	device->missed[cause] += nb_periods;
}

/* ---- The test's hands ---- */

static void
queue(uint32_t index)
{
	ops->buf_queue(&core.session, &core.buffers[index]);
}

static void
start(void)
{
	cr_assert_eq(ops->start_streaming(&core.session, TYPE), 0);
	core.due = ops->poll(&core.device, 0);
}

/* Time passes until `late` periods after the one that is due; no byte is drawn. */
static void
tick(uint32_t late)
{
	core.due = ops->poll(&core.device, core.due + late * core.period);
}

static void
draw(void)
{
	if (core.device.work_queued) {
		cr_assert(ops->work(&core.device, NEVER));
		core.device.work_queued = false;
	}
}

static void
begin(void)
{
	struct v4l2_pix_format pix = {
		.width = WIDTH, .height = HEIGHT, .pixelformat = V4L2_PIX_FMT_GREY};
	struct vmedia_node node = {0};

	memset(&core, 0, sizeof(core));
	core.session.device = &core.device;
	core.device.priv = calloc(1, ops->device_bytes);
	cr_assert_not_null(core.device.priv);
	cr_assert_eq(ops->create(&core.device, &node), 0);
	core.device.format = (struct vmedia_format){.fourcc = pix.pixelformat,
		.width = WIDTH,
		.height = HEIGHT,
		.nb_planes = 1,
		.bytesperline = {WIDTH},
		.sizeimage = {BYTES},
		.interval = {1, 50}};
	core.period = clock_tsc_hz() / 50 + 1; /* rounded up, as a late reactor would be */
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		core.buffers[i].session = &core.session;
		core.buffers[i].type = TYPE;
		core.buffers[i].index = i;
		core.buffers[i].nb_planes = 1;
		core.buffers[i].planes[0].addr = core.pixels[i];
		core.buffers[i].planes[0].length = BYTES;
	}
	cr_assert_eq(check_create(&pix, &core.check), 0);
}

static void
end(void)
{
	check_destroy(core.check);
	free(core.device.priv);
}

/* What the n-th finished frame says of itself. */
static struct check_strip
strip_of(uint32_t n)
{
	struct check_strip strip;
	char why[256] = "";

	cr_assert_lt(n, core.nb_done);
	cr_assert_eq(check_frame(core.check, core.done[n]->planes[0].addr,
			     core.done[n]->planes[0].bytesused, &strip, why, sizeof(why)),
		0, "frame %u: %s", n, why);
	cr_assert_eq(strip.sequence, core.done[n]->sequence);
	cr_assert_eq(strip.input, INPUT);
	return strip;
}

static void
expect_missed(uint64_t no_buffer, uint64_t late_render, uint64_t late_reactor)
{
	cr_expect_eq(core.device.missed[VMEDIA_MISSED_NO_BUFFER], no_buffer);
	cr_expect_eq(core.device.missed[VMEDIA_MISSED_LATE_RENDER], late_render);
	cr_expect_eq(core.device.missed[VMEDIA_MISSED_LATE_REACTOR], late_reactor);
}

static void
expect_strip(const struct check_strip *s, uint32_t sequence, const uint16_t missed[3])
{
	cr_expect_eq(s->sequence, sequence, "%u, expected %u", s->sequence, sequence);
	for (int i = 0; i < CHECK_NB_MISSED; i++) {
		cr_expect_eq(s->missed[i], missed[i], "cause %d: %u, expected %u", i, s->missed[i],
			missed[i]);
	}
}

TestSuite(pattern_pacing, .init = begin, .fini = end);

/* ---- Claims ---- */

Test(pattern_pacing, frame_sync_tells_each_frame_when_drawing_begins)
{
	start();
	queue(0);
	cr_assert_eq(core.device.nb_begun, 0);
	tick(0);
	cr_assert_eq(core.device.nb_begun, 1);
	cr_assert_eq(core.device.begun, 0);
	cr_assert_eq(core.nb_done, 0);
	draw();
	tick(0); /* no buffer: no frame, but a number */
	cr_assert_eq(core.device.nb_begun, 1);
	queue(1);
	tick(0);
	cr_assert_eq(core.device.nb_begun, 2);
	cr_assert_eq(core.device.begun, 2);
}

Test(pattern_pacing, a_frame_a_period_is_drawn_into_the_buffers_in_the_order_of_qbuf)
{
	static const uint32_t order[NB_BUFFERS] = {2, 0, 3, 1};

	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		queue(order[i]);
	}
	start();
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		tick(0);
		draw();
	}
	cr_assert_eq(core.nb_done, NB_BUFFERS);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		struct check_strip s = strip_of(i);

		cr_expect_eq(core.done[i]->index, order[i]);
		cr_expect_eq(s.device, INDEX);
		expect_strip(&s, i, (uint16_t[]){0, 0, 0});
	}
	expect_missed(0, 0, 0);
}

Test(pattern_pacing, a_poll_before_its_time_draws_nothing_and_says_when_to_come)
{
	queue(0);
	start();
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(ops->poll(&core.device, core.due - 1), core.due);
	}
	cr_expect_not(core.device.work_queued);
	expect_missed(0, 0, 0);
}

Test(pattern_pacing, nothing_streams_before_streamon)
{
	queue(0);
	cr_expect_eq(ops->poll(&core.device, NEVER), VMEDIA_NO_DEADLINE);
	cr_expect_not(core.device.work_queued);
}

Test(pattern_pacing, a_period_without_a_buffer_is_counted_and_told_by_the_next_frame)
{
	start();
	tick(0);
	tick(0);
	expect_missed(2, 0, 0);
	queue(0);
	tick(0);
	draw();
	cr_assert_eq(core.nb_done, 1);
	struct check_strip s = strip_of(0);

	expect_strip(&s, 2, (uint16_t[]){2, 0, 0});
}

Test(pattern_pacing, periods_that_pass_while_a_frame_is_drawn_are_late_render)
{
	queue(0);
	queue(1);
	start();
	tick(0);
	cr_assert_not(ops->work(&core.device, 0));
	tick(0);
	tick(1);
	expect_missed(0, 3, 0);
	draw();
	tick(0);
	draw();
	cr_assert_eq(core.nb_done, 2);
	struct check_strip first = strip_of(0), second = strip_of(1);

	expect_strip(&first, 0, (uint16_t[]){0, 0, 0});
	expect_strip(&second, 4, (uint16_t[]){0, 3, 0});
}

Test(pattern_pacing, whole_periods_between_two_polls_are_late_reactor)
{
	queue(0);
	queue(1);
	start();
	tick(0);
	draw();
	tick(5);
	draw();
	expect_missed(0, 0, 5);
	cr_assert_eq(core.nb_done, 2);
	struct check_strip s = strip_of(1);

	expect_strip(&s, 6, (uint16_t[]){0, 0, 5});
}

Test(pattern_pacing, a_late_reactor_without_a_buffer_counts_the_last_period_as_no_buffer)
{
	start();
	tick(4);
	expect_missed(1, 0, 4);
}

/* The claim that makes loss provable: gap of sequence numbers == growth of the three counters. */
Test(pattern_pacing, the_gap_of_the_sequence_equals_the_growth_of_the_counters)
{
	struct check_strip last = {.sequence = UINT32_MAX};

	srand(3);
	start();
	for (int round = 0; round < 2000; round++) {
		if (rand() % 3 == 0) {
			core.nb_done = 0;
			queue(0);
			tick(rand() % 3);
			cr_assert(core.device.work_queued);
			if (rand() % 2) {
				cr_assert_not(ops->work(&core.device, 0));
				tick(rand() % 2);
			}
			draw();
			struct check_strip s = strip_of(0);
			uint32_t grown = 0;

			for (int i = 0; i < CHECK_NB_MISSED; i++) {
				grown += (uint16_t)(s.missed[i] - last.missed[i]);
			}
			cr_assert_eq(
				s.sequence - last.sequence - 1, grown, "sequence %u", s.sequence);
			last = s;
		} else {
			tick(rand() % 30 == 0 ? 200 : 0);
		}
	}
	for (int i = 0; i < CHECK_NB_MISSED; i++) {
		cr_expect_gt(core.device.missed[i], 0, "cause %d has not been tried", i);
	}
}

Test(pattern_pacing, a_frame_is_stamped_in_its_strip_at_the_start_and_in_its_buffer_at_the_end)
{
	uint64_t before = clock_monotonic_ns(), between;
	struct check_strip s;

	queue(0);
	start();
	tick(0);
	between = clock_monotonic_ns();
	draw();
	s = strip_of(0);
	cr_expect(s.timestamp_ns >= before && s.timestamp_ns <= between);
	cr_expect(core.done[0]->timestamp_ns >= between);
	cr_expect(core.done[0]->timestamp_ns <= clock_monotonic_ns());
	cr_expect_eq(core.done[0]->planes[0].bytesused, BYTES);
	cr_expect_eq(core.done[0]->field, V4L2_FIELD_NONE);
}

Test(pattern_pacing, streamoff_in_the_middle_of_a_frame_forgets_it_and_the_queue)
{
	queue(0);
	queue(1);
	start();
	tick(0);
	cr_assert_not(ops->work(&core.device, 0));
	ops->stop_streaming(&core.session, TYPE);
	cr_expect_not(core.device.work_queued);
	cr_expect_eq(ops->poll(&core.device, NEVER), VMEDIA_NO_DEADLINE);
	cr_expect_eq(core.nb_done, 0);

	/* a buffer of before would be drawn into now */
	start();
	tick(0);
	cr_expect_not(core.device.work_queued);
	expect_missed(1, 0, 0);
}

Test(pattern_pacing, streamon_after_streamoff_counts_from_zero)
{
	queue(0);
	start();
	tick(7);
	draw();
	tick(0);
	expect_missed(1, 0, 7);
	ops->stop_streaming(&core.session, TYPE);
	queue(1);
	start();
	tick(0);
	draw();
	cr_assert_eq(core.nb_done, 2);
	cr_expect_eq(core.done[1]->index, 1);
	struct check_strip s = strip_of(1);

	expect_strip(&s, 0, (uint16_t[]){0, 0, 0});
	expect_missed(1, 0, 7);
}

Test(pattern_pacing, streamon_with_a_format_that_cannot_be_drawn_fails)
{
	core.device.format.fourcc = V4L2_PIX_FMT_H264;
	cr_expect_lt(ops->start_streaming(&core.session, TYPE), 0);
	cr_expect_eq(ops->poll(&core.device, NEVER), VMEDIA_NO_DEADLINE);
}
