/* SPDX-License-Identifier: BSD-3-Clause */
/* Start sequences: vmm.md section 3, A1 to A3 and A15. */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "frontend.h"
#include "transport/gateway.h"

static struct bed bed;
static const uint32_t zero_bases[2];

static void
set_up(void)
{
	bed_init(&bed);
	fe_connect(&bed.fe, bed.path);
}

static void
tear_down(void)
{
	bed_fini(&bed);
}

TestSuite(gateway_start, .init = set_up, .fini = tear_down, .timeout = 30);

static void
assert_runs(const struct fake_device *dev)
{
	struct transport_status status;

	cr_assert(dev->running[0] && dev->running[1]);
	cr_assert_eq(dev->mem.nb_regions, FE_NB_REGIONS);
	for (int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		const struct virtq_config *config = &dev->configs[queue];

		cr_assert_eq(config->size, FE_QUEUE_SIZE);
		cr_assert_geq(config->callfd, 0);
		cr_assert_geq(config->kickfd, 0);
		cr_assert(config->event_idx && config->indirect);
	}
	vhost_user_status(bed.transport, &status);
	cr_assert(status.connected && status.started);
	cr_assert_eq(status.features, bed.fe.features);
	cr_assert_eq(status.protocol_features, bed.fe.protocol);
	cr_assert_eq(status.nb_bad_messages, 0);
}

Test(gateway_start, qemu_order_starts_both_rings_and_resets_once)
{
	fe_qemu_realize(&bed.fe);
	cr_assert_eq(bed.dev.nb_quiesces, 0, "nothing ran, nothing to quiesce");
	fe_qemu_start(&bed.fe, zero_bases);
	assert_runs(&bed.dev);
	cr_assert_eq(bed.dev.nb_resets, 1);
}

Test(gateway_start, qemu_order_without_reply_ack_works_too)
{
	bed.fe.protocol &= ~FE_REPLY_ACK;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	assert_runs(&bed.dev);
}

Test(gateway_start, qemu_order_without_mq_works_too)
{
	bed.fe.protocol &= ~1ull;
	bed.fe.mq = false;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	assert_runs(&bed.dev);
}

Test(gateway_start, qemu_order_with_messages_in_pieces_works_too)
{
	bed.fe.split_sends = true;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	assert_runs(&bed.dev);
}

Test(gateway_start, packed_rings_begin_at_the_base_given)
{
	uint32_t bases[2] = {0x80008000, 0x80008000};

	bed.fe.features |= FE_PACKED;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, bases);
	assert_runs(&bed.dev);
	cr_assert(bed.dev.configs[0].packed && bed.dev.configs[1].packed);
	cr_assert_eq(bed.dev.configs[0].avail_base, 0x8000);
	cr_assert_eq(bed.dev.configs[1].used_base, 0x8000);
}

Test(gateway_start, split_rings_begin_at_the_used_index_not_at_base)
{
	const uint32_t bases[2] = {0, 16}; /* Cloud Hypervisor: avail index of posted events */

	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, bases);
	assert_runs(&bed.dev);
	cr_assert_eq(bed.dev.configs[1].avail_base, 0);
	cr_assert_eq(bed.dev.configs[1].used_base, 0);
}

Test(gateway_start, kick_and_enable_before_the_addresses_start_the_rings_as_well)
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
	assert_runs(&bed.dev);
}

Test(gateway_start, glued_messages_are_answered_in_order)
{
	uint32_t glued[] = {1, 1, 0, 17, 1, 0, 15, 1, 0}; /* three headers */

	cr_assert_eq(write(bed.fe.fd, glued, sizeof(glued)), (ssize_t)sizeof(glued));
	cr_assert_neq(fe_reply_u64(&bed.fe, 1), 0);
	cr_assert_eq(fe_reply_u64(&bed.fe, 17), 2);
	cr_assert_eq(fe_reply_u64(&bed.fe, 15), FE_PROTOCOL);
}

Test(gateway_start, ring_addresses_outside_memory_are_refused_and_the_connection_lives)
{
	uint64_t addr[5] = {0, 0x1000, 0x2000, 0x3000, 0};
	uint32_t enable[2] = {0, 1};

	fe_qemu_realize(&bed.fe);
	fe_send(&bed.fe, 2, 0, &bed.fe.features, 8, -1);
	fe_set_mem_table(&bed.fe, -1, 0);
	fe_set_ring(&bed.fe, 0, 0);
	addr[1] = FE_UVA + 2 * FE_MEM_BYTES - 16; /* the table would leave its region */
	fe_set(&bed.fe, 9, addr, sizeof(addr), -1);
	fe_send(&bed.fe, 18, FE_NR, enable, sizeof(enable), -1);
	cr_assert_neq(fe_reply_u64(&bed.fe, 18), 0);
	cr_assert(!bed.dev.running[0]);
	fe_set_ring(&bed.fe, 0, 0);
	cr_assert(bed.dev.running[0], "good addresses heal it");
}
