/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of a device: create and destroy. What happens between is in listener.c and device_poll.c. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "device/internal.h"

LOG_TYPE_DEFINE(device);

#define DEFAULT_DEADLINE_MS       2000
#define DEFAULT_DRAIN_MS          200
#define DEFAULT_MAX_SESSIONS      256
#define DEFAULT_MAX_WINDOWS       1024
#define DEFAULT_MAX_SUBSCRIPTIONS 64
#define MAX_SESSIONS              65536

/* ---- create ---- */

static void
quota_init(struct device_quota *quota, const struct device_quota *given, uint64_t arena_bytes)
{
	*quota = *given;
	if (quota->max_sessions == 0) {
		quota->max_sessions = DEFAULT_MAX_SESSIONS;
	}
	if (quota->max_windows == 0) {
		quota->max_windows = DEFAULT_MAX_WINDOWS;
	}
	if (quota->max_subscriptions == 0) {
		quota->max_subscriptions = DEFAULT_MAX_SUBSCRIPTIONS;
	}
	if (quota->max_session_bytes == 0) {
		quota->max_session_bytes = arena_bytes;
	}
}

static int
copy_options(struct vmedia_device *device, const struct device_config *config)
{
	uint32_t i;

	device->options = calloc(MAX(config->nb_options, 1), sizeof(device->options[0]));
	if (device->options == NULL) {
		return -ENOMEM;
	}
	device->nb_options = config->nb_options;
	for (i = 0; i < config->nb_options; i++) {
		device->options[i].key = strdup(config->options[i].key);
		device->options[i].value = strdup(config->options[i].value);
		if (device->options[i].key == NULL || device->options[i].value == NULL) {
			return -ENOMEM;
		}
	}
	return 0;
}

static int
create_backend(struct vmedia_device *device, const struct device_config *config)
{
	int err = copy_options(device, config);

	device->priv = calloc(1, MAX(config->backend->device_bytes, 1));
	if (err != 0 || device->priv == NULL) {
		return -ENOMEM;
	}
	err = device_options_store(
		device->name, config->backend, device->options, device->nb_options, device->priv);
	if (err != 0) {
		return err;
	}
	err = config->backend->create(device, &device->node);
	if (err != 0) {
		log_err(&log_device, "device %s: backend %s does not start: %s", device->name,
			config->backend->name, strerror(-err));
		return err;
	}
	device->backend = config->backend; /* from here on: destroy it, too */
	err = node_check(device->name, device->backend, &device->node);
	if (err != 0) {
		return err;
	}
	ioctl_handlers_init(device);
	return 0;
}

static uint64_t
buffers_bytes(const struct vmedia_format *format)
{
	uint64_t bytes = 0;
	uint32_t i;

	for (i = 0; i < format->nb_planes && i < VIDEO_MAX_PLANES; i++) {
		bytes += round_up(format->sizeimage[i], SHM_GRANULE_BYTES);
	}
	return bytes * BUFQ_MAX_BUFFERS;
}

/* 32 buffers of the default format, for each direction the node has. */
static uint64_t
default_arena_bytes(const struct vmedia_device *device)
{
	const uint32_t outputs = V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE;
	const uint32_t captures = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_CAPTURE_MPLANE;
	uint32_t caps = device->node.device_caps;
	uint64_t bytes = device->node.arena_bytes;

	if (device_is_m2m(device) || (caps & outputs)) {
		bytes += buffers_bytes(&device->context.output);
	}
	if (device_is_m2m(device) || (caps & captures)) {
		bytes += buffers_bytes(&device->context.capture);
	}
	bytes = MAX(bytes, SHM_GRANULE_BYTES);
	return MIN(round_up_power_of_2(bytes), SHM_ARENA_MAX_BYTES);
}

static int
create_arena(struct vmedia_device *device, const struct device_config *config)
{
	struct shm_arena_config arena = config->arena;
	int err;

	context_init(device, &device->context);
	arena.name = device->name;
	if (arena.size_bytes == 0) {
		arena.size_bytes = default_arena_bytes(device);
	}
	err = shm_arena_create(&arena, &device->arena);
	if (err != 0) {
		log_err(&log_device, "device %s: no memory for buffers (%llu bytes): %s",
			device->name, (unsigned long long)arena.size_bytes, strerror(-err));
		return err;
	}
	shm_arena_prefer_node(device->arena, shm_node_of_cpu(reactor_cpu(device->reactor)));
	device->arena_guard =
		fault_guard(shm_arena_addr(device->arena, 0), shm_arena_size(device->arena),
			shm_arena_page_bytes(device->arena), &device->lost, DEVICE_LOST_ARENA);
	if (device->arena_guard < 0) {
		return device->arena_guard;
	}
	quota_init(&device->quota, &config->quota, shm_arena_size(device->arena));
	if (device->quota.max_sessions > MAX_SESSIONS) {
		log_err(&log_device, "device %s: at most %u sessions", device->name, MAX_SESSIONS);
		return -EINVAL;
	}
	return mapping_init(device);
}

static int
create_requests(struct vmedia_device *device)
{
	size_t bytes = round_up(DEVICE_NB_REQUESTS * sizeof(device->requests[0]), CACHE_LINE_BYTES);
	unsigned int i;

	device->requests = aligned_alloc(CACHE_LINE_BYTES, bytes);
	if (device->requests == NULL) {
		return -ENOMEM;
	}
	memset(device->requests, 0, bytes); /* page faults now, not on the reactor */
	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		device->requests[i].device = device;
		device->free_chains[i] = &device->requests[i].chain;
	}
	TAILQ_INIT(&device->deferred);
	TAILQ_INIT(&device->window_waiting);
	TAILQ_INIT(&device->draining);
	TAILQ_INIT(&device->pending);
	return 0;
}

static int
create_ctrls(struct vmedia_device *device)
{
	uint32_t i;

	device->ctrls = calloc(1, ctrls_bytes(device));
	device->ctrl_payload = malloc(ctrls_bytes(device)); /* the largest of them, and more */
	device->ctrl_changed = calloc(MAX(device->node.nb_ctrls, 1), 1);
	device->ctrl_memory = calloc(
		(size_t)(1 + DEVICE_NB_SPARES) * IOCTL_MAX_CTRLS, sizeof(device->ctrl_memory[0]));
	if (device->ctrls == NULL || device->ctrl_payload == NULL || device->ctrl_changed == NULL ||
		device->ctrl_memory == NULL) {
		return -ENOMEM;
	}
	ctrls_init(device, device->ctrls);
	device->context.ctrls = device->ctrls;
	device->ctrl_scratch = device->ctrl_memory;
	for (i = 0; i < DEVICE_NB_SPARES; i++) {
		device->ctrl_spares[i] = device->ctrl_memory + (size_t)(i + 1) * IOCTL_MAX_CTRLS;
	}
	device->nb_spares = DEVICE_NB_SPARES;
	return 0;
}

static void
device_init(struct vmedia_device *device, const struct device_config *config)
{
	uint32_t deadline_ms = config->deadline_ms != 0 ? config->deadline_ms : DEFAULT_DEADLINE_MS;
	uint32_t drain_ms = config->drain_ms != 0 ? config->drain_ms : DEFAULT_DRAIN_MS;
	uint32_t nb = config->pass_commands != 0 ? config->pass_commands : VIRTQ_BURST;

	snprintf(device->name, sizeof(device->name), "%s", config->name);
	device->reactor = config->reactor;
	device->transport_ops = config->transport;
	device->deadline_tsc = clock_ns_to_tsc(deadline_ms * NSEC_PER_MSEC);
	device->shared_pages = config->shared_pages;
	device->remove_buffers = config->remove_buffers;
	device->drain_tsc = clock_ns_to_tsc(drain_ms * NSEC_PER_MSEC);
	device->pass_commands = MIN(nb, VIRTQ_BURST);
	device->stamp_done = config->stamp_done;
	device_warm_init(device);
	device->coalesce_tsc = clock_ns_to_tsc(config->coalesce_us * NSEC_PER_USEC);
	device->bell_due_tsc = REACTOR_NO_DEADLINE;
	device->next_deadline_tsc = REACTOR_NO_DEADLINE;
	device->poller.ops = &device_poller_ops;
	offload_init(device);
	device->running = true;
	device->arena_guard = -1;
	device->kickfds[DEVICE_COMMANDQ] = -1;
	device->kickfds[DEVICE_EVENTQ] = -1;
}

static void
attach(void *arg)
{
	struct vmedia_device *device = arg;

	reactor_poller_add(device->reactor, &device->poller);
}

static int
create_transport(struct vmedia_device *device, const struct device_config *config)
{
	struct transport_config transport = config->transport_config;

	transport.name = device->name;
	transport.arena_fd = shm_arena_fd(device->arena);
	transport.arena_bytes = shm_arena_size(device->arena);
	transport.lost = &device->lost;
	transport.lost_mark = DEVICE_LOST_GUEST;
	return config->transport->create(&transport, &device_listener, device, &device->transport);
}

static int
create_parts(struct vmedia_device *device, const struct device_config *config)
{
	int err = create_backend(device, config);

	err = err != 0 ? err : create_arena(device, config);
	err = err != 0 ? err : session_table_create(device);
	err = err != 0 ? err : create_requests(device);
	err = err != 0 ? err : create_ctrls(device);
	if (err != 0) {
		return err;
	}
	reactor_call(device->reactor, attach, device);
	return create_transport(device, config);
}

static int
shell_create(const struct device_config *config, struct vmedia_device **result)
{
	size_t bytes = round_up(sizeof(**result), CACHE_LINE_BYTES);
	struct vmedia_device *device;

	if (config->name == NULL || config->backend == NULL || config->reactor == NULL ||
		strlen(config->name) >= sizeof(device->name)) {
		return -EINVAL;
	}
	device = aligned_alloc(CACHE_LINE_BYTES, bytes);
	if (device == NULL) {
		return -ENOMEM;
	}
	memset(device, 0, bytes);
	device_init(device, config);
	*result = device;
	return 0;
}

int
device_plan_arena(struct device_config *config)
{
	struct vmedia_device *device;
	int err;

	if (config->arena.size_bytes != 0) {
		return 0;
	}
	err = shell_create(config, &device);
	if (err != 0) {
		return err;
	}
	err = create_backend(device, config);
	if (err == 0) {
		context_init(device, &device->context);
		config->arena.size_bytes = default_arena_bytes(device);
	}
	device_destroy(device);
	return err;
}

int
device_create(const struct device_config *config, struct vmedia_device **result)
{
	static atomic_uint next_index;
	struct vmedia_device *device;
	int err;

	if (config->transport == NULL) {
		return -EINVAL;
	}
	err = shell_create(config, &device);
	if (err != 0) {
		return err;
	}
	device->index = atomic_fetch_add(&next_index, 1);
	err = create_parts(device, config);
	if (err != 0) {
		device_destroy(device);
		return err;
	}
	device_trace_add(device);
	*result = device;
	return 0;
}

/* ---- destroy ---- */

static void
detach(void *arg)
{
	struct vmedia_device *device = arg;

	device->running = false;
	request_drop_all(device);
	session_close_all(device);
	mapping_reset(device);
	vmedia_work_cancel(device);
	reactor_poller_del(device->reactor, &device->poller);
}

struct offloaded {
	const struct vmedia_device *device;
	uint32_t nb;
};

static void
count_offloaded(void *arg)
{
	struct offloaded *o = arg;

	o->nb = o->device->nb_offloaded;
}

/* Jobs end in bounded time, and their done() still needs the device. */
static void
wait_for_jobs(struct vmedia_device *device)
{
	struct offloaded o = {.device = device};

	for (;;) {
		reactor_call(device->reactor, count_offloaded, &o);
		if (o.nb == 0) {
			return;
		}
		usleep(1000);
	}
}

static void
free_parts(struct vmedia_device *device)
{
	uint32_t i;

	for (i = 0; device->options != NULL && i < device->nb_options; i++) {
		free((void *)(uintptr_t)device->options[i].key);
		free((void *)(uintptr_t)device->options[i].value);
	}
	free(device->options);
	free(device->ctrl_memory);
	free(device->ctrls);
	free(device->ctrl_payload);
	free(device->ctrl_changed);
	free(device->requests);
	free(device->priv);
}

void
device_destroy(struct vmedia_device *device)
{
	bool attached = device->poller.added;

	if (device->transport != NULL) {
		trace_hook(device_remove, .device = (uint16_t)device->index);
		device->transport_ops->destroy(device->transport);
	}
	if (attached) {
		reactor_call(device->reactor, detach, device);
		wait_for_jobs(device);
	}
	if (device->backend != NULL && device->backend->destroy != NULL) {
		device->backend->destroy(device);
	}
	if (attached) {
		wait_for_jobs(device); /* what the backend held is on its way back */
	}
	session_table_destroy(device);
	if (device->returns != NULL) {
		mapping_fini(device);
	}
	fault_unguard(device->arena_guard);
	if (device->arena != NULL) {
		shm_arena_destroy(device->arena);
	}
	free_parts(device);
	free(device);
}
