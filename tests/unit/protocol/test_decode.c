/* SPDX-License-Identifier: BSD-3-Clause */
/* What decode takes from the readable half, and what it refuses. */
#include <criterion/criterion.h>
#include <errno.h>

#include "wire.h"

#define NR(name) _IOC_NR(VIDIOC_##name)

/* Random bytes with the counts that decide over the arrays made valid. */
static struct wire *
random_command(const struct ioctl_desc *desc, uint32_t seed)
{
	size_t array = desc->shape == IOCTL_SHAPE_BUFFER      ? 3 * 64
	               : desc->shape == IOCTL_SHAPE_EXT_CTRLS ? 5 * 20
	               : desc->shape == IOCTL_SHAPE_OBJECT    ? 16
	                                                      : 0;
	struct wire *w = wire_new(desc->nr, 16 + desc->payload_bytes + array + 7,
		8 + desc->payload_bytes + array + 7);
	uint8_t *arg = wire_arg(w);
	uint32_t value;

	for (size_t i = 16; i < w->r_len; i++) {
		w->r[i] = (uint8_t)wire_random(&seed);
	}
	if (desc->shape == IOCTL_SHAPE_BUFFER) {
		value = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
		memcpy(arg + offsetof(struct v4l2_buffer, type), &value, 4);
		value = 3;
		memcpy(arg + offsetof(struct v4l2_buffer, length), &value, 4);
	} else if (desc->shape == IOCTL_SHAPE_EXT_CTRLS) {
		value = 5;
		memcpy(arg + offsetof(struct v4l2_ext_controls, count), &value, 4);
	}
	w->seed = seed;
	return w;
}

static void
results_are_equal(const struct ioctl_desc *desc, enum wire_cut how, uint32_t seed)
{
	struct wire *a = random_command(desc, seed), *b = random_command(desc, seed);

	cr_assert_eq(wire_decode(a, WIRE_WHOLE), wire_decode(b, how), "%s", desc->name);
	wire_encode(a, WIRE_WHOLE, a->rc);
	wire_encode(b, how, b->rc);
	cr_assert_eq(a->used, b->used, "%s", desc->name);
	cr_assert_arr_eq(a->w, b->w, a->w_len, "%s", desc->name);
	/* nothing behind used.len */
	for (size_t i = a->used; i < a->w_len; i++) {
		cr_assert_eq(a->w[i], WIRE_UNTOUCHED, "%s byte %zu", desc->name, i);
	}
	wire_free(a);
	wire_free(b);
}

/* proves: R-20 */
Test(protocol, r20_results_do_not_depend_on_one_byte_descriptors)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		if (ioctl_lookup(code) != NULL) {
			results_are_equal(ioctl_lookup(code), WIRE_BYTES, code + 1);
		}
	}
}

Test(protocol, r20_results_do_not_depend_on_random_cuts)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		for (uint32_t round = 0; ioctl_lookup(code) != NULL && round < 20; round++) {
			results_are_equal(ioctl_lookup(code), WIRE_RANDOM, round * 977 + code);
		}
	}
}

/* the reply goes into the memory of the argument, as the Linux guest has it. */
static void
alias_makes_no_difference(const struct ioctl_desc *desc, uint32_t seed)
{
	struct wire *a = random_command(desc, seed), *b = random_command(desc, seed);
	size_t bytes = b->w_len - 8;
	struct iovec in_iov = {b->r, b->r_len}, out_iov[2] = {{b->w, 8}, {b->r + 16, bytes}};
	struct iov_cursor in, out;

	wire_decode(a, WIRE_WHOLE);
	wire_encode(a, WIRE_WHOLE, a->rc);
	iov_cursor_init(&in, &in_iov, 1, b->r_len);
	iov_skip(&in, 16);
	b->rc = ioctl_decode(desc, &in, bytes, &b->payload);
	iov_cursor_init(&out, out_iov, 2, b->w_len);
	b->used = ioctl_encode(desc, &b->payload, b->rc, &out);
	cr_assert_eq(a->used, b->used, "%s", desc->name);
	cr_assert_arr_eq(a->w, b->w, 8, "%s", desc->name);
	cr_assert_arr_eq(a->w + 8, b->r + 16, a->used - 8, "%s", desc->name);
	wire_free(a);
	wire_free(b);
}

/* proves: R-22 */
Test(protocol, r22_both_halves_may_be_the_same_memory)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		for (uint32_t round = 0; ioctl_lookup(code) != NULL && round < 5; round++) {
			alias_makes_no_difference(ioctl_lookup(code), round * 977 + code);
		}
	}
}

/* proves: R-31 */
Test(protocol, r31_surplus_input_is_ignored_by_every_ioctl)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		const struct ioctl_desc *desc = ioctl_lookup(code);
		struct wire *w;

		if (desc == NULL) {
			continue;
		}
		w = random_command(desc, code);
		cr_assert_eq(wire_decode(w, WIRE_WHOLE),
			desc->flags & IOCTL_FLAG_REFUSED ? -ENOTTY : 0, "%s", desc->name);
		wire_free(w);
	}
}

/* proves: R-46 R-47 */
Test(protocol, r46_r47_a_refused_ioctl_is_enotty_also_with_short_input)
{
	struct wire *w = wire_new(NR(DQBUF), 16, 8);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -ENOTTY);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, w->rc), 8);
	cr_assert_eq(wire_reply_status(w), ENOTTY);
	wire_free(w);
}

/* proves: R-50 */
Test(protocol, r50_input_one_byte_short_is_einval)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		const struct ioctl_desc *desc = ioctl_lookup(code);
		struct wire *w;

		if (desc == NULL || !(desc->dir & IOCTL_DIR_W) ||
			(desc->flags & IOCTL_FLAG_REFUSED)) {
			continue;
		}
		w = wire_new(code, 16 + desc->payload_bytes - 1, 4096);
		cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL, "%s", desc->name);
		wire_free(w);
	}
}

/* proves: R-51 */
Test(protocol, r51_writable_part_one_byte_short_is_einval)
{
	for (uint32_t code = 0; code < VMEDIA_NB_IOCTLS; code++) {
		const struct ioctl_desc *desc = ioctl_lookup(code);
		struct wire *w;

		if (desc == NULL || !(desc->dir & IOCTL_DIR_R) ||
			(desc->flags & IOCTL_FLAG_REFUSED)) {
			continue;
		}
		w = wire_new(code, 16 + desc->payload_bytes + 16, 8 + desc->payload_bytes - 1);
		cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL, "%s", desc->name);
		cr_assert_eq(wire_encode(w, WIRE_WHOLE, w->rc), 8, "%s", desc->name);
		cr_assert_eq(wire_reply_status(w), EINVAL, "%s", desc->name);
		wire_free(w);
	}
}

Test(protocol, a_write_only_ioctl_needs_no_writable_payload)
{
	struct wire *w = wire_new(NR(STREAMON), 20, 8);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	wire_free(w);
}

/* proves: R-52 */
Test(protocol, r52_g_input_is_taken_with_and_without_input_and_begins_as_zero)
{
	static const uint32_t codes[] = {NR(G_INPUT), NR(G_OUTPUT)};

	for (size_t i = 0; i < 2; i++) {
		for (size_t nb_input = 0; nb_input <= 4; nb_input += 4) {
			struct wire *w = wire_new(codes[i], 16 + nb_input, 12);

			memset(wire_arg(w), 0x77, nb_input);
			w->payload.arg.u32 = 0xdead;
			cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
			cr_assert_eq(w->payload.arg.u32, 0);
			w->payload.arg.u32 = 2;
			cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 12);
			cr_assert_eq(*(uint8_t *)wire_reply(w), 2);
			wire_free(w);
		}
	}
}

/* proves: R-26 */
Test(protocol, r26_the_largest_read_ioctl_begins_as_zero)
{
	struct wire *w = wire_new(NR(G_ENC_INDEX), 16, 8 + 2072);

	memset(&w->payload.arg, 0xff, sizeof(w->payload.arg));
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 8 + 2072);
	for (size_t i = 8; i < w->w_len; i++) {
		cr_assert_eq(w->w[i], 0);
	}
	wire_free(w);
}

static struct wire *
qbuf(uint32_t type, uint32_t length, size_t nb_planes)
{
	struct wire *w = wire_new(NR(QBUF), 16 + 88 + 64 * nb_planes, 8 + 88 + 64 * nb_planes);
	struct v4l2_buffer b = {.type = type, .length = length, .memory = V4L2_MEMORY_MMAP};

	b.m.userptr = 0xffff888012345678;
	memcpy(wire_arg(w), &b, sizeof(b));
	for (size_t i = 0; i < nb_planes; i++) {
		struct v4l2_plane p = {.bytesused = (uint32_t)i + 100, .length = 4096};

		memset(p.reserved, 0xee, sizeof(p.reserved));
		memcpy(w->r + 16 + 88 + 64 * i, &p, sizeof(p));
	}
	return w;
}

Test(protocol, planes_come_with_a_multiplanar_buffer_only)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, 8, 8);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(w->payload.nb_planes, 8);
	cr_assert_eq(w->payload.planes[7].bytesused, 107);
	cr_assert_null(w->payload.arg.buffer.m.planes);
	cr_assert_eq(w->payload.user_pointer, 0xffff888012345678);
	cr_assert_eq(w->payload.sg.left, 0);
	wire_free(w);

	/* here `length` is a number of bytes, not of planes */
	w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE, 3110400, 8);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(w->payload.nb_planes, 0);
	cr_assert_eq(w->payload.arg.buffer.m.userptr, 0xffff888012345678);
	cr_assert_eq(w->payload.sg.left, 8 * 64);
	wire_free(w);
}

/* proves: R-25 */
Test(protocol, r25_reserved_bytes_of_planes_do_not_travel_back)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 1, 1);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	for (size_t i = 0; i < 11; i++) {
		cr_assert_eq(w->payload.planes[0].reserved[i], 0);
	}
	wire_free(w);
}

/* proves: R-56 S-6 */
Test(protocol, r56_nine_planes_are_einval)
{
	static const uint32_t lengths[] = {9, 16, 0x4000000, UINT32_MAX};

	for (size_t i = 0; i < 4; i++) {
		struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, lengths[i], 17);

		cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
		cr_assert_eq(w->payload.nb_planes, 0);
		wire_free(w);
	}
}

/* proves: R-50 */
Test(protocol, r50_missing_planes_are_einval)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 3, 2);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
	cr_assert_eq(w->payload.nb_planes, 0);
	wire_free(w);
}

static struct wire *
ext_ctrls(uint32_t code, uint32_t count, size_t nb_r, size_t nb_w)
{
	struct wire *w = wire_new(code, 16 + 32 + 20 * nb_r, 8 + 32 + 20 * nb_w);
	struct v4l2_ext_controls e = {.count = count, .error_idx = count};

	e.controls = (struct v4l2_ext_control *)(uintptr_t)0xffff888087654321;
	memcpy(wire_arg(w), &e, sizeof(e));
	for (size_t i = 0; i < nb_r; i++) {
		struct v4l2_ext_control c = {.id = (uint32_t)i + 1, .reserved2 = {0xee}};

		memcpy(w->r + 16 + 32 + 20 * i, &c, sizeof(c));
	}
	return w;
}

Test(protocol, as_many_controls_as_count_says_are_read)
{
	struct wire *w = ext_ctrls(NR(S_EXT_CTRLS), 1024, 1024, 1024);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(w->payload.nb_ctrls, 1024);
	cr_assert_eq(w->ctrls[1023].id, 1024);
	cr_assert_eq(w->ctrls[1023].reserved2[0], 0);
	cr_assert_null(w->payload.arg.ext_controls.controls);
	wire_free(w);
}

/* proves: R-56 S-6 */
Test(protocol, r56_more_than_1024_controls_are_einval_and_echoed)
{
	static const uint32_t counts[] = {1025, UINT32_MAX / 20 + 1, UINT32_MAX};

	for (size_t i = 0; i < 3; i++) {
		struct wire *w = ext_ctrls(NR(G_EXT_CTRLS), counts[i], 1030, 1030);

		cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
		cr_assert_eq(w->payload.nb_ctrls, 0);
		cr_assert_eq(wire_encode(w, WIRE_WHOLE, w->rc), 40);
		cr_assert_arr_eq(wire_reply(w), wire_arg(w), 32);
		wire_free(w);
	}
}

Test(protocol, without_room_for_controls_the_sg_lists_are_found_all_the_same)
{
	struct wire *w = ext_ctrls(NR(G_EXT_CTRLS), 2, 3, 2);

	w->payload.ctrls = NULL;
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(w->payload.nb_ctrls, 0);
	cr_assert_eq(w->payload.sg.left, 20);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 40);
	wire_free(w);
}

Test(protocol, a_class_probe_has_no_controls)
{
	struct wire *w = ext_ctrls(NR(TRY_EXT_CTRLS), 0, 0, 0);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 40);
	wire_free(w);
}

Test(protocol, r49_short_controls_are_echoed_as_far_as_they_came)
{
	struct wire *w = wire_new(NR(S_EXT_CTRLS), 16 + 10, 8 + 32);

	memset(wire_arg(w), 0x11, 10);
	memset(&w->payload.arg, 0xff, sizeof(w->payload.arg));
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, w->rc), 40);
	cr_assert_arr_eq(wire_reply(w), wire_arg(w), 10);
	for (size_t i = 10; i < 32; i++) {
		cr_assert_eq(((uint8_t *)wire_reply(w))[i], 0);
	}
	wire_free(w);
}

/* all bits set in the argument; what is reserved or padding comes back as zero. */
static void
comes_back_without(uint32_t code, uint32_t type, size_t off, size_t bytes)
{
	const struct ioctl_desc *desc = ioctl_lookup(code);
	struct wire *w = wire_new(code, 16 + desc->payload_bytes, 8 + desc->payload_bytes);
	const uint8_t *reply = wire_reply(w);

	memset(wire_arg(w), 0xff, desc->payload_bytes);
	if (type != 0) {
		size_t at = code == NR(CREATE_BUFS) ? 16 : 0;

		memcpy((uint8_t *)wire_arg(w) + at, &type, sizeof(type));
	}
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 8 + desc->payload_bytes);
	for (size_t i = off; i < off + bytes; i++) {
		cr_assert_eq(reply[i], 0, "%s byte %zu", desc->name, i);
	}
	cr_assert_neq(reply[off - 1], 0, "%s: cleared too early", desc->name);
	cr_assert(off + bytes == desc->payload_bytes || reply[off + bytes] != 0,
		"%s: cleared too much", desc->name);
	wire_free(w);
}

/* proves: R-25 R-54 S-17 */
Test(protocol, r25_reserved_members_and_padding_come_back_as_zero)
{
	comes_back_without(NR(REQBUFS), 0, 17, 3);
	comes_back_without(NR(CREATE_BUFS), 0, 12, 4);
	comes_back_without(NR(CREATE_BUFS), 0, 20, 4);
	comes_back_without(NR(CREATE_BUFS), 0, 232, 24);
	comes_back_without(NR(REMOVE_BUFS), 0, 12, 52);
	comes_back_without(NR(ENUM_FMT), 0, 52, 12);
	comes_back_without(NR(G_PARM), 0, 28, 176);
	comes_back_without(NR(ENUMINPUT), 0, 64, 16);
	comes_back_without(NR(ENUMOUTPUT), 0, 60, 12);
	comes_back_without(NR(QUERYCTRL), 0, 60, 8);
	comes_back_without(NR(QUERYMENU), 0, 40, 4);
	comes_back_without(NR(QUERY_EXT_CTRL), 0, 104, 128);
	comes_back_without(NR(ENUM_FRAMESIZES), 0, 36, 8);
	comes_back_without(NR(ENUM_FRAMEINTERVALS), 0, 44, 8);
	comes_back_without(NR(G_SELECTION), 0, 28, 36);
	comes_back_without(NR(S_SELECTION), 0, 28, 36);
}

Test(protocol, r25_reserved_bytes_of_ext_controls_are_dropped_at_once)
{
	struct wire *w = ext_ctrls(NR(S_EXT_CTRLS), 1, 1, 1);

	memset(w->r + 16 + 16, 0xff, 8);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	for (size_t i = 16; i < 24; i++) {
		cr_assert_eq(w->payload.arg.bytes[i], 0);
	}
	wire_free(w);
}

Test(protocol, r25_formats_lose_what_their_type_does_not_use)
{
	static const uint32_t codes[] = {NR(G_FMT), NR(S_FMT), NR(TRY_FMT)};

	for (size_t i = 0; i < 3; i++) {
		comes_back_without(codes[i], V4L2_BUF_TYPE_VIDEO_CAPTURE, 8 + 48, 152);
		comes_back_without(codes[i], V4L2_BUF_TYPE_VIDEO_OUTPUT, 8 + 48, 152);
		comes_back_without(codes[i], V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 193, 15);
		comes_back_without(codes[i], V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, 8 + 28, 12);
		comes_back_without(codes[i], V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, 8 + 168, 12);
	}
	comes_back_without(NR(CREATE_BUFS), V4L2_BUF_TYPE_VIDEO_CAPTURE, 16 + 56, 152);
}

/* proves: S-1 */
Test(protocol, s1_the_argument_is_private_once_it_is_decoded)
{
	struct wire *w = qbuf(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 2, 2);

	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	memset(w->r, 0xff, w->r_len);
	cr_assert_eq(w->payload.arg.buffer.length, 2);
	cr_assert_eq(w->payload.planes[1].bytesused, 101);
	wire_free(w);
}

/* proves: R-100 */
Test(protocol, an_exported_object_has_its_uuid_both_ways)
{
	struct wire *w = wire_new(NR(EXPBUF), 16 + 64 + 16, 8 + 64 + 16);

	memset(w->r + 16 + 64, 0x42, 16);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), 0);
	cr_assert_eq(w->payload.uuid[15], 0x42);
	memset(w->payload.uuid, 0x43, 16);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 88);
	cr_assert_eq(w->w[87], 0x43);
	wire_free(w);

	w = wire_new(NR(EXPBUF), 16 + 64 + 15, 8 + 64 + 16);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
	wire_free(w);
	w = wire_new(NR(EXPBUF), 16 + 64 + 16, 8 + 64 + 15);
	cr_assert_eq(wire_decode(w, WIRE_WHOLE), -EINVAL);
	wire_free(w);
}
