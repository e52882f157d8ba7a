/* SPDX-License-Identifier: BSD-3-Clause */
/* Streams as lanes of text: frames as bars, missed periods as letters, queue depth as digits. */
#include <inttypes.h>
#include <string.h>

#include "base/util.h"
#include "analysis/streams.h"

static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char cause_letters[NB_MISSED_CAUSES] = {'B', 'R', 'L'};

#define NB_BARS 8u

/* Columns of data that are printed as one cell. */
struct grid {
	uint32_t nb_used, width;
};

static uint32_t
cell_begin(const struct grid *grid, uint32_t cell)
{
	return (uint32_t)((uint64_t)cell * grid->nb_used / grid->width);
}

static uint32_t
cell_sum(const struct stream *stream, const struct grid *grid, uint32_t cell, uint32_t lane)
{
	uint32_t end = MAX(cell_begin(grid, cell + 1), cell_begin(grid, cell) + 1), sum = 0;

	for (uint32_t i = cell_begin(grid, cell); i < end; i++) {
		sum += stream->lanes[i * NB_LANES + lane];
	}
	return sum;
}

static void
print_frames(const struct stream *stream, const struct grid *grid, FILE *out)
{
	uint32_t most = 1;

	for (uint32_t i = 0; i < grid->width; i++) {
		most = MAX(most, cell_sum(stream, grid, i, LANE_FRAMES));
	}
	for (uint32_t i = 0; i < grid->width; i++) {
		uint32_t nb = cell_sum(stream, grid, i, LANE_FRAMES);

		fputs(bars[(nb * NB_BARS + most - 1) / most], out);
	}
}

/* The letter of the cause with most missed periods in the cell. */
static char
missed_letter(const struct stream *stream, const struct grid *grid, uint32_t cell)
{
	uint32_t most = 0;
	char letter = ' ';

	for (uint32_t cause = 0; cause < NB_MISSED_CAUSES; cause++) {
		uint32_t nb = cell_sum(stream, grid, cell, LANE_MISSED + cause);

		if (nb > most) {
			most = nb;
			letter = cause_letters[cause];
		}
	}
	return letter;
}

static char
depth_digit(const struct stream *stream, const struct grid *grid, uint32_t cell)
{
	uint32_t samples = cell_sum(stream, grid, cell, LANE_SAMPLES);
	uint32_t depth =
		samples == 0 ? 0
			     : (cell_sum(stream, grid, cell, LANE_DEPTH) + samples / 2) / samples;

	if (samples == 0) {
		return ' ';
	}
	return depth < 10 ? (char)('0' + depth) : '+';
}

static void
print_head(const struct streams *streams, const struct stream *stream, FILE *out)
{
	char title[96];

	stream_title(streams, stream, title, sizeof(title));
	fprintf(out, "\n%s", title);
	if (stream->width != 0) {
		fprintf(out, ", %ux%u %.4s", stream->width, stream->height,
			(const char *)&stream->fourcc);
	}
	fprintf(out, ": %" PRIu64 " frames, %.2f fps", stream->nb_frames, stream_fps(stream));
	if (stream->fps_den != 0) {
		fprintf(out, " of %.2f", (double)stream->fps_num / stream->fps_den);
	}
	fprintf(out,
		", every %.3f ms, longest gap %.3f ms, DQBUF after %.1f us (p99 %.1f), %" PRIu64
		" missed",
		(double)hist_percentile(&stream->interval_ns, 50) / 1e6,
		(double)stream->interval_ns.max / 1e6,
		(double)hist_percentile(&stream->deliver_ns, 50) / 1e3,
		(double)hist_percentile(&stream->deliver_ns, 99) / 1e3, stream_missed(stream));
	for (unsigned int i = 0; i < NB_MISSED_CAUSES; i++) {
		if (stream->nb_missed[i] != 0) {
			fprintf(out, ", %" PRIu64 " %s", stream->nb_missed[i],
				streams_cause_names[i]);
		}
	}
	fprintf(out, ", %" PRIu64 " sequence numbers skipped\n", stream->nb_gaps);
}

static void
print_stream(const struct streams *streams, const struct stream *stream, const struct grid *grid,
	FILE *out)
{
	print_head(streams, stream, out);
	fputs("  frames |", out);
	print_frames(stream, grid, out);
	fputs("|\n  missed |", out);
	for (uint32_t i = 0; i < grid->width; i++) {
		fputc(missed_letter(stream, grid, i), out);
	}
	fputs("|\n  queued |", out);
	for (uint32_t i = 0; i < grid->width; i++) {
		fputc(depth_digit(stream, grid, i), out);
	}
	fputs("|\n", out);
}

void
streams_print(const struct streams *streams, uint32_t width, FILE *out)
{
	struct grid grid = {streams->columns.nb_used, MIN(width, MAX(streams->columns.nb_used, 1))};
	double seconds = (double)(streams->columns.nb_used * streams->columns.width_ns) / 1e9;

	fprintf(out,
		"%u streams, %.3f s; a cell is %.1f ms; frames: █ most in a cell; missed: "
		"B no buffer, R late render, L late reactor; queued: mean number of buffers\n",
		streams->nb, seconds, seconds * 1e3 / grid.width);
	if (streams->nb_lost != 0) {
		fprintf(out, "LOST     the tracer lost %" PRIu64 " events: gaps may be its fault\n",
			streams->nb_lost);
	}
	if (streams->nb_uncounted != 0) {
		fprintf(out, "%" PRIu64 " frames belong to streams beyond the first %u\n",
			streams->nb_uncounted, STREAMS_MAX);
	}
	for (uint32_t i = 0; i < streams->nb; i++) {
		print_stream(streams, streams->streams[i], &grid, out);
	}
}
