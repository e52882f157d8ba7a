/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/v4l2/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int
real_open(const char *path)
{
	int fd;

	do {
		fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	return fd >= 0 ? fd : -errno;
}

static void
real_close(int fd)
{
	close(fd);
}

static void
real_set_blocking(int fd, bool blocks)
{
	fcntl(fd, F_SETFL, blocks ? 0 : O_NONBLOCK);
}

static int
real_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret;

	do {
		ret = ioctl(fd, cmd, arg);
	} while (ret < 0 && errno == EINTR);
	return ret >= 0 ? 0 : -errno;
}

static int
real_map(int fd, uint32_t offset, size_t bytes, void **addr)
{
	*addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	return *addr != MAP_FAILED ? 0 : -errno;
}

static void
real_unmap(void *addr, size_t bytes)
{
	munmap(addr, bytes);
}

static int
real_create_dmabuf(int udmabuf, const struct udmabuf_create *create)
{
	int fd = ioctl(udmabuf, UDMABUF_CREATE, create);

	return fd >= 0 ? fd : -errno;
}

struct v4l2_sys v4l2_sys = {
	.open = real_open,
	.close = real_close,
	.set_blocking = real_set_blocking,
	.ioctl = real_ioctl,
	.map = real_map,
	.unmap = real_unmap,
	.create_dmabuf = real_create_dmabuf,
};
