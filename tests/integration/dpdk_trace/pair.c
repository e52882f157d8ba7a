/* SPDX-License-Identifier: BSD-3-Clause */
/* In a file of its own: where a tracepoint is registered it cannot be emitted. */
#include <rte_trace_point_register.h>

#include "pair.h"

RTE_TRACE_POINT_REGISTER(vmedia_test_pair, vmedia.test.pair)
