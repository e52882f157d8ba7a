/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. Messages: lock-free in, in order out, and waking whoever sleeps. */
#include <errno.h>
#include <semaphore.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "reactor/internal.h"

void
msg_queue_push(struct msg_queue *queue, struct reactor_msg *msg)
{
	struct reactor_msg *head = atomic_load_explicit(&queue->head, memory_order_relaxed);

	do {
		msg->next = head;
	} while (unlikely(!atomic_compare_exchange_weak_explicit(
		&queue->head, &head, msg, memory_order_seq_cst, memory_order_relaxed)));
}

struct reactor_msg *
msg_queue_take(struct msg_queue *queue)
{
	struct reactor_msg *newest =
		atomic_exchange_explicit(&queue->head, NULL, memory_order_acquire);
	struct reactor_msg *oldest = NULL;

	while (newest != NULL) {
		struct reactor_msg *next = newest->next;

		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

/* A message that sends itself again lands in the next batch: the pass ends. */
unsigned int
reactor_messages_run(struct reactor *reactor)
{
	struct reactor_msg *msg = msg_queue_take(&reactor->inbox);
	unsigned int n = 0;

	while (msg != NULL) {
		struct reactor_msg *next = msg->next;

		msg->fn(msg->arg); /* msg may be gone or queued again now */
		msg = next;
		n++;
	}
	stat_add(&reactor->stats.nb_messages, n);
	return n;
}

void
reactor_send(struct reactor *reactor, struct reactor_msg *msg)
{
	msg_queue_push(&reactor->inbox, msg);
	/* Of several senders that see it asleep, one makes the system call. */
	if (unlikely(atomic_load(&reactor->sleeping)) &&
		atomic_exchange(&reactor->sleeping, false)) {
		eventfd_write(reactor->wake_fd, 1);
	}
}

/* A reactor that polls answers within a pass: the caller looks for so long before it sleeps, so
 * that the reactor is spared the system call that wakes it. */
#define CALL_SPIN_NS 20000

enum call_state {
	CALL_PENDING,
	CALL_DONE,
	CALL_SLEEPING /* the caller waits for the semaphore */
};

struct call {
	void (*fn)(void *arg);
	void *arg;
	atomic_int state; /* enum call_state */
	sem_t done;
};

static void
call_run(void *arg)
{
	struct call *call = arg;

	call->fn(call->arg);
	/* Once it is done the call is gone, unless the caller sleeps. */
	if (atomic_exchange(&call->state, CALL_DONE) == CALL_SLEEPING) {
		sem_post(&call->done);
	}
}

static bool
call_spin(struct call *call)
{
	uint64_t end_tsc = clock_tsc() + clock_ns_to_tsc(CALL_SPIN_NS);

	while (atomic_load_explicit(&call->state, memory_order_acquire) != CALL_DONE) {
		if (clock_tsc() > end_tsc) {
			return false;
		}
		cpu_relax();
	}
	return true;
}

static void
call_wait(struct call *call)
{
	int state = CALL_PENDING;

	if (call_spin(call) ||
		!atomic_compare_exchange_strong(&call->state, &state, CALL_SLEEPING)) {
		return;
	}
	while (sem_wait(&call->done) != 0 && errno == EINTR) {
	}
}

void
reactor_call(struct reactor *reactor, void (*fn)(void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};
	struct reactor_msg msg = {.fn = call_run, .arg = &call};

	/* Nobody would answer; what was sent before comes first all the same. */
	if (atomic_load(&reactor->owner) == NULL || reactor_is_current(reactor)) {
		reactor_messages_run(reactor);
		fn(arg);
		return;
	}
	sem_init(&call.done, 0, 0);
	reactor_send(reactor, &msg);
	call_wait(&call);
	sem_destroy(&call.done);
}
