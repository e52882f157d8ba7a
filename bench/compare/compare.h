/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-compare: is one vmediad faster than another? Both run, and take turns of a few ms as
 * A B B A on the same two CPUs, asked by the same thread; whoever is not asked is stopped. One such
 * turn is a pair: it gives one ratio B / A per percentile, in which most of what the machine did to
 * both cancels out.
 *
 * Two processes of one build differ, too, by where their memory lies. So there are several rounds,
 * each with new processes, and what differs from round to round counts as chance.
 *
 *   main.c       options, verdicts
 *   pairs.c      measures the pairs
 *   bootstrap.c  what the pairs say, and how sure that is
 */
#ifndef VMEDIA_BENCH_COMPARE_H
#define VMEDIA_BENCH_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "latency/latency.h"

#define COMPARE_MAX_ROUNDS     100
#define COMPARE_MAX_PAIRS      10000 /* of all rounds */
#define COMPARE_NB_PERCENTILES 3
#define COMPARE_NB_SHAPES      SHAPE_DONE /* those that any build can be asked for */
#define COMPARE_NB_METRICS     (COMPARE_NB_SHAPES * COMPARE_NB_PERCENTILES)

enum compare_side {
	COMPARE_A,
	COMPARE_B,
	COMPARE_NB_SIDES
};

extern const double compare_percents[COMPARE_NB_PERCENTILES]; /* 50, 90, 99 */

struct compare_options {
	struct latency_options common; /* rings, CPUs */
	const char *spawn[COMPARE_NB_SIDES];
	unsigned int rounds, pairs; /* pairs: per round */
	uint64_t samples;           /* per shape and slice */
	double same;                /* ratios within 1 / (1 + same) .. 1 + same are "the same" */
	const char *json;
};

/* Of one percentile of one shape. */
struct compare_metric {
	enum shape shape;
	unsigned int percentile;          /* index */
	double ratios[COMPARE_MAX_PAIRS]; /* round by round, as many of each */
	double a_ns[COMPARE_MAX_PAIRS];   /* A's share of them */
	unsigned int nb;
	double median, low, high; /* of the ratios, and its 95 % interval */
	double p;                 /* of a median this far from 1 if there is no difference */
	bool significant;         /* all metrics of the run together: Holm, 5 % */
	const char *verdict;      /* "better", "worse", "same", "too noisy" */
};

struct compare {
	struct compare_options o;
	struct environment env;
	struct target targets[COMPARE_NB_SIDES];
	struct subject subjects[COMPARE_NB_SIDES];
	struct compare_metric metrics[COMPARE_NB_METRICS];
};

/* One more pair into all metrics. 0 or negative errno. */
int compare_pair(struct compare *c);

/* Fills median, low, high, p of each metric, then significant and verdict of all. */
void compare_judge(struct compare *c);

#endif
