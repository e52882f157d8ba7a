/* SPDX-License-Identifier: BSD-3-Clause */
#include "v4l2_bench.h"
#include "v4l2_node.h"

struct h *
v4l2_bench_create(void)
{
	static const struct device_option options[] = {{"node", "here"}};

	return h_create(&(struct h_config){.backend = backend_find("v4l2"),
		.options = options,
		.nb_options = 1,
		.arena_bytes = 1u << 20});
}

void
v4l2_bench_destroy(struct h *h, uint32_t session)
{
	h_close(h, session);
	eventually(node_nb_open() == 0);
	h_destroy(h);
}
