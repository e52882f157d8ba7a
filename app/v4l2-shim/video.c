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

/* Copies what the controls of a message point to: into it, or out of it. */
static int
copy_payloads(
	const struct v4l2_ext_control *ctrls, uint32_t count, uint8_t *at, size_t room, bool in)
{
	size_t used = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct v4l2_ext_control c = ctrls[i];
		int ret;

		if (c.size == 0) {
			continue;
		}
		if (c.size > room - used) {
			return -ENOMEM;
		}
		ret = in ? user_read(at + used, c.ptr, c.size)
		         : user_write(c.ptr, at + used, c.size);
		if (ret != 0) {
			return ret;
		}
		used += round_up((size_t)c.size, 8);
	}
	return (int)used;
}

static bool
is_userptr(unsigned long request, const void *arg)
{
	return is_buffer(request) &&
	       ((const struct v4l2_buffer *)arg)->memory == V4L2_MEMORY_USERPTR;
}

static int
pack_extra(
	struct shim_request *req, const void *arg, const uint8_t *array, uint8_t *at, size_t room)
{
	int ret = 0;

	if (is_controls(req->request)) {
		ret = copy_payloads((const void *)array,
			((const struct v4l2_ext_controls *)arg)->count, at, room, true);
	} else if (is_userptr(req->request, arg)) {
		ret = sizeof(struct shim_places);
		memset(at, 0, sizeof(struct shim_places));
	}
	req->extra_bytes = ret > 0 ? (uint32_t)ret : 0;
	return MIN(ret, 0);
}

/* arg is a copy of the program's; what it points to is the program's. */
static int
pack(struct connection *c, struct shim_request *req, void *arg)
{
	uint8_t *at = c->message + sizeof(*req), *array;
	size_t arg_bytes = _IOC_SIZE(req->request), array_bytes;
	const void *from = array_of(req->request, arg, &array_bytes);
	size_t room = SHIM_MAX_PAYLOAD - round_up(arg_bytes, 8);
	int ret;

	if (round_up(array_bytes, 8) + sizeof(struct shim_places) > room) {
		return -EINVAL;
	}
	memcpy(at, arg, arg_bytes);
	array = at + round_up(arg_bytes, 8);
	ret = user_read(array, from, array_bytes);
	if (ret != 0) {
		return ret;
	}
	req->arg_bytes = (uint32_t)arg_bytes;
	req->array_bytes = (uint32_t)array_bytes;
	ret = pack_extra(
		req, arg, array, array + round_up(array_bytes, 8), room - round_up(array_bytes, 8));
	memcpy(c->message, req, sizeof(*req));
	return ret;
}

/* Controls keep the program's pointers. */
static int
unpack_controls(struct v4l2_ext_control *got, const struct v4l2_ext_controls *to, uint32_t count,
	uint8_t *extra)
{
	struct v4l2_ext_control had;
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < count; i++) {
		ret = user_read(&had, &to->controls[i], sizeof(had));
		if (ret == 0 && had.size != 0) {
			ret = user_write(had.ptr, extra, had.size);
			extra += round_up((size_t)had.size, 8);
			got[i].ptr = had.ptr;
		}
	}
	return ret == 0 ? user_write(to->controls, got, count * sizeof(*got)) : ret;
}

static int
unpack(struct connection *c, const struct shim_request *req, void *arg)
{
	uint8_t *from = c->message + sizeof(struct shim_reply);
	uint8_t *array = from + round_up(req->arg_bytes, 8);
	uint8_t *extra = array + round_up(req->array_bytes, 8);
	int ret = 0;

	if (is_buffer(req->request) &&
		V4L2_TYPE_IS_MULTIPLANAR(((struct v4l2_buffer *)arg)->type)) {
		struct v4l2_plane *planes = ((struct v4l2_buffer *)arg)->m.planes;

		ret = user_write(planes, array, req->array_bytes);
		memcpy(arg, from, req->arg_bytes);
		((struct v4l2_buffer *)arg)->m.planes = planes;
	} else if (is_controls(req->request)) {
		struct v4l2_ext_control *controls = ((struct v4l2_ext_controls *)arg)->controls;

		ret = unpack_controls(
			(void *)array, arg, req->array_bytes / (uint32_t)sizeof(*controls), extra);
		memcpy(arg, from, req->arg_bytes);
		((struct v4l2_ext_controls *)arg)->controls = controls;
	} else {
		memcpy(arg, from, req->arg_bytes);
	}
	return ret;
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

/* places: where the broker says it; NULL: nobody asks. */
static int
call(int fd, struct connection *c, struct shim_request *req, void *arg, struct shim_places *places)
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
	if (places != NULL && reply.extra_bytes == sizeof(*places)) {
		memcpy(places,
			c->message + sizeof(reply) + round_up(req->arg_bytes, 8) +
				round_up(req->array_bytes, 8),
			sizeof(*places));
	}
	if (req->op == SHIM_IOCTL && ((reply.status == 0 && (_IOC_DIR(req->request) & _IOC_READ)) ||
					     is_controls(req->request))) {
		ret = unpack(c, req, arg);
	}
	return reply.status != 0 ? reply.status : ret;
}

static int
ask(int fd, const struct handle *handle, struct shim_request *req, void *arg,
	struct shim_places *places)
{
	struct connection *c = connection_get(handle->device);
	int ret;

	if (c == NULL) {
		return -errno;
	}
	req->session = handle->token;
	ret = call(fd, c, req, arg, places);
	connection_put(handle->device, c);
	return ret;
}

int
video_place(int fd, const struct handle *handle, unsigned long request, const struct v4l2_buffer *b,
	struct shim_places *places)
{
	struct shim_request req = {.op = SHIM_PLACE, .request = request};
	struct v4l2_buffer asked = *b;

	return ask(fd, handle, &req, &asked, places);
}

int
video_call(int fd, const struct handle *handle, unsigned long request, void *arg)
{
	struct shim_request req = {.op = SHIM_IOCTL, .request = request};
	struct shim_places places = {0};
	bool userptr = is_userptr(request, arg);
	int ret = 0;

	if ((request == VIDIOC_DQBUF || request == VIDIOC_DQEVENT) &&
		(NEXT(fcntl)(fd, F_GETFL) & O_NONBLOCK)) {
		req.flags |= SHIM_NONBLOCK;
	}
	if (userptr && (request == VIDIOC_QBUF || request == VIDIOC_PREPARE_BUF)) {
		ret = userptr_before(fd, handle, request, arg);
	}
	if (ret == 0) {
		ret = ask(fd, handle, &req, arg, &places);
	}
	if (ret == 0 && userptr && request == VIDIOC_DQBUF) {
		ret = userptr_after(handle, arg, &places);
	}
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
