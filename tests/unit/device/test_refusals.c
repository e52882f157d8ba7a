/* SPDX-License-Identifier: BSD-3-Clause */
/* Each reason to refuse something has one provocation here, which moves its counter and no other.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "harness.h"

/* A reason without one does not compile. */
#define X(name, help) static void provoke_##name(struct h *h);
DEVICE_REFUSALS(X)
#undef X

enum reason {
#define X(name, help) REASON_##name,
	DEVICE_REFUSALS(X)
#undef X
	NB_REASONS
};

static const struct {
	const char *name;
	void (*provoke)(struct h *h);
} reasons[NB_REASONS] = {
#define X(name, help) {#name, provoke_##name},
	DEVICE_REFUSALS(X)
#undef X
};

static const struct h_config configs[NB_REASONS] = {
	[REASON_endless_chain] = {.packed = true},
	[REASON_deadline] = {.deadline_ms = 20},
	[REASON_quota_sessions] = {.max_sessions = 1},
	[REASON_quota_windows] = {.max_windows = 1},
	[REASON_arena_full] = {.arena_bytes = 2 * SHM_GRANULE_BYTES},
};

static struct h_reply reply;

static void
provoke_bad_chains(struct h *h)
{
	struct fake_desc outside = {1ULL << 60, 8, 0, 0};

	fake_guest_raw(h->guest, DEVICE_COMMANDQ, 0, &outside, 1);
	cr_assert_eq(h_recv(h, &reply), 0);
}

static void
provoke_avail_jumped(struct h *h)
{
	((uint16_t *)h->guest->queues[DEVICE_COMMANDQ].driver)[1] = 30000;
	h_pass(h, 2);
}

static void
provoke_bad_head(struct h *h)
{
	struct vring_avail *avail = h->guest->queues[DEVICE_COMMANDQ].driver;
	uint16_t size = h->guest->queues[DEVICE_COMMANDQ].size;

	avail->ring[avail->idx % size] = size;
	avail->idx++;
	h_pass(h, 2);
}

static void
provoke_endless_chain(struct h *h)
{
	struct vring_packed_desc *ring = h->guest->queues[DEVICE_COMMANDQ].desc;
	uint64_t gpa = fake_guest_gpa(h->guest, fake_guest_alloc(h->guest, 0, 64));

	for (unsigned int i = 0; i < h->guest->queues[DEVICE_COMMANDQ].size; i++) {
		ring[i] = (struct vring_packed_desc){
			gpa, 1, 0, VRING_DESC_F_NEXT | 1 << VRING_PACKED_DESC_F_AVAIL};
	}
	h_pass(h, 2);
}

static void
provoke_memory_lost(struct h *h)
{
	atomic_fetch_or(&h->device->lost, DEVICE_LOST_GUEST);
	h_pass(h, 2);
}

static void
provoke_unknown_command(struct h *h)
{
	uint32_t cmd[4] = {77};

	cr_assert_eq(h_cmd(h, cmd, sizeof(cmd), 8, NULL), -ENOTTY);
}

static void
provoke_short_command(struct h *h)
{
	cr_assert_eq(h_cmd(h, "abc", 3, 8, NULL), -EINVAL);
}

static void
provoke_no_room(struct h *h)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};

	h_cmd(h, &cmd, sizeof(cmd), 7, &reply);
	cr_assert_eq(reply.len, 0);
}

static void
provoke_small_event(struct h *h)
{
	uint32_t s = h_open(h);

	h_post_events(h, 1, 16);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 1;
	h->device->backend_due_tsc = 0;
	h_pass(h, 3);
}

static void
provoke_no_session(struct h *h)
{
	struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

	cr_assert_eq(h_ioctl(h, 99, _IOC_NR(VIDIOC_G_FMT), &f, sizeof(f), sizeof(f)), -EINVAL);
}

static void
provoke_unsupported_ioctl(struct h *h)
{
	cr_assert_eq(h_ioctl(h, h_open(h), 61, NULL, 0, 0), -ENOTTY);
}

static void
provoke_bad_payload(struct h *h)
{
	struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

	cr_assert_eq(h_ioctl(h, h_open(h), _IOC_NR(VIDIOC_G_FMT), &f, 4, sizeof(f)), -EINVAL);
}

static void
provoke_no_mapping(struct h *h)
{
	cr_assert_eq(h_munmap(h, SHM_GRANULE_BYTES), -EINVAL);
}

/* QBUF of a buffer in nb pieces of guest memory, `step` apart. */
static int
queue_pages(struct h *h, uint64_t gpa, unsigned int nb, uint32_t step)
{
	struct v4l2_requestbuffers rb = {
		1, V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_MEMORY_USERPTR, 0, 0, {0}};
	struct {
		struct v4l2_buffer b;
		struct virtio_media_sg_entry sg[128];
	} ask = {.b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
			 .memory = V4L2_MEMORY_USERPTR,
			 .length = H_SIZE}};
	uint32_t s = h_open(h);

	cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	for (unsigned int i = 0; i < nb; i++) {
		ask.sg[i] = (struct virtio_media_sg_entry){
			.start = gpa + (uint64_t)i * step, .len = H_SIZE / nb};
	}
	return h_ioctl(h, s, _IOC_NR(VIDIOC_QBUF), &ask, sizeof(ask.b) + nb * sizeof(ask.sg[0]),
		sizeof(ask.b));
}

static void
provoke_unmapped_address(struct h *h)
{
	cr_assert_eq(queue_pages(h, 1ULL << 60, 1, 0), -EINVAL);
}

static void
provoke_too_many_pieces(struct h *h)
{
	void *memory = fake_guest_alloc(h->guest, 1, 3 * H_SIZE);

	cr_assert_eq(queue_pages(h, fake_guest_gpa(h->guest, memory), 128, 64), -ENOMEM);
}

static void
provoke_quota_sessions(struct h *h)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};

	h_open(h);
	cr_assert_eq(h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.open), NULL), -EMFILE);
}

static void
provoke_quota_windows(struct h *h)
{
	uint32_t s = h_open(h);
	uint64_t addr;

	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_mmap(h, s, 0, 1, &addr), 0);
	cr_assert_eq(h_mmap(h, s, SHM_GRANULE_BYTES, 1, &addr), -ENOMEM);
}

static void
provoke_quota_bytes(struct h *h)
{
	h->device->quota.max_session_bytes = SHM_GRANULE_BYTES;
	cr_assert_eq(h_reqbufs(h, h_open(h), 2), 1);
}

static void
provoke_quota_subscriptions(struct h *h)
{
	uint32_t s = h_open(h);

	h->device->quota.max_subscriptions = 1;
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), -ENOMEM);
}

static void
provoke_quota_deferred(struct h *h)
{
	struct {
		struct v4l2_ext_controls e;
		struct v4l2_ext_control c;
	} arg = {.e = {.count = 1}, .c = {.id = H_CTRL}};

	h->backend->defer_ctrls = true;
	for (unsigned int i = 0; i <= DEVICE_NB_SPARES; i++) {
		h_send_ioctl(
			h, h_open(h), _IOC_NR(VIDIOC_G_EXT_CTRLS), &arg, sizeof(arg), sizeof(arg));
		h_pass(h, 2);
	}
	for (unsigned int i = 0; i < DEVICE_NB_REQUESTS; i++) {
		struct vmedia_request *request = &h->device->requests[i];

		if (request->state == REQUEST_DEFERRED || request->state == REQUEST_EXPIRED) {
			vmedia_request_complete(request, 0);
		}
	}
}

static void
provoke_arena_full(struct h *h)
{
	h->device->quota.max_session_bytes = UINT64_MAX / 2;
	cr_assert_eq(h_reqbufs(h, h_open(h), 3), 2);
}

static void
provoke_deadline(struct h *h)
{
	uint64_t std = 1;

	h_send_ioctl(h, h_open(h), _IOC_NR(VIDIOC_S_STD), &std, sizeof(std), 0);
	h_pass(h, 2);
	usleep(21000);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, EIO);
	vmedia_request_complete(h->backend->deferred, 0);
}

static struct device_refusals
refused(const struct h *h)
{
	struct device_stats stats;

	device_stats(h->device, &stats);
	return stats.refused;
}

Test(device_refusals, each_reason_moves_its_counter_and_no_other, .timeout = 60)
{
	log_set_level("device:err");
	for (unsigned int i = 0; i < NB_REASONS; i++) {
		struct h *h = h_create(&configs[i]);
		struct device_refusals before = refused(h), after;
		const uint64_t *b = (const uint64_t *)&before, *a = (const uint64_t *)&after;

		reasons[i].provoke(h);
		after = refused(h);
		for (unsigned int j = 0; j < NB_REASONS; j++) {
			cr_assert_eq(a[j] > b[j], i == j, "%s moved %s by %llu", reasons[i].name,
				reasons[j].name, (unsigned long long)(a[j] - b[j]));
		}
		h_destroy(h);
	}
}
