/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's node works in the guest's own pages (SHARED_PAGES), mapped for it one after the other,
 * or is copied from and to; and lets them go. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake/guest_virtq.h"
#include "v4l2_bench.h"
#include "v4l2_node.h"
#include "v4l2_udmabuf.h"

#define CAPTURE  V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT   V4L2_BUF_TYPE_VIDEO_OUTPUT
#define NR(name) _IOC_NR(VIDIOC_##name)
#define CAMERA   (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING)
#define PAGE     4096
#define NB_PAGES 64
#define MAX_SG   8

struct ask {
	struct v4l2_buffer b;
	struct virtio_media_sg_entry sg[MAX_SG];
};

static struct h *h;
static bool udmabuf; /* there is a /dev/udmabuf */
static uint32_t s;
static uint8_t (*pages)[PAGE];

static void
setup(uint32_t caps, const char *buffers, const char *max_pieces)
{
	const struct device_option options[] = {
		{"node", "camera"}, {"buffers", buffers}, {"max-pieces", max_pieces}};

	node_setup(caps);
	node_rules.udmabuf = udmabuf;
	h = h_create(&(struct h_config){.backend = backend_find("v4l2"),
		.options = options,
		.nb_options = 3,
		.arena_bytes = 1u << 20,
		.shared_memory = true});
	h_post_events(h, 64, H_EVENT_SIZE);
	pages = (void *)round_up(
		(uintptr_t)fake_guest_alloc(h->guest, 0, (NB_PAGES + 1) * PAGE), PAGE);
	s = h_open(h);
}

static void
teardown(void)
{
	h_close(h, s);
	cr_assert_eq(node_nb_open(), 0); /* CLOSE waits for it */
	h_destroy(h);
}

static int
reqbufs(uint32_t type, uint32_t count)
{
	struct v4l2_requestbuffers rb = {
		.count = count, .type = type, .memory = V4L2_MEMORY_USERPTR};
	int ret = h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));

	cr_assert(rb.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR || ret != 0);
	return ret != 0 ? ret : (int)rb.count;
}

static int
stream(uint32_t type, bool on)
{
	return h_ioctl(h, s, on ? NR(STREAMON) : NR(STREAMOFF), &type, sizeof(type), 0);
}

/* Begins `at` bytes into page `first`, has all of page `second`, and ends in `third`. */
static int
qbuf_at(uint32_t type, uint32_t index, uint32_t first, uint32_t at, uint32_t second, uint32_t third)
{
	struct ask a = {.b = {.index = index,
				.type = type,
				.memory = V4L2_MEMORY_USERPTR,
				.m.userptr = 0x7f0000001000,
				.bytesused = NODE_SIZE,
				.length = NODE_SIZE}};
	uint32_t nb = at > 0 ? 3 : 2;

	a.sg[0].start = fake_guest_gpa(h->guest, pages[first]) + at;
	a.sg[0].len = PAGE - at;
	a.sg[1].start = fake_guest_gpa(h->guest, pages[second]);
	a.sg[1].len = PAGE;
	if (at > 0) {
		a.sg[2].start = fake_guest_gpa(h->guest, pages[third]);
		a.sg[2].len = at;
	}
	return h_ioctl(h, s, NR(QBUF), &a, sizeof(a.b) + nb * sizeof(a.sg[0]), sizeof(a.b));
}

static void
qbuf(uint32_t index, uint32_t first, uint32_t second)
{
	cr_assert_eq(qbuf_at(CAPTURE, index, first, 0, second, 0), 0);
	eventually(node_nb_queued(false) > 0);
}

static struct v4l2_buffer
dqbuf(void)
{
	struct virtio_media_event_dqbuf event;
	int len = -EAGAIN;

	eventually((len = h_event(h, &event)) != -EAGAIN);
	cr_assert_eq(len, H_EVENT_SIZE);
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	h_post_events(h, 1, H_EVENT_SIZE);
	return event.buffer;
}

static void
frame(uint8_t fill, uint32_t first, uint32_t second)
{
	struct v4l2_buffer b;

	eventually(node_frame(false, fill, 0) >= 0);
	b = dqbuf();
	cr_assert_eq(b.flags & V4L2_BUF_FLAG_ERROR, 0);
	cr_assert_eq(b.bytesused, NODE_SIZE - 1);
	cr_assert_eq(pages[first][0], fill);
	cr_assert_eq(pages[first][PAGE - 1], fill);
	cr_assert_eq(pages[second][0], fill);
	cr_assert_eq(pages[second][PAGE - 2], fill);
}

static void
capture(const char *buffers, const char *max_pieces)
{
	setup(CAMERA, buffers, max_pieces);
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(stream(CAPTURE, true), 0);
}

/* Asks the kernel, which does not die of it. */
static bool
is_there(const uint8_t *addr)
{
	int fds[2];
	bool is;

	cr_assert_eq(pipe(fds), 0);
	is = write(fds[1], addr, 1) == 1;
	close(fds[0]);
	close(fds[1]);
	return is;
}

/* proves: R-68 R-98 */
Test(v4l2_pages, the_node_has_the_guests_pages_one_after_the_other)
{
	const uint8_t *addr;

	capture("import", "4096");
	qbuf(0, 5, 2);
	addr = node_memory(false, 0, 0);
	pages[5][7] = 57;
	pages[2][7] = 27;
	cr_assert_eq(addr[7], 57);
	cr_assert_eq(addr[PAGE + 7], 27);
	frame(9, 5, 2);
	cr_assert_eq(pages[3][0], 0);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	cr_assert_eq(h->device->counters.nb_imported, 1);
	teardown();
}

Test(v4l2_pages, a_buffer_may_begin_and_end_inside_of_a_page)
{
	capture("import", "4096");
	cr_assert_eq(qbuf_at(CAPTURE, 0, 9, 100, 4, 6), 0);
	eventually(node_frame(false, 8, 0) >= 0);
	cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, 0);
	cr_assert_eq(pages[9][99], 0);
	cr_assert_eq(pages[9][100], 8);
	cr_assert_eq(pages[4][PAGE - 1], 8);
	cr_assert_eq(pages[6][98], 8);
	cr_assert_eq(pages[6][100], 0);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	teardown();
}

Test(v4l2_pages, the_mapping_stays_for_the_same_list_and_is_at_another_place_for_another)
{
	const uint8_t *addr;

	capture("import", "4096");
	qbuf(0, 5, 2);
	addr = node_memory(false, 0, 0);
	frame(1, 5, 2);
	qbuf(0, 5, 2);
	cr_assert_eq(node_memory(false, 0, 0), addr);
	frame(2, 5, 2);
	qbuf(0, 2, 5);
	cr_assert_neq(node_memory(false, 0, 0), addr);
	addr = node_memory(false, 0, 0);
	frame(3, 2, 5);
	cr_assert_eq(stream(CAPTURE, false), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(0, 2, 5);
	cr_assert_neq(node_memory(false, 0, 0), addr); /* the driver may have pages of before */
	frame(4, 2, 5);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	teardown();
}

Test(v4l2_pages, what_is_one_piece_is_used_where_it_is)
{
	capture("import", "0");
	qbuf(0, 5, 6);
	cr_assert_eq(node_memory(false, 0, 0)[0], pages[5][0]);
	frame(1, 5, 6);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	teardown();
}

/* proves: R-68 */
Test(v4l2_pages, beyond_the_limit_of_pieces_each_byte_is_copied_once)
{
	capture("auto", "2");
	qbuf(0, 5, 2);
	qbuf(1, 7, 9);
	frame(1, 5, 2);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	frame(2, 7, 9);
	cr_assert_eq(h->device->counters.bytes_copied, NODE_SIZE - 1);
	cr_assert_eq(h->device->counters.nb_copied, 1);
	/* What was mapped counts no more. */
	cr_assert_eq(stream(CAPTURE, false), 0);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(1, 9, 7);
	frame(3, 9, 7);
	cr_assert_eq(h->device->counters.bytes_copied, NODE_SIZE - 1);
	teardown();
}

Test(v4l2_pages, pieces_that_are_not_whole_pages_are_copied_or_refused)
{
	struct ask a = {.b = {.type = CAPTURE,
				.memory = V4L2_MEMORY_USERPTR,
				.m.userptr = 0x7f0000001000,
				.length = NODE_SIZE}};

	for (int i = 0; i < 2; i++) {
		capture(i == 0 ? "auto" : "import", "4096");
		a.sg[0].start = fake_guest_gpa(h->guest, pages[5]);
		a.sg[0].len = 1000;
		a.sg[1].start = fake_guest_gpa(h->guest, pages[8]);
		a.sg[1].len = NODE_SIZE - 1000;
		cr_assert_eq(
			h_ioctl(h, s, NR(QBUF), &a, sizeof(a.b) + 2 * sizeof(a.sg[0]), sizeof(a.b)),
			0);
		if (i == 0) {
			eventually(node_frame(false, 8, 0) >= 0);
		}
		cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, i * V4L2_BUF_FLAG_ERROR);
		cr_assert_eq(pages[5][999], i == 0 ? 8 : 0);
		cr_assert_eq(pages[5][1000], 0);
		cr_assert_eq(pages[8][0], i == 0 ? 8 : 0);
		teardown();
	}
}

/* proves: R-68 */
Test(v4l2_pages, a_node_that_takes_no_pages_is_copied_from)
{
	udmabuf = true; /* which knows nothing of the guest's memory */
	for (int i = 0; i < 2; i++) {
		setup(CAMERA, "auto", "4096");
		node_rules.no_userptr = i == 0;
		node_rules.bad_userptr = i == 1;
		cr_assert_eq(reqbufs(CAPTURE, 2), 2);
		cr_assert_eq(stream(CAPTURE, true), 0);
		cr_assert_eq(stream(CAPTURE, false), 0);
		cr_assert_eq(qbuf_at(CAPTURE, 0, 5, 0, 2, 0), 0);
		cr_assert_eq(stream(CAPTURE, true), 0);
		frame(4, 5, 2);
		cr_assert_eq(h->device->counters.bytes_copied, NODE_SIZE - 1);
		teardown();
	}
	cr_assert_eq(udmabuf_nb_made(), 0);
	setup(CAMERA, "import", "4096");
	node_rules.no_userptr = true;
	cr_assert_eq(reqbufs(CAPTURE, 2), -EINVAL);
	teardown();
	setup(CAMERA, "dmabuf", "4096");
	cr_assert_eq(reqbufs(CAPTURE, 2), -EINVAL);
	teardown();
}

static void
output(const char *buffers, const char *max_pieces, uint64_t nb_copied)
{
	setup(V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING, buffers, max_pieces);
	cr_assert_eq(reqbufs(OUTPUT, 2), 2);
	cr_assert_eq(stream(OUTPUT, true), 0);
	for (uint32_t n = 0; n < 4; n++) {
		memset(pages[5], (int)n + 3, PAGE);
		cr_assert_eq(qbuf_at(OUTPUT, n % 2, 5, 0, 2, 0), 0);
		eventually(node_nb_queued(true) == 1);
		cr_assert_eq(node_frame(true, 0, 0), (int)n + 3);
		cr_assert_eq(dqbuf().index, n % 2);
	}
	cr_assert_eq(h->device->counters.bytes_copied, nb_copied);
	teardown();
}

Test(v4l2_pages, output_from_the_guests_pages)
{
	output("import", "4096", 0);
	output("auto", "1", 4 * NODE_SIZE);
	output("copy", "4096", 4 * NODE_SIZE);
}

/* ---- the end ---- */

/* A buffer of the guest's in the node, and where. */
static const uint8_t *
in_use(void)
{
	const uint8_t *addr;

	capture("import", "4096");
	qbuf(0, 5, 2);
	addr = node_memory(false, 0, 0);
	cr_assert(is_there(addr));
	return addr;
}

/* proves: R-99 */
Test(v4l2_pages, nothing_is_mapped_any_more_after_streamoff_reqbufs_and_close)
{
	const uint8_t *addr = in_use();

	cr_assert_eq(stream(CAPTURE, false), 0);
	cr_assert_not(is_there(addr));
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(1, 7, 9);
	addr = node_memory(false, 1, 0);
	frame(2, 7, 9);
	cr_assert(is_there(addr));
	cr_assert_eq(stream(CAPTURE, false), 0);
	cr_assert_eq(reqbufs(CAPTURE, 0), 0);
	cr_assert_not(is_there(addr));
	cr_assert_eq(reqbufs(CAPTURE, 1), 1);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(0, 7, 9);
	addr = node_memory(false, 0, 0);
	h_close(h, s);
	cr_assert_not(is_there(addr));
	cr_assert_eq(node_nb_open(), 0);
	h_destroy(h);
}

/* proves: R-99 */
Test(v4l2_pages, close_is_answered_when_the_node_is_closed)
{
	capture("import", "4096");
	qbuf(0, 5, 2);
	node_rules.slow_close = true;
	node_rules.slow_ms = 200;
	h_close(h, s);
	cr_assert_eq(node_nb_open(), 0);
	node_rules.slow_ms = 0;
	h_destroy(h);
}

/* proves: R-32 S-20 */
Test(v4l2_pages, close_of_a_node_that_is_slow_is_answered_by_the_deadline)
{
	capture("import", "4096");
	qbuf(0, 5, 2);
	h->device->deadline_tsc = clock_ns_to_tsc(100 * NSEC_PER_MSEC);
	node_rules.slow_close = true;
	node_rules.slow_ms = 1000;
	h_close(h, s);
	cr_assert_eq(node_nb_open(), 1);
	node_rules.slow_ms = 0;
	eventually(h->device->first_free == 0); /* the late answer came */
	cr_assert_eq(node_nb_open(), 0);
	s = h_open(h);
	h_close(h, s); /* no pages, so it does not wait */
	eventually(node_nb_open() == 0);
	h_destroy(h);
}

Test(v4l2_pages, the_two_kinds_of_memory_do_not_mix)
{
	struct v4l2_create_buffers cb = {.count = 1,
		.memory = V4L2_MEMORY_MMAP,
		.format = {.type = CAPTURE, .fmt.pix = {.sizeimage = NODE_SIZE}}};

	setup(CAMERA, "auto", "4096");
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(h_ioctl(h, s, NR(CREATE_BUFS), &cb, sizeof(cb), sizeof(cb)), -EINVAL);
	cb.memory = V4L2_MEMORY_USERPTR;
	cr_assert_eq(h_ioctl(h, s, NR(CREATE_BUFS), &cb, sizeof(cb), sizeof(cb)), 0);
	cr_assert_eq(cb.index, 2);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(2, 7, 9);
	frame(3, 7, 9);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	teardown();
}

/* proves: S-5 B27 */
Test(v4l2_pages, a_new_memory_table_takes_everything_back_first_and_the_stream_goes_on)
{
	const char *const buffers[] = {"import", "copy"};
	struct guest_mem mem;

	for (int i = 0; i < 2; i++) {
		const uint8_t *addr;

		capture(buffers[i], "4096");
		qbuf(0, 5, 2);
		addr = node_memory(false, 0, 0);
		cr_assert_eq(fake_guest_mem(h->guest, &mem), 0);
		loopback_set_memory(h->transport, &mem);
		cr_assert_eq(node_nb_queued(false), 0);
		cr_assert(i == 1 || !is_there(addr));
		cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_ERROR);
		qbuf(0, 2, 5);
		frame(7, 2, 5);
		teardown();
	}
}

/* proves: R-13 S-5 */
Test(v4l2_pages, a_reset_takes_everything_back_first)
{
	const uint8_t *addr = in_use();

	loopback_reset(h->transport);
	cr_assert_not(is_there(addr));
	cr_assert_eq(node_nb_queued(false), 0);
	eventually(node_nb_open() == 0);
	h_destroy(h);
}

/* proves: R-68 R-99 */
Test(v4l2_pages, a_node_that_fails_is_stopped_before_the_guest_has_its_pages_again)
{
	in_use();
	qbuf(1, 7, 9);
	eventually(node_nb_queued(false) == 2);
	node_rules.fail_cmd = VIDIOC_DQBUF;
	node_rules.fail_error = EIO;
	cr_assert_geq(node_frame(false, 3, 0), 0);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_ERROR);
		cr_assert_eq(node_nb_queued(false), 0);
	}
	teardown();
}

/* proves: S-5 */
Test(v4l2_pages, a_node_that_does_not_start_anew_is_of_no_use_until_it_is_closed)
{
	const uint8_t *addr = in_use();
	struct guest_mem mem;

	node_rules.fail_cmd = VIDIOC_STREAMON;
	node_rules.fail_error = EIO;
	cr_assert_eq(fake_guest_mem(h->guest, &mem), 0);
	loopback_set_memory(h->transport, &mem);
	cr_assert_not(is_there(addr));
	cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_ERROR);
	eventually(qbuf_at(CAPTURE, 0, 5, 0, 2, 0) == -EIO);
	h_close(h, s);
	eventually(node_nb_open() == 0);
	node_rules.fail_cmd = 0;
	s = h_open(h);
	cr_assert_eq(reqbufs(CAPTURE, 2), 2);
	cr_assert_eq(stream(CAPTURE, true), 0);
	qbuf(0, 2, 5);
	frame(4, 2, 5);
	teardown();
}

Test(v4l2_pages, an_unplugged_camera_lets_the_pages_go)
{
	const uint8_t *addr = in_use();
	struct guest_mem mem;

	node_unplug();
	cr_assert_eq(dqbuf().flags & V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_ERROR);
	cr_assert_eq(fake_guest_mem(h->guest, &mem), 0);
	loopback_set_memory(h->transport, &mem);
	cr_assert_not(is_there(addr));
	teardown();
}
