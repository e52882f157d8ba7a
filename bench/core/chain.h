/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. One ioctl as a prepared chain that is sent again and again: the same bytes, written anew
 * each time as a driver does, for the answer has overwritten the payload. One thread, that of the
 * driver.
 */
#ifndef VMEDIA_BENCH_CHAIN_H
#define VMEDIA_BENCH_CHAIN_H

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "driver/driver.h"
#include "linux/virtio_media.h"

#define CHAIN_MAX_PAYLOAD 256

struct chain {
	const char *name; /* "G_CTRL" */
	struct driver_raw *raw;
	struct driver_raw_shape shape;
	struct virtio_media_cmd_ioctl cmd;
	uint8_t payload[CHAIN_MAX_PAYLOAD];
	bool checked; /* the answer has a status, and it must be 0 */
};

/* Takes a command slot of the session's driver until chain_release(). `arg`: the V4L2 struct of
 * `request`. 0 or negative errno. */
int chain_prepare(struct chain *c, struct driver *drv, const struct driver_session *session,
	unsigned long request, const void *arg);
/* All zero before chain_prepare() is fine. */
void chain_release(struct chain *c);

static inline void
chain_fill(const struct chain *c)
{
	const struct driver_raw_piece *pieces = c->shape.pieces;
	uint8_t *buffer = driver_raw_buffer(c->raw);

	memcpy(buffer + pieces[0].offset_bytes, &c->cmd, sizeof(c->cmd));
	memcpy(buffer + pieces[1].offset_bytes, c->payload, pieces[1].len_bytes);
}

/* What came back is an answer to it. -EPROTO, with the reason on stderr. */
static inline int
chain_check(const struct chain *c, uint32_t used_len)
{
	const struct driver_raw_piece *resp = &c->shape.pieces[2];
	uint32_t status;

	memcpy(&status, (uint8_t *)driver_raw_buffer(c->raw) + resp->offset_bytes, sizeof(status));
	if (likely(used_len == resp[0].len_bytes + resp[1].len_bytes &&
		    (!c->checked || status == 0))) {
		return 0;
	}
	fprintf(stderr, "%s: %" PRIu32 " bytes came back, status %" PRIu32 "\n", c->name, used_len,
		status);
	return -EPROTO;
}

#endif
