/* SPDX-License-Identifier: BSD-3-Clause */
/* Scatter-gather lists, which only stand in the readable half (R-57, S-6, S-7). */
#include <criterion/criterion.h>
#include <errno.h>

#include "wire.h"

#define MAX 16

struct lists {
	struct virtio_media_sg_entry in[MAX];
	struct virtio_media_sg_entry out[MAX];
	struct iovec iov;
	struct ioctl_payload payload;
};

static void
lists_init(struct lists *l, const struct virtio_media_sg_entry *in, unsigned int nb)
{
	memset(l, 0, sizeof(*l));
	memcpy(l->in, in, nb * sizeof(*in));
	l->iov.iov_base = l->in;
	l->iov.iov_len = nb * sizeof(*in);
	iov_cursor_init(&l->payload.sg, &l->iov, 1, l->iov.iov_len);
}

/* proves: R-57 */
Test(protocol, r57_lists_follow_each_other_in_the_order_of_the_elements)
{
	static const struct virtio_media_sg_entry in[] = {{0x1000, 0x800, 0}, {0x3000, 0x800, 0},
		{0x5001, 0x123, 0}, {0x7000, 0x1000, 0xdead}};
	struct lists l;

	lists_init(&l, in, 4);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x1000, l.out, MAX), 2);
	cr_assert_eq(l.out[1].start, 0x3000);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0, l.out, MAX), 0);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x123, l.out, MAX), 1);
	cr_assert_eq(l.out[0].start, 0x5001);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x1000, l.out, MAX), 1);
	/* T-18 */
	cr_assert_eq(l.out[0].reserved, 0);
	cr_assert_eq(l.payload.nb_sg, 4);
	cr_assert_eq(ioctl_sg_next(&l.payload, 1, l.out, MAX), -EINVAL);
}

/* proves: S-7 */
Test(protocol, s7_the_last_entry_is_cut_to_the_length)
{
	static const struct virtio_media_sg_entry in[] = {{0x1000, 0x1000, 0}, {0x9000, 0x1000, 0}};
	struct lists l;

	lists_init(&l, in, 2);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x1001, l.out, MAX), 2);
	cr_assert_eq(l.out[0].len, 0x1000);
	cr_assert_eq(l.out[1].len, 1);
}

/* proves: S-7 B2 */
Test(protocol, s7_an_entry_of_no_bytes_is_einval)
{
	static const struct virtio_media_sg_entry in[] = {
		{0x1000, 0x10, 0}, {0x9000, 0, 0}, {0xa000, 0x10, 0}};
	struct lists l;

	lists_init(&l, in, 3);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x20, l.out, MAX), -EINVAL);
}

/* proves: S-7 B2 */
Test(protocol, s7_an_entry_that_wraps_the_address_space_is_einval)
{
	static const struct virtio_media_sg_entry in[] = {{UINT64_MAX - 0xff, 0x1000, 0}};
	struct lists l;

	lists_init(&l, in, 1);
	/* also when only its first bytes would be used */
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x10, l.out, MAX), -EINVAL);
}

/* proves: S-7 */
Test(protocol, s7_the_sum_is_64_bits_wide)
{
	static const struct virtio_media_sg_entry in[] = {
		{0, UINT32_MAX, 0}, {0, UINT32_MAX, 0}, {0, 2, 0}, {0, 1, 0}};
	struct lists l;

	lists_init(&l, in, 4);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x200000000, l.out, MAX), 3);
}

/* proves: R-57 */
Test(protocol, r57_a_list_that_ends_too_early_is_einval)
{
	static const struct virtio_media_sg_entry in[] = {{0x1000, 0x1000, 0}};
	struct lists l;

	lists_init(&l, in, 1);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x1001, l.out, MAX), -EINVAL);
	lists_init(&l, in, 1);
	iov_cursor_init(&l.payload.sg, &l.iov, 1, 15);
	cr_assert_eq(ioctl_sg_next(&l.payload, 0x1000, l.out, MAX), -EINVAL);
}

Test(protocol, s6_no_more_entries_than_there_is_room_for)
{
	static const struct virtio_media_sg_entry in[] = {{1, 1, 0}, {2, 1, 0}, {3, 1, 0}};
	struct lists l;

	lists_init(&l, in, 3);
	l.out[2].len = 0x77;
	cr_assert_eq(ioctl_sg_next(&l.payload, 3, l.out, 2), -E2BIG);
	cr_assert_eq(l.out[2].len, 0x77);
	lists_init(&l, in, 3);
	cr_assert_eq(ioctl_sg_next(&l.payload, 3, l.out, 3), 3);
}

/* proves: S-6 B9 */
Test(protocol, s6_all_lists_of_a_command_have_65536_entries_at_most)
{
	static struct virtio_media_sg_entry in[IOCTL_MAX_SG + 1], out[IOCTL_MAX_SG + 1];
	static struct ioctl_payload payload;
	struct iovec iov = {in, sizeof(in)};

	for (size_t i = 0; i < IOCTL_MAX_SG + 1; i++) {
		in[i].len = 1;
	}
	iov_cursor_init(&payload.sg, &iov, 1, sizeof(in));
	cr_assert_eq(ioctl_sg_next(&payload, 40000, out, IOCTL_MAX_SG + 1), 40000);
	cr_assert_eq(ioctl_sg_next(&payload, 25537, out, IOCTL_MAX_SG + 1), -E2BIG);

	payload.nb_sg = 0;
	iov_cursor_init(&payload.sg, &iov, 1, sizeof(in));
	cr_assert_eq(ioctl_sg_next(&payload, IOCTL_MAX_SG, out, IOCTL_MAX_SG + 1), IOCTL_MAX_SG);
}

Test(protocol, b_qbuf_with_pages_of_the_driver_is_360_bytes)
{
	struct wire *w = wire_new(_IOC_NR(VIDIOC_QBUF), 360, 288);
	struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE,
		.memory = V4L2_MEMORY_USERPTR,
		.length = 3};
	static const struct virtio_media_sg_entry sg[] = {
		{0x1000, 0x800, 0}, {0x4000, 0x800, 0}, {0x8000, 0x400, 0}, {0xc000, 0x200, 0}};
	static const uint32_t lengths[] = {0x1000, 0x400, 0x200}, nb_sg[] = {2, 1, 1};
	struct virtio_media_sg_entry out[MAX];

	memcpy(w->r + 16, &b, 88);
	for (size_t i = 0; i < 3; i++) {
		struct v4l2_plane p = {.length = lengths[i]};

		memcpy(w->r + 104 + 64 * i, &p, 64);
	}
	memcpy(w->r + 296, sg, sizeof(sg));
	cr_assert_eq(wire_decode(w, WIRE_RANDOM), 0);
	for (size_t i = 0; i < 3; i++) {
		cr_assert_eq(ioctl_sg_next(&w->payload, w->payload.planes[i].length, out, MAX),
			nb_sg[i]);
	}
	cr_assert_eq(out[0].start, 0xc000);
	cr_assert_eq(wire_encode(w, WIRE_WHOLE, 0), 288);
	wire_free(w);
}
