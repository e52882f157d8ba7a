/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md 7.7 and 5: MMAP, MUNMAP, the window. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "fake/guest_virtq.h"
#include "harness.h"

static uint32_t
offset_of(struct h *h, uint32_t session, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

	cr_assert_eq(h_ioctl(h, session, _IOC_NR(VIDIOC_QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert_eq(b.length, H_SIZE);
	return b.m.offset;
}

static uint64_t
allocated(struct h *h)
{
	struct shm_arena_usage usage;

	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	return usage.allocated_bytes;
}

/* proves: R-87 R-96 */
Test(device_mapping, the_window_is_asked_for_once)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h), i;
	uint64_t addr;

	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	cr_assert_eq(loopback_window_requests(h->transport), 0);
	for (i = 0; i < 4; i++) {
		uint32_t offset = offset_of(h, s, i);

		cr_assert_eq(offset % SHM_GRANULE_BYTES, 0);
		cr_assert_eq(h_mmap(h, s, offset, i & 1, &addr), 0);
		cr_assert_eq(addr, offset);
	}
	cr_assert_eq(loopback_window_requests(h->transport), 1);
	h_destroy(h);
}

/* proves: R-86 R-89 */
Test(device_mapping, only_the_offset_of_a_plane_of_this_session_maps)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint64_t addr;

	cr_assert_eq(h_mmap(h, s, 0, 1, &addr), -EINVAL);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0) + 1, 1, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0) + H_SIZE - 1, 1, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0) + 4096, 1, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0) + SHM_GRANULE_BYTES, 1, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, UINT32_MAX, 1, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 2, &addr), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 0x80000001, &addr), -EINVAL);
	cr_assert_eq(loopback_window_requests(h->transport), 0);
	h_destroy(h);
}

/* proves: R-88 */
Test(device_mapping, the_answer_tells_the_exact_length)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	struct virtio_media_cmd_mmap cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP, .session_id = s, .flags = 1};
	static struct h_reply reply;

	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cmd.offset = offset_of(h, s, 1);
	cr_assert_eq(h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.mmap), &reply), 0);
	cr_assert_eq(reply.len, sizeof(reply.mmap));
	cr_assert_eq(reply.mmap.driver_addr, cmd.offset);
	cr_assert_eq(reply.mmap.len, H_SIZE);
	h_destroy(h);
}

static bool
says_mapped(struct h *h, uint32_t session)
{
	struct v4l2_buffer b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

	cr_assert_eq(h_ioctl(h, session, _IOC_NR(VIDIOC_QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	return (b.flags & V4L2_BUF_FLAG_MAPPED) != 0;
}

/* Twice, so that what is not given back shows against the quota. */
/* proves: R-90 R-97 B26 */
Test(device_mapping, as_many_munmaps_as_mmaps_in_either_mode_end_a_window)
{
	struct h *h = h_create(&(struct h_config){.max_windows = 3});
	uint32_t s = h_open(h), offset, round, i;
	uint64_t addr;

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	offset = offset_of(h, s, 0);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 3; i++) {
			cr_assert_eq(h_mmap(h, s, offset, i & 1, &addr), 0, "round %u", round);
			cr_assert_eq(addr, offset);
		}
		for (i = 0; i < 3; i++) {
			cr_assert(says_mapped(h, s));
			cr_assert_eq(h_munmap(h, addr), 0);
		}
		cr_assert_not(says_mapped(h, s));
		cr_assert_eq(h_munmap(h, addr), -EINVAL);
	}
	h_destroy(h);
}

/* proves: R-37 */
Test(device_mapping, without_room_for_the_answer_nothing_is_mapped)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	struct virtio_media_cmd_mmap cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP, .session_id = s, .flags = 1};

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cmd.offset = offset_of(h, s, 0);
	cr_assert_eq(h_cmd(h, &cmd, sizeof(cmd), 23, NULL), -EINVAL);
	cr_assert_eq(shm_map_nb_windows(h->device->map), 0);
	h_destroy(h);
}

/* proves: R-92 R-93 S-11 B26 */
Test(device_mapping, a_mapping_outlives_everything_but_its_munmap)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint64_t a, b;

	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), 0);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 0, &b), 0);
	cr_assert_eq(h_reqbufs(h, s, 0), 0);
	cr_assert_eq(allocated(h), SHM_GRANULE_BYTES);
	h_close(h, s);
	cr_assert_eq(allocated(h), SHM_GRANULE_BYTES);
	cr_assert_eq(h_munmap(h, a), 0);
	cr_assert_eq(allocated(h), SHM_GRANULE_BYTES);
	cr_assert_eq(h_munmap(h, b), 0);
	cr_assert_eq(allocated(h), 0);
	cr_assert_eq(h_munmap(h, b), -EINVAL);
	h_destroy(h);
}

/* proves: R-91 */
Test(device_mapping, munmap_takes_only_the_start_of_a_live_window)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint64_t a;

	cr_assert_eq(h_reqbufs(h, s, 2), 2);
	cr_assert_eq(h_munmap(h, offset_of(h, s, 0)), -EINVAL);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), 0);
	cr_assert_eq(h_munmap(h, a + 4096), -EINVAL);
	cr_assert_eq(h_munmap(h, a + SHM_GRANULE_BYTES), -EINVAL);
	cr_assert_eq(h_munmap(h, UINT64_MAX), -EINVAL);
	cr_assert_eq(h_munmap(h, 1ULL << 40), -EINVAL);
	cr_assert_eq(h_munmap(h, a), 0);
	cr_assert_eq(h_munmap(h, a), -EINVAL);
	h_destroy(h);
}

/* proves: R-97 S-14 */
Test(device_mapping, the_quota_of_windows_is_enomem)
{
	struct h *h = h_create(&(struct h_config){.max_windows = 3});
	uint32_t s = h_open(h), i;
	uint64_t a;

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	for (i = 0; i < 3; i++) {
		cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), 0);
	}
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), -ENOMEM);
	cr_assert_eq(h->device->counters.nb_quota, 1);
	h_destroy(h);
}

/* proves: R-94 */
Test(device_mapping, without_a_region_every_mmap_fails)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint64_t a;

	h->window_status = -ENOTSUP;
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), -ENOTTY);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), -ENOTTY);
	cr_assert_eq(loopback_window_requests(h->transport), 1);
	cr_assert_eq(shm_map_nb_windows(h->device->map), 0);
	h_destroy(h);
}

/* proves: R-96 */
Test(device_mapping, a_window_that_came_too_late_is_asked_for_again)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint64_t a;

	h->window_status = -ETIMEDOUT;
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), -EIO);
	h->window_status = 0;
	cr_assert_eq(h_mmap(h, s, offset_of(h, s, 0), 1, &a), 0);
	h_destroy(h);
}

/* proves: R-32 R-96 S-20 */
Test(device_mapping, a_window_that_never_comes_is_eio_by_the_deadline)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	uint32_t offset;
	uint64_t a;

	h->no_window = true;
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	offset = offset_of(h, s, 0);
	h_deadline(h, 30);
	cr_assert_eq(h_mmap(h, s, offset, 1, &a), -EIO);
	cr_assert_eq(h->device->counters.nb_timed_out, 1);
	h_destroy(h);
}

static void
send_mmap(struct h *h, uint32_t session, uint32_t offset)
{
	struct virtio_media_cmd_mmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP,
		.session_id = session,
		.flags = 1,
		.offset = offset};

	h_send(h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_mmap));
}

/* proves: R-33 */
Test(device_mapping, other_sessions_go_on_while_one_waits_for_the_window)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h), other = h_open(h), offset;
	struct v4l2_control c = {.id = H_CTRL};
	static struct h_reply reply;

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	offset = offset_of(h, s, 0);
	h->no_window = true;
	send_mmap(h, s, offset);
	h_send_ioctl(h, s, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c));
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(h_ioctl(h, other, _IOC_NR(VIDIOC_G_CTRL), &c, sizeof(c), sizeof(c)), 0);
	loopback_window_reply(h->transport, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, sizeof(reply.mmap));
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 16);
	h_destroy(h);
}

/* QEMU sends a new memory table as soon as it has mapped the window, before or after its ack. */
static void
check_memory_moves(const struct h_config *config, bool gone)
{
	struct h *h = h_create(config);
	uint32_t s = h_open(h), offset;
	static struct h_reply reply;
	struct guest_mem mem;

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	offset = offset_of(h, s, 0);
	h->no_window = true;
	send_mmap(h, s, offset);
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(fake_guest_mem(h->guest, &mem), 0);
	if (gone) {
		loopback_set_memory(h->transport, NULL);
	}
	loopback_set_memory(h->transport, &mem);
	loopback_window_reply(h->transport, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, gone ? 0 : sizeof(reply.mmap));
	cr_assert_eq(shm_map_nb_windows(h->device->map), gone ? 0 : 1);
	h_destroy(h);
}

/* proves: B43 */
Test(device_mapping, a_waiting_mmap_survives_a_new_memory_table)
{
	check_memory_moves(NULL, false);
	check_memory_moves(&(struct h_config){.packed = true, .cut = H_CUT_BYTES}, false);
}

/* proves: S-5 B43 */
Test(device_mapping, a_waiting_mmap_whose_memory_went_comes_back_empty)
{
	check_memory_moves(NULL, true);
}

Test(device_mapping, a_reset_while_the_window_is_on_its_way_does_not_confuse_the_next_start)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	static struct h_reply reply;

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	h->no_window = true;
	send_mmap(h, s, offset_of(h, s, 0));
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	loopback_reset(h->transport);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
	h_start(h);
	s = h_open(h);
	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	send_mmap(h, s, offset_of(h, s, 0));
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	loopback_window_reply(h->transport, -EIO); /* to the first start */
	cr_assert_eq(h_recv(h, &reply), -EAGAIN);
	cr_assert_eq(loopback_window_requests(h->transport), 2);
	loopback_window_reply(h->transport, 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.hdr.status, 0);
	h_destroy(h);
}
