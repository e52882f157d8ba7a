/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmedia-latency and vmedia-compare share besides the subjects. */
#include "latency/latency.h"

const char *const shape_names[NB_SHAPES] = {"G_CTRL", "QBUF", "DQBUF", "done"};
const char *const side_names[NB_SIDES] = {"echo", "device"};
const char *const mapping_names[NB_MAPPINGS] = {"MMAP", "MUNMAP"};
