/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: MMAP and MUNMAP of a buffer, again and again. The echo has nothing like it: they are
 * compared with G_CTRL. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "latency/latency.h"

#define RESP_OFFSET 24 /* in the buffer of a raw chain, behind the longest command */

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static int
prepare(struct driver *drv, uint32_t cmd_bytes, uint32_t resp_bytes, struct driver_raw **raw)
{
	const struct driver_raw_shape shape = {
		.pieces = {{0, cmd_bytes}, {RESP_OFFSET, resp_bytes}}, .nb_read = 1, .nb_write = 1};

	return driver_raw_prepare(drv, &shape, raw);
}

int
mapping_prepare(struct mapping *m, struct driver *drv, struct driver_session *session)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	void *addr;
	size_t len;
	int ret = driver_ioctl(session, VIDIOC_QUERYBUF, &buffer);

	/* The first one brings the window; it stays mapped, the others count on top. */
	if (ret == 0) {
		ret = driver_mmap(session, buffer.m.offset, true, &addr, &len);
	}
	m->cmd = (struct virtio_media_cmd_mmap){
		.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP,
		.session_id = driver_session_id(session),
		.flags = 1u << VIRTIO_MEDIA_MMAP_FLAG_RW_BIT,
		.offset = buffer.m.offset,
	};
	if (ret == 0) {
		ret = prepare(drv, sizeof(struct virtio_media_cmd_mmap),
			sizeof(struct virtio_media_resp_mmap), &m->mmap);
	}
	if (ret == 0) {
		ret = prepare(drv, sizeof(struct virtio_media_cmd_munmap),
			sizeof(struct virtio_media_resp_munmap), &m->munmap);
	}
	return ret != 0 ? complain("MMAP", ret) : 0;
}

void
mapping_release(struct mapping *m)
{
	if (m->mmap != NULL) {
		driver_raw_release(m->mmap);
	}
	if (m->munmap != NULL) {
		driver_raw_release(m->munmap);
	}
	m->mmap = m->munmap = NULL;
}

/* One round trip of `cmd`; the answer into *resp. */
static int
call(struct driver_raw *raw, const void *cmd, uint32_t bytes, struct virtio_media_resp_mmap *resp,
	struct driver_timing *timing)
{
	char *buffer = driver_raw_buffer(raw);
	uint32_t used_len;
	int ret;

	memcpy(buffer, cmd, bytes);
	ret = driver_raw_call(raw, &used_len, timing);
	if (unlikely(ret != 0)) {
		return complain("mapping", ret);
	}
	memcpy(resp, buffer + RESP_OFFSET, sizeof(*resp));
	if (unlikely(resp->hdr.status != 0 || used_len < sizeof(resp->hdr))) {
		fprintf(stderr, "mapping: status %" PRIu32 "\n", resp->hdr.status);
		return -EPROTO;
	}
	return 0;
}

int
mapping_ask(struct mapping *m, uint64_t nb, struct hist *mmap, struct hist *munmap)
{
	struct virtio_media_cmd_munmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_MUNMAP};
	struct virtio_media_resp_mmap resp;
	struct driver_timing timing;
	int ret = 0;

	while (nb-- > 0 && ret == 0) {
		ret = call(m->mmap, &m->cmd, sizeof(m->cmd), &resp, &timing);
		if (unlikely(ret != 0)) {
			break;
		}
		hist_record(mmap, timing.seen_tsc - timing.submit_tsc);
		cmd.driver_addr = resp.driver_addr;
		ret = call(m->munmap, &cmd, sizeof(cmd), &resp, &timing);
		hist_record(munmap, timing.seen_tsc - timing.submit_tsc);
	}
	return ret;
}
