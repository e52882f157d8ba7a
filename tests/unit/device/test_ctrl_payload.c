/* SPDX-License-Identifier: BSD-3-Clause */
/* Texts and arrays: EXT_CTRLS with pointers to the guest's scattered memory (R-57, T-31). */
#include "one_session.h"

#define POINTER     0x7f00deadbeefull
#define ARRAY_BYTES 12
#define TEXT_BYTES  9

/* EXT_CTRLS of two controls as they stand in the R-part, each payload in pieces of 5 bytes. */
struct ask {
	struct v4l2_ext_controls head;
	struct v4l2_ext_control ctrl[2];
	struct virtio_media_sg_entry sg[8];
} __attribute__((packed));

static uint8_t *memory[2]; /* the guest's, of the payload of either control */
static struct ask ask;
static size_t in_bytes, out_bytes;

static void
setup(void)
{
	setup_with(&(struct h_config){.more_ctrls = true});
	for (int i = 0; i < 2; i++) {
		memory[i] = fake_guest_alloc(h->guest, 0, 64);
		memset(memory[i], 0x55, 64);
	}
}

/* Behind the controls a list may lie at any address. Its end. */
static uint8_t *
put_list(uint8_t *list, uint8_t *at, uint32_t size)
{
	for (uint32_t done = 0; done < size; done += 5) {
		uint32_t len = size - done < 5 ? size - done : 5;
		const struct virtio_media_sg_entry sg = {
			.start = fake_guest_gpa(h->guest, at + done), .len = len};

		memcpy(list, &sg, sizeof(sg));
		list += sizeof(sg);
	}
	return list;
}

static void
put(uint32_t nb, uint32_t id0, uint32_t size0, uint32_t id1, uint32_t size1)
{
	const uint32_t ids[2] = {id0, id1}, sizes[2] = {size0, size1};
	uint8_t *list;

	memset(&ask, 0, sizeof(ask));
	ask.head.count = nb;
	out_bytes = sizeof(ask.head) + nb * sizeof(ask.ctrl[0]);
	list = (uint8_t *)&ask + out_bytes;
	for (uint32_t i = 0; i < nb; i++) {
		ask.ctrl[i].id = ids[i];
		ask.ctrl[i].size = sizes[i];
		ask.ctrl[i].value64 = sizes[i] != 0 ? (int64_t)POINTER : 0;
		list = put_list(list, memory[i], sizes[i]);
	}
	in_bytes = (size_t)(list - (uint8_t *)&ask);
}

static int
call(uint32_t nr)
{
	return h_ioctl(h, s, nr, &ask, in_bytes, out_bytes);
}

static int
set_text(const char *text, uint32_t size)
{
	put(1, H_CTRL_TEXT, size, 0, 0);
	memset(memory[0], 0x55, 64);
	memcpy(memory[0], text, size);
	return call(NR(S_EXT_CTRLS));
}

static const char *
get_text(void)
{
	put(1, H_CTRL_TEXT, TEXT_BYTES, 0, 0);
	memset(memory[0], 0x55, 64);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), 0);
	cr_assert_eq(memory[0][TEXT_BYTES], 0x55);
	return (const char *)memory[0];
}

/* proves: R-57 R-53 */
Test(ctrl_payload, a_text_is_what_was_set_and_blanks_before)
{
	setup();
	cr_assert_str_eq(get_text(), "  ");
	cr_assert_eq(ask.ctrl[0].value64, (int64_t)POINTER);
	cr_assert_eq(ask.ctrl[0].size, TEXT_BYTES);
	cr_assert_eq(set_text("abcd", 5), 0);
	cr_assert_eq(h->backend->nb_set_payload, 1);
	cr_assert_str_eq((const char *)h->backend->set_payload, "abcd");
	cr_assert_str_eq(get_text(), "abcd");
	cr_assert_eq(set_text("abcd", 5), 0);
	cr_assert_eq(h->backend->nb_set_payload, 1, "the same text is no news");
	put(1, H_CTRL_TEXT, TEXT_BYTES, 0, 0);
	ask.head.which = V4L2_CTRL_WHICH_DEF_VAL;
	cr_assert_eq(call(NR(G_EXT_CTRLS)), 0);
	cr_assert_str_eq((const char *)memory[0], "  ");
	teardown();
}

Test(ctrl_payload, a_text_that_cannot_be_is_erange_and_changes_nothing)
{
	setup();
	cr_assert_eq(set_text("a", 2), -ERANGE);
	cr_assert_eq(set_text("abc", 4), -ERANGE);
	cr_assert_eq(set_text("abcdefghi", 10), -ERANGE);
	cr_assert_eq(ask.head.error_idx, 1, "nothing was touched");
	cr_assert_eq(set_text("", 0), -ERANGE);
	cr_assert_str_eq(get_text(), "  ");
	cr_assert_eq(set_text("abcdefgh", 9), 0);
	cr_assert_str_eq(get_text(), "abcdefgh");
	/* Without a NUL the last character is where it has to be. */
	cr_assert_eq(set_text("xyz", 3), 0);
	cr_assert_str_eq(get_text(), "xy");
	teardown();
}

Test(ctrl_payload, too_little_room_is_enospc_and_tells_how_much_it_takes)
{
	setup();
	put(1, H_CTRL_TEXT, 0, 0, 0);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), -ENOSPC);
	cr_assert_eq(ask.ctrl[0].size, TEXT_BYTES);
	cr_assert_eq(ask.head.error_idx, 0);
	put(1, H_CTRL_ARRAY, ARRAY_BYTES - 1, 0, 0);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), -ENOSPC);
	cr_assert_eq(ask.ctrl[0].size, ARRAY_BYTES);
	cr_assert_eq(memory[0][0], 0x55);
	put(1, H_CTRL_ARRAY, ARRAY_BYTES - 1, 0, 0);
	cr_assert_eq(call(NR(S_EXT_CTRLS)), -ENOSPC);
	cr_assert_eq(ask.ctrl[0].size, ARRAY_BYTES);
	cr_assert_eq(h->backend->nb_set_payload, 0);
	teardown();
}

Test(ctrl_payload, elements_are_brought_to_their_range_and_the_guest_sees_it)
{
	const uint16_t wish[6] = {0, 10, 999, 1000, 1001, 65535};
	const uint16_t got[6] = {10, 10, 999, 1000, 1000, 1000};

	setup();
	put(1, H_CTRL_ARRAY, 20, 0, 0);
	memcpy(memory[0], wish, sizeof(wish));
	cr_assert_eq(call(NR(TRY_EXT_CTRLS)), 0);
	cr_assert_arr_eq(memory[0], got, sizeof(got));
	cr_assert_eq(h->backend->nb_set_payload, 0);
	memcpy(memory[0], wish, sizeof(wish));
	cr_assert_eq(call(NR(S_EXT_CTRLS)), 0);
	cr_assert_arr_eq(memory[0], got, sizeof(got));
	cr_assert_arr_eq(h->backend->set_payload, got, sizeof(got));
	cr_assert_eq(memory[0][sizeof(got)], 0x55);
	teardown();
}

/* proves: R-57 */
Test(ctrl_payload, lists_follow_one_another_also_those_of_numbers)
{
	const uint16_t values[6] = {11, 22, 33, 44, 55, 66};

	setup();
	/* An integer needs no size, but where it has one there is a list to pass over. */
	put(2, H_CTRL_BITS, 7, H_CTRL_ARRAY, ARRAY_BYTES);
	ask.ctrl[0].value = 3;
	memcpy(memory[1], values, sizeof(values));
	cr_assert_eq(call(NR(S_EXT_CTRLS)), 0);
	cr_assert_arr_eq(h->backend->set_payload, values, sizeof(values));
	put(2, H_CTRL_TEXT, TEXT_BYTES, H_CTRL_ARRAY, ARRAY_BYTES);
	memset(memory[1], 0x55, 64);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), 0);
	cr_assert_arr_eq(memory[1], values, sizeof(values));
	cr_assert_str_eq((const char *)memory[0], "  ");
	teardown();
}

/* proves: R-57 S-7 */
Test(ctrl_payload, lists_that_are_short_or_lead_nowhere_are_einval)
{
	const struct virtio_media_sg_entry nowhere = {.start = 1ull << 60, .len = 5};

	setup();
	put(1, H_CTRL_ARRAY, ARRAY_BYTES, 0, 0);
	in_bytes -= sizeof(nowhere);
	cr_assert_eq(call(NR(S_EXT_CTRLS)), -EINVAL);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), -EINVAL);
	put(1, H_CTRL_ARRAY, ARRAY_BYTES, 0, 0);
	memcpy((uint8_t *)&ask + out_bytes + sizeof(nowhere), &nowhere, sizeof(nowhere));
	cr_assert_eq(call(NR(S_EXT_CTRLS)), -EINVAL);
	cr_assert_eq(call(NR(G_EXT_CTRLS)), -EINVAL);
	cr_assert_eq(h->backend->nb_set_payload, 0);
	put(1, H_CTRL_ARRAY, ARRAY_BYTES, 0, 0);
	ask.ctrl[0].size = UINT32_MAX;
	cr_assert_eq(call(NR(S_EXT_CTRLS)), -EINVAL);
	teardown();
}

Test(ctrl_payload, the_old_interface_does_not_have_them_and_queries_tell_their_shape)
{
	struct v4l2_control c = {.id = H_CTRL_TEXT};
	struct v4l2_query_ext_ctrl q = {.id = H_CTRL_ARRAY};

	setup();
	cr_assert_eq(h_ioctl(h, s, NR(G_CTRL), &c, sizeof(c), sizeof(c)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(S_CTRL), &c, sizeof(c), sizeof(c)), -EINVAL);
	cr_assert_eq(h_ioctl(h, s, NR(QUERY_EXT_CTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(q.elem_size, 2);
	cr_assert_eq(q.elems, 6);
	cr_assert_eq(q.nr_of_dims, 2);
	cr_assert_eq(q.dims[0], 2);
	cr_assert_eq(q.dims[1], 3);
	cr_assert(q.flags & V4L2_CTRL_FLAG_HAS_PAYLOAD);
	q = (struct v4l2_query_ext_ctrl){.id = V4L2_CTRL_FLAG_NEXT_COMPOUND};
	cr_assert_eq(h_ioctl(h, s, NR(QUERY_EXT_CTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(q.id, H_CTRL_ARRAY);
	q = (struct v4l2_query_ext_ctrl){.id = H_CTRL_TEXT};
	cr_assert_eq(h_ioctl(h, s, NR(QUERY_EXT_CTRL), &q, sizeof(q), sizeof(q)), 0);
	cr_assert_eq(q.elem_size, TEXT_BYTES);
	cr_assert_eq(q.elems, 1);
	cr_assert_eq(q.maximum, 8);
	teardown();
}

Test(ctrl_payload, others_hear_once_that_a_text_is_new)
{
	struct virtio_media_event_event e;
	uint8_t bytes[H_EVENT_SIZE];
	uint32_t other;

	setup();
	other = h_open(h);
	cr_assert_eq(h_subscribe(h, other, V4L2_EVENT_CTRL, H_CTRL_TEXT, 0), 0);
	cr_assert_eq(set_text("abcd", 5), 0);
	h_pass(h, 4);
	cr_assert_gt(h_event(h, bytes), 0);
	memcpy(&e, bytes, sizeof(e));
	cr_assert_eq(e.event.id, H_CTRL_TEXT);
	cr_assert_eq(e.event.u.ctrl.type, V4L2_CTRL_TYPE_STRING);
	cr_assert_eq(e.event.u.ctrl.value64, 0);
	h_pass(h, 4);
	cr_assert_lt(h_event(h, bytes), 0);
	teardown();
}
