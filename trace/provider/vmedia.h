/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tracepoints of vmedia, for LTTng-UST: plain integers, one event per state change. Only
 * lib/trace and trace include this. docs/tracing.md lists them for people.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER vmedia

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "provider/vmedia.h"

#if !defined(VMEDIA_TRACE_PROVIDER_VMEDIA_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define VMEDIA_TRACE_PROVIDER_VMEDIA_H

#include <lttng/tracepoint.h>
#include <stdint.h>

/* clang-format off */
/* One answered command: `code` is the ioctl's number, or 0xff00 + the command. */
LTTNG_UST_TRACEPOINT_EVENT(
	vmedia, command,
	LTTNG_UST_TP_ARGS(uint32_t, device, uint32_t, session, uint32_t, code, int32_t, status,
		uint64_t, seen_tsc),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, device, device)
		lttng_ust_field_integer(uint32_t, session, session)
		lttng_ust_field_integer_hex(uint32_t, code, code)
		lttng_ust_field_integer(int32_t, status, status)
		lttng_ust_field_integer(uint64_t, seen_tsc, seen_tsc)
	)
)

/* The backend finished a buffer; its DQBUF event goes out next. */
LTTNG_UST_TRACEPOINT_EVENT(
	vmedia, frame_done,
	LTTNG_UST_TP_ARGS(uint32_t, device, uint32_t, session, uint32_t, index, uint32_t, sequence,
		uint64_t, timestamp_ns),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, device, device)
		lttng_ust_field_integer(uint32_t, session, session)
		lttng_ust_field_integer(uint32_t, index, index)
		lttng_ust_field_integer(uint32_t, sequence, sequence)
		lttng_ust_field_integer(uint64_t, timestamp_ns, timestamp_ns)
	)
)

/* Periods without a frame: cause 0 no buffer, 1 late render, 2 late reactor. */
LTTNG_UST_TRACEPOINT_EVENT(
	vmedia, frame_missed,
	LTTNG_UST_TP_ARGS(uint32_t, device, uint32_t, cause, uint32_t, nb_periods),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, device, device)
		lttng_ust_field_integer(uint32_t, cause, cause)
		lttng_ust_field_integer(uint32_t, nb_periods, nb_periods)
	)
)

/* A session comes … */
LTTNG_UST_TRACEPOINT_EVENT(
	vmedia, session_open,
	LTTNG_UST_TP_ARGS(uint32_t, device, uint32_t, session),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, device, device)
		lttng_ust_field_integer(uint32_t, session, session)
	)
)

/* … and goes. */
LTTNG_UST_TRACEPOINT_EVENT(
	vmedia, session_close,
	LTTNG_UST_TP_ARGS(uint32_t, device, uint32_t, session),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, device, device)
		lttng_ust_field_integer(uint32_t, session, session)
	)
)
/* clang-format on */

#endif

#include <lttng/tracepoint-event.h>
