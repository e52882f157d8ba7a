/* SPDX-License-Identifier: BSD-3-Clause */
/* One input for a node that captures, one output for a node that plays, none for m2m. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/internal.h"

static bool
has_input(const struct vmedia_session *session)
{
	return (session->device->node.device_caps &
		       (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE)) != 0;
}

static bool
has_output(const struct vmedia_session *session)
{
	return (session->device->node.device_caps &
		       (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE)) != 0;
}

int
core_enuminput(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_input *input = arg;

	if (!has_input(session)) {
		return -ENOTTY;
	}
	if (input->index != 0) {
		return -EINVAL;
	}
	/* From scratch: Linux asks with capabilities preset. */
	memset(input, 0, sizeof(*input));
	snprintf((char *)input->name, sizeof(input->name), "Camera");
	input->type = V4L2_INPUT_TYPE_CAMERA;
	return 0;
}

int
core_enumoutput(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_output *output = arg;

	if (!has_output(session)) {
		return -ENOTTY;
	}
	if (output->index != 0) {
		return -EINVAL;
	}
	memset(output, 0, sizeof(*output));
	snprintf((char *)output->name, sizeof(output->name), "Display");
	output->type = V4L2_OUTPUT_TYPE_ANALOG;
	return 0;
}

static int
get_index(bool exists, uint32_t *index)
{
	*index = 0;
	return exists ? 0 : -ENOTTY;
}

static int
set_index(bool exists, const uint32_t *index)
{
	if (!exists) {
		return -ENOTTY;
	}
	return *index == 0 ? 0 : -EINVAL;
}

int
core_g_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_index(has_input(session), arg);
}

int
core_s_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_index(has_input(session), arg);
}

int
core_g_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_index(has_output(session), arg);
}

int
core_s_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_index(has_output(session), arg);
}
