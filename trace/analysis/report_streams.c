/* SPDX-License-Identifier: BSD-3-Clause */
/* The drawing about frames: a lane per stream. */
#include <inttypes.h>

#include "base/util.h"
#include "analysis/describe.h"
#include "analysis/report.h"
#include "analysis/svg.h"

#define LEFT         96.0 /* names of the lanes */
#define LANE_HEIGHT  34.0
#define MISS_HEIGHT  9.0
#define DEPTH_HEIGHT 18.0
#define TIMES_HEIGHT 18.0
#define NB_TIMES     5

static void
caption(const struct report *report, const struct stream *stream, FILE *out)
{
	char title[96], text[24];

	stream_title(report->streams, stream, title, sizeof(title));
	fputs("<div style=\"margin-top:1em\"><b>", out);
	svg_escape(out, title);
	fputs("</b> ", out);
	if (stream->width != 0) {
		fprintf(out, "%u×%u, ", stream->width, stream->height);
	}
	fprintf(out, "%" PRIu64 " frames, %.2f fps", stream->nb_frames, stream_fps(stream));
	if (stream->fps_den != 0) {
		fprintf(out, " of %.2f", (double)stream->fps_num / stream->fps_den);
	}
	fprintf(out, ", %" PRIu64 " periods missed", stream_missed(stream));
	for (unsigned int i = 0; i < NB_MISSED_CAUSES; i++) {
		if (stream->nb_missed[i] != 0) {
			fprintf(out, " (%" PRIu64 " %s)", stream->nb_missed[i],
				streams_cause_names[i]);
		}
	}
	fprintf(out, ", longest gap %s at %.3f s", describe_ns(stream->interval_ns.max, text),
		report_seconds(report, stream->longest_at_ns));
	fprintf(out, ", DQBUF within %s (p99)</div>\n",
		describe_ns(hist_percentile(&stream->deliver_ns, 99), text));
}

static void
frames_lane(const struct report *report, const struct stream *stream, double width, FILE *out)
{
	const struct columns *columns = &report->streams->columns;
	uint32_t most = 1;
	char tip[96];

	for (uint32_t i = 0; i < columns->nb_used; i++) {
		most = MAX(most, stream->lanes[i * NB_LANES + LANE_FRAMES]);
	}
	for (uint32_t i = 0; i < columns->nb_used; i++) {
		uint32_t nb = stream->lanes[i * NB_LANES + LANE_FRAMES];
		double height = LANE_HEIGHT * nb / most;

		if (nb != 0) {
			snprintf(tip, sizeof(tip), "%.3f s: %u frames in %.1f ms",
				report_seconds(report, columns->origin_ns + i * columns->width_ns),
				nb, (double)columns->width_ns / 1e6);
			svg_rect(out,
				&(struct svg_box){LEFT + i * width, LANE_HEIGHT - height,
					width * 0.9, height},
				"frame", tip);
		}
	}
	svg_text(out, &(struct svg_place){LEFT - 6, LANE_HEIGHT / 2 + 4, SVG_END}, "frames, 0–%u",
		most);
}

static void
missed_lane(const struct report *report, const struct stream *stream, double width, FILE *out)
{
	const struct columns *columns = &report->streams->columns;
	char tip[96], css[4];

	for (uint32_t i = 0; i < columns->nb_used * NB_MISSED_CAUSES; i++) {
		uint32_t column = i / NB_MISSED_CAUSES, cause = i % NB_MISSED_CAUSES;
		uint32_t nb = stream->lanes[column * NB_LANES + LANE_MISSED + cause];

		if (nb != 0) {
			snprintf(css, sizeof(css), "m%u", cause);
			snprintf(tip, sizeof(tip), "%.3f s: %u periods missed: %s",
				report_seconds(
					report, columns->origin_ns + column * columns->width_ns),
				nb, streams_cause_names[cause]);
			svg_rect(out,
				&(struct svg_box){LEFT + column * width, LANE_HEIGHT + 2,
					MAX(width, 3), MISS_HEIGHT},
				css, tip);
		}
	}
	svg_text(out, &(struct svg_place){LEFT - 6, LANE_HEIGHT + MISS_HEIGHT + 2, SVG_END},
		"missed");
}

static void
depth_lane(const struct report *report, const struct stream *stream, double width, FILE *out)
{
	const struct columns *columns = &report->streams->columns;
	const uint32_t *lanes = stream->lanes;
	double most = 1;
	char tip[96];

	for (uint32_t i = 0; i < columns->nb_used; i++) {
		const uint32_t *column = &lanes[i * NB_LANES];

		most = MAX(most, (double)column[LANE_DEPTH] / MAX(column[LANE_SAMPLES], 1));
	}
	for (uint32_t i = 0; i < columns->nb_used; i++) {
		const uint32_t *column = &lanes[i * NB_LANES];
		double depth = (double)column[LANE_DEPTH] / MAX(column[LANE_SAMPLES], 1);
		double height = DEPTH_HEIGHT * depth / most;

		if (column[LANE_SAMPLES] != 0) {
			snprintf(tip, sizeof(tip), "%.3f s: %.1f buffers queued",
				report_seconds(report, columns->origin_ns + i * columns->width_ns),
				depth);
			svg_rect(out,
				&(struct svg_box){LEFT + i * width,
					LANE_HEIGHT + MISS_HEIGHT + 4 + DEPTH_HEIGHT - height,
					width, height},
				"depth", tip);
		}
	}
	svg_text(out,
		&(struct svg_place){
			LEFT - 6, LANE_HEIGHT + MISS_HEIGHT + DEPTH_HEIGHT + 2, SVG_END},
		"queued, 0–%.0f", most);
}

static void
times(const struct report *report, FILE *out)
{
	const struct columns *columns = &report->streams->columns;

	for (unsigned int i = 0; i < NB_TIMES; i++) {
		double part = (double)i / (NB_TIMES - 1);
		uint64_t ns = (uint64_t)(part * (double)(columns->nb_used * columns->width_ns));

		svg_text(out,
			&(struct svg_place){LEFT + part * (REPORT_WIDTH - LEFT),
				LANE_HEIGHT + MISS_HEIGHT + DEPTH_HEIGHT + TIMES_HEIGHT,
				i == 0              ? SVG_START
				: i == NB_TIMES - 1 ? SVG_END
						    : SVG_MIDDLE},
			"%.3f s", report_seconds(report, columns->origin_ns + ns));
	}
}

static void
lanes(const struct report *report, const struct stream *stream, FILE *out)
{
	double width = (REPORT_WIDTH - LEFT) / MAX(report->streams->columns.nb_used, 1);

	svg_begin(out, REPORT_WIDTH, LANE_HEIGHT + MISS_HEIGHT + DEPTH_HEIGHT + TIMES_HEIGHT + 6,
		"Frames over time");
	svg_rect(out, &(struct svg_box){LEFT, 0, REPORT_WIDTH - LEFT, LANE_HEIGHT}, "back", NULL);
	svg_rect(out, &(struct svg_box){LEFT, LANE_HEIGHT + 2, REPORT_WIDTH - LEFT, MISS_HEIGHT},
		"back", NULL);
	frames_lane(report, stream, width, out);
	missed_lane(report, stream, width, out);
	depth_lane(report, stream, width, out);
	times(report, out);
	svg_end(out);
}

void
report_streams(const struct report *report, FILE *out)
{
	const struct columns *columns = &report->streams->columns;
	uint64_t end_ns = columns->origin_ns + columns->nb_used * columns->width_ns;

	fputs("<h2>Streams</h2>\n", out);
	if (report->streams->nb == 0) {
		fputs("<p>The trace has no frame.</p>\n", out);
		return;
	}
	fprintf(out,
		"<p>From %.3f s to %.3f s. Green: frames per slice of %.1f ms; where the period of a "
		"stream is longer, some slices have none. Marks below: periods without a frame because "
		"<span style=\"color:#e03131\">no buffer was queued (the guest was late)</span>, "
		"<span style=\"color:#f08c00\">rendering was late</span>, or "
		"<span style=\"color:#9c36b5\">the reactor was late</span>. Grey: buffers queued, "
		"their mean in the slice.</p>\n",
		report_seconds(report, columns->origin_ns), report_seconds(report, end_ns),
		(double)columns->width_ns / 1e6);
	for (uint32_t i = 0; i < report->streams->nb; i++) {
		caption(report, report->streams->streams[i], out);
		lanes(report, report->streams->streams[i], out);
	}
	if (report->streams->nb_uncounted != 0) {
		fprintf(out, "<p>%" PRIu64 " frames belong to streams beyond the first %u.</p>\n",
			report->streams->nb_uncounted, STREAMS_MAX);
	}
}
