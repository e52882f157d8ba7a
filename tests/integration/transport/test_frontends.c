/* SPDX-License-Identifier: BSD-3-Clause */
/* Start, stop and restart as crosvm, Cloud Hypervisor, libkrun and alioth do: A8 to A13, B3. */
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

#define OFFER_LEGACY (FE_OFFER | 1ull << 20 | 1ull << 31)
#define NO_SHMEM     0x629ull

TestSuite(frontends, .init = bed_set_up, .fini = bed_tear_down, .timeout = 30);

static void
assert_maps(void)
{
	unsigned int nb = bed.dev.nb_windows + 1;

	vhost_user_ops.window_map(bed.transport);
	fe_serve_map(&bed.fe, 0);
	cr_assert_eq(fake_device_wait_window(&bed.dev, nb), 0);
	cr_assert(fe_silent(bed.fe.channel, 20));
}

static void
use_chains(uint16_t commands, uint16_t events)
{
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = commands;
	*fe_used_idx(&bed.fe, 1) = bed.dev.bases[1] = events;
}

/* ---- crosvm ---- */

static void
crosvm_connect(void)
{
	bed.fe.need_reply = FE_NR_NEVER;
	bed.fe.no_flush = true;
	bed.fe.features &= ~(1ull << 28);
	bed.fe.protocol &= ~(1ull << 10);
	fe_play(&bed.fe, FE_SCRIPT(3, 1, 15, 16, 21, 17, 44));
}

static void
crosvm_activate(void)
{
	fe_play(&bed.fe, FE_SCRIPT(2, 5));
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 9, 10, 13, 12, 18));
	fe_get_u64(&bed.fe, 1); /* a barrier */
}

static void
crosvm_sleep_and_wake(void)
{
	use_chains(40, 9);
	fe_play_rings(&bed.fe, FE_SCRIPT(FE_DISABLE, 11));
	cr_assert_eq(bed.fe.bases[0], 40);
	crosvm_activate();
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 1);
}

static void
crosvm_reset(void)
{
	fe_play_rings(&bed.fe, FE_SCRIPT(FE_DISABLE, 11));
	fe_clear_rings(&bed.fe);
	bed.fe.bases[0] = bed.fe.bases[1] = 0;
	crosvm_activate();
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 2);
}

Test(frontends, A8_crosvm_of_2026_starts_sleeps_wakes_and_resets)
{
	crosvm_connect();
	crosvm_activate();
	bed_assert_runs();
	assert_maps();
	crosvm_sleep_and_wake();
	crosvm_reset();
	assert_maps();
}

/* proves: R-10 */
Test(frontends, A8_queues_of_32768_and_of_2_run)
{
	const uint32_t sizes[] = {32768, 2};

	for (int i = 0; i < 2; i++) {
		fe_disconnect(&bed.fe);
		fe_connect(&bed.fe, bed.path);
		bed.fe.queue_size = sizes[i];
		crosvm_connect();
		crosvm_activate();
		bed_assert_runs();
	}
}

/* Shared memory by the numbers of 2025 and 2026 that are history now. */
static void
crosvm_acks(enum transport_compat compat, uint64_t offer, uint64_t shmem, uint64_t reply_ack)
{
	bed_offer(compat, offer);
	crosvm_connect();
	fe_disconnect(&bed.fe);
	fe_connect(&bed.fe, bed.path);
	bed.fe.protocol = 0x221 | shmem | reply_ack;
	crosvm_connect();
	crosvm_activate();
	bed_assert_runs();
}

Test(frontends, A9_bit_21_alone_is_shared_memory)
{
	crosvm_acks(TRANSPORT_COMPAT_AUTO, FE_OFFER, 1ull << 21, FE_REPLY_ACK);
	assert_maps();
}

Test(frontends, A9_bit_20_alone_is_shared_memory_where_legacy_is_wanted)
{
	crosvm_acks(TRANSPORT_COMPAT_LEGACY, OFFER_LEGACY, 1ull << 20, FE_REPLY_ACK);
	assert_maps();
}

Test(frontends, A9_bit_20_without_reply_ack_may_be_answered_or_not)
{
	struct {
		uint32_t header[3];
		uint64_t value;
	} __attribute__((packed)) answer = {{9, 5, 8}, 0};

	crosvm_acks(TRANSPORT_COMPAT_LEGACY, OFFER_LEGACY, 1ull << 20, 0);
	assert_maps();
	cr_assert_eq(fe_send_channel(&bed.fe, &answer, sizeof(answer)), sizeof(answer));
	assert_maps();
}

Test(frontends, A9_bit_31_alone_means_crosvms_own_messages)
{
	uint64_t regions[3];

	crosvm_acks(TRANSPORT_COMPAT_LEGACY, OFFER_LEGACY, 1ull << 31, 0);
	fe_send(&bed.fe, 1004, 0, NULL, 0, -1);
	cr_assert_eq(fe_reply(&bed.fe, 1004, regions, sizeof(regions)), sizeof(regions));
	cr_assert(regions[0] == 1 && regions[1] == 0 && regions[2] == FE_ARENA_BYTES);
	bed.fe.crosvm_2024 = true;
	assert_maps();
	vhost_user_ops.window_map(bed.transport);
	fe_serve_map(&bed.fe, 22);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 2), 0, "the first one still stands");
}

Test(frontends, A9_history_is_offered_only_where_legacy_is_wanted)
{
	bed_offer(TRANSPORT_COMPAT_CURRENT, 0x400629);
	fe_play(&bed.fe, FE_SCRIPT(1, 15));
	bed_offer(TRANSPORT_COMPAT_AUTO, FE_OFFER);
	fe_play(&bed.fe, FE_SCRIPT(1, 15));
	bed_offer(TRANSPORT_COMPAT_LEGACY, OFFER_LEGACY);
	fe_play(&bed.fe, FE_SCRIPT(1, 15));
}

/* proves: R-94 */
Test(frontends, A9_without_any_of_them_there_is_no_window)
{
	crosvm_acks(TRANSPORT_COMPAT_LEGACY, OFFER_LEGACY, 0, 0);
	vhost_user_ops.window_map(bed.transport);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), -95);
	cr_assert(fe_silent(bed.fe.channel, 20));
}

/* ---- Cloud Hypervisor ---- */

static void
ch_create(void)
{
	fe_play(&bed.fe, FE_SCRIPT(3, 1, 15, 16));
	bed.fe.need_reply = FE_NR_ALWAYS;
	fe_play(&bed.fe, FE_SCRIPT(17));
}

static void
ch_activate(void)
{
	fe_play(&bed.fe, FE_SCRIPT(2, 5));
	fe_play_each(&bed.fe, FE_SCRIPT(8));
	fe_play_rings(&bed.fe, FE_SCRIPT(9, 10, 13, 12));
	fe_play_each(&bed.fe, FE_SCRIPT(18));
	fe_play(&bed.fe, FE_SCRIPT(21));
}

Test(frontends, A10_cloud_hypervisor_wants_a_reply_to_everything)
{
	unsigned int nb_fds;

	bed.fe.bases[1] = 16; /* its avail index: the driver posted 16 event buffers */
	ch_create();
	ch_activate();
	bed_assert_runs();
	cr_assert_eq(bed.dev.configs[1].avail_base, 0, "all 16 are there");
	assert_maps();
	nb_fds = bed_count_fds();
	for (uint16_t i = 1; i < 10; i++) {
		use_chains(i * 10, i);
		fe_play_rings(&bed.fe, FE_SCRIPT(FE_DISABLE, 11));
		fe_clear_rings(&bed.fe);
		bed.fe.bases[0] = 0;
		bed.fe.bases[1] = 0;
		ch_activate();
		bed_assert_runs();
		cr_assert_eq(bed.dev.nb_resets, 1 + i);
		assert_maps(); /* on the new channel */
	}
	cr_assert_eq(bed_count_fds(), nb_fds, "the old channels are closed");
}

Test(frontends, B4_cloud_hypervisor_pauses_by_enable_alone)
{
	ch_create();
	ch_activate();
	assert_maps();
	use_chains(12, 3);
	fe_play_each(&bed.fe, FE_SCRIPT(FE_DISABLE, 18));
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 1);
	cr_assert_eq(bed.dev.configs[0].avail_base, 12);
	cr_assert(fe_silent(bed.fe.channel, 50));
}

Test(frontends, A11_cloud_hypervisor_reconnects_and_does_not_ask_what_it_knows)
{
	ch_create();
	ch_activate();
	use_chains(12, 3);
	fe_disconnect(&bed.fe);
	bed.fe.need_reply = FE_NR_AS_QEMU;
	fe_connect(&bed.fe, bed.path);
	fe_play(&bed.fe, FE_SCRIPT(3, 1, 16));
	bed.fe.need_reply = FE_NR_ALWAYS;
	bed.fe.bases[0] = 12;
	ch_activate();
	bed_assert_runs();
	cr_assert_eq(bed.dev.configs[0].avail_base, 12, "the rings are as the last one left them");
	assert_maps();
}

/* ---- libkrun ---- */

static void
libkrun_activate(void)
{
	bed.fe.bases[0] = bed.fe.bases[1] = 0;
	fe_play(&bed.fe, FE_SCRIPT(3, 21, 5, 2));
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 10, 9, 12, 13, 18));
	fe_get_u64(&bed.fe, 1); /* a barrier */
}

static void
libkrun_create(void)
{
	bed.fe.need_reply = FE_NR_NEVER;
	bed.fe.protocol = 0x400221;
	fe_play(&bed.fe, FE_SCRIPT(1, 15, 16, 17));
}

Test(frontends, A12_libkrun_owns_late_and_never_answers_a_map)
{
	libkrun_create();
	libkrun_activate();
	bed_assert_runs();
	assert_maps();
}

Test(frontends, A12_libkrun_is_believed_to_have_mapped_when_it_read_what_came_behind)
{
	libkrun_create();
	libkrun_activate();
	vhost_user_ops.window_map(bed.transport);
	close(fe_receive_map(&bed.fe));
	usleep(50000);
	cr_assert_eq(bed.dev.nb_windows, 0);
	fe_receive_flush(&bed.fe);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 1), 0);
	vhost_user_ops.window_map(bed.transport);
	cr_assert_eq(fake_device_wait_window(&bed.dev, 2), 0, "it may never read");
}

Test(frontends, B3_libkrun_resets_by_disable_alone)
{
	libkrun_create();
	libkrun_activate();
	use_chains(30, 5);
	fe_play_each(&bed.fe, FE_SCRIPT(FE_DISABLE));
	fe_clear_rings(&bed.fe);
	libkrun_activate();
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 2);
	cr_assert_eq(bed.dev.configs[1].avail_base, 0);
	assert_maps();
}

/* ---- alioth ---- */

Test(frontends, A13_alioth_kicks_first_and_wants_replies_before_it_negotiated_them)
{
	bed.fe.need_reply = FE_NR_ALWAYS;
	bed.fe.offer = FE_OFFER | 1ull << 15 | 1ull << 16;
	bed.fe.protocol = NO_SHMEM | 1ull << 21 | 1ull << 15 | 1ull << 16;
	fe_play(&bed.fe, FE_SCRIPT(1, 15, 16, 17, 21));
	fe_play_each(&bed.fe, FE_SCRIPT(14));
	fe_play(&bed.fe, FE_SCRIPT(3, 36, 37));
	fe_play(&bed.fe, FE_SCRIPT(2));
	fe_play_each(&bed.fe, FE_SCRIPT(12, 13, 8, 10, 9, 18));
	fe_set_u64(&bed.fe, 39, 15, -1);
	bed_assert_runs();
	assert_maps();
	use_chains(8, 2);
	fe_play_each(&bed.fe, FE_SCRIPT(FE_DISABLE));
	fe_set_u64(&bed.fe, 39, 0, -1);
	fe_clear_rings(&bed.fe);
	fe_play_each(&bed.fe, FE_SCRIPT(12, 13, 8, 10, 9, 18));
	bed_assert_runs();
	cr_assert_eq(bed.dev.nb_resets, 2);
}
