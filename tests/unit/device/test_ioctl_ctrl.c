/* SPDX-License-Identifier: BSD-3-Clause */
/* Both control APIs and subscriptions, B1. */
#include "one_session.h"

#define NB_CTRLS   3
#define UNKNOWN_ID V4L2_CID_CONTRAST

/* ext_controls and its array as they stand in both halves of the chain. */
struct ext {
	struct v4l2_ext_controls head;
	struct v4l2_ext_control ctrls[NB_CTRLS];
} __attribute__((packed));

static void
setup(void)
{
	setup_with(NULL);
}

static int
ext(uint32_t nr, struct ext *e)
{
	size_t bytes = sizeof(e->head) + e->head.count * sizeof(e->ctrls[0]);

	return h_ioctl(h, s, nr, e, bytes, bytes);
}

static struct ext
ext_of(uint32_t id, int32_t value)
{
	struct ext e = {.head = {.count = 1}};

	e.ctrls[0].id = id;
	e.ctrls[0].value = value;
	return e;
}

/* proves: R-62 */
Test(ioctl_ctrl, both_interfaces_read_and_write_the_same_value)
{
	struct ext e = ext_of(H_CTRL, 0);
	int32_t value = 77;

	setup();
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(ext(NR(G_EXT_CTRLS), &e), 0);
	cr_assert_eq(e.ctrls[0].value, 77);
	e.ctrls[0].value = 99;
	cr_assert_eq(ext(NR(S_EXT_CTRLS), &e), 0);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 99);
	e.head.which = V4L2_CTRL_WHICH_DEF_VAL;
	cr_assert_eq(ext(NR(G_EXT_CTRLS), &e), 0);
	cr_assert_eq(e.ctrls[0].value, 128);
	teardown();
}

/* proves: R-62 S-18 */
Test(ioctl_ctrl, integers_out_of_range_are_clamped_by_both)
{
	struct ext e = ext_of(H_CTRL, -1000);
	int32_t value = 1000;

	setup();
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 255);
	cr_assert_eq(ext(NR(TRY_EXT_CTRLS), &e), 0);
	cr_assert_eq(e.ctrls[0].value, 0);
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 255);
	teardown();
}

/* proves: R-49 S-23 */
Test(ioctl_ctrl, an_unknown_control_fails_with_the_payload_and_the_right_index)
{
	static const struct {
		uint32_t nr, error_idx;
	} rows[] = {{NR(G_EXT_CTRLS), 3}, {NR(S_EXT_CTRLS), 3}, {NR(TRY_EXT_CTRLS), 1}};
	int32_t value = 1;
	unsigned int i;

	setup();
	for (i = 0; i < 3; i++) {
		struct ext e = {.head = {.count = 3}};

		e.ctrls[0].id = H_CTRL;
		e.ctrls[0].value = 200;
		e.ctrls[1].id = UNKNOWN_ID;
		e.ctrls[2].id = H_CTRL;
		cr_assert_eq(ext(rows[i].nr, &e), -EINVAL);
		cr_assert_eq(e.head.error_idx, rows[i].error_idx);
		cr_assert_eq(e.head.count, 3);
	}
	cr_assert_eq(old(s, NR(G_CTRL), H_CTRL, &value), 0);
	cr_assert_eq(value, 128); /* nothing was set before the failure */
	cr_assert_eq(old(s, NR(G_CTRL), UNKNOWN_ID, &value), -EINVAL);
	cr_assert_eq(old(s, NR(S_CTRL), UNKNOWN_ID, &value), -EINVAL);
	teardown();
}

Test(ioctl_ctrl, values_that_cannot_be_set_and_requests_are_einval)
{
	static const uint32_t whichs[] = {V4L2_CTRL_WHICH_DEF_VAL, V4L2_CTRL_WHICH_REQUEST_VAL,
		V4L2_CTRL_WHICH_MIN_VAL, V4L2_CTRL_WHICH_MAX_VAL, V4L2_CTRL_CLASS_CAMERA};
	unsigned int i;

	setup();
	for (i = 0; i < sizeof(whichs) / sizeof(whichs[0]); i++) {
		struct ext e = ext_of(H_CTRL, 1);

		e.head.which = whichs[i];
		cr_assert_eq(ext(NR(S_EXT_CTRLS), &e), -EINVAL, "which %x", whichs[i]);
		cr_assert_eq(e.head.error_idx, 1);
	}
	teardown();
}

Test(ioctl_ctrl, count_zero_asks_whether_a_class_exists)
{
	struct ext e = {.head = {.which = V4L2_CTRL_CLASS_USER}};

	setup();
	cr_assert_eq(ext(NR(G_EXT_CTRLS), &e), 0);
	e.head.which = 0;
	cr_assert_eq(ext(NR(TRY_EXT_CTRLS), &e), 0);
	e.head.which = V4L2_CTRL_CLASS_CODEC;
	cr_assert_eq(ext(NR(S_EXT_CTRLS), &e), -EINVAL);
	teardown();
}

Test(ioctl_ctrl, the_class_control_can_be_queried_but_not_read_or_written)
{
	struct v4l2_queryctrl q = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
	struct v4l2_query_ext_ctrl qe = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};
	int32_t value = 0;

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(h_ioctl(h, s, NR(QUERY_EXT_CTRL), &qe, sizeof(qe), sizeof(qe)), 0);
	cr_assert_eq(q.id, V4L2_CID_USER_CLASS);
	cr_assert_eq(qe.id, V4L2_CID_USER_CLASS);
	cr_assert_eq(old(s, NR(G_CTRL), V4L2_CID_USER_CLASS, &value), -EACCES);
	cr_assert_eq(old(s, NR(S_CTRL), V4L2_CID_USER_CLASS, &value), -EACCES);
	q.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(q.id, H_CTRL);
	q.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	cr_assert_eq(h_ioctl(h, s, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), -EINVAL);
	teardown();
}

/* proves: R-75 S-19 B1 */
Test(ioctl_event, every_unknown_type_id_and_flag_is_einval)
{
	uint32_t i;

	setup();
	for (i = 0; i < 70000; i += i < 64 ? 1 : 997) {
		bool known = i == V4L2_EVENT_EOS || i == V4L2_EVENT_SOURCE_CHANGE;

		cr_assert_eq(h_subscribe(h, s, i, 0, 0), known ? 0 : -EINVAL, "type %u", i);
	}
	cr_assert_eq(h_subscribe(h, s, UINT32_MAX, 0, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_PRIVATE_START, 0, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, UNKNOWN_ID, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 1, 0), -EINVAL);
	for (i = 0; i < 32; i++) {
		bool known = i < 2;

		cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 1u << i),
			known ? 0 : -EINVAL, "flag %u", i);
	}
	teardown();
}

Test(ioctl_event, only_what_the_node_declares_can_be_subscribed_to)
{
	setup();
	h->device->node.events = 1u << V4L2_EVENT_FRAME_SYNC;
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_FRAME_SYNC, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), -EINVAL);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), -EINVAL);
	teardown();
}

Test(ioctl_event, a_class_control_has_no_initial_state_to_tell)
{
	uint8_t event[H_EVENT_SIZE];

	setup();
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, V4L2_CID_USER_CLASS,
			     V4L2_EVENT_SUB_FL_SEND_INITIAL),
		0);
	h_pass(h, 4);
	cr_assert_eq(h_event(h, event), -EAGAIN);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
	h_pass(h, 4);
	cr_assert_gt(h_event(h, event), 0);
	teardown();
}

/* proves: R-75 */
Test(ioctl_event, others_hear_of_a_new_value_and_the_cause_only_with_feedback)
{
	struct v4l2_event event;
	uint32_t other, session;
	int32_t value = 5;

	setup();
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(session, other);
	cr_assert_eq(event.u.ctrl.value, 5);
	cr_assert_eq(event.u.ctrl.changes, V4L2_EVENT_CTRL_CH_VALUE);
	cr_assert_not(next_event(&session, &event));
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0); /* no change, no event */
	cr_assert_not(next_event(&session, &event));
	h_close(h, other);
	teardown();
}

Test(ioctl_event, a_command_that_sets_a_control_often_raises_one_event)
{
	struct ext in = {.head = {.count = NB_CTRLS}};
	struct v4l2_event event;
	uint32_t other, session, i;

	setup();
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	for (i = 0; i < NB_CTRLS; i++) {
		in.ctrls[i] = (struct v4l2_ext_control){.id = H_CTRL, .value = (int32_t)i + 1};
	}
	cr_assert_eq(h_ioctl(h, s, NR(S_EXT_CTRLS), &in, sizeof(in), sizeof(in)), 0);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(event.u.ctrl.value, NB_CTRLS);
	cr_assert_eq(event.sequence, 0, "raised %u times", event.sequence + 1);
	h_close(h, other);
	teardown();
}

Test(ioctl_event, feedback_reaches_the_cause)
{
	struct v4l2_event event;
	uint32_t session;
	int32_t value = 5;

	setup();
	cr_assert_eq(
		h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK), 0);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert(next_event(&session, &event));
	cr_assert_eq(session, s);
	teardown();
}

Test(ioctl_event, the_initial_event_is_there_when_subscribe_is_answered)
{
	uint8_t bytes[H_EVENT_SIZE];
	struct virtio_media_event_event e;

	setup();
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, V4L2_EVENT_SUB_FL_SEND_INITIAL), 0);
	cr_assert_eq(h_event(h, bytes), sizeof(e));
	memcpy(&e, bytes, sizeof(e));
	cr_assert_eq(e.event.u.ctrl.value, 128);
	cr_assert_eq(e.event.u.ctrl.changes, V4L2_EVENT_CTRL_CH_VALUE | V4L2_EVENT_CTRL_CH_FLAGS);
	teardown();
}

/* proves: R-75 S-14 */
Test(ioctl_event, the_quota_of_subscriptions_is_enomem)
{
	setup();
	h->device->quota.max_subscriptions = 2;
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_SOURCE_CHANGE, 0, 0), 0);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), -ENOMEM);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_EOS, 0, 0), 0, "which it has already");
	cr_assert_eq(h->device->counters.nb_quota, 1);
	teardown();
}

/* proves: R-75 S-14 */
Test(ioctl_event, unsubscribed_events_do_not_come_and_slots_return)
{
	struct v4l2_event_subscription sub = {.type = V4L2_EVENT_CTRL, .id = H_CTRL};
	struct v4l2_event event;
	uint32_t session, i;
	int32_t value = 9;

	setup();
	for (i = 0; i < 1000; i++) {
		sub.type = i % 2 ? V4L2_EVENT_ALL : V4L2_EVENT_CTRL;
		cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL,
				     V4L2_EVENT_SUB_FL_ALLOW_FEEDBACK),
			0);
		cr_assert_eq(h_ioctl(h, s, NR(UNSUBSCRIBE_EVENT), &sub, sizeof(sub), 0), 0);
	}
	cr_assert_eq(session_find(h->device, s)->nb_subscriptions, 0);
	cr_assert_eq(h_ioctl(h, s, NR(UNSUBSCRIBE_EVENT), &sub, sizeof(sub), 0), 0);
	cr_assert_eq(old(s, NR(S_CTRL), H_CTRL, &value), 0);
	cr_assert_not(next_event(&session, &event));
	teardown();
}
