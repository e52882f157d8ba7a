/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to the fake guest: its memory. */
#ifndef VMEDIA_TESTS_FAKE_MEMORY_H
#define VMEDIA_TESTS_FAKE_MEMORY_H

#include "fake/guest.h"

/* ptr, or the end of the program when it is NULL. */
void *fake_must(void *ptr);

/* As many regions as g->config says, all zero. */
void fake_regions_create(struct fake_guest *g);
void fake_regions_destroy(struct fake_guest *g);

/* Zeroed bytes with a canary behind them; next fit, NULL when full. */
void *fake_region_alloc(struct fake_region *r, size_t bytes);

/* Gives them back and counts g->nb_overruns when the canary is dead. */
void fake_region_free(struct fake_guest *g, const struct iovec *iov);

#endif
