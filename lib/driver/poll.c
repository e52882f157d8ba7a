/* SPDX-License-Identifier: BSD-3-Clause */
/* Progress: spinning, sleeping, time-outs. HOT. */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "base/util.h"
#include "driver/internal.h"

#define CHECK_INTERVAL_MS 1
#define IDLE_SPINS        64
#define ABSENT_MS         100 /* nobody looked for so long: the machine may have stood still */

/* What falls due in an absence has its time once more, as the device may have been absent too. */
static void
expire_commands(struct driver *drv, uint64_t now, bool absent)
{
	for (uint32_t i = 0; i < drv->nb_commands; i++) {
		struct command *cmd = &drv->commands[i];

		if (cmd->state != COMMAND_FLIGHT || (int64_t)(now - cmd->deadline_tsc) < 0) {
			continue;
		}
		if (absent && !cmd->excused) {
			cmd->excused = true;
			cmd->deadline_tsc = now + drv->timeout_tsc;
			drv->stats.excused++;
			continue;
		}
		drv->stats.timeouts++;
		command_give_up(cmd, -ETIMEDOUT);
	}
}

int
driver_check(struct driver *drv)
{
	uint64_t now = clock_tsc();
	bool absent;

	if (likely((int64_t)(now - drv->next_check_tsc) < 0 && drv->dead == 0)) {
		return 0;
	}
	absent = now - drv->next_check_tsc >= clock_ns_to_tsc(ABSENT_MS * NSEC_PER_MSEC);
	drv->next_check_tsc = now + clock_ns_to_tsc(CHECK_INTERVAL_MS * NSEC_PER_MSEC);
	if (drv->dead == 0) {
		if (drv->bus->is_dead(drv)) {
			drv->dead = -ENODEV;
		} else if (drv->rings[0].broken || drv->rings[1].broken) {
			drv->dead = -EIO;
		}
	}
	if (unlikely(drv->dead != 0)) {
		command_fail_all(drv, drv->dead);
	} else if (drv->nb_flight > 0) {
		expire_commands(drv, now, absent);
	}
	return drv->dead;
}

bool
driver_arm(struct driver *drv)
{
	bool quiet = true;

	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		quiet &= ring_arm(&drv->rings[q]);
	}
	drv->armed = true;
	return quiet && drv->dead == 0 && !drv->bus->is_dead(drv);
}

static void
disarm(struct driver *drv)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		ring_disarm(&drv->rings[q]);
	}
	drv->bus->acknowledge(drv);
	drv->armed = false;
	drv->next_check_tsc = clock_tsc(); /* who slept was not absent */
}

/* For so many ms or until something comes. Who slept longer than meant was absent, too. */
static void
sleep_for(struct driver *drv, int ms)
{
	struct pollfd fds[DRIVER_NB_QUEUES] = {
		{.fd = drv->rings[0].call_fd, .events = POLLIN},
		{.fd = drv->rings[1].call_fd, .events = POLLIN},
	};
	uint64_t meant_tsc = clock_tsc() + clock_ns_to_tsc((uint64_t)ms * NSEC_PER_MSEC);

	drv->stats.sleeps++;
	/* Interrupted or not: the caller looks at the rings. */
	poll(fds, DRIVER_NB_QUEUES, ms);
	disarm(drv);
	drv->next_check_tsc = MIN(drv->next_check_tsc, meant_tsc);
}

static int
sleep_ms(const struct driver *drv, uint64_t deadline_tsc)
{
	uint64_t until = MIN(deadline_tsc, events_next_due(drv));
	uint64_t now = clock_tsc();

	if (until <= now) {
		return 0;
	}
	return (int)MIN(
		clock_tsc_to_ns(until - now) / NSEC_PER_MSEC + 1, (uint64_t)drv->bus->max_sleep_ms);
}

void
driver_idle(struct driver *drv, uint64_t deadline_tsc)
{
	if (drv->config.wait == DRIVER_POLL) {
		for (unsigned int i = 0; i < IDLE_SPINS; i++) {
			cpu_relax();
		}
	} else if (driver_arm(drv)) {
		sleep_for(drv, sleep_ms(drv, deadline_tsc));
	} else {
		disarm(drv);
	}
}

int
driver_poll(struct driver *drv)
{
	unsigned int nb;

	if (unlikely(drv->armed)) {
		disarm(drv);
	}
	nb = command_collect(drv) + events_collect(drv);
	if (nb == 0) {
		int ret = driver_check(drv);

		if (unlikely(ret != 0)) {
			return ret;
		}
	}
	return (int)nb;
}

int
driver_wait(struct driver *drv, int timeout_ms)
{
	uint64_t deadline = UINT64_MAX;
	int ret;

	if (timeout_ms >= 0) {
		deadline = clock_tsc() + clock_ns_to_tsc((uint64_t)timeout_ms * NSEC_PER_MSEC);
	}
	while ((ret = driver_poll(drv)) == 0) {
		if (deadline != UINT64_MAX && clock_tsc() >= deadline) {
			return -ETIMEDOUT;
		}
		driver_idle(drv, deadline);
	}
	return ret;
}
