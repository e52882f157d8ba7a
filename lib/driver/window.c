/* SPDX-License-Identifier: BSD-3-Clause */
#include "driver/window.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "driver/memory.h"

#define WINDOW_MAX_BYTES (1ULL << 42)
#define WINDOW_ALIGN     (1ULL << 30) /* so that pages of any size can be mapped */

int
window_init(struct window *w, uint64_t bytes)
{
	uint64_t align = bytes < WINDOW_ALIGN ? MAX(bytes, 2ULL << 20) : WINDOW_ALIGN;

	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
	w->max_maps = WINDOW_MAX_MAPS;
	if (bytes == 0) {
		return 0;
	}
	if (bytes < MEMORY_PAGE_BYTES || bytes > WINDOW_MAX_BYTES || !is_power_of_2(bytes)) {
		return -EPROTO;
	}
	w->reserved_bytes = bytes + align;
	w->reserved = mmap(NULL, w->reserved_bytes, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->reserved == MAP_FAILED) {
		w->reserved = NULL;
		return -ENOMEM;
	}
	w->base = w->reserved + (round_up((uintptr_t)w->reserved, align) - (uintptr_t)w->reserved);
	w->bytes = bytes;
	return 0;
}

int
window_init_copy(struct window *w, uint64_t bytes)
{
	int ret = window_init(w, bytes);

	if (ret != 0 || bytes == 0) {
		return ret;
	}
	if (mprotect(w->base, bytes, PROT_READ | PROT_WRITE) != 0) {
		return -errno;
	}
	w->maps[w->nb_maps++] = (struct window_map){.len = bytes, .fd = -1};
	return 0;
}

void
window_fini(struct window *w)
{
	window_unmap_all(w);
	if (w->reserved != NULL) {
		munmap(w->reserved, w->reserved_bytes);
	}
	pthread_mutex_destroy(&w->lock);
	w->reserved = w->base = NULL;
	w->bytes = 0;
}

static bool
page_aligned(uint64_t n)
{
	return n % MEMORY_PAGE_BYTES == 0;
}

static int
check_range(const struct window *w, const struct window_request *req)
{
	uint64_t end;

	if (req->shmid != 0 || w->bytes == 0) {
		return -ENODEV;
	}
	if (req->len == 0 || !page_aligned(req->len) || !page_aligned(req->shm_offset) ||
		!page_aligned(req->fd_offset) || !add_ok(req->shm_offset, req->len, &end) ||
		end > w->bytes || (req->flags & ~1ULL) != 0) {
		return -EINVAL;
	}
	return 0;
}

/* The file has to cover the range, or a touch would be SIGBUS. */
static int
check_file(const struct window_request *req, int fd)
{
	struct stat st;
	uint64_t end;

	if (fd < 0 || fstat(fd, &st) != 0) {
		return -EBADF;
	}
	if (!S_ISREG(st.st_mode) || !add_ok(req->fd_offset, req->len, &end) ||
		end > (uint64_t)st.st_size) {
		return -EINVAL;
	}
	return 0;
}

static bool
overlaps(const struct window *w, const struct window_request *req)
{
	for (unsigned int i = 0; i < w->nb_maps; i++) {
		if (req->shm_offset < w->maps[i].shm_offset + w->maps[i].len &&
			w->maps[i].shm_offset < req->shm_offset + req->len) {
			return true;
		}
	}
	return false;
}

/* Back to reserved addresses; a failure leaves the old pages, which harms nobody. */
static int
reserve(struct window *w, uint64_t offset, uint64_t len)
{
	void *p = mmap(w->base + offset, len, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static int
map_locked(struct window *w, const struct window_request *req, int fd)
{
	int prot = PROT_READ | ((req->flags & 1) ? PROT_WRITE : 0);
	int own;

	if (overlaps(w, req)) {
		return -EEXIST;
	}
	if (w->nb_maps >= w->max_maps) {
		return -ENOSPC;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0) {
		return -errno;
	}
	if (mmap(w->base + req->shm_offset, req->len, prot, MAP_SHARED | MAP_FIXED, own,
		    (off_t)req->fd_offset) == MAP_FAILED) {
		int err = -errno;

		reserve(w, req->shm_offset, req->len);
		close(own);
		return err;
	}
	w->maps[w->nb_maps++] = (struct window_map){
		.shm_offset = req->shm_offset,
		.len = req->len,
		.fd_offset = req->fd_offset,
		.fd = own,
	};
	return 0;
}

int
window_map(struct window *w, const struct window_request *req, int fd)
{
	int ret = check_range(w, req);

	if (ret == 0) {
		ret = check_file(req, fd);
	}
	if (ret != 0) {
		return ret;
	}
	pthread_mutex_lock(&w->lock);
	ret = map_locked(w, req, fd);
	pthread_mutex_unlock(&w->lock);
	return ret;
}

static void
drop(struct window *w, unsigned int i)
{
	reserve(w, w->maps[i].shm_offset, w->maps[i].len);
	if (w->maps[i].fd >= 0) {
		close(w->maps[i].fd);
	}
	w->maps[i] = w->maps[--w->nb_maps];
}

int
window_unmap(struct window *w, const struct window_request *req)
{
	int ret = -EINVAL;

	pthread_mutex_lock(&w->lock);
	for (unsigned int i = 0; req->shmid == 0 && i < w->nb_maps; i++) {
		if (w->maps[i].shm_offset == req->shm_offset && w->maps[i].len == req->len) {
			drop(w, i);
			ret = 0;
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}

void
window_unmap_all(struct window *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->nb_maps > 0) {
		drop(w, w->nb_maps - 1);
	}
	pthread_mutex_unlock(&w->lock);
}

bool
window_is_mapped(struct window *w, uint64_t offset, uint64_t len)
{
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (unsigned int i = 0; !found && i < w->nb_maps; i++) {
		const struct window_map *m = &w->maps[i];

		found = offset >= m->shm_offset && offset - m->shm_offset < m->len &&
		        len <= m->len - (offset - m->shm_offset);
	}
	pthread_mutex_unlock(&w->lock);
	return found;
}

int
window_file(struct window *w, uint64_t offset, uint64_t len, int *fd, uint64_t *fd_offset)
{
	int ret = -EINVAL;

	pthread_mutex_lock(&w->lock);
	for (unsigned int i = 0; i < w->nb_maps; i++) {
		const struct window_map *m = &w->maps[i];

		if (offset >= m->shm_offset && offset - m->shm_offset < m->len &&
			len <= m->len - (offset - m->shm_offset)) {
			*fd = fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
			*fd_offset = m->fd_offset + (offset - m->shm_offset);
			ret = *fd >= 0 ? 0 : -errno;
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return ret;
}
