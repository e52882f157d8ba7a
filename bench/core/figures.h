/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is told of a histogram of TSC ticks: count, five percentiles, the maximum. A percentile that
 * fewer than 10 samples lie beyond is unknown: "-" in a table, null in JSON.
 */
#ifndef VMEDIA_BENCH_FIGURES_H
#define VMEDIA_BENCH_FIGURES_H

#include <stdint.h>
#include <stdio.h>

#include "stats/hist.h"

#define FIGURES_NB          5
#define FIGURES_RATIO_BYTES 16

extern const double figures_percents[FIGURES_NB];   /* 50, 90, 99, 99.9, 99.99 */
extern const char *const figures_names[FIGURES_NB]; /* "p50" ... */

enum figures_percentile {
	FIGURES_P50,
	FIGURES_P90,
	FIGURES_P99
};

struct figures {
	uint64_t count;
	double ns[FIGURES_NB]; /* negative: too few samples */
	double max_ns;
};

/* `ticks` is quiet. */
void figures_take(struct figures *f, const struct hist *ticks);

/* One row and its heading; the columns fit. `label` is at most 26 characters wide. */
void figures_print_heading(FILE *out, const char *label);
void figures_print(FILE *out, const char *label, const struct figures *f);

/* p50 of a / p50 of b, or the same of another of the five; 0 when either is unknown. */
double figures_ratio(const struct figures *a, const struct figures *b);
double figures_ratio_of(
	const struct figures *a, const struct figures *b, enum figures_percentile which);

/* "1.37", or "-" for one that is unknown. `text` has FIGURES_RATIO_BYTES. Returns text. */
const char *figures_ratio_text(char *text, double ratio);

/* Of an even number: the middle of the two middle ones. Sorts; 0 when there is none. */
double median_of(double *values, unsigned int nb);
/* The same of the ratios that are known, those above 0. Moves them. */
double median_of_known(double *ratios, unsigned int nb);

#ifdef HAVE_JSONC
struct json_object;
/* A new object: count, p50_ns ... max_ns. */
struct json_object *figures_json(const struct figures *f);
#endif

#endif
