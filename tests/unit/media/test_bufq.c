/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/bufq.h"

#define LENGTH 4096u

static struct bufq q;
static struct bufq_buffer pool[BUFQ_MAX_BUFFERS];

static void
make(uint32_t type, uint32_t nb, uint32_t nb_planes, bool copy)
{
	uint32_t i, p;

	memset(pool, 0, sizeof(pool));
	bufq_init(&q, type, copy);
	for (i = 0; i < nb; i++) {
		pool[i].pub.nb_planes = nb_planes;
		for (p = 0; p < nb_planes; p++) {
			pool[i].pub.planes[p].offset = 0x10000 * (i * nb_planes + p);
			pool[i].pub.planes[p].length = LENGTH << p;
		}
		bufq_add(&q, i, &pool[i], V4L2_MEMORY_MMAP);
	}
}

static struct v4l2_buffer
ask(uint32_t index)
{
	return (struct v4l2_buffer){.index = index, .type = q.type, .memory = V4L2_MEMORY_MMAP};
}

static int
queue(struct v4l2_buffer b)
{
	struct bufq_buffer *buffer = NULL;
	int ret = bufq_queue(&q, &b, NULL, 0, &buffer);

	cr_assert(ret != 0 || buffer == q.buffers[b.index]);
	return ret;
}

static int
prepare(struct v4l2_buffer b)
{
	struct bufq_buffer *buffer = NULL;

	return bufq_prepare(&q, &b, NULL, 0, &buffer);
}

static struct v4l2_buffer
filled(uint32_t index, bool mapped)
{
	struct v4l2_buffer b;

	memset(&b, 0xa5, sizeof(b));
	bufq_fill(&q, q.buffers[index], mapped, &b, NULL);
	return b;
}

Test(bufq, buffer_goes_from_dequeued_to_queued_to_done_and_back)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 2, 1, false);
	cr_assert_eq(queue(ask(1)), 0);
	cr_assert_eq(q.nb_queued, 1);
	cr_assert_eq(pool[1].state, BUFQ_QUEUED);
	bufq_done(&q, &pool[1]);
	cr_assert_eq(q.nb_queued, 0);
	cr_assert_eq(pool[1].state, BUFQ_DONE);
	bufq_dequeued(&q, &pool[1]);
	cr_assert_eq(pool[1].state, BUFQ_DEQUEUED);
	cr_assert_eq(queue(ask(1)), 0);
}

Test(bufq, a_prepared_buffer_can_be_queued_but_not_prepared_again)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 1, 1, false);
	cr_assert_eq(prepare(ask(0)), 0);
	cr_assert(filled(0, false).flags & V4L2_BUF_FLAG_PREPARED);
	cr_assert_eq(prepare(ask(0)), -EINVAL);
	cr_assert_eq(queue(ask(0)), 0);
	cr_assert_not(filled(0, false).flags & V4L2_BUF_FLAG_PREPARED);
	cr_assert_eq(prepare(ask(0)), -EINVAL);
}

Test(bufq, a_prepared_buffer_keeps_what_was_said_of_it_and_takes_the_time_of_its_queueing)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_OUTPUT, 1, 1, true);
	b = ask(0);
	b.bytesused = 100;
	b.flags = V4L2_BUF_FLAG_KEYFRAME;
	b.timestamp.tv_sec = 1;
	cr_assert_eq(prepare(b), 0);
	cr_assert_eq(filled(0, false).timestamp.tv_sec, 0);
	b = ask(0);
	b.bytesused = LENGTH + 1;
	b.flags = V4L2_BUF_FLAG_TIMECODE;
	b.timestamp.tv_sec = 2;
	b.timecode.frames = 3;
	cr_assert_eq(queue(b), 0);
	b = filled(0, false);
	cr_assert_eq(b.bytesused, 100);
	cr_assert(b.flags & V4L2_BUF_FLAG_KEYFRAME);
	cr_assert(b.flags & V4L2_BUF_FLAG_TIMECODE);
	cr_assert_eq(b.timestamp.tv_sec, 2);
	cr_assert_eq(b.timecode.frames, 3);
}

/* proves: R-66 R-68 B29 */
Test(bufq, queueing_twice_or_while_the_event_waits_is_einval)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 1, 1, false);
	cr_assert_eq(queue(ask(0)), 0);
	cr_assert_eq(queue(ask(0)), -EINVAL);
	bufq_done(&q, &pool[0]);
	cr_assert_eq(queue(ask(0)), -EINVAL);
	cr_assert_eq(q.nb_queued, 0);
}

/* proves: R-66 R-101 B37 */
Test(bufq, wrong_index_type_and_memory_are_einval_and_request_fd_is_ebadr)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 2, 1, false);
	cr_assert_eq(queue(ask(2)), -EINVAL);
	cr_assert_eq(queue(ask(UINT32_MAX)), -EINVAL);
	b = ask(0);
	b.type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
	cr_assert_eq(queue(b), -EINVAL);
	b = ask(0);
	b.memory = V4L2_MEMORY_USERPTR;
	cr_assert_eq(queue(b), -EINVAL);
	b.memory = 0;
	cr_assert_eq(queue(b), -EINVAL);
	b = ask(0);
	b.flags = V4L2_BUF_FLAG_REQUEST_FD;
	cr_assert_eq(queue(b), -EBADR);
	cr_assert_eq(prepare(b), -EBADR);
	cr_assert_eq(pool[0].state, BUFQ_DEQUEUED);
	cr_assert_eq(q.nb_queued, 0);
}

Test(bufq, nothing_can_be_queued_before_there_are_buffers)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 0, 1, false);
	cr_assert_eq(queue(ask(0)), -EINVAL);
}

/* proves: R-66 S-12 */
Test(bufq, output_bytesused_beyond_the_buffer_is_einval_and_zero_means_all)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_OUTPUT, 1, 1, false);
	b = ask(0);
	b.bytesused = LENGTH + 1;
	cr_assert_eq(queue(b), -EINVAL);
	b.bytesused = LENGTH;
	b.field = V4L2_FIELD_ALTERNATE;
	cr_assert_eq(queue(b), -EINVAL);
	b.field = V4L2_FIELD_ANY;
	cr_assert_eq(queue(b), 0);
	cr_assert_eq(pool[0].pub.planes[0].bytesused, LENGTH);
	cr_assert_eq(pool[0].pub.field, V4L2_FIELD_NONE);
	bufq_cancel(&q);
	b.bytesused = 0;
	cr_assert_eq(queue(b), 0);
	cr_assert_eq(pool[0].pub.planes[0].bytesused, LENGTH);
}

Test(bufq, capture_ignores_the_bytesused_of_the_guest)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 1, 1, false);
	b = ask(0);
	b.bytesused = UINT32_MAX;
	b.length = UINT32_MAX;
	cr_assert_eq(queue(b), 0);
	cr_assert_eq(pool[0].pub.planes[0].bytesused, 0);
	cr_assert_eq(filled(0, false).length, LENGTH);
}

/* proves: R-66 */
Test(bufq, several_planes_are_each_checked_against_their_own_length)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {{.bytesused = 1}, {.bytesused = 2 * LENGTH}};
	struct bufq_buffer *buffer;
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE, 1, 2, false);
	b = ask(0);
	cr_assert_eq(bufq_queue(&q, &b, planes, 1, &buffer), -EINVAL);
	planes[1].bytesused++;
	cr_assert_eq(bufq_queue(&q, &b, planes, 2, &buffer), -EINVAL);
	planes[1].bytesused = 10;
	planes[1].data_offset = 10;
	cr_assert_eq(bufq_queue(&q, &b, planes, 2, &buffer), -EINVAL);
	planes[1].data_offset = 9;
	cr_assert_eq(bufq_queue(&q, &b, planes, 2, &buffer), 0);
	cr_assert_eq(buffer->pub.planes[1].bytesused, 10);
	cr_assert_eq(buffer->pub.planes[1].data_offset, 9);
}

Test(bufq, multi_planar_fill_gives_real_plane_count_offsets_and_lengths)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 2, 2, false);
	memset(planes, 0xa5, sizeof(planes));
	bufq_fill(&q, &pool[1], true, &b, planes);
	cr_assert_eq(b.length, 2);
	cr_assert_eq(b.bytesused, 0);
	cr_assert_null(b.m.planes);
	cr_assert_eq(planes[0].m.mem_offset, 0x20000);
	cr_assert_eq(planes[1].m.mem_offset, 0x30000);
	cr_assert_eq(planes[1].length, 2 * LENGTH);
	cr_assert_eq(planes[1].reserved[0], 0);
}

/* proves: R-26 S-17 */
Test(bufq, fill_sets_every_byte_of_the_struct)
{
	struct v4l2_buffer b;
	struct v4l2_buffer expected = {
		.index = 1,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.bytesused = 77,
		.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_MAPPED,
		.field = V4L2_FIELD_NONE,
		.timestamp = {.tv_sec = 5, .tv_usec = 6},
		.sequence = 9,
		.memory = V4L2_MEMORY_MMAP,
		.m.offset = 0x10000,
		.length = LENGTH,
	};

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 2, 1, false);
	pool[1].pub.planes[0].bytesused = 77;
	pool[1].pub.timestamp_ns = 5000006999;
	pool[1].pub.sequence = 9;
	memset(&b, 0xff, sizeof(b));
	bufq_fill(&q, &pool[1], true, &b, NULL);
	cr_assert_arr_eq(&b, &expected, sizeof(b));
}

/* proves: R-72 R-74 */
Test(bufq, error_and_last_add_to_the_timestamp_flags_of_the_event_only)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 1, 1, false);
	cr_assert_eq(queue(ask(0)), 0);
	pool[0].pub.flags = V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST | V4L2_BUF_FLAG_KEYFRAME |
	                    V4L2_BUF_FLAG_QUEUED;
	cr_assert_eq(filled(0, false).flags,
		V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	bufq_done(&q, &pool[0]);
	cr_assert_eq(filled(0, false).flags, V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST |
						     V4L2_BUF_FLAG_KEYFRAME |
						     V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC);
	bufq_dequeued(&q, &pool[0]);
	cr_assert_not(filled(0, false).flags & (V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST));
	cr_assert_eq(queue(ask(0)), 0);
	cr_assert_not(filled(0, false).flags & V4L2_BUF_FLAG_KEYFRAME);
}

/* proves: R-74 */
Test(bufq, m2m_output_keeps_the_timestamp_and_the_frame_type_of_the_guest)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_OUTPUT, 1, 1, true);
	b = ask(0);
	b.timestamp.tv_sec = 12;
	b.timestamp.tv_usec = 345678;
	b.flags = V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_DONE;
	cr_assert_eq(queue(b), 0);
	cr_assert_eq(pool[0].pub.timestamp_ns, 12345678000);
	cr_assert_eq(filled(0, false).flags,
		V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_TIMESTAMP_COPY);
	cr_assert_eq(filled(0, false).timestamp.tv_usec, 345678);
}

Test(bufq, display_output_ignores_the_timestamp_of_the_guest)
{
	struct v4l2_buffer b;

	make(V4L2_BUF_TYPE_VIDEO_OUTPUT, 1, 1, false);
	b = ask(0);
	b.timestamp.tv_sec = 12;
	cr_assert_eq(queue(b), 0);
	cr_assert_eq(pool[0].pub.timestamp_ns, 0);
}

/* proves: R-81 S-17 */
Test(bufq, done_never_claims_more_bytes_than_the_plane_has)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 1, 1, false);
	cr_assert_eq(queue(ask(0)), 0);
	pool[0].pub.planes[0].bytesused = LENGTH + 1;
	bufq_done(&q, &pool[0]);
	cr_assert_eq(filled(0, false).bytesused, LENGTH);
}

/* proves: B5 */
Test(bufq, cancel_takes_back_buffers_of_every_state_and_clear_forgets_them)
{
	uint32_t i;

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 4, 1, false);
	cr_assert_eq(prepare(ask(1)), 0);
	cr_assert_eq(queue(ask(2)), 0);
	cr_assert_eq(queue(ask(3)), 0);
	bufq_done(&q, &pool[3]);
	bufq_cancel(&q);
	cr_assert_eq(q.nb_queued, 0);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(pool[i].state, BUFQ_DEQUEUED);
	}
	bufq_clear(&q);
	cr_assert_eq(q.nb_buffers, 0);
	cr_assert_eq(queue(ask(0)), -EINVAL);
}

/* The states of vb2 in the fewest words; random guests and backends must not tell them apart. */
struct model {
	enum bufq_state state[BUFQ_MAX_BUFFERS];
};

static int
model_take(struct model *m, const struct v4l2_buffer *b, bool prepare_only)
{
	bool bad = b->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || b->index >= 8 ||
	           b->memory != V4L2_MEMORY_MMAP;
	enum bufq_state state = bad ? BUFQ_DONE : m->state[b->index];

	if (!bad && (b->flags & V4L2_BUF_FLAG_REQUEST_FD)) {
		return -EBADR;
	}
	if (bad || (b->bytesused > LENGTH && state != BUFQ_PREPARED) || state == BUFQ_QUEUED ||
		state == BUFQ_DONE || (prepare_only && state == BUFQ_PREPARED)) {
		return -EINVAL;
	}
	m->state[b->index] = prepare_only ? BUFQ_PREPARED : BUFQ_QUEUED;
	return 0;
}

static struct v4l2_buffer
random_ask(void)
{
	struct v4l2_buffer b = ask((uint32_t)rand() % 9);

	if (rand() % 8 == 0) {
		b.type = (uint32_t)rand() % 12;
	}
	if (rand() % 8 == 0) {
		b.memory = (uint32_t)rand() % 5;
	}
	if (rand() % 8 == 0) {
		b.flags = (uint32_t)rand();
	}
	b.bytesused = rand() % 8 == 0 ? LENGTH + 1 : (uint32_t)rand() % (LENGTH + 1);
	return b;
}

static void
model_step(struct model *m)
{
	struct v4l2_buffer b = random_ask();
	uint32_t i = (uint32_t)rand() % 8;

	switch (rand() % 16) {
	case 0:
		bufq_cancel(&q);
		memset(m, 0, sizeof(*m));
		break;
	case 1:
	case 2:
		cr_assert_eq(prepare(b), model_take(m, &b, true));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		if (m->state[i] == BUFQ_QUEUED) {
			bufq_done(&q, &pool[i]);
			m->state[i] = BUFQ_DONE;
		}
		break;
	case 7:
	case 8:
	case 9:
		if (m->state[i] == BUFQ_DONE) {
			bufq_dequeued(&q, &pool[i]);
			m->state[i] = BUFQ_DEQUEUED;
		}
		break;
	default:
		cr_assert_eq(queue(b), model_take(m, &b, false));
		break;
	}
}

Test(bufq, random_guests_and_backends_see_what_the_model_of_vb2_says)
{
	struct model m = {0};
	uint32_t step, i, nb_queued;

	srand(2);
	make(V4L2_BUF_TYPE_VIDEO_OUTPUT, 8, 1, false);
	for (step = 0; step < 200000; step++) {
		model_step(&m);
		for (i = 0, nb_queued = 0; i < 8; i++) {
			cr_assert_eq(pool[i].state, m.state[i], "step %u buffer %u", step, i);
			nb_queued += m.state[i] == BUFQ_QUEUED;
		}
		cr_assert_eq(q.nb_queued, nb_queued);
	}
}

/* ---- REMOVE_BUFS */

Test(bufq, a_removed_buffer_is_not_there_and_its_neighbours_are)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 5, 1, false);
	cr_assert_eq(bufq_check_remove(&q, 1, 2), 0);
	bufq_remove(&q, 1, 2);
	cr_assert_eq(q.nb_buffers, 5);
	cr_assert_null(bufq_get(&q, 1));
	cr_assert_eq(bufq_get(&q, 3), &pool[3]);
	cr_assert_eq(queue(ask(2)), -EINVAL);
	cr_assert_eq(queue(ask(3)), 0);
	bufq_cancel(&q);
	cr_assert_eq(bufq_check_remove(&q, 2, 1), -EINVAL, "it went already");
	bufq_remove(&q, 3, 2);
	cr_assert_eq(q.nb_buffers, 1, "none is beyond the last one");
	bufq_remove(&q, 0, 1);
	cr_assert_eq(q.nb_buffers, 0);
	cr_assert_eq(q.memory, 0);
}

Test(bufq, what_is_not_there_or_in_use_cannot_be_removed)
{
	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 4, 1, false);
	cr_assert_eq(bufq_check_remove(&q, 3, 2), -EINVAL);
	cr_assert_eq(bufq_check_remove(&q, 32, 1), -EINVAL);
	cr_assert_eq(bufq_check_remove(&q, UINT32_MAX, 1), -EINVAL);
	cr_assert_eq(bufq_check_remove(&q, 1, UINT32_MAX), -EINVAL);
	cr_assert_eq(queue(ask(1)), 0);
	cr_assert_eq(prepare(ask(2)), 0);
	cr_assert_eq(bufq_check_remove(&q, 0, 2), -EBUSY);
	cr_assert_eq(bufq_check_remove(&q, 2, 1), -EBUSY);
	bufq_done(&q, &pool[1]);
	cr_assert_eq(bufq_check_remove(&q, 1, 1), -EBUSY);
	bufq_dequeued(&q, &pool[1]);
	cr_assert_eq(bufq_check_remove(&q, 0, 2), 0);
}

Test(bufq, new_buffers_go_where_as_many_fit_as_are_wanted)
{
	uint32_t first;

	make(V4L2_BUF_TYPE_VIDEO_CAPTURE, 30, 1, false);
	bufq_remove(&q, 2, 1);
	bufq_remove(&q, 10, 3);
	cr_assert_eq(bufq_room(&q, 1, &first), 1);
	cr_assert_eq(first, 2);
	cr_assert_eq(bufq_room(&q, 2, &first), 2);
	cr_assert_eq(first, 10);
	cr_assert_eq(bufq_room(&q, 9, &first), 3, "as many as fit");
	cr_assert_eq(first, 10);
	bufq_add(&q, 11, &pool[11], V4L2_MEMORY_MMAP);
	cr_assert_eq(pool[11].pub.index, 11);
	cr_assert_eq(q.nb_buffers, 30);
	cr_assert_eq(bufq_room(&q, 2, &first), 2);
	cr_assert_eq(first, 30, "behind all others");
}
