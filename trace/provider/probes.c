/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The provider: a shared object that is loaded on demand, so that vmediad does not link LTTng.
 * Beside the probes it has what lib/trace/provider.c looks up by name once it is loaded.
 *
 * LTTng-UST tells its own state on the `start` event of its provider lttng_ust_statedump, once per
 * recording session that starts and process that comes. A probe of ours on that tracepoint is how
 * vmediad hears of it. It runs on LTTng's thread.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "provider/vmedia.h"

#include <stdatomic.h>

#include <lttng/urcu/urcu-ust.h>
#include <lttng/ust-thread.h>

static _Atomic(void (*)(void)) statedump;

/* fn: called on LTTng's thread when a recording starts; NULL: nobody. */
void vmedia_trace_on_statedump(void (*fn)(void));
/* Makes LTTng's memory of the calling thread, so that its first event need not. */
void vmedia_trace_thread_init(void);

void
vmedia_trace_on_statedump(void (*fn)(void))
{
	atomic_store(&statedump, fn);
}

void
vmedia_trace_thread_init(void)
{
	lttng_ust_init_thread();
	lttng_ust_urcu_read_lock();
	lttng_ust_urcu_read_unlock();
}

static void
on_recording_start(void *data, void *session)
{
	void (*fn)(void) = atomic_load(&statedump);

	if (fn != NULL) {
		fn();
	}
}

static char statedump_provider[] = "lttng_ust_statedump";
static char statedump_event[] = "start";

static void __attribute__((constructor)) listen_to_recordings(void)
{
	lttng_ust_tracepoint_provider_register(statedump_provider, statedump_event,
		(void (*)(void))on_recording_start, NULL, "struct lttng_ust_session *, session");
}

static void __attribute__((destructor)) stop_listening(void)
{
	lttng_ust_tracepoint_provider_unregister(
		statedump_provider, statedump_event, (void (*)(void))on_recording_start, NULL);
}
