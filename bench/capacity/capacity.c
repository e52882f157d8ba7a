/* SPDX-License-Identifier: BSD-3-Clause */
#include "capacity/capacity.h"

#include <errno.h>

#include "base/clock.h"
#include "base/util.h"
#include "capacity/search.h"

#define NEED_BEYOND 10.5 /* frames beyond a percentile, and some to spare */
#define STEP_DOWN   8    /* a number that did not hold at length is lowered by 1/8 */

static void
judge(const struct capacity_options *o, const struct hist *ticks, struct capacity_try *t)
{
	const struct streams_run *run = &t->run;
	double due = (double)(run->nb_frames + run->nb_missed);
	double late_percent = (double)(run->nb_missed + run->nb_late) * 100 / due;

	figures_take(&t->figures, ticks);
	t->percentile_us = t->figures.max_ns / NSEC_PER_USEC;
	if (hist_percentile_is_sound(hist_count(ticks), o->percent)) {
		uint64_t ns = clock_tsc_to_ns(hist_percentile(ticks, o->percent));

		t->percentile_us = (double)ns / NSEC_PER_USEC;
	}
	t->busy_percent = run->work_ns * (double)run->nb_frames / (run->seconds * 1e9) * 100;
	t->holds = t->percentile_us <= o->limit_us && late_percent <= o->late_percent;
}

/* As many frames as its percentile needs, and some of each stream, but no longer than the last one.
 */
static double
seconds_of_try(const struct capacity_options *o, unsigned int nb)
{
	double needed = NEED_BEYOND * 100 / (100 - o->percent) / (nb * o->streams.fps);

	needed = MAX(needed, (double)CAPACITY_MIN_PERIODS / o->streams.fps);
	return MIN(MAX(o->try_seconds, needed), o->streams.seconds);
}

/* One process, from its start to its end. */
static int
try_once(struct capacity *c, unsigned int nb, bool is_long)
{
	static struct group group;
	struct streams_options streams = c->o.streams;
	struct capacity_try *t;
	int ret;

	if (c->nb_tries == CAPACITY_MAX_TRIES) {
		return -E2BIG;
	}
	t = &c->tries[c->nb_tries++];
	*t = (struct capacity_try){.nb = nb, .is_long = is_long};
	streams.seconds = is_long ? streams.seconds : seconds_of_try(&c->o, nb);
	group = (struct group){0};
	ret = group_start(&group, &streams, nb);
	ret = ret != 0 ? ret : group_run(&group, &streams, &t->run);
	if (ret == 0) {
		judge(&c->o, &group.latency, t);
		capacity_print_try(t);
	} else {
		c->nb_tries--;
	}
	group_end(&group);
	return ret;
}

/* 1: it holds, 0: it does not, or negative errno. The long one decides, so a short one that was
 * unlucky must not end the search. */
static int
try(struct capacity *c, unsigned int nb, bool is_long)
{
	const struct capacity_try *t;

	for (int i = 0; i < CAPACITY_REPEATS; i++) {
		int ret = try_once(c, nb, is_long);

		if (ret != 0) {
			return ret;
		}
		t = &c->tries[c->nb_tries - 1];
		if (t->holds || (is_long && !t->run.noise.noisy)) {
			return t->holds;
		}
	}
	return 0;
}

/* What is tried at length after nb: a little less, later by halves, down to 1. */
static unsigned int
next_lower(unsigned int nb, unsigned int nb_tried)
{
	return nb_tried < CAPACITY_FINE ? nb - MAX(nb / STEP_DOWN, 1) : nb / 2;
}

int
capacity_find(struct capacity *c)
{
	struct search search = {.most = c->o.most};
	unsigned int nb, nb_tried = 0;
	int ret = 0;

	capacity_print_heading(c);
	while (ret >= 0 && (nb = search_next(&search)) != 0) {
		ret = try(c, nb, false);
		search_tell(&search, nb, ret == 1);
	}
	c->nb_short = search.good;
	ret = MIN(ret, 0);
	for (nb = search.good; nb > 0 && ret == 0; nb = next_lower(nb, ++nb_tried)) {
		ret = try(c, nb, true);
		c->found = ret == 1 ? &c->tries[c->nb_tries - 1] : NULL;
	}
	return MIN(ret, 0);
}
