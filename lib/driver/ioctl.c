/* SPDX-License-Identifier: BSD-3-Clause */
/* V4L2 ioctls over the wire, and what they do to our own idea of a session. HOT. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

/* The row of what may be sent. What the Linux driver answers itself stays here, too. */
static const struct ioctl_desc *
find_sendable(unsigned long request)
{
	const struct ioctl_desc *desc = ioctl_lookup(_IOC_NR(request));

	if (unlikely(desc == NULL || _IOC_TYPE(request) != 'V' ||
		     _IOC_SIZE(request) != desc->payload_bytes)) {
		return NULL;
	}
	if (unlikely((desc->flags & IOCTL_FLAG_REFUSED) || desc->shape == IOCTL_SHAPE_OBJECT)) {
		return NULL;
	}
	switch (desc->nr) {
	case _IOC_NR(VIDIOC_G_EDID): /* pointers with no layout on the wire */
	case _IOC_NR(VIDIOC_S_EDID):
	case _IOC_NR(VIDIOC_G_FBUF):
	case _IOC_NR(VIDIOC_S_FBUF):
		return NULL;
	default:
		return desc;
	}
}

static int
decode(struct command *cmd)
{
	bool in = (cmd->desc->dir & IOCTL_DIR_R) != 0;
	int status = command_status(cmd);

	cmd->status = status;
	if (unlikely(status != 0)) {
		/* EXT_CTRLS tell which control was wrong (3.6). */
		if (cmd->desc->shape == IOCTL_SHAPE_EXT_CTRLS && status != -EPROTO &&
			cmd->used_len == cmd->write_bytes && payload_copy_out(cmd) != 0) {
			return -EPROTO;
		}
		return status;
	}
	if (unlikely(cmd->used_len < cmd->write_bytes)) {
		cmd->drv->stats.bad_used_len++;
		return -EPROTO;
	}
	return in ? payload_copy_out(cmd) : 0;
}

static struct session_queue *
queue_of(struct command *cmd)
{
	return cmd->buffer_type < NB_BUFFER_TYPES ? &cmd->session->queues[cmd->buffer_type] : NULL;
}

/*
 * The event of a buffer may overtake the answer to its QBUF, since the two queues have no order
 * between them: so a buffer counts as queued from the moment QBUF is sent.
 */
void
ioctl_track_submit(struct command *cmd)
{
	struct session_queue *q;

	cmd->buffer_type = UINT32_MAX;
	switch (cmd->desc->nr) {
	case _IOC_NR(VIDIOC_QBUF):
		cmd->buffer_type = ((const struct v4l2_buffer *)cmd->arg)->type;
		cmd->buffer_index = ((const struct v4l2_buffer *)cmd->arg)->index;
		q = queue_of(cmd);
		if (likely(q != NULL && cmd->buffer_index < q->allocated)) {
			cmd->marked = !(q->queued & (1ULL << cmd->buffer_index));
			q->queued |= 1ULL << cmd->buffer_index;
		}
		break;
	case _IOC_NR(VIDIOC_STREAMOFF):
		memcpy(&cmd->buffer_type, cmd->arg, sizeof(cmd->buffer_type));
		break;
	case _IOC_NR(VIDIOC_REQBUFS):
		cmd->buffer_type = ((const struct v4l2_requestbuffers *)cmd->arg)->type;
		break;
	case _IOC_NR(VIDIOC_CREATE_BUFS):
		cmd->buffer_type = ((const struct v4l2_create_buffers *)cmd->arg)->format.type;
		break;
	default:
		break;
	}
}

/* Events of before must not reach the queue's next life. */
static void
forget_buffers(struct command *cmd, struct session_queue *q)
{
	q->queued = 0;
	q->draining = true;
	events_collect(cmd->drv);
	q->draining = false;
	session_fifo_purge(cmd->session, cmd->buffer_type);
}

static void
track_success(struct command *cmd, struct session_queue *q)
{
	const struct v4l2_create_buffers *created;

	switch (cmd->desc->nr) {
	case _IOC_NR(VIDIOC_STREAMOFF):
		forget_buffers(cmd, q);
		break;
	case _IOC_NR(VIDIOC_REQBUFS):
		forget_buffers(cmd, q);
		q->allocated =
			((const struct v4l2_requestbuffers *)(const void *)cmd->reply)->count;
		cmd->status = session_fifo_grow(cmd->session);
		break;
	case _IOC_NR(VIDIOC_CREATE_BUFS):
		created = (const void *)cmd->reply;
		q->allocated = MAX(q->allocated, created->index + created->count);
		cmd->status = session_fifo_grow(cmd->session);
		break;
	default:
		break;
	}
}

void
ioctl_track_done(struct command *cmd)
{
	struct session_queue *q = queue_of(cmd);

	if (unlikely(cmd->desc->nr == _IOC_NR(VIDIOC_SUBSCRIBE_EVENT))) {
		events_collect(cmd->drv); /* the initial event stands in the eventq already */
	}
	if (q == NULL) {
		return;
	}
	if (likely(cmd->status == 0)) {
		track_success(cmd, q);
	} else if (cmd->marked && cmd->state != COMMAND_GIVEN_UP) {
		q->queued &= ~(1ULL << cmd->buffer_index);
	}
}

static int
querycap(const struct driver_session *session, struct v4l2_capability *cap)
{
	const struct driver_info *info = &session->drv->info;

	memset(cap, 0, sizeof(*cap));
	memcpy(cap->driver, "virtio-media", sizeof("virtio-media"));
	memcpy(cap->card, info->card, sizeof(cap->card) - 1);
	memcpy(cap->bus_info, "platform:vmedia", sizeof("platform:vmedia"));
	cap->device_caps = info->device_caps;
	cap->capabilities = info->device_caps | V4L2_CAP_DEVICE_CAPS;
	return 0;
}

/* Takes and fills a command; NULL and *ret otherwise. */
static struct command *
prepare(struct driver_session *session, unsigned long request, void *arg, int *ret)
{
	const struct ioctl_desc *desc = find_sendable(request);
	struct command *cmd = NULL;

	*ret = 0;
	if (unlikely(session->error || session->closing)) {
		*ret = -EIO;
	} else if (unlikely(desc == NULL)) {
		*ret = -ENOTTY;
	} else if (unlikely(arg == NULL)) {
		*ret = -EFAULT;
	} else if (unlikely((cmd = command_get(session->drv)) == NULL)) {
		*ret = -EAGAIN;
	}
	if (unlikely(*ret != 0)) {
		return NULL;
	}
	command_begin(cmd);
	cmd->session = session;
	cmd->decode = decode;
	*ret = payload_build(cmd, desc, arg);
	if (unlikely(*ret != 0)) {
		command_put(cmd);
		return NULL;
	}
	ioctl_track_submit(cmd);
	return cmd;
}

/* Never sent: the mark goes, the slot too. */
static void
withdraw(struct command *cmd)
{
	if (cmd->marked) {
		queue_of(cmd)->queued &= ~(1ULL << cmd->buffer_index);
	}
	command_put(cmd);
}

int
driver_ioctl_timed(struct driver_session *session, unsigned long request, void *arg,
	struct driver_timing *timing)
{
	struct command *cmd;
	int ret;

	if (request == VIDIOC_QUERYCAP) {
		return arg != NULL ? querycap(session, arg) : -EFAULT;
	}
	cmd = prepare(session, request, arg, &ret);
	if (unlikely(cmd == NULL)) {
		return ret;
	}
	ret = command_publish(cmd);
	if (unlikely(ret != 0)) {
		withdraw(cmd);
		return ret;
	}
	ret = command_wait(cmd);
	if (timing != NULL) {
		*timing = cmd->timing;
	}
	if (cmd->state == COMMAND_HELD) {
		command_put(cmd);
	}
	return ret;
}

int
driver_ioctl(struct driver_session *session, unsigned long request, void *arg)
{
	return driver_ioctl_timed(session, request, arg, NULL);
}

int
driver_ioctl_submit(struct driver_session *session, unsigned long request, void *arg,
	driver_done_fn *done, void *cookie)
{
	struct command *cmd;
	int ret;

	if (done == NULL) {
		return -EINVAL;
	}
	cmd = prepare(session, request, arg, &ret);
	if (unlikely(cmd == NULL)) {
		return ret;
	}
	cmd->done = done;
	cmd->cookie = cookie;
	ret = command_publish(cmd);
	if (unlikely(ret != 0)) {
		withdraw(cmd);
		return ret;
	}
	session->nb_flight++;
	return 0;
}
