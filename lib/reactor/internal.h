/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared by the files of this room.
 *
 *   reactor.c  the pass and the loop (HOT)      message.c  the inbox (HOT)
 *   idle.c     when and how to sleep            offload.c  the helper thread
 *   thread.c   create, start, stop, CPUs        trace.c    what tracers hear
 *   slots.c    the table of pollers         umwait.c   waiting for a store (HOT)
 *
 * The sleep protocol (Dekker's): a sender publishes, then looks at `sleeping`; the reactor
 * publishes `sleeping`, then looks at the inbox. All four accesses are seq_cst, so at least one of
 * the two sees the other. Operations rather than fences, because ThreadSanitizer knows no fences.
 */
#ifndef VMEDIA_REACTOR_INTERNAL_H
#define VMEDIA_REACTOR_INTERNAL_H

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/compiler.h"
#include "reactor/reactor.h"

#define REACTOR_NAME_BYTES 16

/* Many producers, one consumer. A stack that the consumer takes as a whole and turns round: the
 * order of each sender is kept, a batch has an end, and no producer can hold up the consumer. */
struct msg_queue {
	_Atomic(struct reactor_msg *) head;
};

void msg_queue_push(struct msg_queue *queue, struct reactor_msg *msg);
/* Consumer: everything queued, oldest first, linked by next. NULL: nothing. */
struct reactor_msg *msg_queue_take(struct msg_queue *queue);

/* One load of a line that only a sender dirties. */
static inline bool
msg_queue_empty(struct msg_queue *queue)
{
	return atomic_load_explicit(&queue->head, memory_order_relaxed) == NULL;
}

/* A poller in the pass. All of it that an idle pass reads lies side by side: pollers are parts of
 * large structures, most of them at the same offset of a page, where a cache has few places. */
struct slot {
	struct poller *poller; /* NULL: deleted */
	const uint16_t *word;  /* as in struct poller_rest; never NULL */
	uint64_t due_tsc;
	uint16_t mask, value;
	bool until_equal;
};

struct reactor {
	/* Touched by others. */
	struct msg_queue inbox __cache_aligned;
	_Atomic bool sleeping;

	/* The owner's. */
	TAILQ_HEAD(poller_list, poller) pollers __cache_aligned;
	struct slot *slots; /* the same pollers in the same order, for the pass */
	uint32_t nb_slots, nb_slots_max;
	bool slots_deleted; /* some are empty */
	bool look_at_all;   /* something else ran: nobody rests in the next pass */
	uint64_t look_at_all_tsc;
	TAILQ_HEAD(work_list, work) works;
	struct work *running; /* the work being run; cancel clears it */
	uint64_t budget_tsc;
	uint64_t spin_tsc; /* 0 unless ADAPTIVE */
	uint64_t min_sleep_tsc;
	uint64_t stat_tsc; /* when the last reactor_stat was traced */
	enum reactor_idle idle;
	bool umwait; /* instead of spinning */
	bool stopping;
	unsigned int nb_jobs; /* offload jobs not done yet */
	int epoll_fd;
	int wake_fd;
	struct reactor_stats stats;

	/* The offload thread's inbox: jobs are messages, too. */
	struct msg_queue jobs __cache_aligned;
	sem_t nb_jobs_queued;
	pthread_t offload_thread;
	bool offload_started;

	/* Control. */
	char name[REACTOR_NAME_BYTES] __cache_aligned;
	uint16_t index;
	int cpu;
	void (*thread_init)(void *arg);
	void *thread_init_arg;
	pthread_t thread;
	bool started;
	sem_t ready;
	int start_status;
	_Atomic int tid;
	_Atomic(const char *) owner; /* a token of the thread; NULL: nobody */
};

/* Single writer, so a plain sum; the store is one that other threads may read. */
static inline void
stat_add(uint64_t *stat, uint64_t n)
{
	__atomic_store_n(stat, *stat + n, __ATOMIC_RELAXED);
}

static inline void
stat_max(uint64_t *stat, uint64_t n)
{
	if (n > *stat) {
		__atomic_store_n(stat, n, __ATOMIC_RELAXED);
	}
}

/* Passes until a message sets `stopping`. */
void reactor_loop(struct reactor *reactor);
/* Calls all messages queued now. Returns how many. */
unsigned int reactor_messages_run(struct reactor *reactor);
/* slots.c: memory of the table; control paths. */
void slot_add(struct reactor *reactor, struct poller *poller);
void slot_del(struct reactor *reactor, struct poller *poller);
void slots_compact(struct reactor *reactor);
void slots_fini(struct reactor *reactor);
/* Messages and offload jobs only, until there are none. */
void reactor_finish(struct reactor *reactor);

/* Nothing to do for it. The word of one that does not rest may be gone: it is not looked at. */
static inline bool
slot_rests(const struct slot *slot, uint64_t now_tsc)
{
	uint16_t word;

	if (now_tsc >= slot->due_tsc) {
		return false;
	}
	word = __atomic_load_n(slot->word, __ATOMIC_RELAXED);
	return ((word & slot->mask) == slot->value) != slot->until_equal;
}

/* umwait.c: waits until the driver writes, something is due, or some microseconds have passed.
 * Returns the TSC now. Only where reactor_can_umwait(). */
uint64_t reactor_umwait(struct reactor *reactor, uint64_t now_tsc);

/* Sleeps unless there is a reason not to. Returns the TSC now, or 0 when it did not sleep. */
uint64_t reactor_sleep(struct reactor *reactor, uint64_t now_tsc);
/* Until a message comes, whatever pollers say. */
void reactor_sleep_for_message(struct reactor *reactor);

/* trace.c: called behind trace_enabled() where it is hot. */
void reactor_trace_start(const struct reactor *reactor);
void reactor_trace_stat(struct reactor *reactor, uint64_t now_tsc);
void reactor_trace_over_budget(const struct reactor *reactor, uint64_t pass_tsc);
void reactor_trace_sleep(const struct reactor *reactor, uint64_t now_tsc, uint64_t deadline_tsc);
void reactor_trace_wake(const struct reactor *reactor, uint64_t slept_tsc, int nb_ready);

/* Makes the calling thread the owner. */
void reactor_own(struct reactor *reactor);

/* 0 or a negative errno. Starting what runs and stopping what does not are no errors. */
int offload_start(struct reactor *reactor);
void offload_stop(struct reactor *reactor);

/* Creates a thread with all signals blocked but those of its own faults. */
int thread_create(pthread_t *thread, void *(*fn)(void *arg), void *arg);
/* What the process may run on, without CPUs of reactors where that leaves any. */
void thread_helper_cpus(cpu_set_t *cpus);

#endif
