/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether the huge pages that all arenas want together are there, before the first is made. */
#ifndef VMEDIA_CONTROL_HUGEPAGES_H
#define VMEDIA_CONTROL_HUGEPAGES_H

#include "device/device.h"

/*
 * Adds up the arenas by page size. Pages asked for by name must be free: -ENOMEM, and the log says
 * how many are missing and which command provides them. Arenas of SHM_PAGE_AUTO get 2 MiB pages
 * when all of them fit; otherwise all become SHM_PAGE_4K, with one warning.
 */
int hugepages_check(struct device_config *plans, uint32_t nb_plans);

#endif
