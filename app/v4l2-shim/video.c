/* SPDX-License-Identifier: BSD-3-Clause */
/* One V4L2 ioctl as a message and back. */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

static bool
is_buffer(unsigned long request)
{
	return request == VIDIOC_QUERYBUF || request == VIDIOC_QBUF || request == VIDIOC_DQBUF ||
	       request == VIDIOC_PREPARE_BUF;
}

static bool
is_controls(unsigned long request)
{
	return request == VIDIOC_G_EXT_CTRLS || request == VIDIOC_S_EXT_CTRLS ||
	       request == VIDIOC_TRY_EXT_CTRLS;
}

/* The array that the struct points to, NULL: none. */
static void *
array_of(unsigned long request, void *arg, size_t *bytes)
{
	*bytes = 0;
	if (is_buffer(request)) {
		struct v4l2_buffer *b = arg;

		if (V4L2_TYPE_IS_MULTIPLANAR(b->type)) {
			*bytes = MIN(b->length, (uint32_t)VIDEO_MAX_PLANES) *
			         sizeof(struct v4l2_plane);
			return b->m.planes;
		}
	} else if (is_controls(request)) {
		struct v4l2_ext_controls *c = arg;

		*bytes = c->count * sizeof(struct v4l2_ext_control);
		return c->controls;
	}
	return NULL;
}

/* Copies what controls point to: into the message, or out of it. */
static int
copy_payloads(const struct v4l2_ext_controls *c, uint8_t *at, size_t room, bool in, size_t *bytes)
{
	*bytes = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct v4l2_ext_control *ctrl = &c->controls[i];
		size_t size = round_up((size_t)ctrl->size, 8);

		if (ctrl->size == 0) {
			continue;
		}
		if (size > room - *bytes) {
			return -ENOMEM;
		}
		if (ctrl->ptr == NULL) {
			return -EFAULT;
		}
		if (in) {
			memcpy(at + *bytes, ctrl->ptr, ctrl->size);
		} else {
			memcpy(ctrl->ptr, at + *bytes, ctrl->size);
		}
		*bytes += size;
	}
	return 0;
}

static int
pack(struct connection *c, struct shim_request *req, void *arg)
{
	uint8_t *at = c->message + sizeof(*req);
	size_t arg_bytes = _IOC_SIZE(req->request), array_bytes, extra_bytes = 0;
	void *array = array_of(req->request, arg, &array_bytes);
	size_t room = SHIM_MAX_PAYLOAD - round_up(arg_bytes, 8);
	int ret = 0;

	if (arg_bytes != 0 && arg == NULL) {
		return -EFAULT;
	}
	if (array_bytes != 0 && array == NULL) {
		return -EFAULT;
	}
	if (round_up(array_bytes, 8) > room) {
		return -EINVAL;
	}
	memcpy(at, arg, arg_bytes);
	at += round_up(arg_bytes, 8);
	if (array_bytes != 0) {
		memcpy(at, array, array_bytes);
		at += round_up(array_bytes, 8);
	}
	if (is_controls(req->request)) {
		ret = copy_payloads(arg, at, room - round_up(array_bytes, 8), true, &extra_bytes);
	}
	req->arg_bytes = (uint32_t)arg_bytes;
	req->array_bytes = (uint32_t)array_bytes;
	req->extra_bytes = (uint32_t)extra_bytes;
	memcpy(c->message, req, sizeof(*req));
	return ret;
}

/* Controls keep the program's pointers. */
static void
unpack_controls(
	const uint8_t *from, struct v4l2_ext_controls *to, size_t array_bytes, const uint8_t *extra)
{
	struct v4l2_ext_control *ctrl = to->controls;
	size_t bytes;

	copy_payloads(to, (uint8_t *)(uintptr_t)extra, SIZE_MAX, false, &bytes);
	for (uint32_t i = 0; i < array_bytes / sizeof(*ctrl); i++) {
		struct v4l2_ext_control got;
		void *ptr = ctrl[i].ptr;
		bool pointed = ctrl[i].size != 0;

		memcpy(&got, from + i * sizeof(got), sizeof(got));
		if (pointed) {
			got.ptr = ptr;
		}
		ctrl[i] = got;
	}
}

static void
unpack(const struct connection *c, const struct shim_request *req, void *arg)
{
	const uint8_t *from = c->message + sizeof(struct shim_reply);
	const uint8_t *array = from + round_up(req->arg_bytes, 8);
	size_t array_bytes = req->array_bytes;

	if (is_buffer(req->request) &&
		V4L2_TYPE_IS_MULTIPLANAR(((struct v4l2_buffer *)arg)->type)) {
		struct v4l2_plane *planes = ((struct v4l2_buffer *)arg)->m.planes;

		memcpy(planes, array, array_bytes);
		memcpy(arg, from, req->arg_bytes);
		((struct v4l2_buffer *)arg)->m.planes = planes;
	} else if (is_controls(req->request)) {
		struct v4l2_ext_control *controls = ((struct v4l2_ext_controls *)arg)->controls;

		unpack_controls(array, arg, array_bytes, array + round_up(array_bytes, 8));
		memcpy(arg, from, req->arg_bytes);
		((struct v4l2_ext_controls *)arg)->controls = controls;
	} else {
		memcpy(arg, from, req->arg_bytes);
	}
}

/* What poll(2) sees follows the queues (docs/decisions/0006-v4l2-shim.md). */
static void
follow(int fd, const struct shim_reply *reply)
{
	static const char bytes[SHIM_FILL_BYTES];
	char taken[8];

	if (reply->nb_take != 0) {
		recv(fd, taken, MIN(reply->nb_take, (uint32_t)sizeof(taken)), MSG_DONTWAIT);
	}
	if (reply->fill != 0) {
		send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

static int
call(int fd, struct connection *c, struct shim_request *req, void *arg)
{
	struct shim_reply reply;
	int ret = pack(c, req, arg);

	if (ret == 0) {
		ret = connection_call(c, NULL, NULL);
	}
	if (ret != 0) {
		return ret;
	}
	memcpy(&reply, c->message, sizeof(reply));
	follow(fd, &reply);
	if ((reply.status == 0 && (_IOC_DIR(req->request) & _IOC_READ)) ||
		is_controls(req->request)) {
		unpack(c, req, arg);
	}
	return reply.status;
}

int
video_call(int fd, const struct handle *handle, unsigned long request, void *arg)
{
	struct connection *c = connection_get(handle->device);
	struct shim_request req = {.op = SHIM_IOCTL, .session = handle->token, .request = request};
	int ret;

	if (c == NULL) {
		return -errno;
	}
	if ((request == VIDIOC_DQBUF || request == VIDIOC_DQEVENT) &&
		(NEXT(fcntl)(fd, F_GETFL) & O_NONBLOCK)) {
		req.flags |= SHIM_NONBLOCK;
	}
	ret = call(fd, c, &req, arg);
	connection_put(handle->device, c);
	return ret;
}

int
video_ioctl(int fd, const struct handle *handle, unsigned long request, void *arg)
{
	int saved = errno;
	int ret;

	request &= UINT32_MAX; /* programs keep it in an int */
	if (request == FIONBIO || request == FIOCLEX || request == FIONCLEX) {
		return NEXT(ioctl)(fd, request, arg);
	}
	if (_IOC_TYPE(request) != 'V') {
		return fail(-ENOTTY);
	}
	ret = emulate_ioctl(fd, handle, request, arg);
	if (ret == 0) {
		errno = saved;
	}
	return fail(ret);
}
