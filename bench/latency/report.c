/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "latency/latency.h"

static bool
is_asked(const struct latency *l, enum shape shape)
{
	return l->has_device && (shape != SHAPE_DONE || l->device_stamps);
}

static void
print_shape(const struct latency *l, const struct run *run, enum shape shape)
{
	char label[32];

	for (unsigned int side = 0; side < NB_SIDES; side++) {
		if (side == SIDE_DEVICE && !is_asked(l, shape)) {
			continue;
		}
		snprintf(label, sizeof(label), "%s %s", shape_names[shape], side_names[side]);
		figures_print(stdout, label, &run->figures[side][shape]);
	}
}

static void
print_ratios(const struct latency *l, const char *what, const double ratios[NB_SHAPES])
{
	char text[FIGURES_RATIO_BYTES];

	printf("  %s:", what);
	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		if (is_asked(l, shape)) {
			printf("%s %s %s", shape > 0 ? "," : "", shape_names[shape],
				figures_ratio_text(text, ratios[shape]));
		}
	}
	printf("\n");
}

static void
print_disturbance(const struct run *run)
{
	if (run->floor_max > 0) {
		printf("  floor of the slices %.0f .. %.0f ns;", run->floor_min, run->floor_max);
	} else {
		printf("  floor of the slices -, too few samples;");
	}
	printf(" waited for a CPU: driver %.1f ms, device %.1f ms;\n"
	       "  other threads ran %.1f ms; stolen %.0f and %.0f ms; in %.0f ms\n",
		run->driver_delay_ms, run->reactor_delay_ms, run->others_ms, run->steal_ms[0],
		run->steal_ms[1], run->run_ms);
}

void
report_run(const struct latency *l, unsigned int index)
{
	const struct run *run = &l->runs[index];
	char label[32], text[FIGURES_RATIO_BYTES];

	snprintf(label, sizeof(label), "run %u of %u%s", index + 1, l->o.runs,
		run->noisy ? ", noisy" : "");
	figures_print_heading(stdout, label);
	figures_print(stdout, "floor", &run->floor);
	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		print_shape(l, run, shape);
	}
	for (unsigned int i = 0; l->has_device && i < NB_MAPPINGS; i++) {
		snprintf(label, sizeof(label), "%s device", mapping_names[i]);
		figures_print(stdout, label, &run->mappings[i]);
	}
	if (l->has_device) {
		print_ratios(l, "p50 device / echo", run->ratio);
		print_ratios(l, "the same, median of the slices", run->paired);
		print_ratios(l, "p99 device / echo", run->ratio99);
		printf("  p50 device / floor: G_CTRL %s\n",
			figures_ratio_text(
				text, figures_ratio(&run->figures[SIDE_DEVICE][SHAPE_G_CTRL],
					      &run->floor)));
		printf("  device asked for %.0f ms; thread %s on CPU %d; kicks %llu\n",
			run->device_ms, run->reactor, run->reactor_cpu,
			(unsigned long long)run->kicks);
	}
	print_disturbance(run);
	fflush(stdout);
}

static double
ratio_of(const struct run *run, enum shape shape, enum figures_percentile which)
{
	return which == FIGURES_P99 ? run->ratio99[shape] : run->ratio[shape];
}

double
report_median(const struct latency *l, enum shape shape, enum figures_percentile which)
{
	double ratios[LATENCY_MAX_RUNS];

	for (unsigned int i = 0; i < l->nb_runs; i++) {
		ratios[i] = ratio_of(&l->runs[i], shape, which);
	}
	return median_of_known(ratios, l->nb_runs);
}

static void
print_ratio(const struct run *run, double ratio)
{
	char text[FIGURES_RATIO_BYTES];

	printf(" %s%s", figures_ratio_text(text, ratio), run->moved ? "*" : "");
}

static void
print_median(double median)
{
	char text[FIGURES_RATIO_BYTES];

	printf("  median %s%s\n", figures_ratio_text(text, median),
		median > 0 ? "" : ", too few samples");
}

static void
print_all(const struct latency *l, enum shape shape, enum figures_percentile which)
{
	printf("  %-6s %s device / echo:", shape_names[shape], figures_names[which]);
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		print_ratio(&l->runs[i], ratio_of(&l->runs[i], shape, which));
	}
	print_median(report_median(l, shape, which));
}

static double
mapping_ratio(const struct run *run, enum mapping_kind kind)
{
	return figures_ratio(&run->mappings[kind], &run->figures[SIDE_DEVICE][SHAPE_G_CTRL]);
}

double
report_median_mapping(const struct latency *l, enum mapping_kind kind)
{
	double ratios[LATENCY_MAX_RUNS];

	for (unsigned int i = 0; i < l->nb_runs; i++) {
		ratios[i] = mapping_ratio(&l->runs[i], kind);
	}
	return median_of_known(ratios, l->nb_runs);
}

static void
print_mapping_ratios(const struct latency *l, enum mapping_kind kind)
{
	printf("  %-6s p50 device / G_CTRL device:", mapping_names[kind]);
	for (unsigned int i = 0; i < l->nb_runs; i++) {
		print_ratio(&l->runs[i], mapping_ratio(&l->runs[i], kind));
	}
	print_median(report_median_mapping(l, kind));
}

void
report_end(const struct latency *l)
{
	unsigned int nb_noisy = 0, nb_moved = 0;

	for (unsigned int i = 0; i < l->nb_runs; i++) {
		nb_noisy += l->runs[i].noisy;
		nb_moved += l->runs[i].moved;
	}
	printf("all %u runs, %u noisy, %s rings, %s descriptors\n", l->nb_runs, nb_noisy,
		l->o.packed ? "packed" : "split", l->o.direct ? "direct" : "indirect");
	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		if (is_asked(l, shape)) {
			print_all(l, shape, FIGURES_P50);
			print_all(l, shape, FIGURES_P99);
		}
	}
	for (unsigned int i = 0; l->has_device && i < NB_MAPPINGS; i++) {
		print_mapping_ratios(l, i);
	}
	if (l->has_device && nb_moved > 0) {
		printf("  * the CPUs moved during this run: its median of the slices says more\n");
	}
}
