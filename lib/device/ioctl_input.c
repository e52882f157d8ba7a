/* SPDX-License-Identifier: BSD-3-Clause */
/* One input for a node that captures, one output for a node that plays, none for m2m. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "device/internal.h"

int
core_enuminput(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_input *input = arg;

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

	if (output->index != 0) {
		return -EINVAL;
	}
	memset(output, 0, sizeof(*output));
	snprintf((char *)output->name, sizeof(output->name), "Display");
	output->type = V4L2_OUTPUT_TYPE_ANALOG;
	return 0;
}

static int
get_index(uint32_t *index)
{
	*index = 0;
	return 0;
}

static int
set_index(const uint32_t *index)
{
	return *index == 0 ? 0 : -EINVAL;
}

int
core_g_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_index(arg);
}

int
core_s_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_index(arg);
}

int
core_g_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_index(arg);
}

int
core_s_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_index(arg);
}
