/* SPDX-License-Identifier: BSD-3-Clause */
/* Drivers that take no addresses: the arena as DMA buffers, made once a plane, gone with the
 * buffers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "v4l2_bench.h"
#include "v4l2_node.h"
#include "v4l2_udmabuf.h"

#define CAPTURE    V4L2_BUF_TYPE_VIDEO_CAPTURE
#define CAMERA     (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING)
#define NR(name)   _IOC_NR(VIDIOC_##name)
#define NB_BUFFERS 4

static struct h *h;

static void
start(const char *buffers)
{
	const struct device_option options[] = {{"node", "camera"}, {"buffers", buffers}};

	h = h_create(&(struct h_config){.backend = backend_find("v4l2"),
		.options = options,
		.nb_options = 2,
		.arena_bytes = 4u << 20});
	h_post_events(h, 64, H_EVENT_SIZE);
}

/* With a udmabuf, and a driver that takes no addresses. */
static void
setup(const char *buffers)
{
	node_setup(CAMERA);
	node_rules.udmabuf = node_rules.no_userptr = true;
	start(buffers);
}

static void
teardown(uint32_t s)
{
	h_close(h, s);
	eventually(node_nb_open() == 0);
	cr_assert_eq(udmabuf_nb(), 0, "none is left");
	h_destroy(h);
}

static int
reqbufs(uint32_t s, uint32_t count)
{
	struct v4l2_requestbuffers rb = {
		.count = count, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};

	return h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));
}

static int
stream(uint32_t s, bool on)
{
	uint32_t type = CAPTURE;

	return h_ioctl(h, s, on ? NR(STREAMON) : NR(STREAMOFF), &type, sizeof(type), 0);
}

static void
queue(uint32_t s, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};

	cr_assert_eq(h_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b)), 0);
}

static uint8_t *
bytes_of(uint32_t s, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};

	cr_assert_eq(h_ioctl(h, s, NR(QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	return shm_arena_addr(h->device->arena, b.m.offset);
}

/* A session that streams, all buffers queued. */
static uint32_t
capture(void)
{
	uint32_t s = h_open(h);

	cr_assert_eq(reqbufs(s, NB_BUFFERS), 0);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		queue(s, i);
	}
	cr_assert_eq(stream(s, true), 0);
	return s;
}

/* What the driver writes into its DMA buffer is in the guest's. */
static void
frames_arrive(uint32_t s, uint32_t nb)
{
	for (uint32_t n = 0; n < nb; n++) {
		struct virtio_media_event_dqbuf event;
		int len = -EAGAIN;

		eventually(node_frame(false, (uint8_t)(n + 1), 0) >= 0);
		eventually((len = h_event(h, &event)) != -EAGAIN);
		cr_assert_eq(len, H_EVENT_SIZE);
		cr_assert_eq(event.buffer.index, n % NB_BUFFERS);
		cr_assert_eq(event.buffer.flags & V4L2_BUF_FLAG_ERROR, 0);
		cr_assert_eq(bytes_of(s, event.buffer.index)[NODE_SIZE - 2], (uint8_t)(n + 1));
		h_post_events(h, 1, H_EVENT_SIZE);
		queue(s, event.buffer.index);
	}
}

Test(v4l2_dmabuf, a_driver_that_takes_no_addresses_gets_the_arena_and_nothing_is_copied)
{
	uint32_t s;

	setup("auto");
	s = capture();
	frames_arrive(s, 40);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	cr_assert_eq(h->device->counters.nb_imported, 40);
	cr_assert_eq(udmabuf_nb_made(), NB_BUFFERS, "one per plane, however often it is queued");
	eventually(node_nb_queued(false) == NB_BUFFERS);
	cr_assert_eq(udmabuf_nb_begun(), 40, "the guest looks after each frame");
	cr_assert_eq(udmabuf_nb_ended(), 40 + NB_BUFFERS, "and no more once it queued it");
	cr_assert_eq(stream(s, false), 0);
	cr_assert_eq(reqbufs(s, 0), 0);
	cr_assert_eq(udmabuf_nb(), 0, "they go with the buffers");
	teardown(s);
}

Test(v4l2_dmabuf, it_is_what_is_asked_for_and_nothing_else_then)
{
	uint32_t s;

	setup("dmabuf");
	node_rules.no_userptr = false;
	s = capture();
	frames_arrive(s, 8);
	cr_assert_eq(udmabuf_nb(), NB_BUFFERS);
	teardown(s);

	setup("dmabuf");
	node_rules.no_dmabuf = true;
	s = h_open(h);
	cr_assert_eq(reqbufs(s, NB_BUFFERS), -EINVAL);
	teardown(s);
}

Test(v4l2_dmabuf, without_udmabuf_it_is_refused_at_the_start_and_auto_copies)
{
	static const struct device_option options[] = {{"node", "camera"}, {"buffers", "dmabuf"}};
	struct reactor_config reactor = {.name = "test", .cpu = -1};
	struct device_config config = {.name = "cam0",
		.backend = backend_find("v4l2"),
		.options = options,
		.nb_options = 2,
		.transport = &loopback_ops};
	struct vmedia_device *device;
	uint32_t s;

	node_setup(CAMERA);
	cr_assert_eq(reactor_create(&reactor, &config.reactor), 0);
	cr_assert_eq(device_create(&config, &device), -ENOENT);
	reactor_destroy(config.reactor);

	node_setup(CAMERA);
	node_rules.no_userptr = true;
	start("auto");
	s = capture();
	frames_arrive(s, 8);
	cr_assert_gt(h->device->counters.bytes_copied, 0);
	teardown(s);
}

Test(v4l2_dmabuf, what_cannot_use_an_address_is_given_a_dma_buffer_and_at_last_copied)
{
	uint32_t s;

	setup("auto");
	node_rules.no_userptr = false;
	node_rules.bad_userptr = true;
	s = capture();
	frames_arrive(s, 8);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	cr_assert_eq(udmabuf_nb(), NB_BUFFERS);
	teardown(s);

	setup("auto");
	node_rules.no_userptr = false;
	node_rules.bad_userptr = node_rules.bad_dmabuf = true;
	s = capture();
	frames_arrive(s, 8);
	cr_assert_eq(h->device->counters.bytes_copied, 8 * (NODE_SIZE - 1));
	cr_assert_eq(udmabuf_nb(), 0, "those that were of no use are gone");
	teardown(s);
}

/* proves: R-68 */
Test(v4l2_dmabuf, where_none_can_be_made_it_is_copied_and_the_node_is_still_there)
{
	uint32_t s;

	setup("auto");
	node_rules.create_error = ENODEV;
	s = capture();
	frames_arrive(s, 8);
	cr_assert_eq(h->device->counters.bytes_copied, 8 * (NODE_SIZE - 1));
	teardown(s);
}

Test(v4l2_dmabuf, where_none_can_be_made_and_nothing_else_is_allowed_buffers_come_back_bad)
{
	struct virtio_media_event_dqbuf event;
	int len = -EAGAIN;
	uint32_t s;

	setup("dmabuf");
	node_rules.create_error = ENODEV;
	s = capture();
	eventually((len = h_event(h, &event)) != -EAGAIN);
	cr_assert_neq(event.buffer.flags & V4L2_BUF_FLAG_ERROR, 0);
	node_rules.create_error = 0;
	cr_assert_eq(stream(s, false), 0, "the session goes on");
	cr_assert_eq(reqbufs(s, 0), 0);
	teardown(s);
}
