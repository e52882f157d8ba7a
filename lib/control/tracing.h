/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tracing of the whole process: loads the provider, makes LTTng's per-thread memory on each reactor
 * and has every reactor tell what there is when a recording starts (the state dump). Does nothing
 * while no provider is loaded.
 */
#ifndef VMEDIA_CONTROL_TRACING_H
#define VMEDIA_CONTROL_TRACING_H

#include "control/manager.h"

/* Control thread, once the devices run, and before they go. stop waits for a dump under way. */
void tracing_start(const struct manager *manager);
void tracing_stop(void);

/* Any thread but a reactor: loads the provider while everything runs. 0 or -ENOENT, with a reason.
 */
int tracing_load(char *why, size_t why_bytes);

/* For reactor_config.thread_init, before the provider is loaded or after. */
void tracing_thread_init(void *unused);

#endif
