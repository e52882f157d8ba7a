/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/util.h"

void
ring_areas(const struct ring *r, uint64_t *desc, uint64_t *driver, uint64_t *device)
{
	uint64_t driver_bytes = r->packed ? sizeof(struct ring_event) : 6 + 2ULL * r->size;

	*desc = 0;
	*driver = 16ULL * r->size;
	/* The device writes the last area: give it cache lines of its own. */
	*device = round_up(*driver + driver_bytes, CACHE_LINE_BYTES);
}

static uint64_t
ring_bytes(const struct ring *r)
{
	uint64_t desc, driver, device;

	ring_areas(r, &desc, &driver, &device);
	return device + (r->packed ? sizeof(struct ring_event) : 6 + 8ULL * r->size);
}

int
ring_init(struct ring *r, struct memory *mem, uint16_t size, uint64_t features)
{
	uint64_t desc, driver, device;
	uint8_t *pages;

	if (!is_power_of_2(size) || size > RING_MAX_SIZE) {
		return -EINVAL;
	}
	memset(r, 0, sizeof(*r));
	r->packed = (features & RING_F_PACKED) != 0;
	r->indirect = (features & RING_F_INDIRECT_DESC) != 0;
	r->event_idx = (features & RING_F_EVENT_IDX) != 0;
	r->size = size;
	r->mask = size - 1;
	r->kick_fd = r->call_fd = -1;
	r->flight = calloc(size, sizeof(*r->flight));
	r->pages = memory_alloc_in_region(mem, ring_bytes(r));
	if (r->flight == NULL || r->pages == NULL) {
		ring_fini(r, mem);
		return -ENOMEM;
	}
	ring_areas(r, &desc, &driver, &device);
	pages = r->pages;
	if (r->packed) {
		r->p.desc = (struct ring_desc *)(void *)(pages + desc);
		r->p.driver = (struct ring_event *)(void *)(pages + driver);
		r->p.device = (struct ring_event *)(void *)(pages + device);
	} else {
		r->s.desc = (struct ring_desc *)(void *)(pages + desc);
		r->s.avail = (struct ring_avail *)(void *)(pages + driver);
		r->s.used = (struct ring_used *)(void *)(pages + device);
	}
	ring_reset(r);
	return 0;
}

void
ring_fini(struct ring *r, struct memory *mem)
{
	free(r->flight);
	memory_free(mem, r->pages);
	memset(r, 0, sizeof(*r));
	r->kick_fd = r->call_fd = -1;
}

void
ring_reset(struct ring *r)
{
	memset(r->pages, 0, ring_bytes(r));
	for (uint16_t i = 0; i < r->size; i++) {
		r->flight[i] = (struct ring_flight){.next = (uint16_t)(i + 1)};
	}
	r->nb_free = r->size;
	r->free_id = 0;
	r->avail = r->used = r->nb_unkicked = 0;
	r->avail_wrap = r->used_wrap = true;
	r->broken = false;
	r->start_base = r->packed ? 0x80008000 : 0;
	ring_disarm(r);
}

void
ring_bell(struct ring *r)
{
	uint64_t one = 1;

	r->nb_kicks++;
	if (r->bell != NULL) {
		r->bell(r->bell_arg, r->bell_queue);
		return;
	}
	/* A full eventfd already says "look"; any other failure shows as a time-out. */
	if (r->kick_fd >= 0 && write(r->kick_fd, &one, sizeof(one)) < 0) {
		return;
	}
}

void
ring_kick(struct ring *r)
{
	if (r->nb_unkicked == 0) {
		return;
	}
	if (r->packed ? ring_packed_need_kick(r) : ring_split_need_kick(r)) {
		ring_bell(r);
	} else {
		r->nb_kicks_suppressed++;
	}
}
