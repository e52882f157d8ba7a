/* SPDX-License-Identifier: BSD-3-Clause */
/* The libc functions that take an fd. */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "v4l2-shim/shim.h"

EXPORT int
ioctl(int fd, unsigned long request, ...)
{
	struct handle handle;
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* Only calls for a video device are worth asking a socket who it is. */
	if (_IOC_TYPE(request) == 'V' ? handle_find(fd, &handle) : handle_get(fd, &handle)) {
		return video_ioctl(fd, &handle, request, arg);
	}
	return NEXT(ioctl)(fd, request, arg);
}

EXPORT int
close(int fd)
{
	if (client_is_internal(fd)) {
		errno = EBADF; /* a program that closes all numbers does not know of ours */
		return ~0;
	}
	handle_clear(fd);
	return NEXT(close)(fd);
}

EXPORT int
dup(int fd)
{
	int copy = NEXT(dup)(fd);

	handle_copy(fd, copy);
	return copy;
}

EXPORT int
dup2(int fd, int to)
{
	int copy;

	if (fd != to) {
		handle_clear(to);
	}
	copy = NEXT(dup2)(fd, to);
	handle_copy(fd, copy);
	return copy;
}

EXPORT int
dup3(int fd, int to, int flags)
{
	int copy;

	if (fd != to) {
		handle_clear(to);
	}
	copy = NEXT(dup3)(fd, to, flags);
	handle_copy(fd, copy);
	return copy;
}

static int
control(int fd, int cmd, void *arg, int ret)
{
	if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) {
		handle_copy(fd, ret);
	}
	return ret;
}

EXPORT int
fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return control(fd, cmd, arg, NEXT(fcntl)(fd, cmd, arg));
}

EXPORT int
fcntl64(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return control(fd, cmd, arg, NEXT(fcntl64)(fd, cmd, arg));
}

/* These devices stream; they do not read or write. */
EXPORT ssize_t
read(int fd, void *buf, size_t count)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-EINVAL) : NEXT(read)(fd, buf, count);
}

EXPORT ssize_t
write(int fd, const void *buf, size_t count)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-EINVAL) : NEXT(write)(fd, buf, count);
}

EXPORT ssize_t
readv(int fd, const struct iovec *iov, int count)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-EINVAL) : NEXT(readv)(fd, iov, count);
}

EXPORT ssize_t
writev(int fd, const struct iovec *iov, int count)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-EINVAL) : NEXT(writev)(fd, iov, count);
}

ssize_t __read_chk(int fd, void *buf, size_t count, size_t size);

EXPORT ssize_t
__read_chk(int fd, void *buf, size_t count, size_t size)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-EINVAL) : NEXT(__read_chk)(fd, buf, count, size);
}

EXPORT off_t
lseek(int fd, off_t offset, int whence)
{
	struct handle handle;

	return handle_get(fd, &handle) ? fail(-ESPIPE) : NEXT(lseek)(fd, offset, whence);
}

EXPORT void *
mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	struct handle handle;

	if ((flags & MAP_ANONYMOUS) == 0 && handle_get(fd, &handle)) {
		return map_create(&handle, addr, len, prot, flags, offset);
	}
	return NEXT(mmap)(addr, len, prot, flags, fd, offset);
}

EXPORT void *
mmap64(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return mmap(addr, len, prot, flags, fd, offset);
}

EXPORT int
munmap(void *addr, size_t len)
{
	int ret;

	return map_destroy(addr, len, &ret) ? ret : NEXT(munmap)(addr, len);
}

/* libv4l2 makes its calls this way. */
EXPORT long
syscall(long number, ...)
{
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++) {
		a[i] = va_arg(ap, long);
	}
	va_end(ap);
	switch (number) {
	case SYS_openat:
		return openat((int)a[0], (const char *)a[1], (int)a[2], (mode_t)a[3]);
#ifdef SYS_open
	case SYS_open:
		return open((const char *)a[0], (int)a[1], (mode_t)a[2]);
#endif
	case SYS_close:
		return close((int)a[0]);
	case SYS_ioctl:
		return ioctl((int)a[0], (unsigned long)a[1], (void *)a[2]);
	case SYS_read:
		return read((int)a[0], (void *)a[1], (size_t)a[2]);
	case SYS_write:
		return write((int)a[0], (const void *)a[1], (size_t)a[2]);
	case SYS_dup:
		return dup((int)a[0]);
	case SYS_mmap:
		return (long)mmap(
			(void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5]);
	case SYS_munmap:
		return munmap((void *)a[0], (size_t)a[1]);
	default:
		return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
}
