/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <string.h>

#include "fake_device.h"
#include "linux/virtio_media.h"

struct bench {
	struct driver *drv;
	struct fake_ring cmdq, evq;
	struct driver_session *session;
};

static void
bench_init(struct bench *b, bool packed, uint16_t nb_event_buffers)
{
	struct driver_config config;

	memset(b, 0, sizeof(*b));
	driver_config_init(&config);
	config.packed = packed;
	config.wait = DRIVER_SLEEP; /* or it spins while the server needs the CPU */
	config.local_eventfds = true;
	config.mem_bytes = 2 << 20;
	config.nb_event_buffers = nb_event_buffers;
	cr_assert_eq(driver_create_local(&config, &b->drv), 0);
	fake_ring_init(&b->cmdq, b->drv, DRIVER_QUEUE_COMMAND);
	fake_ring_init(&b->evq, b->drv, DRIVER_QUEUE_EVENT);
	b->session = fake_open(&b->cmdq, 7);
}

/* All ioctls succeed and echo their argument. */
static uint32_t
echo(const uint8_t *cmd, uint32_t cmd_len, uint8_t *resp, void *arg)
{
	uint32_t code;

	memcpy(&code, cmd + 12, sizeof(code));
	memcpy(resp + 8, cmd + 16, cmd_len - 16);
	return code == _IOC_NR(VIDIOC_STREAMON) || code == _IOC_NR(VIDIOC_STREAMOFF) ||
	                       code == _IOC_NR(VIDIOC_SUBSCRIBE_EVENT)
	               ? 8
	               : 8 + cmd_len - 16;
}

static void
do_ioctl(struct bench *b, unsigned long request, void *arg)
{
	struct fake_server s;

	fake_serve(&s, &b->cmdq, echo, NULL, 1);
	cr_assert_eq(driver_ioctl(b->session, request, arg), 0);
	fake_serve_end(&s);
}

static void
reqbufs(struct bench *b, uint32_t type, uint32_t count)
{
	struct v4l2_requestbuffers req = {.count = count, .type = type, .memory = 1};

	do_ioctl(b, VIDIOC_REQBUFS, &req);
}

static void
qbuf(struct bench *b, uint32_t type, uint32_t index)
{
	struct v4l2_plane planes[2] = {{.length = 100}, {.length = 100}};
	struct v4l2_buffer buf = {.type = type, .index = index, .memory = 1};

	if (type == 9) {
		buf.m.planes = planes;
		buf.length = 2;
	}
	do_ioctl(b, VIDIOC_QBUF, &buf);
}

static struct virtio_media_event_dqbuf
dqbuf(uint32_t session, uint32_t type, uint32_t index)
{
	struct virtio_media_event_dqbuf e = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_DQBUF, .session_id = session},
		.buffer = {.type = type,
			.index = index,
			.memory = 1,
			.length = type == 9 ? 2 : 100,
			.bytesused = type == 9 ? 0 : 100,
			.sequence = 40 + index},
	};

	e.planes[0].length = e.planes[1].length = 100;
	e.planes[0].bytesused = 60;
	return e;
}

static void
send_dqbuf(struct bench *b, uint32_t session, uint32_t type, uint32_t index)
{
	struct virtio_media_event_dqbuf e = dqbuf(session, type, index);

	cr_assert(fake_event(&b->evq, &e, sizeof(e), sizeof(e)));
}

static struct driver_stats
stats_of(const struct bench *b)
{
	struct driver_stats stats;

	driver_get_stats(b->drv, &stats);
	return stats;
}

static int formats[] = {0, 1};

ParameterizedTestParameters(driver_events, buffer_comes_back_once_and_in_order)
{
	return cr_make_param_array(int, formats, 2);
}

ParameterizedTest(int *packed, driver_events, buffer_comes_back_once_and_in_order)
{
	struct driver_event event;
	struct bench b;

	bench_init(&b, *packed, 4);
	reqbufs(&b, 1, 32);
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < 32; i++) {
			qbuf(&b, 1, i);
		}
		for (uint32_t i = 0; i < 32; i++) {
			send_dqbuf(&b, 7, 1, 31 - i);
			cr_assert_eq(driver_poll(b.drv), 1);
		}
		for (uint32_t i = 0; i < 32; i++) {
			cr_assert_eq(driver_event_pop(b.session, &event), 0);
			cr_assert_eq(event.kind, DRIVER_EVENT_DQBUF);
			cr_assert_eq(event.dqbuf.buffer.index, 31 - i);
			cr_assert_eq(event.dqbuf.buffer.sequence, 71 - i);
		}
		cr_assert_eq(driver_event_pop(b.session, &event), -EAGAIN);
	}
	cr_assert_eq(stats_of(&b).events_dqbuf, 50 * 32);
	fake_end(b.drv);
}

/* proves: S-24 */
Test(driver_events, second_dqbuf_of_a_buffer_is_dropped)
{
	struct driver_event event;
	struct bench b;

	bench_init(&b, false, 16);
	reqbufs(&b, 1, 2);
	qbuf(&b, 1, 1);
	send_dqbuf(&b, 7, 1, 1);
	send_dqbuf(&b, 7, 1, 1);
	send_dqbuf(&b, 7, 1, 0);
	cr_assert_eq(driver_poll(b.drv), 3);
	cr_assert_eq(driver_event_pop(b.session, &event), 0);
	cr_assert_eq(driver_event_pop(b.session, &event), -EAGAIN);
	cr_assert_eq(stats_of(&b).events_duplicate, 2);
	fake_end(b.drv);
}

/* proves: S-24 */
Test(driver_events, hostile_events_are_dropped_and_recycled)
{
	struct virtio_media_event_dqbuf e = dqbuf(7, 1, 0);
	struct driver_event event;
	struct bench b;
	unsigned int bad = 0;

	bench_init(&b, false, 2);
	reqbufs(&b, 1, 2);
	reqbufs(&b, 9, 2);
	qbuf(&b, 1, 0);
	qbuf(&b, 9, 0);
#define DROPPED(len)                                                 \
	do {                                                         \
		cr_assert(fake_event(&b.evq, &e, sizeof(e), (len))); \
		cr_assert_eq(driver_poll(b.drv), 1);                 \
		cr_assert_eq(stats_of(&b).events_bad, ++bad);        \
	} while (0)
	DROPPED(0);
	DROPPED(7);
	DROPPED(607);
	DROPPED(609);
	DROPPED(UINT32_MAX);
	e.hdr.event = 3;
	DROPPED(608);
	e = dqbuf(7, 15, 0);
	DROPPED(608);
	e = dqbuf(7, UINT32_MAX, 0);
	DROPPED(608);
	e = dqbuf(7, 1, 2);
	DROPPED(608);
	e = dqbuf(7, 1, UINT32_MAX);
	DROPPED(608);
	e = dqbuf(7, 1, 0);
	e.buffer.bytesused = 101;
	DROPPED(608);
	e = dqbuf(7, 9, 0);
	e.buffer.length = 9;
	DROPPED(608);
	e = dqbuf(7, 9, 0);
	e.planes[1].bytesused = 101;
	DROPPED(608);
	e.planes[1].bytesused = 0;
	e.planes[0].data_offset = 101;
	DROPPED(608);
	e = dqbuf(8, 1, 0);
	cr_assert(fake_event(&b.evq, &e, sizeof(e), sizeof(e)));
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(stats_of(&b).events_unknown_session, 1);
	cr_assert_eq(driver_event_pop(b.session, &event), -EAGAIN);
	/* After all of this the buffers are still there. */
	e = dqbuf(7, 9, 0);
	e.buffer.m.planes = (void *)0x1234;
	cr_assert(fake_event(&b.evq, &e, sizeof(e), sizeof(e)));
	cr_assert_eq(driver_event_wait(b.session, &event, 100), 0);
	cr_assert_eq(event.dqbuf.planes[0].bytesused, 60);
	cr_assert_null(event.dqbuf.buffer.m.planes);
	fake_end(b.drv);
}

Test(driver_events, streamoff_drops_what_was_before_it)
{
	struct driver_event event;
	struct bench b;
	int type = 1;

	bench_init(&b, false, 16);
	reqbufs(&b, 1, 4);
	qbuf(&b, 1, 0);
	qbuf(&b, 1, 1);
	send_dqbuf(&b, 7, 1, 0);
	cr_assert_eq(driver_poll(b.drv), 1);
	send_dqbuf(&b, 7, 1, 1);
	do_ioctl(&b, VIDIOC_STREAMOFF, &type);
	cr_assert_eq(driver_event_pop(b.session, &event), -EAGAIN);
	cr_assert_eq(stats_of(&b).events_stale, 2);
	cr_assert_eq(stats_of(&b).events_duplicate, 0);
	qbuf(&b, 1, 1);
	send_dqbuf(&b, 7, 1, 1);
	cr_assert_eq(driver_event_wait(b.session, &event, 100), 0);
	fake_end(b.drv);
}

static void
note_status(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	*(int *)cookie = status;
}

Test(driver_events, event_may_overtake_the_answer_to_its_qbuf)
{
	struct v4l2_buffer buf = {.type = 1, .memory = 1};
	struct driver_event event;
	struct bench b;
	struct fake_chain c;
	uint8_t resp[96] = {0};
	int status = 1;

	bench_init(&b, false, 16);
	reqbufs(&b, 1, 1);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_QBUF, &buf, note_status, &status), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	send_dqbuf(&b, 7, 1, 0);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(driver_event_pop(b.session, &event), 0);
	memcpy(resp + 8, &buf, sizeof(buf));
	fake_write(&c, resp, sizeof(resp));
	fake_push(&b.cmdq, &c, sizeof(resp));
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(status, 0);
	/* A QBUF that fails queues nothing. */
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_QBUF, &buf, note_status, &status), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	resp[0] = EINVAL;
	fake_write(&c, resp, 8);
	fake_push(&b.cmdq, &c, 8);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(status, -EINVAL);
	send_dqbuf(&b, 7, 1, 0);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(stats_of(&b).events_duplicate, 1);
	fake_end(b.drv);
}

Test(driver_events, v4l2_events_are_bounded_and_buffers_are_not_lost_behind_them)
{
	struct virtio_media_event_event e = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_EVENT, .session_id = 7},
		.event = {.type = V4L2_EVENT_CTRL}};
	struct driver_event event;
	struct bench b;

	bench_init(&b, false, 16);
	reqbufs(&b, 1, 1);
	qbuf(&b, 1, 0);
	for (unsigned int i = 0; i < 100; i++) {
		e.event.id = i;
		cr_assert(fake_event(&b.evq, &e, sizeof(e), sizeof(e)));
		cr_assert_eq(driver_poll(b.drv), 1);
	}
	send_dqbuf(&b, 7, 1, 0);
	cr_assert_eq(driver_poll(b.drv), 1);
	for (unsigned int i = 0; i < 64; i++) {
		cr_assert_eq(driver_event_pop(b.session, &event), 0);
		cr_assert_eq(event.kind, DRIVER_EVENT_V4L2);
		cr_assert_eq(event.v4l2.id, i);
	}
	cr_assert_eq(driver_event_pop(b.session, &event), 0);
	cr_assert_eq(event.kind, DRIVER_EVENT_DQBUF);
	cr_assert_eq(stats_of(&b).events_overflow, 36);
	fake_end(b.drv);
}

Test(driver_events, error_event_ends_the_use_of_a_session)
{
	struct virtio_media_event_error e = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_ERROR, .session_id = 7}, .error_code = ENODEV};
	struct v4l2_control ctrl = {0};
	struct driver_event event;
	struct fake_server s;
	struct bench b;

	bench_init(&b, false, 16);
	cr_assert(fake_event(&b.evq, &e, sizeof(e), sizeof(e)));
	cr_assert_eq(driver_event_wait(b.session, &event, 100), 0);
	cr_assert_eq(event.kind, DRIVER_EVENT_ERROR);
	cr_assert_eq(event.error, -ENODEV);
	cr_assert_eq(driver_event_wait(b.session, &event, 100), -EIO);
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_G_CTRL, &ctrl), -EIO);
	fake_serve(&s, &b.cmdq, echo, NULL, 1);
	driver_close(b.session);
	fake_serve_end(&s);
	fake_end(b.drv);
}

Test(driver_events, slow_driver_gives_buffers_back_late)
{
	struct driver_event event;
	struct bench b;

	bench_init(&b, false, 2);
	reqbufs(&b, 1, 4);
	for (uint32_t i = 0; i < 4; i++) {
		qbuf(&b, 1, i);
	}
	driver_set_event_repost_delay(b.drv, 20 * 1000 * 1000);
	send_dqbuf(&b, 7, 1, 0);
	send_dqbuf(&b, 7, 1, 1);
	cr_assert_eq(driver_poll(b.drv), 2);
	cr_assert_eq(driver_event_pop(b.session, &event), 0);
	cr_assert_eq(driver_event_pop(b.session, &event), 0);
	cr_assert_not(fake_event(&b.evq, &event, 0, 0), "no buffer is posted now");
	cr_assert_eq(driver_wait(b.drv, 40), -ETIMEDOUT);
	send_dqbuf(&b, 7, 1, 2);
	send_dqbuf(&b, 7, 1, 3);
	cr_assert_eq(driver_wait(b.drv, 10), 2);
	fake_end(b.drv);
}

static void
count_event(struct driver_session *session, const struct driver_event *event, void *arg)
{
	*(unsigned int *)arg += event->dqbuf.buffer.index + 1;
}

Test(driver_events, callback_gets_events_instead_of_the_queue)
{
	struct driver_event event;
	unsigned int sum = 0;
	struct bench b;

	bench_init(&b, true, 16);
	reqbufs(&b, 1, 4);
	qbuf(&b, 1, 3);
	driver_session_set_event_fn(b.session, count_event, &sum);
	send_dqbuf(&b, 7, 1, 3);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(sum, 4);
	cr_assert_eq(driver_event_pop(b.session, &event), -EAGAIN);
	fake_end(b.drv);
}
