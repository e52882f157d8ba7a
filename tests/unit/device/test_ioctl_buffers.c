/* SPDX-License-Identifier: BSD-3-Clause */
/* REQBUFS, CREATE_BUFS, QUERYBUF, QBUF, PREPARE_BUF, STREAMON, STREAMOFF. */
#include <criterion/criterion.h>
#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "base/compiler.h"
#include "harness.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define BUF_CAPS                                                      \
	(V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_USERPTR | \
		V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS)
#define NR(name) _IOC_NR(VIDIOC_##name)

static struct h *h;
static uint32_t s;

static void
setup(const struct h_config *config)
{
	h = h_create(config);
	s = h_open(h);
}

/* The leak check: whatever a test did, afterwards nothing is left. */
static void
teardown(void)
{
	struct shm_arena_usage usage;

	h_close(h, s);
	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	cr_assert_eq(usage.nb_ranges, 0);
	h_destroy(h);
}

static int
reqbufs(uint32_t session, struct v4l2_requestbuffers *rb)
{
	return h_ioctl(h, session, NR(REQBUFS), rb, sizeof(*rb), sizeof(*rb));
}

static int
create_bufs(struct v4l2_create_buffers *create)
{
	return h_ioctl(h, s, NR(CREATE_BUFS), create, sizeof(*create), sizeof(*create));
}

static int
buffer_ioctl(uint32_t code, struct v4l2_buffer *b)
{
	return h_ioctl(h, s, code, b, sizeof(*b), sizeof(*b));
}

static struct v4l2_buffer
ask(uint32_t index)
{
	return (struct v4l2_buffer){.index = index, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
}

/* proves: R-63 R-73 */
Test(ioctl_buffers, reqbufs_answers_count_type_memory_capabilities_and_flags_zero)
{
	struct v4l2_requestbuffers rb = {
		.count = 5, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP, .flags = 1};

	setup(NULL);
	rb.reserved[0] = 9;
	cr_assert_eq(reqbufs(s, &rb), 0);
	cr_assert_eq(rb.count, 5);
	cr_assert_eq(rb.type, CAPTURE);
	cr_assert_eq(rb.memory, V4L2_MEMORY_MMAP);
	cr_assert_eq(rb.capabilities, BUF_CAPS);
	cr_assert_eq(rb.flags, 0);
	cr_assert_eq(rb.reserved[0], 0);
	teardown();
}

/* proves: R-63 S-6 */
Test(ioctl_buffers, reqbufs_gives_at_most_32_and_zero_frees_them)
{
	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, UINT32_MAX), 32);
	cr_assert_eq(h_allocated(h), 32 * 65536);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(h_allocated(h), 0);
	teardown();
}

Test(ioctl_buffers, reqbufs_again_reuses_what_the_first_one_had)
{
	int i;

	/* Room for 32 buffers only: the second set must wait for the frees of the first. */
	setup(&(struct h_config){.arena_bytes = 32 * 65536});
	for (i = 0; i < 20; i++) {
		cr_assert_eq(h_reqbufs(h, s, 32), 32, "round %d", i);
	}
	cr_assert_eq(h_allocated(h), 32 * 65536);
	teardown();
}

/* proves: R-59 R-73 R-101 S-19 */
Test(ioctl_buffers, reqbufs_of_other_memory_and_types_is_einval)
{
	uint32_t x;

	setup(NULL);
	for (x = 0; x < 20; x++) {
		struct v4l2_requestbuffers rb = {.count = 1, .type = x, .memory = V4L2_MEMORY_MMAP};

		cr_assert_eq(reqbufs(s, &rb), x == CAPTURE ? 0 : -EINVAL, "type %u", x);
		rb = (struct v4l2_requestbuffers){.count = 1, .type = CAPTURE, .memory = x};
		cr_assert_eq(reqbufs(s, &rb),
			x == V4L2_MEMORY_MMAP || x == V4L2_MEMORY_USERPTR ? 0 : -EINVAL,
			"memory %u", x);
	}
	teardown();
}

Test(ioctl_buffers, pages_of_the_guest_are_refused_where_the_device_does_not_take_them)
{
	struct v4l2_requestbuffers rb = {
		.count = 1, .type = CAPTURE, .memory = V4L2_MEMORY_USERPTR};
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_USERPTR};

	setup(&(struct h_config){.no_shared_pages = true});
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(reqbufs(s, &rb), -EINVAL);
	cr_assert_eq(create_bufs(&create), -EINVAL);
	rb.memory = V4L2_MEMORY_MMAP;
	cr_assert_eq(reqbufs(s, &rb), 0);
	cr_assert_not(rb.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
	teardown();
}

/* proves: R-63 */
Test(ioctl_buffers, a_full_arena_gives_fewer_buffers_and_then_enomem)
{
	struct v4l2_create_buffers create = {.count = 3, .memory = V4L2_MEMORY_MMAP};

	setup(&(struct h_config){.arena_bytes = 8 * 65536});
	cr_assert_eq(h_reqbufs(h, s, 32), 8);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(create_bufs(&create), -ENOMEM);
	cr_assert_eq(h_qbuf(h, s, 7), 0);
	cr_assert_eq(h_qbuf(h, s, 8), -EINVAL);
	teardown();
}

/* proves: S-14 B9 */
Test(ioctl_buffers, the_quota_of_a_session_gives_fewer_buffers_and_then_enomem)
{
	setup(NULL);
	h->device->quota.max_session_bytes = 3 * 65536 + 65535;
	cr_assert_eq(h_reqbufs(h, s, 8), 3);
	cr_assert_geq(h->device->counters.nb_quota, 1);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(h_reqbufs(h, s, 3), 3);
	h->device->quota.max_session_bytes = 65535;
	cr_assert_eq(h_reqbufs(h, s, 1), -ENOMEM);
	teardown();
}

/* proves: R-63 B29 */
Test(ioctl_buffers, reqbufs_while_streaming_is_ebusy_for_any_count)
{
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_MMAP};

	setup(NULL);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(h_reqbufs(h, s, 4), -EBUSY);
	cr_assert_eq(h_reqbufs(h, s, 0), -EBUSY);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(create_bufs(&create), -EBUSY);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	teardown();
}

/* proves: R-38 R-44 */
Test(ioctl_buffers, only_one_session_owns_the_buffers_of_a_camera)
{
	uint32_t other;

	setup(NULL);
	other = h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_reqbufs(h, other, 2), -EBUSY);
	cr_assert_eq(h_reqbufs(h, other, 0), -EBUSY);
	cr_assert_eq(h_stream(h, other, true), -EBUSY);
	cr_assert_eq(h_qbuf(h, other, 0), -EINVAL);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(h_reqbufs(h, other, 2), 2);
	cr_assert_eq(h_reqbufs(h, s, 2), -EBUSY);
	h_close(h, other);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	teardown();
}

/* proves: R-44 B3 */
Test(ioctl_buffers, every_session_of_an_m2m_node_has_its_own_buffers)
{
	uint32_t other;

	setup(&(struct h_config){.m2m = true});
	other = h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_reqbufs(h, other, 3), 3);
	cr_assert_eq(h_qbuf(h, s, 2), -EINVAL);
	cr_assert_eq(h_qbuf(h, other, 2), 0);
	h_close(h, other);
	teardown();
}

/* proves: R-64 B37 */
Test(ioctl_buffers, create_bufs_continues_at_the_old_total_and_zero_only_probes)
{
	struct v4l2_create_buffers create = {.memory = V4L2_MEMORY_MMAP, .index = 77, .flags = 3};
	struct v4l2_buffer b = ask(4);

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 3), 3);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(create_bufs(&create), 0);
	cr_assert_eq(create.index, 3);
	cr_assert_eq(create.count, 0);
	cr_assert_eq(create.flags, 0);
	cr_assert_eq(create.capabilities, BUF_CAPS);
	create.count = 2;
	create.format.fmt.pix.sizeimage = 3 * 65536;
	cr_assert_eq(create_bufs(&create), 0);
	cr_assert_eq(create.index, 3);
	cr_assert_eq(create.count, 2);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_eq(b.length, 3 * 65536);
	cr_assert_eq(h_allocated(h), (3 + 2 * 3) * 65536);
	create.count = 100;
	cr_assert_eq(create_bufs(&create), 0);
	cr_assert_leq(create.index + create.count, 32);
	teardown();
}

/* proves: R-73 S-18 B37 */
Test(ioctl_buffers, create_bufs_smaller_than_the_format_or_of_no_memory_is_einval)
{
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_MMAP};

	setup(NULL);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE - 1;
	cr_assert_eq(create_bufs(&create), -EINVAL);
	create.format.fmt.pix.sizeimage = 0;
	cr_assert_eq(create_bufs(&create), -EINVAL);
	create.format.fmt.pix.sizeimage = UINT32_MAX;
	cr_assert_eq(create_bufs(&create), -ENOMEM);
	create.format.fmt.pix.sizeimage = H_SIZE;
	create.memory = V4L2_MEMORY_DMABUF;
	cr_assert_eq(create_bufs(&create), -EINVAL);
	create.count = 0;
	cr_assert_eq(create_bufs(&create), -EINVAL);
	create.memory = V4L2_MEMORY_MMAP;
	create.format.type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	cr_assert_eq(create_bufs(&create), -EINVAL);
	teardown();
}

Test(ioctl_buffers, create_bufs_without_room_in_the_queue_is_enobufs)
{
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_MMAP};

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 32), 32);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(create_bufs(&create), -ENOBUFS);
	teardown();
}

/* proves: R-65 R-74 S-18 B35 */
Test(ioctl_buffers, querybuf_tells_length_offset_and_state)
{
	struct v4l2_buffer b = ask(1);
	uint64_t addr;

	setup(NULL);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), -EINVAL);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_eq(b.length, H_SIZE);
	cr_assert_eq(b.m.offset % 65536, 0);
	cr_assert_eq(b.flags, V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	cr_assert_eq(h_mmap(h, s, b.m.offset, 1, &addr), 0);
	cr_assert_eq(h_qbuf(h, s, 1), 0);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_eq(b.flags,
		V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_MAPPED);
	cr_assert_eq(h_munmap(h, addr), 0);
	b = ask(2);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), -EINVAL);
	b = ask(0);
	b.type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), -EINVAL);
	teardown();
}

Test(ioctl_buffers, a_done_buffer_without_a_descriptor_is_done_in_querybuf_and_not_after)
{
	struct v4l2_buffer b = ask(0);
	uint8_t event[H_EVENT_SIZE];

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 1;
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_eq(b.flags & (V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_QUEUED), V4L2_BUF_FLAG_DONE);
	cr_assert_eq(h_qbuf(h, s, 0), -EINVAL);
	h_post_events(h, 1, H_EVENT_SIZE);
	h_pass(h, 2);
	cr_assert_eq(h_event(h, event), H_EVENT_SIZE);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_not(b.flags & V4L2_BUF_FLAG_DONE);
	teardown();
}

/* proves: R-66 R-68 R-101 S-23 B29 */
Test(ioctl_buffers, qbuf_refuses_what_vb2_refuses_and_changes_nothing_then)
{
	struct v4l2_buffer b;

	setup(NULL);
	cr_assert_eq(h_qbuf(h, s, 0), -EINVAL);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	b = ask(0);
	b.memory = V4L2_MEMORY_DMABUF;
	cr_assert_eq(buffer_ioctl(NR(QBUF), &b), -EINVAL);
	b = ask(0);
	b.flags = V4L2_BUF_FLAG_REQUEST_FD;
	cr_assert_eq(buffer_ioctl(NR(QBUF), &b), -EBADR);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_qbuf(h, s, 0), -EINVAL);
	b = ask(1);
	cr_assert_eq(buffer_ioctl(NR(PREPARE_BUF), &b), 0);
	cr_assert(b.flags & V4L2_BUF_FLAG_PREPARED);
	cr_assert_eq(buffer_ioctl(NR(PREPARE_BUF), &b), -EINVAL);
	cr_assert_eq(h_qbuf(h, s, 1), 0);
	cr_assert_eq(h->backend->nb_started, 0);
	teardown();
}

/* There is no cache to keep coherent: who gives a hint is told that it was not taken, as vb2 does
 * without V4L2_BUF_CAP_SUPPORTS_MMAP_CACHE_HINTS. */
Test(ioctl_buffers, cache_hints_are_taken_off_again)
{
	const uint32_t hints = V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | V4L2_BUF_FLAG_NO_CACHE_CLEAN;
	static const unsigned int ioctls[] = {NR(PREPARE_BUF), NR(QBUF)};
	struct v4l2_buffer b;

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	for (uint32_t i = 0; i < 2; i++) {
		b = ask(i);
		b.flags = hints;
		cr_assert_eq(buffer_ioctl(ioctls[i], &b), 0);
		cr_assert_eq(b.flags & hints, 0);
		b = ask(i);
		cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
		cr_assert_eq(b.flags & hints, 0);
	}
	teardown();
}

/* proves: R-70 */
Test(ioctl_buffers, streamon_needs_buffers_and_both_ends_are_idempotent)
{
	setup(NULL);
	cr_assert_eq(h_stream(h, s, true), -EINVAL);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(h->backend->nb_started, 1);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h->backend->nb_stopped, 1);
	teardown();
}

/* proves: R-70 B5 */
Test(ioctl_buffers, streamoff_takes_back_queued_and_unpublished_buffers)
{
	uint8_t event[H_EVENT_SIZE];
	uint32_t i;

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(h_qbuf(h, s, i), 0);
	}
	h->backend->frames_allowed = 2;
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(h->device->nb_pending, 2);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h->device->nb_pending, 0);
	cr_assert_eq(h->device->counters.nb_cancelled, 4);
	h_post_events(h, 8, H_EVENT_SIZE);
	h->backend->frames_allowed = 8;
	h_pass(h, 4);
	cr_assert_eq(h_event(h, event), -EAGAIN);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(h_qbuf(h, s, i), 0);
	}
	teardown();
}

Test(ioctl_buffers, buffers_queued_without_streamon_leave_the_backend_with_streamoff_or_reqbufs)
{
	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert(TAILQ_EMPTY(&h->backend->queued));
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert(TAILQ_EMPTY(&h->backend->queued));
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	teardown(); /* CLOSE does it, too */
}

/* proves: R-92 R-93 S-11 B3 */
Test(ioctl_buffers, a_mapped_buffer_outlives_reqbufs_and_close_until_munmap)
{
	struct v4l2_buffer b = ask(0);
	uint64_t addr;
	uint8_t *bytes;
	uint32_t again;

	setup(NULL);
	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
	cr_assert_eq(h_mmap(h, s, b.m.offset, 1, &addr), 0);
	bytes = shm_arena_addr(h->device->arena, b.m.offset);
	memset(bytes, 0x5a, H_SIZE);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(h_allocated(h), 65536);
	cr_assert_eq(h_reqbufs(h, s, 31), 31); /* none of them may be the orphan */
	cr_assert_eq(bytes[0], 0x5a);
	cr_assert_eq(bytes[H_SIZE - 1], 0x5a);
	h_close(h, s);
	again = h_open(h);
	cr_assert_eq(h_allocated(h), 65536);
	cr_assert_eq(bytes[0], 0x5a);
	cr_assert_eq(h_munmap(h, addr), 0);
	cr_assert_eq(h_allocated(h), 0);
	cr_assert_eq(h_munmap(h, addr), -EINVAL);
	s = again;
	teardown();
}

/* proves: R-95 S-17 */
Test(ioctl_buffers, new_buffers_are_zero_also_where_others_have_been)
{
	struct v4l2_buffer b;
	uint32_t round, i, k;

	setup(&(struct h_config){.arena_bytes = 4 * 65536});
	for (round = 0; round < 4; round++) {
		cr_assert_eq(h_reqbufs(h, s, 4), 4);
		for (i = 0; i < 4; i++) {
			uint8_t *bytes;

			b = ask(i);
			cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), 0);
			bytes = shm_arena_addr(h->device->arena, b.m.offset);
			for (k = 0; k < 65536; k++) {
				cr_assert_eq(bytes[k], 0);
			}
			memset(bytes, 0xff, 65536);
		}
	}
	teardown();
}

Test(ioctl_buffers, later_commands_of_the_session_wait_for_reqbufs)
{
	struct v4l2_requestbuffers rb = {.count = 2, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_buffer b = ask(1);
	static struct h_reply reply;

	setup(NULL);
	h_send_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));
	h_send_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b));
	h_settle(h);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(reply.len, 8 + sizeof(rb));
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	cr_assert_eq(reply.len, 8 + sizeof(b));
	teardown();
}

Test(ioctl_buffers, a_reset_in_the_middle_of_reqbufs_leaves_nothing)
{
	struct v4l2_requestbuffers rb = {.count = 32, .type = CAPTURE, .memory = V4L2_MEMORY_MMAP};
	unsigned int i;

	setup(NULL);
	for (i = 0; i < 50; i++) {
		h_send_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));
		h_pass(h, 1 + i % 3);
		loopback_reset(h->transport);
		fake_guest_reset(h->guest, 0);
		fake_guest_reset(h->guest, 1);
		h_settle(h);
		cr_assert_eq(h_allocated(h), 0, "round %u", i);
		h_start(h);
		s = h_open(h);
	}
	teardown();
}

/* Keeps the offload thread busy until the test says so. */
struct blocker {
	struct vmedia_job job;
	sem_t go;
	bool done;
};

static void
blocker_run(struct vmedia_job *job)
{
	sem_wait(&container_of(job, struct blocker, job)->go);
}

static void
blocker_done(struct vmedia_job *job)
{
	container_of(job, struct blocker, job)->done = true;
}

/* What came too late is given back, and the session goes on as if nothing had happened. */
Test(ioctl_buffers, a_reqbufs_past_its_deadline_is_eio_and_leaves_nothing)
{
	struct blocker blocker = {.job = {.run = blocker_run, .done = blocker_done}};
	struct v4l2_buffer b = ask(0);

	setup(&(struct h_config){.deadline_ms = 20});
	cr_assert_eq(sem_init(&blocker.go, 0, 0), 0);
	vmedia_offload(h->device, &blocker.job);
	cr_assert_eq(h_reqbufs(h, s, 4), -EIO);
	cr_assert_eq(h->device->counters.nb_timed_out, 1);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), -EINVAL);
	sem_post(&blocker.go);
	cr_assert_eq(h_allocated(h), 0);
	cr_assert(blocker.done);
	cr_assert_eq(session_find(h->device, s)->bytes, 0);
	cr_assert_eq(buffer_ioctl(NR(QUERYBUF), &b), -EINVAL);
	cr_assert_null(h->device->owner[DEVICE_CAPTURE]);
	h_deadline(h, 2000);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	teardown();
}

/* 1 GiB of small pages takes a second: too few in time is ENOMEM, not EIO after the deadline. */
Test(ioctl_buffers, a_buffer_too_large_for_the_deadline_is_refused_before_it)
{
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_MMAP};
	int ret;

	setup(&(struct h_config){.deadline_ms = 400, .arena_bytes = 1u << 30});
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = 1u << 30;
	ret = create_bufs(&create);
	cr_assert(ret == -ENOMEM || ret == 0, "%d", ret);
	cr_assert_eq(h->device->counters.nb_timed_out, 0);
	h_deadline(h, 4000);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	teardown();
}

/* proves: S-9 */
Test(ioctl_buffers, a_session_closed_while_its_late_reqbufs_runs_leaves_nothing)
{
	struct blocker blocker = {.job = {.run = blocker_run, .done = blocker_done}};
	uint32_t other;

	setup(&(struct h_config){.deadline_ms = 20});
	other = h_open(h);
	cr_assert_eq(sem_init(&blocker.go, 0, 0), 0);
	vmedia_offload(h->device, &blocker.job);
	cr_assert_eq(h_reqbufs(h, s, 4), -EIO);
	h_close(h, s);
	sem_post(&blocker.go);
	cr_assert_eq(h_allocated(h), 0);
	s = other;
	h_deadline(h, 2000);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	teardown();
}

/* proves: S-14 */
Test(ioctl_buffers, ten_thousand_reqbufs_loops_leave_nothing)
{
	unsigned int i;

	setup(NULL);
	for (i = 0; i < 10000; i++) {
		cr_assert_eq(h_reqbufs(h, s, 1 + i % 3), (int)(1 + i % 3));
		if (i % 2) {
			cr_assert_eq(h_reqbufs(h, s, 0), 0);
		}
	}
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(h_allocated(h), 0);
	teardown();
}
