/* SPDX-License-Identifier: BSD-3-Clause */
/* The one file that defines the tracepoints; it finds LTTng at run time, if it is there. */
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include "provider/vmedia.h"
