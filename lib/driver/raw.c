/* SPDX-License-Identifier: BSD-3-Clause */
/* Raw chains: any bytes through the same slots and rings. HOT. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

#define RAW_MAX_BYTES 65536u

struct driver_raw {
	struct driver *drv;
	struct command *cmd;
	uint8_t *buffer;
	int status; /* once it was given up: why */
};

static int
decode(struct command *cmd)
{
	return 0;
}

static int
check_shape(const struct driver_raw_shape *shape, uint32_t *bytes)
{
	unsigned int nb = shape->nb_read + shape->nb_write;

	*bytes = 0;
	if (nb == 0 || shape->nb_read > ARRAY_SIZE(shape->pieces) ||
		shape->nb_write > ARRAY_SIZE(shape->pieces) || nb > ARRAY_SIZE(shape->pieces)) {
		return -EINVAL;
	}
	for (unsigned int i = 0; i < nb; i++) {
		uint32_t end;

		if (!add_ok(shape->pieces[i].offset_bytes, shape->pieces[i].len_bytes, &end) ||
			end > RAW_MAX_BYTES) {
			return -EINVAL;
		}
		*bytes = MAX(*bytes, end);
	}
	return 0;
}

static void
place_pieces(struct driver_raw *raw, const struct driver_raw_shape *shape)
{
	struct command *cmd = raw->cmd;
	struct ring_chain *chain = &cmd->chain;

	command_begin(cmd);
	for (unsigned int i = 0; i < shape->nb_read + shape->nb_write; i++) {
		const struct driver_raw_piece *p = &shape->pieces[i];

		chain->bufs[i].gpa =
			memory_gpa(&raw->drv->mem, raw->buffer + p->offset_bytes, p->len_bytes);
		chain->bufs[i].len = p->len_bytes;
		if (i >= shape->nb_read) {
			cmd->write_bytes += p->len_bytes;
		}
	}
	chain->nb_read = (uint16_t)shape->nb_read;
	chain->nb_write = (uint16_t)shape->nb_write;
	cmd->decode = decode;
	cmd->raw = raw;
}

int
driver_raw_prepare(
	struct driver *drv, const struct driver_raw_shape *shape, struct driver_raw **raw)
{
	struct driver_raw *r;
	uint32_t bytes;
	int ret = check_shape(shape, &bytes);

	if (ret != 0) {
		return ret;
	}
	r = calloc(1, sizeof(*r));
	if (r == NULL) {
		return -ENOMEM;
	}
	r->drv = drv;
	r->cmd = command_get(drv);
	if (r->cmd == NULL) {
		free(r);
		return -EAGAIN;
	}
	r->buffer = r->cmd->mem;
	if (bytes <= SLOT_TABLE) {
		memset(r->buffer, 0, SLOT_TABLE);
	} else {
		r->buffer = memory_alloc(&drv->mem, bytes);
	}
	if (r->buffer == NULL) {
		command_put(r->cmd);
		free(r);
		return -ENOMEM;
	}
	place_pieces(r, shape);
	*raw = r;
	return 0;
}

void *
driver_raw_buffer(struct driver_raw *raw)
{
	return raw->buffer;
}

int
driver_raw_shape_ioctl(unsigned long request, struct driver_raw_shape *shape)
{
	const struct ioctl_desc *desc = ioctl_lookup(_IOC_NR(request));
	unsigned int i = 0;

	if (desc == NULL || _IOC_TYPE(request) != 'V') {
		return -ENOTTY;
	}
	memset(shape, 0, sizeof(*shape));
	shape->pieces[i++] =
		(struct driver_raw_piece){SLOT_CMD, sizeof(struct virtio_media_cmd_ioctl)};
	if (desc->dir & IOCTL_DIR_W) {
		shape->pieces[i++] = (struct driver_raw_piece){SLOT_PAYLOAD, desc->payload_bytes};
	}
	shape->nb_read = i;
	shape->pieces[i++] =
		(struct driver_raw_piece){SLOT_RESP, sizeof(struct virtio_media_resp_ioctl)};
	if (desc->dir & IOCTL_DIR_R) {
		shape->pieces[i++] = (struct driver_raw_piece){SLOT_PAYLOAD, desc->payload_bytes};
	}
	shape->nb_write = i - shape->nb_read;
	return 0;
}

/* Given up: slot and buffer stay the device's and come back by themselves. */
void
raw_detach(struct command *cmd)
{
	struct driver_raw *raw = cmd->raw;

	if (raw->buffer != cmd->mem) {
		cmd->extra = raw->buffer;
	}
	raw->cmd = NULL;
	raw->status = cmd->status;
	cmd->raw = NULL;
}

int
driver_raw_submit(struct driver_raw *raw)
{
	if (unlikely(raw->cmd == NULL)) {
		return raw->status;
	}
	if (unlikely(raw->cmd->state != COMMAND_HELD)) {
		return -EBUSY;
	}
	return command_publish(raw->cmd);
}

static void
result(const struct command *cmd, uint32_t *used_len, struct driver_timing *timing)
{
	if (used_len != NULL) {
		*used_len = cmd->used_len;
	}
	if (timing != NULL) {
		*timing = cmd->timing;
	}
}

int
driver_raw_poll(struct driver_raw *raw, uint32_t *used_len, struct driver_timing *timing)
{
	int ret = 0;

	if (raw->cmd != NULL && !raw->cmd->finished) {
		ret = driver_poll(raw->drv);
	}
	if (unlikely(raw->cmd == NULL)) {
		return raw->status;
	}
	if (!raw->cmd->finished) {
		return ret < 0 ? ret : 0;
	}
	result(raw->cmd, used_len, timing);
	return raw->cmd->status != 0 ? raw->cmd->status : 1;
}

int
driver_raw_call(struct driver_raw *raw, uint32_t *used_len, struct driver_timing *timing)
{
	struct command *cmd = raw->cmd;
	int ret = driver_raw_submit(raw);

	if (likely(ret == 0)) {
		ret = command_wait(cmd);
		result(cmd, used_len, timing);
	}
	return ret;
}

uint64_t
driver_raw_events(const struct driver *drv, uint64_t *seen_tsc)
{
	*seen_tsc = drv->event_seen_tsc;
	return drv->nb_events_taken;
}

const void *
driver_raw_event(const struct driver *drv)
{
	return drv->last_event;
}

void
driver_raw_release(struct driver_raw *raw)
{
	struct command *cmd = raw->cmd;

	if (cmd != NULL && cmd->state == COMMAND_FLIGHT) {
		command_give_up(cmd, -ECANCELED);
	} else if (cmd != NULL) {
		if (raw->buffer != cmd->mem) {
			memory_free(&raw->drv->mem, raw->buffer);
		}
		command_put(cmd);
	}
	free(raw);
}
