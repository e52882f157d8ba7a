/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md 7.6 and 4: events. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

static union {
	uint8_t bytes[H_EVENT_SIZE];
	struct virtio_media_event_header hdr;
	struct virtio_media_event_dqbuf dqbuf;
	struct virtio_media_event_event event;
} event;

static uint32_t
stream(struct h *h, uint32_t nb_buffers)
{
	uint32_t s = h_open(h), i;

	cr_assert_eq(h_reqbufs(h, s, nb_buffers), (int)nb_buffers);
	for (i = 0; i < nb_buffers; i++) {
		cr_assert_eq(h_qbuf(h, s, i), 0);
	}
	cr_assert_eq(h_stream(h, s, true), 0);
	return s;
}

static void
let_frames(struct h *h, uint32_t nb)
{
	h->backend->frames_allowed = nb;
	h->device->backend_due_tsc = 0;
	h_pass(h, 2);
}

static void
raise(struct h *h, uint32_t changes)
{
	struct v4l2_event e = {.type = V4L2_EVENT_SOURCE_CHANGE, .u.src_change.changes = changes};

	vmedia_event_queue(h->device, &e);
}

static void
check_32_on_16(const struct h_config *config)
{
	struct h *h = h_create(config);
	struct v4l2_control c = {.id = H_CTRL};
	uint32_t s, i;

	h_post_events(h, 16, H_EVENT_SIZE);
	s = stream(h, 32);
	let_frames(h, 32);
	/* Starved: 16 wait, commands are served all the same. */
	cr_assert_eq(h->device->nb_pending, 16);
	cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c)), 0);
	cr_assert_gt(h->device->counters.nb_event_starved, 0);
	for (i = 0; i < 32; i++) {
		cr_assert_eq(h_event(h, &event), H_EVENT_SIZE, "event %u", i);
		cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
		cr_assert_eq(event.hdr.session_id, s);
		cr_assert_eq(event.dqbuf.buffer.index, i);
		cr_assert_eq(event.dqbuf.buffer.sequence, i);
		cr_assert_eq(event.dqbuf.buffer.bytesused, H_SIZE);
		cr_assert_not(
			event.dqbuf.buffer.flags & (V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_PREPARED));
		if (i >= 16) {
			h_post_events(h, 1, H_EVENT_SIZE);
		}
		h_post_events(h, i < 16, H_EVENT_SIZE);
		h_pass(h, 1);
	}
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	cr_assert_eq(h->device->nb_pending, 0);
	h_destroy(h);
}

/* proves: R-68 R-77 R-78 R-80 B14 B16 B17 */
Test(device_event, thirty_two_buffers_pass_through_sixteen_descriptors)
{
	check_32_on_16(NULL);
	check_32_on_16(&(struct h_config){.packed = true});
	check_32_on_16(&(struct h_config){.packed = true, .event_idx = true});
}

/* proves: R-80 B14 */
Test(device_event, without_descriptors_buffers_wait_and_none_is_lost)
{
	struct h *h = h_create(NULL);
	uint32_t i;

	stream(h, 32);
	let_frames(h, 32);
	cr_assert_eq(h->device->nb_pending, 32);
	for (i = 0; i < 32; i++) {
		cr_assert_eq(h_event(h, &event), -EAGAIN);
		h_post_events(h, 1, H_EVENT_SIZE);
		h_pass(h, 1);
		cr_assert_eq(h_event(h, &event), H_EVENT_SIZE);
		cr_assert_eq(event.dqbuf.buffer.index, i);
	}
	h_destroy(h);
}

static void
check_too_small(const struct h_config *config)
{
	struct h *h = h_create(config);
	unsigned int i;

	h_post_events(h, 5, H_EVENT_SIZE - 1);
	h_post_events(h, 1, H_EVENT_SIZE);
	stream(h, 1);
	let_frames(h, 1);
	for (i = 0; i < 5; i++) {
		cr_assert_eq(h_event(h, &event), 0);
	}
	cr_assert_eq(h_event(h, &event), H_EVENT_SIZE);
	cr_assert_eq(h->device->counters.nb_event_too_small, 5);
	cr_assert_eq(h->device->counters.nb_events, 1);
	h_destroy(h);
}

/* proves: R-19 R-78 R-80 B15 */
Test(device_event, a_descriptor_too_small_comes_back_empty_and_the_event_stays)
{
	check_too_small(NULL);
	check_too_small(&(struct h_config){.packed = true});
}

/* In one aligned piece the event is written in place, else by a copy: the guest sees the same. */
static void
check_pieces(const uint32_t *pieces, unsigned int nb)
{
	struct h *h = h_create(NULL);
	uint32_t s;

	cr_assert_geq(fake_guest_send(h->guest, DEVICE_EVENTQ, NULL, 0, pieces, nb), 0);
	s = stream(h, 1);
	let_frames(h, 1);
	memset(&event, 0xff, sizeof(event));
	cr_assert_eq(h_event(h, &event), H_EVENT_SIZE);
	cr_expect_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	cr_expect_eq(event.hdr.session_id, s);
	cr_expect_eq(event.dqbuf.buffer.bytesused, H_SIZE);
	cr_expect_eq(event.dqbuf.buffer.length, H_SIZE);
	for (size_t i = offsetof(struct virtio_media_event_dqbuf, planes); i < H_EVENT_SIZE; i++) {
		cr_assert_eq(event.bytes[i], 0, "byte %zu", i);
	}
	h_destroy(h);
}

/* proves: R-77 R-81 S-17 B12 */
Test(device_event, the_shape_of_the_descriptors_makes_no_difference)
{
	check_pieces((const uint32_t[]){H_EVENT_SIZE}, 1);
	check_pieces((const uint32_t[]){H_EVENT_SIZE + 100}, 1);
	check_pieces((const uint32_t[]){3, H_EVENT_SIZE - 3}, 2);
	check_pieces((const uint32_t[]){8, 88, 512}, 3);
	check_pieces((const uint32_t[]){H_EVENT_SIZE - 1, 1}, 2);
}

/* proves: R-80 S-15 B17 B19 */
Test(device_event, rubbish_on_the_eventq_does_not_hold_up_commands)
{
	struct h *h = h_create(NULL);
	struct v4l2_control c = {.id = H_CTRL};
	uint32_t s = stream(h, 2);

	h_post_events(h, 200, 8);
	h->backend->frames_allowed = 1;
	h->device->backend_due_tsc = 0;
	h_pass(h, 1);
	cr_assert_eq(h->device->counters.nb_event_too_small, 64, "as many in a pass");
	cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c)), 0);
	h_pass(h, 8);
	while (h_event(h, &event) >= 0) {
		cr_assert_neq(event.hdr.event, 0xff);
	}
	h_post_events(h, 1, H_EVENT_SIZE);
	h_pass(h, 1);
	cr_assert_eq(h_event(h, &event), H_EVENT_SIZE);
	h_destroy(h);
}

static void
check_initial(const struct h_config *config)
{
	struct h *h = h_create(config);
	struct v4l2_event_subscription sub = {
		.type = V4L2_EVENT_CTRL, .id = H_CTRL, .flags = V4L2_EVENT_SUB_FL_SEND_INITIAL};
	static struct h_reply reply;
	uint32_t s = h_open(h);

	h_post_events(h, 16, H_EVENT_SIZE);
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_SUBSCRIBE_EVENT), &sub, sizeof(sub), 0);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	/* One pass: when the answer is there, so is the event. */
	reactor_pass(h->reactor);
	cr_assert(fake_guest_has_used(h->guest, DEVICE_EVENTQ));
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(h_event(h, &event), 144);
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	cr_assert_eq(event.event.event.type, V4L2_EVENT_CTRL);
	cr_assert_eq(event.event.event.id, H_CTRL);
	h_destroy(h);
}

/* proves: R-77 */
Test(device_event, the_initial_event_is_there_with_the_answer)
{
	check_initial(NULL);
	check_initial(&(struct h_config){.packed = true});
}

/* proves: R-75 R-77 */
Test(device_event, only_subscribers_get_events)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h), b = h_open(h);

	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_subscribe(h, a, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, b, V4L2_EVENT_EOS, 0, 0), 0);
	raise(h, 1);
	h_pass(h, 1);
	cr_assert_eq(h_event(h, &event), 144);
	cr_assert_eq(event.hdr.session_id, a);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	cr_assert_neq(a, b);
	h_destroy(h);
}

/* A session takes the place of one before it, which had asked. */
/* proves: R-82 */
Test(device_event, a_new_session_hears_of_nothing_before_it_asks)
{
	struct h *h = h_create(NULL);
	uint32_t old = h_open(h), s;

	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_subscribe(h, old, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	raise(h, 1); /* waits, and is withdrawn with its session */
	h_close(h, old);
	while (h_event(h, &event) > 0) {
		cr_assert_eq(event.hdr.session_id, old);
	}
	s = h_open(h);
	raise(h, 2);
	h_pass(h, 2);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	raise(h, 4);
	h_pass(h, 2);
	cr_assert_eq(h_event(h, &event), 144);
	cr_assert_eq(event.hdr.session_id, s);
	cr_assert_eq(event.event.event.u.src_change.changes, 4);
	h_destroy(h);
}

static void
events_beyond_the_index(bool packed)
{
	struct h *h = h_create(&(struct h_config){.packed = packed});
	uint32_t s = h_open(h);
	uint64_t nb_resets = h->device->counters.nb_resets;

	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	for (uint32_t i = 0; i < 66000; i++) {
		raise(h, 1);
		fake_guest_kick(h->guest, DEVICE_EVENTQ);
		h_pass(h, 1);
		cr_assert_eq(h_event(h, &event), 144, "event %u", i);
		cr_assert_eq(event.hdr.session_id, s);
		h_post_events(h, 1, H_EVENT_SIZE);
	}
	cr_assert_eq(h->device->counters.nb_resets, nb_resets);
	cr_assert_eq(h->device->broken, VIRTQ_SOUND);
	h_close(h, s);
	h_destroy(h);
}

/* Kicks of the eventq are of no consequence. */
/* proves: B20 */
Test(device_event, more_events_than_the_index_counts_and_a_kick_for_each, .timeout = 60)
{
	events_beyond_the_index(false);
	events_beyond_the_index(true);
}

/* proves: R-80 */
Test(device_event, waiting_events_of_one_subscription_become_one)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);

	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	raise(h, 1);
	raise(h, 4);
	raise(h, 0);
	cr_assert_eq(h->device->nb_pending, 1);
	h_post_events(h, 4, H_EVENT_SIZE);
	h_pass(h, 2);
	cr_assert_eq(h_event(h, &event), 144);
	cr_assert_eq(event.event.event.u.src_change.changes, 5);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	h_destroy(h);
}

static void
expect_buffer(struct h *h, uint32_t index)
{
	cr_assert_eq(h_event(h, &event), 608);
	cr_assert_eq(event.dqbuf.buffer.index, index);
}

/* Another order, of kinds or of buffers, shows: the event is not in the middle. */
/* proves: R-79 */
Test(device_event, events_of_all_kinds_keep_their_order)
{
	struct h *h = h_create(NULL);
	uint32_t s = stream(h, 4);

	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	let_frames(h, 3);
	raise(h, 1);
	let_frames(h, 1);
	h_post_events(h, 16, H_EVENT_SIZE);
	h_pass(h, 1);
	expect_buffer(h, 0);
	expect_buffer(h, 1);
	expect_buffer(h, 2);
	cr_assert_eq(h_event(h, &event), 144);
	expect_buffer(h, 3);
	h_destroy(h);
}

/* proves: R-68 R-69 B5 */
Test(device_event, streamoff_withdraws_what_is_not_published)
{
	struct h *h = h_create(NULL);
	uint32_t s = stream(h, 8);

	let_frames(h, 5);
	cr_assert_eq(h->device->nb_pending, 5);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h->device->nb_pending, 0);
	h_post_events(h, 16, H_EVENT_SIZE);
	h_pass(h, 4);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	cr_assert_eq(h->device->counters.nb_cancelled, 8);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	h_destroy(h);
}

/* proves: R-41 */
Test(device_event, nothing_of_a_session_comes_after_its_close)
{
	struct h *h = h_create(NULL);
	uint32_t s = stream(h, 8), other;

	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	let_frames(h, 5);
	raise(h, 1);
	h_close(h, s);
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	raise(h, 2);
	h_post_events(h, 16, H_EVENT_SIZE);
	h_pass(h, 4);
	cr_assert_eq(h_event(h, &event), 144);
	cr_assert_eq(event.hdr.session_id, other);
	cr_assert_eq(h_event(h, &event), -EAGAIN);
	h_destroy(h);
}

/* proves: R-75 */
Test(device_event, unsubscribing_withdraws_the_event)
{
	struct h *h = h_create(NULL);
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_SOURCE_CHANGE};
	uint32_t s = h_open(h);

	cr_assert_eq(h_subscribe(h, s, sub.type, 0, 0), 0);
	raise(h, 1);
	cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_UNSUBSCRIBE_EVENT), &sub, sizeof(sub), 0), 0);
	cr_assert_eq(h->device->nb_pending, 0);
	h_destroy(h);
}

/* proves: R-68 */
Test(device_event, a_buffer_that_is_not_queued_is_never_done)
{
	struct h *h = h_create(NULL);
	uint32_t s = stream(h, 2);
	struct vmedia_session *session = session_find(h->device, s);

	let_frames(h, 1);
	vmedia_buffer_done(&session->queues[DEVICE_CAPTURE].buffers[0]->pub);
	cr_assert_eq(h->device->nb_pending, 1);
	h_destroy(h);
}

/* ---- the drain barrier (T-11) ---- */

static void
check_drain(const struct h_config *config)
{
	struct h *h = h_create(config);
	uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE, s;
	static struct h_reply reply;

	h_post_events(h, 16, H_EVENT_SIZE);
	s = stream(h, 4);
	let_frames(h, 4);
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_STREAMOFF), &type, sizeof(type), 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(h_recv(h, &reply), -EAGAIN);
		cr_assert_eq(h_event(h, &event), H_EVENT_SIZE);
		h_post_events(h, 1, H_EVENT_SIZE);
	}
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	/* Nothing was published since: no wait. */
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_STREAMOFF), &type, sizeof(type), 0);
	reactor_pass(h->reactor);
	cr_assert_eq(h_recv(h, &reply), 0);
	h_destroy(h);
}

/* proves: R-69 */
Test(device_event, streamoff_waits_until_the_driver_took_the_events)
{
	check_drain(&(struct h_config){.drain_ms = 4000});
	check_drain(&(struct h_config){.drain_ms = 4000, .packed = true});
}

/* proves: R-32 S-20 */
Test(device_event, a_driver_that_does_not_repost_waits_no_longer_than_drain_ms)
{
	struct h *h = h_create(&(struct h_config){.drain_ms = 30});
	struct virtio_media_cmd_close cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE};
	uint64_t begin;
	uint32_t s;

	h_post_events(h, 16, H_EVENT_SIZE);
	s = stream(h, 4);
	let_frames(h, 4);
	cmd.session_id = s;
	begin = clock_monotonic_ns();
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_geq(clock_monotonic_ns() - begin, 25 * NSEC_PER_MSEC);
	/* And once only for the same events. */
	h_send(h, &cmd, sizeof(cmd), 0);
	reactor_pass(h->reactor);
	cr_assert(fake_guest_has_used(h->guest, DEVICE_COMMANDQ));
	h_destroy(h);
}
