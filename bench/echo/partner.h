/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread on the device's CPU that answers in its place: as the other half of the floor, or as
 * an echo. Asleep unless told.
 */
#ifndef VMEDIA_BENCH_PARTNER_H
#define VMEDIA_BENCH_PARTNER_H

#include <linux/videodev2.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "echo/echo.h"
#include "floor/floor.h"
#include "linux/virtio_media.h"

enum partner_job {
	PARTNER_FLOOR,
	PARTNER_COMMANDS,            /* echo */
	PARTNER_COMMANDS_AND_EVENTS, /* echo, and after each command an event */
	PARTNER_STAMPED_EVENTS,      /* the same, and the event tells when it was begun */
	PARTNER_QUIT
};

struct partner {
	pthread_t thread;
	sem_t go, resting;
	int cpu;
	pid_t tid;
	enum partner_job job;
	struct floor floor;
	unsigned int nb_rings;
	struct echo_ring *commands, *events; /* nb_rings each, in the order of the drivers */
	_Alignas(ECHO_MAX_BYTES) uint8_t event[ECHO_MAX_BYTES]; /* ECHO_EVENT_BYTES are used */
	_Alignas(FLOOR_APART_BYTES) bool rest;
};

/* Where a DQBUF event of ours, or of a device with stamp-done, tells when its frame was done: the
 * user bits of the timecode are the low half of the TSC. */
static inline void
partner_stamp(void *event, uint32_t tsc)
{
	struct virtio_media_event_dqbuf *e = event;

	memcpy(e->buffer.timecode.userbits, &tsc, sizeof(tsc));
}

static inline uint32_t
partner_read_stamp(const void *event)
{
	const struct virtio_media_event_dqbuf *e = event;
	uint32_t tsc;

	memcpy(&tsc, e->buffer.timecode.userbits, sizeof(tsc));
	return tsc;
}

/* Starts the thread; it serves the rings of the `nb` local drivers in turn. 0: floor only. */
int partner_start(struct partner *p, int cpu, struct driver *const *drvs, unsigned int nb);
/* From here on the partner does its job, until rest. */
void partner_work(struct partner *p, enum partner_job job);
void partner_rest(struct partner *p);
void partner_end(struct partner *p);

#endif
