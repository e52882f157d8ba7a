/* SPDX-License-Identifier: BSD-3-Clause */
/* libudev believes a folder of /sys only when its file system says that it is sysfs. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "v4l2-shim/shim.h"

_Static_assert(sizeof(struct statfs) == sizeof(struct statfs64), "one layout");

static bool
is_in_tree(int fd)
{
	char link[32], path[PATH_ROOM];
	int saved = errno;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = NEXT(readlink)(link, path, sizeof(path));
	errno = saved;
	return len > 0 && path_strip(path, (size_t)len) != (size_t)len;
}

static int
fd_says(int fd, struct statfs *st)
{
	int ret = NEXT(fstatfs)(fd, st);

	if (ret == 0 && is_in_tree(fd)) {
		st->f_type = SYSFS_MAGIC;
	}
	return ret;
}

static int
path_says(const char *path, struct statfs *st)
{
	char buf[PATH_ROOM];
	const char *there = path_redirect(AT_FDCWD, path, buf);
	int ret = NEXT(statfs)(there, st);

	if (ret == 0 && there != path) {
		st->f_type = SYSFS_MAGIC;
	}
	return ret;
}

EXPORT int
fstatfs(int fd, struct statfs *st)
{
	return fd_says(fd, st);
}

EXPORT int
fstatfs64(int fd, struct statfs64 *st)
{
	return fd_says(fd, (struct statfs *)(void *)st);
}

EXPORT int
statfs(const char *path, struct statfs *st)
{
	return path_says(path, st);
}

EXPORT int
statfs64(const char *path, struct statfs64 *st)
{
	return path_says(path, (struct statfs *)(void *)st);
}
