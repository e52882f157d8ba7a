/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that wait for the eventq's bell (coalesce-us), and what does not let them wait. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define NB_BUFFERS 8
#define FOREVER_US 1000000000u /* nothing is over before the test is */

static struct h *h;
static uint32_t session;

static void
let_frames(unsigned int nb)
{
	h->backend->frames_allowed += nb;
	h->device->backend_due_tsc = 0;
	h_pass(h, 4);
}

static unsigned int
nb_bells(void)
{
	return (unsigned int)fake_guest_nb_calls(h->guest, DEVICE_EVENTQ);
}

static void
expect_frames(unsigned int nb)
{
	uint8_t event[H_EVENT_SIZE];

	for (unsigned int i = 0; i < nb; i++) {
		cr_assert_eq(h_event(h, event), H_EVENT_SIZE, "frame %u of %u", i, nb);
	}
}

/* A stream whose first frame has rung, and was taken; the second waits. */
static void
begin_with(const struct h_config *config, unsigned int nb_events)
{
	struct h_config c = *config;

	c.coalesce_us = FOREVER_US;
	h = h_create(&c);
	h_post_events(h, nb_events, H_EVENT_SIZE);
	session = h_open(h);
	cr_assert_eq(h_reqbufs(h, session, NB_BUFFERS), NB_BUFFERS);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		cr_assert_eq(h_qbuf(h, session, i), 0);
	}
	cr_assert_eq(h_stream(h, session, true), 0);
	nb_bells();
	let_frames(1);
	cr_assert_eq(nb_bells(), 1, "the first frame rings at once");
	expect_frames(1);
	fake_guest_calls_on(h->guest, DEVICE_EVENTQ, 1);
	let_frames(1);
	cr_assert_eq(nb_bells(), 0, "the second one waits");
}

static void
begin(const struct h_config *config)
{
	begin_with(config, 16);
}

static void
end(void)
{
	h_destroy(h);
}

static void
check_waiting(const struct h_config *config)
{
	begin(config);
	let_frames(2);
	cr_assert_eq(nb_bells(), 0);
	cr_assert_eq(h->device->bell_due_tsc, h->device->next_bell_tsc);
	h->device->backend_due_tsc = h->device->next_deadline_tsc = VMEDIA_NO_DEADLINE;
	cr_assert_eq(h->device->poller.ops->deadline(&h->device->poller), h->device->next_bell_tsc,
		"a reactor that sleeps wakes up for it");
	h->device->next_bell_tsc = h->device->bell_due_tsc = clock_tsc();
	h_pass(h, 1);
	cr_assert_eq(nb_bells(), 1, "the time is over: one bell for all");
	cr_assert_eq(h->device->bell_due_tsc, VMEDIA_NO_DEADLINE);
	h_pass(h, 4);
	cr_assert_eq(nb_bells(), 0);
	expect_frames(3); /* nothing but the bell waits */
	end();
}

/* proves: R-84 */
Test(device_coalesce, frames_within_the_time_share_a_bell)
{
	check_waiting(&(struct h_config){0});
	check_waiting(&(struct h_config){.packed = true});
	check_waiting(&(struct h_config){.event_idx = true});
	check_waiting(&(struct h_config){.packed = true, .event_idx = true});
}

Test(device_coalesce, an_answer_never_waits)
{
	begin(&(struct h_config){0});
	fake_guest_nb_calls(h->guest, DEVICE_COMMANDQ);
	expect_frames(1);
	cr_assert_eq(h_qbuf(h, session, 0), 0);
	cr_assert_eq(fake_guest_nb_calls(h->guest, DEVICE_COMMANDQ), 1);
	cr_assert_eq(nb_bells(), 0);
	end();
}

Test(device_coalesce, an_event_rings_for_the_frames_as_well)
{
	struct v4l2_event event = {.type = V4L2_EVENT_SOURCE_CHANGE};

	begin(&(struct h_config){0});
	cr_assert_eq(h_subscribe(h, session, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	cr_assert_eq(nb_bells(), 0);
	vmedia_event_queue(h->device, &event);
	h_pass(h, 2);
	cr_assert_eq(nb_bells(), 1);
	end();
}

Test(device_coalesce, the_last_queued_buffer_rings)
{
	begin(&(struct h_config){0});
	let_frames(NB_BUFFERS - 3);
	cr_assert_eq(nb_bells(), 0);
	let_frames(1);
	cr_assert_eq(nb_bells(), 1);
	end();
}

static void
check_flag(uint32_t flag)
{
	struct vmedia_buffer *buffer;

	begin(&(struct h_config){0});
	buffer = TAILQ_FIRST(&h->backend->queued);
	TAILQ_REMOVE(&h->backend->queued, buffer, link);
	buffer->flags |= flag;
	vmedia_buffer_done(buffer);
	h_pass(h, 2);
	cr_assert_eq(nb_bells(), 1);
	end();
}

Test(device_coalesce, the_end_of_a_stream_rings)
{
	check_flag(V4L2_BUF_FLAG_LAST);
	check_flag(V4L2_BUF_FLAG_ERROR);
}

Test(device_coalesce, a_driver_without_event_buffers_hears_of_it)
{
	begin_with(&(struct h_config){0}, 3);
	let_frames(1);
	cr_assert_eq(nb_bells(), 0);
	let_frames(1);
	cr_assert_eq(nb_bells(), 1, "three frames are told of, the fourth needs a buffer");
	expect_frames(2);
	end();
}

/* proves: R-69 R-84 */
Test(device_coalesce, streamoff_that_waits_for_the_driver_rings)
{
	uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	static struct h_reply reply;

	begin(&(struct h_config){.drain_ms = 4000});
	h_send_ioctl(h, session, _IOC_NR(VIDIOC_STREAMOFF), &type, sizeof(type), 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(nb_bells(), 1);
	expect_frames(1);
	h_post_events(h, 2, H_EVENT_SIZE);
	cr_assert_eq(h_recv(h, &reply), 0);
	end();
}

static void
quiesced(void *arg)
{
	*(bool *)arg = true;
}

Test(device_coalesce, a_device_that_is_quiesced_leaves_no_bell_unrung)
{
	bool done = false;

	begin(&(struct h_config){0});
	device_listener.quiesce(h->device, TRANSPORT_STOP, quiesced, &done);
	h_settle(h);
	cr_assert(done);
	cr_assert_eq(nb_bells(), 1);
	end();
}
