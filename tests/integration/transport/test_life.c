/* SPDX-License-Identifier: BSD-3-Clause */
/* Pause, reset, swapped fds, reconnects: vmm.md section 3, B1, B2, B5, B8, B9. */
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

#define NB_RECONNECTS 1000

static const uint32_t zero_bases[2];

TestSuite(gateway_life, .init = bed_set_up, .fini = bed_tear_down, .timeout = 60);

static void
start(const uint32_t *bases)
{
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, bases);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
}

/* As if the device had used so many chains of each queue. */
static void
use_chains(uint16_t commands, uint16_t events)
{
	*fe_used_idx(&bed.fe, 0) = bed.dev.bases[0] = commands;
	*fe_used_idx(&bed.fe, 1) = bed.dev.bases[1] = events;
}

Test(gateway_life, B1_pause_returns_the_bases_and_continues_without_a_reset)
{
	uint32_t bases[2];

	start(zero_bases);
	use_chains(1000, 0);
	fe_qemu_stop(&bed.fe, bases);
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	cr_assert_eq(bases[0], 1000);
	cr_assert_eq(bases[1], 0);
	fe_qemu_start(&bed.fe, bases);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	cr_assert_eq(bed.dev.nb_resets, 1, "only the one of the first start");
	cr_assert_eq(bed.dev.configs[0].avail_base, 1000);
}

/* proves: R-13 B23 */
Test(gateway_life, B2_guest_reset_is_told_from_a_pause)
{
	uint32_t bases[2];

	start(zero_bases);
	use_chains(1000, 7);
	fe_qemu_stop(&bed.fe, bases);
	fe_clear_rings(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	cr_assert_eq(bed.dev.nb_resets, 2);
	cr_assert_eq(bed.dev.configs[0].avail_base, 0);
}

/* proves: R-13 B45 */
Test(gateway_life, B9_pause_at_a_wrapped_index_is_not_mistaken_for_a_reset)
{
	uint32_t bases[2];

	start(zero_bases);
	use_chains(0, 0);                            /* 65536 of them */
	memset(fe_used_idx(&bed.fe, 0) + 1, 1, 512); /* the used ring shows it */
	fe_qemu_stop(&bed.fe, bases);
	fe_qemu_start(&bed.fe, bases);
	cr_assert_eq(bed.dev.nb_resets, 1);
}

Test(gateway_life, B1_packed_base_comes_back_with_both_halves)
{
	uint32_t bases[2] = {0x80008000, 0x80008000};

	bed.fe.features |= FE_PACKED;
	start(bases);
	bed.dev.bases[0] = 0x0011; /* slot 17, wrap counter 0 */
	fe_qemu_stop(&bed.fe, bases);
	cr_assert_eq(bases[0], 0x00110011);
	cr_assert_eq(bases[1], 0x80008000);
	fe_qemu_start(&bed.fe, bases);
	cr_assert_eq(bed.dev.configs[0].avail_base, 0x0011);
	cr_assert_eq(bed.dev.nb_resets, 1);
}

Test(gateway_life, B4_bare_disable_and_enable_go_on_where_they_stopped)
{
	start(zero_bases);
	use_chains(5, 0);
	fe_set_state(&bed.fe, 18, 0, 0);
	cr_assert(!bed.dev.running[0] && bed.dev.running[1]);
	fe_set_state(&bed.fe, 18, 1, 0);
	fe_set_state(&bed.fe, 18, 0, 1);
	fe_set_state(&bed.fe, 18, 1, 1);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	cr_assert_eq(bed.dev.configs[0].avail_base, 5);
	cr_assert_eq(bed.dev.nb_resets, 1);
}

Test(gateway_life, A14_call_fd_swapped_while_running_restarts_the_ring_and_signals_once)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	unsigned int nb_starts;
	eventfd_t count;

	start(zero_bases);
	nb_starts = bed.dev.nb_starts[0];
	fe_set_u64(&bed.fe, 13, 0, fd);
	cr_assert_eq(bed.dev.nb_starts[0], nb_starts + 1);
	cr_assert_eq(eventfd_read(fd, &count), 0, "no interrupt may be lost");
	cr_assert_eq(eventfd_write(bed.dev.configs[0].callfd, 3), 0);
	cr_assert(eventfd_read(fd, &count) == 0 && count == 3, "it is the new fd");
	fe_set_u64(&bed.fe, 13, 0x100, -1);
	cr_assert_eq(bed.dev.configs[0].callfd, -1);
	cr_assert(bed.dev.running[0]);
	close(fd);
}

static uint64_t
set_fd(uint32_t request, int fd)
{
	uint64_t queue = 0;

	fe_send(&bed.fe, request, 1 | 8, &queue, sizeof(queue), fd);
	return fe_reply_u64(&bed.fe, request);
}

/* proves: S-16 */
Test(gateway_life, E_no_fd_of_a_front_end_can_hold_up_a_reactor)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	int pipe_fds[2];

	start(zero_bases);
	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_neq(set_fd(13, pipe_fds[1]), 0);
	cr_assert_neq(set_fd(12, pipe_fds[0]), 0);
	cr_assert_neq(set_fd(12, bed.fe.mem_fds[0]), 0);
	cr_assert(bed.dev.running[0], "what was refused changes nothing");
	cr_assert_eq(set_fd(13, fd), 0);
	cr_assert(bed.dev.running[0]);
	cr_assert(fcntl(bed.dev.configs[0].callfd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* proves: S-20 */
Test(gateway_life, B5_slow_device_delays_the_answer_but_not_another_device)
{
	struct transport_config config = {.name = "cam1", .listen_fd = -1, .arena_fd = -1};
	struct fake_device other_dev;
	struct transport *other;
	struct fe fe = {.fd = -1, .channel = -1};
	uint32_t state[2] = {0, 0};
	char path[120];

	snprintf(path, sizeof(path), "%.100s2", bed.path);
	config.path = path;
	fake_device_init(&other_dev);
	cr_assert_eq(vhost_user_ops.create(&config, &fake_listener, &other_dev, &other), 0);
	start(zero_bases);
	bed.dev.quiesce_delay_ms = 300;
	fe_send(&bed.fe, 18, FE_NR, state, sizeof(state), -1);
	fe_connect(&fe, path);
	cr_assert_eq(fe_get_u64(&fe, 17), 2);
	cr_assert(fe_silent(bed.fe.fd, 0), "the first one still waits for its device");
	cr_assert_eq(fe_reply_u64(&bed.fe, 18), 0);
	vhost_user_ops.destroy(other);
	fe_disconnect(&fe);
	fake_device_fini(&other_dev);
}

/* proves: R-13 B24 */
Test(gateway_life, disconnect_takes_memory_and_rings_and_resets)
{
	start(zero_bases);
	fe_disconnect(&bed.fe);
	cr_assert(fake_device_wait_detached(&bed.dev));
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	cr_assert_eq(bed.dev.nb_resets, 2);
}

/* proves: B24 */
Test(gateway_life, second_front_end_waits_for_the_first_to_go)
{
	struct fe second = {.fd = -1, .channel = -1};

	start(zero_bases);
	fe_connect(&second, bed.path);
	fe_send(&second, 17, 0, NULL, 0, -1);
	cr_assert(fe_silent(second.fd, 50));
	fe_disconnect(&bed.fe);
	cr_assert_eq(fe_reply_u64(&second, 17), 2);
	fe_disconnect(&second);
}

Test(gateway_life, without_descriptors_a_front_end_waits_until_there_are_some)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct fe fe = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), .channel = -1};
	struct rlimit limit, none;

	fe_disconnect(&bed.fe);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	memcpy(sun.sun_path, bed.path, sizeof(sun.sun_path));
	cr_assert_eq(connect(fe.fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	fe_send(&fe, 17, 0, NULL, 0, -1);
	cr_assert(fe_silent(fe.fd, 300));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cr_assert_eq(fe_reply_u64(&fe, 17), 2);
	fe_disconnect(&fe);
}

static unsigned int
count_lines(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned int nb = 0;
	int c;

	while ((c = fgetc(f)) != EOF) {
		nb += c == '\n';
	}
	fclose(f);
	return nb;
}

static void
connect_and_start(int how)
{
	fe_connect(&bed.fe, bed.path);
	if (how % 4 != 0) {
		fe_qemu_realize(&bed.fe);
	}
	if (how % 4 >= 2) {
		fe_qemu_start(&bed.fe, zero_bases);
	}
	fe_disconnect(&bed.fe);
	cr_assert(fake_device_wait_detached(&bed.dev));
}

/* One more connection that got an answer: everything before it is cleaned up. */
static void
let_settle(void)
{
	struct fe fe = {.fd = -1, .channel = -1};

	fe_connect(&fe, bed.path);
	cr_assert_eq(fe_get_u64(&fe, 17), 2);
	fe_disconnect(&fe);
}

/* proves: S-14 B24 B25 */
Test(gateway_life, B8_thousand_reconnects_leak_no_fd_and_no_mapping)
{
	unsigned int nb_fds, nb_maps;

	fe_disconnect(&bed.fe);
	for (int i = 0; i < 8; i++) {
		connect_and_start(i);
	}
	usleep(50000);
	nb_fds = bed_count_fds();
	nb_maps = count_lines("/proc/self/maps");
	for (int i = 0; i < NB_RECONNECTS; i++) {
		connect_and_start(i);
	}
	let_settle();
	usleep(50000);
	cr_assert_leq(bed_count_fds(), nb_fds);
	cr_assert_leq(count_lines("/proc/self/maps"), nb_maps + 2);
}

/* Replies that nobody reads fill the socket; then no more is read either. */
Test(gateway_life, E_a_flood_of_messages_that_want_replies_is_answered_in_order)
{
	const uint32_t message[3] = {99, 1 | FE_NR, 0};
	struct pollfd room = {.fd = bed.fe.fd, .events = POLLOUT};
	unsigned int nb_sent = 0;

	while (poll(&room, 1, 200) == 1) {
		ssize_t n = send(bed.fe.fd, message, sizeof(message), MSG_DONTWAIT);

		cr_assert(n == sizeof(message) || (n < 0 && errno == EAGAIN));
		nb_sent += n > 0;
	}
	cr_assert_gt(nb_sent, 100);
	for (unsigned int i = 0; i < nb_sent; i++) {
		cr_assert_neq(fe_reply_u64(&bed.fe, 99), 0);
	}
	cr_assert_eq(fe_get_u64(&bed.fe, 17), 2);
}

Test(gateway_life, B10_reset_device_stops_the_rings_and_a_start_follows)
{
	bed_offer(TRANSPORT_COMPAT_ALL,
		FE_OFFER | 1ull << 13 | 1ull << 15 | 1ull << 16 | 1ull << 20 | 1ull << 31);
	bed.fe.protocol |= 1ull << 13 | 1ull << 16;
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	fe_set_u64(&bed.fe, 39, 0, -1);
	bed_assert_runs();
	fe_set(&bed.fe, 34, NULL, 0, -1);
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	cr_assert_eq(bed.dev.nb_resets, 2);
	fe_clear_rings(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	bed_assert_runs();
}

Test(gateway_life, E_disconnect_at_every_byte_of_a_message_is_survived)
{
	uint64_t table[9] = {2, 0, FE_MEM_BYTES, FE_UVA, 0, FE_GPA, FE_MEM_BYTES, 0x123000, 0};
	uint32_t header[3] = {5, 9, sizeof(table)};
	char buf[sizeof(header) + sizeof(table)];

	memcpy(buf, header, sizeof(header));
	memcpy(buf + sizeof(header), table, sizeof(table));
	for (size_t n = 0; n <= sizeof(buf); n++) {
		fe_disconnect(&bed.fe);
		fe_connect(&bed.fe, bed.path);
		cr_assert_eq(write(bed.fe.fd, buf, n), (ssize_t)n);
	}
	fe_disconnect(&bed.fe);
	let_settle();
}
