/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmedia-latency and vmedia-compare share besides the subjects. */
#include <stdlib.h>

#include "latency/latency.h"

const char *const shape_names[NB_SHAPES] = {"G_CTRL", "QBUF", "DQBUF", "done"};
const char *const side_names[NB_SIDES] = {"echo", "device"};
const char *const mapping_names[NB_MAPPINGS] = {"MMAP", "MUNMAP"};

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
median_of(double *values, unsigned int nb)
{
	if (nb == 0) {
		return 0;
	}
	qsort(values, nb, sizeof(values[0]), compare);
	return nb % 2 == 1 ? values[nb / 2] : (values[nb / 2 - 1] + values[nb / 2]) / 2;
}
