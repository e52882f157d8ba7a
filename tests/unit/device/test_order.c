/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What becomes visible to the driver before what. The linker puts a
 * function of ours in front of virtq_flush, which is the moment at which a driver sees used
 * entries.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define NB_FLUSHES 64
#define NR(name)   _IOC_NR(VIDIOC_##name)

static struct h *h;
static unsigned int flushed[NB_FLUSHES], nb_flushed;

void __real_virtq_flush(struct virtq *vq);
void __wrap_virtq_flush(struct virtq *vq);

void
__wrap_virtq_flush(struct virtq *vq)
{
	if (h != NULL && vq->started && vq->nb_unflushed > 0 && nb_flushed < NB_FLUSHES) {
		flushed[nb_flushed++] = (unsigned int)(vq - h->device->vqs);
	}
	__real_virtq_flush(vq);
}

/* The ioctl in one pass; which queues were flushed meanwhile, in order. */
static void
expect_order(const unsigned int order[2], uint32_t session, uint32_t nr, void *arg, size_t in,
	size_t out)
{
	static struct h_reply reply;

	h_pass(h, 2);
	nb_flushed = 0;
	h_send_ioctl(h, session, nr, arg, in, out);
	reactor_pass(h->reactor);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(nb_flushed, 2, "%u flushes", nb_flushed);
	cr_assert_arr_eq(flushed, order, 2 * sizeof(order[0]));
	memcpy(arg, reply.bytes + sizeof(reply.hdr), out);
}

static const unsigned int event_first[] = {DEVICE_EVENTQ, DEVICE_COMMANDQ};
static const unsigned int answer_first[] = {DEVICE_COMMANDQ, DEVICE_EVENTQ};

static void
check_causes(const struct h_config *config)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL,
		.id = H_CTRL,
		.flags = V4L2_EVENT_SUB_FL_SEND_INITIAL | V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK};
	struct v4l2_control c = {.id = H_CTRL, .value = 17};
	uint32_t s;

	h = h_create(config);
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
	expect_order(event_first, s, NR(SUBSCRIBE_EVENT), &sub, sizeof(sub), 0);
	expect_order(event_first, s, NR(S_CTRL), &c, sizeof(c), sizeof(c));
	h_destroy(h);
	h = NULL;
}

/* proves: R-76 */
Test(device_order, what_a_command_causes_is_published_before_its_answer)
{
	check_causes(NULL);
	check_causes(&(struct h_config){.packed = true});
}

Test(device_order, a_frame_is_published_behind_the_answer_of_its_qbuf)
{
	struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	uint32_t s;

	h = h_create(NULL);
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 1;
	expect_order(answer_first, s, NR(QBUF), &b, sizeof(b), sizeof(b));
	cr_assert(b.flags & V4L2_BUF_FLAG_QUEUED);
	h_destroy(h);
	h = NULL;
}

static void
finish_at_once(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	vmedia_buffer_done(buffer);
}

/* proves: R-67 */
Test(device_order, the_answer_of_qbuf_says_queued_even_when_it_is_done_at_once)
{
	struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct vmedia_backend_ops eager = h_backend_ops;
	struct h *one;
	uint32_t s;

	eager.buf_queue = finish_at_once;
	one = h_create(&(struct h_config){.backend = &eager});
	s = h_open(one);
	h_post_events(one, 16, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(one, s, 1), 1);
	cr_assert_eq(h_stream(one, s, true), 0);
	cr_assert_eq(h_ioctl(one, s, NR(QBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert_eq(b.flags & (V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE), V4L2_BUF_FLAG_QUEUED);
	h_destroy(one);
}

/* proves: R-84 B16 */
Test(device_order, one_notification_covers_the_events_of_a_pass)
{
	struct h *one = h_create(NULL);
	uint8_t event[H_EVENT_SIZE];
	uint32_t s = h_open(one), i;

	h_post_events(one, 16, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(one, s, 4), 4);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(h_qbuf(one, s, i), 0);
	}
	cr_assert_eq(h_stream(one, s, true), 0);
	fake_guest_nb_calls(one->guest, DEVICE_EVENTQ);
	one->backend->frames_allowed = 4;
	one->device->backend_due_tsc = 0;
	h_pass(one, 4);
	cr_assert_eq(fake_guest_nb_calls(one->guest, DEVICE_EVENTQ), 1);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(h_event(one, event), H_EVENT_SIZE);
	}
	h_destroy(one);
}
