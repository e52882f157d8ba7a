/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time in a fixed number of columns, for a trace of unknown length: when it outgrows them, the
 * columns become twice as wide and the owner adds up his data pairwise.
 */
#ifndef VMEDIA_ANALYSIS_COLUMNS_H
#define VMEDIA_ANALYSIS_COLUMNS_H

#include <stdbool.h>
#include <stdint.h>

#define NB_COLUMNS          240u
#define COLUMNS_FIRST_WIDTH (1u << 20) /* ns */

struct columns {
	uint64_t origin_ns; /* left end of column 0 */
	uint64_t width_ns;  /* 0: nothing yet */
	uint32_t nb_used;
};

/* Grows until the column of time_ns exists; false: columns were folded once, fold data, call again.
 */
bool columns_reach(struct columns *columns, uint64_t time_ns);

/* Valid after columns_reach said true; a time before the origin counts to column 0. */
static inline uint32_t
columns_find(const struct columns *columns, uint64_t time_ns)
{
	return time_ns <= columns->origin_ns
	               ? 0
	               : (uint32_t)((time_ns - columns->origin_ns) / columns->width_ns);
}

/* Adds up pairs of neighbours, in place; the right half becomes zero. */
void columns_fold(uint32_t *data, uint32_t nb_rows);

#endif
