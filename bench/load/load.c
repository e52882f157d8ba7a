/* SPDX-License-Identifier: BSD-3-Clause */
/* A run: echo and device in turns, closed and open loop, so that what the machine does to one it
 * does to all. */
#include "load/load.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"

#define NOISY_PART 0.05 /* of the run: waited for a CPU, or others ran */
#define NS_PER_MS  1e6

const char *const load_side_names[LOAD_NB_SIDES] = {"echo", "device"};
const char *const load_loop_names[LOAD_NB_LOOPS] = {"open", "closed"};

/* Only who is asked runs on the device's CPU. */
static void
wake(struct load *l, enum load_side side)
{
	if (side == LOAD_ECHO) {
		partner_work(&l->partner, PARTNER_COMMANDS);
	} else if (l->has[LOAD_ECHO]) {
		target_continue(&l->target);
	}
}

static int
rest(struct load *l, enum load_side side)
{
	if (side == LOAD_ECHO) {
		partner_rest(&l->partner);
		return 0;
	}
	return l->has[LOAD_ECHO] ? target_stop(&l->target) : 0;
}

static int
ask(struct load *l, enum load_side side, struct arrivals *arrivals, double seconds,
	struct load_result *result)
{
	bool stalled = result != NULL && side == LOAD_DEVICE && l->o.stall_ms > 0;
	int ret = 0, end;

	wake(l, side);
	if (stalled) {
		ret = stall_start(&l->target, l->o.stall_ms, l->o.stall_every_ms);
	}
	if (ret == 0) {
		ret = lanes_ask(&l->sides[side], arrivals, seconds, result);
	}
	stall_end();
	end = rest(l, side);
	return ret != 0 ? ret : end;
}

static double
rate_of(const struct load_result *r)
{
	return r->seconds > 0 ? (double)r->nb / r->seconds : 0;
}

/* Every other slice backwards. */
static int
ask_in_turns(struct load *l, struct load_run *run, enum load_loop loop, struct arrivals *arrivals)
{
	double seconds = l->o.seconds / l->o.slices;
	int ret = 0;

	for (unsigned int i = 0; i < l->o.slices * LOAD_NB_SIDES && ret == 0; i++) {
		enum load_side side = (i + i / LOAD_NB_SIDES) % LOAD_NB_SIDES;

		if (l->has[side]) {
			ret = ask(l, side, loop == LOAD_OPEN ? &arrivals[side] : NULL, seconds,
				&run->results[side][loop]);
		}
	}
	return ret;
}

static int
warm_up(struct load *l)
{
	int ret = 0;

	for (unsigned int side = 0; side < LOAD_NB_SIDES && ret == 0; side++) {
		if (l->has[side]) {
			ret = ask(l, side, NULL, l->o.warm_up_seconds, NULL);
		}
	}
	return ret;
}

struct readings {
	struct usage own, device;
	uint64_t steal_ns[2], at_ns;
};

static void
read_all(const struct load *l, struct readings *r)
{
	usage_read(getpid(), &r->own);
	r->device.nb = 0;
	if (l->has[LOAD_DEVICE]) {
		usage_read(l->target.pid, &r->device);
	}
	r->at_ns = clock_monotonic_ns();
	r->steal_ns[0] = usage_steal_ns(l->o.cpus.driver);
	r->steal_ns[1] = usage_steal_ns(l->o.cpus.device);
}

static void
judge(const struct load *l, struct load_run *run, struct readings *end, struct readings *begin)
{
	const struct usage_thread *t;

	usage_subtract(&end->own, &begin->own);
	usage_subtract(&end->device, &begin->device);
	run->run_ms = (double)(end->at_ns - begin->at_ns) / NS_PER_MS;
	for (unsigned int i = 0; i < 2; i++) {
		run->steal_ms[i] = (double)(end->steal_ns[i] - begin->steal_ns[i]) / NS_PER_MS;
	}
	t = usage_find(&end->own, gettid());
	run->waited_ms[0] = t != NULL ? (double)t->delay_ns / NS_PER_MS : 0;
	run->others_ms = (double)usage_of_others(&end->own, gettid(), l->partner.tid) / NS_PER_MS;
	t = usage_busiest(&end->device);
	if (t != NULL) {
		run->waited_ms[1] = (double)t->delay_ns / NS_PER_MS;
		run->others_ms += (double)usage_of_others(&end->device, t->tid, 0) / NS_PER_MS;
	}
	run->noisy = run->waited_ms[0] > run->run_ms * NOISY_PART ||
	             run->waited_ms[1] > run->run_ms * NOISY_PART ||
	             run->others_ms > run->run_ms * NOISY_PART;
}

/* Both sides get the same due times. */
static void
arrivals_init(const struct load *l, const struct load_run *run, struct arrivals *arrivals)
{
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		arrivals[side] = (struct arrivals){
			.mean_tsc = (double)clock_tsc_hz() / run->rate,
			.state = l->o.seed + l->nb_runs + 1,
			.poisson = l->o.poisson,
		};
	}
}

int
load_run(struct load *l, struct load_run *run)
{
	static struct readings begin, end;
	struct arrivals arrivals[LOAD_NB_SIDES];
	enum load_side slower = l->has[LOAD_DEVICE] ? LOAD_DEVICE : LOAD_ECHO;
	int ret = warm_up(l);

	memset(run, 0, sizeof(*run));
	read_all(l, &begin);
	if (ret == 0) {
		ret = ask_in_turns(l, run, LOAD_CLOSED, NULL);
	}
	run->rate = l->o.rate > 0 ? l->o.rate : rate_of(&run->results[slower][LOAD_CLOSED]) / 2;
	arrivals_init(l, run, arrivals);
	if (ret == 0) {
		ret = ask_in_turns(l, run, LOAD_OPEN, arrivals);
	}
	read_all(l, &end);
	judge(l, run, &end, &begin);
	return ret;
}
