/* SPDX-License-Identifier: BSD-3-Clause */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "trace/provider.h"

#define PROVIDER "libvmedia-trace.so"

/* dlsym() gives a void *, which C does not turn into a function. */
union symbol {
	void *object;
	void (*call)(void);
	void (*on_statedump)(void (*fn)(void));
};

static union symbol
find(const char *name)
{
	return (union symbol){.object = dlsym(RTLD_DEFAULT, name)};
}

/* PROVIDER of the build tree: ../trace of the folder of the program. */
static int
build_tree_path(char *path, size_t bytes)
{
	char program[4096];
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
	char *slash;

	if (n < 0) {
		return -errno;
	}
	program[n] = '\0';
	slash = strrchr(program, '/');
	*slash = '\0';
	n = snprintf(path, bytes, "%s/../trace/%s", program, PROVIDER);
	return n < (ssize_t)bytes ? 0 : -ENAMETOOLONG;
}

int
trace_provider_load(char *why, size_t why_bytes)
{
	char path[4200];

	if (trace_provider_is_loaded()) {
		return 0;
	}
	/* Global, so that find() sees it as if it had been preloaded. */
	if (build_tree_path(path, sizeof(path)) == 0 && access(path, R_OK) == 0 &&
		dlopen(path, RTLD_NOW | RTLD_GLOBAL) != NULL) {
		return 0;
	}
	if (dlopen(VMEDIA_TRACE_PROVIDER, RTLD_NOW | RTLD_GLOBAL) != NULL) {
		return 0;
	}
	snprintf(why, why_bytes, "%s", dlerror());
	return -ENOENT;
}

bool
trace_provider_is_loaded(void)
{
	return find("vmedia_trace_thread_init").object != NULL;
}

void
trace_provider_thread_init(void)
{
	union symbol symbol = find("vmedia_trace_thread_init");

	if (symbol.object != NULL) {
		symbol.call();
	}
}

void
trace_provider_on_statedump(void (*fn)(void))
{
	union symbol symbol = find("vmedia_trace_on_statedump");

	if (symbol.object != NULL) {
		symbol.on_statedump(fn);
	}
}
