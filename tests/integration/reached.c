/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Preloaded in front of the shim by test-v4l2-ioctls: writes each V4L2 ioctl that a program makes,
 * and what became of it, into the file that VMEDIA_REACHED names, once per process.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NB_NUMBERS 256
#define NB_ERRNOS  256

static atomic_bool seen[NB_NUMBERS][NB_ERRNOS];

static void
note(unsigned long request, int error)
{
	const char *path = getenv("VMEDIA_REACHED");
	unsigned int nr = _IOC_NR(request);
	char line[32];
	int fd, length;

	if (_IOC_TYPE(request) != 'V' || path == NULL || error >= NB_ERRNOS ||
		atomic_exchange(&seen[nr][error], true)) {
		return;
	}
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	length = snprintf(line, sizeof(line), "%u %d\n", nr, error);
	if (fd < 0 || write(fd, line, (size_t)length) != length) {
		abort();
	}
	close(fd);
}

/* The result and errno of a call, which are the program's. */
static long
noted(unsigned long request, long result)
{
	int error = errno;

	note(request, result < 0 ? error : 0);
	errno = error;
	return result;
}

int
ioctl(int fd, unsigned long request, ...)
{
	static int (*next)(int fd, unsigned long request, void *arg);
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "ioctl");
	}
	return (int)noted(request, next(fd, request, arg));
}

long
syscall(long number, ...)
{
	static long (*next)(long number, ...);
	long a[6];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 6; i++) {
		a[i] = va_arg(ap, long);
	}
	va_end(ap);
	if (next == NULL) {
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	}
	if (number != SYS_ioctl) {
		return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	}
	return noted((unsigned long)a[1], next(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}
