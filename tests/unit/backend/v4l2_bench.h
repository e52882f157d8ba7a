/* SPDX-License-Identifier: BSD-3-Clause */
/* A device in front of the node of v4l2_node.h. */
#ifndef VMEDIA_TESTS_BACKEND_V4L2_BENCH_H
#define VMEDIA_TESTS_BACKEND_V4L2_BENCH_H

#include "harness.h"

/* Backend v4l2 on the node, which the test has set up. */
struct h *v4l2_bench_create(void);
/* Closes the session, waits until the node is closed, too, and ends all. */
void v4l2_bench_destroy(struct h *h, uint32_t session);

#endif
