/* SPDX-License-Identifier: BSD-3-Clause */
/* Start sequences of QEMU, and of none in particular: A1 to A7, A14, A15. */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

static const uint32_t zero_bases[2];

TestSuite(gateway_start, .init = bed_set_up, .fini = bed_tear_down, .timeout = 30);

Test(gateway_start, A1_qemu_order_starts_both_rings_and_resets_once)
{
	fe_qemu_realize(&bed.fe);
	cr_assert_eq(bed.dev.nb_quiesces, 0, "nothing ran, nothing to quiesce");
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 1);
}

Test(gateway_start, A2_qemu_order_without_reply_ack_works_too)
{
	bed.fe.protocol &= ~FE_REPLY_ACK;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
}

Test(gateway_start, A3_qemu_order_without_mq_works_too)
{
	bed.fe.protocol &= ~1ull;
	bed.fe.mq = false;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
}

Test(gateway_start, A15_qemu_order_with_messages_in_pieces_works_too)
{
	bed.fe.split_sends = true;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
}

Test(gateway_start, packed_rings_begin_at_the_base_given)
{
	uint32_t bases[2] = {0x80008000, 0x80008000};

	bed.fe.features |= FE_PACKED;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, bases);
	bed_assert_runs();
	cr_assert(bed.dev.configs[0].packed && bed.dev.configs[1].packed);
	cr_assert_eq(bed.dev.configs[0].avail_base, 0x8000);
	cr_assert_eq(bed.dev.configs[1].used_base, 0x8000);
}

Test(gateway_start, A10_split_rings_begin_at_the_used_index_not_at_base)
{
	const uint32_t bases[2] = {0, 16}; /* Cloud Hypervisor: avail index of posted events */

	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, bases);
	bed_assert_runs();
	cr_assert_eq(bed.dev.configs[1].avail_base, 0);
	cr_assert_eq(bed.dev.configs[1].used_base, 0);
}

Test(gateway_start, A14_kick_and_enable_before_the_addresses_start_the_rings_as_well)
{
	uint32_t queue;

	fe_qemu_realize(&bed.fe);
	fe_send(&bed.fe, 2, 0, &bed.fe.features, 8, -1);
	for (queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_u64(&bed.fe, 12, queue, bed.fe.kicks[queue]);
		fe_set_state(&bed.fe, 18, queue, 1);
	}
	for (queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_ring(&bed.fe, queue, 0);
	}
	cr_assert(!bed.dev.running[0]);
	fe_set_mem_table(&bed.fe, -1, 0);
	bed_assert_runs();
}

Test(gateway_start, A15_glued_messages_are_answered_in_order)
{
	uint32_t glued[] = {1, 1, 0, 17, 1, 0, 15, 1, 0}; /* three headers */

	cr_assert_eq(write(bed.fe.fd, glued, sizeof(glued)), (ssize_t)sizeof(glued));
	cr_assert_neq(fe_reply_u64(&bed.fe, 1), 0);
	cr_assert_eq(fe_reply_u64(&bed.fe, 17), 2);
	cr_assert_eq(fe_reply_u64(&bed.fe, 15), FE_OFFER);
}

/* proves: R-14 S-2 S-5 S-22 */
Test(gateway_start, E_ring_addresses_outside_memory_are_refused_and_the_connection_lives)
{
	uint64_t addr[5] = {0, 0x1000, 0x2000, 0x3000, 0};
	uint32_t enable[2] = {0, 1};

	fe_qemu_realize(&bed.fe);
	fe_send(&bed.fe, 2, 0, &bed.fe.features, 8, -1);
	fe_set_mem_table(&bed.fe, -1, 0);
	fe_set_ring(&bed.fe, 0, 0);
	addr[1] = FE_UVA + FE_MEM_BYTES - 16; /* the table would leave its region */
	fe_set(&bed.fe, 9, addr, sizeof(addr), -1);
	fe_send(&bed.fe, 18, FE_NR, enable, sizeof(enable), -1);
	cr_assert_neq(fe_reply_u64(&bed.fe, 18), 0);
	cr_assert(!bed.dev.running[0]);
	for (int part = 1; part <= 3; part++) { /* descriptors, used, available */
		uint64_t odd[5] = {0, FE_UVA, FE_UVA + 0x2000, FE_UVA + 0x3000, 0};

		odd[part] += 1;
		fe_set_ring(&bed.fe, 0, 0);
		fe_send(&bed.fe, 9, FE_NR, odd, sizeof(odd), -1);
		cr_assert_neq(fe_reply_u64(&bed.fe, 9), 0, "part %d", part);
		cr_assert(!bed.dev.running[0]);
	}
	fe_set_ring(&bed.fe, 0, 0);
	cr_assert(bed.dev.running[0], "good addresses heal it");
}

Test(gateway_start, A3b_qemu_order_without_config_works_too)
{
	bed.fe.protocol &= ~(1ull << 9);
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
}

Test(gateway_start, A4_qemu_with_memory_slots_adds_regions_one_by_one)
{
	const uint64_t window[4] = {2 * FE_GPA, FE_ARENA_BYTES, FE_UVA + 2 * FE_GPA, 0};
	unsigned int nb_quiesces, nb_fds;

	bed_offer(TRANSPORT_COMPAT_ALL,
		FE_OFFER | 1ull << 13 | 1ull << 15 | 1ull << 16 | 1ull << 20 | 1ull << 31);
	bed.fe.protocol |= 1ull << 15;
	fe_qemu_realize(&bed.fe);
	fe_play(&bed.fe, FE_SCRIPT(36, 2, 37));
	cr_assert_eq(bed.dev.mem.nb_regions, 2);
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 10, 9, 12, 13));
	fe_play_each(&bed.fe, FE_SCRIPT(18, 13));
	bed_assert_runs();
	nb_quiesces = bed.dev.nb_quiesces;
	nb_fds = bed_count_fds();
	for (int i = 0; i < 20; i++) {
		cr_assert_eq(fe_mem_reg(&bed.fe, 37, window, bed.arena_fd), 0);
		cr_assert_eq(fe_mem_reg(&bed.fe, 38, window, i % 2 ? bed.arena_fd : -1), 0);
	}
	cr_assert_eq(bed.dev.nb_quiesces, nb_quiesces, "our own window stops nothing");
	cr_assert_eq(bed_count_fds(), nb_fds);
	bed_assert_runs();
}

Test(gateway_start, A5_gpa_addresses_beside_shmem_are_ring_addresses_of_the_guest)
{
	bed.fe.protocol = FE_OFFER;
	bed.fe.uva = 0;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
	vhost_user_ops.window_map(bed.transport);
	fe_serve_map(&bed.fe, 0);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), 0);
}

/* STATUS is acked: QEMU's generic device says no more than 8, its media device 15 and 0. */
static void
start_with_status(uint64_t status)
{
	bed_offer(TRANSPORT_COMPAT_ALL,
		FE_OFFER | 1ull << 13 | 1ull << 15 | 1ull << 16 | 1ull << 20 | 1ull << 31);
	bed.fe.protocol |= 1ull << 16;
	fe_qemu_realize(&bed.fe);
	cr_assert_eq(fe_get_u64(&bed.fe, 40), 0);
	fe_set_u64(&bed.fe, 39, status, -1);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
	cr_assert_eq(fe_get_u64(&bed.fe, 40), status);
}

Test(gateway_start, A6_rings_run_without_driver_ok)
{
	start_with_status(8);
}

/* proves: R-10 */
Test(gateway_start, A7_status_0_at_a_pause_resets_nothing)
{
	bed.fe.queue_size = 128;
	start_with_status(15);
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = 77;
	fe_qemu_stop(&bed.fe, bed.fe.bases);
	fe_set_u64(&bed.fe, 39, 0, -1);
	cr_assert_eq(fe_get_u64(&bed.fe, 40), 0);
	fe_set_u64(&bed.fe, 39, 15, -1);
	fe_qemu_start(&bed.fe, bed.fe.bases);
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 1, "sessions survive");
	cr_assert_eq(bed.dev.configs[0].avail_base, 77);
}

/* proves: R-12 B44 */
Test(gateway_start, A14_without_set_features_rings_wait_for_enable_all_the_same)
{
	fe_qemu_realize(&bed.fe);
	fe_play(&bed.fe, FE_SCRIPT(5));
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 10, 9, 12, 13));
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	fe_play_each(&bed.fe, FE_SCRIPT(18));
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
}

Test(gateway_start, A14_set_features_twice_resets_nothing)
{
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = 3;
	fe_play(&bed.fe, FE_SCRIPT(2, 2));
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 1);
	cr_assert_eq(bed.dev.configs[0].avail_base, 3);
}

Test(gateway_start, A14_rings_may_run_before_there_is_a_channel)
{
	fe_play(&bed.fe, FE_SCRIPT(1, 15, 16, 17, 3, 2, 5));
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 10, 9, 12, 13, 18));
	bed_assert_runs();
	vhost_user_ops.window_map(bed.transport);
	fe_play(&bed.fe, FE_SCRIPT(21));
	fe_serve_map(&bed.fe, 0);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), 0);
}

/* proves: B7 B44 */
Test(gateway_start, A14_kick_and_call_may_be_missing)
{
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	fe_set_u64(&bed.fe, 12, 0x100, -1);
	fe_set_u64(&bed.fe, 13, 0x100, -1);
	cr_assert(bed.dev.running[0]);
	cr_assert_eq(bed.dev.configs[0].kickfd, -1);
	cr_assert_eq(bed.dev.configs[0].callfd, -1);
}
