/* SPDX-License-Identifier: BSD-3-Clause */
/* The facts without which a figure says nothing: where, on what, of which source. */
#ifndef VMEDIA_BENCH_ENVIRONMENT_H
#define VMEDIA_BENCH_ENVIRONMENT_H

#include <stdint.h>

#include "core/cpu.h"

#define ENVIRONMENT_MAX_FACTS 24

struct fact {
	const char *name; /* "tsc_hz" */
	char value[160];  /* "unknown" when this system does not say */
};

struct environment {
	unsigned int nb;
	struct fact facts[ENVIRONMENT_MAX_FACTS];
};

void environment_read(struct environment *env, const struct cpu_pair *cpus);
void environment_print(const struct environment *env);

#ifdef HAVE_JSONC
struct json_object *environment_json(const struct environment *env);
#endif

#endif
