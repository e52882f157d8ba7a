/* SPDX-License-Identifier: BSD-3-Clause */
/* Events made by hand. */
#ifndef VMEDIA_TESTS_ANALYSIS_MAKE_H
#define VMEDIA_TESTS_ANALYSIS_MAKE_H

#include "analysis/span.h"

/* An event of device 0, session 1. */
struct event make_event(enum event_kind kind, uint64_t time_ns);
void make_set(struct event *event, enum event_field field, int64_t value);
/* A stage of command seq on a device. */
struct event make_stage(enum event_kind kind, uint64_t time_ns, uint32_t device, uint64_t seq);
/* A command of device 0, session 1 taken at begin_ns; all but 300 ns of it in the backend. */
struct span make_span(uint64_t begin_ns, uint64_t total_ns, uint32_t code);

#endif
