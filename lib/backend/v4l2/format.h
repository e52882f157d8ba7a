/* SPDX-License-Identifier: BSD-3-Clause */
/* What V4L2's structs say about a node and about the size of its buffers. Pure functions. */
#ifndef VMEDIA_BACKEND_V4L2_FORMAT_H
#define VMEDIA_BACKEND_V4L2_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/videodev2.h>

/* Bytes of each memory plane; returns their number, 0 for a type that has no buffers here. */
uint32_t v4l2_format_planes(const struct v4l2_format *f, uint32_t lengths[VIDEO_MAX_PLANES]);

/* Buffer types of a node with such capabilities, 1 << V4L2_BUF_TYPE_*. */
uint32_t v4l2_caps_types(uint32_t device_caps);
/* The first of them in one direction; 0: it has none. */
uint32_t v4l2_caps_type(uint32_t device_caps, bool output);

/* RDS that is had by read() cannot be had through virtio-media; that of controls can. */
void v4l2_tuner_clean(struct v4l2_tuner *tuner);

#endif
