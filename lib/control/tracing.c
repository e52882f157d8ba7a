/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>

#include "control/tracing.h"
#include "trace/hooks.h"
#include "trace/provider.h"

/* A reactor's request to tell of itself; asked again before it ran is asked once. */
struct dump {
	struct reactor_msg msg;
	struct reactor *reactor;
	bool asked;
};

/* Guards manager, which is there while devices are. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct manager *manager;
static struct dump dumps[CONFIG_MAX_REACTORS];

/* On the reactor: only it may look at its devices. */
static void
dump_run(void *arg)
{
	struct dump *dump = arg;
	uint32_t nb_devices = 0;

	__atomic_store_n(&dump->asked, false, __ATOMIC_RELEASE);
	reactor_statedump(dump->reactor);
	for (uint32_t i = 0; i < manager_nb_devices(manager); i++) {
		struct vmedia_device *device = manager_device(manager, i);

		if (device_reactor(device) == dump->reactor) {
			device_statedump(device);
			nb_devices++;
		}
	}
	trace_hook(
		statedump_end, .reactor = reactor_index(dump->reactor), .nb_devices = nb_devices);
}

/* Any thread; LTTng's, when a recording starts. */
static void
dump_all(void)
{
	pthread_mutex_lock(&lock);
	for (uint32_t i = 0; manager != NULL && i < manager_nb_reactors(manager); i++) {
		struct dump *dump = &dumps[i];

		if (!__atomic_exchange_n(&dump->asked, true, __ATOMIC_ACQUIRE)) {
			dump->reactor = manager_reactor(manager, i);
			dump->msg = (struct reactor_msg){.fn = dump_run, .arg = dump};
			reactor_send(dump->reactor, &dump->msg);
		}
	}
	pthread_mutex_unlock(&lock);
}

void
tracing_start(const struct manager *m)
{
	pthread_mutex_lock(&lock);
	manager = m;
	pthread_mutex_unlock(&lock);
	trace_provider_on_statedump(dump_all);
	dump_all(); /* of a recording that started earlier */
}

static void
nothing(void *unused)
{
}

void
tracing_stop(void)
{
	const struct manager *m = manager;

	trace_provider_on_statedump(NULL);
	for (uint32_t i = 0; m != NULL && i < manager_nb_reactors(m); i++) {
		reactor_call(manager_reactor(m, i), nothing, NULL); /* behind a dump on its way */
	}
	pthread_mutex_lock(&lock);
	manager = NULL;
	pthread_mutex_unlock(&lock);
}

int
tracing_load(char *why, size_t why_bytes)
{
	bool loaded = trace_provider_is_loaded();
	int rc = trace_provider_load(why, why_bytes);

	if (rc != 0 || loaded) {
		return rc;
	}
	for (uint32_t i = 0; manager != NULL && i < manager_nb_reactors(manager); i++) {
		reactor_call(manager_reactor(manager, i), tracing_thread_init, NULL);
	}
	trace_provider_on_statedump(dump_all);
	dump_all();
	return 0;
}

void
tracing_thread_init(void *unused)
{
	trace_provider_thread_init();
}
