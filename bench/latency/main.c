/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/option.h"
#include "core/telemetry.h"
#include "latency/latency.h"

enum {
	KEY_DIRECT = 256,
	KEY_HUGEPAGES,
	KEY_PID,
	KEY_SLICES
};

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with one null camera", 0},
	{"socket", 's', "PATH", 0, "socket of a null camera whose reactor polls on CPU DEVICE", 0},
	{"pid", KEY_PID, "N", 0,
		"its process, stopped while the echo runs (default: of the socket)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"direct", KEY_DIRECT, NULL, 0, "no indirect descriptors", 0},
	{"hugepages", KEY_HUGEPAGES, NULL, 0, "guest memory from 2 MiB pages", 0},
	{"runs", 'r', "N", 0, "1 to 32 (default 5)", 0},
	{"samples", 'n', "N", 0, "per shape, side and run (default 100000)", 0},
	{"slices", KEY_SLICES, "N", 0, "turns of floor, echo, device in a run (default 20)", 0},
	{"json", 'j', "FILE", 0, "write all figures here as well", 0},
	{"assert", 'a', "RATIO", 0,
		"exit status 1 if the median p50 of G_CTRL or QBUF is more than RATIO x echo", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct latency_options *o = state->input;

	switch (key) {
	case 'S':
		o->target.spawn = arg;
		break;
	case 's':
		o->target.sockets[0] = arg;
		o->target.nb_sockets = 1;
		break;
	case KEY_PID:
		o->target.pid = (pid_t)option_whole(state, key, arg, 2, INT32_MAX);
		break;
	case 'c':
		option_cpus(arg, &o->cpus);
		break;
	case 'p':
		o->packed = true;
		break;
	case KEY_DIRECT:
		o->direct = true;
		break;
	case KEY_HUGEPAGES:
		o->hugepages = true;
		break;
	case 'r':
		o->runs = (unsigned int)option_whole(state, key, arg, 1, LATENCY_MAX_RUNS);
		break;
	case 'n':
		o->samples = option_whole(state, key, arg, 1, 1000000000);
		break;
	case KEY_SLICES:
		o->slices = (unsigned int)option_whole(state, key, arg, 1, LATENCY_MAX_SLICES);
		break;
	case 'j':
		o->json = option_json(state, arg);
		break;
	case 'a':
		o->assert_ratio = option_number(state, key, arg, 0.01, 1000);
		break;
	case ARGP_KEY_END:
		option_target(state, &o->target);
		if (o->samples < o->slices) {
			argp_error(state, "fewer samples than slices");
		}
		if (o->assert_ratio > 0 && !target_is_wanted(&o->target)) {
			argp_error(state, "--assert needs a device: --spawn or --socket");
		}
		break;
	case ARGP_KEY_ARG:
		argp_usage(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* Its first commands would be late by what waking a reactor takes. */
static void
check_idle(const struct latency *l)
{
	uint64_t nb_sleeps = 0;

	if (l->o.target.spawn == NULL &&
		telemetry_sleeps(l->target.pid, l->o.cpus.device, &nb_sleeps) == 0 &&
		nb_sleeps > 0) {
		fprintf(stderr,
			"warning: %s: its reactor on CPU %d sleeps when it is idle, one that polls "
			"is wanted: vmediad --idle poll\n",
			l->o.target.sockets[0], l->o.cpus.device);
	}
}

/* The device is set up, then stopped; from here on it runs in its own slices only. */
static int
set_up(struct latency *l)
{
	int ret = 0;

	l->has_device = target_is_wanted(&l->o.target);
	if (l->has_device) {
		ret = target_start(&l->target, &l->o.target);
	}
	/* Not before: a child would inherit it. */
	if (ret == 0) {
		ret = cpu_pin(l->o.cpus.driver);
	}
	if (ret == 0 && l->has_device) {
		ret = subject_device(&l->device, &l->target, &l->o);
		if (ret == 0) {
			ret = mapping_prepare(&l->mapping, l->device.drv, l->device.session);
		}
		if (ret == 0) {
			ret = subject_learn(&l->device, &l->device_stamps);
		}
		if (ret == 0) {
			check_idle(l);
			ret = target_stop(&l->target);
		}
	}
	if (ret == 0) {
		ret = subject_echo(&l->echo, &l->partner, &l->o, l->has_device ? &l->device : NULL);
	}
	return ret;
}

static int
measure(struct latency *l)
{
	int ret = 0;

	for (unsigned int i = 0; i < l->o.runs && ret == 0; i++) {
		ret = run_measure(l, &l->runs[i]);
		if (ret == 0) {
			l->nb_runs++;
			report_run(l, i);
		}
	}
	if (ret == 0) {
		report_end(l);
		ret = l->o.json != NULL ? report_json(l) : 0;
	}
	return ret;
}

static void
tear_down(struct latency *l)
{
	subject_end(&l->echo);
	partner_end(&l->partner);
	if (l->has_device) {
		if (l->target.pid > 0) {
			target_continue(&l->target);
		}
		mapping_release(&l->mapping);
		subject_end(&l->device);
		target_end(&l->target);
	}
}

/* A ratio that could not be measured is not within the limit. */
static int
verdict(const struct latency *l)
{
	static const enum shape asserted[] = {SHAPE_G_CTRL, SHAPE_QBUF};
	int status = 0;

	for (unsigned int i = 0; l->o.assert_ratio > 0 && i < 2; i++) {
		double median = report_median(l, asserted[i], FIGURES_P50);

		if (!(median > 0)) {
			printf("FAILED: what %s takes is unknown, too few samples; at most %g x "
			       "the echo wanted\n",
				shape_names[asserted[i]], l->o.assert_ratio);
			status = 1;
		} else if (median > l->o.assert_ratio) {
			printf("FAILED: %s takes %.2f x the echo, at most %g wanted\n",
				shape_names[asserted[i]], median, l->o.assert_ratio);
			status = 1;
		}
	}
	return status;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"Round trips with a vmedia device, with a bare echo of the same chains, and of a "
		"cache line, alternately in one run. Without --spawn and --socket: without a device.",
		NULL, NULL, NULL};
	static struct latency l;
	int ret;

	l.o = (struct latency_options){.cpus = CPU_PAIR_DEFAULT,
		.runs = 5,
		.slices = 20,
		.samples = 100000,
		.target = {.nb_devices = 1, .device = "backend=null,role=capture,stamp-done=yes"}};
	option_parse(&argp, argc, argv, &l.o, &l.o.cpus);
	l.o.target.cpu = l.o.cpus.device;
	environment_read(&l.env, &l.o.cpus);
	environment_print(&l.env);
	ret = set_up(&l);
	if (ret == 0) {
		ret = measure(&l);
	}
	tear_down(&l);
	return ret != 0 ? 1 : verdict(&l);
}
