/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * V4L2 as the protocol knows it: <linux/videodev2.h> of the build machine plus what that of
 * Linux 6.1 does not have yet (T-45). Sizes and offsets do not differ between the versions.
 */
#ifndef VMEDIA_PROTOCOL_V4L2_H
#define VMEDIA_PROTOCOL_V4L2_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <linux/videodev2.h>

/* Linux 6.8: more than 32 buffers, see v4l2_create_buffers_set_max(). */
#ifndef V4L2_BUF_CAP_SUPPORTS_MAX_NUM_BUFFERS
#define V4L2_BUF_CAP_SUPPORTS_MAX_NUM_BUFFERS 0x80
#endif

/* Linux 6.10: single buffers are given back. */
#ifndef V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS
#define V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS 0x100
#endif

#ifndef VIDIOC_REMOVE_BUFS
struct v4l2_remove_buffers {
	__u32 index; /* the first one */
	__u32 count;
	__u32 type;
	__u32 reserved[13];
};
#define VIDIOC_REMOVE_BUFS _IOWR('V', 104, struct v4l2_remove_buffers)
#endif

/* Later: `which` of v4l2_ext_controls. */
#ifndef V4L2_CTRL_WHICH_MIN_VAL
#define V4L2_CTRL_WHICH_MIN_VAL 0x0f020000
#endif
#ifndef V4L2_CTRL_WHICH_MAX_VAL
#define V4L2_CTRL_WHICH_MAX_VAL 0x0f030000
#endif

/* Node types: device_type of struct virtio_media_config. The kernel has them in no public header.
 */
#define VFL_TYPE_VIDEO  0
#define VFL_TYPE_VBI    1
#define VFL_TYPE_RADIO  2
#define VFL_TYPE_SUBDEV 3
#define VFL_TYPE_SDR    4
#define VFL_TYPE_TOUCH  5

/* Offset of max_num_buffers in struct v4l2_create_buffers; a reserved word for Linux 6.1. */
#define V4L2_CREATE_BUFFERS_MAX_OFFSET 232

/* How many buffers the queue can have; goes with V4L2_BUF_CAP_SUPPORTS_MAX_NUM_BUFFERS. */
static inline void
v4l2_create_buffers_set_max(struct v4l2_create_buffers *create, uint32_t max_num_buffers)
{
	memcpy((char *)create + V4L2_CREATE_BUFFERS_MAX_OFFSET, &max_num_buffers,
		sizeof(max_num_buffers));
}

#endif
