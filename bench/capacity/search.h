/* SPDX-License-Identifier: BSD-3-Clause */
/* The largest number of streams that is served in time, to 1/16, where fewer are served as well. */
#ifndef VMEDIA_BENCH_SEARCH_H
#define VMEDIA_BENCH_SEARCH_H

#include <stdbool.h>

struct search {
	unsigned int most; /* not beyond this, at least 1 */
	unsigned int good; /* the largest that held; 0: none yet */
	unsigned int bad;  /* the smallest that did not; 0: none yet */
};

/* The number to try next; 0: it is found, and is `good`. */
unsigned int search_next(const struct search *s);
void search_tell(struct search *s, unsigned int nb, bool holds);

#endif
