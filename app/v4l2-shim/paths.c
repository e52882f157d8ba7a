/* SPDX-License-Identifier: BSD-3-Clause */
/* The libc functions that take a path. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "v4l2-shim/shim.h"

/* Not in headers, or only as macros. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);
int __xstat(int version, const char *path, struct stat *st);
int __lxstat(int version, const char *path, struct stat *st);
int __fxstat(int version, int fd, struct stat *st);
int __xstat64(int version, const char *path, struct stat64 *st);
int __lxstat64(int version, const char *path, struct stat64 *st);
int __fxstat64(int version, int fd, struct stat64 *st);

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one layout");

static mode_t
mode_of(int flags, va_list ap)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
}

static int
open_at(int dirfd, const char *path, int flags, mode_t mode)
{
	int device = device_by_path_at(dirfd, path);
	char buf[PATH_ROOM];

	if (device >= 0 && (flags & O_PATH) == 0) {
		return device_open((unsigned int)device, flags);
	}
	return NEXT(openat)(dirfd, path_redirect(dirfd, path, buf), flags, mode);
}

EXPORT int
open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

EXPORT int
openat(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(dirfd, path, flags, mode);
}

EXPORT int
openat64(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_at(dirfd, path, flags, mode);
}

EXPORT int
__open_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

EXPORT int
__open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

EXPORT int
__openat_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}

EXPORT int
__openat64_2(int dirfd, const char *path, int flags)
{
	return open_at(dirfd, path, flags, 0);
}

/* Nobody streams through stdio, but attributes in /sys are read so. */
#define FOPEN(name)                                                          \
	EXPORT FILE *name(const char *path, const char *mode)                \
	{                                                                    \
		char buf[PATH_ROOM];                                         \
                                                                             \
		return NEXT(name)(path_redirect(AT_FDCWD, path, buf), mode); \
	}
FOPEN(fopen)
FOPEN(fopen64)

static int
stat_at(int dirfd, const char *path, struct stat *st, int flags)
{
	int device = device_by_path_at(dirfd, path);
	struct handle handle;
	char buf[PATH_ROOM];

	if (device < 0 && (flags & AT_EMPTY_PATH) != 0 && path[0] == '\0' &&
		handle_get(dirfd, &handle)) {
		device = handle.device;
	}
	if (device >= 0) {
		device_stat((unsigned int)device, st);
		return 0;
	}
	return NEXT(fstatat)(dirfd, path_redirect(dirfd, path, buf), st, flags);
}

static int
stat_fd(int fd, struct stat *st)
{
	struct handle handle;
	int ret = NEXT(fstat)(fd, st);

	if (ret == 0 && S_ISSOCK(st->st_mode) && handle_find(fd, &handle)) {
		device_stat(handle.device, st);
	}
	return ret;
}

static struct stat *
narrow(struct stat64 *st)
{
	return (struct stat *)(void *)st;
}

EXPORT int
stat(const char *path, struct stat *st)
{
	int device = device_by_path(path);
	char buf[PATH_ROOM];

	if (device < 0) {
		return NEXT(stat)(path_redirect(AT_FDCWD, path, buf), st);
	}
	device_stat((unsigned int)device, st);
	return 0;
}

EXPORT int
lstat(const char *path, struct stat *st)
{
	return stat_at(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

EXPORT int
fstat(int fd, struct stat *st)
{
	return stat_fd(fd, st);
}

EXPORT int
fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return stat_at(dirfd, path, st, flags);
}

EXPORT int
stat64(const char *path, struct stat64 *st)
{
	return stat(path, narrow(st));
}

EXPORT int
lstat64(const char *path, struct stat64 *st)
{
	return stat_at(AT_FDCWD, path, narrow(st), AT_SYMLINK_NOFOLLOW);
}

EXPORT int
fstat64(int fd, struct stat64 *st)
{
	return stat_fd(fd, narrow(st));
}

EXPORT int
fstatat64(int dirfd, const char *path, struct stat64 *st, int flags)
{
	return stat_at(dirfd, path, narrow(st), flags);
}

/* Programs built before glibc 2.33. */
EXPORT int
__xstat(int version, const char *path, struct stat *st)
{
	return stat(path, st);
}

EXPORT int
__lxstat(int version, const char *path, struct stat *st)
{
	return lstat(path, st);
}

EXPORT int
__fxstat(int version, int fd, struct stat *st)
{
	return stat_fd(fd, st);
}

EXPORT int
__xstat64(int version, const char *path, struct stat64 *st)
{
	return stat(path, narrow(st));
}

EXPORT int
__lxstat64(int version, const char *path, struct stat64 *st)
{
	return lstat(path, narrow(st));
}

EXPORT int
__fxstat64(int version, int fd, struct stat64 *st)
{
	return stat_fd(fd, narrow(st));
}

static void
to_statx(const struct stat *st, struct statx *stx)
{
	memset(stx, 0, sizeof(*stx));
	stx->stx_mask = STATX_BASIC_STATS;
	stx->stx_blksize = (uint32_t)st->st_blksize;
	stx->stx_nlink = (uint32_t)st->st_nlink;
	stx->stx_uid = st->st_uid;
	stx->stx_gid = st->st_gid;
	stx->stx_mode = (uint16_t)st->st_mode;
	stx->stx_ino = st->st_ino;
	stx->stx_mtime.tv_sec = st->st_mtime;
	stx->stx_atime.tv_sec = st->st_atime;
	stx->stx_ctime.tv_sec = st->st_ctime;
	stx->stx_rdev_major = major(st->st_rdev);
	stx->stx_rdev_minor = minor(st->st_rdev);
	stx->stx_dev_major = major(st->st_dev);
	stx->stx_dev_minor = minor(st->st_dev);
}

EXPORT int
statx(int dirfd, const char *path, int flags, unsigned int mask, struct statx *stx)
{
	int device = device_by_path_at(dirfd, path);
	struct handle handle;
	struct stat st;
	char buf[PATH_ROOM];

	if (device < 0 && (flags & AT_EMPTY_PATH) != 0 && (path == NULL || path[0] == '\0') &&
		handle_get(dirfd, &handle)) {
		device = handle.device;
	}
	if (device < 0) {
		return NEXT(statx)(dirfd, path_redirect(dirfd, path, buf), flags, mask, stx);
	}
	device_stat((unsigned int)device, &st);
	to_statx(&st, stx);
	return 0;
}

EXPORT int
access(const char *path, int mode)
{
	char buf[PATH_ROOM];

	if (device_by_path(path) >= 0) {
		return fail((mode & X_OK) != 0 ? -EACCES : 0);
	}
	return NEXT(access)(path_redirect(AT_FDCWD, path, buf), mode);
}

EXPORT int
faccessat(int dirfd, const char *path, int mode, int flags)
{
	char buf[PATH_ROOM];

	if (device_by_path_at(dirfd, path) >= 0) {
		return fail((mode & X_OK) != 0 ? -EACCES : 0);
	}
	return NEXT(faccessat)(dirfd, path_redirect(dirfd, path, buf), mode, flags);
}

static ssize_t
read_link(int dirfd, const char *path, char *buf, size_t size)
{
	char room[PATH_ROOM];
	ssize_t len;

	if (device_by_path_at(dirfd, path) >= 0) {
		return fail(-EINVAL); /* no link */
	}
	len = NEXT(readlinkat)(dirfd, path_redirect(dirfd, path, room), buf, size);
	return len > 0 ? (ssize_t)path_strip(buf, (size_t)len) : len;
}

EXPORT ssize_t
readlink(const char *path, char *buf, size_t size)
{
	return read_link(AT_FDCWD, path, buf, size);
}

EXPORT ssize_t
readlinkat(int dirfd, const char *path, char *buf, size_t size)
{
	return read_link(dirfd, path, buf, size);
}

EXPORT ssize_t
__readlink_chk(const char *path, char *buf, size_t size, size_t room)
{
	return read_link(AT_FDCWD, path, buf, size < room ? size : room);
}

EXPORT ssize_t
__readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room)
{
	return read_link(dirfd, path, buf, size < room ? size : room);
}

EXPORT char *
realpath(const char *path, char *resolved)
{
	char buf[PATH_ROOM];
	char *ret;

	if (device_by_path(path) >= 0) {
		size_t size = strlen(path) + 1;

		ret = resolved != NULL ? resolved : malloc(size);
		return ret != NULL ? memcpy(ret, path, size) : NULL;
	}
	ret = NEXT(realpath)(path_redirect(AT_FDCWD, path, buf), resolved);
	if (ret != NULL) {
		size_t len = strlen(ret);

		len = path_strip(ret, len);
		ret[len] = '\0';
	}
	return ret;
}

EXPORT char *
__realpath_chk(const char *path, char *resolved, size_t room)
{
	return realpath(path, resolved);
}

EXPORT char *
canonicalize_file_name(const char *path)
{
	return realpath(path, NULL);
}

/* ls(1) asks these of everything. */
#define GETXATTR(name)                                                                            \
	EXPORT ssize_t name(const char *path, const char *attribute, void *value, size_t size)    \
	{                                                                                         \
		char buf[PATH_ROOM];                                                              \
                                                                                                  \
		return device_by_path(path) >= 0 ? fail(-ENODATA)                                 \
		                                 : NEXT(name)(path_redirect(AT_FDCWD, path, buf), \
							   attribute, value, size);               \
	}
GETXATTR(getxattr)
GETXATTR(lgetxattr)

#define LISTXATTR(name)                                                                      \
	EXPORT ssize_t name(const char *path, char *list, size_t size)                       \
	{                                                                                    \
		char buf[PATH_ROOM];                                                         \
                                                                                             \
		return device_by_path(path) >= 0                                             \
		               ? 0                                                           \
		               : NEXT(name)(path_redirect(AT_FDCWD, path, buf), list, size); \
	}
LISTXATTR(listxattr)
LISTXATTR(llistxattr)
