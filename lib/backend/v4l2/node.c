/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host node is, mirrored for the guest. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/v4l2/format.h"
#include "backend/v4l2/host.h"
#include "backend/v4l2/sys.h"
#include "base/util.h"
#include "protocol/v4l2.h"

/* What virtio-media cannot carry: read() and write(), overlays, EDID, media controllers. */
#define NOT_CARRIED                                                       \
	(V4L2_CAP_READWRITE | V4L2_CAP_ASYNCIO | V4L2_CAP_VIDEO_OVERLAY | \
		V4L2_CAP_VIDEO_OUTPUT_OVERLAY | V4L2_CAP_IO_MC | V4L2_CAP_DEVICE_CAPS)
#define VBI                                                                         \
	(V4L2_CAP_VBI_CAPTURE | V4L2_CAP_VBI_OUTPUT | V4L2_CAP_SLICED_VBI_CAPTURE | \
		V4L2_CAP_SLICED_VBI_OUTPUT)
#define SDR (V4L2_CAP_SDR_CAPTURE | V4L2_CAP_SDR_OUTPUT)

const char *
host_path(const struct v4l2_device *dev)
{
	return dev->path[0] != '\0' ? dev->path : dev->node;
}

static uint32_t
device_type(uint32_t caps)
{
	if (caps & V4L2_CAP_TOUCH) {
		return VFL_TYPE_TOUCH;
	}
	if (caps & VBI) {
		return VFL_TYPE_VBI;
	}
	if (caps & SDR) {
		return VFL_TYPE_SDR;
	}
	if (v4l2_caps_types(caps) == 0 && (caps & (V4L2_CAP_RADIO | V4L2_CAP_MODULATOR))) {
		return VFL_TYPE_RADIO;
	}
	return VFL_TYPE_VIDEO;
}

/* Those of the node that a guest can use. */
static uint32_t
carried(int fd, uint32_t caps)
{
	struct v4l2_tuner tuner = {.type = V4L2_TUNER_RADIO};

	caps &= ~(uint32_t)NOT_CARRIED;
	if ((caps & V4L2_CAP_RDS_CAPTURE) == 0 || v4l2_sys.ioctl(fd, VIDIOC_G_TUNER, &tuner) != 0) {
		return caps;
	}
	v4l2_tuner_clean(&tuner);
	return (tuner.capability & V4L2_TUNER_CAP_RDS) != 0
	               ? caps
	               : caps & ~(uint32_t)V4L2_CAP_RDS_CAPTURE;
}

static uint64_t
buffer_bytes(int fd, uint32_t type)
{
	struct v4l2_format f = {.type = type};
	uint32_t lengths[VIDEO_MAX_PLANES];
	uint64_t bytes = 0;
	uint32_t nb;

	if (type == 0 || v4l2_sys.ioctl(fd, VIDIOC_G_FMT, &f) != 0) {
		return 0;
	}
	nb = v4l2_format_planes(&f, lengths);
	for (uint32_t p = 0; p < nb; p++) {
		bytes += round_up(lengths[p], 65536);
	}
	return bytes;
}

static int
describe(struct v4l2_device *dev, int fd, struct vmedia_node *node)
{
	struct v4l2_capability cap = {0};
	int err = v4l2_sys.ioctl(fd, VIDIOC_QUERYCAP, &cap);

	if (err != 0) {
		return err;
	}
	dev->device_caps =
		cap.capabilities & V4L2_CAP_DEVICE_CAPS ? cap.device_caps : cap.capabilities;
	node->device_caps = carried(fd, dev->device_caps);
	node->device_type = device_type(node->device_caps);
	snprintf(node->card, sizeof(node->card), "%.*s", (int)sizeof(cap.card), cap.card);
	node->arena_bytes = HOST_MAX_BUFFERS *
	                    (buffer_bytes(fd, v4l2_caps_type(node->device_caps, false)) +
				    buffer_bytes(fd, v4l2_caps_type(node->device_caps, true)));
	return 0;
}

int
host_node_query(struct v4l2_device *dev, struct vmedia_node *node)
{
	int fd, err;

	if (dev->node == NULL && dev->path[0] == '\0') {
		log_err(&log_v4l2, "node=PATH or fd=NUMBER says which host device it is");
		return -EINVAL;
	}
	fd = v4l2_sys.open(host_path(dev));
	if (fd < 0) {
		log_err(&log_v4l2, "%s: %s", host_path(dev), strerror(-fd));
		return fd;
	}
	err = describe(dev, fd, node);
	err = err != 0 ? err : host_choose_waiting(dev, fd);
	v4l2_sys.close(fd);
	return err;
}
