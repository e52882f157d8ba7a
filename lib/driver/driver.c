/* SPDX-License-Identifier: BSD-3-Clause */
/* Life of a driver: created, connected, stopped, started, reset, gone. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "driver/internal.h"

LOG_TYPE_USE(driver);

void
driver_config_init(struct driver_config *config)
{
	*config = (struct driver_config){
		.socket_fd = -1,
		.indirect = true,
		.event_idx = true,
		.resend_memory = true,
		.commandq_size = 256,
		.eventq_size = 64,
		.nb_event_buffers = 16,
		.nb_memory_regions = 1,
		.mem_bytes = 8ULL << 20,
		.protocol_features = DRIVER_PROTOCOL_FEATURES,
		.wait = DRIVER_SLEEP,
		.timeout_ms = 5000,
	};
}

static int
check_config(const struct driver_config *c)
{
	if (!is_power_of_2(c->commandq_size) || c->commandq_size > RING_MAX_SIZE ||
		c->commandq_size < 2 || !is_power_of_2(c->eventq_size) ||
		c->eventq_size > RING_MAX_SIZE || c->eventq_size < 2) {
		log_err(&log_driver, "queue sizes %u and %u: powers of two from 2 to %u, please",
			c->commandq_size, c->eventq_size, RING_MAX_SIZE);
		return -EINVAL;
	}
	if (c->nb_event_buffers > DRIVER_MAX_EVENT_BUFFERS ||
		c->nb_event_buffers > c->eventq_size) {
		log_err(&log_driver, "%u event buffers: at most %u and the queue size",
			c->nb_event_buffers, DRIVER_MAX_EVENT_BUFFERS);
		return -EINVAL;
	}
	if (c->nb_memory_regions < 1 || c->nb_memory_regions > MEMORY_MAX_REGIONS) {
		log_err(&log_driver, "%u memory regions: 1 to %u, please", c->nb_memory_regions,
			MEMORY_MAX_REGIONS);
		return -EINVAL;
	}
	return c->timeout_ms > 0 ? 0 : -EINVAL;
}

int
driver_open_eventfds(struct driver *drv)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		struct ring *r = &drv->rings[q];

		r->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		r->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		drv->spare_fds[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (r->kick_fd < 0 || r->call_fd < 0 || drv->spare_fds[q] < 0) {
			return -errno;
		}
	}
	return 0;
}

void
driver_drain_eventfds(struct driver *drv)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		int fd = drv->rings[q].call_fd;
		uint64_t value;

		if (fd >= 0 && read(fd, &value, sizeof(value)) < 0) {
			continue; /* non-blocking: nothing was in it */
		}
	}
}

static void
close_fds(struct driver *drv)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		int fds[] = {drv->rings[q].kick_fd, drv->rings[q].call_fd, drv->spare_fds[q]};

		for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++) {
			if (fds[i] >= 0) {
				close(fds[i]);
			}
		}
	}
}

static struct driver *
alloc_driver(const struct driver_config *config, const struct bus_ops *bus, int *ret)
{
	struct driver *drv;

	*ret = check_config(config);
	if (*ret != 0) {
		return NULL;
	}
	drv = calloc(1, sizeof(*drv));
	if (drv == NULL) {
		*ret = -ENOMEM;
		return NULL;
	}
	drv->config = *config;
	drv->bus = bus;
	drv->mem.fd = -1;
	drv->timeout_tsc = clock_ns_to_tsc((uint64_t)config->timeout_ms * NSEC_PER_MSEC);
	drv->repost_delay_tsc = clock_ns_to_tsc(config->event_repost_delay_ns);
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		drv->rings[q].kick_fd = drv->rings[q].call_fd = drv->spare_fds[q] = -1;
	}
	return drv;
}

static void
free_driver(struct driver *drv)
{
	sessions_free(drv);
	for (uint32_t i = 0; drv->commands != NULL && i < drv->nb_commands; i++) {
		if (drv->commands[i].state != COMMAND_FREE && drv->commands[i].desc != NULL) {
			payload_release(&drv->commands[i]);
		}
	}
	close_fds(drv);
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		if (drv->rings[q].pages != NULL) {
			ring_fini(&drv->rings[q], &drv->mem);
		}
	}
	memory_fini(&drv->mem);
	free(drv->commands);
	free(drv->maps);
	free(drv);
}

static int
init_ring(struct driver *drv, unsigned int q, uint16_t size, uint64_t features)
{
	int kick = drv->rings[q].kick_fd, call = drv->rings[q].call_fd;
	int ret = ring_init(&drv->rings[q], &drv->mem, size, features);

	drv->rings[q].kick_fd = kick;
	drv->rings[q].call_fd = call;
	return ret;
}

static void
init_commands(struct driver *drv)
{
	drv->free_commands = NULL;
	for (uint32_t i = drv->nb_commands; i-- > 0;) {
		struct command *cmd = &drv->commands[i];

		cmd->drv = drv;
		cmd->state = COMMAND_FREE;
		cmd->mem = drv->slot_mem + (size_t)i * SLOT_BYTES;
		cmd->gpa = memory_gpa(&drv->mem, cmd->mem, SLOT_BYTES);
		cmd->chain.token = (uint16_t)i;
		cmd->chain.table = (struct ring_desc *)(void *)(cmd->mem + SLOT_TABLE);
		cmd->chain.table_gpa = cmd->gpa + SLOT_TABLE;
		cmd->next_free = drv->free_commands;
		drv->free_commands = cmd;
	}
	drv->nb_flight = 0;
}

/* Rings, slots and event buffers, when the features are known. */
static int
init_queues(struct driver *drv, uint64_t features)
{
	const struct driver_config *c = &drv->config;
	int ret = init_ring(drv, DRIVER_QUEUE_COMMAND, c->commandq_size, features);

	if (ret == 0) {
		ret = init_ring(drv, DRIVER_QUEUE_EVENT, c->eventq_size, features);
	}
	if (ret != 0) {
		log_err(&log_driver, "the rings do not fit into a region of guest memory");
		return ret;
	}
	drv->nb_commands = MIN((uint32_t)c->commandq_size, MAX_SLOTS);
	drv->commands = calloc(drv->nb_commands, sizeof(*drv->commands));
	drv->slot_mem = memory_alloc(&drv->mem, (size_t)drv->nb_commands * SLOT_BYTES);
	if (drv->commands == NULL || drv->slot_mem == NULL || events_init(drv) != 0) {
		log_err(&log_driver, "%llu bytes of guest memory are not enough",
			(unsigned long long)drv->mem.bytes);
		return -ENOMEM;
	}
	init_commands(drv);
	events_post_all(drv);
	return 0;
}

uint64_t
driver_wanted_features(const struct driver_config *c)
{
	return (c->packed ? RING_F_PACKED : 0) | (c->indirect ? RING_F_INDIRECT_DESC : 0) |
	       (c->event_idx ? RING_F_EVENT_IDX : 0);
}

static int
read_info(struct driver *drv)
{
	struct virtio_media_config config;
	int ret = drv->bus->read_config(drv, 0, &config, sizeof(config));

	drv->info.region_bytes = drv->window.bytes;
	if (ret == -EOPNOTSUPP) {
		return 0; /* a front-end without CONFIG starts all the same */
	}
	if (ret == 0) {
		drv->info.device_caps = config.device_caps;
		drv->info.device_type = config.device_type;
		memcpy(drv->info.card, config.card, sizeof(config.card));
	}
	return ret;
}

static int
create(struct driver *drv, struct driver **out)
{
	int ret;

	window_init(&drv->window, 0);
	ret = drv->bus->connect(drv);
	if (ret == 0) {
		ret = init_queues(drv, drv->info.features);
	}
	if (ret == 0) {
		ret = drv->bus->realize(drv);
	}
	if (ret == 0) {
		ret = read_info(drv);
	}
	if (ret == 0) {
		ret = driver_start(drv);
	}
	/* The strings are the caller's and may go away now. */
	drv->config.socket_path = NULL;
	if (ret != 0) {
		driver_disconnect(drv);
		return ret;
	}
	*out = drv;
	return 0;
}

int
driver_create_local(const struct driver_config *config, struct driver **out)
{
	int ret;
	struct driver *drv = alloc_driver(config, &bus_local, &ret);

	return drv == NULL ? ret : create(drv, out);
}

int
driver_connect(const struct driver_config *config, struct driver **out)
{
	int ret;
	struct driver *drv = alloc_driver(config, &bus_vhost_user, &ret);

	if (drv == NULL && config->socket_fd >= 0) {
		close(config->socket_fd);
	}
	return drv == NULL ? ret : create(drv, out);
}

int
driver_attach(const struct driver_config *config, const struct driver_machine *machine,
	struct driver **out)
{
	int ret;
	struct driver *drv = alloc_driver(config, &bus_virtio_pci, &ret);

	if (drv == NULL) {
		return ret;
	}
	drv->pci = calloc(1, sizeof(*drv->pci));
	if (drv->pci == NULL) {
		free(drv);
		return -ENOMEM;
	}
	drv->pci->machine = *machine;
	return create(drv, out);
}

void
driver_disconnect(struct driver *drv)
{
	drv->running = false;
	drv->dead = -ENODEV;
	command_fail_all(drv, -ENODEV);
	drv->bus->disconnect(drv);
	window_fini(&drv->window);
	free_driver(drv);
}

/* Both queues are kicked once, whatever the device said about kicks before. */
void
driver_kick_all(struct driver *drv)
{
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		drv->rings[q].nb_unkicked = 0;
		ring_bell(&drv->rings[q]);
	}
}

int
driver_start(struct driver *drv)
{
	int ret = drv->running ? -EALREADY : drv->bus->start(drv);

	drv->running |= ret == 0;
	return ret;
}

int
driver_stop(struct driver *drv)
{
	if (!drv->running) {
		return -EALREADY;
	}
	drv->running = false;
	return drv->bus->stop(drv);
}

/* What the device forgot we forget, too. */
static void
forget(struct driver *drv)
{
	command_fail_all(drv, -ENODEV);
	for (uint32_t i = 0; i < drv->nb_commands; i++) {
		struct command *cmd = &drv->commands[i];

		/* After a reset the device owns nothing any more. */
		if (cmd->state == COMMAND_GIVEN_UP) {
			command_put(cmd);
		}
	}
	drv->nb_flight = 0;
	sessions_free(drv);
	drv->nb_maps = 0;
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		ring_reset(&drv->rings[q]);
	}
	drv->dead = drv->bus->is_dead(drv) ? -ENODEV : 0;
	events_post_all(drv);
}

int
driver_reset(struct driver *drv)
{
	int ret = drv->bus->reset(drv);

	drv->running = false;
	forget(drv);
	return ret != 0 ? ret : drv->dead;
}

int
driver_reboot(struct driver *drv)
{
	int ret = drv->bus->reboot(drv);

	drv->running = false;
	forget(drv);
	return ret != 0 ? ret : drv->dead;
}

void
driver_get_info(const struct driver *drv, struct driver_info *info)
{
	*info = drv->info;
}

void
driver_get_stats(const struct driver *drv, struct driver_stats *stats)
{
	*stats = drv->stats;
	for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
		stats->kicks += drv->rings[q].nb_kicks;
		stats->kicks_suppressed += drv->rings[q].nb_kicks_suppressed;
		stats->ring_bad_index += drv->rings[q].nb_bad_index;
		stats->ring_bad_id += drv->rings[q].nb_bad_id;
	}
	stats->channel_maps = __atomic_load_n(&drv->fe.nb_maps, __ATOMIC_RELAXED);
	stats->channel_unmaps = __atomic_load_n(&drv->fe.nb_unmaps, __ATOMIC_RELAXED);
	stats->channel_refused = __atomic_load_n(&drv->fe.nb_refused, __ATOMIC_RELAXED);
}

int
driver_read_config(struct driver *drv, uint32_t offset, void *data, uint32_t size)
{
	return drv->bus->read_config(drv, offset, data, size);
}

int
driver_call_fd(const struct driver *drv, unsigned int queue)
{
	return queue < DRIVER_NB_QUEUES ? drv->rings[queue].call_fd : -1;
}

void
driver_set_event_repost_delay(struct driver *drv, uint64_t delay_ns)
{
	drv->repost_delay_tsc = clock_ns_to_tsc(delay_ns);
}

void *
driver_window(const struct driver *drv, size_t *len)
{
	*len = drv->window.bytes;
	return drv->window.base;
}

int
driver_window_fetch(struct driver *drv, const void *addr, size_t len)
{
	uint64_t offset = (uintptr_t)addr - (uintptr_t)drv->window.base;

	if (!window_is_mapped(&drv->window, offset, len)) {
		return -EINVAL;
	}
	return drv->bus->fetch != NULL ? drv->bus->fetch(drv, offset, len) : 0;
}

void *
driver_mem_alloc(struct driver *drv, size_t bytes)
{
	return memory_alloc(&drv->mem, bytes);
}

int
driver_mem_file(const struct driver *drv, const void *addr, int *fd, uint64_t *fd_offset)
{
	if (memory_gpa(&drv->mem, addr, 1) == 0) {
		return -EINVAL;
	}
	*fd_offset = (uintptr_t)addr - (uintptr_t)drv->mem.base;
	*fd = fcntl(drv->mem.fd, F_DUPFD_CLOEXEC, 0);
	return *fd >= 0 ? 0 : -errno;
}

void
driver_mem_free(struct driver *drv, void *addr)
{
	memory_free(&drv->mem, addr);
}

uint64_t
driver_mem_gpa(const struct driver *drv, const void *addr, size_t bytes)
{
	return memory_gpa(&drv->mem, addr, bytes);
}

void *
driver_mem_host(const struct driver *drv, uint64_t gpa, size_t bytes)
{
	return memory_host(&drv->mem, gpa, bytes);
}

int
driver_ring_layout(const struct driver *drv, unsigned int queue, struct driver_ring_layout *layout)
{
	const struct ring *r;
	uint64_t desc, driver, device, base;
	uint8_t *pages;

	if (queue >= DRIVER_NB_QUEUES) {
		return -EINVAL;
	}
	r = &drv->rings[queue];
	pages = r->pages;
	base = memory_gpa(&drv->mem, pages, 1);
	ring_areas(r, &desc, &driver, &device);
	*layout = (struct driver_ring_layout){
		.desc = pages + desc,
		.driver = pages + driver,
		.device = pages + device,
		.desc_gpa = base + desc,
		.driver_gpa = base + driver,
		.device_gpa = base + device,
		.features = drv->info.features,
		.size = r->size,
		.kick_fd = r->kick_fd,
		.call_fd = r->call_fd,
	};
	return 0;
}
