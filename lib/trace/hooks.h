/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the device tells a tracer what happened. Plain integers; empty without LTTng. With it, a
 * hook costs one load and one branch until a session enables the event, and then only if the
 * process was started with libvmedia-trace.so preloaded (docs/tracing.md). Any thread.
 */
#ifndef VMEDIA_TRACE_HOOKS_H
#define VMEDIA_TRACE_HOOKS_H

#include <stdint.h>

#ifdef HAVE_LTTNG
#define LTTNG_UST_TRACEPOINT_PROBE_DYNAMIC_LINKAGE
#include "provider/vmedia.h"
#define trace_hook(event, ...) lttng_ust_tracepoint(vmedia, event, __VA_ARGS__)
#else
#define trace_hook(event, ...) trace_unused(__VA_ARGS__)
static inline void
trace_unused(uint32_t device, ...)
{
}
#endif

/* `code` of a command that is no ioctl: this plus its number. */
#define TRACE_CODE_COMMAND 0xff00u

static inline void
trace_command(uint32_t device, uint32_t session, uint32_t code, int32_t status, uint64_t seen_tsc)
{
	trace_hook(command, device, session, code, status, seen_tsc);
}

static inline void
trace_frame_done(
	uint32_t device, uint32_t session, uint32_t index, uint32_t sequence, uint64_t timestamp_ns)
{
	trace_hook(frame_done, device, session, index, sequence, timestamp_ns);
}

static inline void
trace_frame_missed(uint32_t device, uint32_t cause, uint32_t nb_periods)
{
	trace_hook(frame_missed, device, cause, nb_periods);
}

static inline void
trace_session_open(uint32_t device, uint32_t session)
{
	trace_hook(session_open, device, session);
}

static inline void
trace_session_close(uint32_t device, uint32_t session)
{
	trace_hook(session_close, device, session);
}

#endif
