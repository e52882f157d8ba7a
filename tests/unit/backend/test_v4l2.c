/* SPDX-License-Identifier: BSD-3-Clause */
/* A host's node through the whole device: buffers imported and copied, ioctls, events, a node that
 * is slow, busy or gone. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "v4l2_bench.h"
#include "v4l2_node.h"

#define CAPTURE  V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT   V4L2_BUF_TYPE_VIDEO_OUTPUT
#define NR(name) _IOC_NR(VIDIOC_##name)
#define CAMERA   (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING | V4L2_CAP_READWRITE)

static struct h *h;
static const char *wait = "auto"; /* io_uring, where there is one */

static void
start_with(const struct device_option *options, uint32_t nb_options, uint32_t deadline_ms)
{
	h = h_create(&(struct h_config){.backend = backend_find("v4l2"),
		.options = options,
		.nb_options = nb_options,
		.deadline_ms = deadline_ms,
		.arena_bytes = 16u << 20});
	h_post_events(h, 64, H_EVENT_SIZE);
}

static void
start_device(const char *buffers, uint32_t deadline_ms)
{
	const struct device_option options[] = {
		{"node", "camera"}, {"buffers", buffers}, {"wait", wait}};

	start_with(options, 3, deadline_ms);
}

static void
setup(uint32_t caps, const char *buffers)
{
	node_setup(caps);
	start_device(buffers, 0);
}

static bool
arena_is_empty(void)
{
	struct shm_arena_usage usage;

	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	return usage.allocated_bytes == 0;
}

static void
teardown(void)
{
	eventually(node_nb_open() == 0);
	eventually(arena_is_empty());
	h_destroy(h);
}

/* The next event; of a buffer. */
static void
dqbuf(struct v4l2_buffer *b, struct v4l2_plane *planes)
{
	struct virtio_media_event_dqbuf event;
	int len = -EAGAIN;

	eventually((len = h_event(h, &event)) != -EAGAIN);
	cr_assert_eq(len, H_EVENT_SIZE);
	cr_assert_eq(event.hdr.event, VIRTIO_MEDIA_EVT_DQBUF);
	*b = event.buffer;
	if (planes != NULL) {
		memcpy(planes, event.planes, sizeof(event.planes));
	}
	h_post_events(h, 1, H_EVENT_SIZE);
}

static int
reqbufs(uint32_t s, uint32_t type, uint32_t count)
{
	struct v4l2_requestbuffers rb = {.count = count, .type = type, .memory = V4L2_MEMORY_MMAP};
	int ret = h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb));

	return ret != 0 ? ret : (int)rb.count;
}

static int
stream(uint32_t s, uint32_t type, bool on)
{
	return h_ioctl(h, s, on ? NR(STREAMON) : NR(STREAMOFF), &type, sizeof(type), 0);
}

static int
qbuf(uint32_t s, uint32_t type, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};

	return h_ioctl(h, s, NR(QBUF), &b, sizeof(b), sizeof(b));
}

static uint8_t *
bytes_of(uint32_t s, uint32_t type, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = type, .memory = V4L2_MEMORY_MMAP};

	cr_assert_eq(h_ioctl(h, s, NR(QUERYBUF), &b, sizeof(b), sizeof(b)), 0);
	cr_assert_geq(b.length, NODE_SIZE);
	return shm_arena_addr(h->device->arena, b.m.offset);
}

/* A session with buffers queued, streaming. */
static uint32_t
capture(uint32_t nb)
{
	uint32_t s = h_open(h);

	cr_assert_eq(reqbufs(s, CAPTURE, nb), (int)nb);
	for (uint32_t i = 0; i < nb; i++) {
		cr_assert_eq(qbuf(s, CAPTURE, i), 0);
	}
	cr_assert_eq(stream(s, CAPTURE, true), 0);
	return s;
}

static void
frames_arrive(uint32_t s, uint32_t nb)
{
	struct v4l2_buffer b;

	for (uint32_t n = 0; n < nb; n++) {
		eventually(node_frame(false, (uint8_t)(n + 1), 0) >= 0);
		dqbuf(&b, NULL);
		cr_assert_eq(b.index, n % 4);
		cr_assert_eq(b.sequence, n);
		cr_assert_eq(b.bytesused, NODE_SIZE - 1);
		cr_assert_eq(b.timestamp.tv_sec, 12);
		cr_assert_eq(b.timestamp.tv_usec, 34);
		cr_assert_eq(b.flags & V4L2_BUF_FLAG_ERROR, 0);
		cr_assert_eq(b.flags & V4L2_BUF_FLAG_TSTAMP_SRC_MASK, V4L2_BUF_FLAG_TSTAMP_SRC_SOE);
		cr_assert_eq(bytes_of(s, CAPTURE, b.index)[0], n + 1);
		cr_assert_eq(bytes_of(s, CAPTURE, b.index)[NODE_SIZE - 2], n + 1);
		cr_assert_eq(qbuf(s, CAPTURE, b.index), 0);
	}
}

/* ---- what the node is ---- */

/* proves: R-7 */
Test(v4l2, the_guest_sees_the_nodes_name_and_what_can_be_carried_of_its_capabilities)
{
	setup(CAMERA | V4L2_CAP_VIDEO_OVERLAY, "auto");
	cr_assert_eq(h->device->node.device_caps, V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING);
	cr_assert_eq(h->device->node.device_type, VFL_TYPE_VIDEO);
	cr_assert_str_eq(h->device->node.card, "Host camera");
	cr_assert_eq(h->device->node.arena_bytes, 32 * 65536);
	teardown();
}

Test(v4l2, a_descriptor_that_was_inherited_is_opened_anew_by_each_session)
{
	const struct device_option fd = {"fd", "77"};
	uint32_t sessions[2];

	node_setup(CAMERA);
	start_with(&fd, 1, 0);
	cr_assert_eq(node_nb_opened(), 1);
	for (uint32_t i = 0; i < 2; i++) {
		sessions[i] = h_open(h);
	}
	cr_assert_str_eq(node_path(), "/proc/self/fd/77");
	cr_assert_eq(node_nb_open(), 2);
	h_close(h, sessions[0]);
	h_close(h, sessions[1]);
	teardown();
}

/* ---- buffers ---- */

/* proves: R-68 */
Test(v4l2, capture_by_import_copies_nothing)
{
	uint32_t s;

	setup(CAMERA, "auto");
	s = capture(4);
	frames_arrive(s, 40);
	cr_assert_eq(h->device->counters.bytes_copied, 0);
	cr_assert_eq(h->device->counters.nb_imported, 40);
	cr_assert_eq(stream(s, CAPTURE, false), 0);
	h_close(h, s);
	teardown();
}

Test(v4l2, capture_while_epoll_waits)
{
	uint32_t s;

	wait = "epoll";
	setup(CAMERA, "auto");
	s = capture(4);
	frames_arrive(s, 40);
	h_close(h, s);
	teardown();
}

/* proves: R-68 */
Test(v4l2, capture_by_copy_copies_each_byte_once)
{
	uint32_t s;

	setup(CAMERA, "copy");
	s = capture(4);
	frames_arrive(s, 40);
	cr_assert_eq(h->device->counters.bytes_copied, 40 * (NODE_SIZE - 1));
	cr_assert_eq(h->device->counters.nb_copied, 40);
	h_close(h, s);
	teardown();
}

Test(v4l2, a_node_without_userptr_is_copied_and_never_when_import_is_forced)
{
	uint32_t s;

	setup(CAMERA, "auto");
	node_rules.no_userptr = true;
	s = capture(4);
	frames_arrive(s, 8);
	cr_assert_gt(h->device->counters.bytes_copied, 0);
	h_close(h, s);
	teardown();

	setup(CAMERA, "import");
	node_rules.no_userptr = true;
	s = h_open(h);
	cr_assert_eq(reqbufs(s, CAPTURE, 4), -EINVAL);
	h_close(h, s);
	teardown();
}

Test(v4l2, a_node_that_cannot_use_the_memory_it_is_given_is_copied)
{
	uint32_t s;

	setup(CAMERA, "auto");
	node_rules.bad_userptr = true;
	s = capture(4);
	frames_arrive(s, 8);
	cr_assert_eq(h->device->counters.bytes_copied, 8 * (NODE_SIZE - 1));
	h_close(h, s);
	teardown();
}

static void
output(const char *buffers)
{
	struct v4l2_buffer b;
	uint32_t s;

	setup(V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_STREAMING, buffers);
	s = h_open(h);
	cr_assert_eq(reqbufs(s, OUTPUT, 2), 2);
	cr_assert_eq(stream(s, OUTPUT, true), 0);
	for (uint32_t n = 0; n < 10; n++) {
		memset(bytes_of(s, OUTPUT, n % 2), (int)n + 5, NODE_SIZE);
		cr_assert_eq(qbuf(s, OUTPUT, n % 2), 0);
		eventually(node_nb_queued(true) == 1);
		cr_assert_eq(node_frame(true, 0, 0), (int)n + 5);
		dqbuf(&b, NULL);
		cr_assert_eq(b.type, OUTPUT);
		cr_assert_eq(b.index, n % 2);
		cr_assert_eq(b.bytesused, NODE_SIZE);
	}
	cr_assert_eq(h->device->counters.bytes_copied,
		strcmp(buffers, "copy") == 0 ? 10 * NODE_SIZE : 0);
	h_close(h, s);
	teardown();
}

Test(v4l2, output_by_import)
{
	output("import");
}

Test(v4l2, output_by_copy)
{
	output("copy");
}

static void
planes(const char *buffers)
{
	struct v4l2_requestbuffers rb = {
		.count = 2, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, .memory = V4L2_MEMORY_MMAP};
	struct {
		struct v4l2_buffer b;
		struct v4l2_plane planes[2];
	} q = {.b = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE,
		       .memory = V4L2_MEMORY_MMAP,
		       .length = 2}};
	struct v4l2_plane got[VIDEO_MAX_PLANES];
	struct v4l2_buffer b;
	uint32_t s;

	setup(V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING, buffers);
	s = h_open(h);
	cr_assert_eq(h_ioctl(h, s, NR(REQBUFS), &rb, sizeof(rb), sizeof(rb)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(QBUF), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(stream(s, rb.type, true), 0);
	eventually(node_frame(false, 9, 0) >= 0);
	dqbuf(&b, got);
	cr_assert_eq(b.length, 2);
	for (uint32_t p = 0; p < 2; p++) {
		const uint8_t *bytes = shm_arena_addr(h->device->arena, got[p].m.mem_offset);

		cr_assert_eq(got[p].bytesused, NODE_SIZE - 1);
		cr_assert_eq(bytes[NODE_SIZE - 2], 9);
	}
	h_close(h, s);
	teardown();
}

Test(v4l2, planes_by_import)
{
	planes("import");
}

Test(v4l2, planes_by_copy)
{
	planes("copy");
}

/* proves: R-44 R-72 */
Test(v4l2, m2m_sessions_have_opens_of_their_own)
{
	struct v4l2_buffer done;
	uint32_t a, b;

	setup(V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING, "auto");
	a = h_open(h);
	b = h_open(h);
	cr_assert_eq(node_nb_open(), 2);
	cr_assert_eq(reqbufs(a, OUTPUT, 2), 2);
	cr_assert_eq(reqbufs(a, CAPTURE, 2), 2);
	cr_assert_eq(reqbufs(b, OUTPUT, 2), 2);
	cr_assert_eq(reqbufs(b, CAPTURE, 2), 2);
	cr_assert_eq(qbuf(b, OUTPUT, 0), 0);
	cr_assert_eq(qbuf(b, CAPTURE, 1), 0);
	cr_assert_eq(stream(b, OUTPUT, true), 0);
	cr_assert_eq(stream(b, CAPTURE, true), 0);
	eventually(node_frame(true, 0, 0) == 0);
	eventually(node_frame(false, 3, V4L2_BUF_FLAG_LAST) == 3);
	dqbuf(&done, NULL);
	cr_assert_eq(done.type, OUTPUT);
	dqbuf(&done, NULL);
	cr_assert_eq(done.type, CAPTURE);
	cr_assert_eq(done.flags & V4L2_BUF_FLAG_LAST, V4L2_BUF_FLAG_LAST);
	h_close(h, a);
	h_close(h, b);
	teardown();
}

/* proves: R-64 */
Test(v4l2, create_bufs_adds_to_what_is_there)
{
	struct v4l2_create_buffers cb = {.count = 2,
		.memory = V4L2_MEMORY_MMAP,
		.format = {.type = CAPTURE, .fmt.pix = {.sizeimage = NODE_SIZE}}};
	struct v4l2_buffer b;
	uint32_t s;

	setup(CAMERA, "copy");
	s = h_open(h);
	cr_assert_eq(reqbufs(s, CAPTURE, 3), 3);
	cr_assert_eq(h_ioctl(h, s, NR(CREATE_BUFS), &cb, sizeof(cb), sizeof(cb)), 0);
	cr_assert_eq(cb.index, 3);
	cr_assert_eq(cb.count, 2);
	cr_assert_eq(qbuf(s, CAPTURE, 4), 0);
	cr_assert_eq(stream(s, CAPTURE, true), 0);
	eventually(node_frame(false, 8, 0) >= 0);
	dqbuf(&b, NULL);
	cr_assert_eq(b.index, 4);
	cr_assert_eq(bytes_of(s, CAPTURE, 4)[100], 8);
	h_close(h, s);
	teardown();
}

/* ---- ioctls ---- */

Test(v4l2, what_is_not_carried_does_not_exist)
{
	const uint32_t absent[] = {NR(EXPBUF), NR(G_FBUF), NR(S_FBUF), NR(OVERLAY), NR(G_EDID),
		NR(S_EDID), NR(G_PRIORITY), NR(S_PRIORITY), NR(DBG_G_REGISTER), NR(DBG_G_CHIP_INFO),
		NR(QUERYCAP), NR(DQBUF), NR(DQEVENT), NR(LOG_STATUS)};
	uint8_t arg[512] = {0};
	uint32_t s;

	setup(CAMERA, "auto");
	s = h_open(h);
	for (uint32_t i = 0; i < ARRAY_SIZE(absent); i++) {
		cr_assert_eq(h_ioctl(h, s, absent[i], arg, 256, 256), -ENOTTY, "%u", absent[i]);
	}
	h_close(h, s);
	teardown();
}

Test(v4l2, the_node_answers_and_only_for_its_own_types)
{
	struct v4l2_format f = {.type = CAPTURE};
	struct v4l2_streamparm parm = {.type = CAPTURE};
	uint64_t std = 1;
	uint32_t s;

	setup(CAMERA, "auto");
	s = h_open(h);
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	cr_assert_eq(f.fmt.pix.width, NODE_WIDTH);
	f.type = V4L2_BUF_TYPE_VIDEO_OVERLAY;
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(G_PARM), &parm, sizeof(parm), sizeof(parm)), 0);
	cr_assert_eq(parm.parm.capture.readbuffers, 0);
	cr_assert_eq(h_ioctl(h, s, NR(S_STD), &std, sizeof(std), 0), -ENOTTY);
	h_close(h, s);
	teardown();
}

/* proves: R-59 */
Test(v4l2, raw_and_sliced_vbi_are_two_types_of_one_queue)
{
	const uint32_t types[] = {V4L2_BUF_TYPE_SLICED_VBI_CAPTURE, V4L2_BUF_TYPE_VBI_CAPTURE};
	struct v4l2_buffer b;
	uint32_t s;

	setup(V4L2_CAP_VBI_CAPTURE | V4L2_CAP_SLICED_VBI_CAPTURE | V4L2_CAP_STREAMING, "auto");
	cr_assert_eq(h->device->node.device_type, VFL_TYPE_VBI);
	s = h_open(h);
	for (uint32_t i = 0; i < ARRAY_SIZE(types); i++) {
		cr_assert_eq(reqbufs(s, types[i], 2), 2);
		cr_assert_eq(qbuf(s, types[!i], 1), -EINVAL);
		cr_assert_eq(qbuf(s, types[i], 1), 0);
		cr_assert_eq(stream(s, types[i], true), 0);
		eventually(node_frame(false, 6, 0) >= 0);
		dqbuf(&b, NULL);
		cr_assert_eq(b.type, types[i]);
		cr_assert_eq(b.bytesused, NODE_SIZE - 1);
		cr_assert_eq(bytes_of(s, types[i], 1)[0], 6);
		cr_assert_eq(stream(s, types[i], false), 0);
		cr_assert_eq(reqbufs(s, types[i], 0), 0);
	}
	cr_assert_eq(reqbufs(s, CAPTURE, 2), -EINVAL);
	h_close(h, s);
	teardown();
}

/* ---- events ---- */

/* proves: R-76 */
Test(v4l2, events_of_a_command_are_there_before_its_answer)
{
	struct v4l2_control c = {.id = NODE_CTRL, .value = 42};
	struct virtio_media_event_event event;
	uint32_t s;

	setup(CAMERA, "auto");
	s = h_open(h);
	cr_assert_eq(
		h_subscribe(h, s, V4L2_EVENT_CTRL, NODE_CTRL, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
	cr_assert_eq(h_event(h, &event), (int)sizeof(event));
	cr_assert_eq(event.event.u.ctrl.value, 0);
	cr_assert_eq(event.event.timestamp.tv_sec, 77);
	cr_assert_eq(h_ioctl(h, s, NR(S_CTRL), &c, sizeof(c), sizeof(c)), 0);
	cr_assert_eq(h_event(h, &event), (int)sizeof(event));
	cr_assert_eq(event.event.u.ctrl.value, 42);
	/* By somebody else. An eventfd has no EPOLLPRI; while it streams EPOLLIN is waited for,
	 * too. */
	cr_assert_eq(reqbufs(s, CAPTURE, 1), 1);
	cr_assert_eq(stream(s, CAPTURE, true), 0);
	node_event(V4L2_EVENT_CTRL, NODE_CTRL);
	eventually(h_event(h, &event) == (int)sizeof(event));
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), -EINVAL);
	h_close(h, s);
	teardown();
}

/* proves: R-79 */
Test(v4l2, an_event_that_came_with_a_buffer_goes_ahead_of_it)
{
	struct virtio_media_event_event event;
	struct v4l2_buffer b;
	uint32_t s;

	setup(CAMERA, "auto");
	s = capture(2);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	node_rules.slow_cmd = VIDIOC_DQBUF;
	node_rules.slow_ms = 500;
	cr_assert_geq(node_frame(false, 1, 0), 0);
	eventually(node_is_slow());
	node_event(V4L2_EVENT_SOURCE_CHANGE, 0);
	eventually(h_event(h, &event) == (int)sizeof(event)); /* 608 bytes: a buffer */
	cr_assert_eq(event.event.type, V4L2_EVENT_SOURCE_CHANGE);
	node_rules.slow_ms = 0;
	dqbuf(&b, NULL);
	cr_assert_eq(b.index, 0);
	h_close(h, s);
	teardown();
}

/* ---- readiness ---- */

Test(v4l2, a_node_is_polled_for_data_only_while_it_streams)
{
	uint32_t s;

	wait = "epoll"; /* the kernel tells what that waits for */
	setup(CAMERA, "auto");
	s = h_open(h);
	cr_assert_eq(node_polled_for() & (EPOLLIN | EPOLLOUT | EPOLLPRI), EPOLLPRI);
	cr_assert_eq(reqbufs(s, CAPTURE, 2), 2);
	cr_assert_eq(node_polled_for() & (EPOLLIN | EPOLLOUT | EPOLLPRI), EPOLLPRI);
	cr_assert_eq(stream(s, CAPTURE, true), 0);
	cr_assert_eq(node_polled_for() & EPOLLIN, EPOLLIN);
	cr_assert_eq(stream(s, CAPTURE, false), 0);
	cr_assert_eq(node_polled_for() & (EPOLLIN | EPOLLOUT | EPOLLPRI), EPOLLPRI);
	h_close(h, s);
	teardown();
}

/* ---- real life ---- */

/* proves: R-68 B21 */
Test(v4l2, an_unplugged_camera_gives_its_buffers_back_and_a_new_open_resumes)
{
	struct v4l2_format f = {.type = CAPTURE};
	struct v4l2_buffer b;
	uint32_t s, nb;

	setup(CAMERA, "auto");
	s = capture(4);
	node_unplug();
	for (nb = 0; nb < 4; nb++) {
		dqbuf(&b, NULL);
		cr_assert_eq(b.flags & V4L2_BUF_FLAG_ERROR, V4L2_BUF_FLAG_ERROR);
	}
	cr_assert_eq(qbuf(s, CAPTURE, 0), -ENODEV);
	cr_assert_eq(h_ioctl(h, s, NR(G_FMT), &f, sizeof(f), sizeof(f)), -ENODEV);
	h_close(h, s);
	node_rules.unplugged = false;
	s = capture(4);
	frames_arrive(s, 4);
	h_close(h, s);
	teardown();
}

Test(v4l2, open_says_what_the_node_says)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct h_reply reply;
	uint32_t s;

	setup(CAMERA, "auto");
	node_rules.open_error = EBUSY;
	for (int i = 0; i < 300; i++) {
		cr_assert_eq(h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.open), &reply), -EBUSY);
	}
	cr_assert_eq(h->device->nb_open_sessions, 0);
	node_rules.open_error = 0;
	s = h_open(h);
	h_close(h, s);
	teardown();
}

/* proves: R-32 R-33 S-20 */
Test(v4l2, a_slow_node_is_answered_for_by_the_deadline_and_nobody_else_waits)
{
	struct v4l2_format f = {.type = CAPTURE};
	uint32_t s, other;
	uint64_t begin_ns;

	node_setup(CAMERA);
	start_device("auto", 500);
	s = h_open(h);
	other = h_open(h);
	node_rules.slow_cmd = VIDIOC_S_FMT;
	node_rules.slow_ms = 1500;
	begin_ns = clock_monotonic_ns();
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), -EIO);
	cr_assert_lt(clock_monotonic_ns() - begin_ns, 1400 * NSEC_PER_MSEC);
	node_rules.slow_ms = 0;
	eventually(h->device->first_free == 0); /* the late answer came */
	cr_assert_eq(h_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f)), 0);
	h_close(h, s);
	h_close(h, other);
	teardown();
}

/* proves: S-20 */
Test(v4l2, a_stream_whose_start_came_too_late_is_of_no_use_until_it_is_closed)
{
	uint32_t s;

	node_setup(CAMERA);
	start_device("auto", 500);
	s = h_open(h);
	cr_assert_eq(reqbufs(s, CAPTURE, 2), 2);
	node_rules.slow_cmd = VIDIOC_STREAMON;
	node_rules.slow_ms = 1000;
	cr_assert_eq(stream(s, CAPTURE, true), -EIO);
	node_rules.slow_ms = 0;
	eventually(h->device->first_free == 0);
	cr_assert_eq(qbuf(s, CAPTURE, 0), -EIO);
	h_close(h, s);
	s = capture(4);
	frames_arrive(s, 4);
	h_close(h, s);
	teardown();
}

/* proves: S-11 */
Test(v4l2, the_memory_of_buffers_is_not_given_to_others_before_the_node_is_closed)
{
	uint32_t s;

	setup(CAMERA, "auto");
	s = capture(4);
	node_rules.slow_close = true;
	node_rules.slow_ms = 200;
	h_close(h, s);
	cr_assert_not(arena_is_empty());
	eventually(node_nb_open() == 0);
	eventually(arena_is_empty());
	node_rules.slow_ms = 0;
	teardown();
}

/* proves: R-13 B23 */
Test(v4l2, a_reset_in_the_middle_of_everything_leaves_nothing_behind)
{
	struct v4l2_format f = {.type = CAPTURE};
	uint32_t s;

	for (int i = 0; i < 10; i++) {
		setup(CAMERA, i % 2 ? "auto" : "copy");
		s = capture(4);
		node_rules.slow_ms = 5;
		h_send_ioctl(h, s, NR(S_FMT), &f, sizeof(f), sizeof(f));
		h_pass(h, 3);
		node_frame(false, 1, 0);
		device_listener.reset(h->device);
		node_rules.slow_ms = 0;
		teardown();
	}
}

/* proves: B25 S-14 */
Test(v4l2, opens_do_not_leak)
{
	int fd_before, fd_after;

	setup(CAMERA, "auto");
	fd_before = dup(0);
	close(fd_before);
	for (int i = 0; i < 2000; i++) {
		h_close(h, h_open(h));
	}
	eventually(node_nb_open() == 0);
	fd_after = dup(0);
	close(fd_after);
	cr_assert_eq(fd_before, fd_after);
	cr_assert_eq(node_nb_opened(), 2001); /* and one to see what it is */
	teardown();
}
