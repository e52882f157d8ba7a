/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping. Arm, look again, sleep, disarm.
 *
 * Everything ends in one epoll set whose events are not even looked at: after a wake-up all
 * pollers are polled. What is to be drained is watched edge-triggered instead of being read: a
 * kick eventfd is shared with a front-end, which could empty it first and leave a blocking read()
 * hanging; and one system call less.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/clock.h"
#include "reactor/internal.h"

#define NB_EVENTS 8

static uint64_t
earliest_deadline(struct reactor *reactor)
{
	uint64_t earliest = REACTOR_NO_DEADLINE;
	struct poller *poller;

	TAILQ_FOREACH (poller, &reactor->pollers, link) {
		if (poller->ops->deadline != NULL) {
			uint64_t deadline = poller->ops->deadline(poller);

			earliest = deadline < earliest ? deadline : earliest;
		}
	}
	return earliest;
}

/* Pollers up to, not including, end. */
static void
disarm_until(struct reactor *reactor, struct poller *end)
{
	struct poller *poller;

	TAILQ_FOREACH (poller, &reactor->pollers, link) {
		if (poller == end) {
			return;
		}
		if (poller->ops->disarm != NULL) {
			poller->ops->disarm(poller);
		}
	}
}

/* True when all are armed and none has work; else none is armed. */
static bool
arm_all(struct reactor *reactor)
{
	struct poller *poller;

	TAILQ_FOREACH (poller, &reactor->pollers, link) {
		if (poller->ops->arm != NULL && poller->ops->arm(poller)) {
			disarm_until(reactor, TAILQ_NEXT(poller, link));
			return false;
		}
	}
	return true;
}

/* A kernel before 5.11, or a sandbox that knows no epoll_pwait2, gets whole milliseconds, rounded
 * down: the rest of the time to the deadline is spun away. */
/* Returns how many fds became ready. */
static int
wait_ns(struct reactor *reactor, const struct timespec *timeout)
{
	struct epoll_event events[NB_EVENTS];
	int ms = -1;
	int nb = epoll_pwait2(reactor->epoll_fd, events, NB_EVENTS, timeout, NULL);

	if (nb >= 0 || (errno != ENOSYS && errno != EPERM)) {
		return nb;
	}
	if (timeout != NULL) {
		ms = timeout->tv_sec > 3600 ? 3600 * 1000
		                            : (int)(timeout->tv_sec * 1000 +
						      timeout->tv_nsec / (long)NSEC_PER_MSEC);
	}
	return epoll_wait(reactor->epoll_fd, events, NB_EVENTS, ms);
}

/* The sleeping half of the protocol in internal.h. ADAPTIVE is awake spin_us before the deadline:
 * falling asleep and being woken must not be the delay of a frame (100 us in a virtual machine). */
static int
sleep_until(struct reactor *reactor, uint64_t now_tsc, uint64_t deadline_tsc)
{
	struct timespec timeout;
	int nb_ready = 0;

	if (deadline_tsc != REACTOR_NO_DEADLINE) {
		uint64_t ns = clock_tsc_to_ns(deadline_tsc - now_tsc - reactor->spin_tsc);

		timeout.tv_sec = (time_t)(ns / NSEC_PER_SEC);
		timeout.tv_nsec = (long)(ns % NSEC_PER_SEC);
	}
	atomic_store(&reactor->sleeping, true);
	if (atomic_load(&reactor->inbox.head) == NULL) {
		nb_ready = wait_ns(reactor, deadline_tsc != REACTOR_NO_DEADLINE ? &timeout : NULL);
	}
	atomic_store_explicit(&reactor->sleeping, false, memory_order_relaxed);
	return nb_ready;
}

uint64_t
reactor_sleep(struct reactor *reactor, uint64_t now_tsc)
{
	uint64_t deadline_tsc = earliest_deadline(reactor);
	uint64_t awake_tsc;
	int nb_ready;

	/* Too short to be worth it, or already due. */
	if (deadline_tsc <= now_tsc ||
		deadline_tsc - now_tsc < reactor->spin_tsc + reactor->min_sleep_tsc) {
		return 0;
	}
	if (!TAILQ_EMPTY(&reactor->works) || !msg_queue_empty(&reactor->inbox) ||
		!arm_all(reactor)) {
		return 0;
	}
	reactor_trace_sleep(reactor, now_tsc, deadline_tsc);
	nb_ready = sleep_until(reactor, now_tsc, deadline_tsc);
	disarm_until(reactor, NULL);
	awake_tsc = clock_tsc();
	stat_add(&reactor->stats.nb_sleeps, 1);
	stat_add(&reactor->stats.sleep_tsc, awake_tsc - now_tsc);
	reactor_trace_wake(reactor, awake_tsc - now_tsc, nb_ready);
	return awake_tsc;
}

void
reactor_sleep_for_message(struct reactor *reactor)
{
	sleep_until(reactor, 0, REACTOR_NO_DEADLINE);
}

int
reactor_watch(struct reactor *reactor, int fd, bool drain)
{
	struct epoll_event event = {.events = drain ? EPOLLIN | EPOLLET : EPOLLIN, .data.fd = fd};

	return epoll_ctl(reactor->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void
reactor_unwatch(struct reactor *reactor, int fd)
{
	epoll_ctl(reactor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
