/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. The pass: messages, pollers, a budget of work. One reading of the TSC, one more with work.
 */
#include "base/clock.h"
#include "reactor/internal.h"
#include "trace/hooks.h"

#define LOOK_AT_ALL_NS NSEC_PER_MSEC

/* What others changed without a word: memory that is gone (base/fault.h). */
static bool
looks_at_all(struct reactor *reactor, uint64_t now_tsc)
{
	if (likely(!reactor->look_at_all && now_tsc < reactor->look_at_all_tsc)) {
		return false;
	}
	reactor->look_at_all = false;
	reactor->look_at_all_tsc = now_tsc + clock_ns_to_tsc(LOOK_AT_ALL_NS);
	return true;
}

/* poll() may add and delete any poller: the table may move, and have empty slots. */
static unsigned int
pollers_run(struct reactor *reactor, uint64_t now_tsc)
{
	bool all = looks_at_all(reactor, now_tsc);
	unsigned int n = 0;

	for (uint32_t i = 0; i < reactor->nb_slots; i++) {
		struct slot *slot = &reactor->slots[i];

		if ((!all && slot_rests(slot, now_tsc)) || unlikely(slot->poller == NULL)) {
			continue;
		}
		slot->due_tsc = 0; /* unless it says otherwise */
		n += slot->poller->ops->poll(slot->poller, now_tsc);
	}
	if (unlikely(reactor->slots_deleted)) {
		slots_compact(reactor);
	}
	return n;
}

void
reactor_poller_rest(
	struct reactor *reactor, const struct poller *poller, const struct poller_rest *rest)
{
	static const uint16_t nothing;
	struct slot *slot = &reactor->slots[poller->slot];

	if (unlikely(!poller->added)) {
		return;
	}
	slot->due_tsc = rest->due_tsc;
	slot->until_equal = rest->until_equal;
	if (likely(rest->word != NULL)) {
		slot->word = rest->word;
		slot->mask = rest->mask;
		slot->value = rest->value;
		return;
	}
	slot->word = &nothing;
	slot->mask = slot->value = 0;
	slot->until_equal = false;
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
	reactor->look_at_all = true;
	return n;
}

static unsigned int
pass(struct reactor *reactor, uint64_t now_tsc)
{
	unsigned int n = 0;

	if (unlikely(!msg_queue_empty(&reactor->inbox))) {
		n += reactor_messages_run(reactor);
		reactor->look_at_all = true;
	}
	n += pollers_run(reactor, now_tsc);
	if (unlikely(!TAILQ_EMPTY(&reactor->works))) {
		n += works_run(reactor);
	}
	return n;
}

/* A pass that was preempted counts as long, too: its devices waited all the same. */
static void
account(struct reactor *reactor, unsigned int nb_passes, uint64_t tsc, bool busy)
{
	struct reactor_stats *stats = &reactor->stats;

	stat_add(&stats->nb_passes, nb_passes);
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

/* The TSC takes longer to read than one idle poller to pass: few of them share a reading, which is
 * at most some 50 ns old. */
#define POLLERS_PER_READING 16

static inline bool
needs_no_reading(const struct reactor *reactor, unsigned int n, unsigned int nb_passes)
{
	return n == 0 && nb_passes * (reactor->nb_slots + 1) < POLLERS_PER_READING &&
	       !reactor->stopping;
}

/* The end of a pass is the start of the next one, so each costs one reading of the TSC at most. */
void
reactor_loop(struct reactor *reactor)
{
	uint64_t start = clock_tsc();
	uint64_t idle_since = start;

	while (likely(!reactor->stopping)) {
		unsigned int n, nb_passes = 0;
		uint64_t end;

		do {
			n = pass(reactor, start);
			nb_passes++;
		} while (needs_no_reading(reactor, n, nb_passes));
		end = clock_tsc();
		account(reactor, nb_passes, end - start, n > 0);
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
				reactor->look_at_all = true;
			}
		} else if (unlikely(reactor->umwait)) {
			end = reactor_umwait(reactor, end);
		}
		start = end;
	}
}

unsigned int
reactor_pass(struct reactor *reactor)
{
	uint64_t start = clock_tsc();

	reactor_own(reactor);
	reactor->look_at_all = true; /* whoever drives it did something meanwhile */
	unsigned int n = pass(reactor, start);

	account(reactor, 1, clock_tsc() - start, n > 0);
	return n;
}

void
reactor_poller_add(struct reactor *reactor, struct poller *poller)
{
	if (poller->added) {
		return;
	}
	TAILQ_INSERT_TAIL(&reactor->pollers, poller, link);
	slot_add(reactor, poller);
	poller->added = true;
}

void
reactor_poller_del(struct reactor *reactor, struct poller *poller)
{
	if (!poller->added) {
		return;
	}
	TAILQ_REMOVE(&reactor->pollers, poller, link);
	slot_del(reactor, poller);
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
