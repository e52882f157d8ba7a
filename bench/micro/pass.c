/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: a device of ours, asked and polled by one thread: nothing travels between CPUs. */
#include <errno.h>
#include <linux/videodev2.h>
#include <string.h>

#include "base/clock.h"
#include "core/chain.h"
#include "device/device.h"
#include "micro/local.h"
#include "micro/micro.h"
#include "transport/loopback.h"

static struct local local;
static struct reactor *reactor;
static struct vmedia_device *device;
static struct driver_session *session;
static struct chain g_ctrl, qbuf;

static int
create_device(void)
{
	const struct reactor_config r = {.name = "micro", .cpu = -1};
	struct device_config d = {.name = "micro",
		.backend = backend_find("null"),
		.arena.page = SHM_PAGE_4K,
		.transport = &loopback_ops};
	int ret = reactor_create(&r, &reactor);

	if (ret == 0) {
		d.reactor = reactor;
		ret = d.backend != NULL ? reactor_start(reactor) : -ENOENT;
	}
	return ret != 0 ? ret : device_create(&d, &device);
}

static int
start_rings(void)
{
	struct transport *transport = device_transport(device);
	int ret = 0;

	loopback_set_memory(transport, &local.mem);
	for (unsigned int queue = 0; queue < DRIVER_NB_QUEUES && ret == 0; queue++) {
		struct virtq_config config;

		ret = local_queue(&local, queue, &config);
		ret = ret != 0 ? ret : loopback_ring_start(transport, queue, &config);
	}
	return ret;
}

static int
stream(void)
{
	struct v4l2_requestbuffers reqbufs = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	const struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	const struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int ret = driver_open(local.drv, &session);

	ret = ret != 0 ? ret : driver_ioctl(session, VIDIOC_REQBUFS, &reqbufs);
	ret = ret != 0 ? ret : driver_ioctl(session, VIDIOC_STREAMON, &type);
	ret = ret != 0 ? ret : chain_prepare(&g_ctrl, local.drv, session, VIDIOC_G_CTRL, &control);
	return ret != 0 ? ret : chain_prepare(&qbuf, local.drv, session, VIDIOC_QBUF, &buffer);
}

/* Set up with the reactor on its own thread; measured on this one. */
static int
begin(bool packed)
{
	int ret = local_create(&local, packed);

	ret = ret != 0 ? ret : create_device();
	ret = ret != 0 ? ret : start_rings();
	ret = ret != 0 ? ret : stream();
	if (ret == 0) {
		reactor_stop(reactor);
	}
	return ret;
}

static int
begin_split(void)
{
	return begin(false);
}

static int
begin_packed(void)
{
	return begin(true);
}

static uint64_t
run_idle(uint64_t n)
{
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		reactor_pass(reactor);
	}
	return clock_tsc() - begin_tsc;
}

/* One pass takes the command, answers it, finishes the frame and sends its event. */
static uint64_t
run(const struct chain *c, uint64_t n)
{
	uint64_t ticks = 0;

	for (uint64_t i = 0; i < n; i++) {
		uint32_t len;
		uint64_t begin_tsc;

		chain_fill(c);
		driver_raw_submit(c->raw);
		begin_tsc = clock_tsc();
		reactor_pass(reactor);
		ticks += clock_tsc() - begin_tsc;
		if (driver_raw_poll(c->raw, &len, NULL) != 1 || chain_check(c, len) != 0) {
			return 0;
		}
	}
	return ticks;
}

static uint64_t
run_g_ctrl(uint64_t n)
{
	return run(&g_ctrl, n);
}

static uint64_t
run_qbuf(uint64_t n)
{
	return run(&qbuf, n);
}

static void
end(void)
{
	chain_release(&g_ctrl);
	chain_release(&qbuf);
	if (reactor != NULL) {
		reactor_start(reactor);
	}
	if (device != NULL) {
		device_destroy(device);
	}
	reactor_destroy(reactor);
	local_destroy(&local);
	reactor = NULL;
	device = NULL;
}

#define ROW(title, text, n, begin_fn, run_fn)                                                      \
	{                                                                                          \
		.name = title, .what = text, .nb = n, .begin = begin_fn, .run = run_fn, .end = end \
	}

const struct micro micro_pass[] = {
	ROW("pass, idle", "nothing to do", 300000, begin_split, run_idle),
	ROW("pass, G_CTRL", "split ring", 100000, begin_split, run_g_ctrl),
	ROW("pass, G_CTRL packed", "packed ring", 100000, begin_packed, run_g_ctrl),
	ROW("pass, frame", "QBUF, its frame, its event; split", 100000, begin_split, run_qbuf),
	ROW("pass, frame packed", "the same; packed", 100000, begin_packed, run_qbuf),
	{.name = NULL},
};
