/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "core/usage.h"
#include "latency/latency.h"

#define WARM_UP     300  /* round trips at the start of a slice that do not count */
#define NOISY_FLOOR 2.0  /* floor of a slice by that of another */
#define NOISY_PART  0.05 /* of the measured time: waited for a CPU, or others ran */
#define NS_PER_MS   1e6

static struct hist floor_ticks, ticks[NB_SIDES][NB_SHAPES], ignored;
static struct hist slice_floor_ticks, slice_ticks[NB_SIDES][NB_SHAPES];
static struct hist mapping_ticks[NB_MAPPINGS];
static double slice_ratios[NB_SHAPES][LATENCY_MAX_SLICES];

static void
measure_floor(struct latency *l, struct run *run, uint64_t nb)
{
	struct figures f;

	hist_reset(&slice_floor_ticks);
	partner_work(&l->partner, PARTNER_FLOOR);
	floor_ask(&l->partner.floor, WARM_UP, &ignored);
	floor_ask(&l->partner.floor, nb, &slice_floor_ticks);
	partner_rest(&l->partner);
	figures_take(&f, &slice_floor_ticks);
	if (f.ns[0] > 0) {
		run->floor_min = run->floor_min == 0 ? f.ns[0] : MIN(run->floor_min, f.ns[0]);
		run->floor_max = MAX(run->floor_max, f.ns[0]);
	}
	hist_merge(&floor_ticks, &slice_floor_ticks);
}

/* QBUF and its event; done: NULL, or where their times since done go. */
static int
ask_qbuf(struct subject *s, struct hist *to, uint64_t nb, struct hist *done)
{
	int ret = subject_ask_qbuf(s, WARM_UP, &ignored, &ignored, NULL);

	if (ret == 0) {
		ret = subject_ask_qbuf(s, nb, &to[SHAPE_QBUF], &to[SHAPE_DQBUF], done);
	}
	return ret;
}

static int
ask_g_ctrl(struct subject *s, struct hist *to, uint64_t nb)
{
	int ret = subject_ask_g_ctrl(s, WARM_UP, &ignored);

	return ret != 0 ? ret : subject_ask_g_ctrl(s, nb, &to[SHAPE_G_CTRL]);
}

/* Reading the TSC for a stamp would make the echo of a QBUF slower: stamped events are on their
 * own. */
static int
ask_stamped(struct latency *l, uint64_t nb)
{
	int ret = subject_ask_qbuf(&l->echo, WARM_UP, &ignored, &ignored, NULL);

	if (ret == 0) {
		ret = subject_ask_qbuf(
			&l->echo, nb, &ignored, &ignored, &slice_ticks[SIDE_ECHO][SHAPE_DONE]);
	}
	return ret;
}

static int
measure_echo(struct latency *l, uint64_t nb)
{
	struct hist *to = slice_ticks[SIDE_ECHO];
	int ret;

	partner_work(&l->partner, PARTNER_COMMANDS);
	ret = ask_g_ctrl(&l->echo, to, nb);
	partner_rest(&l->partner);
	partner_work(&l->partner, PARTNER_COMMANDS_AND_EVENTS);
	if (ret == 0) {
		ret = ask_qbuf(&l->echo, to, nb, NULL);
	}
	partner_rest(&l->partner);
	partner_work(&l->partner, PARTNER_STAMPED_EVENTS);
	if (ret == 0) {
		ret = ask_stamped(l, nb);
	}
	partner_rest(&l->partner);
	return ret;
}

static int
measure_device(struct latency *l, struct run *run, uint64_t nb)
{
	struct hist *to = slice_ticks[SIDE_DEVICE];
	uint64_t begin_ns;
	int ret;

	target_continue(&l->target);
	begin_ns = clock_monotonic_ns();
	ret = ask_g_ctrl(&l->device, to, nb);
	if (ret == 0) {
		ret = ask_qbuf(&l->device, to, nb, l->device_stamps ? &to[SHAPE_DONE] : NULL);
	}
	if (ret == 0) {
		ret = mapping_ask(&l->mapping, WARM_UP, &ignored, &ignored);
	}
	if (ret == 0) {
		ret = mapping_ask(&l->mapping, nb, &mapping_ticks[MAPPING_MMAP],
			&mapping_ticks[MAPPING_MUNMAP]);
	}
	run->device_ms += (double)(clock_monotonic_ns() - begin_ns) / NS_PER_MS;
	return ret != 0 ? ret : target_stop(&l->target);
}

/* The slice into the run. */
static void
account(unsigned int index)
{
	struct figures f[NB_SIDES];

	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		for (unsigned int side = 0; side < NB_SIDES; side++) {
			figures_take(&f[side], &slice_ticks[side][shape]);
			hist_merge(&ticks[side][shape], &slice_ticks[side][shape]);
			hist_reset(&slice_ticks[side][shape]);
		}
		slice_ratios[shape][index] = figures_ratio(&f[SIDE_DEVICE], &f[SIDE_ECHO]);
	}
}

/* Every other slice backwards: a drift hits both alike. */
static int
measure_slice(struct latency *l, struct run *run, unsigned int index, uint64_t nb)
{
	int ret = 0;

	if (index % 2 == 1 && l->has_device) {
		ret = measure_device(l, run, nb);
	}
	measure_floor(l, run, nb);
	if (ret == 0) {
		ret = measure_echo(l, nb);
	}
	if (ret == 0 && index % 2 == 0 && l->has_device) {
		ret = measure_device(l, run, nb);
	}
	account(index);
	return ret;
}

struct readings {
	struct usage own, device;
	uint64_t steal_ns[2], kicks, at_ns;
};

static void
read_all(const struct latency *l, struct readings *r)
{
	struct driver_stats stats = {.kicks = 0};

	usage_read(getpid(), &r->own);
	r->device.nb = 0;
	if (l->has_device) {
		usage_read(l->target.pid, &r->device);
		driver_get_stats(l->device.drv, &stats);
	}
	r->kicks = stats.kicks;
	r->at_ns = clock_monotonic_ns();
	r->steal_ns[0] = usage_steal_ns(l->o.cpus.driver);
	r->steal_ns[1] = usage_steal_ns(l->o.cpus.device);
}

static void
judge(const struct latency *l, struct run *run, struct readings *end, struct readings *begin)
{
	const struct usage_thread *t;

	usage_subtract(&end->own, &begin->own);
	usage_subtract(&end->device, &begin->device);
	run->kicks = end->kicks - begin->kicks;
	run->run_ms = (double)(end->at_ns - begin->at_ns) / NS_PER_MS;
	for (unsigned int i = 0; i < 2; i++) {
		run->steal_ms[i] = (double)(end->steal_ns[i] - begin->steal_ns[i]) / NS_PER_MS;
	}
	t = usage_find(&end->own, gettid());
	run->driver_delay_ms = t != NULL ? (double)t->delay_ns / NS_PER_MS : 0;
	run->others_ms = (double)usage_of_others(&end->own, gettid(), l->partner.tid) / NS_PER_MS;
	t = usage_busiest(&end->device);
	run->reactor_cpu = -1;
	if (t != NULL) {
		memcpy(run->reactor, t->name, sizeof(run->reactor));
		run->reactor_cpu = t->cpu;
		run->reactor_delay_ms = (double)t->delay_ns / NS_PER_MS;
		run->others_ms += (double)usage_of_others(&end->device, t->tid, 0) / NS_PER_MS;
	}
	run->moved = run->floor_max > run->floor_min * NOISY_FLOOR;
	run->noisy = run->moved || run->driver_delay_ms > run->run_ms * NOISY_PART ||
	             run->reactor_delay_ms > run->device_ms * NOISY_PART ||
	             run->others_ms > run->run_ms * NOISY_PART;
}

int
run_measure(struct latency *l, struct run *run)
{
	static struct readings begin, end;
	uint64_t nb = l->o.samples / l->o.slices;
	int ret = 0;

	memset(run, 0, sizeof(*run));
	hist_reset(&floor_ticks);
	for (unsigned int i = 0; i < NB_SIDES * NB_SHAPES; i++) {
		hist_reset(&ticks[i / NB_SHAPES][i % NB_SHAPES]);
	}
	for (unsigned int i = 0; i < NB_MAPPINGS; i++) {
		hist_reset(&mapping_ticks[i]);
	}
	read_all(l, &begin);
	for (unsigned int i = 0; i < l->o.slices && ret == 0; i++) {
		ret = measure_slice(l, run, i, nb);
	}
	read_all(l, &end);
	if (ret != 0) {
		return ret;
	}
	judge(l, run, &end, &begin);
	figures_take(&run->floor, &floor_ticks);
	for (unsigned int i = 0; i < NB_MAPPINGS; i++) {
		figures_take(&run->mappings[i], &mapping_ticks[i]);
	}
	for (unsigned int shape = 0; shape < NB_SHAPES; shape++) {
		for (unsigned int side = 0; side < NB_SIDES; side++) {
			figures_take(&run->figures[side][shape], &ticks[side][shape]);
		}
		run->paired[shape] = median_of_known(slice_ratios[shape], l->o.slices);
		run->ratio[shape] = figures_ratio(
			&run->figures[SIDE_DEVICE][shape], &run->figures[SIDE_ECHO][shape]);
		run->ratio99[shape] = figures_ratio_of(&run->figures[SIDE_DEVICE][shape],
			&run->figures[SIDE_ECHO][shape], FIGURES_P99);
	}
	if (l->has_device && run->reactor_cpu != l->o.cpus.device) {
		fprintf(stderr, "the busiest thread of the device, %s, runs on CPU %d, not %d\n",
			run->reactor, run->reactor_cpu, l->o.cpus.device);
		return -EXDEV;
	}
	return 0;
}
