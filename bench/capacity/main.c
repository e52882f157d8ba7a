/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/util.h"
#include "capacity/capacity.h"
#include "core/option.h"

#define MOST_FPS       1000
#define FILES_KEPT     100  /* of a vmediad without devices */
#define FILES_EACH     18   /* of a device that is connected */
#define MEMORY_PERCENT 80   /* of what is available */
#define SOME_KIB       4096 /* of a device without its frames, on both sides */

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with null cameras", 0},
	{"size", 'w', "WIDTHxHEIGHT", 0, "of the frames (default 3840x2160)", 0},
	{"fps", 'f', "N", 0, "frames per second of each (default 60)", 0},
	{"slo", 's', "P=US", 0, "percentile of done -> seen (default 99.9=1000)", 0},
	{"late", 'l', "PERCENT", 0,
		"of the frames may be missed or later than their period (default 0)", 0},
	{"most", 'm', "N", 0, "devices (default: as there is room for, at most 1000)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"try", 'y', "SECONDS", 0,
		"length of a try (default 5); longer where the percentile needs it, at most --time",
		0},
	{"time", 't', "SECONDS", 0, "length of the last one, which decides (default 60)", 0},
	{"json", 'j', "FILE", 0, "write all tries here as well", 0},
	{0},
};

static void
parse_size(struct argp_state *state, const char *arg, struct streams_options *o)
{
	char rest;

	if (sscanf(arg, "%ux%u%c", &o->width, &o->height, &rest) != 2 || o->width < 16 ||
		o->height < 16 || o->width > 8192 || o->height > 8192) {
		argp_error(state, "--size %s: pixels, 16x16 to 8192x8192, please, as in 1920x1080",
			arg);
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct capacity_options *o = state->input;

	switch (key) {
	case 'S':
		o->streams.spawn = arg;
		break;
	case 'w':
		parse_size(state, arg, &o->streams);
		break;
	case 'f':
		o->streams.fps = (unsigned int)option_whole(state, key, arg, 1, MOST_FPS);
		break;
	case 's':
		option_slo(state, arg, &o->percent, &o->limit_us);
		break;
	case 'l':
		o->late_percent = option_number(state, key, arg, 0, 100);
		break;
	case 'm':
		o->most = (unsigned int)option_whole(state, key, arg, 1, CAPACITY_MAX_DEVICES);
		o->because = "--most";
		break;
	case 'c':
		option_cpus(arg, &o->streams.cpus);
		break;
	case 'p':
		o->streams.packed = true;
		break;
	case 'y':
		o->try_seconds = option_number(state, key, arg, 0.1, 3600);
		break;
	case 't':
		o->streams.seconds = option_number(state, key, arg, 0.1, 3600);
		break;
	case 'j':
		o->streams.json = option_json(state, arg);
		break;
	case ARGP_KEY_END:
		if (o->streams.spawn == NULL) {
			argp_error(state, "--spawn VMEDIAD, please");
		}
		if (o->streams.seconds * o->streams.fps < CAPACITY_MIN_PERIODS) {
			argp_error(state, "--time %g: at least %d periods, please",
				o->streams.seconds, CAPACITY_MIN_PERIODS);
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

/* MemAvailable; 0: unknown. */
static uint64_t
available_kib(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f != NULL && kib == 0 && fgets(line, sizeof(line), f) != NULL) {
		(void)sscanf(line, "MemAvailable: %llu kB", &kib);
	}
	if (f != NULL) {
		fclose(f);
	}
	return kib;
}

static void
lower(struct capacity_options *o, uint64_t most, const char *because)
{
	if (most < o->most) {
		o->most = (unsigned int)MAX(most, 1);
		o->because = because;
	}
}

/* Buffers are memory that is there, whether anybody writes to it or not. */
static void
limit(struct capacity_options *o)
{
	uint64_t frame_kib = (uint64_t)o->streams.width * o->streams.height * 3 / 2 / 1024;
	uint64_t each_kib = STREAMS_NB_BUFFERS * frame_kib + SOME_KIB;
	uint64_t kib = available_kib();
	struct rlimit files;

	if (kib > 0) {
		lower(o, kib * MEMORY_PERCENT / 100 / each_kib, "memory");
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max > FILES_KEPT) {
		lower(o, (files.rlim_max - FILES_KEPT) / FILES_EACH, "open files");
	}
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"How many streams one reactor serves in time: finds the largest number.", NULL,
		NULL, NULL};
	static struct capacity c = {.o = {.streams = {.cpus = CPU_PAIR_DEFAULT,
						  .pages = "4k",
						  .fps = 60,
						  .width = 3840,
						  .height = 2160,
						  .runs = 1,
						  .seconds = 60},
					    .try_seconds = 5,
					    .percent = 99.9,
					    .limit_us = 1000,
					    .most = CAPACITY_MAX_DEVICES,
					    .because = "the most of one process"}};
	int ret;

	option_parse(&argp, argc, argv, &c.o, &c.o.streams.cpus);
	limit(&c.o);
	environment_read(&c.env, &c.o.streams.cpus);
	ret = cpu_pin(c.o.streams.cpus.driver);
	ret = ret != 0 ? ret : capacity_find(&c);
	c.failed = ret != 0;
	capacity_print_result(&c);
	if (c.o.streams.json != NULL) {
		ret |= capacity_json(&c);
	}
	return ret != 0;
}
