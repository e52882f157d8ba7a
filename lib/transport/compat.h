/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every difference between DPDK 22.11, 24.11 and 25.11 that vmedia meets. Feature and protocol
 * numbers are our own (message.h), so that renamed constants do not matter.
 */
#ifndef VMEDIA_TRANSPORT_COMPAT_H
#define VMEDIA_TRANSPORT_COMPAT_H

#include <rte_version.h>

/* 25.11 accepts --no-huge together with --in-memory; before, --no-huge implied legacy memory. */
#define COMPAT_NO_HUGE_IN_MEMORY (RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0))

/* An unsigned number in a telemetry dictionary got a new name in 23.03. */
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
#define compat_tel_add_u64 rte_tel_data_add_dict_uint
#else
#define compat_tel_add_u64 rte_tel_data_add_dict_u64
#endif

#endif
