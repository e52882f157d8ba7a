/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts and arrays of EXT_CTRLS lie in the guest's own memory, which the lists behind the array of
 * controls name, one list for each control with a size, in order. Every list is read or passed
 * over, so that the next one is found.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "device/internal.h"
#include "media/ctrl.h"

enum direction {
	FROM_GUEST,
	TO_GUEST
};

struct ctrl_mark
ctrl_payload_mark(const struct vmedia_request *request)
{
	return (struct ctrl_mark){request->payload.sg, request->payload.nb_sg};
}

void
ctrl_payload_return(struct vmedia_request *request, const struct ctrl_mark *mark)
{
	request->payload.sg = mark->sg;
	request->payload.nb_sg = mark->nb_sg;
}

/* One piece of guest memory, which may lie in several regions. */
static int
copy_piece(const struct vmedia_request *request, uint64_t gpa, uint8_t *bytes, uint64_t left,
	enum direction direction)
{
	uint32_t hint = 0;

	while (left > 0) {
		uint64_t n = left;
		void *guest = guest_mem_translate(&request->device->mem, &hint, gpa, &n);

		if (guest == NULL) {
			counter_inc(&request->device->refused.unmapped_address);
			return -EINVAL;
		}
		if (direction == FROM_GUEST) {
			memcpy(bytes, guest, n);
		} else {
			memcpy(guest, bytes, n);
		}
		bytes += n;
		gpa += n;
		left -= n;
	}
	return 0;
}

/* Reads the whole list of a control and copies the first nb_bytes of what it names. */
static int
copy(struct vmedia_request *request, uint32_t size, uint8_t *bytes, uint32_t nb_bytes,
	enum direction direction)
{
	struct virtio_media_sg_entry sg;
	uint64_t at;
	int ret;

	for (at = 0; at < size; at += sg.len) {
		ret = ioctl_sg_one(&request->payload, size - at, &sg);
		if (ret == 0 && at < nb_bytes) {
			ret = copy_piece(request, sg.start, bytes + at,
				MIN((uint64_t)sg.len, nb_bytes - at), direction);
		}
		if (ret != 0) {
			return -EINVAL;
		}
	}
	return 0;
}

int
ctrl_payload_skip(struct vmedia_request *request, const struct v4l2_ext_control *ctrl)
{
	return copy(request, ctrl->size, NULL, 0, FROM_GUEST);
}

int
ctrl_payload_take(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, uint8_t *payload)
{
	uint32_t bytes = ctrl_payload_bytes(desc), size = MIN(ctrl->size, bytes);
	int ret;

	if (desc->type != V4L2_CTRL_TYPE_STRING && size < bytes) {
		ctrl->size = bytes;
		return -ENOSPC;
	}
	ret = copy(request, ctrl->size, payload, size, FROM_GUEST);
	return ret == 0 ? ctrl_payload_validate(desc, payload, size) : ret;
}

int
ctrl_payload_give(struct vmedia_request *request, const struct vmedia_ctrl_desc *desc,
	struct v4l2_ext_control *ctrl, const uint8_t *payload)
{
	uint32_t used = ctrl_payload_used(desc, payload);

	if (ctrl->size < used) {
		ctrl->size = ctrl_payload_bytes(desc);
		return -ENOSPC;
	}
	return copy(request, ctrl->size, (uint8_t *)(uintptr_t)payload, used, TO_GUEST);
}
