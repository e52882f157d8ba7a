/* SPDX-License-Identifier: BSD-3-Clause */
/* Events, durations and frames in words, for people. */
#ifndef VMEDIA_ANALYSIS_DESCRIBE_H
#define VMEDIA_ANALYSIS_DESCRIBE_H

#include <stddef.h>

#include "analysis/event.h"

/* "device 0 session 1 QBUF number 7 status -22": all fields but the time; text is the caller's. */
void describe_event(const struct event *event, char *text, size_t text_bytes);

/* "1.23 µs", "45.6 ms": three digits and the unit that fits; text at least 24 long. */
const char *describe_ns(uint64_t ns, char *text);

/* What enum value `cause` of that event means, or NULL. */
const char *describe_cause(enum event_kind kind, uint64_t cause);

#endif
