/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <stdio.h>

#include "v4l2_node.h"

/* The kernel tells for each epoll what it waits for. */
static uint32_t
polled_in(const char *path, int wanted)
{
	FILE *file = fopen(path, "r");
	uint32_t found = 0, events;
	char line[128];
	int fd;

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "tfd: %d events: %x", &fd, &events) == 2 && fd == wanted) {
			found |= events;
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return found;
}

uint32_t
fd_polled_for(int fd)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	const struct dirent *entry;
	uint32_t found = 0;
	char path[300];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		found |= polled_in(path, fd);
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return found;
}
