/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>

#include "fixture.h"

#define NB_JOBS 100

static _Atomic unsigned int nb_run;
static _Atomic unsigned int nb_done;
static _Atomic unsigned int nb_wrong;
static sem_t gate;

struct job {
	struct offload_job job;
	unsigned int number;
	int run_tid;
	bool gated;
	cpu_set_t cpus;
};

static void
run(struct offload_job *offload)
{
	struct job *job = container_of(offload, struct job, job);

	if (job->gated) {
		sem_wait(&gate);
	}
	nb_wrong += job->number != nb_run || reactor_is_current(offload->reactor);
	job->run_tid = gettid();
	sched_getaffinity(0, sizeof(job->cpus), &job->cpus);
	nb_run++;
}

static void
done(struct offload_job *offload)
{
	struct job *job = container_of(offload, struct job, job);

	nb_wrong += job->number != nb_done || !reactor_is_current(offload->reactor) ||
	            job->run_tid == gettid();
	nb_done++;
	*job = (struct job){0}; /* it is ours again */
}

static struct job jobs[NB_JOBS];

static void
offload_all(void *arg)
{
	struct reactor *reactor = arg;

	for (unsigned int i = 0; i < NB_JOBS; i++) {
		jobs[i].job.run = run;
		jobs[i].job.done = done;
		jobs[i].number = i;
		reactor_offload(reactor, &jobs[i].job);
	}
}

Test(reactor_offload, jobs_run_in_order_elsewhere_and_are_done_on_the_reactor)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);

	reactor_call(reactor, offload_all, reactor);
	cr_expect(reaches(&nb_done, NB_JOBS));
	cr_expect_eq(nb_wrong, 0);
	reactor_destroy(reactor);
}

Test(reactor_offload, works_under_reactor_pass_with_a_thread_started_by_the_first_job)
{
	const struct reactor_config config = {.cpu = -1};
	struct reactor *reactor;
	uint64_t end = clock_monotonic_ns() + LOST_NS;

	cr_assert_eq(reactor_create(&config, &reactor), 0);
	reactor_pass(reactor); /* this thread is the owner now */
	offload_all(reactor);
	while (nb_done < NB_JOBS && clock_monotonic_ns() < end) {
		reactor_pass(reactor);
	}
	cr_expect_eq(nb_done, NB_JOBS);
	cr_expect_eq(nb_wrong, 0);
	reactor_destroy(reactor);
}

Test(reactor_offload, a_blocked_job_does_not_block_the_reactor)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);
	_Atomic unsigned int nb_called = 0;

	sem_init(&gate, 0, 0);
	jobs[0].gated = true;
	reactor_call(reactor, offload_all, reactor);
	for (int i = 0; i < 10; i++) {
		struct adder none = {reactor, &(struct poller){0}};

		reactor_call(reactor, adder_del, &none);
		nb_called++;
	}
	cr_expect_eq(nb_called, 10);
	cr_expect_eq(nb_done, 0);
	sem_post(&gate);
	cr_expect(reaches(&nb_done, NB_JOBS));
	reactor_destroy(reactor);
}

Test(reactor_offload, stop_waits_until_every_job_is_done)
{
	struct reactor *reactor = reactor_started(REACTOR_ADAPTIVE, -1);

	reactor_call(reactor, offload_all, reactor);
	reactor_stop(reactor);
	cr_expect_eq(nb_done, NB_JOBS);
	cr_expect_eq(nb_wrong, 0);
	reactor_destroy(reactor);
}

Test(reactor_offload, destroy_finishes_the_jobs_of_a_reactor_driven_by_passes)
{
	const struct reactor_config config = {.cpu = -1};
	struct reactor *reactor;

	cr_assert_eq(reactor_create(&config, &reactor), 0);
	reactor_pass(reactor);
	offload_all(reactor);
	reactor_destroy(reactor);
	cr_expect_eq(nb_done, NB_JOBS);
}

static _Atomic unsigned int nb_chained;

static void
chain_done(struct offload_job *offload)
{
	if (++nb_chained < 10) {
		reactor_offload(offload->reactor, offload);
	}
}

static void
chain_run(struct offload_job *offload)
{
	usleep(500);
}

static void
chain_start(void *arg)
{
	static struct offload_job chain = {.run = chain_run, .done = chain_done};

	reactor_offload(arg, &chain);
}

Test(reactor_offload, done_may_hand_over_the_same_job_again_even_while_stopping)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);

	reactor_call(reactor, chain_start, reactor);
	reactor_stop(reactor);
	cr_expect_eq(nb_chained, 10);
	reactor_destroy(reactor);
}

static cpu_set_t seen;

static void
look_at_cpus(struct offload_job *offload)
{
	sched_getaffinity(0, sizeof(seen), &seen);
}

static void
count_done(struct offload_job *offload)
{
	nb_done++;
}

static void
look_start(void *arg)
{
	static struct offload_job look = {.run = look_at_cpus, .done = count_done};

	reactor_offload(arg, &look);
}

Test(reactor_offload, its_thread_keeps_off_the_cpu_of_the_reactor_if_there_is_another)
{
	cpu_set_t all;
	int cpu = 0;

	sched_getaffinity(0, sizeof(all), &all);
	while (!CPU_ISSET(cpu, &all)) {
		cpu++;
	}
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, cpu);

	/* The affinity is set right after the thread was created, before start returned. */
	reactor_call(reactor, look_start, reactor);
	cr_expect(reaches(&nb_done, 1));
	if (CPU_COUNT(&all) > 1) {
		CPU_CLR(cpu, &all);
	}
	cr_expect(CPU_EQUAL(&all, &seen));
	reactor_destroy(reactor);
}
