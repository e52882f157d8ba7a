/* SPDX-License-Identifier: BSD-3-Clause */
/* The ports of a node: inputs where it captures, outputs where it plays, none of m2m. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "device/internal.h"
#include "media/format.h"

#define OUTPUTS (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE)

/* Of nodes that describe none. */
static const struct vmedia_port_desc camera = {"Camera", V4L2_INPUT_TYPE_CAMERA, 0, 0};
static const struct vmedia_port_desc display = {"Display", V4L2_OUTPUT_TYPE_ANALOG, 0, 0};

static bool
is_display(const struct vmedia_device *device)
{
	return (device->node.device_caps & OUTPUTS) != 0;
}

static uint32_t
nb_ports(const struct vmedia_device *device)
{
	return MAX(device->node.nb_ports, 1u);
}

static const struct vmedia_port_desc *
port_desc(const struct vmedia_device *device, uint32_t port)
{
	return device->node.nb_ports > 0 ? &device->node.ports[port]
	       : is_display(device)      ? &display
	                                 : &camera;
}

uint32_t
device_nb_inputs(const struct vmedia_device *device)
{
	return is_display(device) ? 1 : nb_ports(device);
}

int
port_resize(const struct vmedia_device *device, uint32_t port, struct vmedia_format *format)
{
	const struct vmedia_node *node = &device->node;
	const struct vmedia_port_desc *desc = port_desc(device, port);

	return format_resize(node, desc->width != 0 ? desc->width : node->default_width,
		desc->height != 0 ? desc->height : node->default_height, format);
}

int
core_enuminput(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_input *input = arg;
	/* From scratch: Linux asks with capabilities preset. */
	struct v4l2_input out = {.index = input->index};

	if (input->index >= nb_ports(session->device)) {
		return -EINVAL;
	}
	snprintf((char *)out.name, sizeof(out.name), "%s",
		port_desc(session->device, out.index)->name);
	out.type = port_desc(session->device, out.index)->type;
	*input = out;
	return 0;
}

int
core_enumoutput(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	struct v4l2_output *output = arg;
	struct v4l2_output out = {.index = output->index};

	if (output->index >= nb_ports(session->device)) {
		return -EINVAL;
	}
	snprintf((char *)out.name, sizeof(out.name), "%s",
		port_desc(session->device, out.index)->name);
	out.type = port_desc(session->device, out.index)->type;
	*output = out;
	return 0;
}

static int
get_port(const struct vmedia_device *device, uint32_t *port)
{
	*port = device->port;
	return 0;
}

static void
tell_change(struct vmedia_device *device)
{
	struct v4l2_event event = {.type = V4L2_EVENT_SOURCE_CHANGE, .id = device->port};

	event.u.src_change.changes = V4L2_EVENT_SRC_CH_RESOLUTION;
	vmedia_event_queue(device, &event);
}

/* What comes from there has another size: the format is that, as after S_FMT. */
static int
switch_port(struct vmedia_session *session, uint32_t port, unsigned int direction)
{
	struct vmedia_device *device = session->device;
	struct vmedia_format *format =
		direction == DEVICE_CAPTURE ? &device->context.capture : &device->context.output;
	struct vmedia_format before = *format, next = *format;
	int ret = port_resize(device, device->port, &before);

	if (ret == 0) {
		ret = port_resize(device, port, &next);
	}
	if (ret != 0) {
		return ret;
	}
	device->port = port;
	*format = next;
	session_trace_format(session, session->queues[direction].type);
	if (direction == DEVICE_CAPTURE &&
		(next.width != before.width || next.height != before.height)) {
		tell_change(device);
	}
	return 0;
}

static int
set_port(struct vmedia_session *session, uint32_t port, unsigned int direction)
{
	if (port >= nb_ports(session->device)) {
		return -EINVAL;
	}
	if (port == session->device->port) {
		return 0;
	}
	if (format_is_busy(session, session->queues[direction].type)) {
		return -EBUSY;
	}
	return switch_port(session, port, direction);
}

int
core_g_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_port(session->device, arg);
}

int
core_s_input(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_port(session, *(const uint32_t *)arg, DEVICE_CAPTURE);
}

int
core_g_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return get_port(session->device, arg);
}

int
core_s_output(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	return set_port(session, *(const uint32_t *)arg, DEVICE_OUTPUT);
}
