/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md 7.2: what the chain looks like must not matter, unless it is wrong. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "harness.h"

static const struct h_config both_rings[] = {{.packed = false}, {.packed = true}};

static struct h_reply reply;

static int
send_bytes(struct h *h, const void *cmd, size_t bytes, uint32_t room)
{
	memset(&reply, 0xee, sizeof(reply));
	return h_cmd(h, cmd, bytes, room, &reply);
}

static void
check_short(const struct h_config *config)
{
	struct h *h = h_create(config);
	struct virtio_media_cmd_mmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	size_t n;

	for (n = 1; n < 8; n++) {
		cr_assert_eq(send_bytes(h, &cmd, n, 16), -EINVAL);
		cr_assert_eq(reply.len, 8);
	}
	cmd.session_id = h_open(h);
	cmd.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL;
	for (n = 8; n < 16; n++) {
		cr_assert_eq(send_bytes(h, &cmd, n, 16), -EINVAL);
	}
	cmd.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP;
	for (n = 8; n < 20; n++) {
		cr_assert_eq(send_bytes(h, &cmd, n, 24), -EINVAL);
	}
	cmd.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE;
	for (n = 8; n < 16; n++) {
		cr_assert_eq(send_bytes(h, &cmd, n, 8), -EINVAL);
	}
	cr_assert_eq(h->device->nb_open_sessions, 1);
	cr_assert_gt(h->device->counters.nb_malformed, 0);
	h_destroy(h);
}

/* proves: R-29 S-23 */
Test(device_framing, a_short_readable_part_is_refused_and_does_nothing)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		check_short(&both_rings[i]);
	}
}

/* proves: R-24 */
Test(device_framing, what_may_only_be_read_stays_as_it_was)
{
	struct v4l2_control c = {.id = H_CTRL, .value = 0x5a5a5a5a};
	struct virtio_media_resp_header resp;
	struct fake_used used;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct h *h = h_create(&both_rings[i]);
		struct virtio_media_cmd_ioctl cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL,
			.session_id = h_open(h),
			.code = _IOC_NR(VIDIOC_G_CTRL)};

		h_send_ioctl(h, cmd.session_id, cmd.code, &c, sizeof(c), sizeof(c));
		h_pass(h, 2);
		cr_assert_eq(fake_guest_poll(h->guest, DEVICE_COMMANDQ, &used), 1);
		cr_assert_eq(used.len, sizeof(resp) + sizeof(c));
		cr_assert(fake_used_copy(&used, &resp, sizeof(resp)));
		cr_assert_eq(resp.status, 0);
		cr_assert_eq(used.readable[0].iov_len, sizeof(cmd) + sizeof(c));
		cr_assert_arr_eq(used.readable[0].iov_base, &cmd, sizeof(cmd));
		cr_assert_arr_eq((char *)used.readable[0].iov_base + sizeof(cmd), &c, sizeof(c));
		h_destroy(h);
	}
}

/* proves: R-30 S-19 */
Test(device_framing, an_unknown_command_is_enotty)
{
	struct h *h = h_create(NULL);
	uint32_t cmd[4] = {0};
	static const uint32_t numbers[] = {0, 6, 7, 255, 0x80000001, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		cmd[0] = numbers[i];
		cr_assert_eq(send_bytes(h, cmd, sizeof(cmd), 64), -ENOTTY);
		cr_assert_eq(reply.len, 8);
	}
	h_destroy(h);
}

/* proves: R-28 R-37 */
Test(device_framing, without_room_for_a_header_nothing_is_executed)
{
	struct h *h = h_create(NULL);
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	uint32_t room;

	for (room = 0; room < 8; room++) {
		send_bytes(h, &cmd, sizeof(cmd), room);
		cr_assert_eq(reply.len, 0);
	}
	cr_assert_eq(h->device->nb_open_sessions, 0);
	for (; room < 16; room++) {
		cr_assert_eq(send_bytes(h, &cmd, sizeof(cmd), room), -EINVAL);
		cr_assert_eq(reply.len, 8);
	}
	cr_assert_eq(h->device->nb_open_sessions, 0);
	h_destroy(h);
}

/* proves: R-28 */
Test(device_framing, without_room_for_a_header_ioctls_and_munmap_do_nothing)
{
	struct h *h = h_create(NULL);
	struct {
		struct virtio_media_cmd_ioctl cmd;
		struct v4l2_control c;
	} set = {.cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL,
			 .session_id = h_open(h),
			 .code = _IOC_NR(VIDIOC_S_CTRL)},
		.c = {H_CTRL, 17}};
	struct virtio_media_cmd_munmap unmap = {.hdr.cmd = VIRTIO_MEDIA_CMD_MUNMAP};
	uint64_t addr;
	uint32_t room;

	cr_assert_eq(h_reqbufs(h, set.cmd.session_id, 1), 1);
	cr_assert_eq(h_mmap(h, set.cmd.session_id, 0, 1, &addr), 0);
	unmap.driver_addr = addr;
	for (room = 0; room < 8; room++) {
		send_bytes(h, &set, sizeof(set), room);
		cr_assert_eq(reply.len, 0);
		send_bytes(h, &unmap, sizeof(unmap), room);
		cr_assert_eq(reply.len, 0);
	}
	cr_assert_eq(h->device->ctrls[0].value, 128);
	cr_assert_eq(shm_map_nb_windows(h->device->map), 1);
	h_destroy(h);
}

/* proves: R-25 R-31 */
Test(device_framing, surplus_input_and_reserved_fields_are_ignored)
{
	struct h *h = h_create(NULL);
	uint8_t cmd[200];
	struct virtio_media_cmd_open open = {.hdr = {VIRTIO_MEDIA_CMD_OPEN, 0xffffffff}};

	memset(cmd, 0xff, sizeof(cmd));
	memcpy(cmd, &open, sizeof(open));
	cr_assert_eq(send_bytes(h, cmd, sizeof(cmd), 64), 0);
	cr_assert_eq(reply.len, sizeof(reply.open));
	cr_assert_eq(reply.hdr.reserved, 0);
	cr_assert_eq(reply.open.reserved, 0);
	h_destroy(h);
}

static void
check_close_with_room(const struct h_config *config)
{
	struct h *h = h_create(config);
	struct virtio_media_cmd_close cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = h_open(h)};

	send_bytes(h, &cmd, sizeof(cmd), 8);
	cr_assert_eq(reply.len, 0);
	cr_assert_eq(h->device->nb_open_sessions, 0);
	h_destroy(h);
}

/* proves: R-40 */
Test(device_framing, close_comes_back_empty_even_with_room_for_an_answer)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		check_close_with_room(&both_rings[i]);
	}
}

/* The driver gives the payload in both halves from the same memory. */
static void
check_aliased(struct h *h, uint32_t code, const void *arg, size_t bytes, void *answer)
{
	struct fake_guest *g = h->guest;
	char *memory = fake_guest_alloc(g, 0, 4096);
	struct virtio_media_cmd_ioctl cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL, .session_id = 1, .code = code};
	uint64_t gpa = fake_guest_gpa(g, memory);
	struct fake_desc descs[] = {
		{gpa, sizeof(cmd), VRING_DESC_F_NEXT, 1},
		{gpa + 1024, (uint32_t)bytes, VRING_DESC_F_NEXT, 2},
		{gpa + 512, 8, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 3},
		{gpa + 1024, (uint32_t)bytes, VRING_DESC_F_WRITE, 0},
	};
	struct virtio_media_resp_header resp;

	memcpy(memory, &cmd, sizeof(cmd));
	memcpy(memory + 1024, arg, bytes);
	fake_guest_raw(g, DEVICE_COMMANDQ, 0, descs, ARRAY_SIZE(descs));
	h_pass(h, 3);
	memcpy(&resp, memory + 512, sizeof(resp));
	cr_assert_eq(resp.status, 0, "%u", resp.status);
	memcpy(answer, memory + 1024, bytes);
}

/* proves: R-22 */
Test(device_framing, both_halves_may_be_the_same_memory)
{
	struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE}, got;
	struct v4l2_control c = {.id = H_CTRL, .value = 17}, got_c;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct h *h = h_create(&both_rings[i]);

		cr_assert_eq(h_open(h), 1);
		check_aliased(h, _IOC_NR(VIDIOC_G_FMT), &f, sizeof(f), &got);
		cr_assert_eq(got.fmt.pix.width, H_WIDTH);
		h_destroy(h);
		h = h_create(&both_rings[i]);
		cr_assert_eq(h_open(h), 1);
		check_aliased(h, _IOC_NR(VIDIOC_S_CTRL), &c, sizeof(c), &got_c);
		cr_assert_eq(got_c.value, 17);
		h_destroy(h);
	}
}

/* proves: R-45 R-46 R-47 S-19 */
Test(device_framing, unsupported_ioctls_are_enotty_whatever_comes_with_them)
{
	struct h *h = h_create(NULL);
	uint32_t s = h_open(h);
	static const uint32_t codes[] = {0, 1, 17, 61, 62, 70, 89, 3, 105, 255, 256, 0xc0d05604};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		uint8_t arg[256] = {0};

		cr_assert_eq(h_ioctl(h, s, codes[i], arg, 0, 0), -ENOTTY, "%u", codes[i]);
		cr_assert_eq(h_ioctl(h, s, codes[i], arg, 256, 256), -ENOTTY, "%u", codes[i]);
	}
	h_destroy(h);
}

/* proves: R-49 */
Test(device_framing, an_error_of_ext_ctrls_carries_the_payload)
{
	struct h *h = h_create(NULL);
	struct {
		struct virtio_media_cmd_ioctl cmd;
		struct v4l2_ext_controls e;
		struct v4l2_ext_control c;
	} __attribute__((packed)) in = {
		.cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL,
			.session_id = h_open(h),
			.code = _IOC_NR(VIDIOC_G_EXT_CTRLS)},
		.e = {.count = 1},
		.c = {.id = 0x12345678},
	};

	cr_assert_eq(send_bytes(h, &in, sizeof(in), 8 + 32 + 20), -EINVAL);
	cr_assert_eq(reply.len, 60);
	h_destroy(h);
}

/* proves: R-14 R-21 */
Test(device_framing, a_malformed_chain_comes_back_empty_and_the_ring_goes_on)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct h *h = h_create(&both_rings[i]);
		uint64_t gpa = fake_guest_gpa(h->guest, fake_guest_alloc(h->guest, 0, 64));
		struct fake_desc writable_first[] = {
			{gpa, 16, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 1},
			{gpa + 16, 8, 0, 0},
		};
		struct fake_desc outside[] = {{1ULL << 60, 8, 0, 0}};

		fake_guest_raw(h->guest, 0, 0, writable_first, 2);
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.len, 0);
		fake_guest_raw(h->guest, 0, 0, outside, 1);
		cr_assert_eq(h_recv(h, &reply), 0);
		cr_assert_eq(reply.len, 0);
		cr_assert_eq(h_open(h), 1);
		h_destroy(h);
	}
}

/* proves: R-33 */
Test(device_framing, answers_come_in_the_order_of_the_commands)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct h *h = h_create(&both_rings[i]);
		struct v4l2_control c = {.id = H_CTRL};
		uint32_t s = h_open(h), n;

		for (n = 0; n < 100; n++) {
			c.value = (int32_t)n;
			h_send_ioctl(h, s, _IOC_NR(VIDIOC_S_CTRL), &c, sizeof(c), sizeof(c));
		}
		for (n = 0; n < 100; n++) {
			cr_assert_eq(h_recv(h, &reply), 0);
			memcpy(&c, reply.bytes + 8, sizeof(c));
			cr_assert_eq(c.value, n);
		}
		h_destroy(h);
	}
}
