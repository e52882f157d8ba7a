/* SPDX-License-Identifier: BSD-3-Clause */
/* Stops the device for a while, again and again: what a measurement must not overlook. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "load/load.h"

static struct {
	pthread_t thread;
	bool started;
	bool ending;
	pid_t pid;
	double ms, every_ms;
} stall;

static void
sleep_ms(double ms)
{
	struct timespec t = {(time_t)(ms / 1e3), (long)(ms * 1e6) % 1000000000};

	nanosleep(&t, NULL);
}

static void *
stall_main(void *arg)
{
	while (!__atomic_load_n(&stall.ending, __ATOMIC_RELAXED)) {
		sleep_ms(stall.every_ms - stall.ms);
		kill(stall.pid, SIGSTOP);
		sleep_ms(stall.ms);
		kill(stall.pid, SIGCONT);
	}
	return NULL;
}

int
stall_start(const struct target *target, double ms, double every_ms)
{
	int ret;

	stall.pid = target->pid;
	stall.ms = ms;
	stall.every_ms = every_ms;
	stall.ending = false;
	ret = pthread_create(&stall.thread, NULL, stall_main, NULL);
	if (ret != 0) {
		fprintf(stderr, "thread: %s\n", strerror(ret));
		return -ret;
	}
	stall.started = true;
	return 0;
}

void
stall_end(void)
{
	if (stall.started) {
		__atomic_store_n(&stall.ending, true, __ATOMIC_RELAXED);
		pthread_join(stall.thread, NULL);
		stall.started = false;
	}
}
