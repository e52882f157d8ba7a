/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "control/service.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

int
service_listen_fd(const char *path, const char *name)
{
	static char **names;
	static int nb = -1;

	if (nb < 0) {
		nb = sd_listen_fds_with_names(1, &names);
	}
	for (int i = 0; i < nb; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
			continue;
		}
		if (strcmp(names[i], name) == 0 ||
			(path != NULL && sd_is_socket_unix(fd, SOCK_STREAM, 1, path, 0) > 0)) {
			return fd;
		}
	}
	return -ENOENT;
}

void
service_notify(const char *state)
{
	sd_notify(0, state);
}

#else

int
service_listen_fd(const char *path, const char *name)
{
	return -ENOENT;
}

void
service_notify(const char *state)
{
}

#endif
