/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: guest_mem_find runs whenever a chain leaves the region of the buffer before it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "virtq/guest_mem.h"

static int
compare_gpa(const void *a, const void *b)
{
	const struct guest_mem_region *ra = a;
	const struct guest_mem_region *rb = b;

	return (ra->gpa > rb->gpa) - (ra->gpa < rb->gpa);
}

static bool
region_is_sane(const struct guest_mem_region *r)
{
	uint64_t end;

	return r->size_bytes > 0 && r->addr != NULL && add_ok(r->gpa, r->size_bytes, &end) &&
	       add_ok(r->uva, r->size_bytes, &end) &&
	       add_ok((uintptr_t)r->addr, r->size_bytes, &end);
}

int
guest_mem_init(struct guest_mem *mem, const struct guest_mem_region *regions, uint32_t nb_regions)
{
	memset(mem, 0, sizeof(*mem));
	if (nb_regions > GUEST_MEM_MAX_REGIONS) {
		return -E2BIG;
	}
	for (uint32_t i = 0; i < nb_regions; i++) {
		if (!region_is_sane(&regions[i])) {
			return -EINVAL;
		}
	}
	if (nb_regions > 0) {
		memcpy(mem->regions, regions, nb_regions * sizeof(regions[0]));
		qsort(mem->regions, nb_regions, sizeof(regions[0]), compare_gpa);
	}
	for (uint32_t i = 1; i < nb_regions; i++) {
		const struct guest_mem_region *prev = &mem->regions[i - 1];

		if (mem->regions[i].gpa - prev->gpa < prev->size_bytes) {
			memset(mem, 0, sizeof(*mem));
			return -EINVAL;
		}
	}
	mem->nb_regions = nb_regions;
	return 0;
}

void *
guest_mem_find(const struct guest_mem *mem, uint32_t *hint, uint64_t gpa, uint64_t *len)
{
	uint32_t low = 0;
	uint32_t high = mem->nb_regions;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct guest_mem_region *r = &mem->regions[mid];

		if (gpa < r->gpa) {
			high = mid;
		} else if (gpa - r->gpa >= r->size_bytes) {
			low = mid + 1;
		} else {
			uint64_t off = gpa - r->gpa;

			*hint = mid;
			*len = MIN(*len, r->size_bytes - off);
			return r->addr + off;
		}
	}
	return NULL;
}
