/* SPDX-License-Identifier: BSD-3-Clause */
/* The messages on the main socket, in QEMU 11.1's order (vmm.md 1.4). */
#include "driver/frontend.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"

LOG_TYPE_DEFINE(driver);

struct vring_state {
	uint32_t index, num;
};

struct vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};

struct mem_region {
	uint64_t gpa, size, uva, mmap_offset;
};

struct mem_table {
	uint32_t nb, padding;
	struct mem_region regions[MEMORY_MAX_REGIONS];
};

struct config_message {
	uint32_t offset, size, flags;
	uint8_t data[VHOST_USER_CONFIG_MAX];
};

struct shmem_config {
	uint32_t nb, padding;
	uint64_t sizes[VHOST_USER_NB_REGIONS];
};

#define VRING_NO_FD (1u << 8)

bool
frontend_is_dead(const struct frontend *fe)
{
	return __atomic_load_n(&fe->dead, __ATOMIC_ACQUIRE);
}

void
frontend_set_dead(struct frontend *fe)
{
	uint64_t one = 1;

	__atomic_store_n(&fe->dead, true, __ATOMIC_RELEASE);
	if (fe->death_fd >= 0 && write(fe->death_fd, &one, sizeof(one)) < 0) {
		log_debug(&log_driver, "death of the back-end was known already");
	}
}

int
frontend_init(struct frontend *fe, int sock, int timeout_ms)
{
	memset(fe, 0, sizeof(*fe));
	pthread_mutex_init(&fe->lock, NULL);
	fe->sock = sock;
	fe->channel = -1;
	fe->timeout_ms = timeout_ms;
	fe->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fe->death_fd = -1;
	return fe->wake_fd < 0 ? -errno : 0;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
}

void
frontend_fini(struct frontend *fe)
{
	channel_stop(fe);
	close_fd(&fe->sock);
	close_fd(&fe->channel);
	close_fd(&fe->wake_fd);
	pthread_mutex_destroy(&fe->lock);
}

static int
send_request(struct frontend *fe, uint32_t request, bool need_reply, const void *payload,
	uint32_t size, int fd)
{
	struct vhost_user_header hdr = {
		request, VHOST_USER_VERSION | (need_reply ? VHOST_USER_NEED_REPLY : 0), size};

	return wire_send(
		fe->sock, &hdr, payload, &fd, fd >= 0 ? 1 : 0, message_deadline(fe->timeout_ms));
}

/* A reply of exactly `size` bytes. */
static int
read_reply(struct frontend *fe, uint32_t request, void *payload, uint32_t size)
{
	struct vhost_user_header hdr;
	struct message_reader reader = {
		.sock = fe->sock, .wake_fd = -1, .deadline_ns = message_deadline(fe->timeout_ms)};
	int ret = wire_read(&reader, &hdr, sizeof(hdr));

	if (ret == 0 && (hdr.flags != (VHOST_USER_VERSION | VHOST_USER_REPLY) ||
				hdr.request != request || hdr.size != size)) {
		log_warning(&log_driver,
			"reply to request %u of %u bytes is request %u, flags 0x%x, %u bytes",
			request, size, hdr.request, hdr.flags, hdr.size);
		return -EPROTO;
	}
	if (ret == 0) {
		ret = wire_read(&reader, payload, size);
	}
	return ret == 0 && reader.nb_surplus != 0 ? -EPROTO : ret;
}

/* Request with a reply of its own. The caller holds the lock. */
static int
ask(struct frontend *fe, uint32_t request, const void *in, uint32_t in_size, void *out,
	uint32_t out_size)
{
	int ret = send_request(fe, request, false, in, in_size, -1);

	if (ret == 0) {
		ret = read_reply(fe, request, out, out_size);
	}
	if (ret != 0) {
		log_warning(
			&log_driver, "vhost-user request %u failed: %s", request, strerror(-ret));
		frontend_set_dead(fe);
	}
	return ret;
}

/* Request that is acknowledged when REPLY_ACK was agreed on. */
static int
tell_fd(struct frontend *fe, uint32_t request, const void *payload, uint32_t size, int fd)
{
	bool ack = (fe->protocol_features & VHOST_USER_PF_REPLY_ACK) != 0;
	uint64_t value = 0;
	int ret = send_request(fe, request, ack, payload, size, fd);

	if (ret == 0 && ack) {
		ret = read_reply(fe, request, &value, sizeof(value));
	}
	if (ret != 0) {
		frontend_set_dead(fe);
	} else if (value != 0) {
		ret = -EPROTO;
	}
	if (ret != 0) {
		log_warning(&log_driver, "vhost-user request %u failed: %s", request,
			value != 0 ? "refused" : strerror(-ret));
	}
	return ret;
}

static int
tell(struct frontend *fe, uint32_t request, const void *payload, uint32_t size)
{
	int ret = send_request(fe, request, false, payload, size, -1);

	if (ret != 0) {
		frontend_set_dead(fe);
	}
	return ret;
}

static int
get_u64(struct frontend *fe, uint32_t request, uint64_t *value)
{
	return ask(fe, request, NULL, 0, value, sizeof(*value));
}

static int
open_channel(struct frontend *fe)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
		return -errno;
	}
	ret = tell_fd(fe, VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, pair[1]);
	close(pair[1]);
	fe->channel = pair[0];
	return ret;
}

static int
negotiate_protocol(struct frontend *fe, uint64_t mask)
{
	uint64_t value;
	int ret = get_u64(fe, VHOST_USER_GET_PROTOCOL_FEATURES, &value);

	if (ret == 0) {
		fe->protocol_features = value & mask;
		value = fe->protocol_features;
		ret = tell(fe, VHOST_USER_SET_PROTOCOL_FEATURES, &value, sizeof(value));
	}
	if (ret == 0 && (fe->protocol_features & VHOST_USER_PF_MQ)) {
		ret = get_u64(fe, VHOST_USER_GET_QUEUE_NUM, &value);
		if (ret == 0 && value < 2) {
			log_err(&log_driver, "the back-end has %llu queues, 2 are needed",
				(unsigned long long)value);
			ret = -EPROTO;
		}
	}
	if (ret == 0 && (fe->protocol_features & VHOST_USER_PF_BACKEND_REQ)) {
		ret = open_channel(fe);
	}
	return ret;
}

static int
negotiate_locked(struct frontend *fe, uint64_t wanted, uint64_t protocol_mask)
{
	uint64_t again;
	int ret = get_u64(fe, VHOST_USER_GET_FEATURES, &fe->offered);

	if (ret == 0 && !(fe->offered & VIRTIO_F_VERSION_1_BIT)) {
		ret = -ENOTSUP;
	}
	if (ret == 0 && (wanted & ~fe->offered & RING_F_PACKED)) {
		ret = -EOPNOTSUPP;
	}
	if (ret == 0 && (fe->offered & VHOST_USER_F_PROTOCOL)) {
		ret = negotiate_protocol(fe, protocol_mask);
	}
	if (ret == 0) {
		ret = tell(fe, VHOST_USER_SET_OWNER, NULL, 0);
	}
	if (ret == 0) {
		ret = get_u64(fe, VHOST_USER_GET_FEATURES, &again);
	}
	if (ret == 0 && again != fe->offered) {
		log_err(&log_driver, "the back-end offers other features when asked again");
		ret = -EPROTO;
	}
	fe->features = fe->offered & (wanted | VIRTIO_F_VERSION_1_BIT | VHOST_USER_F_PROTOCOL);
	return ret;
}

int
frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t protocol_mask)
{
	int ret;

	pthread_mutex_lock(&fe->lock);
	ret = negotiate_locked(fe, wanted, protocol_mask);
	pthread_mutex_unlock(&fe->lock);
	return ret;
}

static int
set_vring_fd(struct frontend *fe, uint32_t request, unsigned int index, int fd)
{
	uint64_t value = index | (fd < 0 ? VRING_NO_FD : 0);

	return tell_fd(fe, request, &value, sizeof(value), fd);
}

int
frontend_setup_vrings(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb)
{
	int ret = 0;

	pthread_mutex_lock(&fe->lock);
	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = set_vring_fd(fe, VHOST_USER_SET_VRING_CALL, i, vq[i].masked_fd);
		if (ret == 0) {
			ret = set_vring_fd(fe, VHOST_USER_SET_VRING_ERR, i, vq[i].err_fd);
		}
	}
	pthread_mutex_unlock(&fe->lock);
	return ret;
}

int
frontend_get_region(struct frontend *fe, uint64_t *bytes)
{
	struct shmem_config config;
	int ret;

	*bytes = 0;
	if (!(fe->protocol_features & VHOST_USER_PF_SHMEM) || fe->channel < 0) {
		return 0;
	}
	pthread_mutex_lock(&fe->lock);
	ret = ask(fe, VHOST_USER_GET_SHMEM_CONFIG, NULL, 0, &config, sizeof(config));
	pthread_mutex_unlock(&fe->lock);
	if (ret == 0) {
		uint32_t nb = 0;

		for (unsigned int i = 0; i < VHOST_USER_NB_REGIONS; i++) {
			nb += config.sizes[i] != 0;
		}
		ret = nb == config.nb ? 0 : -EPROTO;
		*bytes = config.sizes[0];
	}
	return ret;
}

int
frontend_get_config(struct frontend *fe, uint32_t offset, void *data, uint32_t size)
{
	struct config_message msg = {.offset = offset, .size = size};
	struct config_message reply;
	uint32_t bytes = (uint32_t)offsetof(struct config_message, data) + size;
	int ret;

	if (!(fe->protocol_features & VHOST_USER_PF_CONFIG)) {
		return -EOPNOTSUPP;
	}
	if (size == 0 || size > VHOST_USER_CONFIG_MAX) {
		return -EINVAL;
	}
	pthread_mutex_lock(&fe->lock);
	ret = ask(fe, VHOST_USER_GET_CONFIG, &msg, bytes, &reply, bytes);
	pthread_mutex_unlock(&fe->lock);
	if (ret == 0 && (reply.offset != offset || reply.size != size)) {
		ret = -EPROTO;
	}
	if (ret == 0) {
		memcpy(data, reply.data, size);
	}
	return ret;
}

/* Guest memory, and what stands mapped in the window when we imitate QEMU. Lock held. */
int
frontend_send_memory(struct frontend *fe)
{
	struct vhost_user_header hdr = {VHOST_USER_SET_MEM_TABLE, VHOST_USER_VERSION, 0};
	struct mem_table table = {0};
	const struct memory *mem = fe->mem;
	uint64_t part = mem->bytes / mem->nb_regions;
	bool ack = (fe->protocol_features & VHOST_USER_PF_REPLY_ACK) != 0;
	int fds[MEMORY_MAX_REGIONS];
	uint64_t value = 0;
	int ret;

	for (unsigned int i = 0; i < mem->nb_regions; i++) {
		fds[table.nb] = mem->fd;
		table.regions[table.nb++] = (struct mem_region){
			MEMORY_GPA + i * part, part, (uintptr_t)mem->base + i * part, i * part};
	}
	pthread_mutex_lock(&fe->window->lock);
	for (unsigned int i = 0;
		fe->resend_memory && i < fe->window->nb_maps && table.nb < MEMORY_MAX_REGIONS;
		i++) {
		const struct window_map *m = &fe->window->maps[i];

		fds[table.nb] = m->fd;
		table.regions[table.nb++] = (struct mem_region){WINDOW_GPA + m->shm_offset, m->len,
			(uintptr_t)fe->window->base + m->shm_offset, m->fd_offset};
	}
	hdr.flags |= ack ? VHOST_USER_NEED_REPLY : 0;
	hdr.size = (uint32_t)(8 + table.nb * sizeof(table.regions[0]));
	ret = wire_send(fe->sock, &hdr, &table, fds, table.nb, message_deadline(fe->timeout_ms));
	pthread_mutex_unlock(&fe->window->lock);
	if (ret == 0 && ack) {
		ret = read_reply(fe, VHOST_USER_SET_MEM_TABLE, &value, sizeof(value));
	}
	return ret == 0 && value != 0 ? -EPROTO : ret;
}

static int
start_vring(struct frontend *fe, const struct frontend_vring *vq, unsigned int i)
{
	struct vring_state num = {i, vq->ring->size};
	struct vring_state base = {i, vq->ring->start_base};
	struct vring_addr addr = {
		.index = i, .desc = vq->desc, .used = vq->used, .avail = vq->avail};
	int ret = tell(fe, VHOST_USER_SET_VRING_NUM, &num, sizeof(num));

	if (ret == 0) {
		ret = tell(fe, VHOST_USER_SET_VRING_BASE, &base, sizeof(base));
	}
	if (ret == 0) {
		ret = tell(fe, VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr));
	}
	if (ret == 0) {
		ret = set_vring_fd(fe, VHOST_USER_SET_VRING_KICK, i, vq->ring->kick_fd);
	}
	return ret == 0 ? set_vring_fd(fe, VHOST_USER_SET_VRING_CALL, i, vq->ring->call_fd) : ret;
}

/* Without acknowledgements a question is the barrier, as in QEMU. */
static int
set_enable(struct frontend *fe, unsigned int index, bool enable)
{
	struct vring_state state = {index, enable};
	uint64_t features;
	int ret = tell_fd(fe, VHOST_USER_SET_VRING_ENABLE, &state, sizeof(state), -1);

	if (ret == 0 && !(fe->protocol_features & VHOST_USER_PF_REPLY_ACK)) {
		ret = get_u64(fe, VHOST_USER_GET_FEATURES, &features);
	}
	return ret;
}

static int
start_locked(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb)
{
	int ret = tell(fe, VHOST_USER_SET_FEATURES, &fe->features, sizeof(fe->features));

	if (ret == 0) {
		ret = frontend_send_memory(fe);
	}
	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = start_vring(fe, &vq[i], i);
	}
	/* From the first ENABLE on the back-end may use the channel. */
	fe->started = ret == 0;
	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = set_enable(fe, i, true);
	}
	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = set_vring_fd(fe, VHOST_USER_SET_VRING_CALL, i, vq[i].ring->call_fd);
	}
	return ret;
}

int
frontend_start(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb)
{
	int ret;

	pthread_mutex_lock(&fe->lock);
	ret = start_locked(fe, vq, nb);
	if (ret != 0) {
		fe->started = false;
		frontend_set_dead(fe);
	}
	pthread_mutex_unlock(&fe->lock);
	return ret;
}

static int
stop_locked(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb)
{
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		ret = set_enable(fe, i, false);
	}
	for (unsigned int i = 0; ret == 0 && i < nb; i++) {
		struct vring_state ask_base = {i, 0}, base;

		ret = ask(fe, VHOST_USER_GET_VRING_BASE, &ask_base, sizeof(ask_base), &base,
			sizeof(base));
		if (ret == 0 && base.index != i) {
			ret = -EPROTO;
		}
		if (ret == 0) {
			vq[i].ring->start_base = base.num;
		}
	}
	return ret;
}

int
frontend_stop(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb)
{
	int ret;

	pthread_mutex_lock(&fe->lock);
	fe->started = false;
	ret = stop_locked(fe, vq, nb);
	if (ret != 0) {
		frontend_set_dead(fe);
	}
	pthread_mutex_unlock(&fe->lock);
	return ret;
}
