/* SPDX-License-Identifier: BSD-3-Clause */
/* REMOVE_BUFS: single buffers are given back, and CREATE_BUFS fills the gap. */
#include "one_session.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE

static int
querybuf(uint32_t index, struct v4l2_buffer *b)
{
	*b = (struct v4l2_buffer){.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	return h_ioctl(h, s, NR(QUERYBUF), b, sizeof(*b), sizeof(*b));
}

static int
removes(uint32_t session, uint32_t index, uint32_t count)
{
	struct v4l2_remove_buffers remove = {.index = index, .count = count, .type = CAPTURE};

	return h_ioctl(h, session, NR(REMOVE_BUFS), &remove, sizeof(remove), sizeof(remove));
}

Test(remove_bufs, buffers_are_removed_only_where_the_device_says_so)
{
	struct v4l2_requestbuffers rb = {.count = 1, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};

	setup_with(NULL);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_not(rb.capabilities & V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS);
	cr_assert_eq(removes(s, 0, 1), -ENOTTY);
	teardown();
	setup_with(&(struct h_config){.remove_buffers = true});
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert(rb.capabilities & V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS);
	cr_assert_eq(removes(s, 0, 1), 0);
	teardown();
}

Test(remove_bufs, a_removed_buffer_gives_its_memory_back_while_the_others_stream)
{
	struct v4l2_create_buffers create = {.count = 2, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_buffer b;

	setup_with(&(struct h_config){.remove_buffers = true});
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(removes(s, 0, 2), -EBUSY);
	cr_assert_eq(removes(s, 1, 2), 0);
	cr_assert_eq(h_allocated(h), 2 * 65536);
	cr_assert_eq(querybuf(1, &b), -EINVAL);
	cr_assert_eq(h_qbuf(h, s, 1), -EINVAL);
	cr_assert_eq(h_qbuf(h, s, 3), 0);
	cr_assert_eq(removes(s, 1, 1), -EINVAL);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h_ioctl(h, s, NR(CREATE_BUFS), &create, sizeof(create), sizeof(create)), 0);
	cr_assert_eq(create.index, 1, "the gap is filled");
	cr_assert_eq(create.count, 2);
	cr_assert_eq(h_qbuf(h, s, 1), 0);
	teardown();
}

Test(remove_bufs, all_buffers_removed_is_as_if_there_had_been_none)
{
	uint32_t other;

	setup_with(&(struct h_config){.remove_buffers = true});
	other = h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 3), 3);
	cr_assert_eq(removes(other, 0, 1), -EBUSY);
	cr_assert_eq(removes(s, 0, 0), 0);
	cr_assert_eq(removes(s, 0, 3), 0);
	cr_assert_eq(h_allocated(h), 0);
	cr_assert_eq(h_stream(h, s, true), -EINVAL);
	cr_assert_eq(h_reqbufs(h, other, 2), 2, "nobody owns them any more");
	h_close(h, other);
	teardown();
}

Test(remove_bufs, a_mapped_buffer_that_is_removed_stays_until_munmap)
{
	struct v4l2_buffer b;
	uint64_t addr;

	setup_with(&(struct h_config){.remove_buffers = true});
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(querybuf(1, &b), 0);
	cr_assert_eq(h_mmap(h, s, b.m.offset, 0, &addr), 0);
	cr_assert_eq(removes(s, 1, 1), 0);
	cr_assert_eq(h_allocated(h), 2 * 65536);
	cr_assert_eq(h_munmap(h, addr), 0);
	cr_assert_eq(h_allocated(h), 65536);
	teardown();
}
