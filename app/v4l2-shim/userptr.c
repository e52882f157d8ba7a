/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Buffers in the program's own memory: the device reaches the broker's memory alone, so a frame is
 * copied, once, to where the broker says (docs/decisions/0006-v4l2-shim.md). By pread and pwrite:
 * the rings lie in the same file, and a pointer that leads nowhere is an error and no crash.
 */
#include <linux/videodev2.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

/* fd + 1 of each broker's memory; 0: not asked for yet. */
static _Atomic int memory[SHIM_MAX_DEVICES];

static int
memory_of(unsigned int device)
{
	struct shim_request request = {.op = SHIM_MEMORY};
	struct shim_reply reply;
	int known = atomic_load(&memory[device]), none = 0, fd = -1, ret;

	if (known != 0) {
		return known - 1;
	}
	ret = client_call(device, &request, &reply, &fd, 1);
	if (ret != 0) {
		return ret;
	}
	fd = client_keep_fd(fd);
	if (!atomic_compare_exchange_strong(&memory[device], &none, fd + 1)) {
		client_drop_fd(fd);
		fd = none - 1;
	}
	return fd;
}

static bool
is_output(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_OUTPUT || type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

/* A plane as the program has it, and the bytes of it that count. */
struct plane {
	uint8_t *at;
	uint32_t length, from, to;
};

static struct plane
plane_of(const struct v4l2_buffer *b, const struct v4l2_plane *planes, uint32_t i)
{
	struct plane p = {(uint8_t *)b->m.userptr, b->length, 0, b->bytesused};

	if (V4L2_TYPE_IS_MULTIPLANAR(b->type)) {
		p = (struct plane){(uint8_t *)planes[i].m.userptr, planes[i].length,
			planes[i].data_offset, planes[i].bytesused};
	}
	/* Output: 0 means all of it. */
	p.to = p.to == 0 && is_output(b->type) ? p.length : MIN(p.to, p.length);
	p.from = MIN(p.from, p.to);
	return p;
}

static uint32_t
nb_planes(const struct v4l2_buffer *b)
{
	return V4L2_TYPE_IS_MULTIPLANAR(b->type) ? MIN(b->length, (uint32_t)VIDEO_MAX_PLANES) : 1;
}

/* All of a plane, there or back. */
static int
copy(int fd, const struct plane *p, uint64_t place, bool back)
{
	uint32_t done = p->from;

	while (done < p->to) {
		off_t at = (off_t)(place + done);
		ssize_t bytes = back ? pread(fd, p->at + done, p->to - done, at)
		                     : pwrite(fd, p->at + done, p->to - done, at);

		if (bytes < 0 && errno == EINTR) {
			continue;
		}
		if (bytes <= 0) {
			return bytes < 0 ? -errno : -EFAULT;
		}
		done += (uint32_t)bytes;
	}
	return 0;
}

static int
copy_planes(const struct handle *handle, const struct v4l2_buffer *b,
	const struct v4l2_plane *planes, const struct shim_places *places)
{
	bool back = !is_output(b->type);
	int fd = memory_of(handle->device);
	int ret = fd < 0 ? fd : 0;

	for (uint32_t i = 0; ret == 0 && i < nb_planes(b); i++) {
		struct plane p = plane_of(b, planes, i);

		ret = copy(fd, &p, places->offset[i], back);
	}
	return ret;
}

static int
fetch_planes(const struct v4l2_buffer *b, struct v4l2_plane *planes)
{
	if (!V4L2_TYPE_IS_MULTIPLANAR(b->type)) {
		return 0;
	}
	return user_read(planes, b->m.planes, nb_planes(b) * sizeof(*planes));
}

int
userptr_before(int fd, const struct handle *handle, unsigned long request, struct v4l2_buffer *b)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	struct shim_places places;
	int ret = fetch_planes(b, planes);

	for (uint32_t i = 0; ret == 0 && i < nb_planes(b); i++) {
		struct plane p = plane_of(b, planes, i);

		ret = p.length != 0 ? user_is_mapped(p.at, p.length) : 0;
	}
	if (ret == 0) {
		ret = memory_of(handle->device);
		ret = MIN(ret, 0);
	}
	if (ret != 0 || !is_output(b->type)) {
		return ret;
	}
	ret = video_place(fd, handle, request, b, &places);
	return ret == 0 ? copy_planes(handle, b, planes, &places) : ret;
}

int
userptr_after(const struct handle *handle, struct v4l2_buffer *b, const struct shim_places *places)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES];
	int ret = is_output(b->type) ? 0 : fetch_planes(b, planes);

	return ret == 0 && !is_output(b->type) ? copy_planes(handle, b, planes, places) : ret;
}
