/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Verifies frames beside the driver thread, so that looking at pixels does not delay the next used
 * entry and the latencies stay the device's. Two queues under one lock; a few hundred items a
 * second.
 */
#ifndef VMEDIA_APP_STREAM_WORKER_H
#define VMEDIA_APP_STREAM_WORKER_H

#include <stdbool.h>

#include "stream.h"

struct worker;

int worker_start(struct worker **worker);
/* Waits until everything handed over is verified, then joins. */
void worker_stop(struct worker *worker);

/* Driver thread: a frame to verify; and one that was verified (false: none). */
void worker_push(struct worker *worker, struct stream *stream, uint32_t index);
bool worker_pop(struct worker *worker, struct stream **stream, uint32_t *index);
/* Readable when worker_pop has something. */
int worker_fd(const struct worker *worker);

#endif
