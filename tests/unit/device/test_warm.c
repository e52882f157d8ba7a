/* SPDX-License-Identifier: BSD-3-Clause */
/* A device asks for its memory ahead of its next frame; nothing else comes of it. */
#include <criterion/criterion.h>

#include "harness.h"

#define FAR_NS (3600ull * NSEC_PER_SEC) /* not due before the test is over */

static struct h *h;

static void
begin(void)
{
	uint32_t session;

	h = h_create(&(struct h_config){0});
	h_post_events(h, 4, H_EVENT_SIZE);
	session = h_open(h);
	cr_assert_eq(h_reqbufs(h, session, 2), 2);
	cr_assert_eq(h_qbuf(h, session, 0), 0);
	cr_assert_eq(h_qbuf(h, session, 1), 0);
	cr_assert_eq(h_stream(h, session, true), 0);
	h_settle(h);
}

static void
end(void)
{
	h_destroy(h);
}

/* The next frame is due then. */
static void
next_frame(uint64_t in_ns)
{
	h->device->backend_due_tsc = clock_tsc() + clock_ns_to_tsc(in_ns);
}

/* Steps are taken from now on, however far away the frame is. */
static void
widen(unsigned int nb_steps)
{
	for (unsigned int i = 0; i < DEVICE_WARM_STEPS; i++) {
		h->device->warm.ahead_tsc[i] = i < nb_steps ? UINT32_MAX : 0;
	}
	next_frame(NSEC_PER_SEC * 9 / 10);
}

static uint64_t
nb_busy_passes(unsigned int nb_passes)
{
	struct reactor_stats before, after;

	reactor_stats(h->reactor, &before);
	h_pass(h, nb_passes);
	reactor_stats(h->reactor, &after);
	return after.nb_busy_passes - before.nb_busy_passes;
}

Test(device_warm, each_step_is_taken_once_for_a_frame)
{
	begin();
	widen(DEVICE_WARM_STEPS);
	cr_assert_eq(nb_busy_passes(1), 1);
	cr_assert_eq(h->device->warm.step, 1);
	cr_assert_eq(nb_busy_passes(10), DEVICE_WARM_STEPS - 1);
	cr_assert_eq(device_warm_tsc(h->device), VMEDIA_NO_DEADLINE);
	widen(DEVICE_WARM_STEPS);
	cr_assert_eq(nb_busy_passes(10), DEVICE_WARM_STEPS, "and again for the next one");
	end();
}

Test(device_warm, a_step_waits_for_its_time)
{
	begin();
	widen(1);
	cr_assert_eq(nb_busy_passes(10), 1);
	cr_assert_eq(device_warm_tsc(h->device), h->device->backend_due_tsc);
	next_frame(FAR_NS);
	h->device->warm.ahead_tsc[0] = 1000;
	cr_assert_eq(nb_busy_passes(10), 0);
	cr_assert_eq(device_warm_tsc(h->device), h->device->backend_due_tsc - 1000);
	end();
}

/* A reactor that sleeps has no time to use: it wakes up for the frame. */
Test(device_warm, no_sleep_ends_for_it)
{
	begin();
	next_frame(FAR_NS);
	h->device->next_deadline_tsc = VMEDIA_NO_DEADLINE; /* of no command */
	h_pass(h, 4);
	cr_assert_lt(device_warm_tsc(h->device), h->device->backend_due_tsc);
	cr_assert_eq(
		h->device->poller.ops->deadline(&h->device->poller), h->device->backend_due_tsc);
	end();
}

static void
expect_frames(unsigned int nb)
{
	uint8_t event[H_EVENT_SIZE];

	h->backend->frames_allowed = nb;
	h->device->backend_due_tsc = 0;
	h_pass(h, 4);
	for (unsigned int i = 0; i < nb; i++) {
		cr_assert_eq(h_event(h, event), H_EVENT_SIZE);
	}
}

/* What it would ask for is gone, or was never there. */
Test(device_warm, it_is_a_hint)
{
	begin();
	widen(DEVICE_WARM_STEPS);
	h->device->owner[DEVICE_CAPTURE]->queues[DEVICE_CAPTURE].next = 31;
	cr_assert_eq(nb_busy_passes(10), DEVICE_WARM_STEPS);
	expect_frames(2);
	widen(DEVICE_WARM_STEPS);
	cr_assert_eq(nb_busy_passes(10), DEVICE_WARM_STEPS, "no event buffer is needed for it");
	session_close_all(h->device);
	widen(DEVICE_WARM_STEPS);
	cr_assert_eq(nb_busy_passes(10), DEVICE_WARM_STEPS, "nor a session");
	end();
}
