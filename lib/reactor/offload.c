/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The offload thread: work that may block. Handing a job over costs the reactor a few atomic
 * operations and, when the thread sleeps, one futex call; it never waits for a lock that the
 * thread holds.
 */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "reactor/internal.h"

LOG_TYPE_USE(reactor);

static void
job_done(void *arg)
{
	struct offload_job *job = arg;

	job->reactor->nb_jobs--;
	job->done(job);
}

static void
job_run(void *arg)
{
	struct offload_job *job = arg;

	job->run(job);
	job->msg.fn = job_done;
	reactor_send(job->reactor, &job->msg);
}

static void *
offload_main(void *arg)
{
	struct reactor *reactor = arg;
	struct reactor_msg *msg = NULL;

	for (;;) {
		while (sem_wait(&reactor->nb_jobs_queued) != 0 && errno == EINTR) {
		}
		if (msg == NULL) {
			msg = msg_queue_take(&reactor->jobs);
		}
		if (msg == NULL) {
			return NULL; /* counted, but no job: offload_stop */
		}
		struct reactor_msg *next = msg->next;

		msg->fn(msg->arg);
		msg = next;
	}
}

int
offload_start(struct reactor *reactor)
{
	char name[REACTOR_NAME_BYTES];
	cpu_set_t cpus;
	int status;

	if (reactor->offload_started) {
		return 0;
	}
	status = thread_create(&reactor->offload_thread, offload_main, reactor);
	if (status < 0) {
		log_err(&log_reactor, "%s: cannot start the offload thread: errno %d",
			reactor->name, -status);
		return status;
	}
	reactor->offload_started = true;
	snprintf(name, sizeof(name), "%.*s-o", REACTOR_NAME_BYTES - 3, reactor->name);
	pthread_setname_np(reactor->offload_thread, name);
	thread_helper_cpus(&cpus);
	pthread_setaffinity_np(reactor->offload_thread, sizeof(cpus), &cpus);
	return 0;
}

void
offload_stop(struct reactor *reactor)
{
	if (!reactor->offload_started) {
		return;
	}
	sem_post(&reactor->nb_jobs_queued);
	pthread_join(reactor->offload_thread, NULL);
	reactor->offload_started = false;
}

void
reactor_offload(struct reactor *reactor, struct offload_job *job)
{
	job->reactor = reactor;
	job->msg = (struct reactor_msg){.fn = job_run, .arg = job};
	reactor->nb_jobs++;
	/* reactor_start has started it; with reactor_pass the first job does. */
	if (!reactor->offload_started && offload_start(reactor) < 0) {
		job_run(job);
		return;
	}
	msg_queue_push(&reactor->jobs, &job->msg);
	sem_post(&reactor->nb_jobs_queued);
}
