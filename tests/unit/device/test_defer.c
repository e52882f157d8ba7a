/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands answered later: deadline, order, close, quiescence. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

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

static void
send_g_ctrl(struct h *h, uint32_t session)
{
	struct v4l2_control c = {.id = H_CTRL};

	h_send_ioctl(h, session, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c));
}

Test(device_defer, a_deferred_command_is_answered_by_its_owner)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);

	send_deferred(h, s);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	vmedia_request_complete(h->backend->deferred, -ENODATA);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, ENODATA);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* proves: R-32 S-20 */
Test(device_defer, at_the_deadline_the_answer_is_eio_and_the_slot_stays_taken)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	uint32_t s = h_open(h);
	struct vmedia_request *late;

	send_deferred(h, s);
	late = h->backend->deferred;
	usleep(21000);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h->device->counters.nb_timed_out, 1);
	cr_assert_eq(late->state, REQUEST_EXPIRED);
	send_deferred(h, s);
	cr_assert_neq(h->backend->deferred, late);
	/* The late completion says nothing to the guest and frees the slot. */
	vmedia_request_complete(late, 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(late->state, REQUEST_FREE);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	h_destroy(h);
}

/* proves: R-33 */
Test(device_defer, later_commands_of_the_session_wait_and_others_do_not)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h), b = h_open(h);

	send_deferred(h, a);
	send_g_ctrl(h, a);
	send_g_ctrl(h, a);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	send_g_ctrl(h, b);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 8);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	h_destroy(h);
}

/* proves: R-32 S-20 */
Test(device_defer, a_command_that_waited_past_the_deadline_is_not_carried_out)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	struct v4l2_control c = {.id = H_CTRL, .value = 9};
	uint32_t s = h_open(h);

	send_deferred(h, s);
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_S_CTRL), &c, sizeof(c), sizeof(c));
	h_pass(h, 1);
	usleep(25000);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h->device->ctrls[0].value, 128);
	vmedia_request_complete(h->backend->deferred, 0);
	h_destroy(h);
}

/* proves: S-9 B7 */
Test(device_defer, close_waits_for_the_job_and_a_late_job_keeps_the_memory)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	uint32_t s = h_open(h);
	struct virtio_media_cmd_close cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = s};

	send_deferred(h, s);
	h_send(h, &cmd, sizeof(cmd), 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	usleep(25000);
	cr_assert_eq(h_recv(h, &reply), 0); /* S_STD: EIO */
	cr_assert_eq(h_recv(h, &reply), 0); /* CLOSE */
	cr_assert_eq(reply.len, 0);
	cr_assert_null(session_find(h->device, s));
	cr_assert(TAILQ_EMPTY(&h->device->free_sessions));
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_not(TAILQ_EMPTY(&h->device->free_sessions));
	h_destroy(h);
}

Test(device_defer, when_all_slots_are_taken_commands_wait_in_the_ring)
{
	struct h *h = h_create(NULL);
	struct vmedia_request *owners[DEVICE_NB_REQUESTS];
	uint32_t ids[DEVICE_NB_REQUESTS], i;

	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		ids[i] = h_open(h);
	}
	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		send_deferred(h, ids[i]);
		owners[i] = h->backend->deferred;
	}
	send_g_ctrl(h, ids[0]);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		vmedia_request_complete(owners[i], 0);
	}
	for (i = 0; i < DEVICE_NB_REQUESTS + 1; i++) {
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.hdr.status, 0);
	}
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

struct ext {
	struct v4l2_ext_controls e;
	struct v4l2_ext_control c;
} __attribute__((packed));

static void
send_ext(struct h *h, uint32_t session, int32_t value)
{
	struct ext in = {.e = {.count = 1}, .c = {.id = H_CTRL, .value = value}};

	h_send_ioctl(h, session, _IOC_NR(VIDIOC_G_EXT_CTRLS), &in, sizeof(in), sizeof(in));
	h_pass(h, 2);
}

Test(device_defer, controls_of_deferred_commands_are_kept_apart)
{
	struct h *h = h_create(NULL);
	struct vmedia_request *owners[DEVICE_NB_SPARES];
	uint32_t ids[DEVICE_NB_SPARES + 1], i;
	struct ext out;

	h->backend->defer_ctrls = true;
	for (i = 0; i < DEVICE_NB_SPARES + 1; i++) {
		ids[i] = h_open(h);
	}
	for (i = 0; i < DEVICE_NB_SPARES; i++) {
		send_ext(h, ids[i], (int32_t)(100 + i));
		owners[i] = h->backend->deferred;
	}
	/* One more than there is memory for. */
	send_ext(h, ids[i], 1);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EBUSY);
	cr_assert_eq(reply.len, 8 + sizeof(out));
	vmedia_request_complete(h->backend->deferred, 0);
	for (i = 0; i < DEVICE_NB_SPARES; i++) {
		vmedia_request_complete(owners[i], 0);
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.len, 8 + sizeof(out));
		memcpy(&out, reply.bytes + 8, sizeof(out));
		cr_assert_eq(out.c.value, (int32_t)(100 + i));
	}
	cr_assert_eq(h->device->nb_spares, DEVICE_NB_SPARES);
	h_destroy(h);
}

static void
quiet(void *arg)
{
	*(bool *)arg = true;
}

/* proves: S-21 */
Test(device_defer, quiescence_waits_for_what_holds_guest_memory)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h), b = h_open(h);
	bool is_quiet = false;

	send_deferred(h, a);
	device_listener.quiesce(h->device, TRANSPORT_CHANGE, quiet, &is_quiet);
	h_pass(h, 3);
	cr_assert_not(is_quiet);
	send_g_ctrl(h, b);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN); /* no new commands */
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_not(is_quiet, "who completes may be at its buffers");
	h_pass(h, 1);
	cr_assert(is_quiet);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 8);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	device_listener.resume(h->device);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	h_destroy(h);
}

Test(device_defer, quiescence_ends_by_the_deadline)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	uint32_t s = h_open(h);
	bool is_quiet = false;

	send_deferred(h, s);
	send_g_ctrl(h, s);
	h_pass(h, 1);
	device_listener.quiesce(h->device, TRANSPORT_CHANGE, quiet, &is_quiet);
	usleep(25000);
	h_pass(h, 2);
	cr_assert(is_quiet);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN); /* what waited does so still */
	device_listener.resume(h->device);
	cr_assert_eq(h_recv(h, &reply), 0);
	vmedia_request_complete(h->backend->deferred, 0);
	h_destroy(h);
}

Test(device_defer, a_reset_forgets_deferred_commands)
{
	struct h *h = h_create(&(struct h_config){.deadline_ms = 20});
	uint32_t s = h_open(h);

	send_deferred(h, s);
	loopback_reset(h->transport);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
	h_start(h);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_neq(h_open(h), s);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* proves: R-43 */
Test(device_defer, commands_sent_after_a_waiting_close_find_no_session)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	struct virtio_media_cmd_close cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = s};

	send_deferred(h, s);
	h_send(h, &cmd, sizeof(cmd), 0);
	send_g_ctrl(h, s);
	h_send(h, &cmd, sizeof(cmd), 0);
	h_pass(h, 1);
	vmedia_request_complete(h->backend->deferred, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 8);
	cr_assert_eq(reply.hdr.status, EINVAL);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 0);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}

/* What the deadline of an MMAP lets go on may have to wait itself; that has a deadline, too. */
Test(device_defer, a_close_behind_an_mmap_that_is_given_up_is_answered, .timeout = 10)
{
	struct h *h = h_create(&(struct h_config){.drain_ms = 20});
	uint32_t s = h_open(h);
	struct virtio_media_cmd_mmap mmap = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP, .session_id = s, .flags = 1};
	struct virtio_media_cmd_close close = {.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = s};
	uint64_t end_ns = clock_monotonic_ns() + NSEC_PER_SEC;

	h->no_window = true;
	h_post_events(h, 1, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 1; /* its event is not acknowledged: CLOSE has to wait */
	h->device->backend_due_tsc = 0;
	h_pass(h, 2);
	h_deadline(h, 20);
	h_send(h, &mmap, sizeof(mmap), sizeof(reply.mmap));
	h_send(h, &close, sizeof(close), 0);
	h_pass(h, 2);
	usleep(21000);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	while (h_recv(h, &reply) != 0) {
		cr_assert_lt(clock_monotonic_ns(), end_ns);
	}
	cr_assert_eq(reply.len, 0);
	h_destroy(h);
}
