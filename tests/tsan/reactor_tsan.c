/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A reactor under ThreadSanitizer: senders, sleeping and waking, a ring with suppressed kicks,
 * offload jobs, statistics read from outside. Plain memory is handed over on purpose: a missing
 * ordering in the reactor shows as a race on it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/compiler.h"
#include "reactor/reactor.h"

#define NB_SENDERS  4
#define NB_MESSAGES 100000
#define NB_BATCH    1000
#define NB_JOBS     2000
#define NB_KICKS    5000
/* On one CPU each of them costs two time slices of the spinning reactor. */
#define NB_KICKS_POLL 200

#define CHECK(claim)                                                                \
	do {                                                                        \
		if (!(claim)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			exit(1);                                                    \
		}                                                                   \
	} while (0)

static struct reactor *reactor;

struct numbered {
	struct reactor_msg msg;
	struct sender *sender;
	unsigned int number;
};

struct sender {
	struct numbered messages[NB_BATCH];
	unsigned int nb_received; /* the reactor's, plain */
};

static void
receive(void *arg)
{
	struct numbered *numbered = arg;

	CHECK(numbered->number == numbered->sender->nb_received);
	numbered->sender->nb_received++;
	numbered->number = 0;
}

static void
nothing(void *arg)
{
}

static void *
send_all(void *arg)
{
	struct sender *sender = arg;

	for (unsigned int i = 0; i < NB_MESSAGES; i++) {
		struct numbered *numbered = &sender->messages[i % NB_BATCH];

		if (i % NB_BATCH == 0) {
			/* All of the last batch were called: the memory is ours again. */
			reactor_call(reactor, nothing, NULL);
			usleep(200);
		}
		numbered->number = i;
		numbered->sender = sender;
		numbered->msg.fn = receive;
		numbered->msg.arg = numbered;
		reactor_send(reactor, &numbered->msg);
	}
	return NULL;
}

struct job {
	struct offload_job job;
	unsigned int input;
	unsigned int output;
	unsigned int nb_done;
};

static void
job_run(struct offload_job *offload)
{
	struct job *job = container_of(offload, struct job, job);

	job->output = job->input + 1;
}

static void
job_done(struct offload_job *offload)
{
	struct job *job = container_of(offload, struct job, job);

	CHECK(job->output == job->input + 1);
	job->input = job->output;
	job->nb_done++;
	if (job->nb_done < NB_JOBS) {
		reactor_offload(offload->reactor, offload);
	}
}

static void
job_start(void *arg)
{
	reactor_offload(reactor, arg);
}

struct ring {
	struct poller poller;
	unsigned int slot; /* plain: published by nb_published */
	unsigned int nb_published;
	unsigned int nb_consumed;
	bool kick_wanted;
	int kick_fd;
	unsigned int nb_kicks; /* to do */
};

static unsigned int
ring_poll(struct poller *poller, uint64_t now_tsc)
{
	struct ring *ring = container_of(poller, struct ring, poller);
	unsigned int nb = __atomic_load_n(&ring->nb_published, __ATOMIC_ACQUIRE);

	if (nb == ring->nb_consumed) {
		return 0;
	}
	CHECK(ring->slot == nb);
	__atomic_store_n(&ring->nb_consumed, nb, __ATOMIC_RELEASE);
	return 1;
}

static bool
ring_arm(struct poller *poller)
{
	struct ring *ring = container_of(poller, struct ring, poller);

	__atomic_store_n(&ring->kick_wanted, true, __ATOMIC_SEQ_CST);
	return __atomic_load_n(&ring->nb_published, __ATOMIC_SEQ_CST) != ring->nb_consumed;
}

static void
ring_disarm(struct poller *poller)
{
	struct ring *ring = container_of(poller, struct ring, poller);

	__atomic_store_n(&ring->kick_wanted, false, __ATOMIC_RELAXED);
}

static const struct poller_ops ring_ops = {
	.poll = ring_poll, .arm = ring_arm, .disarm = ring_disarm};

static void
ring_add(void *arg)
{
	reactor_poller_add(reactor, arg);
}

static void
ring_del(void *arg)
{
	reactor_poller_del(reactor, arg);
}

static void *
kick_all(void *arg)
{
	struct ring *ring = arg;

	for (unsigned int i = 1; i <= ring->nb_kicks; i++) {
		ring->slot = i;
		__atomic_store_n(&ring->nb_published, i, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&ring->kick_wanted, __ATOMIC_SEQ_CST)) {
			eventfd_write(ring->kick_fd, 1);
		}
		while (__atomic_load_n(&ring->nb_consumed, __ATOMIC_ACQUIRE) != i) {
			sched_yield();
		}
	}
	return NULL;
}

static void
run_all(enum reactor_idle idle)
{
	const struct reactor_config config = {.name = "tsan", .cpu = -1, .idle = idle};
	struct ring ring = {.poller.ops = &ring_ops, .kick_fd = eventfd(0, EFD_CLOEXEC)};
	struct job job = {.job = {.run = job_run, .done = job_done}};
	struct sender *senders = calloc(NB_SENDERS, sizeof(*senders));
	pthread_t threads[NB_SENDERS + 1];
	struct reactor_stats stats;

	ring.nb_kicks = idle == REACTOR_POLL ? NB_KICKS_POLL : NB_KICKS;
	CHECK(senders != NULL && reactor_create(&config, &reactor) == 0);
	CHECK(reactor_start(reactor) == 0);
	CHECK(reactor_watch(reactor, ring.kick_fd, true) == 0);
	reactor_call(reactor, ring_add, &ring.poller);
	reactor_call(reactor, job_start, &job);
	for (int i = 0; i < NB_SENDERS; i++) {
		CHECK(pthread_create(&threads[i], NULL, send_all, &senders[i]) == 0);
	}
	CHECK(pthread_create(&threads[NB_SENDERS], NULL, kick_all, &ring) == 0);
	reactor_stats(reactor, &stats);
	for (int i = 0; i <= NB_SENDERS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	reactor_call(reactor, ring_del, &ring.poller);
	reactor_unwatch(reactor, ring.kick_fd);
	reactor_stop(reactor);
	reactor_stats(reactor, &stats);
	for (int i = 0; i < NB_SENDERS; i++) {
		CHECK(senders[i].nb_received == NB_MESSAGES);
	}
	CHECK(job.nb_done == NB_JOBS && job.output == NB_JOBS);
	CHECK(stats.nb_messages >= NB_SENDERS * NB_MESSAGES + NB_JOBS);
	CHECK((stats.nb_sleeps > 0) == (idle != REACTOR_POLL));
	reactor_destroy(reactor);
	close(ring.kick_fd);
	free(senders);
}

int
main(void)
{
	run_all(REACTOR_INTERRUPT);
	run_all(REACTOR_ADAPTIVE);
	run_all(REACTOR_POLL);
	return 0;
}
