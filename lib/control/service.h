/* SPDX-License-Identifier: BSD-3-Clause */
/* A service manager's side of things: readiness and inherited sockets (systemd's protocol). */
#ifndef VMEDIA_CONTROL_SERVICE_H
#define VMEDIA_CONTROL_SERVICE_H

/* An inherited listening socket that is bound to `path` or was handed over under `name`
 * (FileDescriptorName=); -ENOENT: none. */
int service_listen_fd(const char *path, const char *name);

/* "READY=1", "STOPPING=1": tells who started us; harmless when nobody listens. */
void service_notify(const char *state);

#endif
