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

/*
 * The TSC of a virtual machine may step by 10 ns, which is 3 % of a round trip: percentiles would
 * jump by that much or not at all. So this one goes between the steps: a value stands for the
 * middle of the ranks it has, and ranks between two middles for a value between theirs. 0: no
 * samples.
 */
static double
quantile(const struct hist *h, double percent)
{
	double rank = (double)hist_count(h) * percent / 100, before = 0;
	double last_rank = 0, last = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		double count = (double)h->counts[i], middle = before + count / 2;
		double value = (double)(hist_bucket_low(i) + hist_bucket_high(i)) / 2;

		if (count > 0 && middle >= rank) {
			return last == 0 ? value
			                 : last + (value - last) * (rank - last_rank) /
			                                   (middle - last_rank);
		}
		if (count > 0) {
			last_rank = middle;
			last = value;
		}
		before += count;
	}
	return last;
}

static void
add_ratio(struct compare_metric *m)
{
	double percent = compare_percents[m->percentile];
	double a = quantile(&ticks[COMPARE_A][m->shape], percent);
	double b = quantile(&ticks[COMPARE_B][m->shape], percent);

	if (a > 0 && b > 0) {
		m->a_ns[m->nb] = a * 1e9 / (double)clock_tsc_hz();
		m->ratios[m->nb++] = b / a;
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
