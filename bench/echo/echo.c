/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the practical limit that devices are compared with. */
#include "echo/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define F_PACKED (1ULL << 34)

int
echo_ring_init(struct echo_ring *r, const struct driver *drv, unsigned int queue)
{
	uint16_t *suppress;
	int ret;

	memset(r, 0, sizeof(*r));
	ret = driver_ring_layout(drv, queue, &r->at);
	if (ret != 0) {
		return ret;
	}
	r->bytes = aligned_alloc(CACHE_LINE_BYTES, ECHO_MAX_BYTES);
	if (r->bytes == NULL) {
		return -ENOMEM;
	}
	r->to_host = (uint64_t)(uintptr_t)r->at.desc - r->at.desc_gpa;
	r->packed = (r->at.features & F_PACKED) != 0;
	r->avail_wrap = r->used_wrap = true;
	/* No kicks, please: NO_NOTIFY of a split ring, DISABLE of a packed one. */
	suppress = r->at.device;
	__atomic_store_n(&suppress[r->packed ? 1 : 0], 1, __ATOMIC_RELEASE);
	return 0;
}

void
echo_ring_fini(struct echo_ring *r)
{
	free(r->bytes);
	r->bytes = NULL;
}

bool
echo_serve(struct echo_ring *commands)
{
	struct echo_used used;

	if (!(commands->packed ? echo_packed_pop(commands, &used)
			       : echo_split_pop(commands, &used))) {
		return false;
	}
	if (commands->packed) {
		echo_packed_push(commands, &used);
	} else {
		echo_split_push(commands, &used);
	}
	return true;
}

bool
echo_event(struct echo_ring *events, const void *event)
{
	events->fixed = event;
	return echo_serve(events);
}
