/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user transport: one thread, the gateway, owns every public socket and the back-end
 * channels; librte_vhost stands behind it over private inner sockets and maps guest memory
 * (docs/decisions/, architecture.md decision 2). EAL must be up (eal.h) before gateway_start.
 *
 * Per device one front-end at a time; further ones wait in the backlog of the listening socket.
 * The gateway never blocks on one device: a stalled front-end or a device that is slow to become
 * quiet holds up only itself.
 */
#ifndef VMEDIA_TRANSPORT_GATEWAY_H
#define VMEDIA_TRANSPORT_GATEWAY_H

#include "transport/transport.h"

/*
 * Control thread; once per process. Starts the gateway thread and makes its private directory
 * (under /run, else TMPDIR, else /tmp; removed by gateway_stop). 0, -EALREADY or another errno.
 * The thread inherits the caller's CPU affinity: call before pinning, or from a thread that runs
 * where control work belongs.
 */
int gateway_start(void);

/* Control thread. Destroy all transports first; -EBUSY otherwise. */
int gateway_stop(void);

/*
 * transport_ops over a UNIX socket. create needs gateway_start. Errors: -EINVAL (no path and no
 * listening fd, path too long, arena not usable), -EADDRINUSE (somebody listens on the path), or
 * errno of socket, bind, listen. A stale socket file (nobody listens) is replaced; the new one has
 * mode 0660 and is removed by destroy. listen_fd is duplicated: the caller keeps its own.
 */
extern const struct transport_ops vhost_user_ops;

/* Any thread. The transport must be one of vhost_user_ops. */
void vhost_user_status(const struct transport *transport, struct transport_status *status);

#endif
