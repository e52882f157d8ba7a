/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: the loop that devices are compared with. */
#include <errno.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/cpu.h"
#include "echo/partner.h"
#include "linux/virtio_media.h"

static inline void
send_event(struct partner *p, unsigned int ring, bool stamped)
{
	if (stamped) {
		partner_stamp(p->event, (uint32_t)clock_tsc());
	}
	if (unlikely(!echo_event(&p->events[ring], p->event))) {
		fprintf(stderr, "echo: the driver posted no event buffer\n");
		abort();
	}
}

/* One look at each ring after the other. */
static inline void
serve(struct partner *p, bool events, bool stamped)
{
	while (likely(!__atomic_load_n(&p->rest, __ATOMIC_ACQUIRE))) {
		for (unsigned int i = 0; i < p->nb_rings; i++) {
			if (echo_serve(&p->commands[i]) && events) {
				send_event(p, i, stamped);
			}
		}
	}
}

static void
work(struct partner *p)
{
	switch (p->job) {
	case PARTNER_FLOOR:
		floor_answer(&p->floor);
		break;
	case PARTNER_COMMANDS:
		serve(p, false, false);
		break;
	case PARTNER_COMMANDS_AND_EVENTS:
		serve(p, true, false);
		break;
	default:
		serve(p, true, true);
		break;
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
		work(p);
		sem_post(&p->resting);
	}
}

static void
wait_resting(struct partner *p)
{
	while (sem_wait(&p->resting) != 0) {
	}
}

static int
rings_init(struct partner *p, struct driver *const *drvs, unsigned int nb)
{
	int ret = 0;

	p->commands = calloc(nb, sizeof(p->commands[0]));
	p->events = calloc(nb, sizeof(p->events[0]));
	if (nb > 0 && (p->commands == NULL || p->events == NULL)) {
		return -ENOMEM;
	}
	for (; p->nb_rings < nb && ret == 0; p->nb_rings++) {
		ret = echo_ring_init(
			&p->commands[p->nb_rings], drvs[p->nb_rings], DRIVER_QUEUE_COMMAND);
		if (ret == 0) {
			ret = echo_ring_init(
				&p->events[p->nb_rings], drvs[p->nb_rings], DRIVER_QUEUE_EVENT);
		}
	}
	return ret;
}

int
partner_start(struct partner *p, int cpu, struct driver *const *drvs, unsigned int nb)
{
	struct virtio_media_event_dqbuf event = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_DQBUF, .session_id = 1},
		.buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP}};
	int ret = rings_init(p, drvs, nb);

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
	for (unsigned int i = 0; i < p->nb_rings; i++) {
		echo_ring_fini(&p->commands[i]);
		echo_ring_fini(&p->events[i]);
	}
	free(p->commands);
	free(p->events);
	p->nb_rings = 0;
	p->commands = p->events = NULL;
}
