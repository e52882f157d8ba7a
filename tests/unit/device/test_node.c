/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md: a node that no guest could register is refused at the start. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"

#define CAMERA (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING)
#define PLANAR (V4L2_CAP_VIDEO_CAPTURE_MPLANE | V4L2_CAP_STREAMING)

static const struct vmedia_format_desc one_plane[] = {
	{V4L2_PIX_FMT_NV12, 64, 64, 0, 32, 32, 0},
};
static const struct vmedia_format_desc two_planes[] = {
	{V4L2_PIX_FMT_NV12, 64, 64, 0, 32, 32, 0},
	{V4L2_PIX_FMT_NV12M, 64, 64, 0, 32, 32, 0},
};

static struct vmedia_node described;
static unsigned int nb_destroyed;
static char logged[1024];

static int
create(struct vmedia_device *device, struct vmedia_node *node)
{
	*node = described;
	return 0;
}

static void
destroy(struct vmedia_device *device)
{
	nb_destroyed++;
}

static int
start_streaming(struct vmedia_session *session, uint32_t type)
{
	return 0;
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
}

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
}

static const struct vmedia_backend_ops ops = {
	.name = "described",
	.summary = "of this test",
	.create = create,
	.destroy = destroy,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
};

static void
catch_log(enum log_level level, const char *type, const char *line)
{
	snprintf(logged, sizeof(logged), "%s", line);
}

static void
describe(uint32_t caps, uint32_t type, const struct vmedia_format_desc *formats, uint32_t nb)
{
	memset(&described, 0, sizeof(described));
	described.device_caps = caps;
	described.device_type = type;
	snprintf(described.card, sizeof(described.card), "described");
	described.formats = formats;
	described.nb_formats = nb;
	described.default_fourcc = formats[0].fourcc;
	described.default_width = 64;
	described.default_height = 32;
}

/* What device_create says to it. */
static int
start(void)
{
	struct reactor_config reactor_config = {.name = "test", .cpu = -1};
	struct device_config config = {.name = "cam0",
		.backend = &ops,
		.arena = {.page = SHM_PAGE_4K},
		.transport = &loopback_ops};
	struct vmedia_device *device;
	int err;

	nb_destroyed = 0;
	logged[0] = '\0';
	cr_assert_eq(reactor_create(&reactor_config, &config.reactor), 0);
	cr_assert_eq(reactor_start(config.reactor), 0);
	log_set_sink(catch_log);
	err = device_create(&config, &device);
	if (err == 0) {
		device_destroy(device);
	}
	cr_assert_eq(nb_destroyed, 1);
	reactor_destroy(config.reactor);
	return err;
}

static void
refused(uint32_t caps, uint32_t type, const char *why)
{
	describe(caps, type, one_plane, 1);
	cr_assert_eq(start(), -EINVAL, "caps 0x%x type %u", caps, type);
	cr_assert_not_null(strstr(logged, "device cam0"), "%s", logged);
	cr_assert_not_null(strstr(logged, "backend described"), "%s", logged);
	cr_assert_not_null(strstr(logged, why), "%s", logged);
}

Test(device_node, what_a_guest_can_register_starts)
{
	describe(CAMERA, 0, one_plane, 1);
	cr_assert_eq(start(), 0, "%s", logged);
	describe(PLANAR, 0, two_planes, 2);
	cr_assert_eq(start(), 0, "%s", logged);
	describe(PLANAR, 0, one_plane, 1);
	cr_assert_eq(start(), 0, "%s", logged);
}

Test(device_node, what_converts_has_no_inputs_to_choose_from)
{
	static const struct vmedia_port_desc port = {"Camera", V4L2_INPUT_TYPE_CAMERA, 0, 0};

	describe(V4L2_CAP_VIDEO_M2M | V4L2_CAP_STREAMING, 0, one_plane, 1);
	described.ports = &port;
	described.nb_ports = 1;
	cr_assert_eq(start(), -EINVAL);
	cr_assert_not_null(strstr(logged, "neither inputs nor outputs"), "%s", logged);
	described.device_caps = CAMERA;
	cr_assert_eq(start(), 0, "%s", logged);
}

/* proves: R-7 */
Test(device_node, capabilities_that_no_guest_can_use_are_refused)
{
	refused(0, 0, "no capabilities");
	refused(CAMERA | 0x80000000, 0, "V4L2_CAP_DEVICE_CAPS");
	refused(CAMERA | 0x01000000, 0, "V4L2_CAP_READWRITE");
	refused(V4L2_CAP_VIDEO_CAPTURE, 0, "V4L2_CAP_STREAMING");
	refused(V4L2_CAP_VIDEO_M2M_MPLANE, 0, "V4L2_CAP_STREAMING");
	refused(CAMERA | PLANAR, 0, "single- and multi-planar");
}

/* proves: R-7 B36 */
Test(device_node, formats_of_several_planes_need_a_multi_planar_node)
{
	describe(CAMERA, 0, two_planes, 2);
	cr_assert_eq(start(), -EINVAL);
	cr_assert_not_null(strstr(logged, "several planes"), "%s", logged);
}

/* proves: R-8 */
Test(device_node, exactly_five_node_types_are_taken)
{
	uint32_t type;

	for (type = 0; type < 300; type++) {
		bool good = type <= 5 && type != 3;

		if (!good) {
			refused(CAMERA, type, "node type");
			continue;
		}
		describe(CAMERA, type, one_plane, 1);
		cr_assert_eq(start(), 0, "type %u: %s", type, logged);
	}
	refused(CAMERA, UINT32_MAX, "node type");
}
