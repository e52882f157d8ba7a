/* SPDX-License-Identifier: BSD-3-Clause */
/* What an answer must repeat or keep within before anybody uses it. Private copies only. */
#include <errno.h>
#include <string.h>

#include "driver/internal.h"

static bool
buffer_ok(const struct command *cmd)
{
	const struct v4l2_buffer *asked = cmd->arg, *b = (const void *)cmd->reply;

	if (b->index != asked->index || b->type != asked->type) {
		return false;
	}
	if (cmd->desc->nr != _IOC_NR(VIDIOC_QUERYBUF) && b->memory != asked->memory) {
		return false;
	}
	return !type_is_mplane(b->type) || b->length <= cmd->nb_elems;
}

static bool
requestbuffers_ok(const struct command *cmd)
{
	const struct v4l2_requestbuffers *asked = cmd->arg, *r = (const void *)cmd->reply;

	return r->type == asked->type && r->memory == asked->memory &&
	       r->count <= DRIVER_MAX_BUFFERS && (asked->count != 0 || r->count == 0);
}

/* More than asked for are right as well: a device may need so many. They may fill a gap that
 * REMOVE_BUFS left. */
static bool
create_buffers_ok(const struct command *cmd)
{
	const struct v4l2_create_buffers *asked = cmd->arg, *c = (const void *)cmd->reply;
	uint32_t type = c->format.type;

	if (type != asked->format.type || c->memory != asked->memory || type >= NB_BUFFER_TYPES) {
		return false;
	}
	return c->count == 0 ||
	       (asked->count > 0 && c->index <= cmd->session->queues[type].allocated &&
		       c->index + (uint64_t)c->count <= DRIVER_MAX_BUFFERS);
}

static bool
format_ok(const struct command *cmd)
{
	const struct v4l2_format *asked = cmd->arg, *f = (const void *)cmd->reply;

	return f->type == asked->type &&
	       (!type_is_mplane(f->type) || f->fmt.pix_mp.num_planes <= VIDEO_MAX_PLANES);
}

static bool
controls_ok(const struct command *cmd)
{
	const struct v4l2_ext_controls *asked = cmd->arg, *c = (const void *)cmd->reply;

	if (c->count != asked->count) {
		return false;
	}
	for (uint32_t i = 0; i < cmd->nb_elems; i++) {
		struct v4l2_ext_control ctrl;

		memcpy(&ctrl, cmd->array_copy + i * sizeof(ctrl), sizeof(ctrl));
		if (ctrl.id != asked->controls[i].id) {
			return false;
		}
	}
	return true;
}

int
reply_check(struct command *cmd)
{
	bool ok = true;

	switch (cmd->desc->nr) {
	case _IOC_NR(VIDIOC_QUERYBUF):
	case _IOC_NR(VIDIOC_QBUF):
	case _IOC_NR(VIDIOC_PREPARE_BUF):
		ok = buffer_ok(cmd);
		break;
	case _IOC_NR(VIDIOC_REQBUFS):
		ok = requestbuffers_ok(cmd);
		break;
	case _IOC_NR(VIDIOC_CREATE_BUFS):
		ok = create_buffers_ok(cmd);
		break;
	case _IOC_NR(VIDIOC_G_FMT):
	case _IOC_NR(VIDIOC_S_FMT):
	case _IOC_NR(VIDIOC_TRY_FMT):
		ok = format_ok(cmd);
		break;
	case _IOC_NR(VIDIOC_G_EXT_CTRLS):
	case _IOC_NR(VIDIOC_S_EXT_CTRLS):
	case _IOC_NR(VIDIOC_TRY_EXT_CTRLS):
		ok = controls_ok(cmd);
		break;
	default:
		break;
	}
	return ok ? 0 : -EPROTO;
}
