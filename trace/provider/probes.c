/* SPDX-License-Identifier: BSD-3-Clause */
/* The probes: a shared object that is loaded on demand, so that vmediad does not link LTTng. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "provider/vmedia.h"
