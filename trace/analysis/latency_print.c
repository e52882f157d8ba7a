/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of latency.h as text for people, CSV and JSON for programs. */
#include <inttypes.h>

#include "analysis/latency.h"

static const char *const group_names[LATENCY_NB_GROUPS] = {"all", "ioctl", "dqbuf", "session"};

struct printer {
	FILE *out;
	uint32_t groups;
	int last_group;
	uint64_t nb_rows;
};

/* A row that is wanted and not empty; fills in the percentiles. */
static bool
row_values(const struct printer *printer, const struct latency_row *row, uint64_t *values)
{
	if ((printer->groups >> row->group & 1) == 0 || hist_count(row->ns) == 0) {
		return false;
	}
	hist_percentiles(row->ns, latency_percents, values, LATENCY_NB_PERCENTS);
	return true;
}

static void
print_us(FILE *out, uint64_t ns)
{
	fprintf(out, " %11.3f", (double)ns / 1e3);
}

static void
text_row(const struct latency_row *row, void *arg)
{
	struct printer *printer = arg;
	uint64_t values[LATENCY_NB_PERCENTS], count = hist_count(row->ns);

	if (!row_values(printer, row, values)) {
		return;
	}
	if (printer->last_group != (int)row->group) {
		printer->last_group = (int)row->group;
		fprintf(printer->out, "\n%-20s %-8s %11s %8s", group_names[row->group], "stage",
			"count", "errors");
		for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
			fprintf(printer->out, " %11s", latency_percent_names[i]);
		}
		fprintf(printer->out, " %11s\n", "max");
	}
	fprintf(printer->out, "%-20s %-8s %11" PRIu64 " %8" PRIu64, row->name, row->stage, count,
		row->nb_errors);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		if (hist_percentile_is_sound(count, latency_percents[i])) {
			print_us(printer->out, values[i]);
		} else {
			fprintf(printer->out, " %11s", "-");
		}
	}
	print_us(printer->out, row->ns->max);
	fputc('\n', printer->out);
}

void
latency_print_text(const struct latency *latency, uint32_t groups, FILE *out)
{
	struct printer printer = {.out = out, .groups = groups, .last_group = -1};

	fprintf(out,
		"%" PRIu64 " commands in %.3f s; durations in microseconds; -: fewer than 10 "
		"values lie beyond\n",
		hist_count(&latency->all.ns[SPAN_TOTAL]),
		(double)(latency->last_ns - latency->first_ns) / 1e9);
	if (latency->nb_lost != 0) {
		fprintf(out,
			"LOST     the tracer lost %" PRIu64 " events: the figures are incomplete\n",
			latency->nb_lost);
	}
	latency_rows(latency, text_row, &printer);
}

static void
csv_row(const struct latency_row *row, void *arg)
{
	struct printer *printer = arg;
	uint64_t values[LATENCY_NB_PERCENTS];

	if (!row_values(printer, row, values)) {
		return;
	}
	fprintf(printer->out, "%s,%s,%s,%" PRIu64 ",%" PRIu64, group_names[row->group], row->name,
		row->stage, hist_count(row->ns), row->nb_errors);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		fprintf(printer->out, ",%" PRIu64, values[i]);
	}
	fprintf(printer->out, ",%" PRIu64 "\n", row->ns->max);
}

void
latency_print_csv(const struct latency *latency, uint32_t groups, FILE *out)
{
	struct printer printer = {.out = out, .groups = groups};

	fputs("group,name,stage,count,errors", out);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		fprintf(out, ",%s_ns", latency_percent_names[i]);
	}
	fputs(",max_ns\n", out);
	latency_rows(latency, csv_row, &printer);
}

static void
json_row(const struct latency_row *row, void *arg)
{
	struct printer *printer = arg;
	uint64_t values[LATENCY_NB_PERCENTS];

	if (!row_values(printer, row, values)) {
		return;
	}
	fprintf(printer->out,
		"%s\n    {\"group\": \"%s\", \"name\": \"%s\", \"stage\": \"%s\", \"count\": %" PRIu64
		", \"errors\": %" PRIu64,
		printer->nb_rows++ != 0 ? "," : "", group_names[row->group], row->name, row->stage,
		hist_count(row->ns), row->nb_errors);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		fprintf(printer->out, ", \"%s_ns\": %" PRIu64, latency_percent_names[i], values[i]);
	}
	fprintf(printer->out, ", \"max_ns\": %" PRIu64 "}", row->ns->max);
}

void
latency_print_json(const struct latency *latency, uint32_t groups, FILE *out)
{
	struct printer printer = {.out = out, .groups = groups};

	fprintf(out,
		"{\"version\": 1, \"commands\": %" PRIu64 ", \"lost_events\": %" PRIu64
		", \"begin_ns\": %" PRIu64 ", \"end_ns\": %" PRIu64 ",\n \"rows\": [",
		hist_count(&latency->all.ns[SPAN_TOTAL]), latency->nb_lost, latency->first_ns,
		latency->last_ns);
	latency_rows(latency, json_row, &printer);
	fputs("\n]}\n", out);
}
