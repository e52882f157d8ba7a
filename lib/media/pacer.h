/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When frames are due: period n at start + phase + n × interval, computed from n, so that nothing
 * drifts; interval is a fraction of a second. In TSC ticks; owner thread; no division per frame.
 */
#ifndef VMEDIA_MEDIA_PACER_H
#define VMEDIA_MEDIA_PACER_H

#include <stdint.h>

#include "vmedia/backend.h"

struct pacer {
	uint64_t due_tsc;  /* of the next period */
	uint64_t step_tsc; /* whole ticks of one period */
	uint64_t step_num; /* and the rest, in 1 / step_den ticks */
	uint64_t step_den;
	uint64_t rest; /* accumulated, below step_den */
};

/*
 * Starts at now_tsc plus a phase in [0, interval) that depends on `index`, so that devices of the
 * same rate spread over the period. interval: numerator and denominator non-zero.
 */
void pacer_start(
	struct pacer *pacer, const struct v4l2_fract *interval, uint64_t now_tsc, uint32_t index);

/* How many periods have come due by now_tsc (0: none); they are passed. */
uint32_t pacer_advance(struct pacer *pacer, uint64_t now_tsc);

/* TSC of the next period. */
static inline uint64_t
pacer_due_tsc(const struct pacer *pacer)
{
	return pacer->due_tsc;
}

#endif
