/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvmedia-trace-clock.so: LTTng-UST's clock is the TSC. LTTng loads it where
 * LTTNG_UST_CLOCK_PLUGIN names it, which must be in every process of a recording, or the trace
 * cannot be read: vmedia-trace record --clock=tsc sees to that, or refuses.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <lttng/ust-clock.h>

#include "base/clock.h"

#define CALIBRATION_NS (200 * NSEC_PER_MSEC) /* right to 0.3 ppm */
#define TRIES          16

/* Called by LTTng when it loads this. */
void lttng_ust_clock_plugin_init(void);

/* The TSC at a time; the tightest of several readings. */
static uint64_t
read_pair(uint64_t *ns)
{
	uint64_t best = UINT64_MAX, tsc = 0;

	for (int i = 0; i < TRIES; i++) {
		uint64_t before = clock_tsc(), at_ns = clock_monotonic_ns();
		uint64_t width = clock_tsc() - before;

		if (width < best) {
			best = width;
			tsc = before + width / 2;
			*ns = at_ns;
		}
	}
	return tsc;
}

/* Asked by the session daemon, once per recording; it goes into the trace. */
static uint64_t
frequency(void)
{
	const struct timespec nap = {0, (long)CALIBRATION_NS};
	uint64_t begin_ns = 0, end_ns = 0, begin = read_pair(&begin_ns), end;

	nanosleep(&nap, NULL);
	end = read_pair(&end_ns);
	return (uint64_t)((unsigned __int128)(end - begin) * NSEC_PER_SEC / (end_ns - begin_ns));
}

static uint64_t
read_clock(void)
{
	return clock_tsc();
}

/* That of the boot, as LTTng's own clock has it, but for its end: recordings of one boot agree. */
static int
uuid(char *text)
{
	FILE *in = fopen("/proc/sys/kernel/random/boot_id", "re");
	size_t bytes = in != NULL ? fread(text, 1, LTTNG_UST_UUID_STR_LEN - 1, in) : 0;

	if (in != NULL) {
		fclose(in);
	}
	if (bytes != LTTNG_UST_UUID_STR_LEN - 1) {
		return -ENOENT;
	}
	memcpy(text + bytes - 4, "075c", 5);
	return 0;
}

static const char *
name(void)
{
	return "tsc";
}

static const char *
description(void)
{
	return "Time stamp counter";
}

void
lttng_ust_clock_plugin_init(void)
{
	if (lttng_ust_trace_clock_set_read64_cb(read_clock) != 0 ||
		lttng_ust_trace_clock_set_freq_cb(frequency) != 0 ||
		lttng_ust_trace_clock_set_uuid_cb(uuid) != 0 ||
		lttng_ust_trace_clock_set_name_cb(name) != 0 ||
		lttng_ust_trace_clock_set_description_cb(description) != 0 ||
		lttng_ust_enable_trace_clock_override() != 0) {
		fprintf(stderr, "libvmedia-trace-clock.so: LTTng refuses the TSC as its clock\n");
	}
}
