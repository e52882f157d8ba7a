/* SPDX-License-Identifier: BSD-3-Clause */
/* The drawings about commands: percentiles, latency over time, stages. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/util.h"
#include "analysis/describe.h"
#include "analysis/report.h"
#include "analysis/svg.h"

#define LEFT       70.0
#define RIGHT      20.0
#define LABELS     90.0 /* right of the curves */
#define TOP        15.0
#define HEIGHT     300.0
#define BOTTOM     40.0
#define NB_CURVES  6u
#define FEWEST     100u /* commands that make a curve */
#define NINES_STEP 0.05
#define BAR_HEIGHT 22.0

/* Durations on a logarithmic axis, whole decades from low to high. */
struct axis {
	double low, high; /* log10 of ns */
};

static double
axis_y(const struct axis *axis, uint64_t ns)
{
	double at = (log10((double)MAX(ns, 1)) - axis->low) / (axis->high - axis->low);

	return TOP + HEIGHT * (1 - at);
}

static void
axis_draw(const struct axis *axis, FILE *out)
{
	char text[24];

	for (double power = axis->low; power <= axis->high; power++) {
		uint64_t ns = (uint64_t)llround(pow(10, power));
		double y = axis_y(axis, ns);

		svg_line(out, LEFT, y, REPORT_WIDTH - RIGHT, y);
		svg_text(out, &(struct svg_place){LEFT - 8, y + 4, SVG_END}, "%s",
			describe_ns(ns, text));
	}
}

/* Ioctls by number of commands, the most frequent first; returns how many. */
static unsigned int
frequent_codes(const struct latency *latency, unsigned int *codes, unsigned int nb_max)
{
	uint64_t counts[LATENCY_NB_CODES];
	unsigned int nb = 0;

	for (unsigned int i = 0; i < LATENCY_NB_CODES; i++) {
		unsigned int at;

		counts[i] = latency->codes[i] == NULL
		                    ? 0
		                    : hist_count(&latency->codes[i]->ns[SPAN_TOTAL]);
		if (counts[i] == 0) {
			continue;
		}
		for (at = nb; at > 0 && counts[codes[at - 1]] < counts[i]; at--) {
			if (at < nb_max) {
				codes[at] = codes[at - 1];
			}
		}
		if (at < nb_max) {
			codes[at] = i;
			nb = MIN(nb + 1, nb_max);
		}
	}
	return nb;
}

static const char *
name_of_index(unsigned int index, char *text)
{
	return index == LATENCY_NB_CODES - 1 ? "other"
	       : index < VMEDIA_NB_IOCTLS
	               ? event_code_name(index, text)
	               : event_code_name(EVENT_CODE_COMMAND + index - VMEDIA_NB_IOCTLS, text);
}

static double
nines_x(double nines, double most)
{
	return LEFT + (REPORT_WIDTH - LEFT - LABELS) * nines / most;
}

static void
curve(const struct hist *ns, const struct axis *axis, double most, const char *css,
	const char *name, FILE *out)
{
	double last = log10((double)hist_count(ns));
	double x = nines_x(MIN(last, most), most), y = axis_y(axis, ns->max);

	svg_path_begin(out, css);
	for (double nines = 0; nines <= MIN(last, most); nines += NINES_STEP) {
		svg_path_point(out, nines_x(nines, most),
			axis_y(axis, hist_percentile(ns, 100 * (1 - pow(10, -nines)))));
	}
	svg_path_point(out, x, y);
	svg_path_end(out);
	svg_rect(out, &(struct svg_box){x - 3, y - 3, 6, 6}, css, NULL);
	svg_text(out, &(struct svg_place){x + 6, y + 4, SVG_START}, "%s", name);
}

static void
nines_draw(double most, FILE *out)
{
	static const char *const names[] = {
		"0", "90", "99", "99.9", "99.99", "99.999", "99.9999", "99.99999"};

	for (unsigned int i = 0; i <= (unsigned int)most && i < ARRAY_SIZE(names); i++) {
		double x = nines_x(i, most);

		svg_line(out, x, TOP, x, TOP + HEIGHT);
		svg_text(out, &(struct svg_place){x, TOP + HEIGHT + 18, SVG_MIDDLE}, "%s %%",
			names[i]);
	}
	svg_line(out, nines_x(log10(2), most), TOP, nines_x(log10(2), most), TOP + HEIGHT);
	svg_text(out, &(struct svg_place){nines_x(log10(2), most), TOP + HEIGHT + 18, SVG_MIDDLE},
		"50 %%");
}

static struct axis
axis_of(const struct hist *ns)
{
	struct axis axis = {
		floor(log10((double)MAX(hist_min(ns), 1))), ceil(log10((double)MAX(ns->max, 10)))};

	axis.high = MAX(axis.high, axis.low + 1);
	return axis;
}

void
report_percentiles(const struct report *report, FILE *out)
{
	const struct hist *all = &report->latency->all.ns[SPAN_TOTAL];
	double most = ceil(MAX(log10((double)MAX(hist_count(all), 10)), 2));
	struct axis axis = axis_of(all);
	unsigned int codes[NB_CURVES];
	unsigned int nb = frequent_codes(report->latency, codes, NB_CURVES);
	char css[16], text[24];

	while (nb > 1 &&
		hist_count(&report->latency->codes[codes[nb - 1]]->ns[SPAN_TOTAL]) < FEWEST) {
		nb--; /* the most frequent come first */
	}
	fputs("<h2>How long commands take</h2>\n<p>A point (x, y): x per cent of the commands took "
	      "at most y, from being taken off the queue until the answer was visible. Each step to "
	      "the right is ten times rarer; a curve ends at its slowest command. The most frequent "
	      "ioctls have one.</p>\n",
		out);
	if (nb == 0) {
		fputs("<p>The trace has no command.</p>\n", out);
		return;
	}
	svg_begin(
		out, REPORT_WIDTH, TOP + HEIGHT + BOTTOM + 20, "Percentiles of latency per ioctl");
	axis_draw(&axis, out);
	nines_draw(most, out);
	for (unsigned int i = 0; i < nb; i++) {
		const struct hist *ns = &report->latency->codes[codes[i]]->ns[SPAN_TOTAL];
		double x = LEFT + i * 155;

		snprintf(css, sizeof(css), "c%u", i);
		curve(ns, &axis, most, css, name_of_index(codes[i], text), out);
		svg_rect(out, &(struct svg_box){x, TOP + HEIGHT + 34, 14, 14}, css, NULL);
		svg_text(out, &(struct svg_place){x + 20, TOP + HEIGHT + 46, SVG_START},
			"%" PRIu64 " %s", hist_count(ns), name_of_index(codes[i], text));
	}
	svg_end(out);
}

static void
heat_cells(const struct report *report, const struct axis *axis, uint32_t most, FILE *out)
{
	const struct columns *columns = &report->heat.columns;
	double width = (REPORT_WIDTH - LEFT - RIGHT) / columns->nb_used;
	char tip[128], low[24], high[24];

	for (uint32_t column = 0; column < columns->nb_used; column++) {
		for (uint32_t row = 0; row < HEAT_ROWS; row++) {
			uint32_t nb = report->heat.counts[column * HEAT_ROWS + row];
			double y = axis_y(axis, heat_row_low(row + 1));
			double bottom = MIN(axis_y(axis, heat_row_low(row)), TOP + HEIGHT);

			if (nb == 0) {
				continue;
			}
			snprintf(tip, sizeof(tip), "%.3f s: %u commands of %s to %s",
				report_seconds(
					report, columns->origin_ns + column * columns->width_ns),
				nb, describe_ns(heat_row_low(row), low),
				describe_ns(heat_row_low(row + 1), high));
			y = MAX(y, TOP);
			svg_cell(out,
				&(struct svg_box){
					LEFT + column * width, y, width, MAX(bottom - y, 1)},
				"heat", 0.2 + 0.8 * log1p(nb) / log1p(most), tip);
		}
	}
}

static void
time_axis(const struct report *report, const struct columns *columns, double y, FILE *out)
{
	for (unsigned int i = 0; i <= 5; i++) {
		uint64_t ns = columns->origin_ns + columns->nb_used * columns->width_ns * i / 5;
		double x = LEFT + (REPORT_WIDTH - LEFT - RIGHT) * i / 5;

		svg_line(out, x, y - 4, x, y);
		svg_text(out, &(struct svg_place){x, y + 14, i == 5 ? SVG_END : SVG_MIDDLE},
			"%.3f s", report_seconds(report, ns));
	}
}

void
report_heat(const struct report *report, FILE *out)
{
	struct axis axis = axis_of(&report->latency->all.ns[SPAN_TOTAL]);
	uint32_t most = 1;

	if (report->heat.columns.nb_used == 0) {
		return;
	}
	for (uint32_t i = 0; i < NB_COLUMNS * HEAT_ROWS; i++) {
		most = MAX(most, report->heat.counts[i]);
	}
	fputs("<h2>When they were slow</h2>\n"
	      "<p>Time runs to the right, latency upwards; the darker, "
	      "the more commands. A lone pale mark high up is one slow command; a dark band that "
	      "rises is a device that got slower.</p>\n",
		out);
	svg_begin(out, REPORT_WIDTH, TOP + HEIGHT + BOTTOM, "Latency over time");
	axis_draw(&axis, out);
	heat_cells(report, &axis, most, out);
	time_axis(report, &report->heat.columns, TOP + HEIGHT + 6, out);
	svg_end(out);
}

static void
stage_bar(const struct latency_stages *stages, double y, FILE *out)
{
	double x = 120, scale = 700 / MAX(hist_mean(&stages->ns[SPAN_TOTAL]), 1);
	char css[16], tip[96], mean[24], p99[24];

	for (unsigned int i = 0; i < SPAN_NB_STAGES; i++) {
		double mean_ns = hist_mean(&stages->ns[i]);
		uint64_t p99_ns = hist_percentile(&stages->ns[i], 99);

		snprintf(css, sizeof(css), "s%u", i);
		snprintf(tip, sizeof(tip), "%s: mean %s, p99 %s", span_stage_names[i],
			describe_ns((uint64_t)mean_ns, mean), describe_ns(p99_ns, p99));
		svg_rect(out, &(struct svg_box){x, y, MAX(mean_ns * scale, 0.5), BAR_HEIGHT - 6},
			css, tip);
		x += mean_ns * scale;
	}
}

static void
stage_legend(double y, FILE *out)
{
	static const char *const texts[SPAN_NB_STAGES] = {"parse: read and checked",
		"wait: until the handler ran", "backend: the handler",
		"publish: until the driver could see it"};
	char css[16];

	for (unsigned int i = 0; i < SPAN_NB_STAGES; i++) {
		double x = 120 + i * 205;

		snprintf(css, sizeof(css), "s%u", i);
		svg_rect(out, &(struct svg_box){x, y, 14, 14}, css, NULL);
		svg_text(out, &(struct svg_place){x + 20, y + 12, SVG_START}, "%s", texts[i]);
	}
}

void
report_stages(const struct report *report, FILE *out)
{
	unsigned int codes[LATENCY_NB_CODES];
	unsigned int nb = frequent_codes(report->latency, codes, 24);
	char text[24], mean[24];

	if (nb == 0) {
		return;
	}
	fputs("<h2>Where the time goes</h2>\n"
	      "<p>Which share of its mean time an ioctl spends in each stage, the most frequent "
	      "ioctl first; to the right, how many there were and what one took. Point at a bar "
	      "for figures.</p>\n",
		out);
	svg_begin(out, REPORT_WIDTH, nb * BAR_HEIGHT + 34, "Stages per ioctl");
	stage_legend(2, out);
	for (unsigned int i = 0; i < nb; i++) {
		const struct latency_stages *stages = report->latency->codes[codes[i]];
		double y = 28 + i * BAR_HEIGHT;

		svg_text(out, &(struct svg_place){110, y + 13, SVG_END}, "%s",
			name_of_index(codes[i], text));
		stage_bar(stages, y, out);
		svg_text(out, &(struct svg_place){REPORT_WIDTH - 4, y + 13, SVG_END},
			"%" PRIu64 " × %s", hist_count(&stages->ns[SPAN_TOTAL]),
			describe_ns((uint64_t)hist_mean(&stages->ns[SPAN_TOTAL]), mean));
	}
	svg_end(out);
}
