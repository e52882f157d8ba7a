/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arena's pages as DMA buffers, for drivers that take no addresses: one for each plane, made by
 * udmabuf when the node is given it for the first time, gone when the node's buffers are.
 */
#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <string.h>

#include "backend/v4l2/host.h"
#include "backend/v4l2/sys.h"
#include "base/util.h"
#include "device/device.h"

#define UDMABUF "/dev/udmabuf"

int
host_dmabuf_start(struct v4l2_device *dev)
{
	int fd = dev->buffers == HOST_AUTO || dev->buffers == HOST_DMABUF ? v4l2_sys.open(UDMABUF)
	                                                                  : -ENOENT;

	dev->udmabuf = MAX(fd, -1);
	if (fd < 0 && dev->buffers == HOST_DMABUF) {
		log_err(&log_v4l2, "device %s: buffers=dmabuf: " UDMABUF ": %s",
			vmedia_device_name(dev->device), strerror(-fd));
		return fd;
	}
	return 0;
}

void
host_dmabuf_stop(struct v4l2_device *dev)
{
	if (dev->udmabuf >= 0) {
		v4l2_sys.close(dev->udmabuf);
		dev->udmabuf = -1;
	}
}

/* Whole pages: planes begin at one, and share none. */
static int
make(const struct v4l2_device *dev, const char *addr, uint32_t length)
{
	struct shm_arena *arena = device_arena(dev->device);
	uint32_t page_bytes = shm_arena_page_bytes(arena);
	struct udmabuf_create create = {
		.memfd = (uint32_t)shm_arena_fd(arena),
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.offset = (uint64_t)(addr - (char *)shm_arena_addr(arena, 0)),
		.size = round_up(length, MIN(page_bytes, SHM_GRANULE_BYTES)),
	};

	return v4l2_sys.create_dmabuf(dev->udmabuf, &create);
}

/* Whatever the reason: not the node's, which is still there. */
static int
refuse(struct v4l2_device *dev, struct host_dmabuf *d)
{
	if (!dev->told_dmabuf) {
		dev->told_dmabuf = true;
		log_warning(&log_v4l2, "device %s: " UDMABUF " makes no DMA buffer of %u bytes: %s",
			vmedia_device_name(dev->device), d->length, strerror(-d->fd));
	}
	d->addr = NULL;
	return -EINVAL;
}

static void
let_go(struct host_dmabuf *d)
{
	if (d->addr != NULL) {
		v4l2_sys.close(d->fd);
		d->addr = NULL;
	}
}

int
host_dmabuf_of(struct host_buffer *hb, uint32_t p)
{
	struct host_dmabuf *d = &hb->dmabufs[p];

	if (d->addr == hb->addrs[p] && d->length == hb->lengths[p]) {
		return d->fd;
	}
	let_go(d);
	*d = (struct host_dmabuf){.addr = hb->addrs[p], .length = hb->lengths[p]};
	d->fd = make(hb->queue->host->dev, hb->addrs[p], hb->lengths[p]);
	return d->fd >= 0 ? d->fd : refuse(hb->queue->host->dev, d);
}

/*
 * Who looks at the pixels with a CPU says so, which matters where devices do not see its caches;
 * the guest cannot, so it is said for it: from here on until the next QBUF.
 */
static void
sync_all(const struct host_buffer *hb, uint64_t flags)
{
	for (uint32_t p = 0; p < VIDEO_MAX_PLANES; p++) {
		struct dma_buf_sync sync = {.flags = flags};

		if (hb->dmabufs[p].addr != NULL) {
			v4l2_sys.ioctl(hb->dmabufs[p].fd, DMA_BUF_IOCTL_SYNC, &sync);
		}
	}
}

void
host_dmabuf_to_guest(const struct host_buffer *hb)
{
	sync_all(hb, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
}

void
host_dmabuf_from_guest(const struct host_buffer *hb)
{
	sync_all(hb, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

void
host_dmabuf_drop(struct host_buffer *hb)
{
	for (uint32_t p = 0; p < VIDEO_MAX_PLANES; p++) {
		let_go(&hb->dmabufs[p]);
	}
}
