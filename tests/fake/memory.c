/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake guest's memory: blocks apart from each other, handed out in granules with canaries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake/memory.h"

#define GRANULE_BYTES 64
#define PAGE_BYTES    4096
#define CANARY        0xee

void *
fake_must(void *ptr)
{
	if (ptr == NULL) {
		fprintf(stderr, "fake guest: out of memory\n");
		abort();
	}
	return ptr;
}

static size_t
granules_of(size_t bytes)
{
	return bytes == 0 ? 1 : (bytes + GRANULE_BYTES - 1) / GRANULE_BYTES;
}

/* Next fit. NULL when no run of free granules is long enough. */
void *
fake_region_alloc(struct fake_region *r, size_t bytes)
{
	size_t total = r->bytes / GRANULE_BYTES;
	size_t want = granules_of(bytes);
	size_t run = 0;

	for (size_t tried = 0; tried < total + want; tried++) {
		size_t at = r->rover;

		r->rover = (at + 1) % total;
		run = r->granules[at] ? 0 : run + 1;
		if (run == want) {
			char *ptr = r->addr + (at + 1 - want) * GRANULE_BYTES;

			memset(&r->granules[at + 1 - want], 1, want);
			memset(ptr, 0, bytes);
			memset(ptr + bytes, CANARY, want * GRANULE_BYTES - bytes);
			return ptr;
		}
		run = at + 1 == total ? 0 : run;
	}
	return NULL;
}

static struct fake_region *
region_of(const struct fake_guest *g, const void *ptr)
{
	for (unsigned int i = 0; i < g->config.nb_regions; i++) {
		const struct fake_region *r = &g->regions[i];

		if ((const char *)ptr >= r->addr && (const char *)ptr < r->addr + r->bytes) {
			return (struct fake_region *)(uintptr_t)r;
		}
	}
	fprintf(stderr, "fake guest: %p is not guest memory\n", ptr);
	abort();
}

void
fake_region_free(struct fake_guest *g, const struct iovec *iov)
{
	struct fake_region *r = region_of(g, iov->iov_base);
	const unsigned char *end = (unsigned char *)iov->iov_base + iov->iov_len;
	size_t nb = granules_of(iov->iov_len);

	for (size_t i = 0; i < nb * GRANULE_BYTES - iov->iov_len; i++) {
		if (end[i] != CANARY) {
			g->nb_overruns++;
			break;
		}
	}
	memset(&r->granules[((char *)iov->iov_base - r->addr) / GRANULE_BYTES], 0, nb);
}

void *
fake_guest_alloc(struct fake_guest *g, unsigned int region, size_t bytes)
{
	return fake_must(fake_region_alloc(&g->regions[region], bytes));
}

uint64_t
fake_guest_gpa(const struct fake_guest *g, const void *ptr)
{
	const struct fake_region *r = region_of(g, ptr);

	return r->gpa + ((const char *)ptr - r->addr);
}

static char *
memory_alloc(const struct fake_guest *g, size_t bytes)
{
	void *addr;

	if (g->config.shared) {
		addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		return fake_must(addr != MAP_FAILED ? addr : NULL);
	}
	addr = fake_must(aligned_alloc(PAGE_BYTES, bytes));
	return memset(addr, 0, bytes);
}

void
fake_regions_create(struct fake_guest *g)
{
	uint64_t gpa = 0x100000;

	g->config.region_bytes =
		(g->config.region_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	for (unsigned int i = 0; i < g->config.nb_regions; i++) {
		struct fake_region *r = &g->regions[i];

		r->gpa = gpa;
		r->bytes = g->config.region_bytes;
		r->addr = memory_alloc(g, r->bytes);
		r->granules = fake_must(calloc(r->bytes / GRANULE_BYTES, sizeof(bool)));
		gpa += r->bytes + (g->config.adjacent ? 0 : 0x40000000);
	}
}

void
fake_regions_destroy(struct fake_guest *g)
{
	for (unsigned int i = 0; i < g->config.nb_regions; i++) {
		if (g->config.shared) {
			munmap(g->regions[i].addr, g->regions[i].bytes);
		} else {
			free(g->regions[i].addr);
		}
		free(g->regions[i].granules);
	}
}
