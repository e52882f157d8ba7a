/* SPDX-License-Identifier: BSD-3-Clause */
/* The ioctl table against the full numbers that V4L2 programs use. */
#include <criterion/criterion.h>

#include "protocol/ioctl_table.h"

/* Written down, not computed: protocol.md 1.6. */
static const struct {
	const char *name;
	uint32_t cmd;
} full[] = {
	{"QUERYCAP", 0x80685600},
	{"ENUM_FMT", 0xc0405602},
	{"G_FMT", 0xc0d05604},
	{"S_FMT", 0xc0d05605},
	{"REQBUFS", 0xc0145608},
	{"QUERYBUF", 0xc0585609},
	{"G_FBUF", 0x8030560a},
	{"S_FBUF", 0x4030560b},
	{"OVERLAY", 0x4004560e},
	{"QBUF", 0xc058560f},
	{"EXPBUF", 0xc0405610},
	{"DQBUF", 0xc0585611},
	{"STREAMON", 0x40045612},
	{"STREAMOFF", 0x40045613},
	{"G_PARM", 0xc0cc5615},
	{"S_PARM", 0xc0cc5616},
	{"G_STD", 0x80085617},
	{"S_STD", 0x40085618},
	{"ENUMSTD", 0xc0485619},
	{"ENUMINPUT", 0xc050561a},
	{"G_CTRL", 0xc008561b},
	{"S_CTRL", 0xc008561c},
	{"G_TUNER", 0xc054561d},
	{"S_TUNER", 0x4054561e},
	{"G_AUDIO", 0x80345621},
	{"S_AUDIO", 0x40345622},
	{"QUERYCTRL", 0xc0445624},
	{"QUERYMENU", 0xc02c5625},
	{"G_INPUT", 0x80045626},
	{"S_INPUT", 0xc0045627},
	{"G_EDID", 0xc0285628},
	{"S_EDID", 0xc0285629},
	{"G_OUTPUT", 0x8004562e},
	{"S_OUTPUT", 0xc004562f},
	{"ENUMOUTPUT", 0xc0485630},
	{"G_AUDOUT", 0x80345631},
	{"S_AUDOUT", 0x40345632},
	{"G_MODULATOR", 0xc0445636},
	{"S_MODULATOR", 0x40445637},
	{"G_FREQUENCY", 0xc02c5638},
	{"S_FREQUENCY", 0x402c5639},
	{"CROPCAP", 0xc02c563a},
	{"G_CROP", 0xc014563b},
	{"S_CROP", 0x4014563c},
	{"G_JPEGCOMP", 0x808c563d},
	{"S_JPEGCOMP", 0x408c563e},
	{"QUERYSTD", 0x8008563f},
	{"TRY_FMT", 0xc0d05640},
	{"ENUMAUDIO", 0xc0345641},
	{"ENUMAUDOUT", 0xc0345642},
	{"G_PRIORITY", 0x80045643},
	{"S_PRIORITY", 0x40045644},
	{"G_SLICED_VBI_CAP", 0xc0745645},
	{"LOG_STATUS", 0x00005646},
	{"G_EXT_CTRLS", 0xc0205647},
	{"S_EXT_CTRLS", 0xc0205648},
	{"TRY_EXT_CTRLS", 0xc0205649},
	{"ENUM_FRAMESIZES", 0xc02c564a},
	{"ENUM_FRAMEINTERVALS", 0xc034564b},
	{"G_ENC_INDEX", 0x8818564c},
	{"ENCODER_CMD", 0xc028564d},
	{"TRY_ENCODER_CMD", 0xc028564e},
	{"DBG_S_REGISTER", 0x4038564f},
	{"DBG_G_REGISTER", 0xc0385650},
	{"S_HW_FREQ_SEEK", 0x40305652},
	{"S_DV_TIMINGS", 0xc0845657},
	{"G_DV_TIMINGS", 0xc0845658},
	{"DQEVENT", 0x80885659},
	{"SUBSCRIBE_EVENT", 0x4020565a},
	{"UNSUBSCRIBE_EVENT", 0x4020565b},
	{"CREATE_BUFS", 0xc100565c},
	{"PREPARE_BUF", 0xc058565d},
	{"G_SELECTION", 0xc040565e},
	{"S_SELECTION", 0xc040565f},
	{"DECODER_CMD", 0xc0485660},
	{"TRY_DECODER_CMD", 0xc0485661},
	{"ENUM_DV_TIMINGS", 0xc0945662},
	{"QUERY_DV_TIMINGS", 0x80845663},
	{"DV_TIMINGS_CAP", 0xc0905664},
	{"ENUM_FREQ_BANDS", 0xc0405665},
	{"DBG_G_CHIP_INFO", 0xc0c85666},
	{"QUERY_EXT_CTRL", 0xc0e85667},
	{"REMOVE_BUFS", 0xc0405668},
};

#define NB_FULL (sizeof(full) / sizeof(full[0]))

static const char *const refused[] = {
	"QUERYCAP", "DQBUF", "DQEVENT", "G_JPEGCOMP", "S_JPEGCOMP", "LOG_STATUS"};

static bool
is_refused(const char *name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strcmp(name, refused[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* The directions are bits 30 (the driver writes) and 31 (the device writes) of a full number. */
/* proves: R-48 */
Test(protocol, every_row_has_number_size_and_direction_of_the_full_ioctl_number)
{
	for (size_t i = 0; i < NB_FULL; i++) {
		uint32_t cmd = full[i].cmd, dir = cmd >> 30;
		const struct ioctl_desc *desc = ioctl_lookup(cmd & 0xff);

		cr_assert_not_null(desc, "%s", full[i].name);
		cr_assert_str_eq(desc->name, full[i].name);
		cr_assert_eq(desc->nr, cmd & 0xff, "%s", full[i].name);
		cr_assert_eq(desc->payload_bytes, (cmd >> 16) & 0x3fff, "%s", full[i].name);
		cr_assert_eq(!!(desc->dir & IOCTL_DIR_W), dir & 1, "%s", full[i].name);
		cr_assert_eq(!!(desc->dir & IOCTL_DIR_R), dir >> 1, "%s", full[i].name);
	}
}

Test(protocol, every_full_number_is_that_of_the_kernel_header)
{
	static const uint32_t kernel[] = {
#define CMD(name, nr, dir, type, shape, class) [nr] = (uint32_t)VIDIOC_##name,
		VMEDIA_IOCTL_TABLE(CMD)};

	for (size_t i = 0; i < NB_FULL; i++) {
		cr_assert_eq(kernel[full[i].cmd & 0xff], full[i].cmd, "%s", full[i].name);
	}
}

/* proves: R-45 */
Test(protocol, r45_numbers_without_ioctl_have_no_row)
{
	size_t nb = 0;

	for (uint32_t code = 0; code < 1000; code++) {
		const struct ioctl_desc *desc = ioctl_lookup(code);

		nb += desc != NULL;
		cr_assert(desc == NULL || desc->nr == code);
	}
	cr_assert_eq(nb, NB_FULL);
	cr_assert_null(ioctl_lookup(1));
	cr_assert_null(ioctl_lookup(VMEDIA_NB_IOCTLS));
	cr_assert_null(ioctl_lookup(UINT32_MAX));
	/* T-39: the full number instead of its last byte */
	cr_assert_null(ioctl_lookup((uint32_t)VIDIOC_QBUF));
}

/* proves: R-46 */
Test(protocol, r46_exactly_six_ioctls_are_refused)
{
	size_t nb = 0;

	for (size_t i = 0; i < NB_FULL; i++) {
		const struct ioctl_desc *desc = ioctl_lookup(full[i].cmd & 0xff);
		bool flag = desc->flags & IOCTL_FLAG_REFUSED;

		nb += flag;
		cr_assert_eq(flag, is_refused(desc->name), "%s", desc->name);
	}
	cr_assert_eq(nb, 6);
}

Test(protocol, every_row_has_one_class)
{
	for (size_t i = 0; i < NB_FULL; i++) {
		uint8_t flags = ioctl_lookup(full[i].cmd & 0xff)->flags;

		cr_assert(flags == IOCTL_FLAG_FAST || flags == IOCTL_FLAG_MAY_BLOCK ||
				  flags == IOCTL_FLAG_REFUSED,
			"%s", full[i].name);
	}
	cr_assert_eq(ioctl_lookup(_IOC_NR(VIDIOC_QBUF))->flags, IOCTL_FLAG_FAST);
	cr_assert_eq(ioctl_lookup(_IOC_NR(VIDIOC_G_CTRL))->flags, IOCTL_FLAG_FAST);
	cr_assert_eq(ioctl_lookup(_IOC_NR(VIDIOC_REQBUFS))->flags, IOCTL_FLAG_MAY_BLOCK);
	cr_assert_eq(ioctl_lookup(_IOC_NR(VIDIOC_CREATE_BUFS))->flags, IOCTL_FLAG_MAY_BLOCK);
}

Test(protocol, only_ioctls_with_pointers_or_objects_have_a_shape)
{
	for (size_t i = 0; i < NB_FULL; i++) {
		const struct ioctl_desc *desc = ioctl_lookup(full[i].cmd & 0xff);
		enum ioctl_shape shape = IOCTL_SHAPE_PLAIN;

		if (desc->payload_bytes == sizeof(struct v4l2_buffer)) {
			shape = IOCTL_SHAPE_BUFFER;
		} else if (strstr(desc->name, "EXT_CTRLS") != NULL) {
			shape = IOCTL_SHAPE_EXT_CTRLS;
		} else if (strcmp(desc->name, "EXPBUF") == 0) {
			shape = IOCTL_SHAPE_OBJECT;
		}
		cr_assert_eq(desc->shape, shape, "%s", desc->name);
	}
}
