/* SPDX-License-Identifier: BSD-3-Clause */
/* Planes, controls and the SG lists of what they point to: the part of a payload that may be big.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

/* One element's memory in the guest; bytes 0: it has no SG list. */
struct element {
	uint64_t gpa;
	uint32_t bytes;
};

static uint32_t
nb_entries(const struct command *cmd, const struct element *e)
{
	uint64_t page = cmd->drv->config.sg_page_bytes;

	if (e->bytes == 0) {
		return 0;
	}
	return page == 0 ? 1 : (uint32_t)((e->gpa + e->bytes - 1) / page - e->gpa / page + 1);
}

static uint8_t *
write_entries(const struct command *cmd, const struct element *e, uint8_t *to)
{
	uint64_t page = cmd->drv->config.sg_page_bytes;
	uint64_t gpa = e->gpa;
	uint32_t left = e->bytes;

	while (left > 0) {
		uint64_t len = page == 0 ? left : MIN(page - gpa % page, (uint64_t)left);
		struct virtio_media_sg_entry entry = {.start = gpa, .len = (uint32_t)len};

		memcpy(to, &entry, sizeof(entry));
		to += sizeof(entry);
		gpa += len;
		left -= (uint32_t)len;
	}
	return to;
}

static int
plane_element(const struct command *cmd, const struct v4l2_buffer *b, uint32_t i, struct element *e)
{
	unsigned long addr = b->m.userptr;

	*e = (struct element){.bytes = b->length};
	if (cmd->nb_elems != 0) {
		addr = b->m.planes[i].m.userptr;
		e->bytes = b->m.planes[i].length;
	}
	if (e->bytes != 0) {
		e->gpa = memory_gpa(&cmd->drv->mem, (const void *)addr, e->bytes);
		return e->gpa != 0 ? 0 : -EFAULT;
	}
	return 0;
}

/* SHARED_PAGES buffers name their memory when they are handed over. */
static int
buffer_elements(const struct command *cmd, struct element *elems, uint32_t *nb)
{
	const struct v4l2_buffer *b = cmd->arg;
	int ret = 0;

	*nb = 0;
	if (b->memory != V4L2_MEMORY_USERPTR || cmd->desc->nr == _IOC_NR(VIDIOC_QUERYBUF)) {
		return 0;
	}
	*nb = cmd->nb_elems != 0 ? cmd->nb_elems : !type_is_mplane(b->type);
	for (uint32_t i = 0; ret == 0 && i < *nb; i++) {
		ret = plane_element(cmd, b, i, &elems[i]);
	}
	return ret;
}

/* Payloads outside guest memory are copied into it. */
static int
control_elements(struct command *cmd, struct element *elems, uint32_t *nb)
{
	const struct v4l2_ext_controls *arg = cmd->arg;
	uint64_t bounce_bytes = 0;
	uint8_t *bounce;

	*nb = cmd->nb_elems;
	for (uint32_t i = 0; i < *nb; i++) {
		const struct v4l2_ext_control *c = &arg->controls[i];

		elems[i] = (struct element){.bytes = c->size};
		if (c->size != 0) {
			elems[i].gpa = memory_gpa(&cmd->drv->mem, c->ptr, c->size);
			bounce_bytes += elems[i].gpa == 0 ? round_up(c->size, 8) : 0;
		}
	}
	if (bounce_bytes == 0) {
		return 0;
	}
	if (bounce_bytes > MAX_BOUNCE_BYTES) {
		return -E2BIG;
	}
	cmd->bounce = memory_alloc(&cmd->drv->mem, bounce_bytes);
	bounce = cmd->bounce;
	for (uint32_t i = 0; bounce != NULL && i < *nb; i++) {
		if (elems[i].bytes != 0 && elems[i].gpa == 0) {
			memcpy(bounce, arg->controls[i].ptr, elems[i].bytes);
			elems[i].gpa = memory_gpa(&cmd->drv->mem, bounce, elems[i].bytes);
			bounce += round_up(elems[i].bytes, 8);
		}
	}
	return bounce != NULL ? 0 : -ENOMEM;
}

static void
write_planes(const struct command *cmd)
{
	const struct v4l2_buffer *b = cmd->arg;

	for (uint32_t i = 0; i < cmd->nb_elems; i++) {
		struct v4l2_plane p = b->m.planes[i];

		if (b->memory == V4L2_MEMORY_USERPTR) {
			p.m.userptr = 0;
		}
		memcpy(cmd->array_mem + i * sizeof(p), &p, sizeof(p));
	}
}

static void
write_controls(const struct command *cmd)
{
	const struct v4l2_ext_controls *arg = cmd->arg;

	for (uint32_t i = 0; i < cmd->nb_elems; i++) {
		struct v4l2_ext_control c = arg->controls[i];

		if (c.size != 0) {
			c.ptr = NULL;
		}
		memset(c.reserved2, 0, sizeof(c.reserved2));
		memcpy(cmd->array_mem + i * sizeof(c), &c, sizeof(c));
	}
}

/* Room for array and SG lists: behind the payload if they fit into the slot. */
static int
place(struct command *cmd, uint32_t array_bytes, uint32_t sg_bytes)
{
	uint32_t offset = (uint32_t)round_up(SLOT_PAYLOAD + cmd->desc->payload_bytes, 8);

	cmd->array_mem = cmd->mem + offset;
	if (array_bytes + sg_bytes > SLOT_TABLE - offset) {
		cmd->extra = memory_alloc(&cmd->drv->mem, round_up(array_bytes, 8) + sg_bytes);
		cmd->array_mem = cmd->extra;
	}
	cmd->array_copy =
		array_bytes <= sizeof(cmd->array_small) ? cmd->array_small : malloc(array_bytes);
	return cmd->array_mem != NULL && cmd->array_copy != NULL ? 0 : -ENOMEM;
}

static int
build(struct command *cmd, struct element *elems, uint32_t max_elems)
{
	bool buffer = cmd->desc->shape == IOCTL_SHAPE_BUFFER;
	uint32_t array_bytes = cmd->nb_elems * cmd->elem_bytes;
	uint32_t nb = 0;
	uint64_t nb_sg = 0;
	uint8_t *sg, *end;
	int ret = buffer ? buffer_elements(cmd, elems, &nb) : control_elements(cmd, elems, &nb);

	for (uint32_t i = 0; ret == 0 && i < nb && i < max_elems; i++) {
		nb_sg += nb_entries(cmd, &elems[i]);
	}
	if (ret != 0 || nb_sg > MAX_SG_ENTRIES) {
		return ret != 0 ? ret : -E2BIG;
	}
	ret = place(cmd, array_bytes, (uint32_t)nb_sg * sizeof(struct virtio_media_sg_entry));
	if (ret != 0) {
		return ret;
	}
	if (buffer) {
		write_planes(cmd);
	} else {
		write_controls(cmd);
	}
	sg = cmd->array_mem + round_up(array_bytes, 8);
	end = sg;
	for (uint32_t i = 0; i < nb && i < max_elems; i++) {
		end = write_entries(cmd, &elems[i], end);
	}
	ret = array_bytes != 0 ? command_add_read(cmd, cmd->array_mem, array_bytes) : 0;
	return ret == 0 && end != sg ? command_add_read(cmd, sg, (uint32_t)(end - sg)) : ret;
}

int
payload_build_array(struct command *cmd)
{
	struct element few[VIDEO_MAX_PLANES], *many;
	int ret;

	if (cmd->nb_elems <= VIDEO_MAX_PLANES) {
		return build(cmd, few, VIDEO_MAX_PLANES);
	}
	many = calloc(cmd->nb_elems, sizeof(*many));
	ret = many != NULL ? build(cmd, many, cmd->nb_elems) : -ENOMEM;
	free(many);
	return ret;
}
