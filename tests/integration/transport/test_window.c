/* SPDX-License-Identifier: BSD-3-Clause */
/* The back-end channel: vmm.md section 3, B6, B7, C1, C4. */
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

static const uint32_t zero_bases[2];

TestSuite(gateway_window, .init = bed_set_up, .fini = bed_tear_down, .timeout = 30);

static void
start(void)
{
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
}

/* The device asks; the front-end answers; what the device is told. */
static int
map(uint64_t status)
{
	unsigned int nb = bed.dev.nb_windows + 1;

	vhost_user_ops.window_map(bed.transport);
	fe_serve_map(&bed.fe, status);
	return fake_device_wait_window(&bed.dev, nb);
}

Test(gateway_window, C4_whole_arena_is_mapped_by_one_exact_message)
{
	start();
	cr_assert_eq(map(0), 0);
	cr_assert(fe_silent(bed.fe.channel, 20));
}

/* proves: R-96 */
Test(gateway_window, C1_refusals_of_every_style_are_an_error)
{
	struct transport_status status;

	start();
	cr_assert_eq(map(1), -5);
	cr_assert_eq(map((uint64_t)-22), -5);
	cr_assert_eq(map(95), -5);
	vhost_user_status(bed.transport, &status);
	cr_assert_eq(status.nb_map_refused, 3);
	cr_assert_eq(map(0), 0, "the channel is still usable");
}

Test(gateway_window, B1_refusal_after_a_pause_means_that_the_map_still_stands)
{
	uint32_t bases[2];

	start();
	cr_assert_eq(map(0), 0);
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = 9;
	fe_qemu_stop(&bed.fe, bases);
	fe_qemu_start(&bed.fe, bases);
	cr_assert_eq(map(1), 0);
}

Test(gateway_window, B2_refusal_after_a_reset_is_an_error)
{
	uint32_t bases[2];

	start();
	cr_assert_eq(map(0), 0);
	bed.dev.bases[0] = 9;
	fe_qemu_stop(&bed.fe, bases);
	fe_clear_rings(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	cr_assert_eq(map(1), -5);
}

Test(gateway_window, B7_channel_is_silent_while_stopped_and_speaks_after_the_start)
{
	uint32_t bases[2];

	fe_qemu_realize(&bed.fe);
	vhost_user_ops.window_map(bed.transport);
	cr_assert(fe_silent(bed.fe.channel, 100), "before the first start");
	fe_qemu_start(&bed.fe, zero_bases);
	fe_serve_map(&bed.fe, 0);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), 0);
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = 3;
	fe_set_state(&bed.fe, 18, 0, 0);
	vhost_user_ops.window_map(bed.transport);
	cr_assert(fe_silent(bed.fe.channel, 50), "after the first message of a stop");
	fe_qemu_stop(&bed.fe, bases);
	cr_assert(fe_silent(bed.fe.channel, 50));
	fe_qemu_start(&bed.fe, bases);
	fe_serve_map(&bed.fe, 1);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 2), 0);
}

/* proves: R-96 S-20 */
Test(gateway_window, C1_silent_front_end_costs_a_second_and_a_half_and_no_message)
{
	struct timespec before, after;

	start();
	clock_gettime(CLOCK_MONOTONIC, &before);
	vhost_user_ops.window_map(bed.transport);
	fe_get_u64(&bed.fe, 1); /* the main socket is served meanwhile */
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -110);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_leq(after.tv_sec - before.tv_sec, 2);
	fe_serve_map(&bed.fe, 0); /* late; it answers nobody */
	vhost_user_ops.window_map(bed.transport);
	fe_serve_map(&bed.fe, 1); /* mapped by the late one already */
	cr_assert_eq(fake_device_wait_window(&bed.dev, 2), 0);
}

Test(gateway_window, A12_without_reply_ack_the_map_is_sent_and_not_waited_for)
{
	bed.fe.protocol &= ~FE_REPLY_ACK;
	start();
	cr_assert_eq(map(0), 0);
}

Test(gateway_window, A9_without_shmem_there_is_no_window_and_no_message)
{
	bed.fe.protocol &= ~(1ull << 22);
	start();
	vhost_user_ops.window_map(bed.transport);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -95);
	cr_assert(fe_silent(bed.fe.channel, 20));
}

Test(gateway_window, C1_disconnect_while_the_map_is_in_flight_answers_the_device)
{
	start();
	vhost_user_ops.window_map(bed.transport);
	cr_assert(!fe_silent(bed.fe.channel, 1000));
	fe_disconnect(&bed.fe);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -5);
}

Test(gateway_window, C1_channel_closed_while_the_map_is_in_flight_answers_the_device)
{
	start();
	vhost_user_ops.window_map(bed.transport);
	cr_assert(!fe_silent(bed.fe.channel, 1000));
	close(bed.fe.channel);
	bed.fe.channel = -1;
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -5);
	fe_play(&bed.fe, FE_SCRIPT(21));
	cr_assert_eq(map(0), 0, "the next one is as good");
}

Test(gateway_window, C1_answer_after_four_seconds_answers_nobody)
{
	start();
	vhost_user_ops.window_map(bed.transport);
	close(fe_receive_map(&bed.fe));
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -110);
	sleep(3);
	fe_answer_map(&bed.fe, 1);
	fe_get_u64(&bed.fe, 1);
	cr_assert_eq(bed.dev.nb_windows, 1);
	cr_assert_eq(map(0), 0, "the refusal that came late is of the first one");
}

Test(gateway_window, C5_region_may_be_asked_for_at_any_time_and_stays_the_same)
{
	uint32_t bases[2];

	fe_check_shmem_config(&bed.fe);
	start();
	for (int i = 0; i < 3; i++) {
		fe_check_shmem_config(&bed.fe);
		cr_assert_eq(map(i == 0 ? 0 : 1), 0);
		fe_check_shmem_config(&bed.fe);
		*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = (uint16_t)(9 + i);
		fe_qemu_stop(&bed.fe, bases);
		fe_check_shmem_config(&bed.fe);
		fe_qemu_start(&bed.fe, bases);
	}
}

Test(gateway_window, A10_new_channel_replaces_the_old_one)
{
	start();
	fe_qemu_realize(&bed.fe);
	cr_assert_eq(map(0), 0);
}

Test(gateway_window, B6_stop_is_answered_while_the_map_is_in_flight)
{
	uint32_t bases[2];

	start();
	vhost_user_ops.window_map(bed.transport);
	cr_assert(!fe_silent(bed.fe.channel, 1000));
	fe_qemu_stop(&bed.fe, bases);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -110);
}
