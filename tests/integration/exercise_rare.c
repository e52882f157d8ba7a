/* SPDX-License-Identifier: BSD-3-Clause */
/* What drivers rarely do, or never should: for tests that every event of the trace fires. */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "exercise.h"

#define NB_AT_ONCE 6 /* REQBUFS, each of which takes most of a short deadline */

/* A subscribed control changes: one V4L2 event. */
static int
change_control(struct exercise *ex)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL,
		.id = V4L2_CID_BRIGHTNESS,
		.flags = V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK};
	struct v4l2_control ctrl = {.id = V4L2_CID_BRIGHTNESS, .value = 77};
	struct driver_event event;
	int rc = driver_ioctl(ex->session, VIDIOC_SUBSCRIBE_EVENT, &sub);

	rc = rc == 0 ? driver_ioctl(ex->session, VIDIOC_S_CTRL, &ctrl) : rc;
	rc = rc == 0 ? driver_event_wait(ex->session, &event, 5000) : rc;
	exercise_claim(ex, rc >= 0, "an event of a control: %s", strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* A command that there is not. */
static int
send_rubbish(struct exercise *ex)
{
	const struct driver_raw_shape shape = {
		.pieces = {{0, 64}, {64, 64}}, .nb_read = 1, .nb_write = 1};
	struct driver_raw *raw;
	uint32_t used_len;
	int rc = driver_raw_prepare(ex->drv, &shape, &raw);

	if (rc < 0) {
		return rc;
	}
	memset(driver_raw_buffer(raw), 0x77, 64);
	rc = driver_raw_call(raw, &used_len, NULL);
	exercise_claim(ex, rc == 0, "an unknown command is answered: %s", strerror(-rc));
	driver_raw_release(raw);
	return rc;
}

static void
count_done(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	uint32_t *left = cookie;

	(*left)--;
}

/* The later ones wait for the earlier ones until their time is up. */
static int
outlast_deadline(struct exercise *ex)
{
	struct v4l2_format f = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
	struct v4l2_requestbuffers req[NB_AT_ONCE];
	uint32_t left = 0;
	int rc = driver_ioctl(ex->session, VIDIOC_G_FMT, &f);

	rc = rc == 0 ? driver_ioctl(ex->session, VIDIOC_S_FMT, &f) : rc;
	for (unsigned int i = 0; rc == 0 && i < NB_AT_ONCE; i++) {
		req[i] = (struct v4l2_requestbuffers){.count = 32,
			.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
			.memory = V4L2_MEMORY_MMAP};
		rc = driver_ioctl_submit(ex->session, VIDIOC_REQBUFS, &req[i], count_done, &left);
		left += rc == 0;
	}
	while (left > 0 && (rc = driver_wait(ex->drv, 20000)) >= 0) {
	}
	exercise_claim(ex, rc >= 0, "%u of %u REQBUFS were answered: %s", NB_AT_ONCE - left,
		NB_AT_ONCE, strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* An index that cannot be; nobody answers after this. */
static void
break_ring(struct exercise *ex)
{
	struct driver_ring_layout layout;
	struct vring_avail *avail;
	uint64_t one = 1;

	if (driver_ring_layout(ex->drv, 0, &layout) != 0) {
		exercise_claim(ex, false, "no layout of the command queue");
		return;
	}
	avail = layout.driver;
	__atomic_store_n(&avail->idx, (uint16_t)(avail->idx + layout.size + 1), __ATOMIC_RELEASE);
	exercise_claim(ex, write(layout.kick_fd, &one, sizeof(one)) == sizeof(one), "kick");
}

int
do_rare(struct exercise *ex)
{
	int rc = exercise_open(ex);

	if (rc < 0) {
		return rc;
	}
	rc = change_control(ex);
	rc = rc == 0 ? send_rubbish(ex) : rc;
	rc = rc == 0 ? outlast_deadline(ex) : rc;
	if (rc == 0) {
		break_ring(ex);
		exercise_handshake(ex, "broken");
	}
	driver_disconnect(ex->drv);
	return rc;
}
