/* SPDX-License-Identifier: BSD-3-Clause */
/* What most tests of ioctls begin and end with: a device, one session of it, events posted. */
#ifndef VMEDIA_TESTS_DEVICE_ONE_SESSION_H
#define VMEDIA_TESTS_DEVICE_ONE_SESSION_H

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define NR(name) _IOC_NR(VIDIOC_##name)

static struct h *h;
static uint32_t s;

static inline void
setup_with(const struct h_config *config)
{
	h = h_create(config);
	s = h_open(h);
	h_post_events(h, 16, H_EVENT_SIZE);
}

static inline void
teardown(void)
{
	h_close(h, s);
	h_settle(h);
	h_destroy(h);
}

/* G_CTRL or S_CTRL. */
static inline int
old(uint32_t session, uint32_t nr, uint32_t id, int32_t *value)
{
	struct v4l2_control c = {.id = id, .value = *value};
	int ret = h_ioctl(h, session, nr, &c, sizeof(c), sizeof(c));

	*value = c.value;
	return ret;
}

/* The next V4L2 event, and whose it is; false: there is none. */
static inline bool
next_event(uint32_t *session, struct v4l2_event *event)
{
	struct virtio_media_event_event e;
	uint8_t bytes[H_EVENT_SIZE];
	int len;

	h_pass(h, 4);
	len = h_event(h, bytes);
	if (len == -EAGAIN) {
		return false;
	}
	cr_assert_eq(len, sizeof(e));
	memcpy(&e, bytes, sizeof(e));
	cr_assert_eq(e.hdr.event, VIRTIO_MEDIA_EVT_EVENT);
	*session = e.hdr.session_id;
	*event = e.event;
	return true;
}

#endif
