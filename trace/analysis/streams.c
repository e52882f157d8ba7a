/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "base/util.h"
#include "analysis/streams.h"

const char *const streams_cause_names[NB_MISSED_CAUSES] = {
	"no buffer", "late render", "late reactor"};

struct streams *
streams_create(void)
{
	return calloc(1, sizeof(struct streams));
}

void
streams_destroy(struct streams *streams)
{
	for (uint32_t i = 0; streams != NULL && i < streams->nb; i++) {
		free(streams->streams[i]);
	}
	free(streams);
}

static bool
matches(const struct stream *stream, const struct event *event)
{
	return stream->device == event_get(event, FIELD_device) &&
	       (!event_has(event, FIELD_session) ||
		       (stream->session == event_get(event, FIELD_session) &&
			       stream->buftype == event_get(event, FIELD_buftype)));
}

/*
 * The stream of an event, made if need be; NULL: none. An event without a session (a missed period)
 * belongs to the device's latest stream.
 */
static struct stream *
stream_find(struct streams *streams, const struct event *event)
{
	struct stream *stream;

	for (uint32_t i = streams->nb; i > 0; i--) {
		if (matches(streams->streams[i - 1], event)) {
			return streams->streams[i - 1];
		}
	}
	if (streams->nb == STREAMS_MAX || !event_has(event, FIELD_session)) {
		return NULL;
	}
	stream = calloc(1, sizeof(*stream));
	if (stream != NULL) {
		stream->device = (uint32_t)event_get(event, FIELD_device);
		stream->session = (uint32_t)event_get(event, FIELD_session);
		stream->buftype = (uint32_t)event_get(event, FIELD_buftype);
		streams->streams[streams->nb++] = stream;
	}
	return stream;
}

static uint32_t *
column_of(struct streams *streams, struct stream *stream, uint64_t time_ns)
{
	while (!columns_reach(&streams->columns, time_ns)) {
		for (uint32_t i = 0; i < streams->nb; i++) {
			columns_fold(streams->streams[i]->lanes, NB_LANES);
		}
	}
	return &stream->lanes[columns_find(&streams->columns, time_ns) * NB_LANES];
}

static void
frame(struct stream *stream, const struct event *event, uint64_t done_ns)
{
	uint32_t sequence = (uint32_t)event_get(event, FIELD_sequence);
	uint64_t interval_ns = done_ns > stream->last_ns ? done_ns - stream->last_ns : 0;

	if (stream->nb_frames != 0 && sequence > stream->sequence) {
		stream->nb_gaps += sequence - stream->sequence - 1;
		stream->longest_at_ns =
			interval_ns > stream->interval_ns.max ? done_ns : stream->longest_at_ns;
		hist_record(&stream->interval_ns, interval_ns);
	} else if (stream->nb_frames == 0) {
		stream->first_ns = done_ns;
	}
	stream->nb_frames++;
	stream->last_ns = done_ns;
	stream->sequence = sequence;
	stream->most_backlog = MAX(stream->most_backlog, (uint32_t)event_get(event, FIELD_backlog));
	hist_record(&stream->deliver_ns, event_get(event, FIELD_latency_ns));
}

static void
format(struct stream *stream, const struct event *event)
{
	stream->width = (uint32_t)event_get(event, FIELD_width);
	stream->height = (uint32_t)event_get(event, FIELD_height);
	stream->fourcc = (uint32_t)event_get(event, FIELD_fourcc);
	stream->fps_num = (uint32_t)event_get(event, FIELD_fps_num);
	stream->fps_den = (uint32_t)event_get(event, FIELD_fps_den);
}

static void
device_name(struct streams *streams, const struct event *event)
{
	uint64_t device = event_get(event, FIELD_device);

	if (device < STREAMS_MAX_DEVICES && event->text != NULL) {
		snprintf(streams->device_names[device], sizeof(streams->device_names[device]), "%s",
			event->text);
	}
}

static void
in_stream(struct streams *streams, struct stream *stream, const struct event *event)
{
	uint32_t cause = (uint32_t)MIN(event_get(event, FIELD_cause), NB_MISSED_CAUSES - 1);
	uint32_t nb = (uint32_t)event_get(event, FIELD_nb_periods);
	uint64_t done_ns = event->time_ns - event_get(event, FIELD_latency_ns);
	uint32_t *column = column_of(streams, stream, done_ns);

	switch (event->kind) {
	case EVENT_dqbuf_publish:
		frame(stream, event, done_ns);
		column[LANE_FRAMES]++;
		column[LANE_DEPTH] += (uint32_t)event_get(event, FIELD_nb_queued);
		column[LANE_SAMPLES]++;
		break;
	case EVENT_frame_missed:
		stream->nb_missed[cause] += nb;
		column[LANE_MISSED + cause] += nb;
		break;
	case EVENT_format:
	case EVENT_statedump_format:
		format(stream, event);
		break;
	default:
		break;
	}
}

void
streams_add(struct streams *streams, const struct event *event)
{
	struct stream *stream;

	if (event->kind == EVENT_device_add || event->kind == EVENT_statedump_device) {
		device_name(streams, event);
		return;
	}
	stream = stream_find(streams, event);
	if (stream != NULL) {
		in_stream(streams, stream, event);
	} else {
		streams->nb_uncounted += event->kind == EVENT_dqbuf_publish;
	}
}

double
stream_fps(const struct stream *stream)
{
	uint64_t ns = stream->last_ns - stream->first_ns;

	return stream->nb_frames < 2 || ns == 0
	               ? 0
	               : (double)(stream->nb_frames - 1) * 1e9 / (double)ns;
}

uint64_t
stream_missed(const struct stream *stream)
{
	uint64_t nb = 0;

	for (unsigned int i = 0; i < NB_MISSED_CAUSES; i++) {
		nb += stream->nb_missed[i];
	}
	return nb;
}

void
stream_title(
	const struct streams *streams, const struct stream *stream, char *text, size_t text_bytes)
{
	const char *name =
		stream->device < STREAMS_MAX_DEVICES ? streams->device_names[stream->device] : "";

	snprintf(text, text_bytes, "device %u%s%s%s session %u %s", stream->device,
		name[0] != '\0' ? " (" : "", name, name[0] != '\0' ? ")" : "", stream->session,
		stream->buftype == 0 || stream->buftype % 2 == 1 ? "capture" : "output");
}
