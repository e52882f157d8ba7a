/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames under way, in the guest's own memory, while that memory moves or goes (S-21, R-99). */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"

#define NR(name)  _IOC_NR(VIDIOC_##name)
#define CAPTURE   V4L2_BUF_TYPE_VIDEO_CAPTURE
#define NB_SLICES 4
#define SLICE     (H_SIZE / NB_SLICES)
#define BUFFERS   1 /* the region that buffers are in; rings are in the other */

/* QBUF as it stands in the R-part. */
struct ask {
	struct v4l2_buffer b;
	struct virtio_media_sg_entry sg;
};

static struct h *h;
static uint32_t s;
static struct vmedia_buffer *drawing;
static uint32_t nb_slices; /* written of it */
static bool on_offload;    /* drawn at once, when a job comes back */
static struct vmedia_job job;
static atomic_bool job_goes_on; /* when the device is quiet */
static bool is_quiet;
static char *frame; /* the guest's */

/* ---- a backend that is slow ---- */

static void
draw_slice(void)
{
	char slice[SLICE];

	memset(slice, 'x', sizeof(slice));
	vmedia_plane_write(&drawing->planes[0], nb_slices++ * SLICE, slice, sizeof(slice));
}

static void
end_frame(void)
{
	drawing->planes[0].bytesused = H_SIZE;
	vmedia_buffer_done(drawing);
	drawing = NULL;
}

static void
job_run(struct vmedia_job *j)
{
	while (!atomic_load(&job_goes_on)) {
		usleep(100);
	}
}

static void
job_done(struct vmedia_job *j)
{
	while (drawing != NULL && nb_slices < NB_SLICES) {
		draw_slice();
	}
	if (drawing != NULL) {
		end_frame();
	}
}

static bool
work(struct vmedia_device *device, uint64_t until_tsc)
{
	draw_slice();
	if (nb_slices < NB_SLICES) {
		return false;
	}
	end_frame();
	return true;
}

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	struct vmedia_device *device = vmedia_session_device(session);

	drawing = buffer;
	nb_slices = 0;
	if (on_offload) {
		job = (struct vmedia_job){.run = job_run, .done = job_done};
		vmedia_offload(device, &job);
	} else {
		vmedia_work_queue(device);
	}
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
	drawing = NULL;
	vmedia_work_cancel(vmedia_session_device(session));
}

static uint64_t
poll_nothing(struct vmedia_device *device, uint64_t now_tsc)
{
	return VMEDIA_NO_DEADLINE;
}

/* ---- the test ---- */

static void
set_up(bool offload)
{
	static struct vmedia_backend_ops ops;
	struct v4l2_requestbuffers rb = {1, CAPTURE, V4L2_MEMORY_USERPTR};

	ops = h_backend_ops;
	ops.buf_queue = buf_queue;
	ops.stop_streaming = stop_streaming;
	ops.poll = poll_nothing;
	ops.work = work;
	on_offload = offload;
	h = h_create(&(struct h_config){.backend = &ops});
	s = h_open(h);
	h_post_events(h, 4, H_EVENT_SIZE);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	frame = fake_guest_alloc(h->guest, BUFFERS, H_SIZE);
}

static void
send_qbuf(void)
{
	struct ask a = {.b = {.type = CAPTURE, .memory = V4L2_MEMORY_USERPTR, .length = H_SIZE},
		.sg = {fake_guest_gpa(h->guest, frame), H_SIZE, 0}};

	a.b.m.userptr = 1;
	h_send_ioctl(h, s, NR(QBUF), &a, sizeof(a), sizeof(a.b));
}

static void
now_quiet(void *arg)
{
	is_quiet = true;
}

/* As a transport does it; and then the reactor goes on with what it has, other devices' above all.
 */
static void
become_quiet(enum transport_quiesce why)
{
	is_quiet = false;
	device_listener.quiesce(h->device, why, now_quiet, NULL);
	while (!is_quiet) {
		reactor_pass(h->reactor);
	}
	atomic_store(&job_goes_on, true);
	for (int i = 0; i < 50; i++) {
		reactor_pass(h->reactor);
		usleep(100);
	}
}

static uint32_t
drawn(const char *bytes)
{
	uint32_t nb = 0;

	for (uint32_t i = 0; i < H_SIZE; i++) {
		nb += bytes[i] == 'x';
	}
	return nb;
}

static bool
event_has_error(void)
{
	struct virtio_media_event_dqbuf event;
	uint8_t bytes[H_EVENT_SIZE];

	h_settle(h);
	cr_assert_eq(h_event(h, bytes), H_EVENT_SIZE);
	memcpy(&event, bytes, sizeof(event));
	return (event.buffer.flags & V4L2_BUF_FLAG_ERROR) != 0;
}

static void
tear_down(void)
{
	static struct h_reply reply;

	cr_assert_eq(h_recv(h, &reply), 0); /* QBUF */
	h_close(h, s);
	h_settle(h);
	h_destroy(h);
}

/* The old place of the frame is not there any more while the device is quiet, as after the
 * transport's munmap; the new one is filled when it goes on. */
static void
move_under_a_frame(bool offload)
{
	size_t bytes = 4 << 20;
	struct guest_mem_region *region;
	struct guest_mem mem;
	char *moved, *old;

	set_up(offload);
	mem = h->device->mem;
	region = &mem.regions[BUFFERS];
	old = region->addr;
	send_qbuf();
	while (drawing == NULL) {
		reactor_pass(h->reactor);
	}
	become_quiet(TRANSPORT_CHANGE);
	cr_assert_lt(drawn(frame), H_SIZE, "it is under way");
	moved = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(moved, MAP_FAILED);
	memcpy(moved, old, bytes);
	cr_assert_eq(mprotect(old, bytes, PROT_NONE), 0);
	for (int i = 0; i < 50; i++) {
		reactor_pass(h->reactor);
		usleep(100);
	}
	region->addr = moved;
	device_listener.set_memory(h->device, &mem);
	device_listener.resume(h->device);
	cr_assert_not(event_has_error());
	cr_assert_eq(drawn(moved + (frame - old)), H_SIZE);
	cr_assert_eq(mprotect(old, bytes, PROT_READ | PROT_WRITE), 0);
	tear_down();
	munmap(moved, bytes);
}

/* proves: S-21 R-99 B27 */
Test(quiet, memory_moves_under_a_frame_that_is_drawn_in_slices, .timeout = 20)
{
	move_under_a_frame(false);
}

/* proves: S-21 R-99 B27 */
Test(quiet, memory_moves_under_a_frame_that_a_job_brings, .timeout = 20)
{
	move_under_a_frame(true);
}

static void
go_under_a_frame(bool offload)
{
	struct guest_mem all, rings;

	set_up(offload);
	all = rings = h->device->mem;
	rings.nb_regions = BUFFERS;
	send_qbuf();
	while (drawing == NULL) {
		reactor_pass(h->reactor);
	}
	become_quiet(TRANSPORT_CHANGE);
	memset(frame, 'o', H_SIZE);
	device_listener.set_memory(h->device, &rings);
	device_listener.resume(h->device);
	cr_assert(event_has_error());
	cr_assert_eq(drawn(frame), 0);
	loopback_set_memory(h->transport, &all);
	tear_down();
}

Test(quiet, memory_goes_under_a_frame_that_is_drawn_in_slices, .timeout = 20)
{
	go_under_a_frame(false);
}

Test(quiet, memory_goes_under_a_frame_that_a_job_brings, .timeout = 20)
{
	go_under_a_frame(true);
}

/* The driver is gone when the device goes on: neither slice nor job may find the buffer. */
static void
reset_under_a_frame(bool offload)
{
	set_up(offload);
	send_qbuf();
	while (drawing == NULL) {
		reactor_pass(h->reactor);
	}
	become_quiet(TRANSPORT_STOP);
	memset(frame, 'o', H_SIZE);
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		device_listener.ring_stop(h->device, queue);
	}
	device_listener.set_memory(h->device, NULL);
	device_listener.reset(h->device);
	device_listener.resume(h->device);
	h_settle(h);
	cr_assert_eq(drawn(frame), 0);
	cr_assert_eq(h->device->nb_offloaded, 0);
	cr_assert_not(h->device->work.queued);
	h_destroy(h);
}

Test(quiet, a_reset_ends_a_frame_that_is_drawn_in_slices, .timeout = 20)
{
	reset_under_a_frame(false);
}

Test(quiet, a_reset_ends_a_frame_that_a_job_brings, .timeout = 20)
{
	reset_under_a_frame(true);
}
