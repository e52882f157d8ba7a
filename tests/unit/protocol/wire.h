/* SPDX-License-Identifier: BSD-3-Clause */
/* One ioctl command as a guest lays it out: both halves in exact heap blocks, cut at will. */
#ifndef VMEDIA_TESTS_PROTOCOL_WIRE_H
#define VMEDIA_TESTS_PROTOCOL_WIRE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "protocol/ioctl.h"

#define WIRE_UNTOUCHED 0xa5 /* what the W-part holds before the device writes */

enum wire_cut {
	WIRE_WHOLE,  /* one descriptor for each half */
	WIRE_BYTES,  /* one for each byte */
	WIRE_RANDOM, /* 0 to 40 bytes each; empty ones are legal, too */
};

struct wire {
	uint8_t *r, *w;
	size_t r_len, w_len;
	struct iovec *r_iov, *w_iov;
	unsigned int nb_r, nb_w;
	uint32_t seed;
	struct ioctl_payload payload;
	struct v4l2_ext_control ctrls[IOCTL_MAX_CTRLS];
	const struct ioctl_desc *desc;
	int rc;        /* of ioctl_decode */
	uint32_t used; /* of ioctl_encode */
};

static inline uint32_t
wire_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static inline struct iovec *
wire_cut(uint8_t *bytes, size_t len, enum wire_cut how, uint32_t *seed, unsigned int *nb)
{
	struct iovec *iov = calloc(3 * len + 8, sizeof(*iov));
	size_t off = 0;

	*nb = 0;
	while (off < len) {
		size_t piece = len - off;

		if (how == WIRE_BYTES) {
			piece = 1;
		} else if (how == WIRE_RANDOM && *nb < 2 * len) {
			size_t random = wire_random(seed) % 41;

			piece = random < piece ? random : piece;
		}
		iov[*nb].iov_base = bytes + off;
		iov[(*nb)++].iov_len = piece;
		off += piece;
	}
	return iov;
}

/* r_len counts the 16 bytes of cmd_ioctl, w_len the 8 of resp_ioctl. The R-part is zero. */
static inline struct wire *
wire_new(uint32_t code, size_t r_len, size_t w_len)
{
	struct wire *w = calloc(1, sizeof(*w));
	struct virtio_media_cmd_ioctl cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL, .session_id = 1, .code = code};

	w->desc = ioctl_lookup(code);
	w->r_len = r_len;
	w->w_len = w_len;
	w->r = calloc(1, r_len);
	w->w = malloc(w_len > 0 ? w_len : 1);
	memset(w->w, WIRE_UNTOUCHED, w_len);
	memcpy(w->r, &cmd, sizeof(cmd));
	/* as after another command: decode has to say what counts */
	memset(&w->payload, 0xff, sizeof(w->payload));
	w->payload.ctrls = w->ctrls;
	w->seed = 1;
	return w;
}

/* Where the argument begins in the R-part and in the W-part. */
static inline void *
wire_arg(struct wire *w)
{
	return w->r + sizeof(struct virtio_media_cmd_ioctl);
}

static inline void *
wire_reply(struct wire *w)
{
	return w->w + sizeof(struct virtio_media_resp_ioctl);
}

static inline uint32_t
wire_reply_status(const struct wire *w)
{
	uint32_t status;

	memcpy(&status, w->w, sizeof(status));
	return status;
}

static inline int
wire_decode(struct wire *w, enum wire_cut how)
{
	struct iov_cursor in;

	free(w->r_iov);
	w->r_iov = wire_cut(w->r, w->r_len, how, &w->seed, &w->nb_r);
	iov_cursor_init(&in, w->r_iov, w->nb_r, w->r_len);
	iov_skip(&in, sizeof(struct virtio_media_cmd_ioctl));
	w->rc = ioctl_decode(
		w->desc, &in, w->w_len - sizeof(struct virtio_media_resp_ioctl), &w->payload);
	return w->rc;
}

static inline uint32_t
wire_encode(struct wire *w, enum wire_cut how, int status)
{
	struct iov_cursor out;

	free(w->w_iov);
	w->w_iov = wire_cut(w->w, w->w_len, how, &w->seed, &w->nb_w);
	iov_cursor_init(&out, w->w_iov, w->nb_w, w->w_len);
	w->used = ioctl_encode(w->desc, &w->payload, status, &out);
	return w->used;
}

static inline void
wire_free(struct wire *w)
{
	free(w->r);
	free(w->w);
	free(w->r_iov);
	free(w->w_iov);
	free(w);
}

#endif
