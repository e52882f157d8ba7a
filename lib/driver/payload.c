/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The argument of an ioctl on its way into a chain and back (5.22.6.1.5). HOT.
 *
 * Pointers of the caller never reach the device: they are sent as zero, and what comes back in
 * their place is ignored.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

static void *
caller_array(const struct command *cmd)
{
	if (cmd->desc->shape == IOCTL_SHAPE_BUFFER) {
		return ((struct v4l2_buffer *)cmd->arg)->m.planes;
	}
	return ((struct v4l2_ext_controls *)cmd->arg)->controls;
}

/* How many planes or controls follow. */
static int
count_elems(struct command *cmd)
{
	cmd->nb_elems = 0;
	if (cmd->desc->shape == IOCTL_SHAPE_BUFFER) {
		const struct v4l2_buffer *b = cmd->arg;

		if (!type_is_mplane(b->type)) {
			return 0;
		}
		cmd->nb_elems = b->length;
		cmd->elem_bytes = sizeof(struct v4l2_plane);
		return b->length <= VIDEO_MAX_PLANES && (b->length == 0 || b->m.planes != NULL)
		               ? 0
		               : -EINVAL;
	}
	if (cmd->desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		const struct v4l2_ext_controls *c = cmd->arg;

		cmd->nb_elems = c->count;
		cmd->elem_bytes = sizeof(struct v4l2_ext_control);
		return c->count <= MAX_CONTROLS && (c->count == 0 || c->controls != NULL) ? 0
		                                                                          : -EINVAL;
	}
	return 0;
}

static void
write_arg(struct command *cmd)
{
	uint8_t *to = cmd->mem + SLOT_PAYLOAD;

	if (cmd->desc->shape == IOCTL_SHAPE_BUFFER) {
		struct v4l2_buffer b;

		memcpy(&b, cmd->arg, sizeof(b));
		if (type_is_mplane(b.type)) {
			b.m.planes = NULL;
		} else if (b.memory == V4L2_MEMORY_USERPTR) {
			b.m.userptr = 0;
		}
		memcpy(to, &b, sizeof(b));
	} else if (cmd->desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		struct v4l2_ext_controls c;

		memcpy(&c, cmd->arg, sizeof(c));
		c.controls = NULL;
		memcpy(to, &c, sizeof(c));
	} else {
		memcpy(to, cmd->arg, cmd->desc->payload_bytes);
	}
}

static void
write_header(struct command *cmd)
{
	struct virtio_media_cmd_ioctl hdr = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_IOCTL},
		.session_id = cmd->session->id,
		.code = cmd->desc->nr,
	};

	memcpy(cmd->mem + SLOT_CMD, &hdr, sizeof(hdr));
}

int
payload_build(struct command *cmd, const struct ioctl_desc *desc, void *arg)
{
	bool out = (desc->dir & IOCTL_DIR_W) != 0, in = (desc->dir & IOCTL_DIR_R) != 0;
	uint32_t array_bytes;
	int ret;

	cmd->desc = desc;
	cmd->arg = arg;
	cmd->extra = cmd->bounce = cmd->array_mem = cmd->array_copy = NULL;
	ret = count_elems(cmd);
	if (unlikely(ret != 0)) {
		return ret;
	}
	write_header(cmd);
	ret = command_add_read(cmd, cmd->mem + SLOT_CMD, sizeof(struct virtio_media_cmd_ioctl));
	if (out && ret == 0) {
		write_arg(cmd);
		ret = command_add_read(cmd, cmd->mem + SLOT_PAYLOAD, desc->payload_bytes);
	}
	if (desc->shape != IOCTL_SHAPE_PLAIN && ret == 0) {
		ret = payload_build_array(cmd);
	}
	if (ret == 0) {
		ret = command_add_write(
			cmd, cmd->mem + SLOT_RESP, sizeof(struct virtio_media_resp_ioctl));
	}
	if (in && ret == 0) {
		ret = command_add_write(cmd, cmd->mem + SLOT_PAYLOAD, desc->payload_bytes);
	}
	array_bytes = cmd->nb_elems * cmd->elem_bytes;
	if (array_bytes != 0 && ret == 0) {
		ret = command_add_write(cmd, cmd->array_mem, array_bytes);
	}
	return ret;
}

void
payload_release(struct command *cmd)
{
	if (cmd->array_copy != NULL && cmd->array_copy != cmd->array_small) {
		free(cmd->array_copy);
	}
	if (unlikely(cmd->extra != NULL)) {
		memory_free(&cmd->drv->mem, cmd->extra);
	}
	if (unlikely(cmd->bounce != NULL)) {
		memory_free(&cmd->drv->mem, cmd->bounce);
	}
	cmd->extra = cmd->bounce = cmd->array_copy = NULL;
	cmd->desc = NULL;
}

static void
copy_planes_out(struct command *cmd)
{
	struct v4l2_plane *to = caller_array(cmd);
	const struct v4l2_buffer *reply = (const void *)cmd->reply;

	for (uint32_t i = 0; i < cmd->nb_elems; i++) {
		struct v4l2_plane p;
		unsigned long userptr = to[i].m.userptr;

		memcpy(&p, cmd->array_copy + i * sizeof(p), sizeof(p));
		if (reply->memory == V4L2_MEMORY_USERPTR) {
			p.m.userptr = userptr;
		}
		to[i] = p;
	}
}

/* Payloads that were bounced go back to where the caller has them; sizes as the caller gave. */
static void
copy_controls_out(struct command *cmd)
{
	struct v4l2_ext_control *to = caller_array(cmd);
	const uint8_t *bounce = cmd->bounce;

	for (uint32_t i = 0; i < cmd->nb_elems; i++) {
		struct v4l2_ext_control c;
		uint32_t size = to[i].size;
		void *ptr = to[i].ptr;

		memcpy(&c, cmd->array_copy + i * sizeof(c), sizeof(c));
		if (size > 0) {
			c.ptr = ptr;
			/* Only ENOSPC may say more than there is room for. */
			c.size = cmd->status == 0 ? MIN(c.size, size) : c.size;
			if (memory_gpa(&cmd->drv->mem, ptr, size) == 0) {
				memcpy(ptr, bounce, size);
				bounce += round_up(size, 8);
			}
		}
		to[i] = c;
	}
}

static void
copy_arg_out(struct command *cmd)
{
	if (cmd->desc->shape == IOCTL_SHAPE_BUFFER) {
		struct v4l2_buffer *to = cmd->arg, *from = (struct v4l2_buffer *)(void *)cmd->reply;

		if (type_is_mplane(to->type)) {
			copy_planes_out(cmd);
			from->m.planes = to->m.planes;
		} else if (from->memory == V4L2_MEMORY_USERPTR) {
			from->m.userptr = to->m.userptr;
		}
	} else if (cmd->desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		struct v4l2_ext_controls *to = cmd->arg;
		struct v4l2_ext_controls *from = (struct v4l2_ext_controls *)(void *)cmd->reply;

		copy_controls_out(cmd);
		from->controls = to->controls;
	}
	memcpy(cmd->arg, cmd->reply, cmd->desc->payload_bytes);
}

/* One copy into private memory, the check, then to the caller. */
int
payload_copy_out(struct command *cmd)
{
	uint32_t array_bytes = cmd->nb_elems * cmd->elem_bytes;
	int ret;

	memcpy(cmd->reply, cmd->mem + SLOT_PAYLOAD, cmd->desc->payload_bytes);
	if (array_bytes != 0) {
		memcpy(cmd->array_copy, cmd->array_mem, array_bytes);
	}
	ret = reply_check(cmd);
	if (unlikely(ret != 0)) {
		cmd->drv->stats.bad_reply++;
		return ret;
	}
	copy_arg_out(cmd);
	return 0;
}
