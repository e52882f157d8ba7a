/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

#define G_CTRL _IOC_NR(VIDIOC_G_CTRL)

static int
g_ctrl(struct h *h, uint32_t session, int32_t *value)
{
	struct v4l2_control c = {.id = H_CTRL};
	int ret = h_ioctl(h, session, G_CTRL, &c, sizeof(c), sizeof(c));

	*value = c.value;
	return ret;
}

static void
everything_once(const struct h_config *config)
{
	struct h *h = h_create(config);
	uint8_t event[H_EVENT_SIZE];
	uint64_t addr;
	int32_t value;
	uint32_t s = h_open(h);
	int i;

	cr_assert_eq(g_ctrl(h, s, &value), 0);
	cr_assert_eq(value, 128);
	h_post_events(h, 16, H_EVENT_SIZE);
	cr_assert_eq(h_reqbufs(h, s, 4), 4);
	cr_assert_eq(h_mmap(h, s, 0, 1, &addr), 0);
	for (i = 0; i < 4; i++) {
		cr_assert_eq(h_qbuf(h, s, (uint32_t)i), 0);
	}
	cr_assert_eq(h_stream(h, s, true), 0);
	h->backend->frames_allowed = 4;
	cr_assert_eq(g_ctrl(h, s, &value), 0); /* any command lets the backend look */
	for (i = 0; i < 4; i++) {
		h_pass(h, 1);
		cr_assert_eq(h_event(h, event), H_EVENT_SIZE);
	}
	h_post_events(h, 4, H_EVENT_SIZE);
	cr_assert_eq(h_stream(h, s, false), 0);
	cr_assert_eq(h_munmap(h, addr), 0);
	h_close(h, s);
	cr_assert_eq(g_ctrl(h, s, &value), -EINVAL);
	h_settle(h);
	cr_assert_eq(h->device->nb_open_sessions, 0);
	h_destroy(h);
}

Test(device, what_became_of_each_ioctl_is_counted)
{
	const uint32_t nowhere = VMEDIA_NB_IOCTLS;
	struct v4l2_control unknown = {.id = 1};
	struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
	struct h *h = h_create(NULL);
	struct ioctl_answers answers;
	uint32_t s = h_open(h);
	int32_t value;
	uint32_t nr;

	cr_assert_eq(g_ctrl(h, s, &value), 0);
	cr_assert_eq(g_ctrl(h, s, &value), 0);
	cr_assert_eq(h_ioctl(h, s, G_CTRL, &unknown, sizeof(unknown), sizeof(unknown)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, nowhere, NULL, 0, 0), -ENOTTY);
	cr_assert_eq(h_ioctl(h, s, _IOC_NR(VIDIOC_DQBUF), NULL, 0, 0), -ENOTTY);
	cr_assert_eq(
		h_ioctl(h, s, _IOC_NR(VIDIOC_G_FMT), &format, sizeof(format), sizeof(format)), 0);
	for (nr = 0; nr < VMEDIA_NB_IOCTLS; nr++) {
		bool refused = nr == _IOC_NR(VIDIOC_DQBUF);
		bool failed = refused || nr == G_CTRL;

		device_ioctl_answers(h->device, nr, &answers);
		cr_assert_eq(answers.nb_ok, nr == G_CTRL                  ? 2u
					    : nr == _IOC_NR(VIDIOC_G_FMT) ? 1u
									  : 0u);
		cr_assert_eq(answers.nb_failed, failed ? 1u : 0u);
		cr_assert_eq(answers.errnos[0],
			failed ? UINT64_C(1) << (refused ? ENOTTY : EINVAL) : 0u);
		cr_assert(answers.errnos[1] == 0 && answers.errnos[2] == 0);
	}
	h_destroy(h);
}

Test(device, a_session_streams_over_split_rings)
{
	everything_once(NULL);
}

/* proves: R-4 R-16 */
Test(device, a_session_streams_over_packed_rings)
{
	everything_once(&(struct h_config){.packed = true, .event_idx = true});
}

/* proves: R-20 */
Test(device, commands_in_one_byte_descriptors_do_the_same)
{
	everything_once(&(struct h_config){.cut = H_CUT_BYTES});
	everything_once(&(struct h_config){.cut = H_CUT_BYTES, .packed = true});
}

/* proves: R-20 */
Test(device, commands_cut_at_random_do_the_same)
{
	for (unsigned int seed = 1; seed <= 8; seed++) {
		srand(seed);
		everything_once(&(struct h_config){.cut = H_CUT_RANDOM, .packed = seed % 2});
	}
}
