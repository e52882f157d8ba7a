/* SPDX-License-Identifier: BSD-3-Clause */
/* What a chain may look like, and how a bad one is refused: ..R-24, R-34, S-3..S-5. */
#include "fixture.h"

#define ROOM_BYTES 64

/* Where raw chains point to: one readable and one writable buffer. */
static uint64_t
room(struct fixture *f)
{
	return fake_guest_gpa(f->g, fake_guest_alloc(f->g, 0, ROOM_BYTES));
}

/* A table in the format of the ring; split entries are linked in order. */
static uint64_t
make_table(struct fixture *f, const struct fake_desc *entries, unsigned int nb)
{
	struct vring_desc *split = fake_guest_alloc(f->g, 0, nb * 16);
	struct vring_packed_desc *packed = (void *)split;

	for (unsigned int i = 0; i < nb; i++) {
		const struct fake_desc *e = &entries[i];

		if (f->g->config.packed) {
			packed[i] = (struct vring_packed_desc){
				.addr = e->addr, .len = e->len, .flags = e->flags};
		} else {
			split[i] = (struct vring_desc){e->addr, e->len, e->flags, e->next};
		}
	}
	return fake_guest_gpa(f->g, split);
}

static void
expect_table_refused(struct fixture *f, const struct fake_desc *entries, unsigned int nb)
{
	struct fake_desc d = {make_table(f, entries, nb), nb * 16, INDIRECT};

	expect_refused(f, &d, 1);
}

/* Cuts n bytes at random places into at most max pieces, empty ones among them. */
static unsigned int
cut(uint32_t *lens, uint32_t n, unsigned int max)
{
	unsigned int nb = 0;

	while (n > 0 && nb + 1 < max) {
		uint32_t part = (uint32_t)rand() % 8;

		part = MIN(part, n);
		lens[nb++] = part;
		n -= part;
	}
	lens[nb++] = n;
	return nb;
}

/* Sends the alphabet cut as given and gets it back. */
static void
echo_cut(struct fixture *f, const uint32_t *in, unsigned int nb_in, const uint32_t *out,
	unsigned int nb_out)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	struct iovec iov[64];
	struct fake_used used;
	char got[sizeof(text)];
	size_t at = 0;

	for (unsigned int i = 0; i < nb_in; i++) {
		iov[i] = bytes(text + at, in[i]);
		at += in[i];
	}
	cr_assert_eq(at, sizeof(text));
	int id = fake_guest_send(f->g, 0, iov, nb_in, out, nb_out);

	cr_assert_geq(id, 0);
	cr_assert_eq(echo(f), 1);
	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_assert_eq(used.id, id);
	cr_assert_eq(used.len, sizeof(text));
	cr_assert(fake_used_copy(&used, got, sizeof(got)));
	cr_assert_str_eq(got, text);
}

/* proves: R-20 */
BOTH(one_byte_descriptors_make_no_difference)
{
	struct fixture *f = setup(
		(struct fake_guest_config){.packed = packed, .queue_size = 128, .nb_regions = 3});
	uint32_t ones[44];

	for (unsigned int i = 0; i < ARRAY_SIZE(ones); i++) {
		ones[i] = 1;
	}
	echo_cut(f, ones, 44, ones, 44);
	teardown(f);
}

/* all layouts, zero-length pieces included. */
/* proves: R-20 */
BOTH(random_cuts_make_no_difference)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .queue_size = 128, .nb_regions = 3, .indirect = true});
	uint32_t in[64];
	uint32_t out[64];

	srand(7);
	for (int round = 0; round < 300; round++) {
		f->g->config.shape = (enum fake_shape)(round % 3);
		unsigned int nb_in = cut(in, 44, 60);
		unsigned int nb_out = cut(out, 44, 60);

		echo_cut(f, in, nb_in, out, nb_out);
	}
	teardown(f);
}

BOTH(readable_and_writable_part_are_told_apart)
{
	struct fixture *f = setup_plain(packed);
	struct iovec in[] = {bytes("abc", 3), bytes("defg", 4)};
	uint32_t out[] = {5, 6, 7};

	fake_guest_send(f->g, 0, in, 2, out, 3);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->nb_readable, 2);
	cr_expect_eq(f->chains[0]->nb_writable, 3);
	cr_expect_eq(f->chains[0]->readable_bytes, 7);
	cr_expect_eq(f->chains[0]->writable_bytes, 18);
	cr_expect_eq(virtq_chain_writable(f->chains[0])[0].iov_len, 5);
	teardown(f);
}

BOTH(a_chain_may_be_readable_only)
{
	struct fixture *f = setup_plain(packed);
	struct iovec in = bytes("abc", 3);
	struct fake_used used;

	fake_guest_send(f->g, 0, &in, 1, NULL, 0);
	cr_expect_eq(echo(f), 1);
	cr_expect_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.len, 0);
	teardown(f);
}

/* The table itself is readable memory, too. */
BOTH(readable_memory_is_never_written)
{
	struct fixture *f = setup_plain(packed);
	struct iovec in = bytes("immutable", 10);
	uint32_t out = 10;
	struct fake_used used;

	f->g->config.shape = FAKE_INDIRECT;
	fake_guest_send(f->g, 0, &in, 1, &out, 1);
	echo(f);
	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_str_eq(used.readable[0].iov_base, "immutable");
	teardown(f);
}

/* used.len never exceeds the writable part, whatever the device claims. */
/* proves: R-23 */
BOTH(the_written_length_is_bounded_by_the_writable_part)
{
	struct fixture *f = setup_plain(packed);
	uint32_t out = 10;
	struct fake_used used;

	fake_guest_send(f->g, 0, NULL, 0, &out, 1);
	cr_assert_eq(pop(f), 1);
	virtq_push(&f->vq, f->chains[0], 4000);
	give_back(f);
	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.len, 10);
	teardown(f);
}

/* proves: R-21 */
BOTH(readable_behind_writable_is_returned_with_length_zero)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc d[] = {
		{room(f), 8, NEXT, 4}, {room(f), 8, WRITE | NEXT, 5}, {room(f), 8, 0, 0}};

	expect_refused(f, d, 3);
	teardown(f);
}

/* proves: R-14 S-5 B47 */
BOTH(memory_outside_the_guest_is_returned_with_length_zero)
{
	struct fixture *f = setup_plain(packed);
	const struct fake_region *r = &f->g->regions[0];
	struct fake_desc d[] = {
		{0, 8, 0, 0},
		{r->gpa - 1, 1, WRITE, 0},
		{r->gpa - 1, 2, 0, 0},
		{r->gpa + r->bytes, 1, 0, 0},
		{r->gpa + r->bytes - 1, 2, WRITE, 0},
		{r->gpa, UINT32_MAX, 0, 0},
		{UINT64_MAX, 1, 0, 0},
		{UINT64_MAX - 3, 8, WRITE, 0},
		{UINT64_MAX, UINT32_MAX, WRITE, 0},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(d); i++) {
		expect_refused(f, &d[i], 1);
	}
	teardown(f);
}

/* proves: S-5 */
BOTH(a_buffer_over_two_regions_becomes_two_pieces)
{
	struct fixture *f = setup(
		(struct fake_guest_config){.packed = packed, .nb_regions = 2, .adjacent = true});
	const struct fake_region *r = f->g->regions;
	struct fake_desc d = {r[1].gpa - 3, 8, 0, 0};
	char got[8];

	memcpy(r[0].addr + r[0].bytes - 3, "abc", 3);
	memcpy(r[1].addr, "defgh", 5);
	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->nb_readable, 2);
	cr_expect_eq(f->chains[0]->readable_bytes, 8);
	chain_read(f->chains[0], got, 8);
	cr_expect_arr_eq(got, "abcdefgh", 8);
	teardown(f);
}

/* S-5: the first bytes are fine, the hole comes later. */
/* proves: S-5 B47 */
BOTH(a_buffer_that_runs_into_a_hole_is_refused)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .nb_regions = 2});
	const struct fake_region *r = f->g->regions;
	struct fake_desc d = {r[0].gpa + r[0].bytes - 8, 16, WRITE, 0};

	expect_refused(f, &d, 1);
	teardown(f);
}

/* proves: S-5 */
BOTH(empty_descriptors_are_skipped_wherever_they_point)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc d[] = {{0, 0, NEXT, 1}, {room(f), 8, NEXT, 2},
		{UINT64_MAX, 0, WRITE | NEXT, 3}, {room(f), 8, WRITE, 0}};

	fake_guest_raw(f->g, 0, 0, d, 4);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->nb_readable, 1);
	cr_expect_eq(f->chains[0]->nb_writable, 1);
	teardown(f);
}

/* S-3: 4 GiB and more in one chain, each descriptor good by itself. */
/* proves: S-3 */
BOTH(a_total_of_four_gigabytes_is_refused)
{
	struct fixture *f = setup_plain(packed);
	char *half = malloc(1);
	struct guest_mem_region r[2] = {
		f->mem.regions[0], {.gpa = 1ULL << 40, .size_bytes = 1ULL << 31, .addr = half}};
	struct fake_desc d[] = {{1ULL << 40, 1u << 31, NEXT, 1}, {1ULL << 40, 1u << 31, 0, 0}};
	struct fake_used used;

	/* Only addresses are made of the second region: nothing of it is touched. */
	cr_assert_eq(guest_mem_init(&f->mem, r, 2), 0);
	fake_guest_raw(f->g, 0, 0, d, 2);
	cr_expect_eq(pop(f), 0);
	virtq_flush(&f->vq);
	cr_expect_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.len, 0);
	d[1].len--;
	fake_guest_raw(f->g, 0, 0, d, 2);
	cr_expect_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, UINT32_MAX);
	free(half);
	teardown(f);
}

/* longer than the queue, if indirect. */
/* proves: R-34 */
BOTH(a_table_of_256_entries_is_accepted_by_a_queue_of_16)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .queue_size = 16, .indirect = true, .shape = FAKE_INDIRECT});
	struct iovec in[128];
	uint32_t out[128];

	for (unsigned int i = 0; i < 128; i++) {
		in[i] = bytes("x", 1);
		out[i] = 1;
	}
	cr_assert_geq(fake_guest_send(f->g, 0, in, 128, out, 128), 0);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->nb_readable, 128);
	cr_expect_eq(f->chains[0]->nb_writable, 128);
	cr_expect_eq(f->chains[0]->nb_slots, 1);
	teardown(f);
}

/* */
BOTH(a_direct_chain_may_fill_the_whole_queue)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed, .queue_size = 256});
	struct iovec in[256];

	for (unsigned int i = 0; i < 256; i++) {
		in[i] = bytes("x", 1);
	}
	for (int round = 0; round < 3; round++) {
		struct fake_used used;

		cr_assert_geq(fake_guest_send(f->g, 0, in, 256, NULL, 0), 0);
		cr_assert_eq(echo(f), 1);
		cr_assert_eq(f->chains[0]->nb_readable, 256);
		cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	}
	teardown(f);
}

/* the limit holds for descriptors, empty or not. */
/* proves: R-34 S-4 */
BOTH(one_descriptor_above_the_limit_is_refused)
{
	struct fixture *f = setup_plain(packed);
	static struct fake_desc e[VIRTQ_CHAIN_MAX_DESC + 1];
	uint64_t gpa = room(f);

	for (unsigned int i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct fake_desc){gpa, i % 2, NEXT, i + 1};
	}
	e[ARRAY_SIZE(e) - 1].flags = 0;
	expect_table_refused(f, e, ARRAY_SIZE(e));

	e[ARRAY_SIZE(e) - 2].flags = 0;
	struct fake_desc d = {
		make_table(f, e, VIRTQ_CHAIN_MAX_DESC), VIRTQ_CHAIN_MAX_DESC * 16, INDIRECT, 0};

	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_expect_eq(pop(f), 1);
	teardown(f);
}

/* Pieces are limited apart from descriptors: each of these spans two regions. */
BOTH(more_pieces_than_a_chain_holds_are_refused)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .nb_regions = 2, .adjacent = true, .indirect = true});
	static struct fake_desc e[200];

	for (unsigned int i = 0; i < ARRAY_SIZE(e); i++) {
		e[i] = (struct fake_desc){f->g->regions[1].gpa - 4, 8, NEXT | WRITE, i + 1};
	}
	e[ARRAY_SIZE(e) - 1].flags = WRITE;
	expect_table_refused(f, e, ARRAY_SIZE(e));
	teardown(f);
}

/* proves: R-15 */
BOTH(write_on_the_descriptor_of_a_table_is_ignored)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc e[] = {{room(f), 8, NEXT, 1}, {room(f), 8, WRITE, 0}};
	struct fake_desc d = {make_table(f, e, 2), 32, INDIRECT | WRITE, 0};

	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, 8);
	cr_expect_eq(f->chains[0]->writable_bytes, 8);
	teardown(f);
}

/* the spec lets a driver do so in a split ring. */
/* proves: R-15 */
BOTH(direct_descriptors_may_end_in_one_table)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc e[] = {{room(f), 4, NEXT, 1}, {room(f), 8, WRITE, 0}};
	struct fake_desc d[] = {{room(f), 8, NEXT, 4}, {room(f), 16, NEXT, 5},
		{make_table(f, e, 2), 32, INDIRECT, 0}};

	fake_guest_raw(f->g, 0, 3, d, 3);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, 28);
	cr_expect_eq(f->chains[0]->nb_slots, 3);
	teardown(f);
}

/* R-21 over the seam of both parts. */
BOTH(a_table_that_reads_behind_a_direct_writable_is_refused)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc e = {room(f), 4, 0, 0};
	struct fake_desc d[] = {
		{room(f), 8, WRITE | NEXT, 4}, {make_table(f, &e, 1), 16, INDIRECT, 0}};

	expect_refused(f, d, 2);
	teardown(f);
}

/* proves: R-14 S-4 */
BOTH(indirect_in_indirect_is_refused)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc inner = {room(f), 8, 0, 0};
	struct fake_desc e = {make_table(f, &inner, 1), 16, INDIRECT, 0};

	expect_table_refused(f, &e, 1);
	teardown(f);
}

/* proves: R-14 S-4 */
BOTH(indirect_with_next_is_refused)
{
	struct fixture *f = setup_plain(packed);
	struct fake_desc e = {room(f), 8, 0, 0};
	struct fake_desc d[] = {{make_table(f, &e, 1), 16, INDIRECT | NEXT, 4}, {room(f), 8, 0, 0}};

	expect_refused(f, d, 2);
	teardown(f);
}

/* proves: R-4 R-15 */
BOTH(indirect_without_the_feature_is_refused)
{
	struct fixture *f = setup((struct fake_guest_config){.packed = packed});
	struct fake_desc e = {room(f), 8, 0, 0};

	expect_table_refused(f, &e, 1);
	teardown(f);
}

/* proves: R-14 S-4 S-6 */
BOTH(indirect_table_of_odd_or_zero_length_is_returned_with_length_zero)
{
	static const uint32_t lens[] = {0, 1, 15, 17, 31, 1024 * 16 + 16, UINT32_MAX, 0xfffffff0};
	struct fixture *f = setup_plain(packed);
	struct fake_desc e = {room(f), 8, 0, 0};
	struct fake_desc d = {make_table(f, &e, 1), 0, INDIRECT, 0};

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		d.len = lens[i];
		expect_refused(f, &d, 1);
	}
	teardown(f);
}

/* S-4, S-5 */
BOTH(indirect_table_outside_the_guest_is_refused)
{
	struct fixture *f = setup_plain(packed);
	const struct fake_region *r = &f->g->regions[0];
	struct fake_desc d = {r->gpa + r->bytes - 16, 32, INDIRECT, 0};

	expect_refused(f, &d, 1);
	d.addr = UINT64_MAX - 15;
	expect_refused(f, &d, 1);
	teardown(f);
}

/* proves: S-4 S-5 */
BOTH(an_indirect_table_may_span_two_regions)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .nb_regions = 2, .adjacent = true, .indirect = true});
	const struct fake_region *r = f->g->regions;
	struct fake_desc e[] = {{room(f), 8, NEXT, 1}, {room(f), 9, WRITE, 0}};
	uint64_t table = make_table(f, e, 2);
	struct fake_desc d = {r[1].gpa - 24, 32, INDIRECT, 0};

	memcpy(r[0].addr + r[0].bytes - 24, r[0].addr + (table - r[0].gpa), 24);
	memcpy(r[1].addr, r[0].addr + (table - r[0].gpa) + 24, 8);
	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, 8);
	cr_expect_eq(f->chains[0]->writable_bytes, 9);
	teardown(f);
}

/* proves: R-14 S-3 B47 */
Test(virtq, split_a_chain_that_loops_is_returned_with_length_zero)
{
	struct fixture *f = setup_plain(false);
	struct fake_desc self = {0, 0, NEXT, 3};
	struct fake_desc circle[] = {
		{room(f), 8, NEXT, 4}, {room(f), 8, NEXT, 5}, {room(f), 8, NEXT, 3}};

	expect_refused(f, &self, 1);
	expect_refused(f, circle, 3);
	teardown(f);
}

/* proves: R-14 S-3 B47 */
Test(virtq, split_an_indirect_table_that_loops_is_returned_with_length_zero)
{
	struct fixture *f = setup_plain(false);
	struct fake_desc e[] = {{room(f), 8, NEXT, 1}, {room(f), 8, NEXT, 0}};

	expect_table_refused(f, e, 2);
	e[0].len = 0;
	e[0].next = 0;
	expect_table_refused(f, e, 1);
	teardown(f);
}

/* proves: S-2 */
Test(virtq, split_next_beyond_the_table_is_returned_with_length_zero)
{
	static const uint16_t nexts[] = {64, 65, 0x8000, 0xffff};
	struct fixture *f = setup_plain(false);
	struct fake_desc d = {room(f), 8, NEXT, 0};

	for (unsigned int i = 0; i < ARRAY_SIZE(nexts); i++) {
		d.next = nexts[i];
		expect_refused(f, &d, 1);
		d.next = nexts[i] == 64 ? 1 : nexts[i];
		expect_table_refused(f, &d, 1);
	}
	teardown(f);
}

/* S-4: what an earlier table left in private memory is not part of this one. */
/* proves: R-14 S-2 */
Test(virtq, split_next_one_behind_the_table_is_returned_with_length_zero)
{
	struct fixture *f = setup_plain(false);
	struct fake_desc e[] = {{room(f), 8, NEXT, 1}, {room(f), 8, NEXT, 2}, {room(f), 8, 0, 0}};
	struct fake_desc d = {make_table(f, e, 3), 48, INDIRECT, 0};

	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, 24);
	virtq_push(&f->vq, f->chains[0], 0);
	give_back(f);
	struct fake_used used;

	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	e[0].next = 2;
	expect_table_refused(f, e, 2);
	/* Nor is what stands behind it in the guest's memory, however good. */
	d = (struct fake_desc){make_table(f, e, 3), 32, INDIRECT, 0};
	expect_refused(f, &d, 1);
	teardown(f);
}

/* 2.8.7: in a packed table NEXT and the id mean nothing. */
Test(virtq, packed_entries_of_a_table_need_no_next_flag)
{
	struct fixture *f = setup_plain(true);
	struct fake_desc e[] = {{room(f), 8, 0, 0}, {room(f), 8, NEXT, 0}, {room(f), 8, WRITE, 0}};
	struct fake_desc d = {make_table(f, e, 3), 48, INDIRECT, 0};

	fake_guest_raw(f->g, 0, 0, &d, 1);
	cr_assert_eq(pop(f), 1);
	cr_expect_eq(f->chains[0]->readable_bytes, 16);
	cr_expect_eq(f->chains[0]->writable_bytes, 8);
	teardown(f);
}
