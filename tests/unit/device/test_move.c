/* SPDX-License-Identifier: BSD-3-Clause */
/* A device goes on where it stopped, on another reactor; what it cannot take along keeps it. */
#include <criterion/criterion.h>
#include <errno.h>

#include "harness.h"
#include "reactor/internal.h"

#define NB_BUFFERS 4

static struct h *h;
static struct reactor *first, *second;

static void
start(void)
{
	h = h_create(&(struct h_config){.endless = true});
	first = h->reactor;
	cr_assert_eq(
		reactor_create(&(struct reactor_config){.name = "second", .cpu = -1}, &second), 0);
	h_post_events(h, 16, H_EVENT_SIZE);
}

static void
end(void)
{
	struct reactor *other = h->reactor == first ? second : first;

	h_destroy(h);
	reactor_destroy(other);
}

TestSuite(device_move, .init = start, .fini = end);

/* The harness's passes are those of the device's reactor. */
static void
move(struct reactor *to)
{
	cr_assert_eq(device_move(h->device, to), 0);
	cr_assert_eq(device_reactor(h->device), to);
	h->reactor = to;
	loopback_set_progress(h->transport, (void (*)(void *))(void *)reactor_pass, to);
}

static uint32_t
stream(void)
{
	uint32_t session = h_open(h);

	cr_assert_eq(h_reqbufs(h, session, NB_BUFFERS), NB_BUFFERS);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		cr_assert_eq(h_qbuf(h, session, i), 0);
	}
	cr_assert_eq(h_stream(h, session, true), 0);
	return session;
}

/* One frame, and its buffer goes back. */
static uint32_t
frame(uint32_t session)
{
	static union {
		uint8_t bytes[H_EVENT_SIZE];
		struct virtio_media_event_dqbuf dqbuf;
	} event;

	for (unsigned int i = 0; h_event(h, &event) < 0; i++) {
		cr_assert_lt(i, 100);
		h_pass(h, 1);
	}
	h_post_events(h, 1, H_EVENT_SIZE);
	cr_assert_eq(h_qbuf(h, session, event.dqbuf.buffer.index), 0);
	return event.dqbuf.buffer.sequence;
}

Test(device_move, no_frame_is_lost)
{
	uint32_t session = stream();

	for (uint32_t i = 0; i < 100; i++) {
		cr_assert_eq(frame(session), i);
		move(i % 2 == 0 ? second : first);
	}
}

Test(device_move, the_reactor_it_left_does_not_look_at_it)
{
	uint32_t session = stream();

	cr_assert_eq(frame(session), 0);
	move(second);
	cr_assert_eq(reactor_pass(first), 0);
	cr_assert(TAILQ_EMPTY(&first->pollers));
	cr_assert_eq(frame(session), 1);
}

Test(device_move, a_deferred_command_is_answered_by_the_new_one)
{
	static struct h_reply reply;
	uint32_t session = h_open(h);
	uint64_t std = 1;

	h_send_ioctl(h, session, _IOC_NR(VIDIOC_S_STD), &std, sizeof(std), 0);
	h_pass(h, 2);
	cr_assert_not_null(h->backend->deferred);
	move(second);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
}

Test(device_move, a_job_under_way_keeps_it)
{
	h->device->nb_offloaded++;
	cr_assert_eq(device_move(h->device, second), -EBUSY);
	cr_assert_eq(device_reactor(h->device), first);
	h->device->nb_offloaded--;
	move(second);
}

static unsigned int nb_runs;

static bool
run_once(struct work *work, uint64_t until_tsc)
{
	nb_runs++;
	return true;
}

Test(device_move, work_that_was_queued_goes_along)
{
	h->device->work.run = run_once;
	reactor_work_queue(first, &h->device->work);
	move(second);
	reactor_pass(first);
	cr_assert_eq(nb_runs, 0);
	reactor_pass(second);
	cr_assert_eq(nb_runs, 1);
}

Test(device_move, a_reset_finds_it_where_it_is)
{
	uint32_t session = stream();

	cr_assert_eq(frame(session), 0);
	move(second);
	loopback_reset(h->transport);
	h_pass(h, 1);
	cr_assert(h->device->running);
	cr_assert_eq(device_reactor(h->device), second);
	cr_assert_eq(h->device->nb_open_sessions, 0);
}

Test(device_move, a_backend_that_keeps_its_reactor_stays)
{
	struct vmedia_backend_ops keeps = h_backend_ops;

	keeps.keeps_reactor = true;
	h->device->backend = &keeps;
	cr_assert_eq(device_move(h->device, second), -EOPNOTSUPP);
	cr_assert_eq(device_reactor(h->device), first);
	h->device->backend = &h_backend_ops;
}

Test(device_move, to_where_it_is_is_nothing)
{
	cr_assert_eq(device_move(h->device, first), 0);
	cr_assert_eq(device_reactor(h->device), first);
}
