/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the loop that devices are compared with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latency/latency.h"

static void
serve(struct partner *p, bool events)
{
	while (likely(!__atomic_load_n(&p->rest, __ATOMIC_ACQUIRE))) {
		if (echo_serve(&p->commands) && events && !echo_event(&p->events, p->event)) {
			fprintf(stderr, "echo: the driver posted no event buffer\n");
			abort();
		}
	}
}

static void *
partner_main(void *arg)
{
	struct partner *p = arg;
	int ret = cpu_pin(p->cpu);

	pthread_setname_np(pthread_self(), "partner");
	if (ret != 0) {
		fprintf(stderr, "cannot run on CPU %d: %s\n", p->cpu, strerror(-ret));
		exit(1);
	}
	p->tid = gettid();
	sem_post(&p->resting);
	for (;;) {
		while (sem_wait(&p->go) != 0) {
		}
		if (p->job == PARTNER_QUIT) {
			return NULL;
		}
		if (p->job == PARTNER_FLOOR) {
			floor_answer(&p->floor);
		} else {
			serve(p, p->job == PARTNER_COMMANDS_AND_EVENTS);
		}
		sem_post(&p->resting);
	}
}

static void
wait_resting(struct partner *p)
{
	while (sem_wait(&p->resting) != 0) {
	}
}

int
partner_start(struct partner *p, int cpu, const struct driver *drv)
{
	struct virtio_media_event_dqbuf event = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_DQBUF, .session_id = 1},
		.buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP}};
	int ret = echo_ring_init(&p->commands, drv, DRIVER_QUEUE_COMMAND);

	if (ret == 0) {
		ret = echo_ring_init(&p->events, drv, DRIVER_QUEUE_EVENT);
	}
	if (ret != 0) {
		return ret;
	}
	memcpy(p->event, &event, sizeof(event));
	p->cpu = cpu;
	sem_init(&p->go, 0, 0);
	sem_init(&p->resting, 0, 0);
	ret = -pthread_create(&p->thread, NULL, partner_main, p);
	if (ret == 0) {
		wait_resting(p);
	}
	return ret;
}

void
partner_work(struct partner *p, enum partner_job job)
{
	p->job = job;
	p->rest = false;
	floor_init(&p->floor);
	sem_post(&p->go);
}

void
partner_rest(struct partner *p)
{
	if (p->job == PARTNER_FLOOR) {
		floor_end(&p->floor);
	} else {
		__atomic_store_n(&p->rest, true, __ATOMIC_RELEASE);
	}
	wait_resting(p);
}

void
partner_end(struct partner *p)
{
	if (p->tid != 0) {
		p->job = PARTNER_QUIT;
		sem_post(&p->go);
		pthread_join(p->thread, NULL);
		p->tid = 0;
	}
	echo_ring_fini(&p->commands);
	echo_ring_fini(&p->events);
}
