/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The front-ends' message orders with a driver on the rings and a device behind them: what starts
 * must work, a pause must go unnoticed, a reset must leave a device like new.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "device/device.h"
#include "driver/internal.h"
#include "frontend.h"
#include "transport/eal.h"
#include "transport/gateway.h"

#define NB_BUFFERS 4
#define NB_FRAMES  10
#define CAPTURE    V4L2_BUF_TYPE_VIDEO_CAPTURE

/* How a front-end connects, starts and stops; what it says for the first time only comes first. */
struct sequence {
	enum transport_compat compat;
	uint64_t offer, protocol;
	enum fe_need_reply greets, goes_on;
	bool gpa_addresses, sends_window;
	uint32_t first_base; /* of the eventq */
	struct fe_script greet, begin, each, rings, enable, end;
	struct fe_script stop; /* queue by queue */
};

#define MESSAGES(...)                                                              \
	{                                                                          \
		(const uint32_t[]){__VA_ARGS__},                                   \
			sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t) \
	}
#define OFFER_ALL (FE_OFFER | 1ull << 13 | 1ull << 15 | 1ull << 16 | 1ull << 20 | 1ull << 31)

static const struct sequence qemu = {
	.offer = FE_OFFER,
	.protocol = FE_PROTOCOL,
	.sends_window = true,
	.greet = MESSAGES(1, 15, 16, 17, 21, 3, 1, 44),
	.begin = MESSAGES(2, 5),
	.rings = MESSAGES(8, 10, 9, 12, 13),
	.enable = MESSAGES(18, 13),
	.stop = MESSAGES(FE_DISABLE, 11),
};

static const struct sequence crosvm = {
	.offer = FE_OFFER,
	.protocol = FE_PROTOCOL & ~(1ull << 10),
	.greets = FE_NR_NEVER,
	.goes_on = FE_NR_NEVER,
	.greet = MESSAGES(3, 1, 15, 16, 21, 17, 44),
	.begin = MESSAGES(2, 5),
	.rings = MESSAGES(8, 9, 10, 13, 12, 18),
	.stop = MESSAGES(FE_DISABLE, 11),
};

static const struct sequence cloud_hypervisor = {
	.offer = FE_OFFER,
	.protocol = FE_PROTOCOL,
	.goes_on = FE_NR_ALWAYS,
	.first_base = 16,
	.greet = MESSAGES(3, 1, 15, 16),
	.begin = MESSAGES(2, 5),
	.each = MESSAGES(8),
	.rings = MESSAGES(9, 10, 13, 12),
	.enable = MESSAGES(18),
	.end = MESSAGES(21),
	.stop = MESSAGES(FE_DISABLE, 11),
};

static const struct sequence libkrun = {
	.offer = FE_OFFER,
	.protocol = 0x400221,
	.greets = FE_NR_NEVER,
	.goes_on = FE_NR_NEVER,
	.greet = MESSAGES(1, 15, 16, 17),
	.begin = MESSAGES(3, 21, 5, 2),
	.rings = MESSAGES(8, 10, 9, 12, 13, 18),
	.stop = MESSAGES(FE_DISABLE),
};

static const struct sequence alioth = {
	.offer = FE_OFFER | 1ull << 15 | 1ull << 16,
	.protocol = 0x629 | 1ull << 21 | 1ull << 15 | 1ull << 16,
	.greets = FE_NR_ALWAYS,
	.goes_on = FE_NR_ALWAYS,
	.greet = MESSAGES(1, 15, 16, 17, 21, 3, 36, 37),
	.begin = MESSAGES(2),
	.each = MESSAGES(12, 13, 8, 10, 9, 18),
	.stop = MESSAGES(FE_DISABLE),
};

static struct {
	struct reactor *reactor;
	struct vmedia_device *device;
	struct driver *drv;
	struct driver_session *session;
	const struct sequence *sequence;
	struct fe fe;
	char path[108];
	uint32_t last_sequence;
	uint32_t nb_frames;
	void *addrs[NB_BUFFERS];
} bed;

/* ---- device, driver, connection ---- */

static void
device_start(enum transport_compat compat)
{
	static const struct device_option fps = {"fps", "200"};
	struct transport_eal_config eal = {.program = "vmedia-test"};
	struct reactor_config reactor = {.name = "test", .cpu = -1, .idle = REACTOR_INTERRUPT};
	struct device_config config = {
		.name = "cam0",
		.backend = backend_find("null"),
		.options = &fps,
		.nb_options = 1,
		.arena = {.page = SHM_PAGE_4K, .size_bytes = FE_ARENA_BYTES},
		.transport = &vhost_user_ops,
		.transport_config = {.path = bed.path, .listen_fd = -1, .compat = compat},
	};

	cr_assert_eq(transport_eal_init(&eal), 0);
	cr_assert_eq(gateway_start(), 0);
	cr_assert_eq(reactor_create(&reactor, &bed.reactor), 0);
	cr_assert_eq(reactor_start(bed.reactor), 0);
	config.reactor = bed.reactor;
	snprintf(bed.path, sizeof(bed.path), "/tmp/vmedia-test-%d.sock", (int)getpid());
	cr_assert_eq(device_create(&config, &bed.device), 0);
}

/* The driver's memory and rings are what the front-end tells of. */
static void
driver_start_local(void)
{
	struct driver_config config;
	struct memory *mem;

	driver_config_init(&config);
	config.local_eventfds = true;
	config.nb_memory_regions = FE_NB_REGIONS;
	config.commandq_size = config.eventq_size = FE_QUEUE_SIZE;
	cr_assert_eq(driver_create_local(&config, &bed.drv), 0);
	window_fini(&bed.drv->window);
	cr_assert_eq(window_init(&bed.drv->window, FE_ARENA_BYTES), 0);
	bed.drv->info.region_bytes = FE_ARENA_BYTES;
	mem = &bed.drv->mem;
	for (uint32_t i = 0; i < FE_NB_REGIONS; i++) {
		uint64_t bytes = mem->bytes / FE_NB_REGIONS;

		bed.fe.mem_fds[i] = mem->fd;
		bed.fe.regions[i] = (struct fe_region){MEMORY_GPA + i * bytes, bytes, i * bytes};
	}
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		struct driver_ring_layout ring;

		cr_assert_eq(driver_ring_layout(bed.drv, queue, &ring), 0);
		bed.fe.rings[queue] =
			(struct fe_ring){ring.desc_gpa, ring.device_gpa, ring.driver_gpa};
		bed.fe.kicks[queue] = ring.kick_fd;
		bed.fe.calls[queue] = ring.call_fd;
		bed.fe.features = FE_VIRTIO | ring.features;
	}
}

static void
activate(void)
{
	const struct sequence *s = bed.sequence;

	fe_play(&bed.fe, s->begin);
	fe_play_each(&bed.fe, s->each);
	fe_play_rings(&bed.fe, s->rings);
	fe_play_each(&bed.fe, s->enable);
	fe_play(&bed.fe, s->end);
	fe_get_u64(&bed.fe, 1); /* a barrier */
}

static void
stop(void)
{
	fe_play_rings(&bed.fe, bed.sequence->stop);
}

static void
begin(const struct sequence *sequence)
{
	device_start(sequence->compat);
	bed.sequence = sequence;
	bed.fe.fd = bed.fe.channel = -1;
	bed.fe.offer = sequence->offer;
	bed.fe.protocol = sequence->protocol;
	bed.fe.uva = sequence->gpa_addresses ? 0 : FE_UVA;
	bed.fe.queue_size = FE_QUEUE_SIZE;
	bed.fe.bases[1] = sequence->first_base;
	driver_start_local();
	fe_connect(&bed.fe, bed.path);
	bed.fe.need_reply = sequence->greets;
	fe_play(&bed.fe, sequence->greet);
	bed.fe.need_reply = sequence->goes_on;
	activate();
}

static void
end(void)
{
	fe_disconnect(&bed.fe);
	device_destroy(bed.device);
	driver_disconnect(bed.drv);
	reactor_destroy(bed.reactor);
	cr_assert_eq(gateway_stop(), 0);
	transport_eal_fini();
}

/* ---- what an application does ---- */

/* The VMM's other thread: maps, answers and, as QEMU, sends the table with the window in it. */
static void *
serve_map(void *arg)
{
	struct window_request request = {.len = FE_ARENA_BYTES, .flags = 1};
	int fd = fe_receive_map(&bed.fe);

	cr_assert_eq(window_map(&bed.drv->window, &request, fd), 0);
	fe_receive_flush(&bed.fe);
	fe_answer_map(&bed.fe, 0);
	if (bed.sequence->sends_window) {
		fe_set_mem_table(&bed.fe, fd, FE_ARENA_BYTES);
	}
	close(fd);
	return NULL;
}

static void
ioctl_ok(unsigned long request, void *arg)
{
	cr_assert_eq(driver_ioctl(bed.session, request, arg), 0, "ioctl %lx", request);
}

static void
queue(uint32_t index)
{
	struct v4l2_buffer b = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = index};

	ioctl_ok(VIDIOC_QBUF, &b);
}

static bool
is_zero(const char *bytes, size_t n)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0;
}

/* The first MMAP needs the window: the front-end is asked for it. */
static void
map_buffers(bool window_is_new)
{
	pthread_t vmm;

	if (window_is_new) {
		cr_assert_eq(pthread_create(&vmm, NULL, serve_map, NULL), 0);
	}
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		struct v4l2_buffer b = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = i};
		size_t len;

		ioctl_ok(VIDIOC_QUERYBUF, &b);
		cr_assert_eq(driver_mmap(bed.session, b.m.offset, true, &bed.addrs[i], &len), 0);
		cr_assert_geq(len, b.length);
		cr_assert(is_zero(bed.addrs[i], len), "somebody else's bytes");
		memset(bed.addrs[i], 0x5a, len);
	}
	if (window_is_new) {
		pthread_join(vmm, NULL);
	}
}

static void
stream_on(bool window_is_new)
{
	struct v4l2_requestbuffers rb = {
		.count = NB_BUFFERS, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_capability cap;
	int type = CAPTURE;

	cr_assert_eq(driver_open(bed.drv, &bed.session), 0);
	ioctl_ok(VIDIOC_QUERYCAP, &cap);
	ioctl_ok(VIDIOC_REQBUFS, &rb);
	cr_assert_eq(rb.count, NB_BUFFERS);
	map_buffers(window_is_new);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		queue(i);
	}
	ioctl_ok(VIDIOC_STREAMON, &type);
	bed.nb_frames = 0;
}

/* Frames in order, each buffer queued again. */
static void
take_frames(uint32_t nb)
{
	struct driver_event event;

	for (uint32_t i = 0; i < nb; i++) {
		cr_assert_eq(driver_event_wait(bed.session, &event, 3000), 0, "frame %u of %u",
			bed.nb_frames, nb);
		cr_assert_eq(event.kind, DRIVER_EVENT_DQBUF);
		cr_assert(bed.nb_frames == 0 || event.dqbuf.buffer.sequence > bed.last_sequence);
		bed.last_sequence = event.dqbuf.buffer.sequence;
		bed.nb_frames++;
		queue(event.dqbuf.buffer.index);
	}
}

static void
stream_off(void)
{
	struct v4l2_requestbuffers rb = {.type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	int type = CAPTURE;

	ioctl_ok(VIDIOC_STREAMOFF, &type);
	for (uint32_t i = 0; i < NB_BUFFERS; i++) {
		cr_assert_eq(driver_munmap(bed.drv, bed.addrs[i]), 0);
	}
	ioctl_ok(VIDIOC_REQBUFS, &rb);
	cr_assert_eq(driver_close(bed.session), 0);
}

static struct device_stats
stats(void)
{
	struct device_stats s;

	device_stats(bed.device, &s);
	return s;
}

/* The guest reboots: its driver forgets everything, the VMM starts the rings from 0. */
static void
guest_reset(void)
{
	stop();
	window_unmap_all(&bed.drv->window); /* as QEMU does */
	cr_assert_eq(driver_reset(bed.drv), 0);
	cr_assert_eq(driver_start(bed.drv), 0);
	bed.fe.bases[0] = bed.fe.bases[1] = 0;
	activate();
}

static void
assert_protocol(void)
{
	struct driver_stats s;

	driver_get_stats(bed.drv, &s);
	cr_assert_eq(s.ring_bad_index + s.ring_bad_id + s.bad_used_len + s.bad_status +
			     s.bad_reply + s.events_bad + s.events_unknown_session +
			     s.events_duplicate,
		0);
	cr_assert_eq(s.timeouts, 0);
}

static void
works_and_resets(const struct sequence *sequence)
{
	begin(sequence);
	stream_on(true);
	take_frames(NB_FRAMES);
	stream_off();
	stream_on(false);
	take_frames(NB_FRAMES);
	guest_reset();
	cr_assert_eq(stats().open_sessions, 0);
	stream_on(true);
	take_frames(NB_FRAMES);
	stream_off();
	assert_protocol();
	end();
}

Test(device, A1_qemu, .timeout = 30)
{
	works_and_resets(&qemu);
}

Test(device, A2_qemu_without_reply_ack, .timeout = 30)
{
	struct sequence s = qemu;

	s.protocol &= ~FE_REPLY_ACK;
	works_and_resets(&s);
}

Test(device, A4_qemu_with_memory_slots, .timeout = 30)
{
	struct sequence s = qemu;

	s.compat = TRANSPORT_COMPAT_ALL;
	s.offer = OFFER_ALL;
	s.protocol |= 1ull << 15;
	s.sends_window = false;
	s.greet = FE_SCRIPT(1, 15, 16, 17, 36, 21, 3, 1, 44, 37);
	s.begin = FE_SCRIPT(2);
	works_and_resets(&s);
}

Test(device, A5_qemu_with_gpa_addresses, .timeout = 30)
{
	struct sequence s = qemu;

	s.protocol = FE_OFFER;
	s.gpa_addresses = true;
	works_and_resets(&s);
}

Test(device, A8_crosvm, .timeout = 30)
{
	works_and_resets(&crosvm);
}

Test(device, A10_cloud_hypervisor, .timeout = 30)
{
	works_and_resets(&cloud_hypervisor);
}

Test(device, A12_B3_libkrun, .timeout = 30)
{
	works_and_resets(&libkrun);
}

Test(device, A13_alioth, .timeout = 30)
{
	works_and_resets(&alioth);
}

/* Frames that were due meanwhile wait for the driver; nothing on the channel tells of the pause. */
static void
pauses(const struct sequence *sequence)
{
	uint64_t nb_resets;

	begin(sequence);
	stream_on(true);
	nb_resets = stats().counters.nb_resets;
	for (int i = 0; i < 5; i++) {
		take_frames(NB_FRAMES);
		stop();
		usleep(30000);
		cr_assert(fe_silent(bed.fe.channel, 0));
		activate();
	}
	take_frames(NB_FRAMES);
	cr_assert_eq(stats().counters.nb_resets, nb_resets);
	cr_assert_eq(stats().open_sessions, 1);
	cr_assert(fe_silent(bed.fe.channel, 0));
	stream_off();
	assert_protocol();
	end();
}

/* proves: B45 */
Test(device, B1_stream_goes_on_after_qemus_pause, .timeout = 30)
{
	pauses(&qemu);
}

Test(device, B1_stream_goes_on_after_crosvms_sleep, .timeout = 30)
{
	pauses(&crosvm);
}

Test(device, B4_stream_goes_on_after_disable_and_enable, .timeout = 30)
{
	begin(&cloud_hypervisor);
	stream_on(true);
	for (int i = 0; i < 5; i++) {
		take_frames(NB_FRAMES);
		fe_play_each(&bed.fe, FE_SCRIPT(FE_DISABLE, 18));
	}
	take_frames(NB_FRAMES);
	stream_off();
	assert_protocol();
	end();
}

Test(device, B7_channel_is_silent_until_the_driver_needs_it, .timeout = 30)
{
	begin(&qemu);
	cr_assert(fe_silent(bed.fe.channel, 50), "no word before a command needs the window");
	stream_on(true);
	take_frames(NB_FRAMES);
	guest_reset();
	cr_assert(fe_silent(bed.fe.channel, 50));
	stream_on(true);
	take_frames(NB_FRAMES);
	stream_off();
	end();
}

static unsigned int
count_fds(void)
{
	unsigned int nb = 0;

	for (int fd = 0; fd < 256; fd++) {
		struct stat st;

		nb += fstat(fd, &st) == 0;
	}
	return nb;
}

/* proves: R-13 B23 */
Test(device, B8_reboots_leave_nothing, .timeout = 100)
{
	unsigned int nb_fds = 0;

	begin(&qemu);
	for (int i = 0; i < 1000; i++) {
		stream_on(true);
		take_frames(1);
		guest_reset();
		if (i == 10) {
			nb_fds = count_fds();
		}
	}
	cr_assert_eq(count_fds(), nb_fds);
	cr_assert_eq(stats().open_sessions, 0);
	stream_on(true);
	take_frames(NB_FRAMES);
	stream_off();
	for (int i = 0; i < 300 && stats().arena.nb_ranges != 0; i++) {
		usleep(10000); /* pages go back on another thread */
	}
	cr_assert_eq(stats().arena.nb_ranges, 0);
	assert_protocol();
	end();
}

Test(device, A14_rings_without_a_kick_are_polled, .timeout = 30)
{
	begin(&qemu);
	fe_set_u64(&bed.fe, 12, 0x100, -1);
	fe_set_u64(&bed.fe, 12, 0x101, -1);
	stream_on(true);
	take_frames(NB_FRAMES);
	stream_off();
	end();
}

/* An interrupt may be lost with the old fd: the driver sleeps on the new one. */
Test(device, A14_call_fds_change_while_frames_flow, .timeout = 30)
{
	begin(&qemu);
	stream_on(true);
	for (int i = 0; i < 100; i++) {
		fe_play_each(&bed.fe, FE_SCRIPT(13));
		take_frames(1);
	}
	stream_off();
	assert_protocol();
	end();
}

/* A guest can write wherever its window is; the next one does not get to see it. */
/* proves: R-95 S-11 */
Test(device, C9_a_guest_that_writes_over_all_of_its_window_streams_on, .timeout = 30)
{
	const struct window *w;

	begin(&qemu);
	w = &bed.drv->window;
	stream_on(true);
	for (int i = 0; i < 5; i++) {
		memset(w->base, 0xa5, w->bytes);
		take_frames(NB_FRAMES);
	}
	cr_assert_leq(stats().arena.allocated_bytes, w->bytes);
	guest_reset();
	stream_on(true); /* buffers are zero again */
	take_frames(NB_FRAMES);
	stream_off();
	assert_protocol();
	end();
}

/* proves: B27 B43 B46 */
Test(device, C2_memory_is_plugged_and_unplugged_while_frames_flow, .timeout = 30)
{
	int fd;

	begin(&qemu);
	fd = memfd_create("dimm", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	stream_on(true);
	for (int i = 0; i < 50; i++) {
		fe_set_mem_table(&bed.fe, i % 2 == 0 ? fd : -1, 1 << 20);
		take_frames(1);
	}
	stream_off();
	assert_protocol();
	close(fd);
	end();
}
