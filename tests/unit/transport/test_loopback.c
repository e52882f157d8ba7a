/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <criterion/criterion.h>

#include "fake_device.h"
#include "transport/loopback.h"

static struct fake_device dev;
static struct transport *transport;
static const struct transport_config config = {.name = "loop", .listen_fd = -1, .arena_fd = -1};
static const struct virtq_config ring = {.size = 64, .avail_base = 7, .callfd = -1, .kickfd = -1};

static void
set_up(void)
{
	fake_device_init(&dev);
	cr_assert_eq(loopback_ops.create(&config, &fake_listener, &dev, &transport), 0);
}

static void
tear_down(void)
{
	loopback_ops.destroy(transport);
	cr_assert(!dev.running[0] && !dev.running[1] && dev.mem.nb_regions == 0);
	cr_assert_geq(dev.nb_resets, 1);
	fake_device_fini(&dev);
	cr_assert_eq(dev.nb_breaches, 0, "an up-call came while the device was not quiet");
}

TestSuite(loopback, .init = set_up, .fini = tear_down, .timeout = 10);

static void
give_memory(void)
{
	static char page[4096];
	struct guest_mem mem = {
		.nb_regions = 1, .regions = {{.gpa = 0, .size_bytes = 4096, .addr = page}}};

	loopback_set_memory(transport, &mem);
	cr_assert_eq(dev.mem.nb_regions, 1);
}

Test(loopback, rings_start_stop_and_return_their_base_while_the_device_is_quiet)
{
	give_memory();
	cr_assert_eq(loopback_ring_start(transport, 0, &ring), 0);
	cr_assert_eq(loopback_ring_start(transport, 1, &ring), 0);
	cr_assert(dev.running[0] && dev.running[1]);
	dev.bases[0] = 99;
	cr_assert_eq(loopback_ring_stop(transport, 0, TRANSPORT_STOP), 99);
	cr_assert_eq(loopback_ring_stop(transport, 1, TRANSPORT_STOP), 7);
	cr_assert(!dev.running[0] && !dev.running[1]);
	cr_assert_eq(dev.nb_quiesces, 5);
}

Test(loopback, running_ring_is_not_started_again)
{
	cr_assert_eq(loopback_ring_start(transport, 0, &ring), 0);
	cr_assert_eq(loopback_ring_start(transport, 0, &ring), -EBUSY);
	cr_assert_eq(loopback_ring_start(transport, 2, &ring), -EINVAL);
	cr_assert_eq(dev.nb_starts[0], 1);
}

Test(loopback, reset_stops_the_rings_first)
{
	cr_assert_eq(loopback_ring_start(transport, 0, &ring), 0);
	loopback_reset(transport);
	cr_assert(!dev.running[0]);
	cr_assert_eq(dev.nb_resets, 1);
	cr_assert_eq(loopback_ring_start(transport, 0, &ring), 0, "and it can start again");
}

Test(loopback, window_request_is_answered_exactly_once)
{
	cr_assert(!loopback_window_wanted(transport));
	cr_assert(!loopback_window_reply(transport, 0));
	transport->ops->window_map(transport);
	cr_assert(loopback_window_wanted(transport));
	cr_assert(loopback_window_reply(transport, -ENOTSUP));
	cr_assert(!loopback_window_reply(transport, 0));
	cr_assert_eq(dev.nb_windows, 1);
	cr_assert_eq(dev.window_status, -ENOTSUP);
	cr_assert_eq(loopback_window_requests(transport), 1);
}

/* A device whose reactor is the caller's thread: quiet only after three passes. */
struct slow {
	void (*done)(void *arg);
	void *arg;
	unsigned int passes_left;
	unsigned int nb_passes;
};

static void
slow_quiesce(void *device, enum transport_quiesce why, void (*done)(void *arg), void *arg)
{
	struct slow *slow = device;

	slow->done = done;
	slow->arg = arg;
	slow->passes_left = 3;
}

static void
slow_resume(void *device)
{
	struct slow *slow = device;

	cr_assert_eq(slow->passes_left, 0);
}

static void
slow_set_memory(void *device, const struct guest_mem *mem)
{
	slow_resume(device);
}

static uint16_t
slow_ring_stop(void *device, unsigned int queue)
{
	slow_resume(device);
	return 0;
}

static void
slow_pass(void *arg)
{
	struct slow *slow = arg;

	slow->nb_passes++;
	if (--slow->passes_left == 0) {
		slow->done(slow->arg);
	}
}

Test(loopback, progress_runs_passes_until_the_device_is_quiet)
{
	const struct transport_listener listener = {.quiesce = slow_quiesce,
		.resume = slow_resume,
		.set_memory = slow_set_memory,
		.ring_stop = slow_ring_stop,
		.reset = slow_resume};
	struct slow slow = {0};
	struct transport *t;

	cr_assert_eq(loopback_ops.create(&config, &listener, &slow, &t), 0);
	loopback_set_progress(t, slow_pass, &slow);
	loopback_set_memory(t, NULL);
	cr_assert_eq(slow.nb_passes, 3);
	loopback_reset(t);
	cr_assert_eq(slow.nb_passes, 6);
	loopback_ops.destroy(t);
	cr_assert_eq(slow.nb_passes, 9);
}
