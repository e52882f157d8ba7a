/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver without a socket, as the device's side of its rings sees it. */
#ifndef VMEDIA_BENCH_LOCAL_H
#define VMEDIA_BENCH_LOCAL_H

#include <stdbool.h>

#include "driver/driver.h"
#include "virtq/virtq.h"

struct local {
	struct driver *drv;
	struct guest_mem mem;
};

/* Indirect descriptors, no EVENT_IDX; its driver polls. 0 or negative errno. */
int local_create(struct local *local, bool packed);
void local_destroy(struct local *local);
/* What a transport would say of a queue. */
int local_queue(const struct local *local, unsigned int queue, struct virtq_config *config);

#endif
