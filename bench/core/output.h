/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of --json. Main thread. */
#ifndef VMEDIA_BENCH_OUTPUT_H
#define VMEDIA_BENCH_OUTPUT_H

struct json_object;

/* Takes `top`. 0 or negative errno, with the reason on stderr. */
int output_json(const char *path, struct json_object *top);

#endif
