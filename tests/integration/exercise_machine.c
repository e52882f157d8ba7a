/* SPDX-License-Identifier: BSD-3-Clause */
/* A guest that is paused, continued and rebooted, and resets its device, while it streams. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "exercise.h"
#include "stream/check.h"

#define PATIENCE_NS (10 * NSEC_PER_SEC)
#define PAUSE_US    5000
#define NB_WARM     2 /* rounds, so that what is allocated once is not taken for growth */

static struct flows flows;
static struct check *check;
static uint64_t nb_frames, nb_seen, nb_bad, nb_gaps, nb_out_of_order, nb_damaged;

static int
ask_pause(void *arg)
{
	return exercise_ask("pause");
}

static int
ask_continue(void *arg)
{
	return exercise_ask("continue");
}

static int
ask_reboot(void *arg)
{
	return exercise_ask("reboot");
}

const struct driver_machine exercise_machine = {
	.slot = 4,
	.pause = ask_pause,
	.resume = ask_continue,
	.reset = ask_reboot,
};

/* Each byte of a frame is what its number makes it. */
static void
look(struct flow *flow, uint32_t index)
{
	struct check_strip strip;
	char why[160] = "";
	int rc = 0;

	if (flows.memory == V4L2_MEMORY_MMAP) {
		rc = driver_window_fetch(flow->ex->drv, flow->addr[index], flow->sizeimage);
	}
	if (rc == 0) {
		rc = check_frame(
			check, flow->addr[index], flow->sizeimage, &strip, why, sizeof(why));
	}
	if (rc == 0 && strip.sequence != flow->sequence[index]) {
		rc = -EILSEQ;
		snprintf(why, sizeof(why), "it is frame %u", strip.sequence);
	}
	nb_seen++;
	nb_bad += rc != 0;
	exercise_claim(flow->ex, rc == 0, "frame %u in buffer %u: %s: %s", flow->sequence[index],
		index, strerror(-rc), why);
}

static int
stream(struct exercise *ex, uint64_t nb)
{
	uint64_t target = flows_nb_frames(&flows) + nb;
	uint64_t start_ns = clock_monotonic_ns();
	int rc = 0;

	while (rc >= 0 && flows_nb_frames(&flows) < target) {
		rc = flows_step(&flows);
		if (clock_monotonic_ns() - start_ns > PATIENCE_NS) {
			rc = -ETIMEDOUT;
		}
	}
	exercise_claim(ex, rc >= 0, "%llu frames, wanted %llu: %s",
		(unsigned long long)flows_nb_frames(&flows), (unsigned long long)target,
		strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* With buffers in the device's hands. What was done before is taken; then nothing comes. */
static int
pause_and_continue(struct exercise *ex)
{
	int rc = flows_turn(&flows);
	int late;

	rc = rc < 0 ? rc : driver_stop(ex->drv);
	while (rc == 0 && (rc = driver_poll(ex->drv)) > 0) {
		rc = 0;
	}
	usleep(PAUSE_US);
	late = rc == 0 ? driver_poll(ex->drv) : 0;
	exercise_claim(ex, late == 0, "%d used elements came from a paused device", late);
	rc = rc == 0 ? driver_start(ex->drv) : rc;
	exercise_claim(ex, rc == 0, "pause, continue: %s", strerror(-rc));
	return rc;
}

static int
check_config_space(struct exercise *ex)
{
	struct driver_info now;
	char card[32];
	int rc = driver_read_config(ex->drv, 8, card, sizeof(card));

	driver_get_info(ex->drv, &now);
	exercise_claim(ex, rc == 0 && memcmp(card, now.card, sizeof(card)) == 0,
		"the config space names the device: %s", strerror(-rc));
	return rc;
}

static int
begin_life(struct exercise *ex, uint32_t memory)
{
	int rc = ex->session == NULL ? driver_open(ex->drv, &ex->session) : 0;

	exercise_claim(ex, rc == 0, "OPEN: %s", strerror(-rc));
	flows.memory = memory;
	flows.look = look;
	rc = rc == 0 ? check_config_space(ex) : rc;
	rc = rc == 0 ? flows_start(ex, &flows) : rc;
	if (rc == 0 && check == NULL) {
		rc = check_create(&flows.flow[0].format, &check);
	}
	return rc;
}

static void
add_up(void)
{
	const struct flow *flow = &flows.flow[0];

	nb_frames += flow->nb_frames;
	nb_gaps += flow->nb_gaps;
	nb_out_of_order += flow->nb_out_of_order;
	nb_damaged += flow->nb_damaged;
}

/* The device, or all of the machine, starts from nothing, in the middle of a stream. */
static int
end_life(struct exercise *ex, int (*end)(struct driver *drv))
{
	int rc = flows_turn(&flows);

	flows_look(&flows);
	add_up();
	flows.flow[0].stopping = true; /* the QBUFs in flight are to fail */
	rc = rc < 0 ? rc : end(ex->drv);
	ex->session = NULL;
	for (uint32_t i = 0; flows.memory == V4L2_MEMORY_USERPTR && i < ex->nb_buffers; i++) {
		driver_mem_free(ex->drv, flows.flow[0].addr[i]);
	}
	rc = rc == 0 ? driver_start(ex->drv) : rc;
	exercise_claim(
		ex, rc == 0, "%s: %s", end == driver_reset ? "reset" : "reboot", strerror(-rc));
	return rc;
}

static int
one_round(struct exercise *ex, uint64_t i, uint64_t nb)
{
	uint32_t memory = i % 2 == 0 ? V4L2_MEMORY_MMAP : V4L2_MEMORY_USERPTR;
	uint32_t other = i % 4 < 2 ? V4L2_MEMORY_MMAP : V4L2_MEMORY_USERPTR;
	int rc = begin_life(ex, memory);

	rc = rc == 0 ? stream(ex, nb) : rc;
	rc = rc == 0 ? pause_and_continue(ex) : rc;
	rc = rc == 0 ? stream(ex, nb) : rc;
	rc = rc == 0 ? end_life(ex, driver_reset) : rc;
	rc = rc == 0 ? begin_life(ex, other) : rc;
	rc = rc == 0 ? stream(ex, nb) : rc;
	return rc == 0 ? end_life(ex, driver_reboot) : rc;
}

static void
finish(struct exercise *ex)
{
	struct driver_stats stats;

	driver_get_stats(ex->drv, &stats);
	exercise_claim(ex, nb_seen == nb_frames, "%llu frames came, %llu were looked at",
		(unsigned long long)nb_frames, (unsigned long long)nb_seen);
	exercise_claim(ex, nb_gaps + nb_out_of_order + nb_damaged == 0,
		"%llu frames lost, %llu out of order, %llu damaged", (unsigned long long)nb_gaps,
		(unsigned long long)nb_out_of_order, (unsigned long long)nb_damaged);
	exercise_claim(ex, ex->config.wait == DRIVER_POLL || stats.interrupts > 0,
		"no MSI-X message came in %llu sleeps", (unsigned long long)stats.sleeps);
	exercise_result("nb_frames", (double)nb_frames);
	exercise_result("nb_gaps", (double)nb_gaps);
	exercise_result("nb_out_of_order", (double)nb_out_of_order);
	exercise_result("nb_damaged", (double)(nb_damaged + nb_bad));
	exercise_result("nb_interrupts", (double)stats.interrupts);
}

int
do_machine(struct exercise *ex)
{
	uint64_t nb_rounds = exercise_number(ex, 0), nb = exercise_number(ex, 1);
	int rc = exercise_open(ex);

	for (uint64_t i = 0; rc == 0 && i < nb_rounds + NB_WARM; i++) {
		if (i == NB_WARM) {
			exercise_handshake(ex, "ready");
		}
		rc = one_round(ex, i, nb);
	}
	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "measured");
	rc = driver_open(ex->drv, &ex->session);
	exercise_claim(ex, rc == 0, "OPEN after it all: %s", strerror(-rc));
	finish(ex);
	if (rc == 0) {
		exercise_close(ex);
	}
	check_destroy(check);
	exercise_result("nb_rounds", (double)nb_rounds);
	return rc;
}
