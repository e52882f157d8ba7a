/* SPDX-License-Identifier: BSD-3-Clause */
/* What needs no stream. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "exercise.h"

int
exercise_get_ctrl(struct exercise *ex, struct driver_timing *timing)
{
	struct v4l2_control ctrl = {.id = V4L2_CID_BRIGHTNESS};
	struct driver_timing unused;
	int rc = driver_ioctl_timed(
		ex->session, VIDIOC_G_CTRL, &ctrl, timing != NULL ? timing : &unused);

	exercise_claim(ex, rc == 0, "G_CTRL: %s", strerror(-rc));
	return rc;
}

int
do_ioctls(struct exercise *ex)
{
	static const char *const names[] = {"ioctl_p50_us", "ioctl_p99_us", "ioctl_max_us"};
	static struct hist ns;
	uint64_t i, nb = exercise_number(ex, 0);
	struct driver_timing t;
	int rc = exercise_open(ex);

	if (rc < 0) {
		return rc;
	}
	exercise_handshake(ex, "ready");
	for (i = 0; rc == 0 && i < nb; i++) {
		rc = exercise_get_ctrl(ex, &t);
		if (rc == 0) {
			hist_record(&ns, clock_tsc_to_ns(t.seen_tsc - t.submit_tsc));
		}
	}
	exercise_handshake(ex, "measured");
	exercise_close(ex);
	exercise_result("nb_ioctls", (double)i);
	exercise_result_hist(names, &ns);
	return rc;
}

/*
 * Commands are numbered as the device does: from 0, in the order of the ring. In the middle of them
 * it sleeps for so many ms, so that they lie at either end of a recording.
 */
int
do_timed(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	uint64_t pause_ms = exercise_number(ex, 2);
	struct driver_timing *timings = calloc(nb, sizeof(*timings));
	FILE *out = fopen(ex->args[1], "w");
	struct driver_stats stats;
	uint64_t i = 0;
	int rc = timings != NULL && out != NULL ? exercise_open(ex) : -EIO;

	if (rc == 0) {
		driver_get_stats(ex->drv, &stats);
		exercise_handshake(ex, "ready");
		while (rc == 0 && i < nb) {
			if (i == nb / 2) {
				usleep((useconds_t)(pause_ms * 1000));
			}
			rc = exercise_get_ctrl(ex, &timings[i++]);
		}
		exercise_handshake(ex, "measured");
		exercise_close(ex);
		for (uint64_t k = 0; k < i; k++) {
			fprintf(out, "%llu %llu %llu\n", (unsigned long long)(stats.commands + k),
				(unsigned long long)timings[k].submit_tsc,
				(unsigned long long)timings[k].seen_tsc);
		}
		exercise_result("nb_ioctls", (double)i);
		exercise_result("tsc_hz", (double)clock_tsc_hz());
	}
	if (out != NULL && fclose(out) != 0) {
		rc = -EIO;
	}
	free(timings);
	return rc;
}

/* A twentieth first, so that what is allocated once is not taken for growth. */
int
do_connects(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	uint64_t nb_warm = nb / 20 + 1;
	int rc = 0;

	for (uint64_t i = 0; rc == 0 && i < nb_warm + nb; i++) {
		if (i == nb_warm) {
			exercise_handshake(ex, "ready");
		}
		rc = exercise_open(ex);
		if (rc == 0) {
			rc = exercise_get_ctrl(ex, NULL);
			exercise_close(ex);
		}
	}
	exercise_handshake(ex, "measured");
	exercise_result("nb_connects", (double)nb);
	return rc;
}

static int
open_and_close(struct exercise *ex)
{
	struct driver_session *session;
	int rc = driver_open(ex->drv, &session);

	if (!exercise_claim(ex, rc == 0, "OPEN: %s", strerror(-rc))) {
		return rc;
	}
	rc = driver_close(session);
	exercise_claim(ex, rc == 0, "CLOSE: %s", strerror(-rc));
	return rc;
}

int
do_opens(struct exercise *ex)
{
	uint64_t nb = exercise_number(ex, 0);
	uint64_t nb_warm = nb / 20 + 1;
	int rc = exercise_open(ex);

	if (rc < 0) {
		return rc;
	}
	for (uint64_t i = 0; rc == 0 && i < nb_warm + nb; i++) {
		if (i == nb_warm) {
			exercise_handshake(ex, "ready");
		}
		rc = open_and_close(ex);
	}
	exercise_handshake(ex, "measured");
	exercise_result("nb_opens", (double)nb);
	exercise_close(ex);
	return rc;
}

static uint32_t
capture_type(const struct exercise *ex)
{
	struct driver_info info;

	driver_get_info(ex->drv, &info);
	return info.device_caps & V4L2_CAP_VIDEO_OUTPUT ? V4L2_BUF_TYPE_VIDEO_OUTPUT
	                                                : V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

static int
set_size(struct exercise *ex, const char *size)
{
	struct v4l2_format f = {.type = capture_type(ex)};
	unsigned int width, height;
	int rc;

	if (sscanf(size, "%ux%u", &width, &height) != 2) {
		fprintf(stderr, "vmedia-exercise: '%s': WIDTHxHEIGHT is expected\n", size);
		return -EINVAL;
	}
	f.fmt.pix.width = width;
	f.fmt.pix.height = height;
	f.fmt.pix.pixelformat = V4L2_PIX_FMT_NV12;
	rc = driver_ioctl(ex->session, VIDIOC_S_FMT, &f);
	exercise_claim(ex, rc == 0 && f.fmt.pix.width == width && f.fmt.pix.height == height,
		"S_FMT %s NV12: %s, %ux%u", size, strerror(-rc), f.fmt.pix.width, f.fmt.pix.height);
	return rc;
}

/* The device may give fewer (memory, deadline), as V4L2 allows, but not none. */
static int
request_buffers(struct exercise *ex, uint32_t nb, uint32_t *nb_got)
{
	struct v4l2_requestbuffers req = {
		.count = nb, .type = capture_type(ex), .memory = V4L2_MEMORY_MMAP};
	int rc = driver_ioctl(ex->session, VIDIOC_REQBUFS, &req);

	*nb_got = req.count;
	exercise_claim(ex, rc == 0 && req.count <= nb && (req.count > 0) == (nb > 0),
		"REQBUFS(%u): %s, got %u", nb, strerror(-rc), req.count);
	return rc;
}

int
do_reqbufs_loop(struct exercise *ex)
{
	uint64_t length_ns = exercise_number(ex, 0) * NSEC_PER_SEC;
	uint32_t nb = (uint32_t)exercise_number(ex, 1);
	uint32_t nb_got, nb_zero, fewest = nb;
	uint64_t start_ns, nb_loops = 0, longest_ns = 0;
	int rc = exercise_open(ex);

	if (rc < 0) {
		return rc;
	}
	rc = set_size(ex, ex->args[2]);
	exercise_handshake(ex, "ready");
	start_ns = clock_monotonic_ns();
	while (rc == 0 && clock_monotonic_ns() - start_ns < length_ns) {
		uint64_t at_ns = clock_monotonic_ns();

		rc = request_buffers(ex, nb, &nb_got);
		fewest = MIN(fewest, nb_got);
		if (rc == 0) {
			rc = request_buffers(ex, 0, &nb_zero);
		}
		longest_ns = MAX(longest_ns, clock_monotonic_ns() - at_ns);
		nb_loops++;
	}
	exercise_result("nb_loops", (double)nb_loops);
	exercise_result("fewest_buffers", (double)fewest);
	exercise_result("longest_loop_ms", (double)longest_ns / 1e6);
	exercise_handshake(ex, "measured");
	exercise_close(ex);
	return rc;
}
