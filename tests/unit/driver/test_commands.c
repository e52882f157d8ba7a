/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driver/internal.h"
#include "fake_device.h"
#include "linux/virtio_media.h"

struct bench {
	struct driver *drv;
	struct fake_ring cmdq, evq;
	struct driver_session *session;
	int nb_done, status;
};

static void
bench_init_with(struct bench *b, struct driver_config *config)
{
	memset(b, 0, sizeof(*b));
	config->wait = DRIVER_POLL;
	config->mem_bytes = 2 << 20;
	cr_assert_eq(driver_create_local(config, &b->drv), 0);
	fake_ring_init(&b->cmdq, b->drv, DRIVER_QUEUE_COMMAND);
	fake_ring_init(&b->evq, b->drv, DRIVER_QUEUE_EVENT);
	b->session = fake_open(&b->cmdq, 7);
}

static void
bench_init(struct bench *b)
{
	struct driver_config config;

	driver_config_init(&config);
	bench_init_with(b, &config);
}

static void
count_done(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	struct bench *b = cookie;

	b->nb_done++;
	b->status = status;
}

static struct driver_stats
stats_of(const struct bench *b)
{
	struct driver_stats stats;

	driver_get_stats(b->drv, &stats);
	return stats;
}

/* Sends, lets the test see the chain, answers these bytes with this used.len; the status. */
static int
exchange(struct bench *b, unsigned long request, void *arg, const void *resp, uint32_t used_len)
{
	struct fake_chain c;

	b->nb_done = 0;
	cr_assert_eq(driver_ioctl_submit(b->session, request, arg, count_done, b), 0);
	cr_assert(fake_pop(&b->cmdq, &c));
	fake_write(&c, resp, used_len < 32768 ? used_len : 0);
	fake_push(&b->cmdq, &c, used_len);
	cr_assert_eq(driver_poll(b->drv), 1);
	cr_assert_eq(b->nb_done, 1);
	return b->status;
}

/* A response header and a payload. */
static uint8_t *
answer(uint32_t status, const void *payload, size_t len)
{
	static uint8_t buf[32768];

	memset(buf, 0, sizeof(buf));
	memcpy(buf, &status, sizeof(status));
	if (len > 0) {
		memcpy(buf + 8, payload, len);
	}
	return buf;
}

Test(driver_commands, ioctl_has_the_bytes_and_the_shape_of_the_linux_driver)
{
	struct bench b;
	struct fake_chain c;
	struct v4l2_control ctrl = {.id = 0x980900, .value = 5};
	uint8_t cmd[64];
	static const uint8_t expected[24] = {
		3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 27, 0, 0, 0, 0, 9, 0x98, 0, 5, 0, 0, 0};

	bench_init(&b);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(c.nb_read, 2);
	cr_assert_eq(c.nb_write, 2);
	cr_assert_eq(fake_read(&c, cmd, sizeof(cmd)), 24);
	cr_assert_arr_eq(cmd, expected, 24);
	cr_assert_eq(c.pieces[2].len, 8);
	cr_assert_eq(c.pieces[3].len, 8);
	cr_assert_eq(c.pieces[1].mem, c.pieces[3].mem, "one memory for both halves");
	ctrl.value = 9;
	fake_write(&c, answer(0, &ctrl, sizeof(ctrl)), 16);
	ctrl.value = 5;
	fake_push(&b.cmdq, &c, 16);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(b.status, 0);
	cr_assert_eq(ctrl.value, 9);
	fake_end(b.drv);
}

Test(driver_commands, direction_follows_the_macro)
{
	struct bench b;
	struct fake_chain c;
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	struct v4l2_enc_idx idx;

	bench_init(&b);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_STREAMON, &type, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(c.nb_read, 2);
	cr_assert_eq(c.nb_write, 1);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_ENC_INDEX, &idx, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(c.nb_read, 1);
	cr_assert_eq(c.nb_write, 2);
	cr_assert_eq(c.pieces[2].len, 2072);
	fake_end(b.drv);
	cr_assert_eq(b.nb_done, 2, "ended by the disconnect");
	cr_assert_eq(b.status, -ENODEV);
}

Test(driver_commands, what_must_never_be_sent_is_not_sent)
{
	struct bench b;
	struct fake_chain c;
	struct v4l2_capability cap;
	uint8_t arg[2072] = {0};
	unsigned long never[] = {VIDIOC_DQBUF, VIDIOC_DQEVENT, VIDIOC_G_JPEGCOMP, VIDIOC_S_JPEGCOMP,
		VIDIOC_LOG_STATUS, VIDIOC_EXPBUF, VIDIOC_G_EDID, VIDIOC_G_FBUF, _IOR('V', 1, int),
		_IOR('W', 4, int), _IOWR('V', 4, int), _IOWR('V', 200, int)};

	bench_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		cr_assert_eq(driver_ioctl(b.session, never[i], arg), -ENOTTY, "%zu", i);
	}
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_QUERYCAP, &cap), 0);
	cr_assert_not(fake_pop(&b.cmdq, &c));
	fake_end(b.drv);
}

Test(driver_commands, status_of_the_wire_becomes_a_negative_errno_or_a_protocol_error)
{
	struct bench b;
	struct v4l2_control ctrl = {.id = 1, .value = 5}, other = {.id = 1, .value = 6};
	static const struct {
		uint32_t wire;
		int status;
	} cases[] = {{0, 0}, {EINVAL, -EINVAL}, {ENOTTY, -ENOTTY}, {4095, -4095}, {4096, -EPROTO},
		{0x80000000u, -EPROTO}, {(uint32_t)-EINVAL, -EPROTO}};

	bench_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ctrl.value = 5;
		cr_assert_eq(exchange(&b, VIDIOC_G_CTRL, &ctrl,
				     answer(cases[i].wire, &other, sizeof(other)), 16),
			cases[i].status);
		cr_assert_eq(ctrl.value, cases[i].status == 0 ? 6 : 5, "case %zu", i);
	}
	cr_assert_eq(stats_of(&b).bad_status, 3);
	fake_end(b.drv);
}

/* proves: S-24 */
Test(driver_commands, used_len_too_short_or_too_long_is_a_protocol_error)
{
	struct bench b;
	struct v4l2_control ctrl = {.id = 1, .value = 5}, other = {.id = 1, .value = 6};
	static const uint32_t bad[] = {0, 1, 7, 8, 15, 17, 4096, UINT32_MAX};

	bench_init(&b);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(exchange(&b, VIDIOC_G_CTRL, &ctrl, answer(0, &other, sizeof(other)),
				     bad[i]),
			-EPROTO, "used.len %u", bad[i]);
		cr_assert_eq(ctrl.value, 5);
	}
	cr_assert_eq(stats_of(&b).bad_used_len, ARRAY_SIZE(bad));
	cr_assert_eq(exchange(&b, VIDIOC_G_CTRL, &ctrl, answer(22, NULL, 0), 8), -EINVAL,
		"the header alone is enough for an error");
	fake_end(b.drv);
}

/* proves: S-24 */
Test(driver_commands, reply_that_contradicts_the_request_is_dropped)
{
	struct bench b;
	struct v4l2_requestbuffers req = {.count = 4, .type = 1, .memory = 1}, r = req;
	struct v4l2_format fmt = {.type = 9}, f = fmt;
	struct v4l2_buffer buf = {.index = 2, .type = 1, .memory = 1}, q = buf;
	struct v4l2_create_buffers cb = {.count = 4, .memory = 1, .format.type = 1}, c = cb;
	uint64_t nb = 0;

	bench_init(&b);
#define REFUSED(request, arg, reply)                                                           \
	do {                                                                                   \
		cr_assert_eq(exchange(&b, request, &(arg), answer(0, &(reply), sizeof(reply)), \
				     8 + sizeof(reply)),                                       \
			-EPROTO);                                                              \
		cr_assert_eq(stats_of(&b).bad_reply, ++nb);                                    \
	} while (0)
	r.count = DRIVER_MAX_BUFFERS + 1;
	REFUSED(VIDIOC_REQBUFS, req, r);
	r = req;
	r.type = 2;
	REFUSED(VIDIOC_REQBUFS, req, r);
	r = req;
	r.memory = 2;
	REFUSED(VIDIOC_REQBUFS, req, r);
	f.type = 10;
	REFUSED(VIDIOC_G_FMT, fmt, f);
	f = fmt;
	f.fmt.pix_mp.num_planes = 9;
	REFUSED(VIDIOC_G_FMT, fmt, f);
	q.index = 3;
	REFUSED(VIDIOC_QUERYBUF, buf, q);
	q = buf;
	q.type = 3;
	REFUSED(VIDIOC_QBUF, buf, q);
	c.index = 1;
	REFUSED(VIDIOC_CREATE_BUFS, cb, c);
	c = cb;
	c.count = DRIVER_MAX_BUFFERS + 1;
	REFUSED(VIDIOC_CREATE_BUFS, cb, c);
	c.count = 1;
	cb.count = 0;
	REFUSED(VIDIOC_CREATE_BUFS, cb, c);
	cr_assert_eq(req.count, 4, "the caller's struct is untouched");
	fake_end(b.drv);
}

/* vivid, asked for one buffer when it has none, makes two. */
Test(driver_commands, more_buffers_than_asked_for_are_right)
{
	struct bench b;
	struct v4l2_create_buffers cb = {.count = 1, .memory = 1, .format.type = 1}, c = cb;

	bench_init(&b);
	c.count = 2;
	cr_assert_eq(
		exchange(&b, VIDIOC_CREATE_BUFS, &cb, answer(0, &c, sizeof(c)), 8 + sizeof(c)), 0);
	cr_assert_eq(cb.count, 2);
	cb.count = 1;
	c.index = 2;
	cr_assert_eq(exchange(&b, VIDIOC_CREATE_BUFS, &cb, answer(0, &c, sizeof(c)), 8 + sizeof(c)),
		0, "both are counted");
	fake_end(b.drv);
}

Test(driver_commands, planes_come_back_and_pointers_of_the_caller_survive)
{
	struct bench b;
	struct fake_chain c;
	struct v4l2_plane planes[3] = {{.length = 1}, {.length = 2}, {.length = 3}};
	struct v4l2_buffer buf = {
		.index = 1, .type = 9, .memory = 1, .m.planes = planes, .length = 3};
	uint8_t cmd[1024], *resp;

	bench_init(&b);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_QUERYBUF, &buf, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(fake_read(&c, cmd, sizeof(cmd)), 16 + 88 + 192);
	for (size_t i = 0; i < 8; i++) {
		cr_assert_eq(cmd[16 + 64 + i], 0, "no host address on the wire");
	}
	resp = answer(0, cmd + 16, 88 + 192);
	memset(resp + 8 + 64, 0xee, 8); /* a pointer of the device's choice */
	((struct v4l2_plane *)(resp + 96))[2].length = 77;
	fake_write(&c, resp, 288);
	fake_push(&b.cmdq, &c, 288);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(b.status, 0);
	cr_assert_eq(buf.m.planes, planes);
	cr_assert_eq(planes[0].length, 1);
	cr_assert_eq(planes[2].length, 77);
	/* More planes than were asked for. */
	((struct v4l2_buffer *)(resp + 8))->length = 4;
	cr_assert_eq(exchange(&b, VIDIOC_QUERYBUF, &buf, resp, 288), -EPROTO);
	buf.length = 9;
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_QUERYBUF, &buf), -EINVAL);
	fake_end(b.drv);
}

Test(driver_commands, userptr_planes_name_their_memory_page_by_page)
{
	struct bench b;
	struct driver_config config;
	struct fake_chain c;
	struct v4l2_plane planes[2] = {{.length = 5000}, {.length = 4096}};
	struct v4l2_buffer buf = {.type = 9, .memory = 2, .m.planes = planes, .length = 2};
	struct virtio_media_sg_entry sg[3];
	uint8_t cmd[1024], *mem;

	driver_config_init(&config);
	config.sg_page_bytes = 4096;
	bench_init_with(&b, &config);
	mem = driver_mem_alloc(b.drv, 16384);
	planes[0].m.userptr = (unsigned long)mem;
	planes[1].m.userptr = (unsigned long)mem + 8192;
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_QBUF, &buf, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(fake_read(&c, cmd, sizeof(cmd)), 16 + 88 + 128 + 48);
	memcpy(sg, cmd + 16 + 88 + 128, sizeof(sg));
	cr_assert_eq(sg[0].start, driver_mem_gpa(b.drv, mem, 1));
	cr_assert_eq(sg[0].len, 4096);
	cr_assert_eq(sg[1].len, 904);
	cr_assert_eq(sg[2].start, driver_mem_gpa(b.drv, mem + 8192, 1));
	cr_assert_eq(sg[2].len, 4096);
	planes[0].m.userptr = 64;
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_QBUF, &buf), -EFAULT);
	fake_end(b.drv);
}

Test(driver_commands, control_payloads_travel_through_guest_memory_and_come_back)
{
	struct bench b;
	struct fake_chain c;
	char text[32] = "before";
	struct v4l2_ext_control ctrls[40] = {{.id = 1, .value = 3}, {.id = 2, .size = 32}};
	struct v4l2_ext_controls ec = {.count = 40, .controls = ctrls};
	struct virtio_media_sg_entry sg;
	uint8_t cmd[4096], *resp;
	char *there;

	ctrls[1].string = text;
	bench_init(&b);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_EXT_CTRLS, &ec, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(fake_read(&c, cmd, sizeof(cmd)), 16 + 32 + 40 * 20 + 16);
	memcpy(&sg, cmd + 16 + 32 + 800, sizeof(sg));
	cr_assert_eq(sg.len, 32);
	there = driver_mem_host(b.drv, sg.start, sg.len);
	cr_assert_not_null(there);
	cr_assert_str_eq(there, "before");
	memcpy(there, "after", 6);
	resp = answer(0, cmd + 16, 32 + 800);
	((struct v4l2_ext_control *)(void *)(resp + 40))[0].value = 44;
	((struct v4l2_ext_control *)(void *)(resp + 60))->size = 1 << 30;
	fake_write(&c, resp, 840);
	fake_push(&b.cmdq, &c, 840);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(b.status, 0);
	cr_assert_eq(ec.controls, ctrls);
	cr_assert_eq(ctrls[0].value, 44);
	cr_assert_eq(ctrls[1].string, text);
	cr_assert_eq(ctrls[1].size, 32, "never more than the caller has room for");
	cr_assert_str_eq(text, "after");
	fake_end(b.drv);
}

Test(driver_commands, failed_ext_ctrls_still_say_which_one)
{
	struct bench b;
	struct v4l2_ext_control ctrls[2] = {{.id = 1, .value = 3}, {.id = 2, .value = 4}};
	struct v4l2_ext_controls ec = {.count = 2, .controls = ctrls}, reply = ec;
	uint8_t *resp;

	bench_init(&b);
	reply.error_idx = 1;
	resp = answer(ERANGE, &reply, sizeof(reply));
	memcpy(resp + 40, ctrls, sizeof(ctrls));
	cr_assert_eq(exchange(&b, VIDIOC_S_EXT_CTRLS, &ec, resp, 80), -ERANGE);
	cr_assert_eq(ec.error_idx, 1);
	ec.error_idx = 0;
	cr_assert_eq(exchange(&b, VIDIOC_S_EXT_CTRLS, &ec, resp, 8), -ERANGE);
	cr_assert_eq(ec.error_idx, 0, "R-115");
	((struct v4l2_ext_controls *)(void *)(resp + 8))->count = 3;
	cr_assert_eq(exchange(&b, VIDIOC_S_EXT_CTRLS, &ec, resp, 80), -EPROTO);
	fake_end(b.drv);
}

Test(driver_commands, session_id_that_is_already_ours_is_refused)
{
	struct bench b;

	bench_init(&b);
	cr_assert_eq(fake_open_status(&b.cmdq, 7), -EPROTO);
	cr_assert_eq(stats_of(&b).bad_reply, 1);
	cr_assert_eq(fake_open_status(&b.cmdq, 8), 0);
	fake_end(b.drv);
}

static uint32_t
answer_mmap(const uint8_t *cmd, uint32_t cmd_len, uint8_t *resp, void *arg)
{
	const struct virtio_media_cmd_header *hdr = (const void *)cmd;

	if (hdr->cmd == VIRTIO_MEDIA_CMD_MMAP) {
		memcpy(resp, arg, sizeof(struct virtio_media_resp_mmap));
		return sizeof(struct virtio_media_resp_mmap);
	}
	return sizeof(struct virtio_media_resp_munmap);
}

#define REGION (1u << 20)

static void
give_region(struct bench *b)
{
	struct window_request req = {.shm_offset = 65536, .len = 65536, .flags = 1};
	int fd = memfd_create("region", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, 65536), 0);
	window_fini(&b->drv->window);
	cr_assert_eq(window_init(&b->drv->window, REGION), 0);
	cr_assert_eq(window_map(&b->drv->window, &req, fd), 0);
	close(fd);
}

static int
mmap_answered(struct bench *b, uint64_t addr, uint64_t len, void **p)
{
	struct virtio_media_resp_mmap resp = {.driver_addr = addr, .len = len};
	struct fake_server s;
	size_t got;
	int ret;

	fake_serve(&s, &b->cmdq, answer_mmap, &resp, 1);
	ret = driver_mmap(b->session, 0, true, p, &got);
	fake_serve_end(&s);
	cr_assert(ret != 0 || got == len);
	return ret;
}

/* proves: S-24 */
Test(driver_commands, mapping_must_be_aligned_inside_the_region_and_backed)
{
	struct bench b;
	void *p;
	static const struct {
		uint64_t addr, len;
	} bad[] = {{65537, 10}, {0, 4096}, {REGION, 4096}, {131072, 1}, {65536, 65537}, {65536, 0},
		{65536, UINT64_MAX}, {UINT64_MAX - 4095, 4096}, {61440, 8192}};

	bench_init(&b);
	cr_assert_eq(driver_mmap(b.session, 0, true, &p, &(size_t){0}), -ENODEV, "no region");
	give_region(&b);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(mmap_answered(&b, bad[i].addr, bad[i].len, &p), -EPROTO, "%zu", i);
	}
	cr_assert_eq(stats_of(&b).bad_reply, ARRAY_SIZE(bad));
	fake_end(b.drv);
}

Test(driver_commands, mapping_can_be_written_and_is_given_back_once_per_success)
{
	struct bench b;
	struct fake_server s;
	void *p, *again;

	bench_init(&b);
	give_region(&b);
	cr_assert_eq(mmap_answered(&b, 65536, 5000, &p), 0);
	memset(p, 1, 5000);
	cr_assert_eq(mmap_answered(&b, 65536, 5000, &again), 0);
	cr_assert_eq(p, again);
	fake_serve(&s, &b.cmdq, answer_mmap, NULL, 2);
	cr_assert_eq(driver_munmap(b.drv, p), 0);
	cr_assert_eq(driver_munmap(b.drv, p), 0);
	fake_serve_end(&s);
	cr_assert_eq(driver_munmap(b.drv, p), -EINVAL, "nothing is sent");
	fake_end(b.drv);
}

Test(driver_commands, timed_out_chain_stays_the_devices_until_it_comes_back)
{
	struct driver_config config;
	struct v4l2_control ctrl = {.id = 1, .value = 5}, other = {.id = 1, .value = 6};
	struct fake_chain late, c;
	struct bench b;

	driver_config_init(&config);
	config.timeout_ms = 30;
	config.commandq_size = 2;
	bench_init_with(&b, &config);
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_G_CTRL, &ctrl), -ETIMEDOUT);
	cr_assert(fake_pop(&b.cmdq, &late));
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_neq(late.pieces[0].mem, c.pieces[0].mem);
	cr_assert_eq(driver_ioctl(b.session, VIDIOC_G_CTRL, &ctrl), -EAGAIN, "no slot is left");
	fake_write(&late, answer(0, &other, sizeof(other)), 16);
	fake_push(&b.cmdq, &late, 16);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(ctrl.value, 5, "a late answer is written nowhere");
	cr_assert_eq(stats_of(&b).late, 1);
	cr_assert_eq(stats_of(&b).timeouts, 1);
	cr_assert_eq(b.nb_done, 0);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	fake_end(b.drv);
	cr_assert_eq(b.nb_done, 2);
}

Test(driver_commands, a_command_that_falls_due_while_nobody_looked_has_its_time_once_more)
{
	const struct timespec pause = {0, 150 * NSEC_PER_MSEC};
	struct driver_config config;
	struct v4l2_control ctrl = {.id = 1, .value = 5}, other = {.id = 1, .value = 6};
	struct fake_chain c;
	struct bench b;

	driver_config_init(&config);
	config.timeout_ms = 30;
	bench_init_with(&b, &config);
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	cr_assert_eq(driver_poll(b.drv), 0);
	nanosleep(&pause, NULL);
	cr_assert_eq(driver_poll(b.drv), 0);
	cr_assert_eq(b.nb_done, 0, "it was not given up");
	cr_assert_eq(stats_of(&b).excused, 1);
	cr_assert(fake_pop(&b.cmdq, &c));
	fake_write(&c, answer(0, &other, sizeof(other)), 16);
	fake_push(&b.cmdq, &c, 16);
	cr_assert_eq(driver_poll(b.drv), 1);
	cr_assert_eq(b.nb_done, 1);
	cr_assert_eq(stats_of(&b).timeouts, 0);

	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	for (int i = 0; i < 2; i++) {
		nanosleep(&pause, NULL);
		cr_assert_eq(driver_poll(b.drv), 0);
		cr_assert_eq(stats_of(&b).timeouts, (unsigned int)i, "but only once");
	}
	fake_end(b.drv);
}

/* Its state, a letter of proc(5). */
static char
state_of(pid_t pid)
{
	char path[32], line[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f != NULL) {
		(void)!fread(line, 1, sizeof(line) - 1, f);
		fclose(f);
	}
	return line[0] != '\0' ? strrchr(line, ')')[2] : '?';
}

/* A process that stops this one for 300 ms as soon as it sleeps, as a machine may stand still. */
static pid_t
stop_when_asleep(void)
{
	const struct timespec moment = {0, NSEC_PER_MSEC}, pause = {0, 300 * NSEC_PER_MSEC};
	pid_t parent = getpid(), child = fork();

	if (child == 0) {
		while (state_of(parent) != 'S') {
			nanosleep(&moment, NULL);
		}
		kill(parent, SIGSTOP);
		nanosleep(&pause, NULL);
		kill(parent, SIGCONT);
		_exit(0);
	}
	return child;
}

Test(driver_commands, who_sleeps_much_longer_than_meant_was_absent)
{
	struct driver_config config;
	struct v4l2_control ctrl = {.id = 1};
	struct bench b;
	pid_t child;

	driver_config_init(&config);
	config.timeout_ms = 100;
	bench_init_with(&b, &config);
	b.drv->config.wait = DRIVER_SLEEP;
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_G_CTRL, &ctrl, count_done, &b), 0);
	child = stop_when_asleep();
	driver_idle(b.drv, clock_tsc() + clock_ns_to_tsc(120 * NSEC_PER_MSEC));
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(driver_poll(b.drv), 0);
	cr_assert_eq(stats_of(&b).excused, 1);
	cr_assert_eq(stats_of(&b).timeouts, 0);
	fake_end(b.drv);
}

static uint32_t
answer_nothing(const uint8_t *cmd, uint32_t cmd_len, uint8_t *resp, void *arg)
{
	memcpy(arg, cmd, cmd_len < 16 ? cmd_len : 16);
	return 0;
}

Test(driver_commands, close_has_no_writable_part_and_waits_for_its_used_element)
{
	struct bench b;
	struct fake_server s;
	uint8_t seen[16];
	static const uint8_t expected[16] = {2, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0};

	bench_init(&b);
	fake_serve(&s, &b.cmdq, answer_nothing, seen, 1);
	cr_assert_eq(driver_close(b.session), 0);
	fake_serve_end(&s);
	cr_assert_arr_eq(seen, expected, 16);
	fake_end(b.drv);
}

Test(driver_commands, parts_are_cut_as_configured_and_straddle_regions)
{
	struct driver_config config;
	struct bench b;
	struct fake_chain c;
	struct v4l2_format fmt = {.type = 1};
	uint8_t cmd[256];

	driver_config_init(&config);
	config.fragment_bytes = 30;
	config.nb_memory_regions = 8;
	bench_init_with(&b, &config);
	memset(&fmt.fmt, 0x5a, sizeof(fmt.fmt));
	cr_assert_eq(driver_ioctl_submit(b.session, VIDIOC_S_FMT, &fmt, count_done, &b), 0);
	cr_assert(fake_pop(&b.cmdq, &c));
	cr_assert_eq(c.nb_read, 1 + 7);
	cr_assert_eq(fake_read(&c, cmd, sizeof(cmd)), 16 + 208);
	cr_assert_arr_eq(cmd + 16, &fmt, 208);
	fake_end(b.drv);
}
