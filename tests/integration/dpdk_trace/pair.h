/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef VMEDIA_TEST_DPDK_PAIR_H
#define VMEDIA_TEST_DPDK_PAIR_H

#include <rte_trace_point.h>

/* One of a pair of events, the other one is LTTng's. */
RTE_TRACE_POINT(
	vmedia_test_pair, RTE_TRACE_POINT_ARGS(uint64_t seq), rte_trace_point_emit_u64(seq);)

#endif
