/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/compiler.h"
#include "media/ctrl.h"

static const char *const menu[] = {"Off", NULL, "50 Hz", "60 Hz"};

/* Not in order of ids. */
static const struct vmedia_ctrl_desc descs[] = {
	{V4L2_CID_GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", -10, 101, 10, 0, 0, NULL},
	{V4L2_CID_BRIGHTNESS, V4L2_CTRL_TYPE_INTEGER, "Brightness", 0, 255, 1, 128, 0, NULL},
	{V4L2_CID_HFLIP, V4L2_CTRL_TYPE_BOOLEAN, "Flip", 0, 1, 1, 0, 0, NULL},
	{V4L2_CID_POWER_LINE_FREQUENCY, V4L2_CTRL_TYPE_MENU, "Mains", 0, 3, 1, 2, 0, menu},
	{V4L2_CID_DO_WHITE_BALANCE, V4L2_CTRL_TYPE_BUTTON, "Do", 0, 0, 0, 0, 0, NULL},
	{V4L2_CID_EXPOSURE_ABSOLUTE, V4L2_CTRL_TYPE_INTEGER, "Exposure", INT_MIN, INT_MAX, 1, 0,
		V4L2_CTRL_FLAG_READ_ONLY, NULL},
};
static const struct ctrl_table table = {descs, ARRAY_SIZE(descs)};

Test(ctrl, iteration_meets_every_control_and_its_class_once_in_order_of_ids)
{
	static const uint32_t expected[] = {V4L2_CID_USER_CLASS, V4L2_CID_BRIGHTNESS,
		V4L2_CID_DO_WHITE_BALANCE, V4L2_CID_GAIN, V4L2_CID_HFLIP,
		V4L2_CID_POWER_LINE_FREQUENCY, V4L2_CID_CAMERA_CLASS, V4L2_CID_EXPOSURE_ABSOLUTE};
	const struct vmedia_ctrl_desc *desc;
	uint32_t id = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		desc = ctrl_query(&table, id | V4L2_CTRL_FLAG_NEXT_CTRL);
		cr_assert_not_null(desc);
		cr_assert_eq(desc->id, expected[i], "%zu: %x", i, desc->id);
		id = desc->id;
	}
	cr_assert_null(ctrl_query(&table, id | V4L2_CTRL_FLAG_NEXT_CTRL));
	cr_assert_null(ctrl_query(&table, V4L2_CTRL_FLAG_NEXT_COMPOUND));
	cr_assert_not_null(
		ctrl_query(&table, V4L2_CTRL_FLAG_NEXT_COMPOUND | V4L2_CTRL_FLAG_NEXT_CTRL));
}

Test(ctrl, unknown_ids_and_unused_classes_are_not_found)
{
	cr_assert_null(ctrl_find(&table, 0));
	cr_assert_null(ctrl_find(&table, V4L2_CID_CONTRAST));
	cr_assert_null(ctrl_find(&table, V4L2_CID_CODEC_CLASS));
	cr_assert_null(ctrl_find(&table, V4L2_CID_PRIVATE_BASE));
	cr_assert_null(ctrl_find(&table, V4L2_CID_GAIN | 0x80000000));
}

/* proves: S-18 */
Test(ctrl, integers_are_brought_to_range_and_nearest_step)
{
	static const struct {
		int32_t wish, got;
	} rows[] = {{0, 0}, {4, 0}, {5, 10}, {-10, -10}, {-11, -10}, {INT_MIN, -10}, {98, 100},
		{101, 100}, {INT_MAX, 100}};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t value = rows[i].wish;

		cr_assert_eq(ctrl_validate(&descs[0], &value), 0);
		cr_assert_eq(value, rows[i].got, "%d: %lld", rows[i].wish, (long long)value);
	}
}

/* proves: S-18 */
Test(ctrl, the_widest_range_does_not_overflow)
{
	int64_t value = INT_MAX;

	cr_assert_eq(ctrl_validate(&descs[5], &value), 0);
	cr_assert_eq(value, INT_MAX);
	value = INT_MIN;
	cr_assert_eq(ctrl_validate(&descs[5], &value), 0);
	cr_assert_eq(value, INT_MIN);
}

Test(ctrl, booleans_become_zero_or_one)
{
	int64_t value = -7;

	cr_assert_eq(ctrl_validate(&descs[2], &value), 0);
	cr_assert_eq(value, 1);
}

/* proves: S-18 */
Test(ctrl, menu_index_out_of_range_is_erange_and_a_hole_einval)
{
	int64_t value = 4;

	cr_assert_eq(ctrl_validate(&descs[3], &value), -ERANGE);
	value = -1;
	cr_assert_eq(ctrl_validate(&descs[3], &value), -ERANGE);
	value = 1;
	cr_assert_eq(ctrl_validate(&descs[3], &value), -EINVAL);
	value = 3;
	cr_assert_eq(ctrl_validate(&descs[3], &value), 0);
}

Test(ctrl, menu_names_end_with_einval_and_have_holes)
{
	struct v4l2_querymenu m = {.id = V4L2_CID_POWER_LINE_FREQUENCY, .index = 3, .reserved = 9};

	cr_assert_eq(ctrl_fill_menu(&table, &m), 0);
	cr_assert_str_eq((const char *)m.name, "60 Hz");
	cr_assert_eq(m.reserved, 0);
	m.index = 1;
	cr_assert_eq(ctrl_fill_menu(&table, &m), -EINVAL);
	m.index = 4;
	cr_assert_eq(ctrl_fill_menu(&table, &m), -EINVAL);
	m.index = UINT32_MAX;
	cr_assert_eq(ctrl_fill_menu(&table, &m), -EINVAL);
	m = (struct v4l2_querymenu){.id = V4L2_CID_GAIN};
	cr_assert_eq(ctrl_fill_menu(&table, &m), -EINVAL);
}

Test(ctrl, buttons_cannot_be_read_and_read_only_ones_not_written)
{
	cr_assert_eq(ctrl_readable(&descs[4]), -EACCES);
	cr_assert_eq(ctrl_writable(&descs[4]), 0);
	cr_assert_eq(ctrl_writable(&descs[5]), -EACCES);
	cr_assert_eq(ctrl_readable(&descs[5]), 0);
	cr_assert_eq(ctrl_readable(ctrl_find(&table, V4L2_CID_USER_CLASS)), -EACCES);
	cr_assert_eq(ctrl_writable(ctrl_find(&table, V4L2_CID_USER_CLASS)), -EACCES);
	cr_assert_eq(ctrl_index(&table, ctrl_find(&table, V4L2_CID_USER_CLASS)), -EINVAL);
	cr_assert_eq(ctrl_index(&table, ctrl_find(&table, V4L2_CID_HFLIP)), 2);
}

Test(ctrl, both_query_structs_agree)
{
	struct v4l2_query_ext_ctrl ext;
	struct v4l2_queryctrl old;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(descs); i++) {
		memset(&ext, 0xff, sizeof(ext));
		memset(&old, 0xff, sizeof(old));
		ctrl_fill_query_ext(&descs[i], &ext);
		ctrl_fill_queryctrl(&descs[i], &old);
		cr_assert_eq(ext.id, old.id);
		cr_assert_eq(ext.type, old.type);
		cr_assert_str_eq(ext.name, (const char *)old.name);
		cr_assert_eq(ext.minimum, old.minimum);
		cr_assert_eq(ext.maximum, old.maximum);
		cr_assert_eq(ext.step, (uint64_t)old.step);
		cr_assert_eq(ext.default_value, old.default_value);
		cr_assert_eq(ext.flags, old.flags);
		cr_assert_eq(ext.elem_size, 4);
		cr_assert_eq(ext.elems, 1);
		cr_assert_eq(ext.nr_of_dims, 0);
		cr_assert_eq(ext.reserved[31], 0);
	}
}

Test(ctrl, class_check_knows_the_classes_that_have_controls)
{
	cr_assert_eq(ctrl_class_check(&table, 0), 0);
	cr_assert_eq(ctrl_class_check(&table, V4L2_CTRL_CLASS_USER), 0);
	cr_assert_eq(ctrl_class_check(&table, V4L2_CTRL_CLASS_CAMERA), 0);
	cr_assert_eq(ctrl_class_check(&table, V4L2_CTRL_CLASS_CODEC), -EINVAL);
}

Test(ctrl, event_tells_value_range_and_changes)
{
	struct v4l2_event event;

	memset(&event, 0xff, sizeof(event));
	ctrl_fill_event(&descs[0], &(struct ctrl_state){-5, V4L2_CTRL_FLAG_GRABBED},
		V4L2_EVENT_CTRL_CH_VALUE, &event);
	cr_assert_eq(event.type, V4L2_EVENT_CTRL);
	cr_assert_eq(event.id, V4L2_CID_GAIN);
	cr_assert_eq(event.u.ctrl.value64, -5);
	cr_assert_eq(event.u.ctrl.flags, V4L2_CTRL_FLAG_GRABBED);
	cr_assert_eq(event.u.ctrl.minimum, -10);
	cr_assert_eq(event.u.ctrl.changes, V4L2_EVENT_CTRL_CH_VALUE);
	cr_assert_eq(event.reserved[7], 0);
}

static const int64_t rates[] = {1000, 5000000000, -1};
static const struct vmedia_ctrl_desc wide[] = {
	{V4L2_CID_PIXEL_RATE, V4L2_CTRL_TYPE_INTEGER64, "Rate", INT64_MIN, INT64_MAX, 3, 0, 0,
		NULL},
	{V4L2_CID_LINK_FREQ, V4L2_CTRL_TYPE_INTEGER_MENU, "Link", 0, 2, 0, 1, 0, NULL, rates},
	{V4L2_CID_3A_LOCK, V4L2_CTRL_TYPE_BITMASK, "Lock", 0, 7, 0, 4, 0, NULL},
};

Test(ctrl, the_steps_of_64_bits_neither_overflow_nor_pass_the_end)
{
	static const struct {
		int64_t wish, got;
	} rows[] = {{INT64_MIN, INT64_MIN}, {INT64_MIN + 1, INT64_MIN},
		{INT64_MIN + 2, INT64_MIN + 3}, {INT64_MAX, INT64_MAX}, {INT64_MAX - 1, INT64_MAX},
		{INT64_MAX - 2, INT64_MAX - 3}, {0, 1}};
	struct v4l2_ext_control ext = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t value = rows[i].wish;

		cr_assert_eq(ctrl_validate(&wide[0], &value), 0);
		cr_assert_eq(value, rows[i].got, "%zu: %lld", i, (long long)value);
		ctrl_value_to(&wide[0], value, &ext);
		cr_assert_eq(ctrl_value_of(&wide[0], &ext), value);
	}
}

Test(ctrl, a_control_of_64_bits_has_no_range_in_the_old_query)
{
	struct v4l2_query_ext_ctrl ext;
	struct v4l2_queryctrl old;

	ctrl_fill_query_ext(&wide[0], &ext);
	ctrl_fill_queryctrl(&wide[0], &old);
	cr_assert_eq(ext.elem_size, 8);
	cr_assert_eq(ext.minimum, INT64_MIN);
	cr_assert_eq(ext.maximum, INT64_MAX);
	cr_assert_eq(ext.step, 3);
	cr_assert(old.minimum == 0 && old.maximum == 0 && old.step == 0 && old.default_value == 0);
}

Test(ctrl, integer_menus_have_numbers_and_no_names)
{
	struct v4l2_querymenu m = {.id = V4L2_CID_LINK_FREQ, .index = 1};
	const struct ctrl_table all = {wide, ARRAY_SIZE(wide)};
	int64_t value = 3;

	cr_assert_eq(ctrl_fill_menu(&all, &m), 0);
	cr_assert_eq(m.value, 5000000000);
	m.index = 3;
	cr_assert_eq(ctrl_fill_menu(&all, &m), -EINVAL);
	cr_assert_eq(ctrl_validate(&wide[1], &value), -ERANGE);
	value = 2;
	cr_assert_eq(ctrl_validate(&wide[1], &value), 0);
}

Test(ctrl, a_bitmask_loses_the_bits_it_does_not_have)
{
	int64_t value = -1;

	cr_assert_eq(ctrl_validate(&wide[2], &value), 0);
	cr_assert_eq(value, 7);
	value = 0x18;
	cr_assert_eq(ctrl_validate(&wide[2], &value), 0);
	cr_assert_eq(value, 0);
}

Test(ctrl, the_old_api_counts_a_devices_own_numbers_from_the_private_base_on)
{
	static const int64_t numbers[] = {1, 2};
	static const struct vmedia_ctrl_desc own[] = {
		{V4L2_CID_GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 0, 100, 1, 0, 0, NULL},
		{V4L2_CID_USER_BASE | 0xf000, V4L2_CTRL_TYPE_STRING, "Text", 0, 8, 1, 0, 0, NULL},
		{V4L2_CID_USER_BASE | 0xf001, V4L2_CTRL_TYPE_BITMASK, "Bits", 0, 7, 0, 0, 0, NULL},
		{V4L2_CID_USER_BASE | 0xf002, V4L2_CTRL_TYPE_INTEGER64, "Wide", 0, 9, 1, 0, 0,
			NULL},
		{V4L2_CID_USER_BASE | 0xf003, V4L2_CTRL_TYPE_INTEGER_MENU, "Speed", 0, 1, 1, 0, 0,
			NULL, .numbers = numbers},
	};
	const struct ctrl_table t = {own, ARRAY_SIZE(own)};
	struct v4l2_querymenu m = {.id = V4L2_CID_PRIVATE_BASE + 1, .index = 1};

	cr_assert_eq(ctrl_find_old(&t, V4L2_CID_PRIVATE_BASE), &own[2]);
	cr_assert_eq(ctrl_query(&t, V4L2_CID_PRIVATE_BASE + 1), &own[4]);
	cr_assert_null(ctrl_find_old(&t, V4L2_CID_PRIVATE_BASE + 2));
	cr_assert_null(ctrl_query(&t, V4L2_CID_PRIVATE_BASE | V4L2_CTRL_FLAG_NEXT_CTRL));
	cr_assert_null(ctrl_find(&t, V4L2_CID_PRIVATE_BASE), "not in the new API");
	cr_assert_eq(ctrl_find_old(&t, V4L2_CID_GAIN), &own[0]);
	cr_assert_eq(ctrl_fill_menu(&t, &m), 0);
	cr_assert_eq(m.value, 2);
}
