/* SPDX-License-Identifier: BSD-3-Clause */
/* The reactor allocates and frees nothing, whatever the driver asks for. Linked with --wrap. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "harness.h"

/* Of this thread, which is the reactor while it passes; offload has its own. */
static __thread volatile bool watching; /* volatile: compilers know what malloc leaves alone */
static volatile unsigned int nb_calls;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t nb, size_t bytes);
void *__real_realloc(void *ptr, size_t bytes);
void __real_free(void *ptr);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t nb, size_t bytes);
void *__wrap_realloc(void *ptr, size_t bytes);
void __wrap_free(void *ptr);

void *
__wrap_malloc(size_t bytes)
{
	nb_calls += watching;
	return __real_malloc(bytes);
}

void *
__wrap_calloc(size_t nb, size_t bytes)
{
	nb_calls += watching;
	return __real_calloc(nb, bytes);
}

void *
__wrap_realloc(void *ptr, size_t bytes)
{
	nb_calls += watching;
	return __real_realloc(ptr, bytes);
}

void
__wrap_free(void *ptr)
{
	nb_calls += watching;
	__real_free(ptr);
}

static void
pass(void *arg)
{
	watching = true;
	reactor_pass(arg);
	watching = false;
}

/* Passes until the command just sent is answered and offload is quiet. */
static void
settle(struct h *h)
{
	unsigned int i;

	for (i = 0; i < 50 || h->device->nb_offloaded > 0; i++) {
		pass(h->reactor);
		if (loopback_window_wanted(h->transport)) {
			loopback_window_reply(h->transport, 0);
		}
	}
}

/* What the harness sends is answered already when it comes to wait for it. */
static uint32_t
open_session(struct h *h)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct h_reply reply;

	h_send(h, &cmd, sizeof(cmd), sizeof(reply.open));
	settle(h);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, sizeof(reply.open));
	return reply.open.session_id;
}

static int
ask(struct h *h, const void *cmd, size_t bytes, uint32_t room)
{
	static struct h_reply reply;

	h_send(h, cmd, bytes, room);
	settle(h);
	cr_assert_eq(h_recv(h, &reply), 0);
	return reply.len >= sizeof(reply.hdr) ? -(int)reply.hdr.status : 0;
}

static int
reqbufs(struct h *h, uint32_t session, uint32_t count)
{
	struct {
		struct virtio_media_cmd_ioctl cmd;
		struct v4l2_requestbuffers rb;
	} c = {{.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL,
		       .session_id = session,
		       .code = _IOC_NR(VIDIOC_REQBUFS)},
		{.count = count, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP}};

	return ask(h, &c, sizeof(c), sizeof(struct virtio_media_resp_ioctl) + sizeof(c.rb));
}

Test(device_no_allocation, the_life_of_sessions_and_buffers_allocates_nothing_on_the_reactor)
{
	struct h *h = h_create(NULL);
	uint32_t ids[40], i;

	for (i = 0; i < 40; i++) {
		ids[i] = open_session(h);
	}
	cr_assert_eq(nb_calls, 0, "OPEN: %u", nb_calls);
	for (i = 0; i < 3; i++) {
		struct virtio_media_cmd_mmap map = {
			.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP, .session_id = ids[0]};
		struct virtio_media_cmd_munmap unmap = {.hdr.cmd = VIRTIO_MEDIA_CMD_MUNMAP};
		const struct bufq *q = &session_find(h->device, ids[0])->queues[DEVICE_CAPTURE];

		cr_assert_eq(reqbufs(h, ids[0], 32), 0);
		map.offset = q->buffers[5]->pub.planes[0].offset;
		unmap.driver_addr = map.offset;
		cr_assert_eq(ask(h, &map, sizeof(map), sizeof(struct virtio_media_resp_mmap)), 0);
		cr_assert_eq(reqbufs(h, ids[0], 0), 0);
		cr_assert_eq(
			ask(h, &unmap, sizeof(unmap), sizeof(struct virtio_media_resp_munmap)), 0);
	}
	cr_assert_eq(nb_calls, 0, "buffers: %u", nb_calls);
	for (i = 0; i < 40; i++) {
		struct virtio_media_cmd_close cmd = {
			.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = ids[i]};

		ask(h, &cmd, sizeof(cmd), 0);
	}
	cr_assert_eq(nb_calls, 0, "CLOSE: %u", nb_calls);
	h_destroy(h);
}

Test(device_no_allocation, the_count_counts)
{
	void *volatile memory;

	watching = true;
	memory = malloc(1);
	free(memory);
	watching = false;
	cr_assert_eq(nb_calls, 2, "%u", nb_calls);
}
