/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers that this process has mapped: the very pages of the device's arena. */
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

struct area {
	struct area *next;
	uint8_t *start;  /* what the program got ... */
	size_t len;      /* ... rounded up to pages */
	uint8_t *mapped; /* what is mapped: whole pages of the file */
	size_t mapped_len;
	uint64_t map;
	uint32_t device;
	pid_t pid; /* a child that inherited it has nothing to give back */
};

LOCK_RENEWED_BY_FORK();
static struct area *areas;
static atomic_uint nb_areas; /* munmap of everything else costs this one look */

static void
give_back(uint32_t device, uint64_t map)
{
	struct shim_request request = {.op = SHIM_MUNMAP, .map = map};
	struct shim_reply reply;

	client_call(device, &request, &reply, NULL, 0);
}

int
map_check_size(const void *addr, size_t len, size_t new_len)
{
	const uint8_t *at = addr;
	const struct area *area;
	int ret = 0;

	if (atomic_load(&nb_areas) == 0 || new_len <= len) {
		return 0;
	}
	pthread_mutex_lock(&lock);
	for (area = areas; area != NULL; area = area->next) {
		if (at < area->start + area->len && at + len > area->start) {
			ret = -EFAULT;
		}
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

/* Part of a buffer that went elsewhere stays with it: unmapped there, it is the kernel's alone. */
void
map_moved(const void *addr, size_t len, void *new_addr, size_t new_len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct area *area;

	if (atomic_load(&nb_areas) == 0) {
		return;
	}
	pthread_mutex_lock(&lock);
	for (area = areas; area != NULL; area = area->next) {
		if (area->start != addr || area->len != round_up(len, page)) {
			continue;
		}
		if (area->mapped_len == area->len) {
			area->start = area->mapped = new_addr;
			area->len = area->mapped_len = round_up(new_len, page);
		} else if (new_addr == addr) { /* the kernel kept the whole huge pages */
			area->len = round_up(new_len, page);
		}
	}
	pthread_mutex_unlock(&lock);
}

static void
remember(const struct area *area)
{
	struct area *copy = malloc(sizeof(*copy));

	if (copy == NULL) {
		return; /* the range goes back when the process ends */
	}
	*copy = *area;
	pthread_mutex_lock(&lock);
	copy->next = areas;
	areas = copy;
	atomic_fetch_add(&nb_areas, 1);
	pthread_mutex_unlock(&lock);
}

/* Huge pages can only be mapped whole. */
static void *
map_file(const struct shim_reply *reply, struct area *area, void *addr, int prot_flags[2], int fd)
{
	uint64_t page = reply->page_bytes, first = reply->offset / page * page;
	bool huge = page > (uint64_t)sysconf(_SC_PAGESIZE);
	uint8_t *p;

	if (huge && (prot_flags[1] & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	area->mapped_len = huge ? round_up(reply->offset + area->len, page) - first : area->len;
	p = NEXT(mmap)(huge ? NULL : addr, area->mapped_len, prot_flags[0], prot_flags[1], fd,
		(off_t)first);
	if (p == MAP_FAILED) {
		return MAP_FAILED;
	}
	area->mapped = p;
	area->start = p + (reply->offset - first);
	return area->start;
}

void *
map_create(const struct handle *handle, void *addr, size_t len, int prot, int flags, off_t offset)
{
	struct shim_request request = {.op = SHIM_MMAP,
		.session = handle->token,
		.flags = (prot & PROT_WRITE) != 0 ? SHIM_WRITABLE : 0,
		.offset = (uint64_t)offset};
	struct area area = {.device = handle->device, .pid = getpid()};
	struct shim_reply reply;
	void *ret = MAP_FAILED;
	int fd = -1, error = EINVAL;
	int status;

	if ((flags & MAP_TYPE) != MAP_SHARED && (flags & MAP_TYPE) != MAP_SHARED_VALIDATE) {
		errno = EINVAL; /* as videobuf2 says */
		return MAP_FAILED;
	}
	status = client_call(handle->device, &request, &reply, &fd, 1);
	if (status != 0 || fd < 0) {
		errno = status != 0 ? -status : ENODEV;
		return MAP_FAILED;
	}
	area.len = round_up(len, (size_t)sysconf(_SC_PAGESIZE));
	area.map = reply.map;
	if (len != 0 && area.len <= round_up(reply.length, (uint64_t)sysconf(_SC_PAGESIZE))) {
		ret = map_file(&reply, &area, addr, (int[2]){prot, flags}, fd);
		error = errno;
	}
	NEXT(close)(fd);
	if (ret == MAP_FAILED) {
		give_back(area.device, area.map);
		errno = error;
		return ret;
	}
	remember(&area);
	return ret;
}

/* Takes the area out whose start is unmapped as a whole; what is cut from its end stays known. */
static struct area *
take_area(const uint8_t *addr, size_t len, bool *inside)
{
	struct area **p = &areas, *area;

	*inside = false;
	for (; (area = *p) != NULL; p = &area->next) {
		if (addr <= area->start && addr + len >= area->start + area->len) {
			*p = area->next;
			atomic_fetch_sub(&nb_areas, 1);
			return area;
		}
		if (addr < area->start + area->len && addr + len > area->start) {
			*inside = true;
			if (area->mapped_len == area->len && addr == area->start) {
				area->start += len;
				area->mapped += len;
				area->len -= len;
				area->mapped_len -= len;
			} else if (area->mapped_len == area->len) {
				area->len = area->mapped_len = (size_t)(addr - area->start);
			}
			return NULL;
		}
	}
	return NULL;
}

bool
map_destroy(void *addr, size_t len, int *ret)
{
	struct area *area;
	bool inside;

	if (atomic_load(&nb_areas) == 0) {
		return false;
	}
	len = round_up(len, (size_t)sysconf(_SC_PAGESIZE));
	pthread_mutex_lock(&lock);
	area = take_area(addr, len, &inside);
	pthread_mutex_unlock(&lock);
	if (area == NULL) {
		return false;
	}
	if (area->mapped_len == area->len) {
		*ret = NEXT(munmap)(addr, len);
	} else {
		*ret = NEXT(munmap)(area->mapped, area->mapped_len);
	}
	if (area->pid == getpid()) {
		int saved = errno;

		give_back(area->device, area->map);
		errno = saved;
	}
	free(area);
	return true;
}
