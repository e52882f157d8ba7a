/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of a reactor: create, start, stop, destroy; which CPUs it takes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "reactor/internal.h"

#define DEFAULT_SPIN_US   50
#define DEFAULT_BUDGET_US 50
/* Going to sleep and waking up take longer than this. */
#define MIN_SLEEP_US 2

LOG_TYPE_DEFINE(reactor);

/* CPUs the process had at the start (EAL narrows the main thread's), and those of reactors. */
static cpu_set_t process_cpus;
static pthread_mutex_t cpus_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int nb_reactors_on[CPU_SETSIZE];

static void __attribute__((constructor)) remember_process_cpus(void)
{
	sched_getaffinity(0, sizeof(process_cpus), &process_cpus);
}

void
thread_helper_cpus(cpu_set_t *cpus)
{
	*cpus = process_cpus;
	pthread_mutex_lock(&cpus_lock);
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (nb_reactors_on[i] > 0) {
			CPU_CLR(i, cpus);
		}
	}
	pthread_mutex_unlock(&cpus_lock);
	if (CPU_COUNT(cpus) == 0) {
		*cpus = process_cpus;
	}
}

static void
count_reactor_on(int cpu, int change)
{
	if (cpu >= 0) {
		pthread_mutex_lock(&cpus_lock);
		nb_reactors_on[cpu] += change;
		pthread_mutex_unlock(&cpus_lock);
	}
}

/* Signals of the process are the control thread's business. A fault of the thread itself has to
 * stay deliverable: a front-end that truncates its memory shows as SIGBUS, which vmediad survives.
 */
int
thread_create(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	static const int own_faults[] = {
		SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
	sigset_t blocked, before;
	int error;

	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(own_faults); i++) {
		sigdelset(&blocked, own_faults[i]);
	}
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	error = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

/* The address of a thread-local is a name of the thread that costs no call. */
static const char *
thread_token(void)
{
	static __thread char token;

	return &token;
}

void
reactor_own(struct reactor *reactor)
{
	atomic_store_explicit(&reactor->owner, thread_token(), memory_order_relaxed);
}

bool
reactor_is_current(const struct reactor *reactor)
{
	return atomic_load_explicit(&reactor->owner, memory_order_relaxed) == thread_token();
}

static int
pin(int cpu)
{
	cpu_set_t cpus;

	if (cpu < 0) {
		thread_helper_cpus(&cpus);
		sched_setaffinity(0, sizeof(cpus), &cpus);
		return 0;
	}
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return sched_setaffinity(0, sizeof(cpus), &cpus) == 0 ? 0 : -errno;
}

static void *
reactor_main(void *arg)
{
	struct reactor *reactor = arg;

	pthread_setname_np(pthread_self(), reactor->name);
	prctl(PR_SET_TIMERSLACK, 1UL); /* ns; the default of 50 us would make every frame late */
	reactor->start_status = pin(reactor->cpu);
	if (reactor->start_status < 0) {
		sem_post(&reactor->ready);
		return NULL;
	}
	/* From here on this thread owns the reactor; start, and reactor_call, wait for that. */
	atomic_store(&reactor->tid, gettid());
	reactor_own(reactor);
	if (reactor->thread_init != NULL) {
		reactor->thread_init(reactor->thread_init_arg);
	}
	sem_post(&reactor->ready);
	reactor_loop(reactor); /* until stop_requested */
	reactor_finish(reactor);
	return NULL;
}

static int
fds_open(struct reactor *reactor)
{
	int status;

	reactor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (reactor->epoll_fd < 0) {
		return -errno;
	}
	reactor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reactor->wake_fd < 0) {
		status = -errno;
		goto close_epoll;
	}
	status = reactor_watch(reactor, reactor->wake_fd, true);
	if (status < 0) {
		goto close_wake;
	}
	return 0;

close_wake:
	close(reactor->wake_fd);
close_epoll:
	close(reactor->epoll_fd);
	return status;
}

static void
idle_init(struct reactor *reactor, const struct reactor_config *config)
{
	uint32_t spin_us = config->spin_us != 0 ? config->spin_us : DEFAULT_SPIN_US;
	uint32_t budget_us = config->budget_us != 0 ? config->budget_us : DEFAULT_BUDGET_US;

	reactor->idle = config->idle;
	reactor->umwait = config->umwait && reactor_can_umwait();
	reactor->budget_tsc = clock_ns_to_tsc(budget_us * NSEC_PER_USEC);
	reactor->min_sleep_tsc = clock_ns_to_tsc(MIN_SLEEP_US * NSEC_PER_USEC);
	if (config->idle == REACTOR_ADAPTIVE) {
		reactor->spin_tsc = clock_ns_to_tsc(spin_us * NSEC_PER_USEC);
	}
}

int
reactor_create(const struct reactor_config *config, struct reactor **reactor)
{
	static _Atomic uint16_t next_index;
	struct reactor *r;
	int status;

	if (config->cpu < -1 || config->cpu >= CPU_SETSIZE) {
		return -EINVAL;
	}
	r = aligned_alloc(CACHE_LINE_BYTES, sizeof(*r));
	if (r == NULL) {
		return -ENOMEM;
	}
	memset(r, 0, sizeof(*r));
	status = fds_open(r);
	if (status < 0) {
		free(r);
		return status;
	}
	TAILQ_INIT(&r->pollers);
	TAILQ_INIT(&r->works);
	sem_init(&r->nb_jobs_queued, 0, 0);
	sem_init(&r->ready, 0, 0);
	snprintf(r->name, sizeof(r->name), "%s", config->name != NULL ? config->name : "reactor");
	r->index = atomic_fetch_add(&next_index, 1);
	r->cpu = config->cpu;
	r->thread_init = config->thread_init;
	r->thread_init_arg = config->thread_init_arg;
	idle_init(r, config);
	*reactor = r;
	return 0;
}

/* The reactor's thread ended, for good or for want of its CPU. */
static void
thread_join(struct reactor *reactor)
{
	pthread_join(reactor->thread, NULL);
	count_reactor_on(reactor->cpu, -1);
	atomic_store(&reactor->tid, 0);
	reactor->started = false;
}

int
reactor_start(struct reactor *reactor)
{
	int status;

	if (reactor->started) {
		return -EALREADY;
	}
	reactor->stopping = false;
	count_reactor_on(reactor->cpu, 1);
	status = offload_start(reactor);
	if (status < 0) {
		count_reactor_on(reactor->cpu, -1);
		return status;
	}
	status = thread_create(&reactor->thread, reactor_main, reactor);
	if (status < 0) {
		count_reactor_on(reactor->cpu, -1);
		return status;
	}
	while (sem_wait(&reactor->ready) != 0 && errno == EINTR) {
	}
	reactor->started = true;
	if (reactor->start_status < 0) {
		log_err(&log_reactor, "%s: cannot run on CPU %d: %s", reactor->name, reactor->cpu,
			strerror(-reactor->start_status));
		thread_join(reactor);
		return reactor->start_status;
	}
	reactor_trace_start(reactor);
	return 0;
}

/* A done() may send or offload again, so both are looked at until both are empty. */
void
reactor_finish(struct reactor *reactor)
{
	while (reactor_messages_run(reactor) > 0 || reactor->nb_jobs > 0) {
		if (msg_queue_empty(&reactor->inbox) && reactor->nb_jobs > 0) {
			reactor_sleep_for_message(reactor);
		}
	}
}

/* A message like others, so all that were sent before it were called when it is seen. */
static void
stop_requested(void *arg)
{
	struct reactor *reactor = arg;

	reactor->stopping = true;
}

void
reactor_stop(struct reactor *reactor)
{
	struct reactor_msg msg = {.fn = stop_requested, .arg = reactor};

	if (reactor->started) {
		reactor_send(reactor, &msg);
		thread_join(reactor);
	}
	/* What came in since, and everything of a reactor that was driven by reactor_pass. */
	reactor_own(reactor);
	reactor_finish(reactor);
	offload_stop(reactor);
	atomic_store(&reactor->owner, NULL);
}

void
reactor_destroy(struct reactor *reactor)
{
	if (reactor == NULL) {
		return;
	}
	reactor_stop(reactor);
	slots_fini(reactor);
	close(reactor->wake_fd);
	close(reactor->epoll_fd);
	sem_destroy(&reactor->ready);
	sem_destroy(&reactor->nb_jobs_queued);
	free(reactor);
}

int
reactor_cpu(const struct reactor *reactor)
{
	return reactor->cpu;
}

const char *
reactor_name(const struct reactor *reactor)
{
	return reactor->name;
}

uint16_t
reactor_index(const struct reactor *reactor)
{
	return reactor->index;
}

int
reactor_tid(const struct reactor *reactor)
{
	return atomic_load_explicit(&reactor->tid, memory_order_relaxed);
}

uint64_t
reactor_budget_tsc(const struct reactor *reactor)
{
	return reactor->budget_tsc;
}
