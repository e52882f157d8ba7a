/* SPDX-License-Identifier: BSD-3-Clause */
/* The qtest client against whatever the other end of its socket says. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "driver/qtest.h"

#define TIMEOUT_MS 300

static struct qtest qt;
static int peer;

static void
setup(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	qtest_init(&qt, pair[0], TIMEOUT_MS);
	peer = pair[1];
}

static void
teardown(void)
{
	qtest_fini(&qt);
	close(peer);
}

TestSuite(driver_qtest, .init = setup, .fini = teardown);

static void
say(const char *text, size_t bytes)
{
	cr_assert_eq(write(peer, text, bytes), (ssize_t)bytes);
}

static void
say_text(const char *text)
{
	say(text, strlen(text));
}

/* What was asked since the last call. */
static const char *
asked(void)
{
	static char text[256];
	ssize_t n = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

Test(driver_qtest, done_is_ok_and_nothing_else)
{
	static const char *const bad[] = {"", "O", "OKAY", "OK 0x1", "OK  ", "ok", " OK", "FAIL",
		"ERR no", "IRQ", "IRQraise 1"};

	cr_assert_eq(qtest_parse_done("OK"), 0);
	cr_assert_eq(qtest_parse_done("OK "), 0);
	cr_assert_eq(qtest_parse_done("IRQ raise 4"), -EAGAIN);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(qtest_parse_done(bad[i]), -EPROTO, "\"%s\"", bad[i]);
	}
}

Test(driver_qtest, value_is_one_to_sixteen_digits)
{
	static const char *const bad[] = {"OK", "OK ", "OK 0x", "OK 12", "OK 0X12", "OK 0x12 ",
		"OK 0x1G", "OK 0x-1", "OK 0xABCD", "OK 0x11112222333344445", "FAIL 0x1", "0x1"};
	uint64_t value = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(qtest_parse_value(bad[i], &value), -EPROTO, "\"%s\"", bad[i]);
	}
	cr_assert_eq(qtest_parse_value("IRQ lower 0", &value), -EAGAIN);
	cr_assert_eq(value, 77);
	cr_assert_eq(qtest_parse_value("OK 0x0000", &value), 0);
	cr_assert_eq(value, 0);
	cr_assert_eq(qtest_parse_value("OK 0x123456789abcdef0", &value), 0);
	cr_assert_eq(value, 0x123456789abcdef0);
}

Test(driver_qtest, bytes_are_exactly_so_many)
{
	static const char *const bad[] = {"OK 0x", "OK 0x0102", "OK 0x01020", "OK 0x01020304",
		"OK 0x0102g3", "OK 010203", "OK"};
	uint8_t data[4] = {9, 9, 9, 9};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cr_assert_eq(qtest_parse_bytes(bad[i], data, 3), -EPROTO, "\"%s\"", bad[i]);
	}
	cr_assert_arr_eq(data, ((uint8_t[]){9, 9, 9, 9}), 4);
	cr_assert_eq(qtest_parse_bytes("OK 0x01fe80", data, 3), 0);
	cr_assert_arr_eq(data, ((uint8_t[]){1, 0xfe, 0x80, 9}), 4);
}

Test(driver_qtest, commands_are_lines)
{
	uint32_t value;

	say_text("OK\nOK\nOK 0xff\nOK 0x5\n");
	cr_assert_eq(qtest_out(&qt, 0xcf8, 0x80002004), 0);
	cr_assert_str_eq(asked(), "outl 0xcf8 0x80002004\n");
	cr_assert_eq(qtest_write(&qt, 0x4000001000, 2, 7), 0);
	cr_assert_str_eq(asked(), "writew 0x4000001000 0x7\n");
	cr_assert_eq(qtest_read(&qt, 0x1014, 1, &value), 0);
	cr_assert_eq(value, 0xff);
	cr_assert_str_eq(asked(), "readb 0x1014\n");
	cr_assert_eq(qtest_in(&qt, 0xcfc, &value), 0);
	cr_assert_eq(value, 5);
	cr_assert_str_eq(asked(), "inl 0xcfc\n");
}

Test(driver_qtest, memory_is_read_in_chunks)
{
	static uint8_t data[QTEST_CHUNK_BYTES + 1];
	static char line[QTEST_LINE_BYTES];
	int n = snprintf(line, sizeof(line), "OK 0x%0*d\n", (int)(2 * QTEST_CHUNK_BYTES), 0);

	line[6] = 'a';
	say(line, (size_t)n);
	say_text("OK 0x42\n");
	data[1] = 1;
	cr_assert_eq(qtest_read_bytes(&qt, 0x10000, data, sizeof(data)), 0);
	cr_assert_eq(data[0], 0x0a);
	cr_assert_eq(data[1], 0);
	cr_assert_eq(data[QTEST_CHUNK_BYTES], 0x42);
	cr_assert_str_eq(asked(), "read 0x10000 0x1000\nread 0x11000 0x1\n");
}

Test(driver_qtest, lines_about_interrupts_are_passed_over)
{
	uint32_t value;

	say_text("IRQ raise 10\nIRQ lower 10\nOK 0x3\nIRQ ");
	cr_assert_eq(qtest_in(&qt, 0xcfc, &value), 0);
	cr_assert_eq(value, 3);
	say_text("raise 1\nOK\n");
	cr_assert_eq(qtest_out(&qt, 0xcfc, 1), 0);
}

static void *
trickle(void *arg)
{
	for (const char *c = "IRQ raise 3\nOK 0x1234\n"; *c != '\0'; c++) {
		usleep(1000);
		say(c, 1);
	}
	return NULL;
}

Test(driver_qtest, a_line_comes_in_any_number_of_pieces)
{
	uint32_t value;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, trickle, NULL), 0);
	cr_assert_eq(qtest_in(&qt, 0xcfc, &value), 0);
	pthread_join(thread, NULL);
	cr_assert_eq(value, 0x1234);
}

/* Nobody knows what the next line would answer. */
static void
assert_dead(int why, int ret)
{
	uint32_t value;

	cr_assert_eq(ret, why, "%s instead of %s", strerror(-ret), strerror(-why));
	cr_assert(qtest_is_dead(&qt));
	say_text("OK 0x1\n");
	cr_assert_eq(qtest_in(&qt, 0xcfc, &value), -ENODEV);
}

Test(driver_qtest, refusal_ends_it)
{
	say_text("FAIL Unknown command\n");
	assert_dead(-EPROTO, qtest_out(&qt, 0xcf8, 0));
}

Test(driver_qtest, value_that_is_too_wide_ends_it)
{
	uint32_t value = 5;

	say_text("OK 0x1ff\n");
	assert_dead(-EPROTO, qtest_read(&qt, 0, 1, &value));
	cr_assert_eq(value, 5);
}

Test(driver_qtest, zero_in_a_line_ends_it)
{
	say("OK\0 0x1\n", 8);
	assert_dead(-EPROTO, qtest_out(&qt, 0xcf8, 0));
}

Test(driver_qtest, line_without_end_ends_it)
{
	static char line[QTEST_LINE_BYTES];

	memset(line, 'O', sizeof(line));
	say(line, sizeof(line));
	assert_dead(-EPROTO, qtest_out(&qt, 0xcf8, 0));
}

Test(driver_qtest, silence_ends_it)
{
	assert_dead(-ETIMEDOUT, qtest_out(&qt, 0xcf8, 0));
}

static void *
chatter(void *arg)
{
	while (send(peer, "IRQ raise 1\n", 12, MSG_NOSIGNAL) > 0) {
	}
	return NULL;
}

Test(driver_qtest, interrupts_without_an_answer_end_it)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, chatter, NULL), 0);
	cr_assert_eq(qtest_out(&qt, 0xcf8, 0), -ETIMEDOUT);
	cr_assert(qtest_is_dead(&qt));
	qtest_fini(&qt);
	pthread_join(thread, NULL);
}

Test(driver_qtest, hang_up_is_seen)
{
	cr_assert(!qtest_is_dead(&qt));
	shutdown(peer, SHUT_RDWR);
	cr_assert(qtest_is_dead(&qt));
	cr_assert_neq(qtest_out(&qt, 0xcf8, 0), 0);
}
