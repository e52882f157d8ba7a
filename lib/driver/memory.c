/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif

LOG_TYPE_USE(driver);

#define HUGEPAGE_BYTES   (2ULL << 20)
#define MEMORY_MAX_BYTES (1ULL << 40)

/* Maps mem->bytes of mem->fd and makes the allocator; on failure nothing is left, the fd neither.
 */
static int
map(struct memory *mem, uint64_t file_offset)
{
	int err;

	mem->base = mmap(
		NULL, mem->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, mem->fd, (off_t)file_offset);
	if (mem->base == MAP_FAILED) {
		err = -errno;
		goto close_fd;
	}
	mem->nb_pages = (uint32_t)(mem->bytes / MEMORY_PAGE_BYTES);
	mem->run = calloc(mem->nb_pages, sizeof(*mem->run));
	if (mem->run != NULL) {
		return 0;
	}
	err = -ENOMEM;
	munmap(mem->base, mem->bytes);
close_fd:
	close(mem->fd);
	memset(mem, 0, sizeof(*mem));
	mem->fd = -1;
	return err;
}

int
memory_init(struct memory *mem, uint64_t bytes, unsigned int nb_regions, bool hugepages)
{
	uint64_t unit = (uint64_t)nb_regions * (hugepages ? HUGEPAGE_BYTES : MEMORY_PAGE_BYTES);
	unsigned int flags = MFD_CLOEXEC | (hugepages ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	int ret;

	if (bytes == 0 || bytes > MEMORY_MAX_BYTES) {
		return -EINVAL;
	}
	bytes = (bytes + unit - 1) / unit * unit;
	mem->fd = memfd_create("vmedia-guest", flags);
	if (mem->fd < 0 || ftruncate(mem->fd, (off_t)bytes) != 0) {
		ret = -errno;
		if (mem->fd >= 0) {
			close(mem->fd);
		}
		mem->fd = -1;
		return ret;
	}
	mem->bytes = bytes;
	mem->nb_regions = nb_regions;
	ret = map(mem, 0);
	if (ret != 0 && hugepages) {
		log_err(&log_driver,
			"guest memory needs %llu free hugepages of 2 MiB; set vm.nr_hugepages",
			(unsigned long long)(bytes / HUGEPAGE_BYTES));
	}
	return ret;
}

int
memory_init_file(struct memory *mem, const char *path, uint64_t bytes)
{
	struct stat st;
	int ret = 0;

	if (bytes == 0 || bytes > MEMORY_MAX_BYTES) {
		return -EINVAL;
	}
	mem->bytes = round_up(bytes, MEMORY_PAGE_BYTES);
	mem->nb_regions = 1;
	mem->fd = open(path, O_RDWR | O_CLOEXEC);
	if (mem->fd < 0 || fstat(mem->fd, &st) != 0) {
		ret = -errno;
	} else if ((uint64_t)st.st_size < MEMORY_GPA + mem->bytes) {
		log_err(&log_driver, "%s: guest memory ends before %llu", path,
			(unsigned long long)(MEMORY_GPA + mem->bytes));
		ret = -EINVAL;
	}
	if (ret == 0) {
		return map(mem, MEMORY_GPA);
	}
	if (mem->fd >= 0) {
		close(mem->fd);
	}
	*mem = (struct memory){.fd = -1};
	return ret;
}

void
memory_fini(struct memory *mem)
{
	if (mem->base == NULL) {
		return;
	}
	free(mem->run);
	munmap(mem->base, mem->bytes);
	close(mem->fd);
	memset(mem, 0, sizeof(*mem));
	mem->fd = -1;
}

/* First fit in pages [first, end); first stays on a run boundary. */
static void *
alloc_pages(struct memory *mem, uint32_t first, uint32_t end, uint32_t nb)
{
	uint32_t len = 0;

	for (uint32_t i = first; i < end; i++) {
		len = mem->run[i] == 0 ? len + 1 : 0;
		if (len == nb) {
			uint32_t start = i + 1 - nb;
			uint8_t *addr = mem->base + (uint64_t)start * MEMORY_PAGE_BYTES;

			mem->run[start] = nb;
			for (uint32_t k = start + 1; k <= i; k++) {
				mem->run[k] = MEMORY_INNER;
			}
			memset(addr, 0, (size_t)nb * MEMORY_PAGE_BYTES);
			return addr;
		}
	}
	return NULL;
}

static uint32_t
pages_of(const struct memory *mem, size_t bytes)
{
	if (bytes == 0 || bytes > mem->bytes) {
		return 0;
	}
	return (uint32_t)(round_up(bytes, MEMORY_PAGE_BYTES) / MEMORY_PAGE_BYTES);
}

void *
memory_alloc(struct memory *mem, size_t bytes)
{
	uint32_t nb = pages_of(mem, bytes);

	return nb == 0 ? NULL : alloc_pages(mem, 0, mem->nb_pages, nb);
}

void *
memory_alloc_in_region(struct memory *mem, size_t bytes)
{
	uint32_t nb = pages_of(mem, bytes);
	uint32_t per_region = mem->nb_pages / mem->nb_regions;
	void *addr = NULL;

	for (unsigned int i = 0; nb != 0 && addr == NULL && i < mem->nb_regions; i++) {
		addr = alloc_pages(mem, i * per_region, (i + 1) * per_region, nb);
	}
	return addr;
}

void
memory_free(struct memory *mem, void *addr)
{
	uint64_t offset = (uint64_t)((uintptr_t)addr - (uintptr_t)mem->base);
	uint32_t page = (uint32_t)(offset / MEMORY_PAGE_BYTES);
	uint32_t nb;

	if (addr == NULL || offset >= mem->bytes || offset % MEMORY_PAGE_BYTES != 0 ||
		mem->run[page] == 0 || mem->run[page] == MEMORY_INNER) {
		return;
	}
	nb = mem->run[page];
	for (uint32_t i = 0; i < nb; i++) {
		mem->run[page + i] = 0;
	}
}

uint64_t
memory_gpa(const struct memory *mem, const void *addr, size_t bytes)
{
	uint64_t offset = (uint64_t)((uintptr_t)addr - (uintptr_t)mem->base);

	if ((uintptr_t)addr < (uintptr_t)mem->base || offset > mem->bytes ||
		bytes > mem->bytes - offset) {
		return 0;
	}
	return MEMORY_GPA + offset;
}

void *
memory_host(const struct memory *mem, uint64_t gpa, size_t bytes)
{
	if (gpa < MEMORY_GPA || gpa - MEMORY_GPA > mem->bytes ||
		bytes > mem->bytes - (gpa - MEMORY_GPA)) {
		return NULL;
	}
	return mem->base + (gpa - MEMORY_GPA);
}
