/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The functions behind those that the library replaces. dlsym() waits for the lock of the dynamic
 * loader, and a dlopen() elsewhere holds that while constructors run, which may wait for a thread
 * that has just called one of our functions (LTTng-UST's do). So none is looked for at its first
 * use.
 */
#include <string.h>

#include "v4l2-shim/shim.h"

extern __attribute__((visibility("hidden"))) struct next __start_next_functions[],
	__stop_next_functions[];

void
next_find(const struct next *next)
{
	void *found = dlsym(RTLD_NEXT, next->name);

	memcpy(next->function, &found, sizeof(found));
}

static __attribute__((constructor)) void
find_all(void)
{
	for (const struct next *next = __start_next_functions; next < __stop_next_functions;
		next++) {
		next_find(next);
	}
}
