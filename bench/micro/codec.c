/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. */
#include <string.h>

#include "base/clock.h"
#include "base/iov.h"
#include "micro/micro.h"
#include "protocol/ioctl.h"

static union {
	struct v4l2_buffer buffer;
	struct v4l2_control control;
	uint8_t bytes[256];
} wire;
static uint8_t answer[512];
static struct ioctl_payload payload;
static struct virtio_media_event_dqbuf event;

static int
begin(void)
{
	memset(&wire, 0, sizeof(wire));
	wire.buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	wire.buffer.memory = V4L2_MEMORY_MMAP;
	return 0;
}

/* The same loop for both halves: payload in, payload out. */
static uint64_t
run_ioctl(uint64_t n, unsigned long request)
{
	const struct ioctl_desc *desc = ioctl_lookup(_IOC_NR(request));
	const struct iovec in = {wire.bytes, desc->payload_bytes};
	const struct iovec out = {answer, desc->payload_bytes + sizeof(uint64_t)};
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		struct iov_cursor reader, writer;

		iov_cursor_init(&reader, &in, 1, in.iov_len);
		iov_cursor_init(&writer, &out, 1, out.iov_len);
		ioctl_decode(desc, &reader, desc->payload_bytes, &payload);
		ioctl_encode(desc, &payload, 0, &writer);
		__asm__ volatile("" ::: "memory");
	}
	return clock_tsc() - begin_tsc;
}

static uint64_t
run_g_ctrl(uint64_t n)
{
	return run_ioctl(n, VIDIOC_G_CTRL);
}

static uint64_t
run_qbuf(uint64_t n)
{
	return run_ioctl(n, VIDIOC_QBUF);
}

static uint64_t
run_event(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		ioctl_encode_dqbuf(&event, 1, &wire.buffer, NULL, 0);
		__asm__ volatile("" ::: "memory");
	}
	return clock_tsc() - begin_tsc;
}

const struct micro micro_codec[] = {
	{.name = "decode G_CTRL",
		.what = "payload in and out",
		.nb = 300000,
		.begin = begin,
		.run = run_g_ctrl},
	{.name = "decode QBUF",
		.what = "payload in and out",
		.nb = 300000,
		.begin = begin,
		.run = run_qbuf},
	{.name = "encode event",
		.what = "608 bytes of DQBUF",
		.nb = 300000,
		.begin = begin,
		.run = run_event},
	{.name = NULL},
};
