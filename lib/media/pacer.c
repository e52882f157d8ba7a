/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: once per device and pass. */
#include "base/clock.h"
#include "base/compiler.h"
#include "media/pacer.h"

/* The golden ratio spreads any number of devices evenly over the period. */
#define PHASE_STEP 0x9E3779B9u

void
pacer_start(
	struct pacer *pacer, const struct v4l2_fract *interval, uint64_t now_tsc, uint32_t index)
{
	unsigned __int128 ticks = (unsigned __int128)clock_tsc_hz() * interval->numerator;
	uint64_t phase = (uint64_t)(uint32_t)(index * PHASE_STEP);

	pacer->step_den = interval->denominator;
	pacer->step_tsc = (uint64_t)(ticks / interval->denominator);
	pacer->step_num = (uint64_t)(ticks % interval->denominator);
	pacer->rest = 0;
	pacer->due_tsc = now_tsc + (uint64_t)(((unsigned __int128)pacer->step_tsc * phase) >> 32);
}

static void
step(struct pacer *pacer)
{
	pacer->due_tsc += pacer->step_tsc;
	pacer->rest += pacer->step_num;
	if (pacer->rest >= pacer->step_den) {
		pacer->rest -= pacer->step_den;
		pacer->due_tsc++;
	}
}

/* After a long stall: whole periods at once, so that no pass loops for long. */
static uint32_t
catch_up(struct pacer *pacer, uint64_t now_tsc)
{
	uint64_t nb = (now_tsc - pacer->due_tsc) / (pacer->step_tsc + 1);
	unsigned __int128 rest;

	nb = nb < UINT32_MAX / 2 ? nb : UINT32_MAX / 2;
	rest = (unsigned __int128)pacer->step_num * nb + pacer->rest;
	pacer->due_tsc += pacer->step_tsc * nb + (uint64_t)(rest / pacer->step_den);
	pacer->rest = (uint64_t)(rest % pacer->step_den);
	return (uint32_t)nb;
}

uint32_t
pacer_advance(struct pacer *pacer, uint64_t now_tsc)
{
	uint32_t nb = 0;

	if (likely(now_tsc < pacer->due_tsc)) {
		return 0;
	}
	if (unlikely(now_tsc - pacer->due_tsc > 8 * pacer->step_tsc)) {
		nb = catch_up(pacer, now_tsc);
	}
	while (now_tsc >= pacer->due_tsc) {
		step(pacer);
		nb++;
	}
	return nb;
}
