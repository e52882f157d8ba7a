/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. The pass: messages, pollers, a budget of work. One reading of the TSC, one more with work.
 */
#include "base/clock.h"
#include "reactor/internal.h"
#include "trace/hooks.h"

static unsigned int
pollers_run(struct reactor *reactor, uint64_t now_tsc)
{
	struct poller *poller = TAILQ_FIRST(&reactor->pollers);
	unsigned int n = 0;

	while (poller != NULL) {
		reactor->next_poller = TAILQ_NEXT(poller, link);
		n += poller->ops->poll(poller, now_tsc); /* may delete any poller */
		poller = reactor->next_poller;
	}
	return n;
}

/* The head keeps its place until it is done: first come, first served. */
static unsigned int
works_run(struct reactor *reactor)
{
	uint64_t until_tsc = clock_tsc() + reactor->budget_tsc;
	unsigned int n = 0;
	struct work *work;

	while ((work = TAILQ_FIRST(&reactor->works)) != NULL) {
		TAILQ_REMOVE(&reactor->works, work, link);
		work->queued = false;
		reactor->running = work;
		bool done = work->run(work, until_tsc);

		n++;
		/* Done or cancelled: the memory may be somebody else's by now. */
		if (!done && reactor->running != NULL && !work->queued) {
			TAILQ_INSERT_HEAD(&reactor->works, work, link);
			work->queued = true;
		}
		reactor->running = NULL;
		if (!done || clock_tsc() >= until_tsc) {
			break;
		}
	}
	return n;
}

static unsigned int
pass(struct reactor *reactor, uint64_t now_tsc)
{
	unsigned int n = 0;

	if (unlikely(!msg_queue_empty(&reactor->inbox))) {
		n += reactor_messages_run(reactor);
	}
	n += pollers_run(reactor, now_tsc);
	if (unlikely(!TAILQ_EMPTY(&reactor->works))) {
		n += works_run(reactor);
	}
	return n;
}

/* A pass that was preempted counts as long, too: its devices waited all the same. */
static void
account(struct reactor *reactor, uint64_t tsc, bool busy)
{
	struct reactor_stats *stats = &reactor->stats;

	stat_add(&stats->nb_passes, 1);
	if (busy) {
		stat_add(&stats->nb_busy_passes, 1);
		stat_add(&stats->busy_tsc, tsc);
	} else {
		stat_add(&stats->idle_tsc, tsc);
	}
	if (unlikely(tsc > 2 * reactor->budget_tsc)) {
		stat_add(&stats->nb_over_budget, 1);
		reactor_trace_over_budget(reactor, tsc);
	}
	stat_max(&stats->longest_pass_tsc, tsc);
}

/* The end of a pass is the start of the next one, so each costs one reading of the TSC: an idle
 * pass over four pollers takes 12 ns. */
void
reactor_loop(struct reactor *reactor)
{
	uint64_t start = clock_tsc();
	uint64_t idle_since = start;

	while (likely(!reactor->stopping)) {
		unsigned int n = pass(reactor, start);
		uint64_t end = clock_tsc();

		account(reactor, end - start, n > 0);
		if (unlikely(trace_enabled(reactor_stat))) {
			reactor_trace_stat(reactor, end);
		}
		if (n > 0) {
			idle_since = end;
		} else if (reactor->idle != REACTOR_POLL && end - idle_since >= reactor->spin_tsc) {
			uint64_t awake = reactor_sleep(reactor, end);

			/* Spinning starts anew after a sleep: what woke it rarely comes alone. */
			if (awake != 0) {
				idle_since = end = awake;
			}
		}
		start = end;
	}
}

unsigned int
reactor_pass(struct reactor *reactor)
{
	uint64_t start = clock_tsc();

	reactor_own(reactor);
	unsigned int n = pass(reactor, start);

	account(reactor, clock_tsc() - start, n > 0);
	return n;
}

void
reactor_poller_add(struct reactor *reactor, struct poller *poller)
{
	if (poller->added) {
		return;
	}
	TAILQ_INSERT_TAIL(&reactor->pollers, poller, link);
	poller->added = true;
}

void
reactor_poller_del(struct reactor *reactor, struct poller *poller)
{
	if (!poller->added) {
		return;
	}
	if (reactor->next_poller == poller) {
		reactor->next_poller = TAILQ_NEXT(poller, link);
	}
	TAILQ_REMOVE(&reactor->pollers, poller, link);
	poller->added = false;
}

void
reactor_work_queue(struct reactor *reactor, struct work *work)
{
	if (work->queued) {
		return;
	}
	TAILQ_INSERT_TAIL(&reactor->works, work, link);
	work->queued = true;
}

void
reactor_work_cancel(struct reactor *reactor, struct work *work)
{
	if (reactor->running == work) {
		reactor->running = NULL;
	}
	if (work->queued) {
		TAILQ_REMOVE(&reactor->works, work, link);
		work->queued = false;
	}
}

void
reactor_stats(const struct reactor *reactor, struct reactor_stats *stats)
{
	/* All members are uint64_t counters, each read whole; together they are no snapshot. */
	const uint64_t *from = (const uint64_t *)&reactor->stats;
	uint64_t *to = (uint64_t *)stats;

	for (size_t i = 0; i < sizeof(*stats) / sizeof(*to); i++) {
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}
