/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * librte_vhost behind the gateway: one client-mode socket per connection, on a private path where
 * only we listen. Every call comes from the gateway thread; callbacks come from the library's
 * "vhost-events" thread, or from the gateway thread inside start and unregister.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/util.h"
#include "transport/internal.h"

/* After our own: DPDK keeps a container_of that is there. */
#include <rte_vhost.h>

#define HIDDEN_UVA 1 /* of library_send; pages do not begin there */

static struct library *_Atomic by_vid[RTE_MAX_VHOST_DEVICE];
static struct library *opening; /* gateway thread: whose rte_vhost_driver_start is under way */

static int
new_connection(int vid)
{
	opening->vid = vid;
	atomic_store(&by_vid[vid], opening);
	return 0;
}

/* The library closed the connection by itself and unmaps guest memory as soon as we return. */
static void
destroy_connection(int vid)
{
	struct library *lib = atomic_exchange(&by_vid[vid], NULL);

	if (lib == NULL) {
		return;
	}
	pthread_mutex_lock(&lib->lock);
	while (!lib->detached) {
		pthread_cond_wait(&lib->changed, &lib->lock);
	}
	pthread_mutex_unlock(&lib->lock);
}

static const struct rte_vhost_device_ops device_ops = {
	.new_connection = new_connection,
	.destroy_connection = destroy_connection,
};

/*
 * From 24.11 on the library ends its thread with the last registered socket, which takes up to a
 * second, and starts it anew with the next. One that never connects keeps the thread.
 */
static char keeper[sizeof(((struct library *)0)->path)];

int
library_start(const char *directory)
{
	snprintf(keeper, sizeof(keeper), "%s/keeper", directory);
	return rte_vhost_driver_register(
		       keeper, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT) == 0
	               ? 0
	               : -ENOSPC;
}

void
library_stop(void)
{
	rte_vhost_driver_unregister(keeper);
}

void
library_init(struct library *lib)
{
	lib->vid = -1;
	lib->registered = false;
	lib->detached = true;
	pthread_mutex_init(&lib->lock, NULL);
	pthread_cond_init(&lib->changed, NULL);
}

void
library_fini(struct library *lib)
{
	pthread_cond_destroy(&lib->changed);
	pthread_mutex_destroy(&lib->lock);
}

void
library_unguard(struct library *lib)
{
	while (lib->nb_guards > 0) {
		fault_unguard(lib->guards[--lib->nb_guards]);
	}
}

/* The whole mapping: the library rounds it up to pages of the file. */
static int
guard(struct library *lib, const struct rte_vhost_mem_region *region)
{
	struct stat st;
	int number;

	if (lib->lost == NULL) {
		return 0;
	}
	if (fstat(region->fd, &st) != 0) {
		return -errno;
	}
	number = fault_guard(region->mmap_addr, region->mmap_size, (size_t)st.st_blksize, lib->lost,
		lib->lost_mark);
	if (number >= 0) {
		lib->guards[lib->nb_guards++] = number;
	}
	return MIN(number, 0);
}

void
library_set_detached(struct library *lib, bool detached)
{
	if (detached) {
		library_unguard(lib);
	}
	pthread_mutex_lock(&lib->lock);
	lib->detached = detached;
	pthread_cond_broadcast(&lib->changed);
	pthread_mutex_unlock(&lib->lock);
}

static int
listen_inner(struct library *lib, unsigned int id)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int len = snprintf(lib->path, sizeof(lib->path), "%s/%u", gateway_directory(), id);
	int fd;

	if (len < 0 || (size_t)len >= sizeof(lib->path)) {
		return -ENAMETOOLONG;
	}
	memcpy(sun.sun_path, lib->path, (size_t)len + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	unlink(lib->path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0 || listen(fd, 1) != 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int
register_client(struct library *lib)
{
	uint64_t features = TRANSPORT_FEATURES | (1ULL << MSG_VIRTIO_F_PROTOCOL_FEATURES);
	int ret;

	if (rte_vhost_driver_register(
		    lib->path, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT) != 0) {
		return -ENOSPC; /* 1024 sockets is the library's limit */
	}
	lib->registered = true;
	if (rte_vhost_driver_set_features(lib->path, features) != 0 ||
		rte_vhost_driver_callback_register(lib->path, &device_ops) != 0) {
		return -EIO;
	}
	opening = lib;
	ret = rte_vhost_driver_start(lib->path);
	opening = NULL;
	return ret == 0 && lib->vid >= 0 ? 0 : -EIO;
}

int
library_open(struct library *lib, unsigned int id)
{
	int listen_fd = listen_inner(lib, id);
	int fd = -1;
	int err;

	if (listen_fd < 0) {
		return listen_fd;
	}
	/* The connect inside completes at once: there is room in the backlog. */
	err = register_client(lib);
	if (err == 0) {
		fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		err = fd < 0 ? -errno : 0;
	}
	close(listen_fd);
	unlink(lib->path);
	if (err != 0) {
		library_close(lib);
		return err;
	}
	return fd;
}

/*
 * unregister of a live connection frees it synchronously, and waits for a callback that is under
 * way: destroy_connection, which waits for nothing once the device is detached.
 */
void
library_close(struct library *lib)
{
	if (lib->registered) {
		rte_vhost_driver_unregister(lib->path);
		lib->registered = false;
	}
	if (lib->vid >= 0) {
		struct library *self = lib;

		atomic_compare_exchange_strong(&by_vid[lib->vid], &self, NULL);
		lib->vid = -1;
	}
}

static void
move_regions(struct message *msg, uint64_t from, uint64_t to)
{
	struct message_mem_table *table = &msg->payload.mem;

	for (uint32_t i = 0; i < table->nb_regions; i++) {
		if (table->regions[i].uva == from) {
			table->regions[i].uva = to;
		}
	}
}

int
library_send(int fd, struct message *msg)
{
	bool is_table = msg->header.request == MSG_SET_MEM_TABLE;
	int n;

	if (is_table) {
		move_regions(msg, 0, HIDDEN_UVA);
	}
	n = message_send(fd, msg);
	if (is_table) {
		move_regions(msg, HIDDEN_UVA, 0);
	}
	return n;
}

int
library_memory(struct library *lib, struct guest_mem *mem)
{
	struct guest_mem_region regions[MESSAGE_LIBRARY_REGIONS];
	struct rte_vhost_memory *table = NULL;
	uint32_t nb;
	int err = 0;

	if (rte_vhost_get_mem_table(lib->vid, &table) != 0) {
		return -EIO;
	}
	nb = table->nregions < MESSAGE_LIBRARY_REGIONS ? table->nregions : MESSAGE_LIBRARY_REGIONS;
	library_unguard(lib);
	for (uint32_t i = 0; i < nb && err == 0; i++) {
		const struct rte_vhost_mem_region *r = &table->regions[i];

		regions[i].gpa = r->guest_phys_addr;
		regions[i].size_bytes = r->size;
		regions[i].uva = r->guest_user_addr == HIDDEN_UVA ? 0 : r->guest_user_addr;
		regions[i].addr = (char *)(uintptr_t)r->host_user_addr;
		err = guard(lib, r);
	}
	free(table);
	return err != 0 ? err : guest_mem_init(mem, regions, nb);
}

void
library_set_base(struct library *lib, unsigned int queue, uint16_t base)
{
	/* Fails for a queue that no message named yet; its base is then whatever comes. */
	(void)rte_vhost_set_vring_base(lib->vid, (uint16_t)queue, base, base);
}
