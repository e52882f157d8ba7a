/* SPDX-License-Identifier: BSD-3-Clause */
/* The libc functions that take an fd. */
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

EXPORT void *
mremap(void *addr, size_t len, size_t new_len, int flags, ...)
{
	int refused = map_check_size(addr, len, new_len);
	void *where, *ret;
	va_list ap;

	va_start(ap, flags);
	where = va_arg(ap, void *);
	va_end(ap);
	if (refused != 0) {
		errno = -refused;
		return MAP_FAILED;
	}
	ret = NEXT(mremap)(addr, len, new_len, flags, where);
	if (ret != MAP_FAILED) {
		map_moved(addr, len, ret, new_len);
	}
	return ret;
}

/* Around the connections that the program does not know of. */
EXPORT int
close_range(unsigned int first, unsigned int last, int flags)
{
	uint64_t from = first;
	int ret = 0;

	if (first > last || (flags & CLOSE_RANGE_CLOEXEC) != 0) {
		return NEXT(close_range)(first, last, flags);
	}
	handle_clear_range(first, last);
	while (ret == 0 && from <= last) {
		uint64_t stop = client_next_internal(from, last);

		if (stop > from) {
			ret = NEXT(close_range)(
				(unsigned int)from, (unsigned int)(stop - 1), flags);
		}
		from = stop + 1;
	}
	return ret;
}

EXPORT void
closefrom(int low)
{
	close_range(low > 0 ? (unsigned int)low : 0, UINT_MAX, 0);
}
