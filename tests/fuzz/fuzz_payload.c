/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Payloads of ioctls as a hostile guest sends them. Each input is carried out twice: whole over
 * memory full of zeroes, and cut into pieces over memory full of ones. The answers must be the
 * same to the last byte: else a cut matters or a byte of the host gets out.
 *
 * Input: code, size of the pieces, bytes of the W-part (2, below 4096), flags, then the R-part
 * behind cmd_ioctl. flags: bit 0 no room for controls, bits 1 to 7 what the handler returns.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "protocol/ioctl.h"

#define HEADER_BYTES 5
#define MAX_SG       64
#define MAX_W        4096
#define CANARY       0x5a

struct input {
	uint8_t code, piece, flags;
	uint16_t w_len;
	const uint8_t *r;
	size_t r_len;
};

struct outcome {
	uint8_t *w; /* w_len bytes */
	uint32_t used;
	int rc;
	int sg; /* what the walk over all SG lists ended with */
};

static uint8_t canaries[MAX_W];

/* Not on the heap: 20 KiB for each input would be most of the work. */
static struct v4l2_ext_control ctrls[IOCTL_MAX_CTRLS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool claim)
{
	if (!claim) {
		abort();
	}
}

static struct iovec *
cut(uint8_t *bytes, size_t len, size_t piece, struct iov_cursor *c)
{
	struct iovec *iov = calloc(len / piece + 1, sizeof(*iov));
	unsigned int nb = 0;

	for (size_t off = 0; off < len; off += piece) {
		iov[nb].iov_base = bytes + off;
		iov[nb++].iov_len = len - off < piece ? len - off : piece;
	}
	iov_cursor_init(c, iov, nb, len);
	return iov;
}

static int
walk_one(struct ioctl_payload *p, uint64_t length, struct virtio_media_sg_entry *sg)
{
	int nb = ioctl_sg_next(p, length, sg, MAX_SG);
	uint64_t sum = 0, end;

	must(nb <= MAX_SG && (nb >= 0 || nb == -EINVAL || nb == -E2BIG));
	for (int i = 0; i < nb; i++) {
		must(sg[i].len != 0 && sg[i].reserved == 0);
		must(!__builtin_add_overflow(sg[i].start, sg[i].len, &end));
		sum += sg[i].len;
	}
	must(nb < 0 || sum == length);
	return nb;
}

static int
walk_lists(const struct ioctl_desc *desc, struct ioctl_payload *p)
{
	struct virtio_media_sg_entry *sg = calloc(MAX_SG, sizeof(*sg));
	int rc = 0;

	if (desc->shape == IOCTL_SHAPE_BUFFER && v4l2_type_is_multiplanar(p->arg.buffer.type)) {
		for (uint32_t i = 0; i < p->nb_planes && rc >= 0; i++) {
			rc = walk_one(p, p->planes[i].length, sg);
		}
	} else if (desc->shape == IOCTL_SHAPE_BUFFER) {
		rc = walk_one(p, p->arg.buffer.length, sg);
	} else if (desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		for (uint32_t i = 0; i < p->nb_ctrls && rc >= 0; i++) {
			rc = walk_one(p, p->ctrls[i].size, sg);
		}
	}
	free(sg);
	return rc;
}

static void
execute(const struct input *in, const struct ioctl_desc *desc, size_t piece, int fill,
	struct outcome *o)
{
	struct ioctl_payload *p = malloc(sizeof(*p));
	size_t nb_ctrls = MIN(in->r_len / sizeof(ctrls[0]) + 1, IOCTL_MAX_CTRLS);
	uint8_t *r = malloc(in->r_len + 1);
	struct iov_cursor r_part, w_part;
	struct iovec *r_iov, *w_iov;

	memset(p, fill, sizeof(*p));
	memset(ctrls, fill, nb_ctrls * sizeof(ctrls[0]));
	memcpy(r, in->r, in->r_len);
	r_iov = cut(r, in->r_len, piece, &r_part);
	o->w = malloc(in->w_len + 1);
	memcpy(o->w, canaries, in->w_len + 1);
	w_iov = cut(o->w, in->w_len, piece, &w_part);

	p->ctrls = in->flags & 1 ? NULL : ctrls;
	o->rc = ioctl_decode(desc, &r_part, in->w_len < 8 ? 0 : in->w_len - 8, p);
	must(o->rc == 0 || o->rc == -EINVAL || o->rc == -ENOTTY);
	must(p->nb_planes <= VIDEO_MAX_PLANES && p->nb_ctrls <= IOCTL_MAX_CTRLS);
	o->sg = o->rc == 0 ? walk_lists(desc, p) : 0;
	memset(r, 0xee, in->r_len); /* the guest changes its mind: nobody may look again (S-1) */
	o->used = ioctl_encode(desc, p, o->rc != 0 ? o->rc : -(in->flags >> 1), &w_part);
	must(o->used <= in->w_len && (o->used == 0 || o->used >= 8));
	must(memcmp(o->w + o->used, canaries, in->w_len + 1 - o->used) == 0);
	free(r_iov);
	free(w_iov);
	free(r);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ioctl_desc *desc;
	struct outcome whole, pieces;
	struct input in;

	if (size < HEADER_BYTES) {
		return 0;
	}
	in.code = data[0];
	in.piece = data[1];
	memcpy(&in.w_len, data + 2, sizeof(in.w_len));
	in.w_len %= MAX_W;
	memset(canaries, CANARY, sizeof(canaries));
	in.flags = data[4];
	in.r = data + HEADER_BYTES;
	in.r_len = size - HEADER_BYTES;
	desc = ioctl_lookup(in.code);
	if (desc == NULL) {
		return 0;
	}
	execute(&in, desc, SIZE_MAX / 2, 0x00, &whole);
	execute(&in, desc, in.piece + 1u, 0xff, &pieces);
	must(whole.rc == pieces.rc && whole.sg == pieces.sg && whole.used == pieces.used);
	must(memcmp(whole.w, pieces.w, whole.used) == 0);
	free(whole.w);
	free(pieces.w);
	return 0;
}
