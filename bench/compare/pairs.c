/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "base/clock.h"
#include "compare/compare.h"

#define WARM_UP 300 /* round trips at the start of a slice that do not count */

const double compare_percents[COMPARE_NB_PERCENTILES] = {50, 90, 99};

static struct hist ticks[COMPARE_NB_SIDES][COMPARE_NB_SHAPES], ignored;

static int
measure(struct compare *c, enum compare_side side)
{
	struct subject *s = &c->subjects[side];
	struct hist *to = ticks[side];
	int ret, stopped;

	target_continue(&c->targets[side]);
	ret = subject_ask_g_ctrl(s, WARM_UP, &ignored);
	if (ret == 0) {
		ret = subject_ask_g_ctrl(s, c->o.samples, &to[SHAPE_G_CTRL]);
	}
	if (ret == 0) {
		ret = subject_ask_qbuf(s, WARM_UP, &ignored, &ignored, NULL);
	}
	if (ret == 0) {
		ret = subject_ask_qbuf(s, c->o.samples, &to[SHAPE_QBUF], &to[SHAPE_DQBUF], NULL);
	}
	stopped = target_stop(&c->targets[side]);
	return ret != 0 ? ret : stopped;
}

static void
add_ratio(struct compare_metric *m)
{
	double percent = compare_percents[m->percentile];
	uint64_t a = hist_percentile(&ticks[COMPARE_A][m->shape], percent);
	uint64_t b = hist_percentile(&ticks[COMPARE_B][m->shape], percent);

	if (a > 0 && b > 0) {
		m->a_ns[m->nb] = (double)a * 1e9 / (double)clock_tsc_hz();
		m->ratios[m->nb++] = (double)b / (double)a;
	}
}

int
compare_pair(struct compare *c)
{
	static const enum compare_side order[] = {COMPARE_A, COMPARE_B, COMPARE_B, COMPARE_A};
	int ret = 0;

	for (unsigned int i = 0; i < COMPARE_NB_SIDES * COMPARE_NB_SHAPES; i++) {
		hist_reset(&ticks[i / COMPARE_NB_SHAPES][i % COMPARE_NB_SHAPES]);
	}
	for (unsigned int i = 0; i < 4 && ret == 0; i++) {
		ret = measure(c, order[i]);
	}
	for (unsigned int i = 0; i < COMPARE_NB_METRICS && ret == 0; i++) {
		add_ratio(&c->metrics[i]);
	}
	return ret;
}
