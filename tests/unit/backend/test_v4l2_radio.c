/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's radio through the whole device. */
#include <criterion/criterion.h>
#include <errno.h>

#include "v4l2_bench.h"
#include "v4l2_node.h"

#define NR(name) _IOC_NR(VIDIOC_##name)
#define RADIO    (V4L2_CAP_RADIO | V4L2_CAP_TUNER | V4L2_CAP_HW_FREQ_SEEK)

static struct h *h;

static uint32_t
start(uint32_t caps, uint32_t tuner_caps)
{
	node_setup(caps);
	node_rules.tuner_caps = tuner_caps;
	h = v4l2_bench_create();
	cr_assert_eq(h->device->node.device_type, VFL_TYPE_RADIO);
	return h_open(h);
}

static void
check_rds(uint32_t tuner_caps, uint32_t wanted_caps, uint32_t wanted_tuner_caps)
{
	uint32_t s = start(RADIO | V4L2_CAP_RDS_CAPTURE | V4L2_CAP_READWRITE, tuner_caps);
	struct v4l2_tuner tuner = {.index = 0};

	cr_assert_eq(h->device->node.device_caps, RADIO | wanted_caps);
	cr_assert_eq(h_ioctl(h, s, NR(G_TUNER), &tuner, sizeof(tuner), sizeof(tuner)), 0);
	cr_assert_eq(tuner.capability, wanted_tuner_caps);
	v4l2_bench_destroy(h, s);
}

Test(v4l2_radio, rds_by_read_does_not_exist_and_rds_by_controls_does)
{
	const uint32_t controls = V4L2_TUNER_CAP_RDS | V4L2_TUNER_CAP_RDS_CONTROLS;

	check_rds(V4L2_TUNER_CAP_LOW | V4L2_TUNER_CAP_RDS | V4L2_TUNER_CAP_RDS_BLOCK_IO, 0,
		V4L2_TUNER_CAP_LOW);
	check_rds(controls, V4L2_CAP_RDS_CAPTURE, controls);
}

Test(v4l2_radio, a_seek_waits_for_the_tuner_and_nothing_else_does)
{
	struct v4l2_hw_freq_seek seek = {.type = V4L2_TUNER_RADIO};
	uint32_t s = start(RADIO, 0);

	cr_assert_eq(h_ioctl(h, s, NR(S_HW_FREQ_SEEK), &seek, sizeof(seek), 0), 0);
	cr_assert_not(node_is_blocking());
	v4l2_bench_destroy(h, s);
}
