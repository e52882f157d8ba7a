/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-micro: what the parts cost on their own, in one thread with everything in its cache, where
 * vmedia-latency says what they cost together with the way between two CPUs.
 *
 *   main.c     options, rounds, tables
 *   pass.c     passes of a device over loopback: idle, G_CTRL, QBUF with its frame and event
 *   ring.c     a chain through both ends of a ring
 *   codec.c    payloads from and to the wire
 *   memory.c   ranges of an arena; a frame of pattern beside memset of the same buffers
 *   stats.c    a histogram, a tracepoint nobody listens to, clocks
 */
#ifndef VMEDIA_BENCH_MICRO_H
#define VMEDIA_BENCH_MICRO_H

#include <stdint.h>

struct micro {
	const char *name;
	const char *what;            /* one operation, for the table */
	uint64_t nb;                 /* operations in a round */
	uint64_t bytes;              /* that one operation writes; 0: it is no matter of bytes */
	int (*begin)(void);          /* 0 or negative errno; NULL: nothing to do */
	uint64_t (*run)(uint64_t n); /* n operations; the TSC ticks they took */
	void (*end)(void);
};

#define MICRO_MAX_TABLE 8

/* Each ends with a row without a name. */
extern const struct micro micro_pass[], micro_ring[], micro_codec[], micro_memory[], micro_stats[];

#endif
