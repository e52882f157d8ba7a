/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-streams: what a device more costs a reactor. Processes with different numbers of paced
 * null cameras take turns on one CPU; whoever is not measured is stopped. One driver thread takes
 * the frames of all of them.
 *
 *   main.c     options, turns, report
 *   group.c    one process: connect, idle, stream
 *   report.c   tables, JSON
 *
 * vmedia-capacity drives groups as well.
 */
#ifndef VMEDIA_BENCH_STREAMS_H
#define VMEDIA_BENCH_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/cpu.h"
#include "core/environment.h"
#include "core/noise.h"
#include "core/target.h"
#include "core/telemetry.h"
#include "driver/driver.h"
#include "stats/hist.h"

#define STREAMS_MAX_GROUPS 8
#define STREAMS_MAX_RUNS   32
#define STREAMS_NB_BUFFERS 4

struct streams_options {
	struct cpu_pair cpus;
	const char *spawn, *pages;
	unsigned int counts[STREAMS_MAX_GROUPS]; /* devices */
	unsigned int nb_counts, fps, runs;
	unsigned int width, height; /* of the frames */
	double seconds;             /* of a turn */
	bool packed;
	const char *json;
};

struct stream {
	struct driver *drv;
	struct driver_session *session;
	struct v4l2_buffer buffers[STREAMS_NB_BUFFERS];
	uint32_t to_queue;   /* bits: buffers that came back */
	uint32_t sequence;   /* of its next frame */
	uint64_t nb_periods; /* of the turn: frames and gaps between them */
};

/* One turn. */
struct streams_run {
	uint64_t nb_frames;
	uint64_t nb_missed; /* periods without a frame: gaps in the sequence, or nothing came any
	                       more */
	uint64_t nb_late;   /* frames seen more than a period after they were done */
	double seconds;
	double work_ns; /* of the reactor per frame, beyond what looking at its devices costs */
	double busy_ns; /* per frame, passes that did something, looking included */
	double idle_pass_ns; /* a pass that finds nothing, while they stream */
	struct noise noise;
};

struct group {
	struct target target;
	struct target_options target_options;
	unsigned int nb;
	struct stream *streams;
	double rest_pass_ns; /* a pass while all are connected and nobody streams */
	/* Of the process, per device. Huge pages are not part of what the kernel calls resident. */
	double rss_kib, huge_kib, fds;
	struct hist latency; /* frame done -> its event seen, ticks */
	struct streams_run runs[STREAMS_MAX_RUNS];
};

/* group.c. 0 or negative errno, with the reason on stderr. */
/* Starts the process, connects all, measures it at rest, streams and stops it. */
int group_start(struct group *g, const struct streams_options *o, unsigned int nb);
/* One turn. */
int group_run(struct group *g, const struct streams_options *o, struct streams_run *run);
void group_end(struct group *g);

/* report.c */
void streams_report(
	const struct streams_options *o, const struct group *groups, const struct environment *env);
int streams_json(
	const struct streams_options *o, const struct group *groups, const struct environment *env);

#endif
