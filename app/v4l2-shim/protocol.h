/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between shim and broker (docs/decisions/0006-v4l2-shim.md): SOCK_SEQPACKET on an abstract
 * address, one request, one reply. Both ends belong to one user and to one build, so these are
 * plain structs.
 *
 * A payload follows the header as three byte strings: the ioctl's struct, the array it points to
 * (planes or controls), and what the array's pointers point to, each piece rounded up to 8 bytes.
 * Pointers inside mean nothing. With a buffer of USERPTR memory the third part is a struct
 * shim_places, filled in by the broker: where the planes lie in the file that SHIM_MEMORY gives.
 */
#ifndef VMEDIA_V4L2_SHIM_PROTOCOL_H
#define VMEDIA_V4L2_SHIM_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#define SHIM_MAX_PAYLOAD   131072u /* all three parts */
#define SHIM_FILL_BYTES    1024u   /* in the socket of an open: no POLLOUT */
#define SHIM_ADDRESS_BYTES 64u     /* abstract address without its leading 0, terminated */
#define SHIM_MAX_DEVICES   64u     /* numbers of nodes of all types */
#define SHIM_VIDEO_MAJOR   81u

/* In the environment of programs: "video0=ADDRESS,vbi1=ADDRESS", the folder that stands for /sys,
 * and --spin, if it is given. */
#define SHIM_ENV_DEVICES "VMEDIA_V4L2_DEVICES"
#define SHIM_ENV_TREE    "VMEDIA_V4L2_TREE"
#define SHIM_ENV_SPIN    "VMEDIA_V4L2_SPIN"
#define SHIM_MAX_SPIN_US 1000ul

/* What nodes of a type, VFL_TYPE_*, are called in /dev, ahead of their number. */
#define SHIM_NB_KINDS 6u
static inline const char *
shim_kind(uint32_t type)
{
	static const char kinds[SHIM_NB_KINDS][12] = {
		"video", "vbi", "radio", "video", "swradio", "v4l-touch"};

	return kinds[type < SHIM_NB_KINDS ? type : 0];
}

/* The peer's address of an open's socket is ADDRESS "/" token: so an unknown fd is recognised. */
#define SHIM_TOKEN_FORMAT "%s/%08x"

enum shim_op {
	SHIM_HELLO,  /* reply: arg is a v4l2_capability, session the type of node */
	SHIM_OPEN,   /* reply: session, two fds: the open's and the one for POLLPRI */
	SHIM_ATTACH, /* an fd that came from elsewhere. Reply: one fd, for POLLPRI */
	SHIM_IOCTL,
	SHIM_MMAP,   /* offset: mem_offset. Reply: one fd, offset and length in it, map */
	SHIM_MUNMAP, /* map */
	SHIM_MEMORY, /* reply: one fd, the guest memory that stands for memory of programs */
	SHIM_PLACE,  /* as for QBUF, for its memory alone: where output data go before QBUF */
	SHIM_CANCEL, /* no reply of its own: the request under way ends with EINTR or as it would */
};

#define SHIM_NONBLOCK 1u /* flags */
#define SHIM_WRITABLE 2u

struct shim_request {
	uint32_t op, session;
	uint64_t request; /* VIDIOC_* */
	uint32_t flags;
	uint32_t arg_bytes, array_bytes, extra_bytes;
	uint64_t offset, map;
};

#define SHIM_MAX_PLANES 8u

struct shim_places {
	uint64_t offset[SHIM_MAX_PLANES];
};

struct shim_reply {
	int32_t status; /* 0 or a negative errno */
	uint32_t session;
	uint32_t nb_take; /* take so many bytes out of the open's socket ... */
	uint32_t fill;    /* ... and if not 0 put SHIM_FILL_BYTES in */
	uint32_t arg_bytes, array_bytes, extra_bytes;
	uint32_t page_bytes; /* of the file */
	uint64_t offset, length, map;
};

#endif
