/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/util.h"
#include "analysis/columns.h"

bool
columns_reach(struct columns *columns, uint64_t time_ns)
{
	uint32_t column;

	if (columns->width_ns == 0) {
		columns->origin_ns = time_ns;
		columns->width_ns = COLUMNS_FIRST_WIDTH;
	}
	if (time_ns > columns->origin_ns &&
		(time_ns - columns->origin_ns) / columns->width_ns >= NB_COLUMNS) {
		columns->width_ns *= 2;
		columns->nb_used = (columns->nb_used + 1) / 2;
		return false;
	}
	column = columns_find(columns, time_ns);
	columns->nb_used = MAX(columns->nb_used, column + 1);
	return true;
}

void
columns_fold(uint32_t *data, uint32_t nb_rows)
{
	for (uint32_t i = 0; i < NB_COLUMNS; i++) {
		for (uint32_t row = 0; row < nb_rows; row++) {
			uint32_t left = 2 * i * nb_rows + row;

			data[i * nb_rows + row] =
				i < NB_COLUMNS / 2 ? data[left] + data[left + nb_rows] : 0;
		}
	}
}
