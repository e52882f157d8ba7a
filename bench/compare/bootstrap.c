/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The median of the ratios, because a pair during which the CPUs moved may be off by a factor of
 * four. Its interval and p come from the bootstrap: as many rounds are drawn from those measured,
 * with replacement, and of each of these as many pairs; their median is one of what could have
 * been. Nine percentiles are looked at, so one of them is far off by chance more often than 5 % of
 * the time: Holm's procedure asks each for more.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "compare/compare.h"

#define RESAMPLES 4000
#define LEVEL     0.05

static uint64_t state = 88172645463325252ULL;

static uint32_t
draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * below >> 32);
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
resample(const struct compare_metric *m, unsigned int rounds, double *drawn)
{
	unsigned int pairs = m->nb / rounds;

	for (unsigned int i = 0; i < rounds; i++) {
		const double *round = &m->ratios[draw(rounds) * pairs];

		for (unsigned int k = 0; k < pairs; k++) {
			*drawn++ = round[draw(pairs)];
		}
	}
}

static void
bootstrap(struct compare_metric *m, unsigned int rounds)
{
	static double medians[RESAMPLES], drawn[COMPARE_MAX_PAIRS];
	unsigned int below = 0, above = 0;

	for (unsigned int i = 0; i < RESAMPLES; i++) {
		resample(m, rounds, drawn);
		medians[i] = median_of(drawn, m->nb);
		below += medians[i] <= 1;
		above += medians[i] >= 1;
	}
	qsort(medians, RESAMPLES, sizeof(medians[0]), compare_doubles);
	m->low = medians[(unsigned int)(RESAMPLES * LEVEL / 2)];
	m->high = medians[RESAMPLES - 1 - (unsigned int)(RESAMPLES * LEVEL / 2)];
	m->p = MIN(1, 2.0 * (MIN(below, above) + 1) / (RESAMPLES + 1));
	memcpy(drawn, m->ratios, m->nb * sizeof(drawn[0]));
	m->median = median_of(drawn, m->nb);
}

static int
compare_p(const void *a, const void *b)
{
	const struct compare_metric *x = *(struct compare_metric *const *)a;
	const struct compare_metric *y = *(struct compare_metric *const *)b;

	return (x->p > y->p) - (x->p < y->p);
}

/* The smallest p has to be below 5 % / 9, the next below 5 % / 8, until one is not. */
static void
holm(struct compare_metric *metrics)
{
	struct compare_metric *sorted[COMPARE_NB_METRICS];

	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		sorted[i] = &metrics[i];
		metrics[i].significant = false;
	}
	qsort(sorted, COMPARE_NB_METRICS, sizeof(sorted[0]), compare_p);
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		if (sorted[i]->p > LEVEL / (COMPARE_NB_METRICS - i)) {
			break;
		}
		sorted[i]->significant = true;
	}
}

static const char *
verdict(const struct compare_metric *m, double same)
{
	if (m->significant) {
		return m->median < 1 ? "better" : "worse";
	}
	return m->low >= 1 / (1 + same) && m->high <= 1 + same ? "same" : "too noisy";
}

void
compare_judge(struct compare *c)
{
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		bootstrap(&c->metrics[i], c->o.rounds);
	}
	holm(c->metrics);
	for (unsigned int i = 0; i < COMPARE_NB_METRICS; i++) {
		c->metrics[i].verdict = verdict(&c->metrics[i], c->o.same);
	}
}
