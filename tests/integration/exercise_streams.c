/* SPDX-License-Identifier: BSD-3-Clause */
/* What streams. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "exercise.h"

#define SLOW_DELAY_NS (20 * NSEC_PER_MSEC)

static struct flows flows;
static struct hist ctrl_ns;
static const char *const ctrl_names[] = {"ioctl_p50_us", "ioctl_p99_us", "ioctl_max_us"};

static int
start(struct exercise *ex)
{
	int rc = exercise_open(ex);

	if (rc == 0) {
		rc = flows_start(ex, &flows);
	}
	return rc;
}

/* Unpaced nodes finish every buffer at once, so a number skipped is a frame lost; of a paced one
 * only who knows what the device missed can judge. */
static void
finish(struct exercise *ex)
{
	exercise_claim(ex, flows_drain(&flows), "%u and %u buffers never came back",
		flows.flow[0].nb_queued, flows.flow[1].nb_queued);
	for (unsigned int i = 0; i < flows.nb; i++) {
		exercise_claim(ex, flows.flow[i].nb_gaps == 0, "%llu numbers skipped",
			(unsigned long long)flows.flow[i].nb_gaps);
	}
	exercise_handshake(ex, "measured");
	flows_stop(&flows);
	exercise_close(ex);
}

/* A twentieth first, so that what is allocated once is not taken for growth. */
int
do_frames(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	uint64_t nb_warm = nb / 20;
	int rc = start(ex);

	while (rc >= 0 && flows_nb_frames(&flows) < nb_warm) {
		rc = flows_step(&flows);
	}
	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "ready");
	while (rc >= 0 && flows_nb_frames(&flows) < nb + nb_warm) {
		rc = flows_step(&flows);
	}
	if (rc >= 0) {
		finish(ex);
	}
	return rc < 0 ? rc : 0;
}

static int
timed_get_ctrl(struct exercise *ex)
{
	struct driver_timing t;
	int rc = exercise_get_ctrl(ex, &t);

	if (rc == 0) {
		hist_record(&ctrl_ns, clock_tsc_to_ns(t.seen_tsc - t.submit_tsc));
	}
	return rc;
}

/* Between the handshakes: exactly `nb` commands beside the QBUFs, and at least nb_frames. */
int
do_mixed(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0), nb_frames = exercise_number(ex, 1);
	uint64_t nb_done = 0, nb_before;
	int rc = start(ex);

	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "ready");
	nb_before = flows_nb_frames(&flows);
	while (rc >= 0 && (nb_done < nb || flows_nb_frames(&flows) - nb_before < nb_frames)) {
		if (flows_nb_frames(&flows) - nb_before < nb_frames) {
			rc = flows_turn(&flows);
		}
		if (rc >= 0 && nb_done < nb) {
			rc = timed_get_ctrl(ex);
			nb_done++;
		}
	}
	if (rc < 0) {
		return rc;
	}
	finish(ex);
	exercise_result("nb_ioctls", (double)nb_done);
	exercise_result_hist(ctrl_names, &ctrl_ns);
	return 0;
}

/* Frames, and `nb` commands from each to the next: commands all the time, at a known rate. */
int
do_spread(struct exercise *ex)
{
	uint64_t nb_frames = exercise_number(ex, 0), nb = exercise_number(ex, 1);
	uint64_t nb_done = 0, nb_before;
	int rc = start(ex);

	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "ready");
	nb_before = flows_nb_frames(&flows);
	while (rc >= 0 && flows_nb_frames(&flows) - nb_before < nb_frames) {
		if (nb_done < nb * (flows_nb_frames(&flows) - nb_before + 1)) {
			rc = flows_turn(&flows);
			rc = rc >= 0 ? timed_get_ctrl(ex) : rc;
			nb_done++;
		} else {
			rc = flows_step(&flows);
		}
	}
	if (rc < 0) {
		return rc;
	}
	finish(ex);
	exercise_result("nb_ioctls", (double)nb_done);
	exercise_result_hist(ctrl_names, &ctrl_ns);
	return 0;
}

/* Twice as many buffers as event descriptors, and these go back late: most buffers wait in the
 * device for a descriptor, and commands must not wait with them. */
int
do_slow(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	uint64_t delay_ns;
	uint64_t p99_ns;
	int rc;

	if (ex->config.event_repost_delay_ns == 0) {
		ex->config.event_repost_delay_ns = SLOW_DELAY_NS;
	}
	delay_ns = ex->config.event_repost_delay_ns;
	ex->nb_buffers = 32;
	ex->config.nb_event_buffers = 16;
	rc = start(ex);
	exercise_handshake(ex, "ready");
	while (rc >= 0 && flows_nb_frames(&flows) < nb) {
		rc = flows_turn(&flows);
		if (rc >= 0) {
			rc = timed_get_ctrl(ex);
		}
	}
	if (rc < 0) {
		return rc;
	}
	finish(ex);
	p99_ns = hist_percentile(&ctrl_ns, 99);
	exercise_claim(ex, p99_ns < delay_ns / 2,
		"commands waited for event descriptors: p99 %llu us, descriptors come after %llu us",
		(unsigned long long)p99_ns / 1000, (unsigned long long)delay_ns / 1000);
	exercise_result("nb_ioctls", (double)hist_count(&ctrl_ns));
	exercise_result_hist(ctrl_names, &ctrl_ns);
	return 0;
}

int
do_stream(struct exercise *ex)
{
	uint64_t length_ns = exercise_number(ex, 0) * NSEC_PER_SEC;
	int rc = start(ex);
	uint64_t start_ns = clock_monotonic_ns();

	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "ready");
	while (rc >= 0 && clock_monotonic_ns() - start_ns < length_ns) {
		rc = flows_step(&flows);
	}
	if (rc < 0) {
		return rc;
	}
	exercise_claim(ex, flows_nb_frames(&flows) > 0, "no frame came");
	exercise_handshake(ex, "measured");
	flows_stop(&flows);
	exercise_close(ex);
	return 0;
}
