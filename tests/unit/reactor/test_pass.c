/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "base/compiler.h"
#include "reactor/reactor.h"

/* Long, so that short works fit into one budget even on a busy machine. */
#define BUDGET_US 10000

static struct reactor *reactor;

static void
setup(void)
{
	const struct reactor_config config = {.name = "pass", .cpu = -1, .budget_us = BUDGET_US};

	cr_assert_eq(reactor_create(&config, &reactor), 0);
}

static void
teardown(void)
{
	reactor_destroy(reactor);
}

TestSuite(reactor_pass, .init = setup, .fini = teardown);

struct probe {
	struct poller poller;
	unsigned int nb_polls;
	uint64_t now_tsc;
	struct poller *victim;
	struct poller *child;
};

static unsigned int
probe_poll(struct poller *poller, uint64_t now_tsc)
{
	struct probe *probe = container_of(poller, struct probe, poller);

	probe->nb_polls++;
	probe->now_tsc = now_tsc;
	if (probe->victim != NULL) {
		reactor_poller_del(reactor, probe->victim);
	}
	if (probe->child != NULL) {
		reactor_poller_add(reactor, probe->child);
	}
	return 0;
}

static const struct poller_ops probe_ops = {.poll = probe_poll};

static unsigned int
busy_poll(struct poller *poller, uint64_t now_tsc)
{
	return 3;
}

Test(reactor_pass, polls_every_poller_once_with_the_time_of_the_pass)
{
	struct probe a = {.poller.ops = &probe_ops}, b = {.poller.ops = &probe_ops};
	uint64_t before = clock_tsc();

	reactor_poller_add(reactor, &a.poller);
	reactor_poller_add(reactor, &b.poller);
	reactor_poller_add(reactor, &b.poller); /* no second time */
	cr_expect_eq(reactor_pass(reactor), 0);
	cr_expect_eq(a.nb_polls, 1);
	cr_expect_eq(b.nb_polls, 1);
	cr_expect_eq(a.now_tsc, b.now_tsc);
	cr_expect(a.now_tsc >= before && a.now_tsc <= clock_tsc());
}

Test(reactor_pass, returns_what_pollers_did)
{
	static const struct poller_ops busy_ops = {.poll = busy_poll};
	struct poller busy = {.ops = &busy_ops};
	struct reactor_stats stats;

	cr_expect_eq(reactor_pass(reactor), 0);
	reactor_poller_add(reactor, &busy);
	cr_expect_eq(reactor_pass(reactor), 3);
	reactor_stats(reactor, &stats);
	cr_expect_eq(stats.nb_passes, 2);
	cr_expect_eq(stats.nb_busy_passes, 1);
	cr_expect_gt(stats.busy_tsc, 0);
	cr_expect_gt(stats.idle_tsc, 0);
	cr_expect_geq(stats.longest_pass_tsc, stats.busy_tsc);
}

Test(reactor_pass, lets_a_poller_delete_itself_the_next_and_the_previous)
{
	struct probe p[4];

	for (int i = 0; i < 4; i++) {
		p[i] = (struct probe){.poller.ops = &probe_ops};
		reactor_poller_add(reactor, &p[i].poller);
	}
	p[0].victim = &p[0].poller; /* itself */
	p[1].victim = &p[2].poller; /* the next one */
	p[3].victim = &p[1].poller; /* one before */
	reactor_pass(reactor);
	cr_expect_eq(p[0].nb_polls, 1);
	cr_expect_eq(p[1].nb_polls, 1);
	cr_expect_eq(p[2].nb_polls, 0, "deleted before its turn");
	cr_expect_eq(p[3].nb_polls, 1);
	reactor_pass(reactor);
	cr_expect_eq(p[0].nb_polls, 1);
	cr_expect_eq(p[1].nb_polls, 1);
	cr_expect_eq(p[3].nb_polls, 2);
	cr_expect_not(p[0].poller.added);
	cr_expect(p[3].poller.added);
}

/* Rests until `word` is, or is not, `rest.value`. */
struct sleeper {
	struct poller poller;
	struct reactor *reactor;
	struct poller_rest rest;
	uint16_t word;
	_Atomic unsigned int nb_polls;
};

static unsigned int
sleeper_poll(struct poller *poller, uint64_t now_tsc)
{
	struct sleeper *s = container_of(poller, struct sleeper, poller);

	atomic_fetch_add(&s->nb_polls, 1);
	reactor_poller_rest(s->reactor, poller, &s->rest);
	return 0;
}

static const struct poller_ops sleeper_ops = {.poll = sleeper_poll};

static void
add_sleeper(void *arg)
{
	struct sleeper *s = arg;

	reactor_poller_add(s->reactor, &s->poller);
}

static unsigned int
polls_within(struct sleeper *s, uint64_t ns)
{
	unsigned int before = atomic_load(&s->nb_polls);
	uint64_t end = clock_monotonic_ns() + ns;

	while (clock_monotonic_ns() < end) {
	}
	return atomic_load(&s->nb_polls) - before;
}

static void
start_sleeper(struct sleeper *s)
{
	s->poller.ops = &sleeper_ops;
	s->reactor = reactor;
	cr_assert_eq(reactor_start(reactor), 0);
	reactor_call(reactor, add_sleeper, s);
}

/* A pass takes 20 ns or so: one that does not rest is polled a million times in 20 ms, one that
 * rests once a ms and after each message. */
#define WATCH_NS (20 * NSEC_PER_MSEC)
#define MANY     1000
#define FEW      100

/* In one of many tries: the machine may be busy. */
static bool
is_polled_often(struct sleeper *s)
{
	for (unsigned int i = 0; i < 200; i++) {
		if (polls_within(s, WATCH_NS) > MANY) {
			return true;
		}
	}
	return false;
}

static bool
is_polled_seldom(struct sleeper *s)
{
	for (unsigned int i = 0; i < 10; i++) {
		if (polls_within(s, WATCH_NS) < FEW) {
			return true;
		}
	}
	return false;
}

Test(reactor_pass, rests_until_a_word_changes)
{
	struct sleeper s = {
		.rest = {.word = &s.word, .mask = 0xff, .value = 7, .due_tsc = UINT64_MAX}};

	s.word = 0x0107;
	start_sleeper(&s);
	cr_expect(is_polled_seldom(&s), "while it is the same");
	__atomic_store_n(&s.word, 0x0207, __ATOMIC_RELAXED);
	cr_expect(is_polled_seldom(&s), "bits outside of the mask");
	__atomic_store_n(&s.word, 0x0208, __ATOMIC_RELAXED);
	cr_expect(is_polled_often(&s), "not the same any more");
	reactor_stop(reactor);
}

Test(reactor_pass, rests_until_a_word_has_a_value)
{
	struct sleeper s = {.rest = {.word = &s.word,
				    .mask = 0xff,
				    .value = 7,
				    .until_equal = true,
				    .due_tsc = UINT64_MAX}};

	start_sleeper(&s);
	cr_expect(is_polled_seldom(&s), "another value");
	__atomic_store_n(&s.word, 0x0107, __ATOMIC_RELAXED);
	cr_expect(is_polled_often(&s), "the value");
	reactor_stop(reactor);
}

Test(reactor_pass, rests_until_it_is_due)
{
	struct sleeper s = {.rest = {.word = NULL, .due_tsc = UINT64_MAX}};

	start_sleeper(&s);
	cr_expect(is_polled_seldom(&s), "before");
	__atomic_store_n(&s.rest.due_tsc, clock_tsc(), __ATOMIC_RELAXED);
	cr_expect(is_polled_often(&s), "after");
	reactor_stop(reactor);
}

static void
nothing(void *unused)
{
}

Test(reactor_pass, wakes_resting_pollers_after_messages_and_now_and_then)
{
	struct sleeper s = {.rest = {.word = NULL, .due_tsc = UINT64_MAX}};
	unsigned int before, nb = 0;

	start_sleeper(&s);
	before = atomic_load(&s.nb_polls);
	for (unsigned int i = 0; i < 1000 && atomic_load(&s.nb_polls) == before; i++) {
		polls_within(&s, 3 * NSEC_PER_MSEC);
	}
	cr_expect_gt(atomic_load(&s.nb_polls), before, "each ms");
	for (unsigned int i = 0; i < 1000; i++) {
		before = atomic_load(&s.nb_polls);
		reactor_call(reactor, nothing, NULL);
		reactor_call(reactor, nothing, NULL); /* the pass of the first is over */
		nb += atomic_load(&s.nb_polls) > before;
	}
	cr_expect_eq(nb, 1000, "polled after %u of 1000 messages", nb);
	reactor_stop(reactor);
}

/* The memory of its word may be gone once it does not rest. */
Test(reactor_pass, looks_at_no_word_of_a_deleted_poller)
{
	struct sleeper s = {.poller.ops = &sleeper_ops,
		.reactor = reactor,
		.rest = {.word = (const uint16_t *)(uintptr_t)8, .due_tsc = UINT64_MAX}};

	reactor_poller_add(reactor, &s.poller);
	reactor_pass(reactor);
	cr_assert_eq(atomic_load(&s.nb_polls), 1);
	reactor_poller_del(reactor, &s.poller);
	cr_assert_eq(reactor_start(reactor), 0);
	reactor_call(reactor, nothing, NULL);
	cr_expect_eq(polls_within(&s, WATCH_NS), 0);
	reactor_stop(reactor);
}

Test(reactor_pass, polls_a_thousand_pollers_and_those_left_of_them)
{
	struct probe *p = calloc(1000, sizeof(*p));

	for (int i = 0; i < 1000; i++) {
		p[i].poller.ops = &probe_ops;
		reactor_poller_add(reactor, &p[i].poller);
	}
	reactor_pass(reactor);
	for (int i = 0; i < 1000; i += 2) {
		reactor_poller_del(reactor, &p[i].poller);
	}
	reactor_pass(reactor);
	reactor_pass(reactor);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(p[i].nb_polls, i % 2 == 0 ? 1 : 3, "poller %d", i);
	}
	free(p);
}

Test(reactor_pass, lets_a_poller_add_another)
{
	struct probe late = {.poller.ops = &probe_ops};
	struct probe first = {.poller.ops = &probe_ops, .child = &late.poller};

	reactor_poller_add(reactor, &first.poller);
	reactor_pass(reactor);
	reactor_pass(reactor);
	cr_expect_eq(first.nb_polls, 2);
	cr_expect_geq(late.nb_polls, 1);
}

static void
add_poller(void *arg)
{
	reactor_poller_add(reactor, arg);
}

static void
del_poller(void *arg)
{
	reactor_poller_del(reactor, arg);
}

Test(reactor_pass, runs_messages_before_pollers_so_that_they_can_add_and_remove_them)
{
	struct probe probe = {.poller.ops = &probe_ops};
	struct reactor_msg add = {.fn = add_poller, .arg = &probe.poller};
	struct reactor_msg del = {.fn = del_poller, .arg = &probe.poller};

	reactor_send(reactor, &add);
	cr_expect_eq(reactor_pass(reactor), 1);
	cr_expect_eq(probe.nb_polls, 1, "added in this pass, polled in this pass");
	reactor_send(reactor, &del);
	reactor_pass(reactor);
	cr_expect_eq(probe.nb_polls, 1);
}

/* ---- work ---------------------------------------------------------------------------------- */

#define LOG_LENGTH 64
static char log_of_calls[LOG_LENGTH + 1];
static unsigned int log_length;

static void
note(char c)
{
	if (log_length < LOG_LENGTH) {
		log_of_calls[log_length++] = c;
		log_of_calls[log_length] = '\0';
	}
}

static unsigned int
note_poll(struct poller *poller, uint64_t now_tsc)
{
	note('.');
	return 0;
}

static const struct poller_ops note_ops = {.poll = note_poll};

struct slices {
	struct work work;
	char name;
	unsigned int nb_left;
	bool whole_slice;  /* uses the budget up */
	bool again;        /* queues itself anew when done */
	struct work *kill; /* cancelled in run */
	bool queued_in_run;
};

static bool
slices_run(struct work *work, uint64_t until_tsc)
{
	struct slices *s = container_of(work, struct slices, work);

	note(s->name);
	s->queued_in_run = work->queued;
	while (s->whole_slice && clock_tsc() < until_tsc) {
	}
	if (s->kill != NULL) {
		reactor_work_cancel(reactor, s->kill);
	}
	s->nb_left--;
	if (s->nb_left == 0 && s->again) {
		s->again = false;
		s->nb_left = 1;
		reactor_work_queue(reactor, work);
		return true;
	}
	return s->nb_left == 0;
}

#define SLICES(n, nb, whole)                                                                 \
	{                                                                                    \
		.work.run = slices_run, .name = (n), .nb_left = (nb), .whole_slice = (whole) \
	}

Test(reactor_pass, three_long_works_let_the_poller_in_after_every_slice)
{
	struct slices a = SLICES('a', 3, true), b = SLICES('b', 2, true), c = SLICES('c', 2, true);
	struct poller poller = {.ops = &note_ops};

	reactor_poller_add(reactor, &poller);
	reactor_work_queue(reactor, &a.work);
	reactor_work_queue(reactor, &b.work);
	reactor_work_queue(reactor, &b.work); /* no second time */
	reactor_work_queue(reactor, &c.work);
	while (reactor_pass(reactor) > 0) {
	}
	/* Head first until done, and never two slices without the poller in between. */
	cr_expect_str_eq(log_of_calls, ".a.a.a.b.b.c.c.");
	cr_expect_not(a.queued_in_run);
}

Test(reactor_pass, short_works_share_one_budget)
{
	struct slices a = SLICES('a', 1, false), b = SLICES('b', 1, false);
	struct slices c = SLICES('c', 1, true), d = SLICES('d', 1, false);
	struct poller poller = {.ops = &note_ops};

	reactor_poller_add(reactor, &poller);
	reactor_work_queue(reactor, &a.work);
	reactor_work_queue(reactor, &b.work);
	reactor_work_queue(reactor, &c.work);
	reactor_work_queue(reactor, &d.work);
	cr_expect_eq(reactor_pass(reactor), 3);
	cr_expect_eq(reactor_pass(reactor), 1);
	cr_expect_str_eq(log_of_calls, ".abc.d");
}

Test(reactor_pass, work_that_gives_up_early_waits_for_the_next_pass)
{
	struct slices a = SLICES('a', 2, false), b = SLICES('b', 1, false);
	struct poller poller = {.ops = &note_ops};

	reactor_poller_add(reactor, &poller);
	reactor_work_queue(reactor, &a.work);
	reactor_work_queue(reactor, &b.work);
	while (reactor_pass(reactor) > 0) {
	}
	cr_expect_str_eq(log_of_calls, ".a.ab.");
}

Test(reactor_pass, work_may_queue_itself_anew_and_goes_to_the_tail)
{
	struct slices a = SLICES('a', 1, true), b = SLICES('b', 1, true);

	a.again = true;
	reactor_work_queue(reactor, &a.work);
	reactor_work_queue(reactor, &b.work);
	while (reactor_pass(reactor) > 0) {
	}
	cr_expect_str_eq(log_of_calls, "aba");
	cr_expect_not(a.work.queued);
}

Test(reactor_pass, cancelled_work_does_not_run_and_may_cancel_itself)
{
	struct slices a = SLICES('a', 5, false), b = SLICES('b', 5, false);

	a.kill = &a.work; /* returns false, yet must not come back */
	reactor_work_queue(reactor, &a.work);
	reactor_work_queue(reactor, &b.work);
	reactor_work_cancel(reactor, &b.work);
	reactor_work_cancel(reactor, &b.work); /* not queued: nothing */
	while (reactor_pass(reactor) > 0) {
	}
	cr_expect_str_eq(log_of_calls, "a");
	cr_expect_not(a.work.queued);
	cr_expect_not(b.work.queued);
}

static unsigned int
slow_poll(struct poller *poller, uint64_t now_tsc)
{
	while (clock_tsc() - now_tsc < 3 * reactor_budget_tsc(reactor)) {
	}
	return 1;
}

Test(reactor_pass, a_pass_longer_than_twice_the_budget_is_counted)
{
	static const struct poller_ops slow_ops = {.poll = slow_poll};
	struct poller slow = {.ops = &slow_ops};
	struct reactor_stats before, after;
	uint64_t budget = reactor_budget_tsc(reactor);

	cr_expect(budget > clock_ns_to_tsc(BUDGET_US * 999) &&
		  budget < clock_ns_to_tsc(BUDGET_US * 1001));
	for (int i = 0; i < 100; i++) {
		reactor_pass(reactor);
	}
	reactor_stats(reactor, &before);
	cr_expect_lt(before.nb_over_budget, 50, "an empty pass is short");
	reactor_poller_add(reactor, &slow);
	reactor_pass(reactor);
	reactor_pass(reactor);
	reactor_stats(reactor, &after);
	cr_expect_eq(after.nb_over_budget, before.nb_over_budget + 2);
	cr_expect_geq(after.longest_pass_tsc, 3 * budget);
}
