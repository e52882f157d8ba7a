/* SPDX-License-Identifier: BSD-3-Clause */
/* Both ways of waiting for descriptors say the same. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backend/v4l2/ready.h"
#include "base/compiler.h"
#include "base/log.h"

LOG_TYPE_DEFINE(v4l2);

#define MAX 64u

static const struct ready_ops *const both[] = {&ready_epoll, &ready_uring};
static struct ready ready;

/* Each part of a test runs with either; io_uring may be forbidden, or not built in. */
static void
with_both(void (*test)(void))
{
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		int err = ready_create(&ready, both[i], fd);

		close(fd);

		if (err == -ENOSYS || err == -EPERM) {
			cr_log_warn("no %s here", both[i]->name);
			continue;
		}
		cr_assert_eq(err, 0, "%s: %d", both[i]->name, err);
		test();
		ready_destroy(&ready);
		cr_assert_lt(ready.fd, 0);
	}
}

/* Tags of what is ready within a moment, or that nothing is. */
static unsigned int
take(void **tags, unsigned int max, int ms)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	unsigned int nb = 0;

	epoll_ctl(epoll, EPOLL_CTL_ADD, ready.fd, &event);
	for (int n = 0; n < ms && nb == 0; n++) {
		epoll_wait(epoll, &event, 1, 1); /* as the thread sleeps */
		nb = ready.ops->take(&ready, tags, max);
	}
	close(epoll);
	return nb;
}

static void
expect(void *tag)
{
	void *tags[MAX];

	cr_assert_eq(take(tags, MAX, 5000), 1);
	cr_assert_eq(tags[0], tag);
}

static void
expect_nothing(void)
{
	void *tags[MAX];

	cr_assert_eq(take(tags, MAX, 20), 0);
}

static int
eventfd_new(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	cr_assert_geq(fd, 0);
	return fd;
}

static void
each_time(void)
{
	int fd = eventfd_new(), tag;

	cr_assert_eq(ready.ops->add(&ready, fd, EPOLLIN, &tag), 0);
	expect_nothing();
	for (int n = 0; n < 1000; n++) {
		eventfd_write(fd, 1);
		expect(&tag);
	}
	expect_nothing(); /* it is still readable: that is no news */
	ready.ops->del(&ready, fd, &tag);
	eventfd_write(fd, 1);
	expect_nothing();
	close(fd);
}

Test(v4l2_ready, each_time_it_becomes_ready_is_told_and_nothing_else)
{
	with_both(each_time);
}

static void
anew(void)
{
	int fd = eventfd_new(), tag;

	eventfd_write(fd, 1);
	for (int n = 0; n < 300; n++) {
		cr_assert_eq(ready.ops->add(&ready, fd, EPOLLIN, &tag), 0);
		expect(&tag);
		ready.ops->del(&ready, fd, &tag);
	}
	cr_assert_eq(ready.ops->add(&ready, fd, EPOLLPRI, &tag), 0);
	expect_nothing(); /* of another kind */
	ready.ops->del(&ready, fd, &tag);
	close(fd);
}

Test(v4l2_ready, what_is_ready_when_it_is_added_is_told_whenever_it_is_added)
{
	with_both(anew);
}

static void
many(void)
{
	int fds[600];
	bool told[600] = {false};
	unsigned int nb = 0;
	void *tags[7];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = eventfd_new();
		cr_assert_eq(ready.ops->add(&ready, fds[i], EPOLLIN, &told[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		eventfd_write(fds[i], 1);
	}
	while (nb < ARRAY_SIZE(fds)) {
		unsigned int got = take(tags, ARRAY_SIZE(tags), 5000);

		cr_assert_gt(got, 0, "after %u", nb);
		for (unsigned int i = 0; i < got; i++) {
			nb += !*(bool *)tags[i];
			*(bool *)tags[i] = true;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		ready.ops->del(&ready, fds[i], &told[i]);
		close(fds[i]);
	}
}

Test(v4l2_ready, more_at_once_than_there_is_room_for_are_all_told)
{
	with_both(many);
}

static void
let_go(void)
{
	int fds[2], tag;

	cr_assert_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(ready.ops->add(&ready, fds[0], EPOLLIN, &tag), 0);
	expect_nothing();
	ready.ops->del(&ready, fds[0], &tag);
	close(fds[0]);
	cr_assert_eq(write(fds[1], "", 1), -1, "somebody still has the other end");
	cr_assert_eq(errno, EPIPE);
	expect_nothing();
	close(fds[1]);
}

Test(v4l2_ready, a_descriptor_that_is_taken_out_and_closed_is_closed)
{
	signal(SIGPIPE, SIG_IGN);
	with_both(let_go);
}
