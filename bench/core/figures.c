/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/figures.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

const double figures_percents[FIGURES_NB] = {50, 90, 99, 99.9, 99.99};
const char *const figures_names[FIGURES_NB] = {"p50", "p90", "p99", "p99.9", "p99.99"};

static double
ticks_to_ns(uint64_t ticks)
{
	return (double)ticks * (double)NSEC_PER_SEC / (double)clock_tsc_hz();
}

void
figures_take(struct figures *f, const struct hist *ticks)
{
	f->count = hist_count(ticks);
	for (unsigned int i = 0; i < FIGURES_NB; i++) {
		f->ns[i] = -1;
		if (hist_percentile_is_sound(f->count, figures_percents[i])) {
			f->ns[i] = ticks_to_ns(hist_percentile(ticks, figures_percents[i]));
		}
	}
	f->max_ns = ticks_to_ns(ticks->max);
}

void
figures_print_heading(FILE *out, const char *label)
{
	fprintf(out, "%-26s %10s", label, "count");
	for (unsigned int i = 0; i < FIGURES_NB; i++) {
		fprintf(out, " %9s", figures_names[i]);
	}
	fprintf(out, " %10s  ns\n", "max");
}

void
figures_print(FILE *out, const char *label, const struct figures *f)
{
	fprintf(out, "%-26s %10" PRIu64, label, f->count);
	for (unsigned int i = 0; i < FIGURES_NB; i++) {
		if (f->ns[i] < 0) {
			fprintf(out, " %9s", "-");
		} else {
			fprintf(out, " %9.0f", f->ns[i]);
		}
	}
	if (f->count > 0) {
		fprintf(out, " %10.0f\n", f->max_ns);
	} else {
		fprintf(out, " %10s\n", "-");
	}
}

double
figures_ratio_of(const struct figures *a, const struct figures *b, enum figures_percentile which)
{
	return a->ns[which] > 0 && b->ns[which] > 0 ? a->ns[which] / b->ns[which] : 0;
}

double
figures_ratio(const struct figures *a, const struct figures *b)
{
	return figures_ratio_of(a, b, FIGURES_P50);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
median_of(double *values, unsigned int nb)
{
	if (nb == 0) {
		return 0;
	}
	qsort(values, nb, sizeof(values[0]), compare);
	return nb % 2 == 1 ? values[nb / 2] : (values[nb / 2 - 1] + values[nb / 2]) / 2;
}

double
median_of_known(double *ratios, unsigned int nb)
{
	unsigned int nb_known = 0;

	for (unsigned int i = 0; i < nb; i++) {
		if (ratios[i] > 0) {
			ratios[nb_known++] = ratios[i];
		}
	}
	return median_of(ratios, nb_known);
}

const char *
figures_ratio_text(char *text, double ratio)
{
	if (ratio > 0) {
		snprintf(text, FIGURES_RATIO_BYTES, "%.2f", ratio);
	} else {
		snprintf(text, FIGURES_RATIO_BYTES, "-");
	}
	return text;
}

#ifdef HAVE_JSONC
struct json_object *
figures_json(const struct figures *f)
{
	struct json_object *o = json_object_new_object();
	char key[16];

	json_object_object_add(o, "count", json_object_new_int64((int64_t)f->count));
	for (unsigned int i = 0; i < FIGURES_NB; i++) {
		snprintf(key, sizeof(key), "%s_ns", figures_names[i]);
		json_object_object_add(
			o, key, f->ns[i] < 0 ? NULL : json_object_new_double(f->ns[i]));
	}
	json_object_object_add(o, "max_ns", json_object_new_double(f->max_ns));
	return o;
}
#endif
