/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>

#include "base/clock.h"
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
