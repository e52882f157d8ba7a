/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/internal.h"
#include "fake_device.h"

#define PAGE   4096u
#define REGION (64 * PAGE)

static struct window window;
static int fd;

static void
setup(void)
{
	fd = memfd_create("window", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(fd, 8 * PAGE), 0);
	cr_assert_eq(window_init(&window, REGION), 0);
}

static void
teardown(void)
{
	window_fini(&window);
	close(fd);
}

TestSuite(driver_window, .init = setup, .fini = teardown);

static struct window_request
request(uint64_t fd_offset, uint64_t shm_offset, uint64_t len)
{
	return (struct window_request){
		.fd_offset = fd_offset, .shm_offset = shm_offset, .len = len, .flags = 1};
}

Test(driver_window, region_size_is_a_power_of_two_of_pages_or_nothing)
{
	struct window w;
	static const uint64_t bad[] = {1, 4095, 3 * PAGE, 1ULL << 43, UINT64_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(window_init(&w, bad[i]), -EPROTO);
		window_fini(&w);
	}
	cr_assert_eq(window_init(&w, 0), 0);
	window_fini(&w);
	cr_assert_eq(window_init(&w, 4ULL << 30), 0);
	cr_assert_eq((uintptr_t)w.base % (1ULL << 30), 0);
	window_fini(&w);
}

Test(driver_window, bad_requests_change_nothing)
{
	int pair[2];
	struct window_request r = request(0, 0, PAGE);
	static const struct {
		uint64_t fd_offset, shm_offset, len;
	} bad[] = {{0, 0, 0}, {1, 0, PAGE}, {0, 1, PAGE}, {0, 0, PAGE + 1}, {0, REGION, PAGE},
		{0, REGION - PAGE, 2 * PAGE}, {0, 0, 9 * PAGE}, {8 * PAGE, 0, PAGE},
		{0, -(uint64_t)PAGE, 2 * PAGE}, {-(uint64_t)PAGE, 0, 2 * PAGE},
		{0, 0, -(uint64_t)PAGE}};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct window_request q = request(bad[i].fd_offset, bad[i].shm_offset, bad[i].len);

		cr_assert_lt(window_map(&window, &q, fd), 0, "%zu", i);
	}
	r.shmid = 1;
	cr_assert_lt(window_map(&window, &r, fd), 0);
	r = request(0, 0, PAGE);
	r.flags = 3;
	cr_assert_lt(window_map(&window, &r, fd), 0);
	r.flags = 1;
	cr_assert_lt(window_map(&window, &r, -1), 0);
	cr_assert_eq(pipe(pair), 0);
	cr_assert_lt(window_map(&window, &r, pair[0]), 0);
	close(pair[0]);
	close(pair[1]);
	cr_assert_eq(window.nb_maps, 0);
	cr_assert_eq(window_map(&window, &r, fd), 0);
}

Test(driver_window, overlap_is_refused_and_unmap_must_be_exact)
{
	struct window_request r = request(0, 4 * PAGE, 4 * PAGE);
	struct window_request left = request(0, 3 * PAGE, 2 * PAGE);
	struct window_request inner = request(0, 5 * PAGE, PAGE);

	cr_assert_eq(window_map(&window, &r, fd), 0);
	cr_assert_eq(window_map(&window, &r, fd), -EEXIST);
	cr_assert_eq(window_map(&window, &left, fd), -EEXIST);
	cr_assert_eq(window_map(&window, &inner, fd), -EEXIST);
	cr_assert_eq(window_unmap(&window, &inner), -EINVAL);
	cr_assert_eq(window_unmap(&window, &left), -EINVAL);
	cr_assert(window_is_mapped(&window, 4 * PAGE, 4 * PAGE));
	cr_assert_not(window_is_mapped(&window, 4 * PAGE, 4 * PAGE + 1));
	cr_assert_eq(window_unmap(&window, &r), 0);
	cr_assert_eq(window_unmap(&window, &r), -EINVAL);
	cr_assert_not(window_is_mapped(&window, 4 * PAGE, 1));
	cr_assert_eq(window_map(&window, &left, fd), 0);
}

Test(driver_window, both_sides_see_each_others_stores)
{
	struct window_request r = request(2 * PAGE, 0, PAGE);
	char c;

	cr_assert_eq(window_map(&window, &r, fd), 0);
	window.base[5] = 'x';
	cr_assert_eq(pread(fd, &c, 1, 2 * PAGE + 5), 1);
	cr_assert_eq(c, 'x');
}

Test(driver_window, number_of_maps_is_bounded)
{
	for (unsigned int i = 0; i < WINDOW_MAX_MAPS; i++) {
		struct window_request r = request(0, i * PAGE, PAGE);

		cr_assert_eq(window_map(&window, &r, fd), 0);
	}
	struct window_request r = request(0, 20 * PAGE, PAGE);

	cr_assert_eq(window_map(&window, &r, fd), -ENOSPC);
}

/* The channel, served in this thread against bytes that are there already. */
struct channel {
	struct frontend fe;
	int peer;
};

static void
channel_init(struct channel *c)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	cr_assert_eq(frontend_init(&c->fe, -1, 100), 0);
	c->fe.window = &window;
	c->fe.channel = pair[0];
	c->fe.started = true;
	c->peer = pair[1];
}

static void
channel_fini(struct channel *c)
{
	close(c->peer);
	frontend_fini(&c->fe);
	fake_check_leaks();
}

#define NO_REPLY (-1)
#define LOST     (-2)

/* Sends, serves; the reply's value, NO_REPLY, or LOST. */
static int64_t
ask(struct channel *c, uint32_t number, uint32_t flags, const void *body, uint32_t size, int nb_fds)
{
	struct vhost_user_header hdr = {number, VHOST_USER_VERSION | flags, size};
	int fds[8] = {fd, fd, fd, fd, fd, fd, fd, fd};
	uint8_t reply[20];
	uint64_t value;
	ssize_t n;

	cr_assert_eq(wire_send(c->peer, &hdr, body, fds, (unsigned int)nb_fds, UINT64_MAX), 0);
	if (channel_serve(&c->fe) != 0) {
		return LOST;
	}
	n = recv(c->peer, reply, sizeof(reply), MSG_DONTWAIT);
	if (n < 0) {
		return NO_REPLY;
	}
	cr_assert_eq(n, 20, "header and payload in one write");
	memcpy(&hdr, reply, sizeof(hdr));
	cr_assert_eq(hdr.request, number);
	cr_assert_eq(hdr.flags, 5);
	cr_assert_eq(hdr.size, 8);
	memcpy(&value, reply + 12, sizeof(value));
	return (int64_t)value;
}

static int
nb_open_fds(void)
{
	int n = 0;

	for (int i = 0; i < 256; i++) {
		n += lseek(i, 0, SEEK_CUR) >= 0 || errno != EBADF;
	}
	return n;
}

#define NR VHOST_USER_NEED_REPLY

Test(driver_window, channel_answers_as_qemu_does_and_leaks_no_fd)
{
	struct window_request map = request(0, 0, 4 * PAGE), bad = request(0, 1, PAGE);
	struct channel c;
	int before;

	channel_init(&c);
	before = nb_open_fds();
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 0), 1, "no fd");
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 2), 1, "two fds");
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 8), 1, "eight fds");
	cr_assert_eq(ask(&c, 9, NR, &map, 39, 1), 1, "short");
	cr_assert_eq(ask(&c, 9, NR, &bad, 40, 1), 1, "unaligned");
	cr_assert_eq(ask(&c, 77, NR, &map, 40, 1), 1, "unknown");
	cr_assert_eq(ask(&c, 77, 0, NULL, 0, 0), NO_REPLY, "unknown, and no reply wanted");
	cr_assert_eq(ask(&c, 2, NR, NULL, 0, 0), 0, "config change");
	cr_assert_eq(nb_open_fds(), before);
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 1), 0);
	cr_assert_eq(nb_open_fds(), before + 1);
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 1), 1, "overlap");
	cr_assert_eq(ask(&c, 10, NR, &map, 40, 1), 1, "unmap with an fd");
	cr_assert_eq(ask(&c, 10, 0, &map, 40, 0), NO_REPLY);
	cr_assert_eq(window.nb_maps, 0);
	cr_assert_eq(nb_open_fds(), before);
	cr_assert_eq(c.fe.nb_maps, 1);
	cr_assert_eq(c.fe.nb_refused, 9);
	channel_fini(&c);
}

Test(driver_window, request_for_a_stopped_device_is_refused)
{
	struct window_request map = request(0, 0, PAGE);
	struct channel c;

	channel_init(&c);
	c.fe.started = false;
	cr_assert_eq(ask(&c, 9, NR, &map, 40, 1), 1);
	cr_assert_eq(window.nb_maps, 0);
	channel_fini(&c);
}

Test(driver_window, channel_with_nonsense_on_it_is_given_up)
{
	struct vhost_user_header hdr = {9, VHOST_USER_VERSION, UINT32_MAX};
	uint8_t body[64] = {0};
	struct channel c;

	channel_init(&c);
	cr_assert_eq(send(c.peer, &hdr, sizeof(hdr), 0), sizeof(hdr));
	cr_assert_eq(channel_serve(&c.fe), -EPROTO);
	cr_assert_eq(ask(&c, 9, VHOST_USER_REPLY, body, 40, 0), LOST, "a reply nobody asked for");
	cr_assert_eq(recv(c.fe.channel, body, 40, 0), 40);
	hdr.flags = 2;
	hdr.size = 0;
	cr_assert_eq(send(c.peer, &hdr, sizeof(hdr), 0), sizeof(hdr));
	cr_assert_eq(channel_serve(&c.fe), -EPROTO, "version 2");
	cr_assert_eq(send(c.peer, &hdr, 5, 0), 5);
	shutdown(c.peer, SHUT_WR);
	cr_assert_eq(channel_serve(&c.fe), -ECONNRESET, "ends within a header");
	channel_fini(&c);
}

Test(driver_window, copy_is_memory_of_which_all_is_mapped)
{
	struct window w;
	uint64_t offset;
	int file;

	cr_assert_eq(window_init_copy(&w, 3 * PAGE), -EPROTO);
	window_fini(&w);
	cr_assert_eq(window_init_copy(&w, 0), 0);
	cr_assert(!window_is_mapped(&w, 0, 1));
	window_fini(&w);
	cr_assert_eq(window_init_copy(&w, REGION), 0);
	cr_assert(window_is_mapped(&w, 0, REGION));
	cr_assert(window_is_mapped(&w, REGION - 1, 1));
	cr_assert(!window_is_mapped(&w, REGION - 1, 2));
	w.base[0] = w.base[REGION - 1] = 1;
	cr_assert_neq(window_file(&w, 0, PAGE, &file, &offset), 0, "there is no file");
	window_fini(&w);
}
