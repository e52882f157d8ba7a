/* SPDX-License-Identifier: BSD-3-Clause */
#include "v4l2_udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "v4l2_node.h"

#define MAX_FDS 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	void *memory; /* MAP_FAILED: stands for /dev/udmabuf */
	uint64_t size;
} fds[MAX_FDS];
static uint32_t nb, nb_made, nb_begun, nb_ended;

static int
add(void *memory, uint64_t size)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	pthread_mutex_lock(&lock);
	fds[fd].memory = memory;
	fds[fd].size = size;
	pthread_mutex_unlock(&lock);
	return fd;
}

int
udmabuf_open(void)
{
	return add(MAP_FAILED, 0);
}

int
udmabuf_create(int udmabuf, const struct udmabuf_create *create)
{
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int seals = fcntl((int)create->memfd, F_GET_SEALS);
	void *memory;

	if (node_rules.create_error != 0) {
		return -node_rules.create_error;
	}
	if (fds[udmabuf].memory != MAP_FAILED || seals < 0 || !(seals & F_SEAL_SHRINK) ||
		seals & F_SEAL_WRITE || create->offset % page_bytes != 0 || create->size == 0 ||
		create->size % page_bytes != 0) {
		return -EINVAL;
	}
	memory = mmap(NULL, create->size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)create->memfd,
		(off_t)create->offset);
	if (memory == MAP_FAILED) {
		return -errno;
	}
	nb++;
	nb_made++;
	return add(memory, create->size);
}

bool
udmabuf_close(int fd)
{
	bool ours;

	pthread_mutex_lock(&lock);
	ours = fds[fd].memory != NULL;
	if (ours && fds[fd].size > 0) {
		munmap(fds[fd].memory, fds[fd].size);
		nb--;
	}
	fds[fd].memory = NULL;
	fds[fd].size = 0;
	pthread_mutex_unlock(&lock);
	if (ours) {
		close(fd);
	}
	return ours;
}

void *
udmabuf_memory(int fd)
{
	return fd >= 0 && fd < MAX_FDS && fds[fd].size > 0 ? fds[fd].memory : NULL;
}

void
udmabuf_sync(uint64_t flags)
{
	nb_begun += (flags & DMA_BUF_SYNC_END) == 0;
	nb_ended += (flags & DMA_BUF_SYNC_END) != 0;
}

uint32_t
udmabuf_nb(void)
{
	return nb;
}

uint32_t
udmabuf_nb_made(void)
{
	return nb_made;
}

uint32_t
udmabuf_nb_begun(void)
{
	return nb_begun;
}

uint32_t
udmabuf_nb_ended(void)
{
	return nb_ended;
}
