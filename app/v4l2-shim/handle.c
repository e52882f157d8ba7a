/* SPDX-License-Identifier: BSD-3-Clause */
/* Which fds are opens of ours: one word per fd, so that reading needs no lock and a signal handler
 * may close. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "v4l2-shim/shim.h"

#define NB_FDS 65536

/* token, device, pri_fd + 1: 32, 8 and 24 bits. 0: not ours. */
static _Atomic uint64_t table[NB_FDS];
static _Atomic int highest = -1;

static uint64_t
pack(const struct handle *handle)
{
	return (uint64_t)handle->token << 32 | (uint64_t)handle->device << 24 |
	       ((uint32_t)(handle->pri_fd + 1) & 0xffffff);
}

static uint64_t
get(int fd)
{
	return fd >= 0 && fd < NB_FDS ? atomic_load_explicit(&table[fd], memory_order_relaxed) : 0;
}

bool
handle_get(int fd, struct handle *handle)
{
	uint64_t value = get(fd);

	if (value == 0) {
		return false;
	}
	handle->token = (uint32_t)(value >> 32);
	handle->device = (uint8_t)(value >> 24);
	handle->pri_fd = (int)(value & 0xffffff) - 1;
	return true;
}

static void
set(int fd, uint64_t value)
{
	int seen = atomic_load(&highest);

	while (fd > seen && !atomic_compare_exchange_weak(&highest, &seen, fd)) {
	}
	atomic_store(&table[fd], value);
}

void
handle_set(int fd, const struct handle *handle)
{
	if (fd < NB_FDS) {
		set(fd, pack(handle));
	}
}

void
handle_copy(int from, int to)
{
	uint64_t value = get(from);

	if (value != 0 && to >= 0 && to < NB_FDS) {
		set(to, value);
	}
}

/* The last one takes the fd for POLLPRI with it. */
void
handle_clear(int fd)
{
	uint64_t value = get(fd);
	struct handle handle;

	if (value == 0 || !handle_get(fd, &handle) ||
		!atomic_compare_exchange_strong(&table[fd], &value, 0)) {
		return;
	}
	for (int i = 0; i <= atomic_load(&highest); i++) {
		if (get(i) == value) {
			return;
		}
	}
	if (handle.pri_fd >= 0) {
		NEXT(close)(handle.pri_fd);
	}
}

void
handle_clear_range(unsigned int first, unsigned int last)
{
	int top = atomic_load(&highest);

	for (unsigned int fd = first; top >= 0 && fd <= (unsigned int)top && fd <= last; fd++) {
		handle_clear((int)fd);
	}
}

bool
handle_any(void)
{
	return atomic_load_explicit(&highest, memory_order_relaxed) >= 0;
}

static bool
adopt(int fd, struct handle *handle)
{
	struct shim_request request = {.op = SHIM_ATTACH};
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	struct shim_reply reply;
	int device, pri_fd = -1;

	memset(&addr, 0, sizeof(addr));
	if (getpeername(fd, (struct sockaddr *)&addr, &len) != 0 || addr.sun_family != AF_UNIX) {
		return false;
	}
	addr.sun_path[sizeof(addr.sun_path) - 1] = '\0';
	device = device_by_peer(addr.sun_path + 1, &request.session);
	if (device < 0 || client_call((unsigned int)device, &request, &reply, &pri_fd, 1) != 0) {
		return false;
	}
	*handle = (struct handle){request.session, (uint8_t)device, client_raise_fd(pri_fd)};
	handle_set(fd, handle);
	return true;
}

bool
handle_find(int fd, struct handle *handle)
{
	int saved = errno;
	bool found = handle_get(fd, handle) || adopt(fd, handle);

	errno = saved;
	return found;
}
