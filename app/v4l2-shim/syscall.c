/* SPDX-License-Identifier: BSD-3-Clause */
/* libc's syscall(), by which libv4l2 and language runtimes make their calls: the numbers of what
 * the library stands for go the same way as the functions. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "v4l2-shim/shim.h"

#define INT(n) ((int)a[n])
#define PTR(n) ((void *)a[n])
#define LEN(n) ((size_t)a[n])
/* One number: a function of the six words, and what it does with them. */
#define CALL(name, value)                      \
	static long call_##name(const long *a) \
	{                                      \
		return (long)(value);          \
	}

static long
select_masked(const long *a)
{
	struct {
		const sigset_t *mask;
		size_t bytes;
	} masked = {NULL, 0};

	if (a[5] != 0 && user_read(&masked, PTR(5), sizeof(masked)) != 0) {
		return fail(-EFAULT);
	}
	return pselect(INT(0), PTR(1), PTR(2), PTR(3), PTR(4), masked.mask);
}

CALL(openat, openat(INT(0), PTR(1), INT(2), (mode_t)a[3]))
CALL(close, close(INT(0)))
CALL(close_range, close_range((unsigned int)a[0], (unsigned int)a[1], INT(2)))
CALL(ioctl, ioctl(INT(0), (unsigned long)a[1], PTR(2)))
CALL(read, read(INT(0), PTR(1), LEN(2)))
CALL(write, write(INT(0), PTR(1), LEN(2)))
CALL(readv, readv(INT(0), PTR(1), INT(2)))
CALL(writev, writev(INT(0), PTR(1), INT(2)))
CALL(lseek, lseek(INT(0), a[1], INT(2)))
CALL(dup, dup(INT(0)))
CALL(dup3, dup3(INT(0), INT(1), INT(2)))
CALL(fcntl, fcntl(INT(0), INT(1), PTR(2)))
CALL(ppoll, ppoll(PTR(0), LEN(1), PTR(2), PTR(3)))
CALL(epoll_ctl, epoll_ctl(INT(0), INT(1), INT(2), PTR(3)))
CALL(mmap, mmap(PTR(0), LEN(1), INT(2), INT(3), INT(4), a[5]))
CALL(munmap, munmap(PTR(0), LEN(1)))
CALL(mremap, mremap(PTR(0), LEN(1), LEN(2), INT(3), PTR(4)))
CALL(newfstatat, fstatat(INT(0), PTR(1), PTR(2), INT(3)))
CALL(fstat, fstat(INT(0), PTR(1)))
CALL(readlinkat, readlinkat(INT(0), PTR(1), PTR(2), LEN(3)))
CALL(statx, statx(INT(0), PTR(1), INT(2), (unsigned int)a[3], PTR(4)))
CALL(faccessat, faccessat(INT(0), PTR(1), INT(2), 0)) /* the kernel's takes no flags, */
CALL(faccessat2, faccessat(INT(0), PTR(1), INT(2), INT(3)))
/* and its pselect6 has mask and size behind one pointer; libc's sets begin with the kernel's. */
CALL(pselect6, select_masked(a))
#ifdef SYS_open /* and what else only older machines have */
CALL(open, open(PTR(0), INT(1), (mode_t)a[2]))
CALL(dup2, dup2(INT(0), INT(1)))
CALL(poll, poll(PTR(0), LEN(1), INT(2)))
CALL(select, select(INT(0), PTR(1), PTR(2), PTR(3), PTR(4)))
CALL(stat, stat(PTR(0), PTR(1)))
CALL(lstat, lstat(PTR(0), PTR(1)))
CALL(access, access(PTR(0), INT(1)))
CALL(readlink, readlink(PTR(0), PTR(1), LEN(2)))
#endif

#define ROW(name)                       \
	{                               \
		SYS_##name, call_##name \
	}
static const struct {
	long number;
	long (*fn)(const long *a);
} rows[] = {
	ROW(ioctl),
	ROW(read),
	ROW(write),
	ROW(readv),
	ROW(writev),
	ROW(lseek),
	ROW(openat),
	ROW(close),
	ROW(close_range),
	ROW(dup),
	ROW(dup3),
	ROW(fcntl),
	ROW(ppoll),
	ROW(epoll_ctl),
	ROW(mmap),
	ROW(munmap),
	ROW(mremap),
	ROW(newfstatat),
	ROW(fstat),
	ROW(readlinkat),
	ROW(statx),
	ROW(faccessat),
	ROW(faccessat2),
	ROW(pselect6),
#ifdef SYS_open
	ROW(open),
	ROW(dup2),
	ROW(poll),
	ROW(select),
	ROW(stat),
	ROW(lstat),
	ROW(access),
	ROW(readlink),
#endif
};

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
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].number == number) {
			return rows[i].fn(a);
		}
	}
	return NEXT(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
