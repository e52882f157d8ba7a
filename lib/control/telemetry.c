/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <rte_telemetry.h>

#include "base/clock.h"
#include "base/log.h"
#include "control/telemetry.h"
#include "control/tracing.h"
#include "protocol/ioctl_table.h"
#include "transport/compat.h"
#include "transport/gateway.h"

LOG_TYPE_USE(control);

/* Held by a telemetry thread while it reads; keeps the devices from going meanwhile. */
static pthread_mutex_t manager_lock = PTHREAD_MUTEX_INITIALIZER;
static const struct manager *manager;

static struct vmedia_device *
find(const char *name)
{
	for (uint32_t i = 0; name != NULL && i < manager_nb_devices(manager); i++) {
		struct vmedia_device *device = manager_device(manager, i);

		if (strcmp(vmedia_device_name(device), name) == 0) {
			return device;
		}
	}
	return NULL;
}

static int
list_devices(const char *cmd, const char *params, struct rte_tel_data *data)
{
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (uint32_t i = 0; i < manager_nb_devices(manager); i++) {
		rte_tel_data_add_array_string(data, vmedia_device_name(manager_device(manager, i)));
	}
	return 0;
}

/* prefix_count, prefix_p50_ns … prefix_max_ns */
static void
add_hist(struct rte_tel_data *data, const char *prefix, const struct hist *live)
{
	static const struct {
		const char *suffix;
		double percent;
	} rows[] = {
		{"p50_ns", 50}, {"p90_ns", 90}, {"p99_ns", 99}, {"p999_ns", 99.9}, {"max_ns", 100}};
	static __thread struct hist copy;
	char key[64];

	hist_snapshot(live, &copy);
	snprintf(key, sizeof(key), "%s_count", prefix);
	compat_tel_add_u64(data, key, hist_count(&copy));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(key, sizeof(key), "%s_%s", prefix, rows[i].suffix);
		compat_tel_add_u64(
			data, key, clock_tsc_to_ns(hist_percentile(&copy, rows[i].percent)));
	}
}

/* Of both queues. */
static void
add_bells(struct rte_tel_data *data, const struct device_stats *stats)
{
	static const char *const queues[TRANSPORT_NB_QUEUES] = {"commandq", "eventq"};
	char key[64];

	for (size_t i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		snprintf(key, sizeof(key), "%s_notified", queues[i]);
		compat_tel_add_u64(data, key, stats->bells[i].notified);
		snprintf(key, sizeof(key), "%s_suppressed", queues[i]);
		compat_tel_add_u64(data, key, stats->bells[i].suppressed);
	}
}

static void
add_counters(struct rte_tel_data *data, const struct vmedia_device *device)
{
	struct device_stats stats;

	device_stats(device, &stats);
#define X(name, help) compat_tel_add_u64(data, #name, stats.counters.name);
	DEVICE_COUNTERS(X)
#undef X
#define X(name, help) compat_tel_add_u64(data, "refused_" #name, stats.refused.name);
	DEVICE_REFUSALS(X)
#undef X
	add_bells(data, &stats);
	compat_tel_add_u64(data, "open_sessions", stats.open_sessions);
	compat_tel_add_u64(data, "pending_events", stats.pending_events);
	compat_tel_add_u64(data, "started", stats.started);
	compat_tel_add_u64(data, "broken", stats.broken != VIRTQ_SOUND);
	rte_tel_data_add_dict_string(data, "broken_because", virtq_broken_text(stats.broken));
	compat_tel_add_u64(data, "arena_bytes", stats.arena.size_bytes);
	compat_tel_add_u64(data, "arena_allocated_bytes", stats.arena.allocated_bytes);
	compat_tel_add_u64(data, "arena_ranges", stats.arena.nb_ranges);
}

static int
show_device(const char *cmd, const char *params, struct rte_tel_data *data)
{
	struct vmedia_device *device = find(params);
	struct transport_status status;

	if (device == NULL) {
		return -ENODEV;
	}
	vhost_user_status(device_transport(device), &status);
	rte_tel_data_start_dict(data);
	rte_tel_data_add_dict_string(data, "name", vmedia_device_name(device));
	rte_tel_data_add_dict_string(data, "reactor", reactor_name(device_reactor(device)));
	compat_tel_add_u64(data, "index", vmedia_device_index(device));
	compat_tel_add_u64(data, "connected", status.connected);
	compat_tel_add_u64(data, "nb_connections", status.nb_connections);
	compat_tel_add_u64(data, "nb_bad_messages", status.nb_bad_messages);
	compat_tel_add_u64(data, "nb_map_refused", status.nb_map_refused);
#define X(name, help) compat_tel_add_u64(data, "frontend_" #name, status.refused.name);
	TRANSPORT_REFUSALS(X)
#undef X
	add_counters(data, device);
	add_hist(data, "command", device_command_hist(device));
	add_hist(data, "frame", device_frame_hist(device));
	return 0;
}

/* QBUF_ok, QBUF_failed, QBUF_errnos, what is there of them; at most RTE_TEL_MAX_DICT_ENTRIES in all
 */
static int
add_answers(struct rte_tel_data *data, const char *name, const struct ioctl_answers *answers)
{
	char key[64], errnos[RTE_TEL_MAX_STRING_LEN] = "";
	size_t used = 0;
	int rc = 0;

	if (answers->nb_ok > 0) {
		snprintf(key, sizeof(key), "%s_ok", name);
		rc = compat_tel_add_u64(data, key, answers->nb_ok);
	}
	if (answers->nb_failed == 0 || rc != 0) {
		return rc;
	}
	for (size_t i = 0; i < 64 * ARRAY_SIZE(answers->errnos) && used < sizeof(errnos); i++) {
		if (answers->errnos[i / 64] >> i % 64 & 1) {
			used += (size_t)snprintf(errnos + used, sizeof(errnos) - used, "%s%zu",
				used > 0 ? " " : "", i);
		}
	}
	snprintf(key, sizeof(key), "%s_failed", name);
	rc = compat_tel_add_u64(data, key, answers->nb_failed);
	snprintf(key, sizeof(key), "%s_errnos", name);
	return rc != 0 ? rc : rte_tel_data_add_dict_string(data, key, errnos);
}

static int
show_ioctls(const char *cmd, const char *params, struct rte_tel_data *data)
{
	const struct vmedia_device *device = find(params);
	struct ioctl_answers answers;
	int rc = device != NULL ? 0 : -ENODEV;

	rte_tel_data_start_dict(data);
	for (uint32_t nr = 0; rc == 0 && nr < VMEDIA_NB_IOCTLS; nr++) {
		if (ioctl_lookup(nr) == NULL) {
			continue;
		}
		device_ioctl_answers(device, nr, &answers);
		rc = add_answers(data, ioctl_lookup(nr)->name, &answers);
	}
	return rc;
}

static int
reset_device(const char *cmd, const char *params, struct rte_tel_data *data)
{
	struct vmedia_device *device = find(params);

	if (device == NULL) {
		return -ENODEV;
	}
	device_hists_reset(device);
	return rte_tel_data_string(data, "reset");
}

/* "NAME,REACTOR": the reactor's index. */
static int
move_device(const char *cmd, const char *params, struct rte_tel_data *data)
{
	char name[128];
	const char *comma = params != NULL ? strrchr(params, ',') : NULL;
	unsigned int reactor;
	char *end;
	int rc;

	if (comma == NULL || (size_t)(comma - params) >= sizeof(name)) {
		return -EINVAL;
	}
	memcpy(name, params, (size_t)(comma - params));
	name[comma - params] = '\0';
	reactor = (unsigned int)strtoul(comma + 1, &end, 10);
	if (end == comma + 1 || *end != '\0' || reactor >= manager_nb_reactors(manager)) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < manager_nb_devices(manager); i++) {
		if (strcmp(vmedia_device_name(manager_device(manager, i)), name) == 0) {
			rc = manager_move(manager, i, reactor);
			return rc != 0 ? rc : rte_tel_data_string(data, "moved");
		}
	}
	return -ENODEV;
}

static int
show_reactors(const char *cmd, const char *params, struct rte_tel_data *data)
{
	rte_tel_data_start_dict(data);
	for (uint32_t i = 0; i < manager_nb_reactors(manager); i++) {
		const struct reactor *reactor = manager_reactor(manager, i);
		struct rte_tel_data *one = rte_tel_data_alloc();
		struct reactor_stats s;

		if (one == NULL) {
			return -ENOMEM;
		}
		reactor_stats(reactor, &s);
		rte_tel_data_start_dict(one);
		compat_tel_add_u64(one, "cpu", (uint64_t)reactor_cpu(reactor));
		compat_tel_add_u64(one, "tid", (uint64_t)reactor_tid(reactor));
		compat_tel_add_u64(one, "nb_passes", s.nb_passes);
		compat_tel_add_u64(one, "nb_busy_passes", s.nb_busy_passes);
		compat_tel_add_u64(one, "nb_sleeps", s.nb_sleeps);
		compat_tel_add_u64(one, "nb_messages", s.nb_messages);
		compat_tel_add_u64(one, "nb_over_budget", s.nb_over_budget);
		compat_tel_add_u64(one, "busy_ns", clock_tsc_to_ns(s.busy_tsc));
		compat_tel_add_u64(one, "idle_ns", clock_tsc_to_ns(s.idle_tsc));
		compat_tel_add_u64(one, "sleep_ns", clock_tsc_to_ns(s.sleep_tsc));
		compat_tel_add_u64(one, "longest_pass_ns", clock_tsc_to_ns(s.longest_pass_tsc));
		if (rte_tel_data_add_dict_container(data, reactor_name(reactor), one, 0) != 0) {
			rte_tel_data_free(one);
			return -EINVAL;
		}
	}
	return 0;
}

static int
load_trace(const char *cmd, const char *params, struct rte_tel_data *data)
{
	char why[512];
	int rc = tracing_load(why, sizeof(why));

	if (rc != 0) {
		log_err(&log_control, "the trace provider cannot be loaded: %s", why);
	}
	return rc != 0 ? rc : rte_tel_data_string(data, "loaded");
}

/* Registration lives as long as the process; the rows answer only while a manager is there. */
static const struct row {
	const char *cmd;
	telemetry_cb fn;
	const char *help;
} rows[] = {
	{"/vmedia/devices", list_devices, "Names of all devices"},
	{"/vmedia/device", show_device, "Counters and latencies of a device: NAME"},
	{"/vmedia/ioctls", show_ioctls, "What became of a device's ioctls: NAME"},
	{"/vmedia/hist_reset", reset_device, "Starts a device's latency histograms anew: NAME"},
	{"/vmedia/move", move_device, "Gives a device to another reactor: NAME,INDEX"},
	{"/vmedia/trace_load", load_trace, "Loads the LTTng-UST provider"},
	{"/vmedia/reactors", show_reactors, "Busy, idle and sleeping time of all reactors"},
};

static int
dispatch(const char *cmd, const char *params, struct rte_tel_data *data)
{
	int rc = -ENODEV;

	pthread_mutex_lock(&manager_lock);
	for (size_t i = 0; manager != NULL && i < ARRAY_SIZE(rows); i++) {
		if (strcmp(rows[i].cmd, cmd) == 0) {
			rc = rows[i].fn(cmd, params, data);
		}
	}
	pthread_mutex_unlock(&manager_lock);
	return rc;
}

void
telemetry_start(const struct manager *m)
{
	manager = m;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		rte_telemetry_register_cmd(rows[i].cmd, dispatch, rows[i].help);
	}
}

void
telemetry_stop(void)
{
	pthread_mutex_lock(&manager_lock);
	manager = NULL;
	pthread_mutex_unlock(&manager_lock);
}
