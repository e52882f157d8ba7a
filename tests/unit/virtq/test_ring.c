/* SPDX-License-Identifier: BSD-3-Clause */
/* Order, wrap, restart and broken rings, S-1, S-2, B6, B48. */
#include "fixture.h"

/* Sends and echoes nb numbers in batches of random size and checks each of them. */
static void
run(struct fixture *f, unsigned int nb, unsigned int max_batch)
{
	int ids[256];
	uint64_t sent = 0;
	uint64_t seen = 0;

	while (seen < nb) {
		unsigned int batch = 1 + (unsigned int)rand() % max_batch;
		unsigned int n = 0;

		while (n < batch && sent < nb) {
			int id = send_number(f, sent * 3);

			if (id < 0) {
				break;
			}
			ids[n++] = id;
			sent++;
		}
		cr_assert_gt(n, 0, "the ring leaks slots");
		for (unsigned int done = 0; done < n;) {
			unsigned int step = echo(f);

			cr_assert_gt(step, 0, "a chain was lost");
			done += step;
		}
		for (unsigned int i = 0; i < n; i++) {
			expect_number(f, ids[i], seen++ * 3);
		}
	}
	cr_expect_not(virtq_has_work(&f->vq));
	cr_expect_eq(f->vq.stats.nb_chains, nb);
	cr_expect_eq(f->vq.stats.nb_used, nb);
	cr_expect_eq(f->vq.stats.nb_bad_chain, 0);
}

/* R-19, B48: the u16 index starts over; the packed wrap counter turns a thousand times. */
/* proves: R-19 R-33 B48 */
BOTH(seventy_thousand_chains_come_back_once_each_and_in_order)
{
	struct fixture *f = setup_plain(packed);

	run(f, 70000, 40);
	teardown(f);
}

static bool
look_finds_a_chain(const struct fixture *f)
{
	struct virtq_look look = virtq_look(&f->vq);

	cr_assert_not_null(look.word);
	return ((*look.word & look.mask) == look.value) == look.until_equal;
}

/* More than one lap of either ring, and of the split ring's index. */
BOTH(what_to_look_at_changes_with_the_next_chain_and_not_before)
{
	struct fixture *f = setup_plain(packed);

	for (unsigned int i = 0; i < 70000; i++) {
		cr_assert_not(look_finds_a_chain(f), "after %u chains", i);
		int id = send_number(f, i);

		cr_assert(look_finds_a_chain(f), "chain %u", i);
		cr_assert_eq(echo(f), 1);
		expect_number(f, id, i);
	}
	virtq_stop(&f->vq);
	cr_expect_null(virtq_look(&f->vq).word, "a stopped ring is not looked at");
	teardown(f);
}

/* sizes that are no power of two, chains of two slots across the wrap. */
/* proves: R-16 */
Test(virtq, packed_ring_of_any_size_wraps)
{
	static const uint16_t sizes[] = {2, 3, 5, 7, 31, 33, 100, 255};

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct fixture *f =
			setup((struct fake_guest_config){.packed = true, .queue_size = sizes[i]});

		run(f, 1000, 20);
		teardown(f);
	}
}

Test(virtq, split_ring_of_any_power_of_two_wraps)
{
	for (uint16_t size = 2; size <= 512; size *= 2) {
		struct fixture *f = setup((struct fake_guest_config){.queue_size = size});

		run(f, 2000, 60);
		teardown(f);
	}
}

BOTH(a_ring_of_one_slot_works_with_indirect_tables)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .queue_size = 1, .indirect = true, .shape = FAKE_INDIRECT});

	run(f, 500, 1);
	teardown(f);
}

/* the used index skips as many slots as each chain took. */
/* proves: R-16 R-18 R-19 */
BOTH(chains_of_different_lengths_mix)
{
	struct fixture *f = setup(
		(struct fake_guest_config){.packed = packed, .queue_size = 16, .indirect = true});

	for (uint64_t i = 0; i < 2000; i++) {
		uint32_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
		struct iovec in[8];
		struct fake_used used;
		unsigned int nb = 1 + (unsigned int)rand() % 8;

		f->g->config.shape = (enum fake_shape)((unsigned int)rand() % 3);
		for (unsigned int k = 0; k < nb; k++) {
			in[k] = bytes(&"12345678"[k], 1);
		}
		int id = fake_guest_send(f->g, 0, in, nb, ones, nb);
		char got[8];

		cr_assert_geq(id, 0);
		cr_assert_eq(echo(f), 1);
		cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
		cr_assert_eq(used.id, id);
		cr_assert_eq(used.len, nb);
		cr_assert(fake_used_copy(&used, got, nb));
		cr_assert_arr_eq(got, "12345678", nb);
	}
	teardown(f);
}

/* the order of completion is the device's business. */
/* proves: R-18 R-19 */
BOTH(chains_may_be_returned_in_another_order)
{
	struct fixture *f = setup_plain(packed);

	for (int round = 0; round < 100; round++) {
		int ids[7];

		for (uint64_t i = 0; i < 7; i++) {
			ids[i] = send_number(f, i);
		}
		cr_assert_eq(pop(f), 7);
		for (uint64_t i = 7; i-- > 0;) {
			chain_write(f->chains[i], &i, sizeof(i));
			virtq_push(&f->vq, f->chains[i], sizeof(i));
		}
		give_back(f);
		for (uint64_t i = 7; i-- > 0;) {
			expect_number(f, ids[i], i);
		}
	}
	teardown(f);
}

/* nothing is taken twice while it is outstanding. */
BOTH(an_outstanding_chain_is_not_popped_again)
{
	struct fixture *f = setup_plain(packed);

	send_number(f, 1);
	cr_expect_eq(pop(f), 1);
	cr_expect_not(virtq_has_work(&f->vq));
	cr_expect_eq(pop(f), 0);
	teardown(f);
}

BOTH(available_chains_are_counted_without_taking_them)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .queue_size = 8, .indirect = true, .shape = FAKE_INDIRECT});

	for (int lap = 0; lap < 5; lap++) {
		int ids[8];

		for (uint16_t i = 0; i < 8; i++) {
			cr_assert_eq(virtq_nb_available(&f->vq, 100), i);
			cr_assert_eq(virtq_nb_available(&f->vq, 3), MIN(i, 3));
			ids[i] = send_number(f, i);
		}
		cr_assert_eq(virtq_nb_available(&f->vq, 100), 8);
		cr_assert_eq(pop(f), 8);
		cr_assert_eq(virtq_nb_available(&f->vq, 100), 0);
		for (uint64_t i = 0; i < 8; i++) {
			chain_write(f->chains[i], &i, sizeof(i));
			virtq_push(&f->vq, f->chains[i], sizeof(i));
		}
		give_back(f);
		for (uint64_t i = 0; i < 8; i++) {
			expect_number(f, ids[i], i);
		}
		/* Positions that are no multiple of the size. */
		ids[0] = send_number(f, 1);
		cr_assert_eq(echo(f), 1);
		expect_number(f, ids[0], 1);
	}
	virtq_stop(&f->vq);
	cr_expect_eq(virtq_nb_available(&f->vq, 100), 0);
	teardown(f);
}

BOTH(looking_ahead_takes_nothing)
{
	struct fixture *f = setup_plain(packed);
	const uint32_t room = 608;
	const struct fake_desc outside = {.addr = UINT64_MAX - 607, .len = 608, .flags = WRITE};

	virtq_prefetch_next(&f->vq, room);
	int id = fake_guest_send(f->g, 0, NULL, 0, &room, 1);

	virtq_prefetch_next(&f->vq, room);
	cr_assert_eq(f->vq.stats.nb_chains, 0);
	cr_assert_eq(pop(f), 1);
	cr_assert_eq(f->chains[0]->id, id);
	virtq_push(&f->vq, f->chains[0], 0);
	fake_guest_raw(f->g, 0, 3, &outside, 1);
	virtq_prefetch_next(&f->vq, room);
	cr_assert_eq(f->vq.stats.nb_bad_chain, 0);
	cr_assert_eq(pop(f), 0);
	cr_assert_eq(f->vq.stats.nb_bad_chain, 1);
	teardown(f);
}

BOTH(nothing_is_visible_before_the_flush)
{
	struct fixture *f = setup_plain(packed);

	for (uint64_t i = 0; i < 3; i++) {
		send_number(f, i);
	}
	cr_assert_eq(pop(f), 3);
	for (unsigned int i = 0; i < 3; i++) {
		virtq_push(&f->vq, f->chains[i], 0);
		cr_expect_not(fake_guest_has_used(f->g, 0));
	}
	virtq_flush(&f->vq);
	cr_expect(fake_guest_has_used(f->g, 0));
	teardown(f);
}

BOTH(a_burst_takes_no_more_than_asked_for)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .queue_size = 128});

	for (uint64_t i = 0; i < 50; i++) {
		send_number(f, i);
	}
	cr_expect_eq(virtq_pop_burst(&f->vq, f->chains, 5), 5);
	cr_expect_eq(virtq_pop_burst(&f->vq, f->chains, 1000), VIRTQ_BURST);
	cr_expect_eq(virtq_pop_burst(&f->vq, f->chains, 1000), 50 - 5 - VIRTQ_BURST);
	teardown(f);
}

/* the good ones around a bad chain are served, and all keep their order. */
/* proves: R-14 R-19 */
BOTH(a_bad_chain_in_a_burst_does_not_disturb_its_neighbours)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc bad = {UINT64_MAX, 1, 0, 0};
	struct fake_used used;

	int first = send_number(f, 10);

	fake_guest_raw(f->g, 0, 9, &bad, 1);
	int last = send_number(f, 20);

	cr_expect_eq(echo(f), 2);
	/* The bad one is pushed while the burst is taken, so it overtakes. */
	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.id, 9);
	cr_expect_eq(used.len, 0);
	expect_number(f, first, 10);
	expect_number(f, last, 20);
	teardown(f);
}

/* S-1: what the guest changes after the pop is never seen. */
/* proves: S-1 */
BOTH(a_descriptor_rewritten_after_the_pop_changes_nothing)
{
	struct fixture *f = setup_plain(packed);

	f->g->config.shape = FAKE_INDIRECT;
	int id = send_number(f, 42);

	cr_assert_eq(pop(f), 1);
	struct virtq_chain before = *f->chains[0];
	const struct fake_chain *c = &f->g->queues[0].chains[id];

	memset(c->iov[2].iov_base, 0xff, c->iov[2].iov_len);
	memset(f->g->queues[0].desc, 0xff, 16);
	cr_expect_arr_eq(&before, f->chains[0], offsetof(struct virtq_chain, iov[2]));
	virtq_push(&f->vq, f->chains[0], 0);
	virtq_flush(&f->vq);
	struct fake_used used;

	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.id, id);
	teardown(f);
}

/* proves: R-11 */
BOTH(what_is_in_the_ring_before_the_start_is_seen_without_a_kick)
{
	struct fixture *f = setup_plain(packed);
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	virtq_stop(&f->vq);
	send_number(f, 1);
	send_number(f, 2);
	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	cr_expect(virtq_has_work(&f->vq));
	cr_expect_eq(pop(f), 2);
	teardown(f);
}

/* after the stop no bit of guest memory changes and none is looked at. */
/* proves: R-12 R-13 S-21 */
BOTH(a_stopped_ring_is_left_alone)
{
	struct fixture *f = setup_plain(packed);
	struct fake_region *r = &f->g->regions[0];
	char *before = malloc(r->bytes);

	send_number(f, 1);
	send_number(f, 2);
	cr_assert_eq(virtq_pop_burst(&f->vq, f->chains, 1), 1);
	virtq_stop(&f->vq);
	memcpy(before, r->addr, r->bytes);
	cr_expect_not(virtq_has_work(&f->vq));
	cr_expect_eq(pop(f), 0);
	virtq_push(&f->vq, f->chains[0], 8);
	give_back(f);
	cr_expect_not(virtq_kicks_on(&f->vq));
	virtq_kicks_off(&f->vq);
	cr_expect_eq(memcmp(before, r->addr, r->bytes), 0);
	cr_expect_eq(fake_guest_nb_calls(f->g, 0), 0);
	free(before);
	teardown(f);
}

/* Whatever was pushed counts as taken in the base, so the stop hands it over. */
BOTH(stop_flushes_what_was_pushed)
{
	struct fixture *f = setup_plain(packed);
	uint64_t number = 5;

	int id = send_number(f, 5);

	cr_assert_eq(pop(f), 1);
	chain_write(f->chains[0], &number, sizeof(number));
	virtq_push(&f->vq, f->chains[0], sizeof(number));
	virtq_stop(&f->vq);
	expect_number(f, id, 5);
	teardown(f);
}

/* Stop and start at every position, over the wrap of both formats. */
BOTH(a_ring_goes_on_from_the_base_it_was_stopped_at)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .queue_size = 8});

	for (uint64_t i = 0; i < 200; i++) {
		struct virtq_config vc = fake_guest_virtq(f->g, 0);
		uint16_t base = virtq_stop(&f->vq);
		uint64_t slots = 2 * i;

		cr_expect_eq(virtq_stop(&f->vq), base, "a second stop answers the same");
		if (packed) {
			cr_assert_eq(base, slots % 8 | (slots / 8 % 2 == 0) << 15);
		} else {
			cr_assert_eq(base, i);
		}
		vc.avail_base = base;
		vc.used_base = base;
		cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
		int id = send_number(f, i);

		cr_assert_eq(echo(f), 1);
		expect_number(f, id, i);
	}
	teardown(f);
}

/* The base says what is next to take even if used entries are behind it. */
BOTH(available_and_used_base_may_differ)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .queue_size = 8});
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	int a = send_number(f, 1);
	int b = send_number(f, 2);

	cr_assert_eq(virtq_pop_burst(&f->vq, f->chains, 1), 1);
	vc.avail_base = virtq_stop(&f->vq);
	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	uint64_t one = 1;

	chain_write(f->chains[0], &one, sizeof(one));
	virtq_push(&f->vq, f->chains[0], sizeof(one));
	cr_expect_eq(echo(f), 1);
	expect_number(f, a, 1);
	expect_number(f, b, 2);
	teardown(f);
}

/* proves: S-2 */
Test(virtq, start_refuses_what_no_ring_can_be)
{
	struct fixture *f = setup_plain(false);
	struct virtq_config good = fake_guest_virtq(f->g, 0);
	struct virtq_config vc = good;

	cr_expect_eq(virtq_start(&f->vq, &good, &f->mem), -EINVAL, "started already");
	virtq_stop(&f->vq);
	vc.size = 0;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc.size = 48;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL, "no power of two");
	vc.packed = true;
	vc.size = VIRTQ_MAX_SIZE + 1;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc = good;
	vc.desc = (char *)vc.desc + 8;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc = good;
	vc.driver = (char *)vc.driver + 1;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc = good;
	vc.device = (char *)vc.device + 2;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc = good;
	vc.device = NULL;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	cr_expect_eq(virtq_start(&f->vq, &good, &f->mem), 0);
	teardown(f);
}

Test(virtq, packed_start_refuses_a_base_beyond_the_ring)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = true, .queue_size = 5});
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	virtq_stop(&f->vq);
	vc.avail_base = 0x8005;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc.avail_base = 0x8004;
	vc.used_base = 5;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), -EINVAL);
	vc.used_base = 4;
	cr_expect_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	teardown(f);
}

/* The ring is given up: counted, and its memory not touched until the next start. */
static void
expect_broken(struct fixture *f)
{
	struct fake_region *r = &f->g->regions[0];
	char *before = malloc(r->bytes);

	cr_expect_eq(pop(f), 0);
	cr_expect(f->vq.broken);
	cr_expect_eq(f->vq.stats.nb_broken, 1);
	memcpy(before, r->addr, r->bytes);
	cr_expect_eq(pop(f), 0);
	cr_expect_not(virtq_has_work(&f->vq));
	cr_expect_not(virtq_kicks_on(&f->vq));
	f->chains[0]->nb_slots = 1;
	virtq_push(&f->vq, f->chains[0], 0);
	give_back(f);
	cr_expect_eq(memcmp(before, r->addr, r->bytes), 0);
	cr_expect_eq(f->vq.stats.nb_broken, 1);
	free(before);

	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	virtq_stop(&f->vq);
	fake_guest_reset(f->g, 0);
	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	int id = send_number(f, 1);

	cr_expect_eq(echo(f), 1);
	expect_number(f, id, 1);
}

/* proves: R-14 S-2 B6 */
Test(virtq, split_avail_index_that_jumps_beyond_the_ring_breaks_it)
{
	static const uint16_t jumps[] = {65, 0x7fff, 0x8000, 0xffff};

	for (unsigned int i = 0; i < ARRAY_SIZE(jumps); i++) {
		struct fixture *f = setup_plain(false);
		struct vring_avail *avail = f->g->queues[0].driver;

		avail->idx = jumps[i];
		expect_broken(f);
		teardown(f);
	}
}

/* S-2: the ring may be filled to the last slot, not more. */
Test(virtq, split_avail_index_may_be_a_whole_ring_ahead)
{
	struct fixture *f = setup_plain(false);
	struct vring_avail *avail = f->g->queues[0].driver;

	avail->idx = 64;
	cr_expect_eq(pop(f), VIRTQ_BURST);
	cr_expect_not(f->vq.broken);
	teardown(f);
}

/* S-2, B6: going backwards is a jump as well. */
Test(virtq, split_avail_index_that_goes_back_breaks_the_ring)
{
	struct fixture *f = setup_plain(false);
	struct vring_avail *avail = f->g->queues[0].driver;

	run(f, 10, 3);
	avail->idx--;
	expect_broken(f);
	teardown(f);
}

/* proves: R-14 S-2 B6 */
Test(virtq, split_head_beyond_the_table_breaks_the_ring)
{
	static const uint16_t heads[] = {64, 65, 0x8000, 0xffff};

	for (unsigned int i = 0; i < ARRAY_SIZE(heads); i++) {
		struct fixture *f = setup_plain(false);
		struct vring_avail *avail = f->g->queues[0].driver;

		avail->ring[0] = heads[i];
		avail->idx = 1;
		expect_broken(f);
		teardown(f);
	}
}

Test(virtq, split_chains_before_a_wild_head_are_still_taken)
{
	struct fixture *f = setup_plain(false);
	struct vring_avail *avail = f->g->queues[0].driver;

	send_number(f, 1);
	avail->ring[1] = 64;
	avail->idx = 2;
	cr_expect_eq(pop(f), 1);
	cr_expect(f->vq.broken);
	teardown(f);
}

/* S-3, B47: the id of such a chain is not known, so there is nothing to return. */
/* proves: R-14 S-3 */
Test(virtq, packed_chain_without_an_end_breaks_the_ring)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = true, .queue_size = 5});
	struct fake_desc d[5] = {
		{0, 0, NEXT}, {0, 0, NEXT}, {0, 0, NEXT}, {0, 0, NEXT}, {0, 0, NEXT}};

	fake_guest_raw(f->g, 0, 0, d, 5);
	expect_broken(f);
	teardown(f);
}

/* the id stands in the last descriptor, however early the chain went wrong. */
/* proves: R-16 */
Test(virtq, packed_bad_chain_is_walked_to_its_end)
{
	struct fixture *f = setup_plain(true);
	struct fake_desc d[] = {{UINT64_MAX, 8, NEXT, 0}, {0, 8, INDIRECT | NEXT, 0},
		{1, 8, WRITE | NEXT, 0}, {2, 8, 0, 0}};

	for (int round = 0; round < 50; round++) {
		expect_refused(f, d, 4);
	}
	teardown(f);
}

/* stale descriptors of the lap before look neither available nor used. */
/* proves: R-16 */
Test(virtq, packed_empty_ring_stays_empty_at_every_slot)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = true, .queue_size = 7});

	for (uint64_t i = 0; i < 100; i++) {
		cr_assert_not(virtq_has_work(&f->vq));
		cr_assert_eq(pop(f), 0);
		cr_assert_not(fake_guest_has_used(f->g, 0));
		int id = send_number(f, i);

		cr_assert(virtq_has_work(&f->vq));
		cr_assert_eq(echo(f), 1);
		expect_number(f, id, i);
	}
	teardown(f);
}

/* The guest memory of one queue never leads to another. */
BOTH(two_queues_of_one_guest_do_not_mix)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .nb_queues = 2});
	struct virtq_config vc = fake_guest_virtq(f->g, 1);
	static struct virtq other;
	uint32_t room = 8;

	cr_assert_eq(virtq_start(&other, &vc, &f->mem), 0);
	fake_guest_send(f->g, 1, NULL, 0, &room, 1);
	cr_expect_eq(pop(f), 0);
	cr_expect_eq(virtq_pop_burst(&other, f->chains, 32), 1);
	virtq_stop(&other);
	teardown(f);
}
