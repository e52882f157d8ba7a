/* SPDX-License-Identifier: BSD-3-Clause */
/* A control that another one decides about: automatic gain and gain, by V4L2's rules. */
#include "one_session.h"

#define AUTOMATIC (V4L2_CTRL_FLAG_INACTIVE | V4L2_CTRL_FLAG_VOLATILE)
#define CH_FLAGS  V4L2_EVENT_CTRL_CH_FLAGS
#define CH_VALUE  V4L2_EVENT_CTRL_CH_VALUE

static void
setup(bool m2m)
{
	setup_with(&(struct h_config){.more_ctrls = true, .m2m = m2m});
}

static int
set(uint32_t session, uint32_t id, int32_t value)
{
	return old(session, NR(S_CTRL), id, &value);
}

static int32_t
gain(uint32_t session)
{
	int32_t value = 0;

	cr_assert_eq(old(session, NR(G_CTRL), H_CTRL_GAIN, &value), 0);
	return value;
}

static uint32_t
flags(uint32_t session)
{
	struct v4l2_queryctrl q = {.id = H_CTRL_GAIN};

	cr_assert_eq(h_ioctl(h, session, NR(QUERYCTRL), &q, sizeof(q), sizeof(q)), 0);
	return q.flags;
}

/* What changed by the next event of the gain; 0: there is no event. */
static uint32_t
next_change(uint32_t *session)
{
	struct v4l2_event event;

	if (!next_event(session, &event)) {
		return 0;
	}
	cr_assert_eq(event.id, H_CTRL_GAIN);
	return event.u.ctrl.changes;
}

/* proves: R-62 */
Test(cluster, while_it_is_automatic_the_backend_decides_and_the_guest_is_ignored)
{
	setup(false);
	cr_assert_eq(flags(s) & AUTOMATIC, 0);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	cr_assert_eq(flags(s) & AUTOMATIC, AUTOMATIC);
	h->backend->now = 33;
	cr_assert_eq(gain(s), 33);
	h->backend->now = 44;
	cr_assert_eq(gain(s), 44);
	cr_assert_eq(set(s, H_CTRL_GAIN, 7), 0);
	cr_assert_eq(gain(s), 44);
	cr_assert_eq(h->backend->set_id, H_CTRL_AUTO, "the backend does not hear of the 7");
	teardown();
}

/* proves: R-62 */
Test(cluster, switched_off_the_value_stays_what_it_was_and_is_the_guests)
{
	setup(false);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	h->backend->now = 44;
	cr_assert_eq(set(s, H_CTRL_AUTO, 0), 0);
	cr_assert_eq(h->backend->set_id, H_CTRL_GAIN);
	cr_assert_eq(h->backend->set_value, 44);
	h->backend->now = 55;
	cr_assert_eq(gain(s), 44);
	cr_assert_eq(flags(s) & AUTOMATIC, 0);
	cr_assert_eq(set(s, H_CTRL_GAIN, 7), 0);
	cr_assert_eq(gain(s), 7);
	teardown();
}

/* Linux: who changed the one does not know that the other changed. */
Test(cluster, every_subscriber_hears_once_that_flags_changed_also_the_cause)
{
	uint32_t other, session;

	setup(false);
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL_GAIN, 0), 0);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL_GAIN, 0), 0);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	cr_assert_eq(next_change(&session), CH_FLAGS);
	cr_assert_eq(session, s);
	cr_assert_eq(next_change(&session), CH_FLAGS);
	cr_assert_eq(session, other);
	cr_assert_eq(next_change(&session), 0);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	cr_assert_eq(next_change(&session), 0, "it was on already");
	h->backend->now = 44;
	cr_assert_eq(set(s, H_CTRL_AUTO, 0), 0);
	cr_assert_eq(next_change(&session), CH_FLAGS | CH_VALUE);
	cr_assert_eq(next_change(&session), CH_FLAGS | CH_VALUE);
	cr_assert_eq(next_change(&session), 0);
	h_close(h, other);
	teardown();
}

/* A cluster is set at once, in whatever order its controls stand. */
/* proves: R-62 */
Test(cluster, one_command_switches_it_off_and_sets_the_value)
{
	struct {
		struct v4l2_ext_controls head;
		struct v4l2_ext_control ctrls[2];
	} __attribute__((packed))
	e = {.head = {.count = 2}, .ctrls = {{.id = H_CTRL_GAIN}, {.id = H_CTRL_AUTO}}};

	setup(false);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	h->backend->now = 44;
	e.ctrls[0].value = 12;
	cr_assert_eq(h_ioctl(h, s, NR(S_EXT_CTRLS), &e, sizeof(e), sizeof(e)), 0);
	cr_assert_eq(gain(s), 12);
	cr_assert_eq(h->backend->set_value, 12);
	teardown();
}

Test(cluster, a_grabbed_control_stays_grabbed_while_its_master_changes)
{
	setup(false);
	vmedia_ctrl_grab(h->device, H_CTRL_GAIN, true);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	cr_assert_eq(flags(s) & (AUTOMATIC | V4L2_CTRL_FLAG_GRABBED),
		AUTOMATIC | V4L2_CTRL_FLAG_GRABBED);
	vmedia_ctrl_grab(h->device, H_CTRL_GAIN, false);
	cr_assert_eq(flags(s) & (AUTOMATIC | V4L2_CTRL_FLAG_GRABBED), AUTOMATIC);
	teardown();
}

Test(cluster, sessions_of_a_codec_have_clusters_of_their_own)
{
	uint32_t other;

	setup(true);
	other = h_open(h);
	cr_assert_eq(set(s, H_CTRL_AUTO, 1), 0);
	cr_assert_eq(flags(s) & AUTOMATIC, AUTOMATIC);
	cr_assert_eq(flags(other) & AUTOMATIC, 0);
	cr_assert_eq(gain(other), 50);
	h_close(h, other);
	teardown();
}
