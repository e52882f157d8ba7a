/* SPDX-License-Identifier: BSD-3-Clause */
/* SHARED_PAGES: frames in the guest's own, scattered memory (section 6, R-57, R-98, S-7, S-23). */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "harness.h"

#define NR(name) _IOC_NR(VIDIOC_##name)
#define CAPTURE  V4L2_BUF_TYPE_VIDEO_CAPTURE
#define USERPTR  0x7f0012345678ull
#define MAX_SG   80

/* QBUF as it stands in the R-part. */
struct ask {
	struct v4l2_buffer b;
	struct virtio_media_sg_entry sg[MAX_SG];
};

static struct h *h;
static uint32_t s;
static struct vmedia_buffer *queued;

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	queued = buffer;
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
	queued = NULL;
}

static uint8_t
byte_at(uint32_t offset)
{
	return (uint8_t)(offset * 7 + offset / 251 + 1);
}

static uint64_t
poll_frames(struct vmedia_device *device, uint64_t now_tsc)
{
	uint8_t line[H_WIDTH * 2];
	uint32_t y, x;

	if (queued == NULL || !queued->session->queues[DEVICE_CAPTURE].streaming) {
		return VMEDIA_NO_DEADLINE;
	}
	for (y = 0; y < H_HEIGHT; y++) {
		for (x = 0; x < sizeof(line); x++) {
			line[x] = byte_at(y * sizeof(line) + x);
		}
		vmedia_plane_write(&queued->planes[0], y * sizeof(line), line, sizeof(line));
	}
	queued->planes[0].bytesused = H_SIZE;
	vmedia_buffer_done(queued);
	queued = NULL;
	return VMEDIA_NO_DEADLINE;
}

static struct vmedia_backend_ops ops;

static void
setup(void)
{
	struct v4l2_requestbuffers rb = {2, CAPTURE, V4L2_MEMORY_USERPTR};
	uint32_t type = CAPTURE;

	ops = h_backend_ops;
	ops.buf_queue = buf_queue;
	ops.stop_streaming = stop_streaming;
	ops.poll = poll_frames;
	h = h_create(&(struct h_config){.backend = &ops});
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_eq(rb.count, 2);
	cr_assert(rb.capabilities & V4L2_BUF_CAP_SUPPORTS_USERPTR);
	cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
}

static void
teardown(void)
{
	h_close(h, s);
	h_settle(h);
	h_destroy(h);
}

static struct ask
ask_for(uint32_t length)
{
	struct ask a;

	memset(&a, 0, sizeof(a));
	a.b.type = CAPTURE;
	a.b.memory = V4L2_MEMORY_USERPTR;
	a.b.m.userptr = USERPTR;
	a.b.length = length;
	return a;
}

static int
queue(uint32_t nr, struct ask *a, unsigned int nb_sg)
{
	return h_ioctl(h, s, nr, a, sizeof(a->b) + nb_sg * sizeof(a->sg[0]), sizeof(a->b));
}

/* Entries of so many bytes each that together make `bytes`; every one in memory of its own. */
static unsigned int
scatter(struct ask *a, char *pieces[], uint32_t each, uint32_t bytes)
{
	unsigned int nb;
	uint32_t done;

	for (done = 0, nb = 0; done < bytes; done += a->sg[nb++].len) {
		uint32_t n = MIN(each, bytes - done);
		/* one byte of air, so that no two pieces can be one */
		char *p = fake_guest_alloc(h->guest, 0, n + 1);

		cr_assert_lt(nb, MAX_SG);
		pieces[nb] = p;
		a->sg[nb].start = fake_guest_gpa(h->guest, p);
		a->sg[nb].len = n;
	}
	return nb;
}

static void
check_pieces(char *const pieces[], const struct ask *a, unsigned int nb)
{
	uint32_t at = 0, i;
	unsigned int p;

	for (p = 0; p < nb; p++) {
		for (i = 0; i < a->sg[p].len; i++, at++) {
			cr_assert_eq((uint8_t)pieces[p][i], byte_at(at), "byte %u", at);
		}
	}
}

static struct virtio_media_event_dqbuf
next_event(void)
{
	struct virtio_media_event_dqbuf event;
	uint8_t bytes[H_EVENT_SIZE];

	h_pass(h, 3);
	cr_assert_eq(h_event(h, bytes), H_EVENT_SIZE);
	memcpy(&event, bytes, sizeof(event));
	return event;
}

/* proves: R-57 R-98 */
Test(pages, a_frame_lies_in_the_guests_pieces_whatever_their_lengths)
{
	static const uint32_t each[] = {H_SIZE, 4096, 1000, 128, 77};
	struct virtio_media_event_dqbuf event;
	char *pieces[MAX_SG];
	struct ask a;
	size_t i;

	setup();
	for (i = 0; i < ARRAY_SIZE(each); i++) {
		unsigned int nb;

		a = ask_for(H_SIZE);
		nb = scatter(&a, pieces, each[i], H_SIZE);
		cr_assert_eq(queue(NR(QBUF), &a, nb), 0, "%u", each[i]);
		cr_assert_eq(a.b.m.userptr, USERPTR);
		cr_assert_eq(a.b.length, H_SIZE);
		cr_assert(a.b.flags & V4L2_BUF_FLAG_QUEUED);
		event = next_event();
		cr_assert_eq(event.buffer.memory, V4L2_MEMORY_USERPTR);
		cr_assert_eq(event.buffer.m.userptr, 0);
		cr_assert_eq(event.buffer.bytesused, H_SIZE);
		cr_assert_eq(event.buffer.flags & V4L2_BUF_FLAG_ERROR, 0);
		check_pieces(pieces, &a, nb);
	}
	teardown();
}

/* proves: R-99 */
Test(pages, the_pages_are_let_go_with_the_buffer)
{
	char *pieces[MAX_SG];
	uint32_t type = CAPTURE;
	struct ask a;
	unsigned int nb;

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(STREAMOFF), &type, sizeof(type), 0), 0);
	a = ask_for(H_SIZE);
	nb = scatter(&a, pieces, 512, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb), 0);
	cr_assert_eq(queued->planes[0].nb_segments, nb);
	cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
	next_event();
	cr_assert_eq(
		session_find(h->device, s)->queues[0].buffers[0]->pub.planes[0].nb_segments, 0);
	teardown();
}

/* proves: R-57 R-99 S-5 S-23 B2 B11 */
Test(pages, what_is_too_short_or_missing_or_nowhere_leaves_the_buffer_alone)
{
	char *pieces[MAX_SG];
	struct ask a;
	unsigned int nb;

	setup();
	a = ask_for(H_SIZE - 1);
	nb = scatter(&a, pieces, H_SIZE, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb), -EINVAL);
	a = ask_for(0);
	cr_assert_eq(queue(NR(QBUF), &a, 0), -EINVAL); /* nothing, and no list for it */
	a = ask_for(H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, 0), -EINVAL); /* no list */
	nb = scatter(&a, pieces, 1024, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb - 1), -EINVAL); /* a list that does not cover it */
	a.b.memory = V4L2_MEMORY_USERPTR;
	a.sg[1].start = 1ull << 50;
	cr_assert_eq(queue(NR(QBUF), &a, nb), -EINVAL); /* not the guest's memory */
	a.sg[1].start = UINT64_MAX - 3;
	cr_assert_eq(queue(NR(QBUF), &a, nb), -EINVAL); /* wraps */
	a = ask_for(H_SIZE);
	a.b.memory = V4L2_MEMORY_MMAP;
	cr_assert_eq(queue(NR(QBUF), &a, 0), -EINVAL);
	cr_assert_null(queued);
	a = ask_for(H_SIZE);
	nb = scatter(&a, pieces, 2048, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb), 0);
	teardown();
}

Test(pages, a_prepared_buffer_is_queued_with_the_pages_of_then)
{
	char *first[MAX_SG], *second[MAX_SG];
	struct ask a;
	unsigned int nb;

	setup();
	a = ask_for(H_SIZE);
	nb = scatter(&a, first, 4096, H_SIZE);
	cr_assert_eq(queue(NR(PREPARE_BUF), &a, nb), 0);
	cr_assert(a.b.flags & V4L2_BUF_FLAG_PREPARED);
	a = ask_for(H_SIZE);
	nb = scatter(&a, first, 4096, H_SIZE);
	cr_assert_eq(queue(NR(PREPARE_BUF), &a, nb), -EINVAL);
	a = ask_for(H_SIZE);
	nb = scatter(&a, second, 1500, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb), 0);
	next_event();
	check_pieces(second, &a, nb);
	teardown();
}

/* proves: R-99 S-5 B27 */
Test(pages, memory_that_moves_is_found_again_and_memory_that_goes_is_an_error)
{
	struct vmedia_buffer *buffer;
	struct guest_mem moved;
	char *pieces[MAX_SG];
	struct ask a;
	unsigned int nb;
	uint32_t type = CAPTURE;

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(STREAMOFF), &type, sizeof(type), 0), 0);
	a = ask_for(H_SIZE);
	nb = scatter(&a, pieces, 1024, H_SIZE);
	cr_assert_eq(queue(NR(QBUF), &a, nb), 0);
	buffer = queued;
	moved = h->device->mem;
	moved.regions[0].addr += 64; /* nobody looks at the bytes */
	pages_rebase_all(h->device, &moved);
	cr_assert_eq(buffer->planes[0].nb_segments, nb);
	cr_assert_eq((char *)buffer->planes[0].segments[1].iov_base, pieces[1] + 64);
	pages_rebase_all(h->device, NULL);
	cr_assert_eq(buffer->planes[0].nb_segments, 0);
	cr_assert_eq(h_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0), 0);
	cr_assert(next_event().buffer.flags & V4L2_BUF_FLAG_ERROR);
	teardown();
}

/* They may be two mappings, of two files. */
Test(pages, a_piece_does_not_span_two_regions_that_touch)
{
	struct guest_mem mem;
	struct ask a;
	char *p;

	setup();
	p = fake_guest_alloc(h->guest, 1, 3 * H_SIZE);
	p += 4096 - (uintptr_t)p % 4096;
	mem = h->device->mem;
	mem.nb_regions = 3;
	mem.regions[2] = mem.regions[1];
	mem.regions[2].gpa = fake_guest_gpa(h->guest, p);
	mem.regions[2].size_bytes -= mem.regions[2].gpa - mem.regions[1].gpa;
	mem.regions[2].addr = p;
	mem.regions[1].size_bytes -= mem.regions[2].size_bytes;
	h->device->mem = mem;
	a = ask_for(H_SIZE);
	a.sg[0].start = mem.regions[2].gpa - H_SIZE / 2;
	a.sg[0].len = H_SIZE;
	cr_assert_eq(h_ioctl(h, s, NR(STREAMOFF), &a.b.type, sizeof(a.b.type), 0), 0);
	cr_assert_eq(queue(NR(QBUF), &a, 1), 0);
	cr_assert_eq(queued->planes[0].nb_segments, 2);
	cr_assert_eq(queued->planes[0].segments[1].iov_base, p);
	teardown();
}

/* proves: R-101 */
Test(pages, the_two_kinds_of_memory_do_not_mix)
{
	struct v4l2_create_buffers create = {.count = 1, .memory = V4L2_MEMORY_MMAP};
	struct v4l2_requestbuffers rb = {2, CAPTURE, V4L2_MEMORY_DMABUF};
	struct v4l2_buffer b = {.type = CAPTURE, .memory = V4L2_MEMORY_USERPTR};
	uint32_t type = CAPTURE;
	uint64_t addr;

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert_eq(b.memory, V4L2_MEMORY_USERPTR);
	cr_assert_eq(b.flags & V4L2_BUF_FLAG_MAPPED, 0);
	cr_assert_eq(h_mmap(h, s, 0, 1, &addr), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(STREAMOFF), &type, sizeof(type), 0), 0);
	create.format.type = CAPTURE;
	create.format.fmt.pix.sizeimage = H_SIZE;
	cr_assert_eq(
		h_ioctl(h, s, NR(CREATE_BUFS), &create, sizeof(create), sizeof(create)), -EINVAL);
	create.memory = V4L2_MEMORY_USERPTR;
	cr_assert_eq(h_ioctl(h, s, NR(CREATE_BUFS), &create, sizeof(create), sizeof(create)), 0);
	cr_assert_eq(create.index, 2);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), -EINVAL);
	teardown();
}

/* Queues a buffer whose first piece is the head of a ring, flags and index, and lets the frame be
 * drawn over it. The answer to STREAMON is in the ring by then. */
static void
draw_over(void *head)
{
	uint32_t type = CAPTURE;
	struct ask a = ask_for(H_SIZE);

	cr_assert_eq(h_ioctl(h, s, NR(STREAMOFF), &type, sizeof(type), 0), 0);
	a.sg[0].start = fake_guest_gpa(h->guest, head);
	a.sg[0].len = 4;
	a.sg[1].start = fake_guest_gpa(h->guest, fake_guest_alloc(h->guest, 0, H_SIZE));
	a.sg[1].len = H_SIZE - 4;
	cr_assert_eq(queue(NR(QBUF), &a, 2), 0);
	h_send_ioctl(h, s, NR(STREAMON), &type, sizeof(type), 0);
	h_pass(h, 3);
	for (uint32_t i = 0; i < 4; i++) {
		cr_assert_eq(((uint8_t *)head)[i], byte_at(i));
	}
}

/* proves: S-8 */
Test(pages, a_frame_over_the_used_ring_does_not_move_the_device)
{
	struct v4l2_control c = {.id = H_CTRL};
	static struct h_reply reply;
	uint16_t *used, before;

	setup();
	used = h->guest->queues[DEVICE_COMMANDQ].device;
	before = used[1];
	draw_over(used);
	h_send_ioctl(h, s, NR(G_CTRL), &c, sizeof(c), sizeof(c));
	h_pass(h, 3);
	/* STREAMOFF, QBUF, STREAMON and this one, whatever stood there meanwhile. */
	cr_assert_eq(used[1], (uint16_t)(before + 4));
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(h_recv(h, &reply), 0);
	cr_assert_eq(reply.len, 8 + sizeof(c));
	teardown();
}

/* proves: S-8 */
Test(pages, a_frame_over_the_available_ring_breaks_it_until_the_reset)
{
	struct device_stats stats;

	setup();
	draw_over(h->guest->queues[DEVICE_COMMANDQ].driver);
	h_pass(h, 3);
	device_stats(h->device, &stats);
	cr_assert_eq(stats.broken, VIRTQ_AVAIL_JUMPED);
	loopback_reset(h->transport);
	for (unsigned int i = 0; i < 2; i++) {
		fake_guest_reset(h->guest, i);
	}
	h_start(h);
	h_close(h, h_open(h));
	h_destroy(h);
}
