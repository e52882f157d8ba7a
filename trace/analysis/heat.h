/* SPDX-License-Identifier: BSD-3-Clause */
/* How many values of which size when: a heat map of fixed size, two rows per power of two. */
#ifndef VMEDIA_ANALYSIS_HEAT_H
#define VMEDIA_ANALYSIS_HEAT_H

#include "analysis/columns.h"

#define HEAT_ROWS 64u

struct heat {
	struct columns columns;
	uint32_t counts[NB_COLUMNS * HEAT_ROWS]; /* column by column */
};

/* All zeroes is a valid, empty map. */
void heat_record(struct heat *heat, uint64_t time_ns, uint64_t value_ns);

/* The row of a value and the smallest value of a row. */
uint32_t heat_row(uint64_t value_ns);
uint64_t heat_row_low(uint32_t row);

#endif
