/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's memory may move or go: for a new memory table, at a reset, when the front-end is
 * dead. Until all that the node has of it is taken back, and unmapped, the core waits.
 */
#include <errno.h>
#include <stddef.h>

#include "backend/v4l2/host.h"
#include "base/compiler.h"

/* On the reactor: a node that would not start anew leaves a session that is of no use. */
static void
broke(void *arg)
{
	struct host *host = arg;

	if (host->session != NULL && host->gone == 0) {
		host->gone = -EIO;
	}
}

static void
withdrawn(void *arg)
{
	struct v4l2_device *dev = arg;

	vmedia_pages_gone(dev->device);
}

/* On the thread. Buffers leave ahead of the end. */
static void
withdraw_host(struct host *host)
{
	int err = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(host->queues); i++) {
		struct host_queue *q = &host->queues[i];

		if (q->shared && q->nb_buffers > 0) {
			int failed = host_queue_restart(q);

			host_frames_fail(q, failed == -ENODEV ? -ENODEV : -EFAULT);
			err = failed != 0 ? failed : err;
		}
	}
	if (err != 0) {
		host->broke_msg = (struct reactor_msg){.fn = broke, .arg = host};
		reactor_send(host->dev->reactor, &host->broke_msg);
	}
}

static void
withdraw(void *arg)
{
	struct v4l2_device *dev = arg;
	struct host *host;

	LIST_FOREACH(host, &dev->opened, opened)
	{
		withdraw_host(host);
	}
	dev->withdraw_msg = (struct reactor_msg){.fn = withdrawn, .arg = dev};
	reactor_send(dev->reactor, &dev->withdraw_msg);
}

bool
host_withdraw_pages(struct vmedia_device *device)
{
	struct v4l2_device *dev = vmedia_device_priv(device);

	if (dev->nb_shared == 0) {
		return false;
	}
	dev->withdraw_msg = (struct reactor_msg){.fn = withdraw, .arg = dev};
	reactor_send(dev->thread, &dev->withdraw_msg);
	return true;
}
