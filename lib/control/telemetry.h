/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers for operators over DPDK's telemetry socket (dpdk-telemetry.py, or any JSON client):
 * /vmedia/devices, /vmedia/device,NAME, /vmedia/reactors, /vmedia/hist_reset,NAME,
 * /vmedia/move,NAME,REACTOR, /vmedia/trace_load. The callbacks run on DPDK's telemetry threads; all
 * but the last two only read counters.
 */
#ifndef VMEDIA_CONTROL_TELEMETRY_H
#define VMEDIA_CONTROL_TELEMETRY_H

#include "control/manager.h"

/* After the devices run; once per process. telemetry_stop waits for a callback under way. */
void telemetry_start(const struct manager *manager);
void telemetry_stop(void);

#endif
