/* SPDX-License-Identifier: BSD-3-Clause */
/* What the tests of this room share: a started reactor, and waiting with a limit. */
#ifndef TESTS_UNIT_REACTOR_FIXTURE_H
#define TESTS_UNIT_REACTOR_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "reactor/reactor.h"

/* Anything that takes this long was lost. */
#define LOST_NS (20 * NSEC_PER_SEC)

static inline struct reactor *
reactor_started(enum reactor_idle idle, int cpu)
{
	const struct reactor_config config = {.name = "test", .cpu = cpu, .idle = idle};
	struct reactor *reactor = NULL;

	cr_assert_eq(reactor_create(&config, &reactor), 0);
	cr_assert_eq(reactor_start(reactor), 0);
	return reactor;
}

/* False when *value did not become at least `wanted` in time. */
static inline bool
reaches(_Atomic unsigned int *value, unsigned int wanted)
{
	uint64_t end = clock_monotonic_ns() + LOST_NS;

	while (atomic_load(value) < wanted) {
		if (clock_monotonic_ns() > end) {
			return false;
		}
		usleep(50);
	}
	return true;
}

/* Waits until the kernel says that the reactor's thread sleeps; nothing but epoll makes it. */
static inline void
asleep(const struct reactor *reactor)
{
	uint64_t end = clock_monotonic_ns() + LOST_NS;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", reactor_tid(reactor));
	for (;;) {
		FILE *file = fopen(path, "r");
		char *state;

		cr_assert_not_null(file);
		cr_assert_not_null(fgets(line, sizeof(line), file));
		fclose(file);
		state = strrchr(line, ')');
		cr_assert_not_null(state);
		if (state[2] == 'S') {
			return;
		}
		cr_assert_lt(clock_monotonic_ns(), end, "it does not fall asleep");
		usleep(100);
	}
}

static inline struct reactor_stats
stats_of(const struct reactor *reactor)
{
	struct reactor_stats stats;

	reactor_stats(reactor, &stats);
	return stats;
}

struct adder {
	struct reactor *reactor;
	struct poller *poller;
};

static inline void
adder_add(void *arg)
{
	struct adder *adder = arg;

	reactor_poller_add(adder->reactor, adder->poller);
}

static inline void
adder_del(void *arg)
{
	struct adder *adder = arg;

	reactor_poller_del(adder->reactor, adder->poller);
}

static inline void
add_and_wait(struct reactor *reactor, struct poller *poller)
{
	struct adder adder = {reactor, poller};

	reactor_call(reactor, adder_add, &adder);
}

static inline void
del_and_wait(struct reactor *reactor, struct poller *poller)
{
	struct adder adder = {reactor, poller};

	reactor_call(reactor, adder_del, &adder);
}

#endif
