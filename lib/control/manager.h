/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Brings a configuration to life and takes it down again: EAL, gateway, reactors, devices, in that
 * order and back. Control thread only.
 */
#ifndef VMEDIA_CONTROL_MANAGER_H
#define VMEDIA_CONTROL_MANAGER_H

#include "control/config.h"
#include "device/device.h"

struct manager;

/* Everything runs, or nothing does; what was wrong is in the log. The config must outlive it. */
int manager_start(const struct config *config, struct manager **manager);
void manager_stop(struct manager *manager);

/* Constant between start and stop; any thread. */
uint32_t manager_nb_devices(const struct manager *manager);
struct vmedia_device *manager_device(const struct manager *manager, uint32_t index);
/* reactor=N or its backend binds it. */
bool manager_device_stays(const struct manager *manager, uint32_t index);
uint32_t manager_nb_reactors(const struct manager *manager);
struct reactor *manager_reactor(const struct manager *manager, uint32_t index);

/* Any thread but a reactor; one move at a time: another reactor takes a device over while it works.
 * Errors as device_move(). */
int manager_move(const struct manager *manager, uint32_t device, uint32_t reactor);

#endif
