/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. Messages: lock-free in, in order out, and waking whoever sleeps. */
#include <errno.h>
#include <semaphore.h>
#include <sys/eventfd.h>

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

struct call {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static void
call_run(void *arg)
{
	struct call *call = arg;

	call->fn(call->arg);
	sem_post(&call->done);
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
	while (sem_wait(&call.done) != 0 && errno == EINTR) {
	}
	sem_destroy(&call.done);
}
