/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/balance.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"

LOG_TYPE_USE(control);

#define GAIN_PERCENT 10 /* of a CPU; less is not worth a move */

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Of the devices of `from`: the one that comes closest to half the difference. */
static const struct balance_load *
best_of(const struct balance_load *loads, uint32_t nb, uint32_t from, uint64_t half)
{
	const struct balance_load *best = NULL;

	for (uint32_t i = 0; i < nb; i++) {
		const struct balance_load *l = &loads[i];

		if (l->reactor == from && !l->stays && l->used > 0 &&
			(best == NULL || distance(l->used, half) < distance(best->used, half))) {
			best = l;
		}
	}
	return best;
}

bool
balance_choose(const struct balance_load *loads, uint32_t nb_devices, uint32_t nb_reactors,
	uint64_t gain, struct balance_move *move)
{
	uint64_t used[CONFIG_MAX_REACTORS] = {0};
	const struct balance_load *best;
	uint32_t most = 0, least = 0;

	for (uint32_t i = 0; i < nb_devices; i++) {
		used[loads[i].reactor] += loads[i].used;
	}
	for (uint32_t i = 1; i < nb_reactors; i++) {
		most = used[i] > used[most] ? i : most;
		least = used[i] < used[least] ? i : least;
	}
	best = best_of(loads, nb_devices, most, (used[most] - used[least]) / 2);
	if (best == NULL ||
		MAX(used[most] - best->used, used[least] + best->used) + gain > used[most]) {
		return false;
	}
	*move = (struct balance_move){.device = (uint32_t)(best - loads), .to = least};
	return true;
}

/* ---- looking ---- */

/* What there was at the last look. */
struct seen {
	uint64_t work_tsc, nb_things; /* of a device: long work; commands and events */
};

static struct balancer {
	const struct manager *manager;
	uint32_t interval_ms;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stopping;
	struct seen devices[CONFIG_MAX_DEVICES];
	uint64_t busy_tsc[CONFIG_MAX_REACTORS];
	struct balance_load loads[CONFIG_MAX_DEVICES];
} balancer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static uint32_t
index_of(const struct manager *m, const struct reactor *reactor)
{
	uint32_t i = 0;

	while (i + 1 < manager_nb_reactors(m) && manager_reactor(m, i) != reactor) {
		i++;
	}
	return i;
}

/* What the reactor was busy with beside long work is shared out by what was done. */
struct sums {
	uint64_t busy_tsc, work_tsc, nb_things;
};

static void
look_at_device(struct balancer *b, uint32_t i, struct seen *delta, struct sums *sums)
{
	const struct vmedia_device *device = manager_device(b->manager, i);
	struct device_stats stats;
	struct seen now;
	uint32_t r;

	device_stats(device, &stats);
	now = (struct seen){.work_tsc = stats.work_tsc,
		.nb_things = stats.counters.nb_commands + stats.counters.nb_events};
	*delta = (struct seen){.work_tsc = now.work_tsc - b->devices[i].work_tsc,
		.nb_things = now.nb_things - b->devices[i].nb_things};
	b->devices[i] = now;
	r = index_of(b->manager, device_reactor(device));
	b->loads[i].reactor = r;
	b->loads[i].stays = manager_device_stays(b->manager, i);
	sums[r].work_tsc += delta->work_tsc;
	sums[r].nb_things += delta->nb_things;
}

static void
look(struct balancer *b)
{
	static struct seen deltas[CONFIG_MAX_DEVICES];
	struct sums sums[CONFIG_MAX_REACTORS] = {0};
	uint32_t nb = manager_nb_devices(b->manager);

	for (uint32_t i = 0; i < nb; i++) {
		look_at_device(b, i, &deltas[i], sums);
	}
	for (uint32_t i = 0; i < manager_nb_reactors(b->manager); i++) {
		struct reactor_stats stats;

		reactor_stats(manager_reactor(b->manager, i), &stats);
		sums[i].busy_tsc = stats.busy_tsc - b->busy_tsc[i];
		b->busy_tsc[i] = stats.busy_tsc;
	}
	for (uint32_t i = 0; i < nb; i++) {
		const struct sums *s = &sums[b->loads[i].reactor];
		uint64_t rest_tsc = s->busy_tsc - MIN(s->busy_tsc, s->work_tsc);

		b->loads[i].used = deltas[i].work_tsc;
		if (s->nb_things > 0) {
			b->loads[i].used +=
				(uint64_t)((double)rest_tsc * (double)deltas[i].nb_things /
					   (double)s->nb_things);
		}
	}
}

static void
look_and_move(struct balancer *b)
{
	uint64_t interval_tsc = clock_ns_to_tsc(b->interval_ms * NSEC_PER_MSEC);
	struct balance_move move;

	look(b);
	if (!balance_choose(b->loads, manager_nb_devices(b->manager),
		    manager_nb_reactors(b->manager), interval_tsc * GAIN_PERCENT / 100, &move)) {
		return;
	}
	log_notice(&log_control, "device %s goes to %s: it takes %u %% of a CPU",
		vmedia_device_name(manager_device(b->manager, move.device)),
		reactor_name(manager_reactor(b->manager, move.to)),
		(unsigned int)(100 * b->loads[move.device].used / interval_tsc));
	manager_move(b->manager, move.device, move.to);
	look(b); /* the next interval begins with it in its new place */
}

static void *
balancer_main(void *arg)
{
	struct balancer *b = arg;
	struct timespec until;

	pthread_setname_np(pthread_self(), "balance");
	pthread_mutex_lock(&b->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	look(b);
	while (!b->stopping) {
		uint64_t ns = (uint64_t)until.tv_nsec + b->interval_ms * NSEC_PER_MSEC;

		until.tv_sec += (time_t)(ns / NSEC_PER_SEC);
		until.tv_nsec = (long)(ns % NSEC_PER_SEC);
		if (pthread_cond_timedwait(&b->stopped, &b->lock, &until) == ETIMEDOUT) {
			look_and_move(b);
		}
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

int
balance_start(const struct manager *manager, uint32_t interval_ms)
{
	struct balancer *b = &balancer;
	pthread_condattr_t monotonic;
	int rc;

	if (interval_ms == 0 || manager_nb_reactors(manager) < 2) {
		return 0;
	}
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&b->stopped, &monotonic);
	pthread_condattr_destroy(&monotonic);
	b->stopping = false;
	b->interval_ms = interval_ms;
	b->manager = manager;
	rc = -pthread_create(&b->thread, NULL, balancer_main, b);
	if (rc != 0) {
		b->manager = NULL;
	}
	return rc;
}

void
balance_stop(void)
{
	struct balancer *b = &balancer;

	if (b->manager == NULL) {
		return;
	}
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_signal(&b->stopped);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	pthread_cond_destroy(&b->stopped);
	b->manager = NULL;
}
