/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/chain.h"

#include <linux/videodev2.h>

int
chain_prepare(struct chain *c, struct driver *drv, const struct driver_session *session,
	unsigned long request, const void *arg)
{
	int ret = driver_raw_shape_ioctl(request, &c->shape);

	if (ret != 0) {
		return ret;
	}
	if (_IOC_SIZE(request) > sizeof(c->payload) || c->shape.nb_read != 2 ||
		c->shape.nb_write != 2) {
		return -EINVAL;
	}
	memcpy(c->payload, arg, _IOC_SIZE(request));
	c->cmd = (struct virtio_media_cmd_ioctl){
		.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL,
		.session_id = driver_session_id(session),
		.code = _IOC_NR(request),
	};
	return driver_raw_prepare(drv, &c->shape, &c->raw);
}

void
chain_release(struct chain *c)
{
	if (c->raw != NULL) {
		driver_raw_release(c->raw);
	}
	c->raw = NULL;
}
