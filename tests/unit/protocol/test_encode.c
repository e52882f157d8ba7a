/* SPDX-License-Identifier: BSD-3-Clause */
/* What stands in the writable half, byte for byte (protocol.md, Appendix B). */
#include <criterion/criterion.h>
#include <errno.h>

#include "wire.h"

#define NR(name) _IOC_NR(VIDIOC_##name)

#define POINTER 0xffff888012345678ull

/* proves: R-23 R-48 */
Test(protocol, b_g_fmt_succeeds_with_216_bytes_and_fails_with_8)
{
	static const uint8_t failed[8] = {0x16};
	struct wire *w = wire_new(NR(G_FMT), 224, 216);
	static const uint8_t cmd[16] = {3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0};
	uint32_t width = 1920, type = V4L2_BUF_TYPE_VIDEO_CAPTURE;

	cr_assert_arr_eq(w->r, cmd, 16);
	memcpy(wire_arg(w), &type, 4);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	w->payload.arg.format.fmt.pix.width = width;
	cr_assert_eq(wire_encode(w, WIRE_BYTES, 0), 216);
	cr_assert_eq(wire_reply_status(w), 0);
	cr_assert_arr_eq(w->w + 8, &type, 4);
	cr_assert_arr_eq(w->w + 8 + 8, &width, 4);

	memset(w->w, WIRE_UNTOUCHED, w->w_len);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, -EINVAL), 8);
	cr_assert_arr_eq(w->w, failed, 8);
	cr_assert_eq(w->w[8], WIRE_UNTOUCHED);
	wire_free(w);
}

/* proves: R-48 */
Test(protocol, b_streamon_is_20_bytes_and_its_answer_8)
{
	static const uint8_t command[20] = {
		3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x12, 0, 0, 0, 9, 0, 0, 0};
	struct wire *w = wire_new(NR(STREAMON), 20, 8);

	memcpy(w->r, command, 20);
	cr_assert_eq(wire_decode(w, WIRE_BYTES), 0);
	cr_assert_eq(w->payload.arg.u32, 9);
	cr_assert_eq(wire_encode(w, WIRE_BYTES, 0), 8);
	wire_free(w);
}

static struct wire *
qbuf(uint32_t type, uint32_t memory, uint32_t nb_planes, size_t w_len)
{
	struct wire *w = wire_new(NR(QBUF), 16 + 88 + 64 * nb_planes, w_len);
	struct v4l2_buffer b = {.type = type, .memory = memory, .length = nb_planes};

	b.m.userptr = POINTER;
	memcpy(wire_arg(w), &b, sizeof(b));
	for (uint32_t i = 0; i < nb_planes; i++) {
		struct v4l2_plane p = {.length = 100 + i};

		memcpy(w->r + 104 + 64 * i, &p, sizeof(p));
	}
	return w;
}

Test(protocol, b_qbuf_of_three_planes_is_296_in_and_288_out)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_MEMORY_MMAP, 3, 288);
	uint64_t pointer;
	uint32_t length;

	cr_assert_eq(w->r_len, 296);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	w->payload.planes[2].length = 4711;
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 288);
	/* the pointer that came in */
	memcpy(&pointer, w->w + 8 + 64, 8);
	cr_assert_eq(pointer, POINTER);
	memcpy(&length, w->w + 8 + 88 + 2 * 64 + 4, 4);
	cr_assert_eq(length, 4711);
	wire_free(w);
}

/* proves: R-22 */
Test(protocol, r22_reply_may_overwrite_the_command_in_place)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_MEMORY_MMAP, 3, 288);
	uint8_t *alias = malloc(296);
	struct iovec r = {alias, 296}, out_iov[2] = {{w->w, 8}, {alias + 16, 280}};
	struct iov_cursor in, out;

	/* as the Linux guest does it: own header, payload in the memory of the R-part */
	memcpy(alias, w->r, 296);
	iov_cursor_init(&in, &r, 1, 296);
	iov_skip(&in, 16);
	cr_assert_eq(ioctl_decode(w->desc, &in, 280, &w->payload), 0);
	w->payload.arg.buffer.flags = V4L2_BUF_FLAG_QUEUED;
	iov_cursor_init(&out, out_iov, 2, 288);
	cr_assert_eq(ioctl_encode(w->desc, &w->payload, 0, &out), 288);
	cr_assert_arr_eq(alias, w->r, 16 + 12);
	cr_assert_eq(alias[16 + 12], V4L2_BUF_FLAG_QUEUED);
	cr_assert_arr_eq(alias + 32, w->r + 32, 296 - 32);
	free(alias);
	wire_free(w);
}

/* T-9: the page-crossing guest offers less than the planes; writing some would hurt it. */
/* proves: R-55 */
Test(protocol, r55_planes_that_do_not_fit_are_left_out_as_a_whole)
{
	for (size_t w_len = 96; w_len < 288; w_len += 191) {
		struct wire *w =
			qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_MEMORY_MMAP, 3, w_len);

		cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
		cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 96);
		for (size_t i = 96; i < w_len; i++) {
			cr_assert_eq(w->w[i], WIRE_UNTOUCHED);
		}
		wire_free(w);
	}
}

/* proves: R-53 R-98 B28 */
Test(protocol, r53_pointer_and_fd_of_a_single_planar_buffer_come_back)
{
	static const uint32_t memories[] = {V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF};

	for (size_t i = 0; i < 2; i++) {
		struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_OUTPUT, memories[i], 0, 96);
		uint64_t m;

		cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
		w->payload.arg.buffer.m.offset = 0x10000;
		cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 96);
		memcpy(&m, w->w + 8 + 64, 8);
		cr_assert_eq(m, POINTER);
		wire_free(w);
	}
}

Test(protocol, the_offset_of_an_mmap_buffer_is_that_of_the_device)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP, 0, 96);
	uint32_t offset;

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	w->payload.arg.buffer.m.offset = 0x30000;
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 96);
	memcpy(&offset, w->w + 8 + 64, 4);
	cr_assert_eq(offset, 0x30000);
	wire_free(w);
}

/* A handler that assigns whole structs may bring along whatever its padding held. */
/* proves: R-25 R-26 S-17 */
Test(protocol, r26_padding_of_a_buffer_never_leaves)
{
	static const size_t zero[][2] = {{20, 4}, {76, 4}, {84, 4}, {88 + 20, 44}};
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_MEMORY_MMAP, 1, 160);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	memset(&w->payload.arg.buffer, 0x99, sizeof(struct v4l2_buffer));
	memset(&w->payload.planes[0], 0x99, sizeof(struct v4l2_plane));
	w->payload.arg.buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 160);
	for (size_t i = 0; i < 4; i++) {
		for (size_t at = zero[i][0]; at < zero[i][0] + zero[i][1]; at++) {
			cr_assert_eq(w->w[8 + at], 0, "byte %zu", at);
		}
	}
	wire_free(w);
}

/* proves: R-26 S-17 */
Test(protocol, r26_padding_of_ext_controls_never_leaves)
{
	struct wire *w = wire_new(NR(S_EXT_CTRLS), 48, 40);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	memset(&w->payload.arg.ext_controls, 0x99, sizeof(struct v4l2_ext_controls));
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 40);
	for (size_t i = 16; i < 32; i++) {
		cr_assert_eq(w->w[8 + i], 0, "byte %zu", i);
	}
	wire_free(w);
}

/* Two integers and a string of 32 bytes in one page. */
static struct wire *
three_controls(size_t w_len)
{
	struct wire *w = wire_new(NR(G_EXT_CTRLS), 124, w_len);
	struct v4l2_ext_controls e = {.count = 3, .error_idx = 3};
	struct v4l2_ext_control c[3] = {{.id = 1}, {.id = 2}, {.id = 3, .size = 32}};
	struct virtio_media_sg_entry sg = {.start = 0x1234000, .len = 32};

	e.controls = (struct v4l2_ext_control *)(uintptr_t)POINTER;
	memcpy(w->r + 16, &e, 32);
	memcpy(w->r + 48, c, 60);
	memcpy(w->r + 108, &sg, 16);
	return w;
}

/* proves: R-49 */
Test(protocol, b_r49_t3_ext_ctrls_answer_with_100_bytes_whatever_the_status)
{
	static const int statuses[] = {0, -EINVAL, -EACCES, -ENOSPC, -ENOTTY, -ERANGE};

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct wire *w = three_controls(100);
		uint64_t pointer;

		cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
		w->ctrls[1].value = 77;
		cr_assert_eq(wire_encode(w, WIRE_RANDOM, statuses[i]), 100);
		cr_assert_eq(wire_reply_status(w), (uint32_t)-statuses[i]);
		memcpy(&pointer, w->w + 8 + 24, 8);
		cr_assert_eq(pointer, POINTER);
		cr_assert_eq(w->w[8 + 32 + 20 + 12], 77);
		wire_free(w);
	}
}

/* proves: R-55 */
Test(protocol, r55_controls_that_do_not_fit_are_left_out_as_a_whole)
{
	struct wire *w = three_controls(99);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, -ENOSPC), 40);
	cr_assert_eq(w->w[40], WIRE_UNTOUCHED);
	wire_free(w);
}

Test(protocol, r49_ext_ctrls_without_room_for_the_payload_get_the_header)
{
	struct wire *w = three_controls(39);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, w->rc), 8);
	cr_assert_eq(wire_reply_status(w), EINVAL);
	wire_free(w);
}

/* proves: R-28 */
Test(protocol, r28_nothing_is_written_where_the_header_does_not_fit)
{
	struct ioctl_payload payload;
	uint8_t bytes[7];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct iov_cursor out;

	memset(bytes, WIRE_UNTOUCHED, sizeof(bytes));
	memset(&payload, 0, sizeof(payload));
	for (size_t room = 0; room < 8; room++) {
		iov_cursor_init(&out, &iov, 1, room);
		cr_assert_eq(ioctl_encode(ioctl_lookup(NR(G_CTRL)), &payload, 0, &out), 0);
		for (size_t i = 0; i < sizeof(bytes); i++) {
			cr_assert_eq(bytes[i], WIRE_UNTOUCHED);
		}
	}
}

/* proves: R-48 R-51 B38 */
Test(protocol, a_success_is_never_claimed_without_its_payload)
{
	struct wire *w = wire_new(NR(G_CTRL), 24, 15);

	memset(&w->payload.arg, 0, 8);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 8);
	cr_assert_eq(wire_reply_status(w), EINVAL);
	wire_free(w);
}

/* One header, whatever room there is: for half a payload, for a whole one, for more. */
/* proves: B38 */
Test(protocol, an_error_is_one_header_and_nothing_behind_it)
{
	for (size_t w_len = 8; w_len <= 64; w_len++) {
		struct wire *w = wire_new(NR(G_CTRL), 24, w_len);

		cr_assert_eq(wire_encode(w, WIRE_WHOLE, w_len < 16 ? 0 : -EIO), 8, "%zu", w_len);
		cr_assert_eq(wire_reply_status(w), w_len < 16 ? EINVAL : EIO);
		for (size_t i = 8; i < w_len; i++) {
			cr_assert_eq(w->w[i], WIRE_UNTOUCHED);
		}
		wire_free(w);
	}
}

Test(protocol, a_refusal_needs_no_payload)
{
	uint8_t bytes[216];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct iov_cursor out;

	iov_cursor_init(&out, &iov, 1, sizeof(bytes));
	cr_assert_eq(ioctl_encode(ioctl_lookup(NR(G_FMT)), NULL, -ENOTTY, &out), 8);
	cr_assert_eq(bytes[0], ENOTTY);
	iov_cursor_init(&out, &iov, 1, sizeof(bytes));
	cr_assert_eq(ioctl_encode(ioctl_lookup(NR(G_EXT_CTRLS)), NULL, -EIO, &out), 8);
	cr_assert_eq(bytes[0], EIO);
}

/* proves: R-27 */
Test(protocol, r27_status_is_0_to_133_whatever_the_handler_returns)
{
	cr_assert_eq(wire_status(0), 0);
	for (int e = 1; e <= 133; e++) {
		cr_assert_eq(wire_status(-e), (uint32_t)e);
		cr_assert_eq(wire_status(e), EIO);
	}
	cr_assert_eq(wire_status(-134), EIO);
	cr_assert_eq(wire_status(-512), EIO);
	cr_assert_eq(wire_status(INT32_MIN), EIO);
	cr_assert_eq(wire_status(INT32_MAX), EIO);
}
