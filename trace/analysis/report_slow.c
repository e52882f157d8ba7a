/* SPDX-License-Identifier: BSD-3-Clause */
/* The slowest commands, each with its stages and what happened around it. */
#include <inttypes.h>

#include "base/util.h"
#include "analysis/describe.h"
#include "analysis/report.h"
#include "analysis/svg.h"

/* What deserves red in a list of events. */
#define SUSPECT                                                                           \
	(EVENT_BIT(frame_missed) | EVENT_BIT(evq_starved) | EVENT_BIT(pass_over_budget) | \
		EVENT_BIT(deadline) | EVENT_BIT(cmd_malformed) | EVENT_BIT(ring_broken) | \
		EVENT_BIT(device_reset))

static void
stages(const struct span *span, FILE *out)
{
	double x = 0, scale = REPORT_WIDTH / (double)MAX(span->ns[SPAN_TOTAL], 1);
	char css[4], tip[64], text[24];

	svg_begin(out, REPORT_WIDTH, 30, "Stages of this command");
	for (unsigned int i = 0; i < SPAN_NB_STAGES; i++) {
		double width = (double)span->ns[i] * scale;

		snprintf(css, sizeof(css), "s%u", i);
		snprintf(tip, sizeof(tip), "%s %s", span_stage_names[i],
			describe_ns(span->ns[i], text));
		svg_rect(out, &(struct svg_box){x, 4, width, 22}, css, tip);
		if (width > 110) {
			svg_text(out, &(struct svg_place){x + 6, 19, SVG_START}, "%s", tip);
		}
		x += width;
	}
	svg_end(out);
}

static void
note(const struct slow_command *command, const struct slow_note *note, FILE *out)
{
	struct event event;
	bool is_before = note->time_ns < command->span.begin_ns;
	uint64_t ns = is_before ? command->span.begin_ns - note->time_ns
	                        : note->time_ns - command->span.begin_ns;
	char text[256], since[24];
	bool is_self;

	slow_note_event(note, &event);
	describe_event(&event, text, sizeof(text));
	is_self = event_has(&event, FIELD_seq) &&
	          event_get(&event, FIELD_seq) == command->span.seq &&
	          event_get(&event, FIELD_device) == command->span.device;
	fprintf(out, "<tr%s><td>%s%s</td><td class=\"t\">%s</td><td class=\"t\">",
		is_self                            ? " class=\"self\""
		: (SUSPECT >> note->kind & 1) != 0 ? " class=\"bad\""
						   : "",
		is_before ? "−" : "+", describe_ns(ns, since), event_name(note->kind));
	svg_escape(out, text);
	fputs("</td></tr>\n", out);
}

static void
one(const struct report *report, const struct slow_command *command, FILE *out)
{
	const struct span *span = &command->span;
	char text[24], name[16];

	fprintf(out,
		"<details%s><summary><b>%s</b> %s at %.6f s, device %u session %u, number %" PRIu64
		", status %d</summary>\n",
		command == report->slow->commands[0] ? " open" : "",
		describe_ns(span->ns[SPAN_TOTAL], text), event_code_name(span->code, name),
		report_seconds(report, span->begin_ns), span->device, span->session, span->seq,
		span->status);
	stages(span, out);
	fputs("<table><tr><th>since it was taken</th><th class=\"t\">event</th>"
	      "<th class=\"t\">what</th></tr>\n",
		out);
	for (uint32_t i = 0; i < command->nb_notes; i++) {
		note(command, &command->notes[i], out);
	}
	fputs("</table>\n", out);
	if (command->nb_left_out != 0) {
		fprintf(out, "<p>%u more events were around it.</p>\n", command->nb_left_out);
	}
	fputs("</details>\n", out);
}

void
report_slowest(const struct report *report, FILE *out)
{
	char text[24];

	if (report->slow->nb == 0) {
		return;
	}
	fprintf(out,
		"<h2>The slowest commands</h2>\n<p>Open one: its stages, and what happened from %s "
		"ahead of it until %s after it. Bold: the command itself; red: what may have "
		"delayed it.</p>\n",
		describe_ns(report->slow->context_ns, text),
		describe_ns(report->slow->context_ns, text));
	for (uint32_t i = 0; i < report->slow->nb; i++) {
		one(report, report->slow->commands[i], out);
	}
}
