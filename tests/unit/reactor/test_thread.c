/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "fixture.h"

static int
first_cpu(void)
{
	cpu_set_t all;
	int cpu = 0;

	sched_getaffinity(0, sizeof(all), &all);
	while (!CPU_ISSET(cpu, &all)) {
		cpu++;
	}
	return cpu;
}

struct seen {
	cpu_set_t cpus;
	char name[16];
	int tid;
	sigset_t blocked;
};

static void
look(void *arg)
{
	struct seen *seen = arg;

	sched_getaffinity(0, sizeof(seen->cpus), &seen->cpus);
	pthread_getname_np(pthread_self(), seen->name, sizeof(seen->name));
	seen->tid = gettid();
	pthread_sigmask(SIG_SETMASK, NULL, &seen->blocked);
}

Test(reactor_thread, runs_pinned_named_and_deaf_to_signals_but_its_own_faults)
{
	struct reactor_config config = {.name = "a-long-name-for-it", .cpu = first_cpu()};
	struct seen seen = {0}, hook = {0};
	struct reactor *reactor;

	config.thread_init = look;
	config.thread_init_arg = &hook;
	cr_assert_eq(reactor_create(&config, &reactor), 0);
	cr_expect_eq(reactor_tid(reactor), 0);
	cr_assert_eq(reactor_start(reactor), 0);
	cr_expect_eq(reactor_start(reactor), -EALREADY);
	cr_expect_eq(hook.tid, reactor_tid(reactor), "the hook ran there, before start returned");
	reactor_call(reactor, look, &seen);
	cr_expect_eq(CPU_COUNT(&seen.cpus), 1);
	cr_expect(CPU_ISSET(config.cpu, &seen.cpus));
	cr_expect_str_eq(seen.name, "a-long-name-for");
	cr_expect_str_eq(reactor_name(reactor), "a-long-name-for");
	cr_expect_eq(reactor_cpu(reactor), config.cpu);
	cr_expect_eq(seen.tid, hook.tid);
	cr_expect(sigismember(&seen.blocked, SIGTERM));
	cr_expect_not(sigismember(&seen.blocked, SIGBUS));
	reactor_destroy(reactor);
}

Test(reactor_thread, a_cpu_that_does_not_exist_is_einval_and_leaves_nothing_behind)
{
	struct reactor_config config = {.name = "nowhere", .cpu = CPU_SETSIZE};
	struct reactor *reactor = NULL;

	cr_expect_eq(reactor_create(&config, &reactor), -EINVAL);
	cr_expect_null(reactor);
	config.cpu = -2;
	cr_expect_eq(reactor_create(&config, &reactor), -EINVAL);
	config.cpu = CPU_SETSIZE - 1;
	cr_assert_eq(reactor_create(&config, &reactor), 0);
	cr_expect_eq(reactor_start(reactor), -EINVAL);
	cr_expect_eq(reactor_tid(reactor), 0);
	reactor_destroy(reactor);
	reactor_destroy(NULL);
}

static _Atomic unsigned int nb_called;

static void
slow_count(void *arg)
{
	usleep(1000);
	nb_called++;
}

Test(reactor_thread, stop_calls_every_message_sent_before_it)
{
	struct reactor *reactor = reactor_started(REACTOR_INTERRUPT, -1);
	struct reactor_msg messages[50];

	for (int i = 0; i < 50; i++) {
		messages[i] = (struct reactor_msg){.fn = slow_count};
		reactor_send(reactor, &messages[i]);
	}
	reactor_stop(reactor);
	cr_expect_eq(nb_called, 50);
	reactor_stop(reactor);
	reactor_destroy(reactor);
}

Test(reactor_thread, can_be_started_again_after_stop)
{
	struct reactor *reactor = reactor_started(REACTOR_ADAPTIVE, -1);
	struct seen first = {0}, second = {0};

	reactor_call(reactor, look, &first);
	reactor_stop(reactor);
	cr_expect_eq(reactor_tid(reactor), 0);
	cr_assert_eq(reactor_start(reactor), 0);
	reactor_call(reactor, look, &second);
	cr_expect_neq(second.tid, getpid());
	reactor_destroy(reactor);
}

static unsigned int
idle_poll(struct poller *poller, uint64_t now_tsc)
{
	return 0;
}

static const struct poller_ops idle_ops = {.poll = idle_poll};

/* Two reactors, their helpers and this thread share one CPU. */
static void
share_one_cpu(enum reactor_idle idle, unsigned int nb_calls)
{
	int cpu = first_cpu();
	struct poller pollers[2] = {{.ops = &idle_ops}, {.ops = &idle_ops}};
	struct reactor *reactors[2];
	struct seen seen;
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
	for (int i = 0; i < 2; i++) {
		reactors[i] = reactor_started(idle, cpu);
		add_and_wait(reactors[i], &pollers[i]);
	}
	for (unsigned int i = 0; i < nb_calls; i++) {
		reactor_call(reactors[i % 2], look, &seen);
		cr_expect_eq(seen.tid, reactor_tid(reactors[i % 2]));
		cr_expect(CPU_ISSET(cpu, &seen.cpus));
	}
	reactor_destroy(reactors[0]);
	reactor_destroy(reactors[1]);
}

Test(reactor_thread, two_polling_reactors_and_control_share_one_cpu, .timeout = 60)
{
	share_one_cpu(REACTOR_POLL, 10);
}

Test(reactor_thread, two_adaptive_reactors_and_control_share_one_cpu, .timeout = 60)
{
	share_one_cpu(REACTOR_ADAPTIVE, 500);
}

Test(reactor_thread, two_interrupt_reactors_and_control_share_one_cpu, .timeout = 60)
{
	share_one_cpu(REACTOR_INTERRUPT, 500);
}

/* ---- System calls of a polling reactor, counted by the kernel's own dispatch ---------------- */

#if defined(PR_SET_SYSCALL_USER_DISPATCH) && defined(__x86_64__)

#define NB_PASSES 1000000

static volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
static volatile sig_atomic_t nb_syscalls;

static void
on_sigsys(int signal)
{
	nb_syscalls++;
	selector = SYSCALL_DISPATCH_FILTER_ALLOW; /* or the return from here would be caught */
}

struct watcher {
	struct poller poller;
	unsigned int nb_polls;
	_Atomic unsigned int finished;
	bool offend; /* makes one system call half-way */
	bool busy;
	int status;
};

static void
watcher_start(void *arg)
{
	struct watcher *watcher = arg;

	watcher->status = prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, 0UL, 0UL,
				  (unsigned long)&selector) == 0
	                          ? 0
	                          : -errno;
}

static unsigned int
watcher_poll(struct poller *poller, uint64_t now_tsc)
{
	struct watcher *watcher = container_of(poller, struct watcher, poller);

	watcher->nb_polls++;
	if (watcher->nb_polls == 1) {
		selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	} else if (watcher->nb_polls == NB_PASSES) {
		selector = SYSCALL_DISPATCH_FILTER_ALLOW;
		watcher->finished = 1;
	} else if (watcher->nb_polls == NB_PASSES / 2 && watcher->offend) {
		syscall(SYS_getppid);
	}
	return watcher->busy && watcher->nb_polls % 3 == 0;
}

static const struct poller_ops watcher_ops = {.poll = watcher_poll};

static void
count_syscalls(struct watcher *watcher)
{
	struct sigaction action = {.sa_handler = on_sigsys};
	struct reactor *reactor = reactor_started(REACTOR_POLL, -1);

	sigaction(SIGSYS, &action, NULL);
	watcher->poller.ops = &watcher_ops;
	reactor_call(reactor, watcher_start, watcher);
	if (watcher->status == -EINVAL) {
		reactor_destroy(reactor);
		cr_skip_test("this kernel has no syscall user dispatch");
	}
	cr_assert_eq(watcher->status, 0);
	struct adder adder = {reactor, &watcher->poller};
	struct reactor_msg msg = {.fn = adder_add, .arg = &adder};

	reactor_send(reactor, &msg);
	cr_expect(reaches(&watcher->finished, 1));
	reactor_destroy(reactor);
}

Test(reactor_thread, a_million_polling_passes_make_no_system_call)
{
	struct watcher watcher = {.busy = true};

	count_syscalls(&watcher);
	cr_expect_eq(nb_syscalls, 0);
}

Test(reactor_thread, and_one_system_call_in_a_million_passes_would_be_noticed)
{
	struct watcher watcher = {.offend = true};

	count_syscalls(&watcher);
	cr_expect_eq(nb_syscalls, 1);
}

#endif
