/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One V4L2 ioctl as virtio-media carries it (virtio 1.4, 5.22.6.1.5): decode copies the R-part once
 * into private memory and checks it; encode writes the W-part from private memory. Stateless.
 *
 * Order for one command: ioctl_lookup (ioctl_table.h), ioctl_decode, the handler, ioctl_encode.
 * An ioctl that is refused or that nobody implements is answered -ENOTTY without decode, with one
 * exception: the three of shape EXT_CTRLS are decoded also then (whatever decode says), because
 * every answer to them carries the payload.
 */
#ifndef VMEDIA_PROTOCOL_IOCTL_H
#define VMEDIA_PROTOCOL_IOCTL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/iov.h"
#include "linux/virtio_media.h"
#include "protocol/ioctl_table.h"
#include "protocol/v4l2.h"

#define IOCTL_MAX_SG      65536 /* entries of all SG lists of one command (S-6) */
#define IOCTL_MAX_CTRLS   V4L2_CID_MAX_CTRLS
#define IOCTL_MAX_PAYLOAD 2072 /* v4l2_enc_idx, the largest fixed payload */
#define IOCTL_UUID_BYTES  16   /* name of a virtio object */

/*
 * The private copy of everything one ioctl carried. Of `arg` only the payload_bytes of the ioctl
 * are defined, of `planes` and `ctrls` only the counted ones: nobody clears the rest.
 * Reserved members and padding of what the reply repeats are zero after decode.
 */
struct ioctl_payload {
	uint32_t nb_planes; /* plane structs that came with a multi-planar buffer, 0..8 */
	uint32_t nb_ctrls;  /* control structs that came with EXT_CTRLS, 0..1024 */
	uint32_t nb_sg;     /* SG entries read so far, 0..IOCTL_MAX_SG */
	/*
	 * As received, echoed by encode and never followed: the planes pointer of a
	 * multi-planar buffer, the `m` union of a single-planar one, the controls pointer.
	 * The two pointers in `arg` itself are NULL after decode.
	 */
	uint64_t user_pointer;
	struct v4l2_ext_control *ctrls; /* room for IOCTL_MAX_CTRLS, given by the caller; or NULL */
	struct iov_cursor sg; /* where the SG lists begin in the R-part; read with ioctl_sg_next */
	union {
		uint8_t bytes[IOCTL_MAX_PAYLOAD];
		uint32_t u32; /* STREAMON, G_INPUT, ... */
		uint64_t std; /* v4l2_std_id */
		struct v4l2_fmtdesc fmtdesc;
		struct v4l2_format format;
		struct v4l2_requestbuffers requestbuffers;
		struct v4l2_create_buffers create_buffers;
		struct v4l2_remove_buffers remove_buffers;
		struct v4l2_exportbuffer exportbuffer;
		struct v4l2_buffer buffer;
		struct v4l2_streamparm streamparm;
		struct v4l2_standard standard;
		struct v4l2_input input;
		struct v4l2_output output;
		struct v4l2_control control;
		struct v4l2_queryctrl queryctrl;
		struct v4l2_query_ext_ctrl query_ext_ctrl;
		struct v4l2_querymenu querymenu;
		struct v4l2_ext_controls ext_controls;
		struct v4l2_frmsizeenum frmsizeenum;
		struct v4l2_frmivalenum frmivalenum;
		struct v4l2_event_subscription event_subscription;
		struct v4l2_selection selection;
		struct v4l2_dv_timings dv_timings;
		struct v4l2_decoder_cmd decoder_cmd;
		struct v4l2_encoder_cmd encoder_cmd;
	} arg;
	uint8_t uuid[IOCTL_UUID_BYTES]; /* shape OBJECT: as received, or as the handler sets it */
	struct v4l2_plane planes[VIDEO_MAX_PLANES]; /* last: an overrun leaves the struct */
};

/*
 * Reads the payload of `desc` from `in`, which stands behind virtio_media_cmd_ioctl.
 * `payload->ctrls` is set by the caller; without it the control array is passed over and nb_ctrls
 * is 0. capacity: writable bytes of the chain behind the 8-byte response header.
 *
 * 0, -ENOTTY (a refused ioctl) or -EINVAL: input shorter than the payload or its array,
 * capacity below the payload of an R or WR ioctl, more than 8 planes or 1024 controls
 * . Input bytes of an R ioctl are ignored and its argument begins as zero; bytes that
 * a short input lacked are zero, too. Surplus input is left alone. Nothing has side effects
 * here, so a failure leaves none. *payload can be given to ioctl_encode in every case.
 */
int ioctl_decode(const struct ioctl_desc *desc, struct iov_cursor *in, size_t capacity,
	struct ioctl_payload *payload);

/*
 * Reads the SG list of one element (plane or control of `length` bytes) from payload->sg into sg[].
 * Entries are checked: no zero length, no overflow, sum >= length (the last one is clamped).
 * Returns the number of entries (0 for length 0, which has no list), -EINVAL when the list is bad
 * or missing, -E2BIG beyond max_sg or beyond IOCTL_MAX_SG in all. After an error the rest of the
 * lists cannot be found any more. Call it before ioctl_encode: the two halves may be one memory.
 */
int ioctl_sg_next(struct ioctl_payload *payload, uint64_t length, struct virtio_media_sg_entry *sg,
	uint32_t max_sg);

/*
 * One entry of such a list: `left` bytes of the element are not covered yet. Checked and clamped in
 * the same way. 0, -EINVAL or -E2BIG.
 */
int ioctl_sg_one(struct ioctl_payload *payload, uint64_t left, struct virtio_media_sg_entry *sg);

/*
 * Writes header and payload to `out` (the whole W-part) and returns used.len, 0 when not even the
 * 8-byte header fits. status: 0 or a negative errno. On failure the header alone, except
 * EXT_CTRLS, which carry their payload whenever it fits. Arrays that do not fit completely
 * are left out entirely. nb_planes and nb_ctrls structs are written, as many as came in.
 * Reserved and padding bytes come from the payload, which decode and the handlers keep zeroed;
 * those of v4l2_buffer and v4l2_plane encode clears itself, the former in the payload.
 * payload may be NULL with a status other than 0: the header alone.
 */
uint32_t ioctl_encode(const struct ioctl_desc *desc, struct ioctl_payload *payload, int status,
	struct iov_cursor *out);

/*
 * A DQBUF event: exactly 608 bytes in *event, which may be the guest's: each is written once and
 * none is read back. *buffer becomes what the event says. planes may be NULL:
 * single-planar. nb_planes above 8 counts as 8; length of a multi-planar buffer becomes nb_planes.
 * Pointers, file descriptors, request_fd, reserved members and unused planes are zero, the offsets
 * of MMAP buffers stay. Flags lose QUEUED and PREPARED.
 */
void ioctl_encode_dqbuf(struct virtio_media_event_dqbuf *event, uint32_t session_id,
	struct v4l2_buffer *buffer, const struct v4l2_plane *planes, uint32_t nb_planes);

/* The one place where errors go to the wire: 0, or 1..133; anything odd becomes EIO. */
uint32_t wire_status(int negative_errno);

static inline bool
v4l2_type_is_multiplanar(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

#endif
