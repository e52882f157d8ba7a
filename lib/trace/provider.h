/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider of the tracepoints, libvmedia-trace.so: preloaded, or loaded here on demand. Nothing
 * of LTTng is needed to call these; without a provider they do nothing.
 */
#ifndef VMEDIA_TRACE_PROVIDER_H
#define VMEDIA_TRACE_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Loads it, if it is not there yet: the installed one, or that of the build tree the program is in.
 * Control thread: starts LTTng's threads and may wait for its daemon for some seconds. 0, or
 * -ENOENT with a reason in `why`.
 */
int trace_provider_load(char *why, size_t why_bytes);

/* Any thread. */
bool trace_provider_is_loaded(void);

/* Once on each thread that emits events and must not allocate then. */
void trace_provider_thread_init(void);

/* fn is called, on a thread of LTTng's, whenever a recording starts; NULL: no more. */
void trace_provider_on_statedump(void (*fn)(void));

#endif
