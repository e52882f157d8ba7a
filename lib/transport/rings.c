/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the front-end said of each queue, and starting and stopping the rings through the listener.
 * Gateway thread.
 *
 * Ring addresses are translated here, from SET_VRING_ADDR and the memory the library mapped, not
 * read from the library: docs/decisions/0003-ring-addresses.md.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/internal.h"

#define F_INDIRECT_DESC     (1ULL << 28)
#define F_EVENT_IDX         (1ULL << 29)
#define F_RING_PACKED       (1ULL << 34)
#define F_PROTOCOL_FEATURES (1ULL << MSG_VIRTIO_F_PROTOCOL_FEATURES)

#define DESC_BYTES  16
#define DESC_AVAIL  0x80 /* flags of a packed descriptor */
#define PACKED_BASE 0x8000

struct packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id;
	uint16_t flags;
};

/* The head of a split used ring; entries of 8 bytes follow. */
struct used_head {
	uint16_t flags;
	uint16_t idx;
	uint32_t entries[];
};

bool
ring_is_packed(const struct vhost_user *vu)
{
	return (vu->features & F_RING_PACKED) != 0;
}

bool
ring_is_ready(const struct vhost_user *vu, const struct ring *ring)
{
	bool waits = vu->negotiated || (vu->features & F_PROTOCOL_FEATURES) != 0;
	bool enabled = ring->enabled || !waits;

	return ring->num_seen && ring->addr_seen && ring->base_seen && ring->kick_seen && enabled &&
	       vu->memory_valid;
}

unsigned int
rings_running(const struct vhost_user *vu)
{
	unsigned int mask = 0;

	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		mask |= vu->rings[queue].running ? 1u << queue : 0;
	}
	return mask;
}

unsigned int
rings_startable(const struct vhost_user *vu)
{
	unsigned int mask = 0;

	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		const struct ring *ring = &vu->rings[queue];

		if (!ring->running && !ring->refused && ring_is_ready(vu, ring)) {
			mask |= 1u << queue;
		}
	}
	return mask;
}

void
rings_stop(struct vhost_user *vu, unsigned int mask)
{
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		struct ring *ring = &vu->rings[queue];

		if ((mask & 1u << queue) == 0 || !ring->running) {
			continue;
		}
		ring->base = vu->listener->ring_stop(vu->device, queue);
		ring->stop_base = ring->base;
		library_set_base(&vu->library, queue, ring->base);
		ring->was_stopped = true;
		ring->running = false;
	}
}

/* Host address of an area that lies whole in one region; front-end address first, then physical
 * (vmm.md R6). */
static void *
find_area(const struct guest_mem *mem, uint64_t addr, uint64_t bytes, uint64_t align)
{
#ifdef VMEDIA_PLANT_GATEWAY
	bytes = 1; /* planted: the end of a ring is not looked at */
#endif
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < mem->nb_regions; i++) {
			const struct guest_mem_region *r = &mem->regions[i];
			uint64_t off = addr - (pass == 0 ? r->uva : r->gpa);

			if (off < r->size_bytes && bytes <= r->size_bytes - off) {
				char *host = r->addr + off;

				return ((uintptr_t)host & (align - 1)) == 0 ? host : NULL;
			}
		}
	}
	return NULL;
}

static int
find_areas(const struct vhost_user *vu, const struct ring *ring, struct virtq_config *config)
{
	const struct message_vring_addr *addr = &ring->addr;
	uint64_t n = ring->size;
	bool packed = ring_is_packed(vu);

	config->desc = find_area(&vu->mem, addr->desc, n * DESC_BYTES, 16);
	config->driver = find_area(&vu->mem, addr->avail, packed ? 4 : 6 + 2 * n, packed ? 4 : 2);
	config->device = find_area(&vu->mem, addr->used, packed ? 4 : 6 + 8 * n, 4);
	if (config->desc == NULL || config->driver == NULL || config->device == NULL) {
		return -EFAULT;
	}
	return packed || is_power_of_2(n) ? 0 : -EINVAL;
}

static uint16_t
split_used_idx(const struct virtq_config *config)
{
	return __atomic_load_n(&((const struct used_head *)config->device)->idx, __ATOMIC_RELAXED);
}

static int
make_config(const struct vhost_user *vu, const struct ring *ring, struct virtq_config *config)
{
	int err = find_areas(vu, ring, config);

	if (err != 0) {
		return err;
	}
	config->size = ring->size;
	config->packed = ring_is_packed(vu);
	config->event_idx = (vu->features & F_EVENT_IDX) != 0;
	config->indirect = (vu->features & F_INDIRECT_DESC) != 0;
	/* Nothing is in flight at a start, so a split ring goes on at its used index, whatever BASE
	 * says (Cloud Hypervisor sends the available index; vmm.md R6). */
	config->used_base = config->packed ? ring->base : split_used_idx(config);
	config->avail_base = config->used_base;
	config->callfd = ring->callfd;
	config->kickfd = ring->kickfd;
	return 0;
}

/* Nothing was ever written there by a device: the memory of a ring just set up is zero, apart from
 * what the driver made available. */
static bool
ring_is_untouched(const struct virtq_config *config)
{
	if (config->packed) {
		const struct packed_desc *desc = config->desc;

		for (uint16_t i = 0; i < config->size; i++) {
			bool zero = (desc[i].addr | desc[i].len | desc[i].id) == 0;

			if ((desc[i].flags & DESC_AVAIL) == 0 && !zero) {
				return false;
			}
		}
		return true;
	}
	for (uint32_t i = 0; i < 2u * config->size; i++) {
		if (((const struct used_head *)config->device)->entries[i] != 0) {
			return false;
		}
	}
	return true;
}

/*
 * A reset looks like a pause on the wire, but for rings that begin anew: BASE given, at its initial
 * value, and (split) used index 0. A ring paused exactly at a wrap looks the same; its base at the
 * stop was initial, too, and only then its content decides (vmm.md R2, B9).
 */
static bool
driver_is_new(const struct vhost_user *vu)
{
	bool told = false;
	bool certain = false;
	bool untouched = true;

	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		const struct ring *ring = &vu->rings[queue];
		uint16_t initial = ring_is_packed(vu) ? PACKED_BASE : 0;
		struct virtq_config config;

		/* Some set up and enable one queue after the other: the next is still as it was. */
		if (!ring->base_given || !ring->num_seen || !ring->addr_seen ||
			make_config(vu, ring, &config) != 0) {
			continue;
		}
		if (ring->base != initial || config.used_base != initial) {
			return false;
		}
		told = true;
		certain |= ring->was_stopped && ring->stop_base != initial;
		untouched &= ring_is_untouched(&config);
	}
	return told && (certain || untouched);
}

static int
start_one(struct vhost_user *vu, unsigned int queue)
{
	struct ring *ring = &vu->rings[queue];
	struct virtq_config config;
	uint32_t suppressed;
	int err = make_config(vu, ring, &config);

	if (err == 0) {
		err = vu->listener->ring_start(vu->device, queue, &config);
	}
	if (err != 0) {
		if (log_ratelimit_pass(&vu->ring_log, &suppressed)) {
			log_warning(&log_transport,
				"%s: queue %u, size %u, cannot start: %s (%u more like it)",
				vu->name, queue, ring->size, strerror(-err), suppressed);
		}
		ring->refused = true;
		return err;
	}
	/* An interrupt that went to the old fd may never be seen; one too many does no harm. */
	if (ring->call_changed && ring->was_stopped && ring->callfd >= 0) {
		eventfd_write(ring->callfd, 1);
	}
	ring->running = true;
	ring->base_given = false;
	ring->call_changed = false;
	return 0;
}

int
rings_start(struct vhost_user *vu)
{
	unsigned int mask = rings_startable(vu);
	int ret = 0;

	if (mask != 0 && rings_running(vu) == 0 && (!vu->ever_started || driver_is_new(vu))) {
		vu->listener->reset(vu->device);
		channel_driver_reset(vu);
	}
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		int err = (mask & 1u << queue) != 0 ? start_one(vu, queue) : 0;

		ret = err != 0 ? err : ret;
	}
	vu->ever_started |= rings_running(vu) != 0;
	return ret;
}

void
rings_reset(struct vhost_user *vu)
{
	rings_stop(vu, ~0u);
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		vu->rings[queue].enabled = false;
	}
	vu->listener->reset(vu->device);
	channel_driver_reset(vu);
}

void
rings_init(struct vhost_user *vu)
{
	memset(vu->rings, 0, sizeof(vu->rings));
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		vu->rings[queue].kickfd = -1;
		vu->rings[queue].callfd = -1;
		vu->rings[queue].base = 0;
	}
}

void
rings_fini(struct vhost_user *vu)
{
	for (unsigned int queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		if (vu->rings[queue].kickfd >= 0) {
			close(vu->rings[queue].kickfd);
		}
		if (vu->rings[queue].callfd >= 0) {
			close(vu->rings[queue].callfd);
		}
	}
	rings_init(vu);
}
