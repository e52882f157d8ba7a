/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/arena_internal.h"

LOG_TYPE_DEFINE(shm);

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U /* Linux 6.3 */
#endif

#define PAGE_2M      (1u << 21)
#define PAGE_1G      (1u << 30)
#define NAME_BYTES   128
#define ADVICE_BYTES 256

static uint32_t
page_4k_bytes(void)
{
	return (uint32_t)sysconf(_SC_PAGESIZE);
}

static uint32_t
huge_page_bytes(enum shm_page_size page)
{
	return page == SHM_PAGE_1G ? PAGE_1G : PAGE_2M;
}

/* Without '/': it becomes part of a file name. */
static void
file_name(const struct shm_arena_config *config, char *name, size_t name_bytes)
{
	snprintf(name, name_bytes, "vmedia-%s", config->name != NULL ? config->name : "arena");
	for (char *c = name; *c != '\0'; c++) {
		if (*c == '/') {
			*c = '_';
		}
	}
}

static int
open_memfd(const struct shm_arena_config *config, bool huge, uint32_t page_bytes)
{
	unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	char name[NAME_BYTES];
	int fd;

	if (huge) {
		flags |= MFD_HUGETLB | (unsigned int)__builtin_ctz(page_bytes) << MFD_HUGE_SHIFT;
	}
	file_name(config, name, sizeof(name));
	fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) {
		fd = memfd_create(name, flags);
	}
	if (fd < 0) {
		/* What a kernel says that has no pages of this size. */
		return huge && (errno == ENODEV || errno == EINVAL || errno == ENOENT) ? -ENOTSUP
		                                                                       : -errno;
	}
	return fd;
}

/* The file has no name any more when this returns. */
static int
open_hugetlbfs(const struct shm_arena_config *config)
{
	char name[NAME_BYTES];
	char *path;
	int fd, err;

	file_name(config, name, sizeof(name));
	if (asprintf(&path, "%s/%s-XXXXXX", config->hugetlbfs, name) < 0) {
		return -ENOMEM;
	}
	fd = mkostemp(path, O_CLOEXEC);
	err = errno;
	if (fd >= 0) {
		unlink(path);
	} else {
		log_err(&log_shm, "cannot create %s: %s", path, strerror(err));
	}
	free(path);
	return fd >= 0 ? fd : -err;
}

/* The page size of a hugetlbfs mount, or -EINVAL when it is none or not the size asked for. */
static int64_t
hugetlbfs_page_bytes(const struct shm_arena_config *config)
{
	struct statfs fs;

	if (statfs(config->hugetlbfs, &fs) != 0 || (uint64_t)fs.f_type != HUGETLBFS_MAGIC) {
		log_err(&log_shm, "%s: %s is not a mounted hugetlbfs", config->name,
			config->hugetlbfs);
		return -EINVAL;
	}
	if (config->page == SHM_PAGE_4K ||
		(config->page != SHM_PAGE_AUTO && fs.f_bsize != huge_page_bytes(config->page))) {
		log_err(&log_shm, "%s: the pages of %s have %ld bytes, not the size asked for",
			config->name, config->hugetlbfs, (long)fs.f_bsize);
		return -EINVAL;
	}
	return fs.f_bsize;
}

/*
 * The kernel aligns huge mappings itself. Small pages are put on a 2 MiB boundary too, so that
 * offsets and addresses are congruent and the kernel may use larger pages where it wants to.
 */
static void *
map_file(int fd, uint64_t size, bool huge, int prot)
{
	uint64_t spare = huge || size < PAGE_2M ? 0 : PAGE_2M;
	uintptr_t start, aligned;
	char *area, *map;

	if (spare == 0) {
		return mmap(NULL, size, prot, MAP_SHARED, fd, 0);
	}
	area = mmap(
		NULL, size + spare, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED) {
		return MAP_FAILED;
	}
	start = (uintptr_t)area;
	aligned = (uintptr_t)round_up(start, PAGE_2M);
	map = mmap(area + (aligned - start), size, prot, MAP_SHARED | MAP_FIXED, fd, 0);
	if (map == MAP_FAILED) {
		int err = errno;

		munmap(area, size + spare);
		errno = err;
		return MAP_FAILED;
	}
	if (aligned != start) {
		munmap(area, aligned - start);
	}
	if (aligned + size != start + size + spare) {
		munmap(map + size, start + spare - aligned);
	}
	return map;
}

/*
 * Sealed, a file cannot shrink below a mapping (SIGBUS in the front-end); holes may still be
 * punched. A file of a hugetlbfs mount cannot be sealed and is trusted to the front-end.
 */
static int
seal(int fd)
{
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		return -errno;
	}
	return 0;
}

static int
alloc_metadata(struct shm_arena *arena)
{
	arena->nb_granules = (uint32_t)(arena->size_bytes / SHM_GRANULE_BYTES);
	arena->used = calloc((arena->nb_granules + 63) / 64, sizeof(arena->used[0]));
	arena->dirty = calloc(arena->nb_granules, 1);
	return arena->used != NULL && arena->dirty != NULL ? 0 : -ENOMEM;
}

/* -ENOBUFS: the huge pages cannot be reserved. */
static int
map_arena(struct shm_arena *arena, bool sealed)
{
	int prot = arena->no_access ? PROT_NONE : PROT_READ | PROT_WRITE;
	void *base;

	if (ftruncate(arena->fd, (off_t)arena->size_bytes) != 0) {
		return -errno;
	}
	base = map_file(arena->fd, arena->size_bytes, arena->huge, prot);
	if (base == MAP_FAILED) {
		return arena->huge && errno == ENOMEM ? -ENOBUFS : -errno;
	}
	arena->base = base;
	/* Pictures of a guest do not belong into a core file of ours. */
	(void)madvise(base, arena->size_bytes, MADV_DONTDUMP);
	return sealed ? seal(arena->fd) : 0;
}

static int
arena_open(const struct shm_arena_config *config, uint32_t page_bytes, bool huge,
	struct shm_arena **result)
{
	bool named = huge && config->hugetlbfs != NULL;
	struct shm_arena *arena;
	int ret;

	ret = posix_memalign((void **)&arena, CACHE_LINE_BYTES, sizeof(*arena));
	if (ret != 0) {
		return -ret;
	}
	memset(arena, 0, sizeof(*arena));
	arena->huge = huge;
	arena->no_access = config->no_access;
	arena->page_bytes = page_bytes;
	arena->size_bytes =
		round_up_power_of_2(MAX(config->size_bytes, MAX(page_bytes, SHM_GRANULE_BYTES)));
	arena->fd = named ? open_hugetlbfs(config) : open_memfd(config, huge, page_bytes);
	ret = arena->fd < 0 ? arena->fd : alloc_metadata(arena);
	if (ret == 0) {
		ret = map_arena(arena, !named);
	}
	if (ret != 0) {
		shm_arena_destroy(arena);
		return ret;
	}
	*result = arena;
	return 0;
}

static void
advise(const struct shm_arena_config *config, uint32_t page_bytes, char *text)
{
	uint64_t size = round_up_power_of_2(MAX(config->size_bytes, page_bytes));

	shm_hugepages_advice(page_bytes, size / page_bytes, text, ADVICE_BYTES);
}

static int
create_small(const struct shm_arena_config *config, struct shm_arena **arena)
{
	int ret = arena_open(config, page_4k_bytes(), false, arena);

	if (ret != 0) {
		log_err(&log_shm, "%s: cannot create an arena of %llu bytes: %s", config->name,
			(unsigned long long)config->size_bytes, strerror(-ret));
	}
	return ret;
}

int
shm_arena_create(const struct shm_arena_config *config, struct shm_arena **arena)
{
	int64_t page_bytes = huge_page_bytes(config->page);
	char text[ADVICE_BYTES];
	int ret;

	if (config->size_bytes == 0 || config->size_bytes > SHM_ARENA_MAX_BYTES) {
		log_err(&log_shm, "%s: an arena has 1 to %llu bytes, not %llu", config->name,
			SHM_ARENA_MAX_BYTES, (unsigned long long)config->size_bytes);
		return -EINVAL;
	}
	if (config->hugetlbfs != NULL) {
		page_bytes = hugetlbfs_page_bytes(config);
		if (page_bytes < 0) {
			return (int)page_bytes;
		}
	} else if (config->page == SHM_PAGE_4K) {
		return create_small(config, arena);
	}
	ret = arena_open(config, (uint32_t)page_bytes, true, arena);
	if (ret == 0) {
		return 0;
	}
	if (ret == -ENOBUFS || ret == -ENOTSUP) {
		advise(config, (uint32_t)page_bytes, text);
		ret = ret == -ENOBUFS ? -ENOMEM : ret;
	} else {
		snprintf(text, sizeof(text), "huge pages: %s", strerror(-ret));
	}
	if (config->page != SHM_PAGE_AUTO) {
		log_err(&log_shm, "%s: %s", config->name, text);
		return ret;
	}
	log_warning(&log_shm, "%s: uses small pages, which is slower: %s", config->name, text);
	return create_small(config, arena);
}

int
shm_arena_restore(struct shm_arena *arena)
{
	int prot = arena->no_access ? PROT_NONE : PROT_READ | PROT_WRITE;
	void *map;

	/* Only a file of a hugetlbfs mount is not sealed and may have been cut. */
	if (ftruncate(arena->fd, (off_t)arena->size_bytes) != 0) {
		return -errno;
	}
	/* Reserves what is missing. Over the old mapping, a failure would leave nothing mapped. */
	map = mmap(NULL, arena->size_bytes, prot, MAP_SHARED, arena->fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	munmap(map, arena->size_bytes);
	map = mmap(arena->base, arena->size_bytes, prot, MAP_SHARED | MAP_FIXED, arena->fd, 0);
	if (map == MAP_FAILED) {
		return -errno;
	}
	(void)madvise(map, arena->size_bytes, MADV_DONTDUMP);
	return 0;
}

void
shm_arena_destroy(struct shm_arena *arena)
{
	if (arena == NULL) {
		return;
	}
	if (arena->base != NULL) {
		munmap(arena->base, arena->size_bytes);
	}
	if (arena->fd >= 0) {
		close(arena->fd);
	}
	free(arena->used);
	free(arena->dirty);
	free(arena);
}

int
shm_arena_fd(const struct shm_arena *arena)
{
	return arena->fd;
}

uint64_t
shm_arena_size(const struct shm_arena *arena)
{
	return arena->size_bytes;
}

uint32_t
shm_arena_page_bytes(const struct shm_arena *arena)
{
	return arena->page_bytes;
}

void *
shm_arena_addr(const struct shm_arena *arena, uint32_t offset)
{
	return arena->base + offset;
}
