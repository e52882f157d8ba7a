/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-load: what devices take when commands come at a given rate, or as fast as they are
 * answered, from one thread to any number of devices.
 *
 * Open loop: each command has a time at which it is due, whatever became of those before. Its
 * latency counts from there, so a device that stood still is charged for all that waited meanwhile
 * (no coordinated omission). The service time, from its being published, is shown beside it. Closed
 * loop: a command is due when a slot is free.
 *
 *   main.c       options
 *   load.c       runs: echo and device in turns
 *   lanes.c      HOT: the loop that sends and takes
 *   arrivals.h   due times
 *   stall.c      makes the device stand still on purpose
 *   report.c     tables, JSON
 */
#ifndef VMEDIA_BENCH_LOAD_H
#define VMEDIA_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/chain.h"
#include "core/cpu.h"
#include "core/environment.h"
#include "core/target.h"
#include "core/usage.h"
#include "driver/driver.h"
#include "echo/partner.h"
#include "load/arrivals.h"
#include "stats/hist.h"

#define LOAD_MAX_DEPTH 64
#define LOAD_MAX_RUNS  32
#define LOAD_MAX_SLOS  8

enum load_side {
	LOAD_ECHO,
	LOAD_DEVICE,
	LOAD_NB_SIDES
};

enum load_loop {
	LOAD_OPEN,
	LOAD_CLOSED,
	LOAD_NB_LOOPS
};

/* An upper limit for a percentile of the open loop's latency. */
struct load_slo {
	double percent, limit_ns;
};

struct load_options {
	struct cpu_pair cpus;
	struct target_options target;
	const char *ioctl; /* name of the command */
	bool packed, direct, hugepages;
	bool interrupts; /* the driver sleeps until the device notifies */
	bool guest_like; /* one command in flight, and as many event buffers as Linux posts */
	bool no_echo;
	unsigned int depth, runs, slices;
	unsigned int flood; /* commands always in flight on one more device; 0: there is none */
	double rate; /* per second over all devices; 0: half of what the closed loop reaches */
	bool poisson;
	uint64_t seed;
	double seconds, warm_up_seconds; /* per run, side and loop */
	double stall_ms, stall_every_ms; /* 0: none */
	struct load_slo slos[LOAD_MAX_SLOS];
	unsigned int nb_slos;
	const char *json;
};

/* One command in flight at most. */
struct lane {
	struct chain chain;
	uint64_t due_tsc;
};

/* A driver and its lanes, used in turn: those in flight are lanes[oldest], and so on. */
struct lane_group {
	struct driver *drv;
	struct driver_session *session;
	struct lane *lanes;
	unsigned int depth, oldest, nb_flight;
};

/* What one side, echo or device, is asked through. */
struct lanes {
	struct lane_group *groups;
	unsigned int nb_groups;
	unsigned int turn; /* who is asked next */
	bool interrupts;
	struct lanes *flood; /* kept full meanwhile, and not measured; NULL: nobody */
};

struct load_result {
	struct hist latency, service; /* ticks: from due, from published, to seen */
	uint64_t nb;
	double seconds;      /* during which they were sent */
	uint64_t backlog_ns; /* longest time a command waited to be published */
};

struct load_run {
	struct load_result results[LOAD_NB_SIDES][LOAD_NB_LOOPS];
	double rate;         /* of the open loop, per second */
	double waited_ms[2]; /* driver, device: runnable, but something else ran */
	double others_ms, steal_ms[2], run_ms;
	bool noisy;
};

struct load {
	struct load_options o;
	struct environment env;
	struct target target;
	struct partner partner;
	struct lanes sides[LOAD_NB_SIDES];
	struct lanes flood; /* the last device, where it is asked for */
	bool has[LOAD_NB_SIDES];
	struct load_run *runs;
	unsigned int nb_runs;
};

extern const char *const load_side_names[LOAD_NB_SIDES];
extern const char *const load_loop_names[LOAD_NB_LOOPS];

/* ---- lanes.c. 0 or negative errno, with the reason on stderr. */
/* The command by its name; false: there is no such. *names: all of them. */
bool lanes_knows(const char *ioctl, const char **names);
/* Opens a session on each driver and prepares the chains. `drivers` are the caller's. */
int lanes_create(struct lanes *l, struct driver *const *drivers, unsigned int nb,
	const struct load_options *o, bool checked);
void lanes_destroy(struct lanes *l);
/*
 * Sends for `seconds`, then waits for what is under way, and floods meanwhile. arrivals: due times,
 * open loop, which go on where the last call ended; NULL: closed. result: added to; NULL: nobody
 * looks.
 */
int lanes_ask(
	struct lanes *l, struct arrivals *arrivals, double seconds, struct load_result *result);

/* ---- stall.c: a thread that stops the process of the target now and then; it sleeps itself. */
int stall_start(const struct target *target, double ms, double every_ms);
void stall_end(void);

/* ---- load.c */
int load_run(struct load *l, struct load_run *run);

/* ---- report.c */
void report_run(const struct load *l, unsigned int index);
/* Summary; false: a service level was missed. */
bool report_end(const struct load *l);
int report_json(const struct load *l);

#endif
