/* SPDX-License-Identifier: BSD-3-Clause */
/* The DQBUF event: 608 bytes, no pointers, nothing left over (R-77, R-81, T-2, T-19). */
#include <criterion/criterion.h>
#include <string.h>

#include "protocol/ioctl.h"

static struct virtio_media_event_dqbuf event;

/* Every bit set, as far as the members do not steer anything. */
static struct v4l2_buffer
full_buffer(uint32_t type, uint32_t memory)
{
	struct v4l2_buffer b;

	memset(&b, 0xff, sizeof(b));
	b.type = type;
	b.memory = memory;
	b.m.offset = 0x20000;
	memset(&event, 0xa5, sizeof(event));
	return b;
}

static void
is_zero(size_t off, size_t bytes)
{
	for (size_t i = off; i < off + bytes; i++) {
		cr_assert_eq(((uint8_t *)&event)[i], 0, "byte %zu", i);
	}
}

/* proves: R-81 */
Test(protocol, r81_a_single_planar_event_has_its_offset_and_no_planes)
{
	struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP);
	static const uint8_t header[8] = {1, 0, 0, 0, 0x44, 0x33, 0x22, 0x11};

	b.length = 3110400;
	ioctl_encode_dqbuf(&event, 0x11223344, &b, NULL, 0);
	cr_assert_eq(sizeof(event), 608);
	cr_assert_arr_eq(&event, header, 8);
	cr_assert_arr_eq((uint8_t *)&event + 8, &b, 12);
	cr_assert_eq(event.buffer.length, 3110400);
	cr_assert_eq(event.buffer.m.offset, 0x20000);
	cr_assert_eq(event.buffer.sequence, UINT32_MAX);
	is_zero(8 + 20, 4);
	is_zero(8 + 68, 4);
	is_zero(8 + 76, 12);
	is_zero(96, 512);
}

/* proves: R-81 */
Test(protocol, r81_flags_of_a_finished_buffer_lack_queued_and_prepared)
{
	struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP);

	ioctl_encode_dqbuf(&event, 1, &b, NULL, 0);
	cr_assert_eq(event.buffer.flags,
		UINT32_MAX & ~(uint32_t)(V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_PREPARED));
}

/* proves: R-81 S-17 */
Test(protocol, r81_planes_beyond_the_last_one_are_zero)
{
	struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, V4L2_MEMORY_MMAP);
	struct v4l2_plane planes[2];

	memset(planes, 0xff, sizeof(planes));
	planes[1].m.mem_offset = 0x50000;
	ioctl_encode_dqbuf(&event, 1, &b, planes, 2);
	cr_assert_eq(event.buffer.length, 2);
	is_zero(8 + 64, 8);
	cr_assert_eq(event.planes[1].bytesused, UINT32_MAX);
	cr_assert_eq(event.planes[1].data_offset, UINT32_MAX);
	cr_assert_eq(event.planes[1].m.userptr, 0x50000);
	is_zero(96 + 20, 44);
	is_zero(96 + 64 + 20, 44);
	is_zero(96 + 128, 384);
}

/* proves: R-81 S-17 B12 */
Test(protocol, t19_pointers_and_file_descriptors_do_not_travel_in_events)
{
	static const uint32_t memories[] = {V4L2_MEMORY_USERPTR, V4L2_MEMORY_DMABUF};

	for (size_t i = 0; i < 2; i++) {
		struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_OUTPUT, memories[i]);
		struct v4l2_plane planes[8];

		ioctl_encode_dqbuf(&event, 1, &b, NULL, 0);
		is_zero(8 + 64, 8);

		memset(planes, 0xff, sizeof(planes));
		b.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
		ioctl_encode_dqbuf(&event, 1, &b, planes, 8);
		is_zero(8 + 64, 8);
		for (size_t plane = 0; plane < 8; plane++) {
			is_zero(96 + 64 * plane + 8, 8);
		}
	}
}

Test(protocol, an_event_has_eight_planes_at_most)
{
	struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_MEMORY_MMAP);
	struct v4l2_plane planes[8];

	memset(planes, 0x11, sizeof(planes));
	ioctl_encode_dqbuf(&event, 1, &b, planes, 9);
	cr_assert_eq(event.buffer.length, 8);
	cr_assert_eq(event.planes[7].bytesused, 0x11111111);
}

Test(protocol, planes_of_a_single_planar_buffer_are_not_looked_at)
{
	struct v4l2_buffer b = full_buffer(V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_MMAP);
	struct v4l2_plane planes[1];

	memset(planes, 0x11, sizeof(planes));
	ioctl_encode_dqbuf(&event, 1, &b, planes, 1);
	is_zero(96, 512);
}
