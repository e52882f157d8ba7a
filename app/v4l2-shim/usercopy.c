/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program's pointers point to, fetched and stored by the kernel, so that a bad pointer is
 * EFAULT as it is with a device in the kernel, and no crash. */
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/util.h"
#include "v4l2-shim/shim.h"

#define PAGES_AT_ONCE 1024u

/* A sandbox may forbid the call: then as any library does it. */
static bool
is_forbidden(void)
{
	return errno == EPERM || errno == ENOSYS || errno == EACCES;
}

int
user_read(void *to, const void *from, size_t bytes)
{
	const struct iovec local = {to, bytes}, remote = {(void *)(uintptr_t)from, bytes};
	ssize_t got = bytes != 0 ? process_vm_readv(getpid(), &local, 1, &remote, 1, 0) : 0;

	if (got < 0 && is_forbidden()) {
		memcpy(to, from, bytes);
		return 0;
	}
	return got == (ssize_t)bytes ? 0 : -EFAULT;
}

int
user_write(void *to, const void *from, size_t bytes)
{
	const struct iovec local = {(void *)(uintptr_t)from, bytes}, remote = {to, bytes};
	ssize_t put = bytes != 0 ? process_vm_writev(getpid(), &local, 1, &remote, 1, 0) : 0;

	if (put < 0 && is_forbidden()) {
		memcpy(to, from, bytes);
		return 0;
	}
	return put == (ssize_t)bytes ? 0 : -EFAULT;
}

int
user_is_mapped(const void *at, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t first = (uintptr_t)at / page * page;
	size_t left = ((uintptr_t)at + bytes - first + page - 1) / page;
	unsigned char present[PAGES_AT_ONCE];

	if (at == NULL || (uintptr_t)at + bytes < (uintptr_t)at) {
		return -EFAULT;
	}
	while (left > 0) {
		size_t nb = MIN(left, (size_t)PAGES_AT_ONCE);

		if (mincore((void *)first, nb * page, present) != 0) {
			return -EFAULT;
		}
		first += nb * page;
		left -= nb;
	}
	return 0;
}
