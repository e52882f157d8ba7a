/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the device tells a tracer what happened: trace_hook(EVENT, .field = value, ...), with the
 * events and fields of trace/provider/events.toml. Integers and enums, strings only where the list
 * says control. Any thread.
 *
 * Until a recording enables the event a hook costs one load and one branch; its arguments are not
 * evaluated. Without LTTng it is checked by the compiler and leaves nothing.
 */
#ifndef VMEDIA_TRACE_HOOKS_H
#define VMEDIA_TRACE_HOOKS_H

#include "provider/events.h"

#ifdef HAVE_LTTNG
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include "provider/vmedia.h"
#define trace_enabled(event)      lttng_ust_tracepoint_enabled(vmedia, event)
#define trace_emit(event, fields) lttng_ust_do_tracepoint(vmedia, event, fields)
#else
#define trace_enabled(event)      0
#define trace_emit(event, fields) ((void)(fields))
#endif

#define trace_hook(event, ...)                                                   \
	do {                                                                     \
		if (trace_enabled(event)) {                                      \
			const struct trace_##event trace_fields = {__VA_ARGS__}; \
			trace_emit(event, &trace_fields);                        \
		}                                                                \
	} while (0)

#endif
