/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-latency: round trips of a driver with a device, beside those of the same driver code, the
 * same thread and the same chains with an echo, and beside the floor. The three alternate in slices
 * of a few ms, so that what the machine does to one it does to all; only ratios within a run mean
 * something.
 *
 * Two CPUs, two spinning threads: the driver's, and on the other CPU either the reactor of the
 * device or our own partner thread. The one that is not asked sleeps: the device's process is
 * stopped by SIGSTOP, the partner waits for a semaphore.
 */
#ifndef VMEDIA_BENCH_LATENCY_H
#define VMEDIA_BENCH_LATENCY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/chain.h"
#include "core/cpu.h"
#include "core/environment.h"
#include "core/figures.h"
#include "core/target.h"
#include "driver/driver.h"
#include "echo/partner.h"
#include "linux/virtio_media.h"
#include "stats/hist.h"

#define LATENCY_MAX_RUNS   32
#define LATENCY_MAX_SLICES 1000

struct latency_options {
	struct cpu_pair cpus;
	struct target_options target;
	bool packed, direct, hugepages;
	unsigned int runs, slices;
	uint64_t samples;    /* per shape, side and run */
	double assert_ratio; /* 0: none */
	const char *json;
};

enum shape {
	SHAPE_G_CTRL, /* chain published -> used element seen */
	SHAPE_QBUF,   /* the same */
	SHAPE_DQBUF,  /* QBUF published -> DQBUF event of its buffer seen */
	SHAPE_DONE,   /* its frame done, as the event says -> DQBUF event seen */
	NB_SHAPES
};

enum mapping_kind {
	MAPPING_MMAP,
	MAPPING_MUNMAP,
	NB_MAPPINGS
};

enum side {
	SIDE_ECHO,
	SIDE_DEVICE,
	NB_SIDES
};

/* names.c */
extern const char *const shape_names[NB_SHAPES];
extern const char *const side_names[NB_SIDES];
extern const char *const mapping_names[NB_MAPPINGS];

/* ---- subject.c: what is asked, echo and device alike. */
struct subject {
	struct driver *drv;
	struct driver_session *session;
	struct chain chains[2]; /* G_CTRL, QBUF */
	bool checked;           /* the answers have a status, and it must be 0 */
};

/* A device: connects, opens, has one buffer and streams. Takes target->fd. */
int subject_device(struct subject *s, struct target *target, const struct latency_options *o);
/* An echo with the ring features of `like` (NULL: all); the partner must not have been started. */
int subject_echo(struct subject *s, struct partner *p, const struct latency_options *o,
	const struct subject *like);
void subject_end(struct subject *s);

/* `nb` round trips in TSC ticks. done: NULL when the events do not say when their frame was done. 0
 * or negative errno. */
int subject_ask_g_ctrl(struct subject *s, uint64_t nb, struct hist *ticks);
int subject_ask_qbuf(
	struct subject *s, uint64_t nb, struct hist *qbuf, struct hist *dqbuf, struct hist *done);
/* By a QBUF: whether they say it. */
int subject_learn(struct subject *s, bool *stamped);

/* ---- mapping.c: MMAP and MUNMAP of a buffer that is mapped already. */
struct mapping {
	struct driver_raw *mmap, *munmap;
	struct virtio_media_cmd_mmap cmd;
};

/* After subject_device(), of the same session. 0 or negative errno. */
int mapping_prepare(struct mapping *m, struct driver *drv, struct driver_session *session);
void mapping_release(struct mapping *m);
/* `nb` of each, in turns. */
int mapping_ask(struct mapping *m, uint64_t nb, struct hist *mmap, struct hist *munmap);

/* ---- run.c */
struct run {
	struct figures floor, figures[NB_SIDES][NB_SHAPES], mappings[NB_MAPPINGS];
	double ratio[NB_SHAPES];     /* p50 device / p50 echo; 0: unknown */
	double ratio99[NB_SHAPES];   /* the same of p99 */
	double paired[NB_SHAPES];    /* median over the slices of the same ratio within one slice:
	                              * also right when the CPUs moved in the middle of a run */
	double floor_min, floor_max; /* p50 of the slices, ns */
	double run_ms, device_ms;    /* wall time: all of it, with the device */
	double driver_delay_ms, reactor_delay_ms, others_ms, steal_ms[2];
	char reactor[16]; /* name of the busiest thread of the device's process */
	int reactor_cpu;
	uint64_t kicks;
	bool moved; /* the CPUs, to or from each other, while it ran */
	bool noisy;
};

struct latency {
	struct latency_options o;
	struct environment env;
	struct target target;
	struct partner partner;
	struct subject echo, device;
	struct mapping mapping;         /* of the device */
	bool has_device, device_stamps; /* its events say when their frame was done */
	unsigned int nb_runs;
	struct run runs[LATENCY_MAX_RUNS];
};

int run_measure(struct latency *l, struct run *run);

/* ---- report.c, report_json.c */
void report_run(const struct latency *l, unsigned int index);
/* Median over the runs of p50 by p50, or of p99 by p99; 0: unknown. */
double report_median(const struct latency *l, enum shape shape, enum figures_percentile which);
/* The same of p50 of MMAP or MUNMAP by p50 of G_CTRL. */
double report_median_mapping(const struct latency *l, enum mapping_kind kind);
void report_end(const struct latency *l);
int report_json(const struct latency *l);

#endif
