/* SPDX-License-Identifier: BSD-3-Clause */
/* A slow driver, for a test to preload: each V4L2 ioctl takes half a second more. */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int
ioctl(int fd, unsigned long cmd, ...)
{
	const struct timespec half_a_second = {.tv_nsec = 500000000};
	va_list args;
	void *arg;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(cmd) == 'V') {
		nanosleep(&half_a_second, NULL);
	}
	return (int)syscall(SYS_ioctl, fd, cmd, arg);
}
