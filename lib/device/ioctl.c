/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. One ioctl: one look into the device's table, decode, the handler. Encoding is command.c's.
 */
#include <errno.h>

#include "device/internal.h"

void
ioctl_handlers_init(struct vmedia_device *device)
{
	const struct vmedia_backend_ops *backend = device->backend;
	uint32_t nr;

	for (nr = 0; nr < VMEDIA_NB_IOCTLS; nr++) {
		const struct ioctl_desc *desc = ioctl_lookup(nr);

		if (desc == NULL || (desc->flags & IOCTL_FLAG_REFUSED)) {
			continue;
		}
		device->handlers[nr] = backend->ioctl[nr]       ? backend->ioctl[nr]
		                       : backend->ioctl_default ? backend->ioctl_default
		                                                : core_handler(device, nr);
	}
}

/* Handlers find arrays where V4L2 has them; encode puts the guest's pointers back. */
static void
point_to_arrays(struct ioctl_payload *payload, const struct ioctl_desc *desc)
{
	if (desc->shape == IOCTL_SHAPE_BUFFER) {
		if (v4l2_type_is_multiplanar(payload->arg.buffer.type)) {
			payload->arg.buffer.m.planes = payload->planes;
		}
	} else if (desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		payload->arg.ext_controls.controls = payload->ctrls;
	}
}

/* -ENOTTY comes before everything else, with the payload for EXT_CTRLS (R-49, T-3). */
static int
refuse(struct vmedia_request *request, const struct ioctl_desc *desc, struct iov_cursor *in,
	size_t capacity)
{
	counter_inc(&request->device->refused.unsupported_ioctl);
	if (desc != NULL && desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		request->desc = desc;
		request->payload.ctrls = request->device->ctrl_scratch;
		ioctl_decode(desc, in, capacity, &request->payload);
	}
	return -ENOTTY;
}

int
ioctl_handle(struct vmedia_request *request, uint32_t code, struct iov_cursor *in)
{
	struct vmedia_device *device = request->device;
	struct ioctl_payload *payload = &request->payload;
	const struct ioctl_desc *desc = ioctl_lookup(code);
	size_t capacity = request->chain.writable_bytes - sizeof(struct virtio_media_resp_ioctl);
	int err;

	if (unlikely(desc == NULL || device->handlers[code] == NULL)) {
		return refuse(request, desc, in, capacity);
	}
	request->desc = desc;
	payload->ctrls = device->ctrl_scratch;
	err = ioctl_decode(desc, in, capacity, payload);
	if (unlikely(err != 0)) {
		counter_inc(&device->refused.bad_payload);
		return err;
	}
	if (desc->shape != IOCTL_SHAPE_PLAIN) {
		point_to_arrays(payload, desc);
	}
	if (unlikely(request->traced)) {
		request_trace_begin(request);
	}
	return device->handlers[code](request->session, request, payload->arg.bytes);
}
