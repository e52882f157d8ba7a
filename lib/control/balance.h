/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where devices should be: looks at what each took of its reactor since the last look, and moves
 * one when that makes the busiest reactor markedly less busy. A thread of its own.
 */
#ifndef VMEDIA_CONTROL_BALANCE_H
#define VMEDIA_CONTROL_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/manager.h"

/* What a device took of its reactor's time, in a unit of the caller's. */
struct balance_load {
	uint32_t reactor;
	bool stays; /* reactor=N of the configuration */
	uint64_t used;
};

struct balance_move {
	uint32_t device, to;
};

/* From the busiest reactor to the idlest, so that the busier of the two is at least `gain` less
 * busy than before. False: everything is well where it is. */
bool balance_choose(const struct balance_load *loads, uint32_t nb_devices, uint32_t nb_reactors,
	uint64_t gain, struct balance_move *move);

/* After the devices run, and before they go. interval_ms 0: never moves any. 0 or -errno. */
int balance_start(const struct manager *manager, uint32_t interval_ms);
void balance_stop(void);

#endif
