/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio media device (virtio 1.4, section 5.22): what a driver and a device say to each other.
 *
 * Every integer is little-endian and every structure has the same layout on all machines with
 * 64-bit pointers; there are no feature bits and no feature-dependent members. V4L2 structures
 * travel in their 64-bit layout. In a descriptor chain the device-readable part is the
 * concatenation of all readable descriptors, the device-writable part that of all writable ones;
 * where they are cut has no meaning. "Reserved" members are there for alignment: written as zero,
 * never looked at.
 *
 * This header stands alone: C (C99 and later) and C++.
 */
#ifndef _UAPI_LINUX_VIRTIO_MEDIA_H
#define _UAPI_LINUX_VIRTIO_MEDIA_H

/*
 * <linux/videodev2.h> uses struct timespec, which strict C99 hides in <sys/time.h> and <time.h>.
 * POSIX has it in <sched.h> as well, without conditions.
 */
#if defined(__STRICT_ANSI__) && !defined(__KERNEL__)
#include <sched.h>
#endif
#include <linux/types.h>
#include <linux/videodev2.h>

/* Device id; as a modern PCI device 0x1040 + 48 = 0x1070 (5.22.1). */
#ifndef VIRTIO_ID_MEDIA
#define VIRTIO_ID_MEDIA 48
#endif

/* The two virtqueues (5.22.2). */
#define VIRTIO_MEDIA_COMMANDQ 0 /* driver to device: struct virtio_media_cmd_* */
#define VIRTIO_MEDIA_EVENTQ   1 /* device to driver: struct virtio_media_event_* */

/* Id of the shared memory region that MMAP buffers appear in (5.22.6.1.6). */
#define VIRTIO_MEDIA_SHM_MMAP 0

/* Planes one buffer can have; the same number as VIDEO_MAX_PLANES. */
#define VIRTIO_MEDIA_MAX_PLANES 8

/**
 * struct virtio_media_config - configuration space, 40 bytes, read-only for the driver (5.22.4)
 * @device_caps: V4L2_CAP_*, as the device_caps member of struct v4l2_capability
 * @device_type: kind of node: 0 video, 1 VBI, 2 radio, 3 sub-device, 4 SDR, 5 touch
 * @card: name, UTF-8, padded with zeroes; may fill all 32 bytes
 */
struct virtio_media_config {
	__le32 device_caps;
	__le32 device_type;
	__u8 card[32];
};

/* Commands: member cmd of struct virtio_media_cmd_header. */
#define VIRTIO_MEDIA_CMD_OPEN   1
#define VIRTIO_MEDIA_CMD_CLOSE  2
#define VIRTIO_MEDIA_CMD_IOCTL  3
#define VIRTIO_MEDIA_CMD_MMAP   4
#define VIRTIO_MEDIA_CMD_MUNMAP 5

/**
 * struct virtio_media_cmd_header - begins the readable part of every command
 * @cmd: VIRTIO_MEDIA_CMD_*
 * @reserved: zero
 */
struct virtio_media_cmd_header {
	__le32 cmd;
	__le32 reserved;
};

/**
 * struct virtio_media_resp_header - begins the writable part of every command that has one
 * @status: 0, or a positive Linux error number
 * @reserved: zero
 */
struct virtio_media_resp_header {
	__le32 status;
	__le32 reserved;
};

/**
 * struct virtio_media_cmd_open - open a session (5.22.6.1.3)
 * @hdr: cmd is VIRTIO_MEDIA_CMD_OPEN
 */
struct virtio_media_cmd_open {
	struct virtio_media_cmd_header hdr;
};

/**
 * struct virtio_media_resp_open - answer to open
 * @hdr: status
 * @session_id: on success the name of the session in later commands and events
 * @reserved: zero
 */
struct virtio_media_resp_open {
	struct virtio_media_resp_header hdr;
	__le32 session_id;
	__le32 reserved;
};

/**
 * struct virtio_media_cmd_close - end a session and free what it holds (5.22.6.1.4)
 * @hdr: cmd is VIRTIO_MEDIA_CMD_CLOSE
 * @session_id: from open
 * @reserved: zero
 *
 * Has no answer: the chain needs no writable part and comes back when the session is gone.
 */
struct virtio_media_cmd_close {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 reserved;
};

/**
 * struct virtio_media_cmd_ioctl - perform a V4L2 ioctl (5.22.6.1.5)
 * @hdr: cmd is VIRTIO_MEDIA_CMD_IOCTL
 * @session_id: from open
 * @code: number of the ioctl alone: _IOC_NR(), not the whole of VIDIOC_*
 *
 * Followed by the argument of an ioctl that is _IOW or _IOWR; by the array of planes or of
 * controls that it points to; then by the lists of struct virtio_media_sg_entry, one for each
 * element that lives in the driver's memory.
 */
struct virtio_media_cmd_ioctl {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 code;
};

/**
 * struct virtio_media_resp_ioctl - answer to an ioctl
 * @hdr: status
 *
 * Followed by the argument of an ioctl that is _IOR or _IOWR and by the array it points to, never
 * by scatter-gather lists. With a status other than 0 the argument may be missing.
 */
struct virtio_media_resp_ioctl {
	struct virtio_media_resp_header hdr;
};

/**
 * struct virtio_media_sg_entry - one piece of guest memory
 * @start: guest-physical address, any alignment
 * @len: bytes, not 0
 * @reserved: zero
 */
struct virtio_media_sg_entry {
	__le64 start;
	__le32 len;
	__le32 reserved;
};

/*
 * Flags of struct virtio_media_cmd_mmap, as bit numbers: the value on the wire is
 * 1 << VIRTIO_MEDIA_MMAP_FLAG_RW_BIT.
 */
#define VIRTIO_MEDIA_MMAP_FLAG_RW_BIT 0 /* the mapping may be written, else read only */

/**
 * struct virtio_media_cmd_mmap - make a buffer visible in the shared memory region (5.22.6.1.6)
 * @hdr: cmd is VIRTIO_MEDIA_CMD_MMAP
 * @session_id: from open
 * @flags: bits numbered by VIRTIO_MEDIA_MMAP_FLAG_*_BIT
 * @offset: m.offset or mem_offset of a plane, as QUERYBUF gave it
 *
 * 20 bytes: there is no padding behind @offset.
 */
struct virtio_media_cmd_mmap {
	struct virtio_media_cmd_header hdr;
	__le32 session_id;
	__le32 flags;
	__le32 offset;
};

/**
 * struct virtio_media_resp_mmap - answer to mmap
 * @hdr: status
 * @driver_addr: offset of the mapping from the start of region VIRTIO_MEDIA_SHM_MMAP, in bytes
 * @len: length of the plane in bytes, not rounded
 */
struct virtio_media_resp_mmap {
	struct virtio_media_resp_header hdr;
	__le64 driver_addr;
	__le64 len;
};

/**
 * struct virtio_media_cmd_munmap - give a mapping back (5.22.6.1.7)
 * @hdr: cmd is VIRTIO_MEDIA_CMD_MUNMAP
 * @driver_addr: from the answer to mmap
 *
 * Belongs to the device, not to a session: also valid after close.
 */
struct virtio_media_cmd_munmap {
	struct virtio_media_cmd_header hdr;
	__le64 driver_addr;
};

/**
 * struct virtio_media_resp_munmap - answer to munmap
 * @hdr: status
 */
struct virtio_media_resp_munmap {
	struct virtio_media_resp_header hdr;
};

/* Events: member event of struct virtio_media_event_header. */
#define VIRTIO_MEDIA_EVT_ERROR 0
#define VIRTIO_MEDIA_EVT_DQBUF 1
#define VIRTIO_MEDIA_EVT_EVENT 2

/**
 * struct virtio_media_event_header - begins every event (5.22.6.2.1)
 * @event: VIRTIO_MEDIA_EVT_*
 * @session_id: the session it is meant for
 */
struct virtio_media_event_header {
	__le32 event;
	__le32 session_id;
};

/**
 * struct virtio_media_event_error - the session is broken, only close works (5.22.6.2.2)
 * @hdr: event is VIRTIO_MEDIA_EVT_ERROR
 * @error_code: positive Linux error number; called errno by the specification
 * @reserved: zero
 */
struct virtio_media_event_error {
	struct virtio_media_event_header hdr;
	__le32 error_code;
	__le32 reserved;
};

/**
 * struct virtio_media_event_dqbuf - the device is done with a queued buffer (5.22.6.2.3)
 * @hdr: event is VIRTIO_MEDIA_EVT_DQBUF
 * @buffer: as VIDIOC_DQBUF would return it, without pointers
 * @planes: of a multi-planar buffer the first buffer.length ones; the others are zero
 *
 * Always written as a whole, also for a single-planar buffer.
 */
struct virtio_media_event_dqbuf {
	struct virtio_media_event_header hdr;
	struct v4l2_buffer buffer;
	struct v4l2_plane planes[VIRTIO_MEDIA_MAX_PLANES];
};

/**
 * struct virtio_media_event_event - a V4L2 event the session subscribed to (5.22.6.2.4)
 * @hdr: event is VIRTIO_MEDIA_EVT_EVENT
 * @event: as VIDIOC_DQEVENT would return it
 */
struct virtio_media_event_event {
	struct virtio_media_event_header hdr;
	struct v4l2_event event;
};

#endif /* _UAPI_LINUX_VIRTIO_MEDIA_H */
