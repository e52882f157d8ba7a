/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What each request means: answered here, or checked, forwarded to librte_vhost and noted when the
 * library took it. Gateway thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/internal.h"

#define ALL_RINGS          ((1u << TRANSPORT_NB_QUEUES) - 1)
#define LIBRARY_QUEUE_SIZE 256u

static int
reply_u64(struct vhost_user *vu, uint64_t value)
{
	vu->reader.msg.payload.u64 = value;
	message_make_reply(&vu->reader.msg, sizeof(value));
	return DISPATCH_REPLY;
}

static int
get_features(struct vhost_user *vu)
{
	return reply_u64(vu, TRANSPORT_FEATURES | (1ULL << MSG_VIRTIO_F_PROTOCOL_FEATURES));
}

static int
get_protocol_features(struct vhost_user *vu)
{
	return reply_u64(vu, frontend_offer(vu));
}

/* Bits we did not offer are ignored, as a front-end may echo a superset it believes in. */
static int
set_protocol_features(struct vhost_user *vu)
{
	static const char *const shmem[] = {
		[SHMEM_NONE] = "no shared memory",
		[SHMEM_STANDARD] = "shared memory",
		[SHMEM_CROSVM] = "shared memory as of crosvm 2024",
	};
	uint64_t acked = vu->reader.msg.payload.u64;
	uint64_t offered = frontend_offer(vu);

	vu->protocol_features = acked & offered;
	vu->negotiated = true;
	atomic_store(&vu->status_protocol_features, vu->protocol_features);
	log_info(&log_transport, "%s: front-end %s, protocol features 0x%llx of 0x%llx, %s",
		vu->name, frontend_name(vu), (unsigned long long)acked, (unsigned long long)offered,
		shmem[frontend_shmem(vu)]);
	return acked == vu->protocol_features ? 0 : refuse(vu, REFUSED_bad_features, -EINVAL);
}

static int
get_queue_num(struct vhost_user *vu)
{
	return reply_u64(vu, TRANSPORT_NB_QUEUES);
}

static int
set_backend_req_fd(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;

	channel_set_fd(vu, msg->fds[0]);
	msg->fds[0] = -1;
	return 0;
}

/* Never an error, zeros beyond our config space: some VMMs end on a refusal (vmm.md 1.7). */
static int
get_config(struct vhost_user *vu)
{
	struct message_config *config = &vu->reader.msg.payload.config;
	uint8_t ours[TRANSPORT_CONFIG_BYTES];

	memset(config->bytes, 0, config->size);
	vu->listener->get_config(vu->device, ours);
	if (config->offset < sizeof(ours)) {
		memcpy(config->bytes, ours + config->offset,
			MIN(config->size, sizeof(ours) - config->offset));
	}
	message_make_reply(&vu->reader.msg, MESSAGE_CONFIG_HEADER_BYTES + config->size);
	return DISPATCH_REPLY;
}

static int
set_config(struct vhost_user *vu)
{
	return refuse(vu, REFUSED_read_only, -EPERM);
}

static int
get_shmem_config(struct vhost_user *vu)
{
	struct message_shmem_config *shmem = &vu->reader.msg.payload.shmem;

	memset(shmem, 0, sizeof(*shmem));
	if (vu->arena_fd >= 0) {
		shmem->nb_regions = 1;
		shmem->sizes[0] = vu->arena_bytes;
	}
	message_make_reply(&vu->reader.msg, sizeof(*shmem));
	return DISPATCH_REPLY;
}

static int
get_shared_memory_regions(struct vhost_user *vu)
{
	struct message_legacy_regions *regions = &vu->reader.msg.payload.legacy_regions;

	memset(regions, 0, sizeof(*regions));
	regions->nb_regions = 1; /* offered only with an arena */
	regions->len = vu->arena_bytes;
	message_make_reply(&vu->reader.msg, sizeof(*regions));
	return DISPATCH_REPLY;
}

static int
reset_device(struct vhost_user *vu)
{
	channel_gate(vu, false);
	return DISPATCH_RESET;
}

static int
get_status(struct vhost_user *vu)
{
	return reply_u64(vu, vu->virtio_status);
}

/* QEMU's generic device never says DRIVER_OK, and its media device says 0 at a mere pause. */
static int
set_status(struct vhost_user *vu)
{
	vu->virtio_status = (uint8_t)vu->reader.msg.payload.u64;
	return 0;
}

static int
get_max_mem_slots(struct vhost_user *vu)
{
	return reply_u64(vu, MESSAGE_LIBRARY_REGIONS);
}

static int
check_features(struct vhost_user *vu)
{
	uint64_t offered = TRANSPORT_FEATURES | (1ULL << MSG_VIRTIO_F_PROTOCOL_FEATURES);

	return (vu->reader.msg.payload.u64 & ~offered) == 0
	               ? DISPATCH_FORWARD
	               : refuse(vu, REFUSED_bad_features, -EINVAL);
}

/* 1: nothing for the library to do. */
static int
forward_unless(int ret)
{
	if (ret == 1) {
		return 0;
	}
	return ret < 0 ? ret : DISPATCH_FORWARD;
}

static int
check_mem_table(struct vhost_user *vu)
{
	return forward_unless(memory_filter(vu));
}

static int
add_mem_reg(struct vhost_user *vu)
{
	return forward_unless(memory_add(vu));
}

static int
rem_mem_reg(struct vhost_user *vu)
{
	return forward_unless(memory_remove(vu));
}

/* The library allocates by the size, from memory that all devices share, for rings that it never
 * serves: it hears of a small one. */
static int
check_num(struct vhost_user *vu)
{
	struct message_vring_state *state = &vu->reader.msg.payload.state;
	uint32_t num = state->num;

	if (num == 0 || num > vu->max_queue_size) {
		return refuse(vu, REFUSED_bad_queue_size, -EINVAL);
	}
	if (!ring_is_packed(vu) && !is_power_of_2(num)) {
		return refuse(vu, REFUSED_bad_queue_size, -EINVAL);
	}
	vu->rings[state->index].wanted_size = (uint16_t)num;
	state->num = MIN(num, LIBRARY_QUEUE_SIZE);
	return DISPATCH_FORWARD;
}

/* The channel falls silent as soon as a stop was read (vmm.md R2). */
static int
check_stop(struct vhost_user *vu)
{
	if (dispatch_is_stop(vu)) {
		channel_gate(vu, false);
	}
	return DISPATCH_FORWARD;
}

/*
 * A reactor polls kicks and writes calls, and a file of the front-end's choice could hold it there
 * (a FUSE file, a full pipe). Eventfds have no file type; nothing with one is taken.
 */
static int
check_kick(struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;
	struct stat st;

	if (msg->nb_fds == 0) {
		return DISPATCH_FORWARD;
	}
	if (fstat(msg->fds[0], &st) != 0 || (st.st_mode & S_IFMT) != 0) {
		return refuse(vu, REFUSED_no_eventfd, -EINVAL);
	}
	return DISPATCH_FORWARD;
}

/* A write to an eventfd that is full waits, unless it was told not to. */
static int
check_call(struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;
	int ret = check_kick(vu);
	int flags;

	if (ret != DISPATCH_FORWARD || msg->nb_fds == 0) {
		return ret;
	}
	flags = fcntl(msg->fds[0], F_GETFL);
	if (flags < 0 || fcntl(msg->fds[0], F_SETFL, flags | O_NONBLOCK) != 0) {
		return refuse(vu, REFUSED_no_eventfd, -errno);
	}
	return DISPATCH_FORWARD;
}

static void
commit_features(struct vhost_user *vu)
{
	vu->features = vu->reader.msg.payload.u64;
	atomic_store(&vu->status_features, vu->features);
}

static void
commit_num(struct vhost_user *vu)
{
	struct ring *ring = &vu->rings[vu->reader.msg.payload.state.index];

	ring->size = ring->wanted_size;
	ring->num_seen = true;
}

static void
commit_addr(struct vhost_user *vu)
{
	struct ring *ring = &vu->rings[vu->reader.msg.payload.addr.index];

	ring->addr = ring->wanted_addr;
	ring->addr_seen = true;
}

/*
 * The library refuses addresses before memory (alioth's order); we look them up ourselves. Those it
 * gets are in no region, as a region cannot hold the last byte there is: so it never looks into a
 * ring, whose memory may be gone, while the gateway does not guard it yet.
 */
static int
check_addr(struct vhost_user *vu)
{
	struct message_vring_addr *addr = &vu->reader.msg.payload.addr;

	vu->rings[addr->index].wanted_addr = *addr;
	addr->desc = addr->avail = addr->used = UINT64_MAX;
	addr->flags = 0;
	if (vu->memory_valid) {
		return DISPATCH_FORWARD;
	}
	commit_addr(vu);
	return 0;
}

static void
commit_base(struct vhost_user *vu)
{
	const struct message_vring_state *state = &vu->reader.msg.payload.state;

	vu->rings[state->index].base = (uint16_t)state->num;
	vu->rings[state->index].base_seen = true;
	vu->rings[state->index].base_given = true;
}

/* Our base, not the library's; packed: the used half repeats it, as nothing is in flight. */
static void
commit_get_base(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct ring *ring = &vu->rings[msg->payload.state.index];
	uint32_t base = ring->base;

	ring->addr_seen = false;
	ring->base_seen = false;
	ring->kick_seen = false;
	if (ring->kickfd >= 0) {
		close(ring->kickfd);
		ring->kickfd = -1;
	}
	msg->payload.state.num = ring_is_packed(vu) ? base | base << 16 : base;
	message_make_reply(msg, sizeof(msg->payload.state));
	vu->settle_status = DISPATCH_REPLY;
}

static void
take_fd(struct message *msg, int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
	*fd = -1;
	if (msg->nb_fds > 0) {
		*fd = msg->fds[0];
		msg->fds[0] = -1;
	}
}

static void
commit_kick(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct ring *ring = &vu->rings[msg->payload.u64 & MESSAGE_VRING_INDEX];

	take_fd(msg, &ring->kickfd);
	ring->kick_seen = true;
}

static void
commit_call(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct ring *ring = &vu->rings[msg->payload.u64 & MESSAGE_VRING_INDEX];

	take_fd(msg, &ring->callfd);
	ring->call_changed = true;
}

static void
commit_enable(struct vhost_user *vu)
{
	const struct message_vring_state *state = &vu->reader.msg.payload.state;

	vu->rings[state->index].enabled = state->num != 0;
}

/* Which rings a forwarded request touches. */
enum scope {
	SCOPE_NONE,
	SCOPE_ALL,
	SCOPE_STATE, /* the index is a u32 at the start of the payload */
	SCOPE_FILE,  /* the index is the low byte of a u64 */
};

struct handler {
	uint32_t request;
	enum scope scope;
	int (*look)(struct vhost_user *vu);    /* as dispatch_request; NULL: forward */
	void (*commit)(struct vhost_user *vu); /* only of forwarded ones; may be NULL */
	unsigned int feature; /* known only when this protocol feature was acked; 0: always */
};

/* Each has a row in message.c, too. */
static const struct handler handlers[] = {
	{MSG_GET_FEATURES, SCOPE_NONE, get_features, NULL},
	{MSG_SET_FEATURES, SCOPE_ALL, check_features, commit_features},
	{MSG_SET_OWNER, SCOPE_NONE, NULL, NULL},
	{MSG_SET_MEM_TABLE, SCOPE_ALL, check_mem_table, memory_commit},
	{MSG_SET_VRING_NUM, SCOPE_STATE, check_num, commit_num},
	{MSG_SET_VRING_ADDR, SCOPE_STATE, check_addr, commit_addr},
	{MSG_SET_VRING_BASE, SCOPE_STATE, NULL, commit_base},
	{MSG_GET_VRING_BASE, SCOPE_STATE, check_stop, commit_get_base},
	{MSG_SET_VRING_KICK, SCOPE_FILE, check_kick, commit_kick},
	{MSG_SET_VRING_CALL, SCOPE_FILE, check_call, commit_call},
	{MSG_SET_VRING_ERR, SCOPE_NONE, NULL, NULL},
	{MSG_GET_PROTOCOL_FEATURES, SCOPE_NONE, get_protocol_features, NULL},
	{MSG_SET_PROTOCOL_FEATURES, SCOPE_NONE, set_protocol_features, NULL},
	{MSG_GET_QUEUE_NUM, SCOPE_NONE, get_queue_num, NULL},
	{MSG_SET_VRING_ENABLE, SCOPE_STATE, check_stop, commit_enable},
	{MSG_SET_BACKEND_REQ_FD, SCOPE_NONE, set_backend_req_fd, NULL},
	{MSG_GET_CONFIG, SCOPE_NONE, get_config, NULL},
	{MSG_SET_CONFIG, SCOPE_NONE, set_config, NULL},
	{MSG_GET_SHMEM_CONFIG, SCOPE_NONE, get_shmem_config, NULL},
	{MSG_RESET_DEVICE, SCOPE_ALL, reset_device, NULL, MSG_F_RESET_DEVICE},
	{MSG_GET_MAX_MEM_SLOTS, SCOPE_NONE, get_max_mem_slots, NULL, MSG_F_MEM_SLOTS},
	{MSG_ADD_MEM_REG, SCOPE_ALL, add_mem_reg, NULL, MSG_F_MEM_SLOTS},
	{MSG_REM_MEM_REG, SCOPE_ALL, rem_mem_reg, NULL, MSG_F_MEM_SLOTS},
	{MSG_SET_STATUS, SCOPE_NONE, set_status, NULL, MSG_F_STATUS},
	{MSG_GET_STATUS, SCOPE_NONE, get_status, NULL, MSG_F_STATUS},
	{MSG_GET_SHARED_MEMORY_REGIONS, SCOPE_NONE, get_shared_memory_regions, NULL,
		MSG_F_SHMEM_CROSVM},
};

static const struct handler *
find_handler(uint32_t request)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].request == request) {
			return &handlers[i];
		}
	}
	return NULL;
}

static bool
is_known(const struct vhost_user *vu, const struct handler *handler)
{
	return handler != NULL &&
	       (handler->feature == 0 || (vu->protocol_features & 1ULL << handler->feature) != 0);
}

static enum refusal
malformed_how(int err)
{
	switch (err) {
	case -EBADMSG:
		return REFUSED_bad_size;
	case -ERANGE:
		return REFUSED_bad_index;
	default:
		return REFUSED_bad_fds;
	}
}

int
dispatch_request(struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;
	const struct handler *handler = find_handler(msg->header.request);
	const struct message_spec *spec = message_spec(msg->header.request);
	int ret;

	vu->need_reply = (msg->header.flags & MESSAGE_NEED_REPLY) != 0;
	vu->request = msg->header.request;
	vu->settle_status = 0;
	frontend_greet(vu);
	if (!is_known(vu, handler) || spec == NULL) {
		return refuse(vu, REFUSED_unknown_request, -ENOTSUP);
	}
	ret = message_check(msg, spec);
	if (ret != 0) {
		refuse(vu, malformed_how(ret), ret);
		if (spec->replies) {
			/* Its reply has a form that we cannot fill; silence would hang the peer. */
			conn_close(vu, "malformed request");
		}
		return ret;
	}
	return handler->look != NULL ? handler->look(vu) : DISPATCH_FORWARD;
}

static unsigned int
touched_rings(const struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;

	switch (find_handler(msg->header.request)->scope) {
	case SCOPE_ALL:
		return ALL_RINGS;
	case SCOPE_STATE:
		return 1u << msg->payload.state.index;
	case SCOPE_FILE:
		return 1u << (msg->payload.u64 & MESSAGE_VRING_INDEX);
	default:
		return 0;
	}
}

bool
dispatch_is_stop(const struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;

	switch (msg->header.request) {
	case MSG_GET_VRING_BASE:
	case MSG_RESET_DEVICE:
		return true;
	default:
		return msg->header.request == MSG_SET_VRING_ENABLE && msg->payload.state.num == 0;
	}
}

unsigned int
dispatch_stops(const struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;

	/* ENABLE 1 of a running ring changes nothing. */
	if (msg->header.request == MSG_SET_VRING_ENABLE && msg->payload.state.num != 0) {
		return 0;
	}
	return touched_rings(vu);
}

bool
dispatch_wants_start(const struct vhost_user *vu)
{
	switch (vu->reader.msg.header.request) {
	case MSG_SET_VRING_ADDR:
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_ENABLE:
		return true;
	default:
		return false;
	}
}

void
dispatch_commit(struct vhost_user *vu)
{
	const struct handler *handler = find_handler(vu->reader.msg.header.request);
	unsigned int touched = touched_rings(vu);

	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		if ((touched & 1u << queue) != 0) {
			vu->rings[queue].refused = false;
		}
	}
	if (handler->commit != NULL) {
		handler->commit(vu);
	}
}

void
dispatch_refused(struct vhost_user *vu)
{
	vu->settle_status = refuse(vu, REFUSED_library, -EIO);
	/* It drops the old table before it tries the new one. */
	if (vu->reader.msg.header.request == MSG_SET_MEM_TABLE) {
		vu->table.nb_regions = 0;
		vu->memory_valid = false;
		vu->memory_changed = true;
	}
}
