/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "control/balance.h"
#include "control/hugepages.h"
#include "control/manager.h"
#include "control/service.h"
#include "control/telemetry.h"
#include "control/tracing.h"
#include "transport/eal.h"
#include "transport/gateway.h"

LOG_TYPE_DEFINE(control);

struct manager {
	const struct config *config;
	struct reactor *reactors[CONFIG_MAX_REACTORS];
	uint32_t nb_reactors;
	struct vmedia_device *devices[CONFIG_MAX_DEVICES];
	uint32_t nb_devices;
	bool eal, gateway, guarded;
};

static int
load_provider(void)
{
	char why[512];
	int rc = tracing_load(why, sizeof(why));

	if (rc != 0) {
		log_err(&log_control, "trace=yes: %s; install or build with LTTng-UST", why);
	}
	return rc;
}

/* On each reactor. */
static void
thread_init(void *unused)
{
	transport_eal_thread_register(unused);
	tracing_thread_init(unused);
}

static int
start_eal(struct manager *m)
{
	const struct transport_eal_config eal = {
		.program = "vmediad",
		.reactor_cpus = m->config->reactor_cpus,
		.nb_reactor_cpus = m->config->nb_reactors,
		.memory_mb = 64 + m->config->nb_devices / 2,
	};
	int rc = 0;

	clock_tsc_hz(); /* calibrates here, not on a reactor */
	if (transport_raise_limits(m->config->nb_devices) < m->config->nb_devices) {
		return -EMFILE;
	}
	rc = transport_eal_init(&eal);
	m->eal = rc == 0;
	if (rc == 0 && m->config->trace) {
		rc = load_provider(); /* LTTng's threads get the CPUs EAL left to this one */
	}
	if (rc == 0) {
		rc = fault_start();
		m->guarded = rc == 0;
	}
	if (rc == 0) {
		rc = gateway_start();
		m->gateway = rc == 0;
	}
	return rc;
}

static int
start_reactors(struct manager *m)
{
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < m->config->nb_reactors; i++) {
		char name[32];
		const struct reactor_config config = {
			.name = name,
			.cpu = m->config->reactor_cpus[i],
			.idle = (enum reactor_idle)m->config->idle,
			.spin_us = m->config->spin_us,
			.umwait = m->config->umwait != 0,
			.budget_us = m->config->budget_us,
			.thread_init = thread_init,
		};

		/* no '-': DPDK's telemetry refuses it in a key */
		snprintf(name, sizeof(name), "reactor%u", i);
		rc = reactor_create(&config, &m->reactors[i]);
		if (rc != 0) {
			break;
		}
		m->nb_reactors++;
		rc = reactor_start(m->reactors[i]);
	}
	if (rc != 0) {
		log_err(&log_control, "reactor %u on CPU %d cannot start: %s", m->nb_reactors,
			m->config->reactor_cpus[m->nb_reactors], strerror(-rc));
	}
	return rc;
}

static int
plan_device(const struct manager *m, uint32_t index, struct device_config *plan)
{
	const struct config_device *d = m->config->devices[index];
	int listen_fd = service_listen_fd(d->socket, d->name);
	uint32_t reactor = d->reactor != CONFIG_ANY_REACTOR ? d->reactor : index % m->nb_reactors;

	*plan = (struct device_config){
		.name = d->name,
		.backend = d->backend,
		.options = d->options,
		.nb_options = d->nb_options,
		.reactor = m->reactors[reactor],
		.arena = {.name = d->name,
			.size_bytes = (uint64_t)d->shm_mb << 20,
			.page = (enum shm_page_size)d->pages,
			.hugetlbfs = d->hugetlbfs,
			.no_access = d->arena_no_access != 0},
		.quota = {.max_sessions = d->max_sessions},
		.shared_pages = d->shared_pages != 0,
		.remove_buffers = d->remove_buffers != 0,
		.deadline_ms = d->deadline_ms,
		.coalesce_us = d->coalesce_us,
		.stamp_done = d->stamp_done != 0,
		.transport = &vhost_user_ops,
		/* an inherited socket stands for its path */
		.transport_config = {.path = listen_fd < 0 ? d->socket : NULL,
			.listen_fd = listen_fd,
			.compat = (enum transport_compat)d->compat},
	};
	if (d->socket == NULL && listen_fd < 0) {
		log_err(&log_control,
			"device %s: socket=PATH is missing, and no inherited socket has that name",
			d->name);
		return -EINVAL;
	}
	return device_plan_arena(plan);
}

static int
start_devices(struct manager *m)
{
	uint32_t nb = m->config->nb_devices;
	struct device_config *plans = calloc(nb, sizeof(*plans));
	int rc = plans != NULL ? 0 : -ENOMEM;

	for (uint32_t i = 0; rc == 0 && i < nb; i++) {
		rc = plan_device(m, i, &plans[i]);
	}
	if (rc == 0) {
		rc = hugepages_check(plans, nb);
	}
	for (uint32_t i = 0; rc == 0 && i < nb; i++) {
		rc = device_create(&plans[i], &m->devices[i]);
		if (rc == 0) {
			m->nb_devices++;
		} else {
			log_err(&log_control, "device %s cannot start: %s", plans[i].name,
				strerror(-rc));
		}
	}
	free(plans);
	return rc;
}

int
manager_start(const struct config *config, struct manager **manager)
{
	struct manager *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL) {
		return -ENOMEM;
	}
	m->config = config;
	rc = start_eal(m);
	if (rc == 0) {
		rc = start_reactors(m);
	}
	if (rc == 0) {
		rc = start_devices(m);
	}
	if (rc != 0) {
		manager_stop(m);
		return rc;
	}
	rc = balance_start(m, config->balance_ms);
	if (rc != 0) {
		log_err(&log_control, "balance-ms: no thread: %s", strerror(-rc));
		manager_stop(m);
		return rc;
	}
	telemetry_start(m);
	tracing_start(m);
	log_notice(&log_control, "%u device%s on %u reactor%s", m->nb_devices,
		m->nb_devices == 1 ? "" : "s", m->nb_reactors, m->nb_reactors == 1 ? "" : "s");
	*manager = m;
	return 0;
}

void
manager_stop(struct manager *m)
{
	balance_stop();
	telemetry_stop();
	tracing_stop();
	while (m->nb_devices > 0) {
		device_destroy(m->devices[--m->nb_devices]);
	}
	for (uint32_t i = 0; i < m->nb_reactors; i++) {
		reactor_stop(m->reactors[i]);
		reactor_destroy(m->reactors[i]);
	}
	if (m->gateway) {
		gateway_stop();
	}
	if (m->guarded) {
		fault_stop();
	}
	if (m->eal) {
		transport_eal_fini();
	}
	free(m);
}

uint32_t
manager_nb_devices(const struct manager *m)
{
	return m->nb_devices;
}

struct vmedia_device *
manager_device(const struct manager *m, uint32_t index)
{
	return m->devices[index];
}

bool
manager_device_stays(const struct manager *m, uint32_t index)
{
	return m->config->devices[index]->reactor != CONFIG_ANY_REACTOR ||
	       !device_can_move(m->devices[index]);
}

uint32_t
manager_nb_reactors(const struct manager *m)
{
	return m->nb_reactors;
}

struct reactor *
manager_reactor(const struct manager *m, uint32_t index)
{
	return m->reactors[index];
}

int
manager_move(const struct manager *m, uint32_t device, uint32_t reactor)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct vmedia_device *d = m->devices[device];
	struct reactor *from, *to = m->reactors[reactor];
	int rc;

	pthread_mutex_lock(&one_at_a_time);
	from = device_reactor(d);
	rc = device_move(d, to);
	pthread_mutex_unlock(&one_at_a_time);
	if (rc != 0) {
		log_warning(&log_control, "device %s stays on %s: %s", vmedia_device_name(d),
			reactor_name(from), strerror(-rc));
	} else if (from != to) {
		log_info(&log_control, "device %s moved from %s to %s", vmedia_device_name(d),
			reactor_name(from), reactor_name(to));
	}
	return rc;
}
