/* SPDX-License-Identifier: BSD-3-Clause */
/* What happens to commands under way when sessions, rings or the driver end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake/guest_virtq.h"
#include "harness.h"

#define S_STD _IOC_NR(VIDIOC_S_STD)

static struct h_reply reply;

static void
send_deferred(struct h *h, uint32_t session)
{
	uint64_t std = 1;

	h->backend->deferred = NULL;
	h_send_ioctl(h, session, S_STD, &std, sizeof(std), 0);
	h_pass(h, 2);
	cr_assert_not_null(h->backend->deferred);
}

static int
send_g_ctrl(struct h *h, uint32_t session)
{
	struct v4l2_control c = {.id = H_CTRL};

	return h_send_ioctl(h, session, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c));
}

static void
send_close(struct h *h, uint32_t session)
{
	struct virtio_media_cmd_close cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = session};

	h_send(h, &cmd, sizeof(cmd), 0);
}

static void
send_mmap(struct h *h, uint32_t session)
{
	struct virtio_media_cmd_mmap cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP, .session_id = session};

	h_send(h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_mmap));
	h_pass(h, 2);
}

/* proves: S-9 B7 */
Test(device_inflight, commands_behind_a_waiting_close_are_refused)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);

	send_deferred(h, s);
	send_close(h, s);
	send_g_ctrl(h, s);
	send_close(h, s);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), 0); /* S_STD */
	cr_assert_eq(h_recv(h, &reply), 0); /* CLOSE */
	cr_assert_eq(reply.len, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 8);
	cr_assert_eq(reply.hdr.status, EINVAL);
	cr_assert_eq(h_recv(h, &reply), 0); /* CLOSE of nothing */
	cr_assert_eq(reply.len, 0);
	cr_assert_eq(h->device->first_free, 0);
	/* The session's memory is used again, by one that knows nothing of them. */
	s = h_open(h);
	send_g_ctrl(h, s);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	h_destroy(h);
}

Test(device_inflight, commands_behind_a_close_behind_a_late_job_are_refused)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	uint32_t s = h_open(h), i;

	send_deferred(h, s);
	send_close(h, s);
	send_g_ctrl(h, s);
	h_pass(h, 2);
	usleep(25000);
	for (i = 0; i < 3; i++) {
		cr_assert_eq(h_recv(h, &reply), 0);
	}
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

Test(device_inflight, frames_flow_when_streamon_had_to_wait)
{
	struct h *h = h_create(NULL);
	struct v4l2_requestbuffers rb = {
		.count = 1, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	uint32_t s = h_open(h), type = V4L2_BUF_TYPE_VIDEO_CAPTURE, i;
	uint8_t event[H_EVENT_SIZE];

	h->backend->frames_allowed = 1;
	h_post_events(h, 1, H_EVENT_SIZE);
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_REQBUFS), &rb, sizeof(rb), sizeof(rb));
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_QBUF), &b, sizeof(b), sizeof(b));
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_STREAMON), &type, sizeof(type), 0);
	h_settle(h);
	for (i = 0; i < 3; i++) {
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.hdr.status, 0);
	}
	cr_assert_eq(h_event(h, event), H_EVENT_SIZE);
	h_destroy(h);
}

/* Stops the commandq and starts it where it stopped, as a memory table in between does: a split
 * ring goes on at its used index, a packed one at the base (rings.c of the transport). */
static void
pause_and_go_on(struct h *h, bool with_pause)
{
	struct virtq_config config = fake_guest_virtq(h->guest, DEVICE_COMMANDQ);
	uint16_t base = loopback_ring_stop(h->transport, DEVICE_COMMANDQ, TRANSPORT_CHANGE);

	if (with_pause) {
		h_pass(h, 4);
		usleep(1000);
		h_pass(h, 4);
	}
	config.kickfd = h->guest->queues[DEVICE_COMMANDQ].kickfd;
	config.used_base = base;
	if (!config.packed) {
		config.used_base = h->device->vqs[DEVICE_COMMANDQ].used_idx;
	}
	config.avail_base = config.used_base;
	cr_assert_eq(loopback_ring_start(h->transport, DEVICE_COMMANDQ, &config), 0);
}

static void
check_waiting_mmap_survives(bool packed)
{
	struct h *h = h_create(&(struct h_config){.packed = packed});
	uint32_t a = h_open(h), b = h_open(h), i;

	cr_assert_eq(h_reqbufs(h, a, 1), 1);
	h->no_window = true;
	send_mmap(h, a);
	send_g_ctrl(h, a); /* waits for it */
	send_g_ctrl(h, b); /* overtakes both */
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	pause_and_go_on(h, true);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	h->no_window = false;
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, sizeof(reply.mmap));
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	for (i = 0; i < 600; i++) { /* and the ring is right after several laps */
		send_g_ctrl(h, b);
		cr_assert_eq(h_recv(h, &reply), 0);
	}
	h_destroy(h);
}

Test(device_inflight, a_waiting_mmap_survives_a_pause_of_a_split_ring)
{
	check_waiting_mmap_survives(false);
}

Test(device_inflight, a_waiting_mmap_survives_a_pause_of_a_packed_ring)
{
	check_waiting_mmap_survives(true);
}

Test(device_inflight, a_window_that_comes_during_a_pause_is_told_afterwards)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h);

	cr_assert_eq(h_reqbufs(h, a, 1), 1);
	h->no_window = true;
	send_mmap(h, a);
	send_g_ctrl(h, a);
	h->no_window = false;
	pause_and_go_on(h, true);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, sizeof(reply.mmap));
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* proves: R-13 S-21 */
Test(device_inflight, nothing_is_written_for_a_stopped_ring_at_the_deadline)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h);

	cr_assert_eq(h_reqbufs(h, a, 1), 1);
	h_deadline(h, 20);
	h->no_window = true;
	send_mmap(h, a);
	loopback_ring_stop(h->transport, DEVICE_COMMANDQ, TRANSPORT_CHANGE);
	usleep(25000);
	h_pass(h, 4);
	cr_assert_eq(h->device->first_free, 1, "it waits for the ring, or for a reset");
	loopback_reset(h->transport);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* Stops the ring for good and claims that its position is its used index: nothing is under way. */
static void
stop_for_good(struct h *h)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint16_t base;

	h_pass(h, 2); /* it takes what was sent */
	base = loopback_ring_stop(h->transport, DEVICE_COMMANDQ, TRANSPORT_STOP);
	cr_assert_lt(clock_monotonic_ns() - start_ns, 1000 * NSEC_PER_MSEC);
	cr_assert_eq(base, h->device->vqs[DEVICE_COMMANDQ].used_idx);
}

Test(device_inflight, B6_a_stop_answers_an_mmap_whose_window_does_not_come)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h);

	cr_assert_eq(h_reqbufs(h, a, 1), 1);
	h->no_window = true;
	send_mmap(h, a);
	send_g_ctrl(h, a); /* waits for it */
	stop_for_good(h);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* proves: S-20 B45 */
Test(device_inflight, B5_a_stop_answers_a_deferred_command_long_before_its_deadline)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 4000});
	uint32_t a = h_open(h), b = h_open(h), i;

	send_deferred(h, a);
	send_g_ctrl(h, a); /* waits for it */
	send_g_ctrl(h, b); /* does not */
	stop_for_good(h);
	for (i = 0; i < 3; i++) {
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.hdr.status, reply.len == 8 ? EIO : 0);
	}
	cr_assert_eq(h->device->first_free, 1, "the slot waits for its owner");
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

Test(device_inflight, B5_commands_that_defer_during_a_stop_are_answered_by_its_end)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 4000});
	struct vmedia_request *first;
	uint64_t std = 1;
	uint32_t a = h_open(h);

	send_deferred(h, a);
	first = h->backend->deferred;
	h_send_ioctl(h, a, S_STD, &std, sizeof(std), 0);
	stop_for_good(h);
	cr_assert_neq(h->backend->deferred, first, "the second began during the stop");
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	vmedia_request_complete(first, 0);
	vmedia_request_complete(h->backend->deferred, 0);
	h_destroy(h);
}
