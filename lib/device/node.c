/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a guest could register the node that a backend describes. Linux's driver refuses some
 * nodes at probe and registers others that cannot be used; both are told here, at the start.
 */
#include <errno.h>

#include "device/internal.h"
#include "media/format.h"
#include "protocol/v4l2.h"

LOG_TYPE_USE(device);

#define SINGLE_PLANAR (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_M2M)
#define MULTI_PLANAR \
	(V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_VIDEO_OUTPUT_MPLANE | V4L2_CAP_VIDEO_M2M_MPLANE)

static bool
type_is_registered(uint32_t device_type)
{
	switch (device_type) {
	case VFL_TYPE_VIDEO:
	case VFL_TYPE_VBI:
	case VFL_TYPE_RADIO:
	case VFL_TYPE_SDR:
	case VFL_TYPE_TOUCH:
		return true;
	default:
		return false;
	}
}

/* A buffer of several memory planes has no place in the single-planar structs. */
static bool
formats_fit(const struct vmedia_node *node)
{
	const struct format_info *info;
	uint32_t i;

	for (i = 0; i < node->nb_formats; i++) {
		info = format_info(node->formats[i].fourcc);
		if (info != NULL && info->nb_planes > 1 && !(node->device_caps & MULTI_PLANAR)) {
			return false;
		}
	}
	return true;
}

/* NULL: nothing. */
static const char *
what_is_wrong(const struct vmedia_node *node)
{
	uint32_t caps = node->device_caps;

	if (!type_is_registered(node->device_type)) {
		return "the node type is none that a guest registers (0 video, 1 VBI, 2 radio, 4 "
		       "SDR, 5 touch)";
	}
	if (caps == 0) {
		return "it has no capabilities";
	}
	if (caps & V4L2_CAP_DEVICE_CAPS) {
		return "V4L2_CAP_DEVICE_CAPS is for QUERYCAP alone";
	}
	if (caps & V4L2_CAP_READWRITE) {
		return "virtio-media has no read() and write(): V4L2_CAP_READWRITE";
	}
	if ((caps & (SINGLE_PLANAR | MULTI_PLANAR)) && !(caps & V4L2_CAP_STREAMING)) {
		return "buffers need V4L2_CAP_STREAMING";
	}
	if (node->nb_ports > 0 && (caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE))) {
		return "an m2m node has neither inputs nor outputs to choose from";
	}
	if ((caps & SINGLE_PLANAR) && (caps & MULTI_PLANAR)) {
		return "it is single- and multi-planar at once";
	}
	return formats_fit(node) ? NULL : "a format has several planes and the node has not";
}

int
node_check(
	const char *name, const struct vmedia_backend_ops *backend, const struct vmedia_node *node)
{
	const char *wrong = what_is_wrong(node);

	if (wrong == NULL) {
		return 0;
	}
	log_err(&log_device,
		"device %s: no guest can register what backend %s describes: %s "
		"(device_caps 0x%08x, device_type %u)",
		name, backend->name, wrong, node->device_caps, node->device_type);
	return -EINVAL;
}
