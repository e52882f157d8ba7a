/* SPDX-License-Identifier: BSD-3-Clause */
/* A device in front of the node of v4l2_node.h. */
#ifndef VMEDIA_TESTS_BACKEND_V4L2_BENCH_H
#define VMEDIA_TESTS_BACKEND_V4L2_BENCH_H

#include <criterion/criterion.h>
#include <unistd.h>

#include "harness.h"

/* Backend v4l2 on the node, which the test has set up. */
struct h *v4l2_bench_create(void);
/* Closes the session, waits until the node is closed, too, and ends all. */
void v4l2_bench_destroy(struct h *h, uint32_t session);

/* Passes of the device `h` until it is so; the host's thread takes its time. */
#define eventually(condition)                                            \
	do {                                                             \
		bool is_so_ = false;                                     \
		for (unsigned int n_ = 0; !is_so_ && n_ < 20000; n_++) { \
			is_so_ = (condition);                            \
			h_pass(h, 1);                                    \
			usleep(is_so_ ? 0 : 100);                        \
		}                                                        \
		cr_assert(is_so_, "never: %s", #condition);              \
	} while (0)

#endif
