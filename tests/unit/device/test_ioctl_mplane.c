/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers of two memory planes, B36. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "harness.h"

#define TYPE     V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
#define NR(name) _IOC_NR(VIDIOC_##name)
#define LUMA     (64 * 32)
#define CHROMA   (64 * 32 / 2)

static const struct vmedia_format_desc formats[] = {
	{V4L2_PIX_FMT_NV12M, 64, 64, 0, 32, 32, 0},
};

static int
create(struct vmedia_device *device, struct vmedia_node *node)
{
	node->device_caps = V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING;
	snprintf(node->card, sizeof(node->card), "two planes");
	node->formats = formats;
	node->nb_formats = 1;
	node->default_fourcc = V4L2_PIX_FMT_NV12M;
	node->default_width = 64;
	node->default_height = 32;
	return 0;
}

static struct vmedia_buffer *queued;

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	queued = buffer;
}

static int
start_streaming(struct vmedia_session *session, uint32_t type)
{
	return 0;
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
	queued = NULL;
}

static uint64_t
poll_frames(struct vmedia_device *device, uint64_t now_tsc)
{
	if (queued != NULL && queued->session->queues[DEVICE_CAPTURE].streaming) {
		queued->planes[0].bytesused = LUMA;
		queued->planes[1].bytesused = CHROMA;
		vmedia_buffer_done(queued);
		queued = NULL;
	}
	return VMEDIA_NO_DEADLINE;
}

static const struct vmedia_backend_ops ops = {
	.name = "mplane",
	.summary = "of this test",
	.device_bytes = sizeof(struct h_backend),
	.create = create,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
	.poll = poll_frames,
};

/* A buffer and its planes as they stand in both halves of the chain. */
struct ask {
	struct v4l2_buffer b;
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
};

static struct h *h;
static uint32_t s;

static void
setup(void)
{
	struct v4l2_requestbuffers rb = {.count = 3, .type = TYPE, .memory = V4L2_MEMORY_MMAP};

	h = h_create(&(struct h_config){.backend = &ops});
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_eq(rb.count, 3);
}

static void
teardown(void)
{
	struct shm_arena_usage usage;

	h_close(h, s);
	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	h_destroy(h);
}

static struct ask
ask_for(uint32_t index, uint32_t nb_planes)
{
	struct ask a;

	memset(&a, 0, sizeof(a));
	a.b.index = index;
	a.b.type = TYPE;
	a.b.memory = V4L2_MEMORY_MMAP;
	a.b.length = nb_planes;
	a.b.m.userptr = 0x1234500; /* a pointer of the guest, to come back */
	return a;
}

static int
buffer_ioctl(uint32_t nr, struct ask *a)
{
	size_t bytes = sizeof(a->b) + a->b.length * sizeof(a->planes[0]);

	return h_ioctl(h, s, nr, a, bytes, bytes);
}

/* proves: R-53 R-65 R-98 B28 B36 */
Test(ioctl_mplane, querybuf_tells_both_planes_and_gives_the_pointer_back)
{
	struct ask a = ask_for(1, 2);

	setup();
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &a), 0);
	cr_assert_eq(a.b.length, 2);
	cr_assert_eq(a.b.m.userptr, 0x1234500);
	cr_assert_eq(a.planes[0].length, LUMA);
	cr_assert_eq(a.planes[1].length, CHROMA);
	cr_assert_neq(a.planes[0].m.mem_offset, a.planes[1].m.mem_offset);
	cr_assert_eq(a.planes[1].m.mem_offset % 65536, 0);
	teardown();
}

/* proves: R-65 R-66 B36 */
Test(ioctl_mplane, one_plane_for_a_buffer_of_two_is_einval_and_surplus_planes_are_zero)
{
	struct ask a = ask_for(0, 1);

	setup();
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &a), -EINVAL);
	cr_assert_eq(buffer_ioctl(NR(QBUF), &a), -EINVAL);
	a = ask_for(0, 8);
	a.planes[2].length = 77;
	cr_assert_eq(h_ioctl(h, s, NR(QUERYBUF), &a, sizeof(a), sizeof(a)), 0);
	cr_assert_eq(a.b.length, 2);
	cr_assert_eq(a.planes[1].length, CHROMA);
	cr_assert_eq(a.planes[2].length, 0);
	teardown();
}

/* proves: R-86 R-88 */
Test(ioctl_mplane, each_plane_can_be_mapped_by_itself)
{
	struct ask a = ask_for(2, 2);
	uint64_t luma, chroma;

	setup();
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &a), 0);
	cr_assert_eq(h_mmap(h, s, a.planes[0].m.mem_offset, 1, &luma), 0);
	cr_assert_eq(h_mmap(h, s, a.planes[1].m.mem_offset, 1, &chroma), 0);
	cr_assert_neq(luma, chroma);
	cr_assert_eq(h_munmap(h, luma), 0);
	cr_assert_eq(h_munmap(h, chroma), 0);
	teardown();
}

/* proves: R-81 B12 */
Test(ioctl_mplane, the_event_carries_both_planes_and_no_pointer)
{
	struct virtio_media_event_dqbuf event;
	struct ask a = ask_for(0, 2);
	uint8_t bytes[H_EVENT_SIZE];
	uint32_t type = TYPE;

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
	cr_assert_eq(buffer_ioctl(NR(QBUF), &a), 0);
	cr_assert(a.b.flags & V4L2_BUF_FLAG_QUEUED);
	cr_assert_eq(a.b.m.userptr, 0x1234500);
	h_pass(h, 2);
	cr_assert_eq(h_event(h, bytes), H_EVENT_SIZE);
	memcpy(&event, bytes, sizeof(event));
	cr_assert_eq(event.buffer.length, 2);
	cr_assert_eq(event.buffer.m.userptr, 0);
	cr_assert_eq(event.planes[0].bytesused, LUMA);
	cr_assert_eq(event.planes[1].bytesused, CHROMA);
	cr_assert_eq(event.planes[2].length, 0);
	teardown();
}

Test(ioctl_mplane, formats_are_those_of_the_multi_planar_structs)
{
	struct v4l2_format f = {.type = TYPE};

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(f.fmt.pix_mp.num_planes, 2);
	cr_assert_eq(f.fmt.pix_mp.plane_fmt[1].sizeimage, CHROMA);
	f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), -EINVAL);
	teardown();
}

Test(ioctl_mplane, a_node_without_controls_has_none_of_their_ioctls)
{
	static const struct {
		uint32_t nr;
		size_t bytes;
	} rows[] = {{NR(G_CTRL), 8}, {NR(S_CTRL), 8}, {NR(QUERYCTRL), 68}, {NR(QUERYMENU), 44},
		{NR(QUERY_EXT_CTRL), 232}, {NR(G_EXT_CTRLS), 32}, {NR(S_EXT_CTRLS), 32},
		{NR(TRY_EXT_CTRLS), 32}, {NR(G_PARM), 204}, {NR(ENUM_FRAMEINTERVALS), 52}};
	uint8_t arg[232];
	size_t i;

	setup();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(arg, 0, sizeof(arg));
		cr_assert_eq(h_ioctl(h, s, rows[i].nr, arg, rows[i].bytes, rows[i].bytes), -ENOTTY,
			"%u", rows[i].nr);
		cr_assert_eq(h_ioctl(h, s, rows[i].nr, arg, 1, rows[i].bytes), -ENOTTY, "%u, short",
			rows[i].nr);
	}
	teardown();
}
