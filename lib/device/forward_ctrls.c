/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control payloads of backends that forward: out of the guest's pages and back. Where they lie is
 * kept as guest addresses, because the guest's memory may move before the answer.
 */
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "device/internal.h"
#include "vmedia/forward.h"

struct place {
	const struct guest_mem *mem;
	uint64_t gpa, nb_bytes;
	uint32_t hint;
};

/* The next stretch that is one piece here as well; NULL: it leads nowhere. */
static void *
next_stretch(struct place *place, uint64_t *nb)
{
	void *addr;

	*nb = place->nb_bytes;
	addr = guest_mem_translate(place->mem, &place->hint, place->gpa, nb);
	if (addr != NULL) {
		place->gpa += *nb;
		place->nb_bytes -= *nb;
	}
	return addr;
}

static int
read_piece(struct vmedia_device *device, uint64_t gpa, uint64_t nb_bytes, uint8_t *to)
{
	struct place place = {&device->mem, gpa, nb_bytes, 0};
	uint64_t nb;

	while (place.nb_bytes > 0) {
		const void *addr = next_stretch(&place, &nb);

		if (addr == NULL) {
			counter_inc(&device->refused.unmapped_address);
			return -EINVAL;
		}
		memcpy(to, addr, nb);
		to += nb;
	}
	return 0;
}

/* What the guest has taken away meanwhile is left out. */
static void
write_piece(struct vmedia_device *device, uint64_t gpa, uint64_t nb_bytes, const uint8_t *from)
{
	struct place place = {&device->mem, gpa, nb_bytes, 0};
	uint64_t nb;

	while (place.nb_bytes > 0) {
		void *addr = next_stretch(&place, &nb);

		if (addr == NULL) {
			return;
		}
		memcpy(addr, from, nb);
		from += nb;
	}
}

static int
take_payload(struct vmedia_request *request, struct vmedia_ctrls *c, uint32_t size, uint8_t *to)
{
	struct virtio_media_sg_entry sg;
	uint32_t at;
	int ret;

	for (at = 0; at < size; at += sg.len) {
		if (c->nb_pieces == VMEDIA_CTRL_PIECES) {
			return -ENOMEM;
		}
		ret = ioctl_sg_one(&request->payload, size - at, &sg);
		ret = ret == 0 ? read_piece(request->device, sg.start, sg.len, to + at) : -EINVAL;
		if (ret != 0) {
			return ret;
		}
		c->pieces[c->nb_pieces].gpa = sg.start;
		c->pieces[c->nb_pieces++].nb_bytes = sg.len;
	}
	return 0;
}

int
vmedia_ctrls_take(struct vmedia_request *request, struct vmedia_ctrls *c)
{
	uint64_t at = 0;
	int ret = 0;

	c->nb_ctrls = request->payload.nb_ctrls;
	c->nb_pieces = 0;
	for (uint32_t i = 0; i < c->nb_ctrls && ret == 0; i++) {
		struct v4l2_ext_control *ctrl = &c->ctrls[i];

		*ctrl = request->payload.ctrls[i];
		c->given_sizes[i] = ctrl->size;
		if (ctrl->size == 0) {
			continue;
		}
		if (ctrl->size > VMEDIA_CTRL_BYTES - at) {
			return -ENOMEM;
		}
		ctrl->ptr = &c->bytes[at];
		ret = take_payload(request, c, ctrl->size, &c->bytes[at]);
		at = MIN(round_up(at + ctrl->size, 8), VMEDIA_CTRL_BYTES);
	}
	return ret;
}

void
vmedia_ctrls_give(struct vmedia_request *request, const struct vmedia_ctrls *c)
{
	uint32_t piece = 0;
	uint64_t at = 0;

	for (uint32_t i = 0; i < c->nb_ctrls; i++) {
		struct v4l2_ext_control *ctrl = &request->payload.ctrls[i];
		uint32_t size = c->given_sizes[i];

		if (size == 0) {
			ctrl->value64 = c->ctrls[i].value64;
			ctrl->size = c->ctrls[i].size;
			continue;
		}
		ctrl->size = c->ctrls[i].size; /* the pointer stays the guest's */
		for (uint32_t done = 0; done < size; piece++) {
			write_piece(request->device, c->pieces[piece].gpa,
				c->pieces[piece].nb_bytes, &c->bytes[at + done]);
			done += (uint32_t)c->pieces[piece].nb_bytes;
		}
		at = MIN(round_up(at + size, 8), VMEDIA_CTRL_BYTES);
	}
}
