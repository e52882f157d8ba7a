/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Streams over time: what became of the frames of each session, in lanes of NB_COLUMNS columns.
 * Memory is fixed: at most STREAMS_MAX streams; further ones are only counted.
 */
#ifndef VMEDIA_ANALYSIS_STREAMS_H
#define VMEDIA_ANALYSIS_STREAMS_H

#include <stdio.h>

#include "stats/hist.h"
#include "analysis/columns.h"
#include "analysis/event.h"

#define STREAMS_MAX         128u
#define STREAMS_MAX_DEVICES EVENT_MAX_DEVICES /* that have their names remembered */

enum streams_lane {
	LANE_FRAMES,                  /* frames done */
	LANE_MISSED,                  /* periods without a frame: LANE_MISSED + cause */
	LANE_DEPTH = LANE_MISSED + 3, /* buffers with the backend, summed over LANE_SAMPLES */
	LANE_SAMPLES,                 /* how often the depth was looked at */
	NB_LANES
};
#define NB_MISSED_CAUSES 3u /* of enum missed in provider/events.toml */

extern const char *const streams_cause_names[NB_MISSED_CAUSES];

struct stream {
	uint32_t device, session, buftype;
	uint64_t nb_frames, nb_gaps; /* gaps: sequence numbers that were skipped */
	uint64_t nb_missed[NB_MISSED_CAUSES];
	uint64_t first_ns, last_ns;                       /* when frames were done */
	uint64_t longest_at_ns;                           /* where the longest interval ended */
	uint32_t sequence;                                /* of the last frame */
	uint32_t width, height, fourcc, fps_num, fps_den; /* 0: not in the trace */
	uint32_t most_backlog;   /* DQBUF events that waited for a descriptor */
	struct hist interval_ns; /* from frame to frame */
	struct hist deliver_ns;  /* from the frame until the driver could see its DQBUF event */
	uint32_t lanes[NB_COLUMNS * NB_LANES]; /* column by column */
};

struct streams {
	struct columns columns;
	uint32_t nb;
	uint64_t nb_uncounted; /* frames of streams beyond STREAMS_MAX */
	uint64_t nb_lost;
	struct stream *streams[STREAMS_MAX];
	char device_names[STREAMS_MAX_DEVICES][32]; /* "": not in the trace */
};

#define STREAMS_WANTS                                                                        \
	(EVENT_BIT(dqbuf_publish) | EVENT_BIT(frame_missed) | EVENT_BIT(format) |            \
		EVENT_BIT(stream_on) | EVENT_BIT(statedump_format) | EVENT_BIT(device_add) | \
		EVENT_BIT(statedump_device))

struct streams *streams_create(void);
void streams_destroy(struct streams *streams);
/* A stream for which there is no memory counts as one beyond STREAMS_MAX. */
void streams_add(struct streams *streams, const struct event *event);

/* Frames per second between the first and the last frame; 0 with fewer than two. */
double stream_fps(const struct stream *stream);
uint64_t stream_missed(const struct stream *stream);
/* "device 0 (cam0) session 1 capture"; text is the caller's. */
void stream_title(
	const struct streams *streams, const struct stream *stream, char *text, size_t text_bytes);

/* Three lanes of text for each stream, width columns wide (20 .. NB_COLUMNS). */
void streams_print(const struct streams *streams, uint32_t width, FILE *out);

#endif
