/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>

#include "analysis/describe.h"
#include "analysis/report.h"
#include "analysis/svg.h"

static const char style[] =
	":root{--bg:#fff;--fg:#1c2330;--dim:#667085;--line:#dfe3ea;--card:#f5f7fa;--warn:#b42318;"
	"--warnbg:#fef3f2}"
	"@media(prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6e9ef;--dim:#98a2b3;"
	"--line:#303846;--card:#1d232d;--warn:#f97066;--warnbg:#3a1a18}}"
	"body{font:15px/1.5 system-ui,sans-serif;background:var(--bg);color:var(--fg);"
	"max-width:1060px;margin:2em auto;padding:0 1em}"
	"h1{font-size:1.6em;margin:0 0 .2em}h2{font-size:1.2em;margin:2.2em 0 .2em}"
	"p{margin:.3em 0 .8em;color:var(--dim)}"
	".cards{display:flex;flex-wrap:wrap;gap:10px;margin:1em 0}"
	".card{background:var(--card);border-radius:8px;padding:.6em 1em;min-width:7em}"
	".card b{display:block;font-size:1.3em}.card span{color:var(--dim);font-size:.85em}"
	".banner{background:var(--warnbg);color:var(--warn);border:1px solid var(--warn);"
	"border-radius:8px;padding:.7em 1em;margin:1em 0;font-weight:600}"
	"svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;"
	"fill:var(--fg)}svg line{stroke:var(--line)}polyline{fill:none;stroke-width:2}"
	".c0{stroke:#2563eb;fill:#2563eb}.c1{stroke:#e8590c;fill:#e8590c}"
	".c2{stroke:#2b8a3e;fill:#2b8a3e}.c3{stroke:#9c36b5;fill:#9c36b5}"
	".c4{stroke:#c92a2a;fill:#c92a2a}.c5{stroke:#0c8599;fill:#0c8599}"
	"polyline.c0,polyline.c1,polyline.c2,polyline.c3,polyline.c4,polyline.c5{fill:none}"
	"rect.c0,rect.c1,rect.c2,rect.c3,rect.c4,rect.c5{stroke:none}"
	".s0{fill:#74c0fc}.s1{fill:#b197fc}.s2{fill:#ffa94d}.s3{fill:#63e6be}"
	".m0{fill:#e03131}.m1{fill:#f08c00}.m2{fill:#9c36b5}.heat{fill:#1971c2}"
	".frame{fill:#2f9e44}.depth{fill:#adb5bd}.back{fill:var(--card)}"
	"table{border-collapse:collapse;font-size:.85em;width:100%}"
	"th,td{padding:.2em .6em;text-align:right;border-bottom:1px solid var(--line);"
	"font-variant-numeric:tabular-nums}th:first-child,td:first-child{text-align:left}"
	"details{border-top:1px solid var(--line);padding:.5em 0}summary{cursor:pointer}"
	".t,th.t{text-align:left}.self td{font-weight:600}.bad td{color:var(--warn)}";

static void
card(FILE *out, const char *value, const char *what)
{
	fputs("<div class=\"card\"><b>", out);
	svg_escape(out, value);
	fprintf(out, "</b><span>%s</span></div>\n", what);
}

static void
card_number(FILE *out, uint64_t value, const char *what)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	card(out, text, what);
}

static void
cards(const struct report *report, FILE *out)
{
	const struct hist *total = &report->latency->all.ns[SPAN_TOTAL];
	uint64_t nb_frames = 0, nb_missed = 0;
	char text[24];

	for (uint32_t i = 0; i < report->streams->nb; i++) {
		nb_frames += report->streams->streams[i]->nb_frames;
		nb_missed += stream_missed(report->streams->streams[i]);
	}
	fputs("<div class=\"cards\">\n", out);
	snprintf(text, sizeof(text), "%.2f s", report_seconds(report, report->last_ns));
	card(out, text, "traced");
	card_number(out, hist_count(total), "commands");
	card(out, describe_ns(hist_percentile(total, 50), text), "median command");
	card(out, describe_ns(hist_percentile(total, 99.9), text), "p99.9 command");
	card(out, describe_ns(total->max, text), "slowest command");
	card_number(out, report->latency->all.nb_errors, "commands with an error");
	card_number(out, nb_frames, "frames");
	card_number(out, nb_missed, "missed periods");
	fputs("</div>\n", out);
}

static void
table_row(const struct latency_row *row, void *arg)
{
	FILE *out = arg;
	uint64_t values[LATENCY_NB_PERCENTS], count = hist_count(row->ns);
	char text[24];

	if (count == 0) {
		return;
	}
	hist_percentiles(row->ns, latency_percents, values, LATENCY_NB_PERCENTS);
	fprintf(out, "<tr><td>%s%s</td><td>%s</td><td>%" PRIu64 "</td><td>%" PRIu64 "</td>",
		row->group == LATENCY_SESSION ? "session " : "", row->name, row->stage, count,
		row->nb_errors);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		fprintf(out, "<td>%s</td>",
			hist_percentile_is_sound(count, latency_percents[i])
				? describe_ns(values[i], text)
				: "–");
	}
	fprintf(out, "<td>%s</td></tr>\n", describe_ns(row->ns->max, text));
}

static void
table(const struct report *report, FILE *out)
{
	fputs("<h2>All figures</h2>\n<p>–: fewer than 10 values lie beyond that percentile.</p>\n"
	      "<details><summary>Percentiles per ioctl, stage and session</summary><table><tr>"
	      "<th></th><th>stage</th><th>count</th><th>errors</th>",
		out);
	for (unsigned int i = 0; i < LATENCY_NB_PERCENTS; i++) {
		fprintf(out, "<th>%s</th>", latency_percent_names[i]);
	}
	fputs("<th>max</th></tr>\n", out);
	latency_rows(report->latency, table_row, out);
	fputs("</table></details>\n", out);
}

static void
head(const struct report *report, FILE *out)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>",
		out);
	svg_escape(out, report->title);
	fprintf(out, "</title>\n<style>%s</style></head><body>\n<h1>", style);
	svg_escape(out, report->title);
	fprintf(out, "</h1>\n<p>%" PRIu64 " events; times are seconds since the first one.</p>\n",
		report->nb_events);
	if (report->nb_lost != 0) {
		fprintf(out,
			"<div class=\"banner\">The tracer lost %" PRIu64
			" events: figures below are incomplete, and a gap may be its fault.</div>\n",
			report->nb_lost);
	}
}

void
report_write(struct report *report, FILE *out)
{
	head(report, out);
	cards(report, out);
	report_percentiles(report, out);
	report_heat(report, out);
	report_stages(report, out);
	report_streams(report, out);
	report_slowest(report, out);
	table(report, out);
	fputs("</body></html>\n", out);
}
