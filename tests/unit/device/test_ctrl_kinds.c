/* SPDX-License-Identifier: BSD-3-Clause */
/* Controls of other kinds than integers that just keep a value: wide, asked for, grabbed, of one
 * session. */
#include "one_session.h"

static void
setup(bool m2m)
{
	setup_with(&(struct h_config){.more_ctrls = true, .m2m = m2m});
}

static int
ext(uint32_t nr, uint32_t id, int64_t *value)
{
	struct {
		struct v4l2_ext_controls head;
		struct v4l2_ext_control ctrl;
	} __attribute__((packed)) e = {.head = {.count = 1}, .ctrl = {.id = id}};
	int ret;

	e.ctrl.value64 = *value;
	ret = h_ioctl(h, s, nr, &e, sizeof(e), sizeof(e));
	*value = e.ctrl.value64;
	return ret;
}

Test(ctrl_kinds, sixty_four_bits_pass_the_new_api_alone)
{
	int64_t value = 0x123456789abcdef;
	int32_t small = 1;

	setup(false);
	cr_assert_eq(ext(NR(S_EXT_CTRLS), H_CTRL_WIDE, &value), 0);
	cr_assert_eq(h->backend->set_value, 0x123456789abcdef);
	value = 0;
	cr_assert_eq(ext(NR(G_EXT_CTRLS), H_CTRL_WIDE, &value), 0);
	cr_assert_eq(value, 0x123456789abcdef);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL_WIDE, &small), -EINVAL);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL_WIDE, &small), -EINVAL);
	cr_assert_eq(h->backend->nb_set, 1);
	teardown();
}

Test(ctrl_kinds, a_bitmask_keeps_the_bits_it_has)
{
	int32_t value = 0x7ffffffb;

	setup(false);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL_BITS, &value), 0);
	cr_assert_eq(value, 3);
	cr_assert_eq(h->backend->set_value, 3);
	teardown();
}

Test(ctrl_kinds, a_volatile_control_is_asked_each_time_and_cannot_be_written)
{
	int32_t value = 5;

	setup(false);
	h->backend->now = 17;
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL_NOW, &value), 0);
	cr_assert_eq(value, 17);
	h->backend->now = 18;
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL_NOW, &value), 0);
	cr_assert_eq(value, 18);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL_NOW, &value), -EACCES);
	teardown();
}

Test(ctrl_kinds, a_grabbed_control_is_busy_and_subscribers_hear_of_both_changes_once)
{
	struct v4l2_queryctrl q = {.id = H_CTRL};
	struct v4l2_event event;
	uint32_t session;
	int32_t value = 9;

	setup(false);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	vmedia_ctrl_grab(h->device, H_CTRL, true);
	vmedia_ctrl_grab(h->device, H_CTRL, true);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(event.u.ctrl.changes, V4L2_EVENT_CTRL_CH_FLAGS);
	cr_assert(event.u.ctrl.flags & V4L2_CTRL_FLAG_GRABBED);
	cr_assert_not(next_event(&session, &event));
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), -EBUSY);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 128);
	cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert(q.flags & V4L2_CTRL_FLAG_GRABBED);
	vmedia_ctrl_grab(h->device, H_CTRL, false);
	cr_assert(next_event(&session, &event));
	cr_assert_not(event.u.ctrl.flags & V4L2_CTRL_FLAG_GRABBED);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	teardown();
}

Test(ctrl_kinds, news_of_the_backend_reach_every_subscriber_once)
{
	struct v4l2_event event;
	uint32_t session, other;
	int32_t value = 0;

	setup(false);
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	vmedia_ctrl_update(h->device, H_CTRL, 7);
	vmedia_ctrl_update(h->device, H_CTRL, 7);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(session, s);
	cr_assert_eq(event.u.ctrl.value, 7);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(session, other);
	cr_assert_not(next_event(&session, &event));
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 7);
	cr_assert_eq(h->backend->nb_set, 0);
	h_close(h, other);
	teardown();
}

Test(ctrl_kinds, sessions_of_a_codec_have_values_of_their_own)
{
	struct v4l2_event event;
	uint32_t other, session;
	int32_t value = 9;

	setup(true);
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(h->backend->set_session->id, s);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 9);
	cr_assert_eq(old(other, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 128);
	cr_assert_not(next_event(&session, &event));
	h_close(h, s);
	s = h_open(h);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 128, "a new session begins with the defaults");
	h_close(h, other);
	teardown();
}
