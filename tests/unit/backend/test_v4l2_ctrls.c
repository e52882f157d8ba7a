/* SPDX-License-Identifier: BSD-3-Clause */
/* Control payloads between the guest's pages and a host's node, through the whole device. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "v4l2_bench.h"
#include "v4l2_node.h"
#include "vmedia/forward.h"

#define NR(name) _IOC_NR(VIDIOC_##name)

static struct h *h;

static uint32_t
start(void)
{
	node_setup(V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING);
	h = v4l2_bench_create();
	return h_open(h);
}

struct ctrls_cmd {
	struct v4l2_ext_controls e;
	uint8_t ctrls[2 * sizeof(struct v4l2_ext_control)];
	struct virtio_media_sg_entry sg[2];
} __attribute__((packed));

/* Two controls, the second one's payload in two pieces of guest memory. */
static struct ctrls_cmd
ctrls_cmd(uint8_t *pages, uint32_t size)
{
	struct v4l2_ext_control c[2] = {{.id = NODE_CTRL}, {.id = NODE_BLOB, .size = size}};
	struct ctrls_cmd cmd = {.e = {.count = 2}};
	uint64_t gpa = fake_guest_gpa(h->guest, pages);

	memcpy(cmd.ctrls, c, sizeof(c));
	cmd.sg[0] = (struct virtio_media_sg_entry){.start = gpa + 4096, .len = 100};
	cmd.sg[1] = (struct virtio_media_sg_entry){.start = gpa, .len = size - 100};
	return cmd;
}

/* proves: R-49 R-57 */
Test(v4l2_ctrls, control_payloads_go_to_the_node_and_back)
{
	struct v4l2_ext_control c[2];
	struct ctrls_cmd cmd;
	uint8_t *pages;
	uint32_t s;

	s = start();
	pages = fake_guest_alloc(h->guest, 1, 8192);
	memset(pages, 2, 8192);
	memset(pages + 4096, 1, 100);
	cmd = ctrls_cmd(pages, NODE_BLOB_BYTES);
	cr_assert_eq(
		h_ioctl(h, s, NR(S_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c)), 0);
	memset(pages, 0, 8192);
	cmd = ctrls_cmd(pages, NODE_BLOB_BYTES);
	cr_assert_eq(
		h_ioctl(h, s, NR(G_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c)), 0);
	cr_assert_eq(pages[4096 + 99], 1);
	cr_assert_eq(pages[4096 + 100], 0);
	cr_assert_eq(pages[0], 2);
	cr_assert_eq(pages[199], 2);
	cr_assert_eq(pages[200], 0);
	/* Too small: the answer says how large it is. */
	cmd = ctrls_cmd(pages, 200);
	cr_assert_eq(h_ioctl(h, s, NR(G_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c)),
		-ENOSPC);
	memcpy(c, cmd.ctrls, sizeof(c));
	cr_assert_eq(c[1].size, NODE_BLOB_BYTES);
	cr_assert_eq(cmd.e.error_idx, 1);
	/* Nowhere. */
	cmd = ctrls_cmd(pages, NODE_BLOB_BYTES);
	cmd.sg[1].start = 1ull << 50;
	cr_assert_eq(h_ioctl(h, s, NR(S_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c)),
		-EINVAL);
	cmd = ctrls_cmd(pages, NODE_BLOB_BYTES);
	cmd.e.which = V4L2_CTRL_WHICH_REQUEST_VAL;
	cr_assert_eq(h_ioctl(h, s, NR(G_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c)),
		-EINVAL);
	v4l2_bench_destroy(h, s);
}

/* Two payloads, of which the first one's end is no boundary of anything. */
static int
blobs(uint32_t s, uint32_t ioctl, uint8_t *first, uint8_t *second)
{
	const struct v4l2_ext_control c[2] = {{.id = NODE_BLOB, .size = NODE_BLOB_BYTES + 1},
		{.id = NODE_BLOB, .size = NODE_BLOB_BYTES}};
	struct ctrls_cmd cmd = {.e = {.count = 2}};

	memcpy(cmd.ctrls, c, sizeof(c));
	cmd.sg[0].start = fake_guest_gpa(h->guest, first);
	cmd.sg[0].len = c[0].size;
	cmd.sg[1].start = fake_guest_gpa(h->guest, second);
	cmd.sg[1].len = c[1].size;
	return h_ioctl(h, s, ioctl, &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c));
}

/* proves: R-57 */
Test(v4l2_ctrls, each_payload_of_a_command_is_its_own)
{
	uint32_t s = start();
	uint8_t *pages = fake_guest_alloc(h->guest, 1, 8192);
	uint8_t *first = pages + 8, *second = pages + 4096;

	memset(first, 1, NODE_BLOB_BYTES + 1);
	memset(second, 2, NODE_BLOB_BYTES - 1);
	second[NODE_BLOB_BYTES - 1] = 3;
	cr_assert_eq(blobs(s, NR(S_EXT_CTRLS), first, second), 0); /* the second one stays */
	memset(pages, 9, 8192);
	first[NODE_BLOB_BYTES] = 8;
	cr_assert_eq(blobs(s, NR(G_EXT_CTRLS), first, second), 0);
	for (uint32_t i = 0; i < 2; i++) {
		const uint8_t *bytes = i == 0 ? first : second;

		cr_assert_eq(bytes[-1], 9);
		cr_assert_eq(bytes[0], 2);
		cr_assert_eq(bytes[NODE_BLOB_BYTES - 2], 2);
		cr_assert_eq(bytes[NODE_BLOB_BYTES - 1], 3);
	}
	cr_assert_eq(first[NODE_BLOB_BYTES], 8);
	cr_assert_eq(second[NODE_BLOB_BYTES], 9);
	v4l2_bench_destroy(h, s);
}

#define NB_PAGES (VMEDIA_CTRL_BYTES / 4096 + 1)

/* So many bytes, in one page of the guest over and over. */
static int
blob_of(uint32_t s, uint8_t *page, uint32_t size)
{
	const struct v4l2_ext_control c = {.id = NODE_BLOB, .size = size};
	struct {
		struct v4l2_ext_controls e;
		uint8_t ctrl[sizeof(c)];
		struct virtio_media_sg_entry sg[NB_PAGES];
	} __attribute__((packed)) cmd = {.e = {.count = 1}};

	memcpy(cmd.ctrl, &c, sizeof(c));
	for (uint32_t i = 0; i < NB_PAGES; i++) {
		cmd.sg[i].start = fake_guest_gpa(h->guest, page);
		cmd.sg[i].len = 4096;
	}
	return h_ioctl(h, s, NR(G_EXT_CTRLS), &cmd, sizeof(cmd), sizeof(cmd.e) + sizeof(c));
}

/* proves: R-57 */
Test(v4l2_ctrls, payloads_have_room_up_to_a_limit_and_are_refused_beyond_it)
{
	uint32_t s = start();
	uint8_t *page = fake_guest_alloc(h->guest, 1, 4096);

	cr_assert_eq(blob_of(s, page, VMEDIA_CTRL_BYTES), 0);
	cr_assert_eq(blob_of(s, page, VMEDIA_CTRL_BYTES + 1), -ENOMEM);
	cr_assert_eq(blob_of(s, page, VMEDIA_CTRL_BYTES), 0); /* nothing was left behind */
	v4l2_bench_destroy(h, s);
}

Test(v4l2_ctrls, commands_that_fail_leave_room_for_others)
{
	uint32_t s = start();
	uint8_t *pages = fake_guest_alloc(h->guest, 1, 8192);

	for (int i = 0; i < 20; i++) {
		struct ctrls_cmd cmd = ctrls_cmd(pages, NODE_BLOB_BYTES);

		cmd.sg[0].start = 1ull << 50;
		cr_assert_eq(h_ioctl(h, s, NR(G_EXT_CTRLS), &cmd, sizeof(cmd),
				     sizeof(cmd.e) + sizeof(cmd.ctrls)),
			-EINVAL);
	}
	cr_assert_eq(blob_of(s, pages, NODE_BLOB_BYTES), 0);
	v4l2_bench_destroy(h, s);
}
