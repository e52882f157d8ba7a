/* SPDX-License-Identifier: BSD-3-Clause */
/* Who wakes whom, B22, B48. */
#include "fixture.h"
#include "virtq/ring.h"

static struct fixture *
setup_event_idx(bool packed, uint16_t size)
{
	return setup((struct fake_guest_config){
		.packed = packed, .queue_size = size, .event_idx = true});
}

/* One chain of one slot, so that chains and slots count alike. */
static int
send_empty(struct fixture *f)
{
	uint32_t room = 1;

	return fake_guest_send(f->g, 0, NULL, 0, &room, 1);
}

static bool
publish_wants_kick(struct fixture *f)
{
	uint32_t room = 1;

	fake_guest_add(f->g, 0, NULL, 0, &room, 1);
	return fake_guest_publish(f->g, 0);
}

/* The driver takes back everything. */
static void
drain(struct fixture *f)
{
	struct fake_used used;

	while (fake_guest_poll(f->g, 0, &used) == 1) {
	}
}

/* nb chains are served in one pass; how often was the driver called? */
static uint64_t
calls_for(struct fixture *f, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		cr_assert_geq(send_empty(f), 0);
	}
	cr_assert_eq(echo(f), nb);
	return fake_guest_nb_calls(f->g, 0);
}

struct crossing {
	uint32_t event, new_pos, old;
	uint32_t period;
	bool crossed;
};

/* positions of split rings run to 65536, those of packed rings twice round. */
/* proves: R-17 B48 */
Test(virtq, event_idx_crossing_table)
{
	static const struct crossing rows[] = {
		{0, 1, 0, 65536, true},         /* the first entry ever */
		{1, 1, 0, 65536, false},        /* wants one more */
		{65535, 1, 0, 65536, false},    /* just passed */
		{5, 5, 5, 65536, false},        /* no move, no crossing */
		{5, 8, 5, 65536, true},         /* first of three */
		{7, 8, 5, 65536, true},         /* last of three */
		{8, 8, 5, 65536, false},        /* one behind */
		{4, 8, 5, 65536, false},        /* one before */
		{65535, 0, 65535, 65536, true}, /* the index starts over */
		{65535, 2, 65534, 65536, true}, {0, 2, 65534, 65536, true},
		{1, 2, 65534, 65536, true}, {2, 2, 65534, 65536, false},
		{65533, 2, 65534, 65536, false}, {9, 0, 9, 10, true}, /* packed ring of 5 */
		{9, 2, 8, 10, true}, {1, 2, 8, 10, true}, {2, 2, 8, 10, false},
		{7, 2, 8, 10, false}, {4, 5, 0, 10, true}, /* a whole lap at once */
		{9, 5, 0, 10, false},                      /* same slot, other wrap */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct crossing *r = &rows[i];

		cr_expect_eq(ring_event_crossed(r->event, r->new_pos, r->old, r->period),
			r->crossed, "row %u", i);
	}
}

/* proves: R-84 */
BOTH(one_notification_covers_all_that_was_flushed)
{
	struct fixture *f = setup_plain(packed);

	cr_expect_eq(calls_for(f, 5), 1);
	cr_expect_eq(f->vq.stats.nb_notified, 1);
	teardown(f);
}

BOTH(nothing_flushed_means_no_notification)
{
	struct fixture *f = setup_plain(packed);

	give_back(f);
	calls_for(f, 1);
	give_back(f);
	cr_expect_eq(fake_guest_nb_calls(f->g, 0), 0);
	cr_expect_eq(f->vq.stats.nb_notified, 1);
	teardown(f);
}

/* A chain returned for its badness is worth a notification as well. */
BOTH(a_refused_chain_is_notified)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc d = {UINT64_MAX, 1, 0, 0};

	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_expect_eq(pop(f), 0);
	give_back(f);
	cr_expect_eq(fake_guest_nb_calls(f->g, 0), 1);
	teardown(f);
}

/* B22, R-17: without EVENT_IDX by flag. */
/* proves: R-17 R-84 B22 */
BOTH(suppression_by_flag_is_honoured)
{
	struct fixture *f = setup_plain(packed);

	fake_guest_calls_off(f->g, 0);
	cr_expect_eq(calls_for(f, 3), 0);
	cr_expect_eq(f->vq.stats.nb_suppressed, 1);
	fake_guest_calls_on(f->g, 0, 0);
	cr_expect_eq(calls_for(f, 1), 1);
	teardown(f);
}

/* B22, R-17: with EVENT_IDX by index, from the first entry on. */
/* proves: R-17 B22 */
BOTH(suppression_by_event_index_is_honoured)
{
	struct fixture *f = setup_event_idx(packed, 64);

	fake_guest_calls_on(f->g, 0, 4);
	cr_expect_eq(calls_for(f, 3), 0, "entries 0 to 2");
	cr_expect_eq(calls_for(f, 1), 0, "entry 3");
	cr_expect_eq(calls_for(f, 1), 1, "entry 4 is the one");
	cr_expect_eq(calls_for(f, 1), 0, "entry 5");
	teardown(f);
}

/* the flag means nothing in a split ring with EVENT_IDX. */
/* proves: R-17 */
Test(virtq, split_flag_is_ignored_with_event_idx)
{
	struct fixture *f = setup_event_idx(false, 64);
	struct vring_avail *avail = f->g->queues[0].driver;

	avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	cr_expect_eq(calls_for(f, 1), 1);
	teardown(f);
}

/* 2.8.10: a packed driver may switch it all off also with EVENT_IDX. */
Test(virtq, packed_disable_is_honoured_with_event_idx)
{
	struct fixture *f = setup_event_idx(true, 64);

	fake_guest_calls_off(f->g, 0);
	cr_expect_eq(calls_for(f, 10), 0);
	teardown(f);
}

/* R-17, B48: against counting, over wrap and restart of both formats. */
/* proves: R-17 B22 B48 */
BOTH(event_index_is_met_exactly_for_a_hundred_thousand_entries)
{
	struct fixture *f = setup_event_idx(packed, packed ? 13 : 16);
	uint64_t done = 0;
	uint64_t wanted = 0;

	srand(3);
	fake_guest_calls_on(f->g, 0, 0);
	while (done < 100000) {
		unsigned int nb = 1 + (unsigned int)rand() % 13;
		uint64_t calls = calls_for(f, nb);

		cr_assert_eq(calls, wanted >= done && wanted < done + nb,
			"entries %lu to %lu, asked for %lu", (long)done, (long)(done + nb - 1),
			(long)wanted);
		done += nb;
		drain(f);
		if (rand() % 2 == 0) {
			uint16_t after = (uint16_t)(rand() % 13);

			fake_guest_calls_on(f->g, 0, after);
			wanted = done + after;
		} else if (wanted < done) {
			fake_guest_calls_on(f->g, 0, 0);
			wanted = done;
		}
	}
	teardown(f);
}

/* Entries may be waiting unsignalled in a ring taken over from elsewhere. */
BOTH(the_first_notification_of_a_continued_ring_is_unconditional)
{
	struct fixture *f = setup_event_idx(packed, 64);
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	calls_for(f, 3);
	drain(f);
	vc.avail_base = virtq_stop(&f->vq);
	vc.used_base = vc.avail_base;
	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	fake_guest_calls_on(f->g, 0, 20);
	cr_expect_eq(calls_for(f, 1), 1);
	cr_expect_eq(calls_for(f, 1), 0);
	teardown(f);
}

/* Better one notification too many than a driver that sleeps for ever. */
Test(virtq, packed_nonsense_in_event_suppression_notifies)
{
	static const uint32_t values[] = {0x00020007, 0x0002ffff, 0x00030000, 0xffffffff};
	struct fixture *f = setup_event_idx(true, 7);

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		memcpy(f->g->queues[0].driver, &values[i], 4);
		cr_expect_eq(calls_for(f, 1), 1, "value %x", values[i]);
		drain(f);
	}
	teardown(f);
}

BOTH(without_a_call_fd_nothing_is_written)
{
	struct fixture *f = setup_plain(packed);
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	virtq_stop(&f->vq);
	vc.callfd = -1;
	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	cr_expect_eq(calls_for(f, 1), 0);
	cr_expect_eq(f->vq.stats.nb_notified, 0);
	teardown(f);
}

/* A poller wants no kicks from the start, without EVENT_IDX not one. */
BOTH(kicks_are_off_from_the_start)
{
	struct fixture *f = setup_plain(packed);

	for (int i = 0; i < 1000; i++) {
		cr_assert_not(publish_wants_kick(f));
		echo(f);
		drain(f);
	}
	teardown(f);
}

/* With EVENT_IDX a split ring has no off switch: one kick in 65536 is the best there is. */
BOTH(kicks_are_rare_with_event_idx)
{
	struct fixture *f = setup_event_idx(packed, 64);
	unsigned int nb_kicks = 0;

	for (int i = 0; i < 140000; i++) {
		nb_kicks += publish_wants_kick(f);
		echo(f);
		drain(f);
	}
	cr_expect_leq(nb_kicks, packed ? 0 : 3);
	teardown(f);
}

/* B48: at every index, the driver's kick is asked for again. */
static void
kick_at_every_index(struct fixture *f, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		cr_assert_not(virtq_kicks_on(&f->vq));
		cr_assert(publish_wants_kick(f), "chain %u", i);
		virtq_kicks_off(&f->vq);
		cr_assert_eq(echo(f), 1);
		drain(f);
	}
}

BOTH(a_sleeping_device_is_kicked_at_every_index_by_flag)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .queue_size = 8});

	kick_at_every_index(f, 70000);
	teardown(f);
}

/* proves: R-17 B48 */
BOTH(a_sleeping_device_is_kicked_at_every_index_by_event)
{
	struct fixture *f = setup_event_idx(packed, 8);

	kick_at_every_index(f, 70000);
	teardown(f);
}

/* the chain that came just before must not be slept over. */
BOTH(kicks_on_reports_chains_already_there)
{
	struct fixture *f = setup_event_idx(packed, 8);

	cr_expect_not(virtq_kicks_on(&f->vq));
	virtq_kicks_off(&f->vq);
	cr_expect_not(publish_wants_kick(f));
	cr_expect(virtq_kicks_on(&f->vq));
	teardown(f);
}

BOTH(kicks_off_takes_back_kicks_on)
{
	struct fixture *f = setup_event_idx(packed, 8);

	virtq_kicks_on(&f->vq);
	cr_expect(f->vq.kicks_wanted);
	virtq_kicks_off(&f->vq);
	cr_expect_not(f->vq.kicks_wanted);
	cr_expect_not(publish_wants_kick(f));
	teardown(f);
}

/* proves: R-17 S-16 */
BOTH(spurious_kicks_find_nothing_and_do_nothing)
{
	struct fixture *f = setup_plain(packed);

	for (int i = 0; i < 10; i++) {
		fake_guest_kick(f->g, 0);
		cr_expect_eq(pop(f), 0);
		give_back(f);
	}
	cr_expect_eq(fake_guest_nb_calls(f->g, 0), 0);
	teardown(f);
}
