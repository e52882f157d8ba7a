/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-capacity: how many streams one reactor serves in time, found by trying. A try is a vmediad
 * of its own with so many paced null cameras on one CPU, and one driver thread that takes all
 * frames.
 *
 *   main.c      options, what there is room for
 *   search.c    which number to try next
 *   capacity.c  tries, until one holds at length
 *   report.c    tables, JSON
 */
#ifndef VMEDIA_BENCH_CAPACITY_H
#define VMEDIA_BENCH_CAPACITY_H

#include <stdbool.h>

#include "core/environment.h"
#include "core/figures.h"
#include "streams/streams.h"

#define CAPACITY_MAX_DEVICES 1000 /* librte_vhost serves 1016 */
#define CAPACITY_MAX_TRIES   128
#define CAPACITY_REPEATS     3  /* of a try that did not hold; of a long one while it was noisy */
#define CAPACITY_FINE        4  /* numbers that are tried at length before the steps grow */
#define CAPACITY_MIN_PERIODS 10 /* of a stream, in a try */

struct capacity_options {
	struct streams_options streams; /* seconds: of the last try */
	double try_seconds;             /* of the others; longer where the percentile needs it */
	double percent, limit_us;       /* of the time from done to seen */
	double late_percent;            /* of all frames: missed, or later than a period */
	unsigned int most;              /* not more devices than these ... */
	const char *because;            /* ... as there are no more: "open files" */
};

struct capacity_try {
	unsigned int nb;
	bool is_long, holds;
	struct streams_run run;
	struct figures figures; /* done -> seen */
	double percentile_us;   /* the one that is judged; the longest where too few frames came */
	double busy_percent;    /* of the reactor's time: work, without looking at its devices */
};

struct capacity {
	struct capacity_options o;
	struct environment env;
	struct capacity_try tries[CAPACITY_MAX_TRIES];
	unsigned int nb_tries;
	unsigned int nb_short;            /* the largest number that held, not yet at length */
	const struct capacity_try *found; /* at length; NULL: none held */
	bool failed;                      /* before it was found */
};

/* capacity.c. 0 or negative errno, with the reason on stderr. */
int capacity_find(struct capacity *c);

/* report.c */
void capacity_print_heading(const struct capacity *c);
void capacity_print_try(const struct capacity_try *t);
void capacity_print_result(const struct capacity *c);
int capacity_json(const struct capacity *c);

#endif
