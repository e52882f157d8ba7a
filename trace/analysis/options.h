/* SPDX-License-Identifier: BSD-3-Clause */
/* The parameters of the plugin's components: one table, one struct. Times in ns. */
#ifndef VMEDIA_ANALYSIS_OPTIONS_H
#define VMEDIA_ANALYSIS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <babeltrace2/babeltrace.h>

enum options_user {
	OPTIONS_LATENCY = 1 << 0,
	OPTIONS_TIMELINE = 1 << 1,
	OPTIONS_REPORT = 1 << 2,
	OPTIONS_CHECK = 1 << 3,
	OPTIONS_PERFETTO = 1 << 4,
	OPTIONS_SPANS = 1 << 5,
	OPTIONS_SELECT = 1 << 6,
	OPTIONS_SINKS = OPTIONS_LATENCY | OPTIONS_TIMELINE | OPTIONS_REPORT | OPTIONS_CHECK |
	                OPTIONS_PERFETTO,
};

struct options {
	char path[4096]; /* "": standard output */
	char title[128];
	char format[16]; /* text, json, csv */
	char by[16];     /* all, ioctl, session */
	char ioctl[32];
	uint64_t width;
	uint64_t slowest;
	uint64_t context_us;
	uint64_t min_us;
	int64_t begin_ns, end_ns; /* -1: open */
	int64_t device, session;  /* -1: every */
	bool allow_lost, allow_empty;
};

/*
 * Defaults, then what the user gave; 0, or -EINVAL with the reason and what is allowed in why[].
 * A parameter that the user of the struct does not know is an error.
 */
int options_parse(struct options *options, enum options_user user, const bt_value *params,
	char *why, size_t why_bytes);

#endif
