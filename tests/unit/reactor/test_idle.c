/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/eventfd.h>

#include "fixture.h"

static void
nothing(void *arg)
{
}

/* Around the moment it falls asleep, so that both sides of the race are met. */
static void
wake_often(enum reactor_idle idle)
{
	struct reactor *reactor = reactor_started(idle, -1);

	for (unsigned int i = 0; i < 400; i++) {
		uint64_t until = clock_monotonic_ns() + (i % 100) * NSEC_PER_USEC;

		while (clock_monotonic_ns() < until) {
		}
		reactor_call(reactor, nothing, NULL); /* hangs when a wake-up is lost */
	}
	if (idle != REACTOR_POLL) {
		asleep(reactor);
		reactor_call(reactor, nothing, NULL);
	}
	struct reactor_stats stats = stats_of(reactor);

	if (idle == REACTOR_POLL) {
		cr_expect_eq(stats.nb_sleeps, 0);
		cr_expect_eq(stats.sleep_tsc, 0);
	} else {
		cr_expect_gt(stats.nb_sleeps, 0);
		cr_expect_gt(stats.sleep_tsc, 0);
	}
	reactor_destroy(reactor);
}

Test(reactor_idle, a_polling_reactor_never_sleeps_and_hears_everything, .timeout = 60)
{
	wake_often(REACTOR_POLL);
}

Test(reactor_idle, a_message_wakes_a_sleeping_adaptive_reactor, .timeout = 60)
{
	wake_often(REACTOR_ADAPTIVE);
}

Test(reactor_idle, a_message_wakes_a_sleeping_interrupt_reactor, .timeout = 60)
{
	wake_often(REACTOR_INTERRUPT);
}

Test(reactor_idle, asleep_it_makes_no_passes)
{
	struct reactor *reactor = reactor_started(REACTOR_ADAPTIVE, -1);

	asleep(reactor);
	uint64_t before = stats_of(reactor).nb_passes;

	usleep(20000);
	cr_expect_eq(stats_of(reactor).nb_passes, before);
	reactor_destroy(reactor);
}

/* ---- A ring with suppressed kicks, as small as it gets ------------------------------------- */

struct ring {
	struct poller poller;
	_Atomic unsigned int nb_published;
	_Atomic unsigned int nb_consumed;
	_Atomic bool kick_wanted;
	int kick_fd;
	unsigned int nb_kicks;
};

static unsigned int
ring_poll(struct poller *poller, uint64_t now_tsc)
{
	struct ring *ring = container_of(poller, struct ring, poller);
	unsigned int nb = atomic_load(&ring->nb_published) - atomic_load(&ring->nb_consumed);

	atomic_fetch_add(&ring->nb_consumed, nb);
	return nb;
}

static bool
ring_arm(struct poller *poller)
{
	struct ring *ring = container_of(poller, struct ring, poller);

	atomic_store(&ring->kick_wanted, true);
	return atomic_load(&ring->nb_published) != atomic_load(&ring->nb_consumed);
}

static void
ring_disarm(struct poller *poller)
{
	struct ring *ring = container_of(poller, struct ring, poller);

	atomic_store(&ring->kick_wanted, false);
}

static const struct poller_ops ring_ops = {
	.poll = ring_poll, .arm = ring_arm, .disarm = ring_disarm};

static void
ring_publish(struct ring *ring)
{
	atomic_fetch_add(&ring->nb_published, 1);
	if (atomic_load(&ring->kick_wanted)) {
		ring->nb_kicks++;
		eventfd_write(ring->kick_fd, 1);
	}
}

static void
publish_often(enum reactor_idle idle)
{
	struct reactor *reactor = reactor_started(idle, -1);
	/* Blocking, as front-ends hand them over: a reader of it could be made to hang. */
	struct ring ring = {.poller.ops = &ring_ops, .kick_fd = eventfd(0, EFD_CLOEXEC)};

	cr_assert_eq(reactor_watch(reactor, ring.kick_fd, true), 0);
	add_and_wait(reactor, &ring.poller);
	for (unsigned int i = 1; i <= 3000; i++) {
		uint64_t start = clock_monotonic_ns();

		ring_publish(&ring);
		while (atomic_load(&ring.nb_consumed) < i) {
			cr_assert_lt(clock_monotonic_ns() - start, LOST_NS, "kick %u was lost", i);
		}
		while (clock_monotonic_ns() - start < (i % 80) * NSEC_PER_USEC) {
		}
	}
	cr_expect_gt(ring.nb_kicks, 0);
	cr_expect_lt(ring.nb_kicks, 3001);
	del_and_wait(reactor, &ring.poller);
	reactor_unwatch(reactor, ring.kick_fd);
	reactor_destroy(reactor);
	close(ring.kick_fd);
}

Test(reactor_idle, no_kick_is_lost_between_looking_and_sleeping, .timeout = 120)
{
	publish_often(REACTOR_INTERRUPT);
}

Test(reactor_idle, no_kick_is_lost_in_adaptive_mode, .timeout = 120)
{
	publish_often(REACTOR_ADAPTIVE);
}

Test(reactor_idle, a_kick_that_nobody_reads_does_not_keep_it_awake)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);
	int fd = eventfd(7, EFD_CLOEXEC);

	cr_assert_eq(reactor_watch(reactor, fd, true), 0);
	cr_expect_eq(reactor_watch(reactor, fd, true), -EEXIST);
	asleep(reactor);
	uint64_t before = stats_of(reactor).nb_passes;

	usleep(10000);
	cr_expect_eq(stats_of(reactor).nb_passes, before);
	eventfd_write(fd, 1);
	uint64_t end = clock_monotonic_ns() + LOST_NS;

	while (stats_of(reactor).nb_passes == before) {
		cr_assert_lt(clock_monotonic_ns(), end, "the next write is not heard");
	}
	reactor_unwatch(reactor, fd);
	asleep(reactor);
	before = stats_of(reactor).nb_passes;
	eventfd_write(fd, 1);
	usleep(10000);
	cr_expect_eq(stats_of(reactor).nb_passes, before, "unwatched");
	reactor_destroy(reactor);
	close(fd);
}

/* ---- arm, disarm, deadline ------------------------------------------------------------------ */

struct armed {
	struct poller poller;
	_Atomic bool has_work;
	_Atomic unsigned int nb_arms;
	_Atomic unsigned int nb_disarms;
	_Atomic unsigned int nb_due;
	_Atomic uint64_t deadline_tsc;
	_Atomic uint64_t nb_early;
};

static unsigned int
armed_poll(struct poller *poller, uint64_t now_tsc)
{
	struct armed *armed = container_of(poller, struct armed, poller);

	if (now_tsc < armed->deadline_tsc) {
		return 0;
	}
	armed->deadline_tsc = REACTOR_NO_DEADLINE;
	armed->nb_due++;
	return 1;
}

static bool
armed_arm(struct poller *poller)
{
	struct armed *armed = container_of(poller, struct armed, poller);

	armed->nb_arms++;
	return armed->has_work;
}

static void
armed_disarm(struct poller *poller)
{
	struct armed *armed = container_of(poller, struct armed, poller);

	armed->nb_disarms++;
}

static uint64_t
armed_deadline(struct poller *poller)
{
	return container_of(poller, struct armed, poller)->deadline_tsc;
}

static const struct poller_ops armed_ops = {
	.poll = armed_poll, .arm = armed_arm, .disarm = armed_disarm, .deadline = armed_deadline};

Test(reactor_idle, work_seen_after_arming_prevents_the_sleep)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);
	struct armed p[3];

	for (int i = 0; i < 3; i++) {
		p[i] = (struct armed){
			.poller.ops = &armed_ops, .deadline_tsc = REACTOR_NO_DEADLINE};
	}
	p[1].has_work = true;
	add_and_wait(reactor, &p[1].poller);
	add_and_wait(reactor, &p[0].poller);
	add_and_wait(reactor, &p[2].poller);
	uint64_t before = stats_of(reactor).nb_sleeps;
	unsigned int nb_arms = p[1].nb_arms;

	cr_expect(reaches(&p[1].nb_arms, nb_arms + 1000));
	cr_expect_eq(stats_of(reactor).nb_sleeps, before);
	cr_expect_eq(p[0].nb_arms, 0, "behind the one that has work: not asked");
	cr_expect_eq(p[0].nb_disarms, 0);
	p[1].has_work = false;
	asleep(reactor);
	nb_arms = p[1].nb_arms;
	usleep(10000);
	cr_expect_eq(p[1].nb_arms, nb_arms, "asleep now");
	cr_expect_eq(p[1].nb_disarms, nb_arms - 1, "and armed");
	cr_expect_eq(p[2].nb_arms, p[2].nb_disarms + 1);
	reactor_stop(reactor);
	for (int i = 0; i < 3; i++) {
		cr_expect_eq(p[i].nb_arms, p[i].nb_disarms);
	}
	reactor_destroy(reactor);
}

struct late {
	struct poller poller;
	struct reactor *reactor;
	struct reactor_msg msg;
	_Atomic unsigned int nb_heard;
};

static void
late_heard(void *arg)
{
	struct late *late = arg;

	late->nb_heard++;
}

/* As if another thread sent it in the last moment, when nobody is told to wake anyone yet. */
static bool
late_arm(struct poller *poller)
{
	struct late *late = container_of(poller, struct late, poller);

	if (late->nb_heard < 3) {
		reactor_send(late->reactor, &late->msg);
	}
	return false;
}

static unsigned int
late_poll(struct poller *poller, uint64_t now_tsc)
{
	return 0;
}

Test(reactor_idle, a_message_sent_after_the_last_look_is_seen_before_the_sleep)
{
	static const struct poller_ops late_ops = {.poll = late_poll, .arm = late_arm};
	struct late late = {.poller.ops = &late_ops, .msg = {.fn = late_heard, .arg = &late}};

	late.reactor = reactor_started(REACTOR_INTERRUPT, -1);
	add_and_wait(late.reactor, &late.poller);
	cr_expect(reaches(&late.nb_heard, 3));
	asleep(late.reactor);
	cr_expect_eq(late.nb_heard, 3);
	reactor_destroy(late.reactor);
}

static void
deadline_wakes(enum reactor_idle idle)
{
	struct reactor *reactor = reactor_started(idle, -1);
	uint64_t start = clock_tsc();
	struct armed soon = {
		.poller.ops = &armed_ops, .deadline_tsc = start + clock_ns_to_tsc(20000000)};
	struct armed later = {
		.poller.ops = &armed_ops, .deadline_tsc = start + clock_ns_to_tsc(40000000)};

	add_and_wait(reactor, &later.poller);
	add_and_wait(reactor, &soon.poller);
	cr_expect(reaches(&soon.nb_due, 1));
	cr_expect_geq(clock_tsc() - start, clock_ns_to_tsc(20000000));
	cr_expect(reaches(&later.nb_due, 1));
	cr_expect_geq(clock_tsc() - start, clock_ns_to_tsc(40000000));
	reactor_stop(reactor);
	struct reactor_stats stats = stats_of(reactor);

	cr_expect_geq(stats.nb_sleeps, 2);
	cr_expect_geq(stats.sleep_tsc, clock_ns_to_tsc(30000000), "it slept most of the time");
	if (idle == REACTOR_INTERRUPT) {
		cr_expect_lt(stats.nb_passes, 1000);
	}
	reactor_destroy(reactor);
}

Test(reactor_idle, the_earliest_deadline_ends_the_sleep_in_interrupt_mode)
{
	deadline_wakes(REACTOR_INTERRUPT);
}

Test(reactor_idle, the_earliest_deadline_ends_the_sleep_in_adaptive_mode)
{
	deadline_wakes(REACTOR_ADAPTIVE);
}

struct endless {
	struct work work;
	_Atomic unsigned int nb_slices;
	_Atomic bool stop;
};

static bool
endless_run(struct work *work, uint64_t until_tsc)
{
	struct endless *endless = container_of(work, struct endless, work);

	endless->nb_slices++;
	return endless->stop;
}

struct queue_call {
	struct reactor *reactor;
	struct work *work;
};

static void
queue_work(void *arg)
{
	struct queue_call *call = arg;

	reactor_work_queue(call->reactor, call->work);
}

Test(reactor_idle, it_never_sleeps_while_there_is_work)
{
	struct queue_call call = {.reactor = reactor_started(REACTOR_INTERRUPT, -1)};
	struct endless endless = {.work.run = endless_run};

	call.work = &endless.work;
	reactor_call(call.reactor, queue_work, &call);
	uint64_t before = stats_of(call.reactor).nb_sleeps;

	cr_expect(reaches(&endless.nb_slices, 1000));
	cr_expect_eq(stats_of(call.reactor).nb_sleeps, before);
	endless.stop = true;
	reactor_destroy(call.reactor);
}
