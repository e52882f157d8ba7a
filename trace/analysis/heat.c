/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/util.h"
#include "analysis/heat.h"

#define LOWEST_POWER 6u /* row 0: below 96 ns */

uint32_t
heat_row(uint64_t value_ns)
{
	uint32_t power = 63u - (uint32_t)__builtin_clzll(value_ns | (1u << LOWEST_POWER));
	uint32_t half = (uint32_t)(value_ns >> (power - 1)) & 1u;

	return MIN((power - LOWEST_POWER) * 2 + half, HEAT_ROWS - 1);
}

uint64_t
heat_row_low(uint32_t row)
{
	uint64_t low = 1ULL << (LOWEST_POWER + row / 2);

	return row == 0 ? 0 : low + (row % 2) * (low / 2);
}

void
heat_record(struct heat *heat, uint64_t time_ns, uint64_t value_ns)
{
	while (!columns_reach(&heat->columns, time_ns)) {
		columns_fold(heat->counts, HEAT_ROWS);
	}
	heat->counts[columns_find(&heat->columns, time_ns) * HEAT_ROWS + heat_row(value_ns)]++;
}
