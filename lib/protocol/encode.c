/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: every answer and every finished buffer leaves here. Nothing is read back from `out`. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"
#include "protocol/ioctl.h"

#define WIRE_ERRNO_MAX 133 /* EHWPOISON; 512 and above restart system calls in the guest (T-6) */

uint32_t
wire_status(int negative_errno)
{
	if (likely(negative_errno == 0)) {
		return 0;
	}
	if (unlikely(negative_errno > 0 || negative_errno < -WIRE_ERRNO_MAX)) {
		return EIO;
	}
	return (uint32_t)-negative_errno;
}

/* Padding and reserved members, which a struct assignment may have filled with anything. */
static void
clear_buffer(struct v4l2_buffer *b)
{
	memset((char *)b + offsetof(struct v4l2_buffer, field) + 4, 0, 4);
	b->reserved2 = 0;
	memset((char *)b + offsetof(struct v4l2_buffer, request_fd) + 4, 0, 4);
}

static void
copy_planes(struct v4l2_plane *to, const struct v4l2_plane *from, uint32_t nb)
{
	uint32_t i;

	for (i = 0; i < nb; i++) {
		to[i] = from[i];
		memset(to[i].reserved, 0, sizeof(to[i].reserved));
	}
}

static void
write_buffer(struct ioctl_payload *p, struct iov_cursor *out)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer *b = &p->arg.buffer;
	size_t bytes = p->nb_planes * sizeof(planes[0]);

	clear_buffer(b);
	/* R-53; the offset of an MMAP buffer is the device's own. */
	if (v4l2_type_is_multiplanar(b->type) || b->memory == V4L2_MEMORY_USERPTR ||
		b->memory == V4L2_MEMORY_DMABUF) {
		b->m.userptr = p->user_pointer;
	}
	iov_write(out, b, sizeof(*b));
	if (bytes != 0 && out->left >= bytes) {
		copy_planes(planes, p->planes, p->nb_planes);
		iov_write(out, planes, bytes);
	}
}

static void
write_ctrls(const struct ioctl_payload *p, struct iov_cursor *out)
{
	struct v4l2_ext_controls e = p->arg.ext_controls;

	memset((char *)&e + 16, 0, 8);
	memcpy((char *)&e + offsetof(struct v4l2_ext_controls, controls), &p->user_pointer,
		sizeof(p->user_pointer));
	iov_write(out, &e, sizeof(e));
	/* All of the array or nothing of it: iov_write is like that. */
	if (p->nb_ctrls != 0) {
		iov_write(out, p->ctrls, p->nb_ctrls * sizeof(p->ctrls[0]));
	}
}

static void
write_payload(const struct ioctl_desc *desc, struct ioctl_payload *p, struct iov_cursor *out)
{
	switch (desc->shape) {
	case IOCTL_SHAPE_BUFFER:
		write_buffer(p, out);
		break;
	case IOCTL_SHAPE_EXT_CTRLS:
		write_ctrls(p, out);
		break;
	case IOCTL_SHAPE_OBJECT:
		iov_write(out, p->arg.bytes, desc->payload_bytes);
		iov_write(out, p->uuid, sizeof(p->uuid));
		break;
	default:
		iov_write(out, p->arg.bytes, desc->payload_bytes);
		break;
	}
}

uint32_t
ioctl_encode(
	const struct ioctl_desc *desc, struct ioctl_payload *p, int status, struct iov_cursor *out)
{
	struct virtio_media_resp_ioctl resp = {.hdr.status = wire_status(status)};
	size_t capacity = out->left;
	bool fits;

	if (unlikely(capacity < sizeof(resp))) {
		return 0;
	}
	fits = capacity - sizeof(resp) >= desc->payload_bytes;
	if (!(desc->dir & IOCTL_DIR_R) || p == NULL ||
		(status != 0 && desc->shape != IOCTL_SHAPE_EXT_CTRLS)) {
		fits = false;
	} else if (unlikely(!fits && status == 0)) {
		resp.hdr.status = EINVAL; /* no success without its payload */
	}
	iov_write(out, &resp, sizeof(resp));
	if (fits) {
		write_payload(desc, p, out);
	}
	return (uint32_t)(capacity - out->left);
}

void
ioctl_encode_dqbuf(struct virtio_media_event_dqbuf *event, uint32_t session_id,
	struct v4l2_buffer *b, const struct v4l2_plane *planes, uint32_t nb_planes)
{
	bool offsets = b->memory == V4L2_MEMORY_MMAP;
	bool multiplanar = v4l2_type_is_multiplanar(b->type);
	uint32_t i, nb = planes != NULL && multiplanar ? MIN(nb_planes, VIDEO_MAX_PLANES) : 0;

	clear_buffer(b);
	b->request_fd = 0;
	b->flags &= ~(uint32_t)(V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_PREPARED);
	b->m.userptr = offsets && !multiplanar ? b->m.offset : 0;
	if (multiplanar) {
		b->length = nb;
	}
	event->hdr.event = VIRTIO_MEDIA_EVT_DQBUF;
	event->hdr.session_id = session_id;
	event->buffer = *b;
	for (i = 0; i < nb; i++) {
		event->planes[i] = (struct v4l2_plane){
			.bytesused = planes[i].bytesused,
			.length = planes[i].length,
			.m.userptr = offsets ? planes[i].m.mem_offset : 0,
			.data_offset = planes[i].data_offset,
		};
	}
	memset(&event->planes[nb], 0, (VIDEO_MAX_PLANES - nb) * sizeof(event->planes[0]));
}
