/* SPDX-License-Identifier: BSD-3-Clause */
/* The driver side of split and packed rings; positions are 64-bit counters that never wrap. */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake/guest.h"
#include "fake/memory.h"

#define NO_ID 0xffff

struct segment {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags;
};

static void
create_queue(struct fake_guest *g, struct fake_queue *q)
{
	uint16_t size = g->config.queue_size;
	bool packed = g->config.packed;

	q->size = size;
	q->desc = fake_guest_alloc(g, 0, 16u * size);
	q->driver = fake_guest_alloc(g, 0, packed ? 4 : 6 + 2u * size);
	q->device = fake_guest_alloc(g, 0, packed ? 4 : 6 + 8u * size);
	q->kickfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	q->free_slots = fake_must(calloc(size, sizeof(uint16_t)));
	q->chains = fake_must(calloc(size, sizeof(struct fake_chain)));
}

struct fake_guest *
fake_guest_create(const struct fake_guest_config *config)
{
	struct fake_guest *g = fake_must(calloc(1, sizeof(*g)));
	struct fake_guest_config *c = &g->config;

	*c = *config;
	c->nb_queues = c->nb_queues ? c->nb_queues : 1;
	c->queue_size = c->queue_size ? c->queue_size : 64;
	c->nb_regions = c->nb_regions ? c->nb_regions : 1;
	c->region_bytes = c->region_bytes ? c->region_bytes : 1 << 20;
	fake_regions_create(g);
	for (unsigned int i = 0; i < c->nb_queues; i++) {
		create_queue(g, &g->queues[i]);
		fake_guest_reset(g, i);
	}
	return g;
}

static void
chain_free(struct fake_guest *g, struct fake_queue *q, struct fake_chain *c)
{
	for (unsigned int i = 0; i < c->nb_iov; i++) {
		fake_region_free(g, &c->iov[i]);
	}
	for (unsigned int i = 0; c->slots != NULL && i < c->nb_slots; i++) {
		q->free_slots[q->nb_free + i] = c->slots[i];
	}
	q->nb_free += c->slots != NULL || g->config.packed ? c->nb_slots : 0;
	free(c->slots);
	free(c->iov);
	memset(c, 0, sizeof(*c));
}

static void
reap(struct fake_guest *g, struct fake_queue *q)
{
	if (q->reaped >= 0) {
		chain_free(g, q, &q->chains[q->reaped]);
		q->reaped = -1;
	}
}

void
fake_guest_reset(struct fake_guest *g, unsigned int queue)
{
	struct fake_queue *q = &g->queues[queue];
	bool packed = g->config.packed;

	for (unsigned int i = 0; i < q->size; i++) {
		chain_free(g, q, &q->chains[i]);
		q->nb_free = 0;
	}
	for (unsigned int i = 0; i < q->size; i++) {
		q->free_slots[i] = q->size - 1 - i;
	}
	memset(q->desc, 0, 16u * q->size);
	memset(q->driver, 0, packed ? 4 : 6 + 2u * q->size);
	memset(q->device, 0, packed ? 4 : 6 + 8u * q->size);
	q->nb_avail = 0;
	q->nb_published = 0;
	q->nb_used = 0;
	q->nb_free = q->size;
	q->reaped = -1;
}

void
fake_guest_destroy(struct fake_guest *g)
{
	for (unsigned int i = 0; i < g->config.nb_queues; i++) {
		struct fake_queue *q = &g->queues[i];

		fake_guest_reset(g, i);
		close(q->kickfd);
		close(q->callfd);
		free(q->free_slots);
		free(q->chains);
	}
	fake_regions_destroy(g);
	free(g);
}

/* Packed: the driver's wrap counter at a position, as AVAIL and USED bits of a new descriptor. */
static bool
wrap_at(const struct fake_queue *q, uint64_t position)
{
	return position / q->size % 2 == 0;
}

static void
put_split(struct fake_queue *q, uint16_t slot, const struct segment *s, uint16_t next)
{
	struct vring_desc *d = (struct vring_desc *)q->desc + slot;

	d->addr = s->gpa;
	d->len = s->len;
	d->flags = s->flags;
	d->next = next;
}

/* At the driver's position; the flags of the first chain of a batch wait for publish. */
static void
put_packed(struct fake_queue *q, uint64_t position, const struct segment *s, uint16_t id)
{
	struct vring_packed_desc *d = (struct vring_packed_desc *)q->desc + position % q->size;
	uint16_t flags = s->flags;

	flags |= wrap_at(q, position) ? 1u << VRING_PACKED_DESC_F_AVAIL
	                              : 1u << VRING_PACKED_DESC_F_USED;
	d->addr = s->gpa;
	d->len = s->len;
	d->id = id;
	if (position == q->nb_published) {
		q->first_flags = flags;
	} else {
		__atomic_store_n(&d->flags, flags, __ATOMIC_RELEASE);
	}
}

static void
avail_push(struct fake_queue *q, uint16_t head)
{
	struct vring_avail *avail = q->driver;

	__atomic_store_n(&avail->ring[q->nb_avail % q->size], head, __ATOMIC_RELAXED);
	q->nb_avail++;
}

/* Puts nb segments into the ring and keeps *c; returns its id. Split: the head; packed: a free id.
 * The head of a packed chain is written last. */
static int
put_chain(struct fake_guest *g, struct fake_queue *q, struct fake_chain *c,
	const struct segment *seg, unsigned int nb)
{
	int id = 0;

	q->nb_free -= nb;
	if (g->config.packed) {
		while (q->chains[id].busy) {
			id++;
		}
		for (unsigned int i = nb; i-- > 0;) {
			put_packed(q, q->nb_avail + i, &seg[i], i + 1 == nb ? id : NO_ID);
		}
		q->nb_avail += nb;
	} else {
		c->slots = fake_must(calloc(nb, sizeof(*c->slots)));
		memcpy(c->slots, &q->free_slots[q->nb_free], nb * sizeof(*c->slots));
		for (unsigned int i = 0; i < nb; i++) {
			put_split(q, c->slots[i], &seg[i], i + 1 < nb ? c->slots[i + 1] : NO_ID);
		}
		id = c->slots[0];
		avail_push(q, id);
	}
	c->busy = true;
	c->nb_slots = nb;
	q->chains[id] = *c;
	return id;
}

/* Moves all segments but the first `keep` into a table, and refers to it. */
static void
make_table(struct fake_guest *g, struct segment *seg, unsigned int nb, unsigned int keep,
	struct iovec *table)
{
	unsigned int nb_table = nb - keep;
	struct vring_desc *d = table->iov_base;

	for (unsigned int i = 0; i < nb_table; i++) {
		const struct segment *s = &seg[keep + i];
		uint16_t write = s->flags & VRING_DESC_F_WRITE;

		if (g->config.packed) {
			((struct vring_packed_desc *)d)[i] = (struct vring_packed_desc){
				.addr = s->gpa, .len = s->len, .flags = write};
		} else {
			bool last = i + 1 == nb_table;

			d[i] = (struct vring_desc){.addr = s->gpa,
				.len = s->len,
				.flags = write | (last ? 0 : VRING_DESC_F_NEXT),
				.next = last ? 0 : i + 1};
		}
	}
	seg[keep] = (struct segment){fake_guest_gpa(g, d), nb_table * 16, VRING_DESC_F_INDIRECT};
}

/* Memory for one piece, regions in turn. */
static bool
alloc_piece(struct fake_guest *g, struct iovec *iov, size_t bytes)
{
	struct fake_region *r = &g->regions[g->next_region++ % g->config.nb_regions];

	iov->iov_base = fake_region_alloc(r, bytes);
	iov->iov_len = bytes;
	return iov->iov_base != NULL;
}

/* Memory and contents of all pieces, as segments; iov[] says what is allocated. */
static bool
fill_pieces(struct fake_guest *g, struct fake_chain *c, struct segment *seg,
	const struct iovec *readable, const uint32_t *writable)
{
	for (unsigned int i = 0; i < c->nb_readable + c->nb_writable; i++) {
		bool in = i < c->nb_readable;
		size_t len = in ? readable[i].iov_len : writable[i - c->nb_readable];

		if (!alloc_piece(g, &c->iov[i], len)) {
			return false;
		}
		c->nb_iov++;
		if (in && len > 0) {
			memcpy(c->iov[i].iov_base, readable[i].iov_base, len);
		}
		seg[i] = (struct segment){
			fake_guest_gpa(g, c->iov[i].iov_base), len, in ? 0 : VRING_DESC_F_WRITE};
	}
	return true;
}

/* How many segments stay in the ring before the table; all of them: there is no table. */
static unsigned int
nb_before_table(enum fake_shape shape, unsigned int nb)
{
	unsigned int keep = shape == FAKE_INDIRECT ? 0 : shape == FAKE_MIXED ? 1 : nb;

	return keep < nb ? keep : nb;
}

/* The chain's segments, its table made; false when memory is short. */
static bool
make_chain(struct fake_guest *g, struct fake_chain *c, struct segment *seg,
	const struct iovec *readable, const uint32_t *writable)
{
	unsigned int nb = c->nb_readable + c->nb_writable;
	unsigned int keep = nb_before_table(g->config.shape, nb);

	if (!fill_pieces(g, c, seg, readable, writable)) {
		return false;
	}
	if (keep < nb) {
		if (!alloc_piece(g, &c->iov[nb], (nb - keep) * 16)) {
			return false;
		}
		c->nb_iov++;
		make_table(g, seg, nb, keep, &c->iov[nb]);
	}
	return true;
}

int
fake_guest_add(struct fake_guest *g, unsigned int queue, const struct iovec *readable,
	unsigned int nb_readable, const uint32_t *writable, unsigned int nb_writable)
{
	struct fake_queue *q = &g->queues[queue];
	struct fake_chain c = {.nb_readable = nb_readable, .nb_writable = nb_writable};
	unsigned int nb = nb_readable + nb_writable;
	unsigned int keep = nb_before_table(g->config.shape, nb);
	unsigned int nb_ring = keep < nb ? keep + 1 : nb;
	struct segment *seg;
	int id = -ENOSPC;

	reap(g, q);
	if (nb == 0 || nb_ring > q->nb_free) {
		return -ENOSPC;
	}
	seg = fake_must(calloc(nb + 1, sizeof(*seg)));
	c.iov = fake_must(calloc(nb + 1, sizeof(*c.iov)));
	if (make_chain(g, &c, seg, readable, writable)) {
		for (unsigned int i = 0; i + 1 < nb_ring; i++) {
			seg[i].flags |= VRING_DESC_F_NEXT;
		}
		id = put_chain(g, q, &c, seg, nb_ring);
	} else {
		while (c.nb_iov > 0) {
			fake_region_free(g, &c.iov[--c.nb_iov]);
		}
		free(c.iov);
	}
	free(seg);
	return id;
}

/* Did the driver pass the position (slot, wrap) among the slots it just made available? */
static bool
passed(const struct fake_queue *q, uint64_t old, uint16_t off_wrap)
{
	for (uint64_t at = old; at < q->nb_avail; at++) {
		if (at % q->size == (off_wrap & 0x7fff) && wrap_at(q, at) == off_wrap >> 15) {
			return true;
		}
	}
	return false;
}

static bool
kick_wanted_packed(const struct fake_queue *q, uint64_t old)
{
	uint32_t event = __atomic_load_n((uint32_t *)q->device, __ATOMIC_ACQUIRE);

	switch (event >> 16) {
	case VRING_PACKED_EVENT_FLAG_ENABLE:
		return true;
	case VRING_PACKED_EVENT_FLAG_DESC:
		return passed(q, old, event & 0xffff);
	default:
		return false;
	}
}

static bool
kick_wanted_split(const struct fake_guest *g, const struct fake_queue *q, uint64_t old)
{
	struct vring_used *used = q->device;
	uint16_t *event = (uint16_t *)&used->ring[q->size];

	if (!g->config.event_idx) {
		return !(__atomic_load_n(&used->flags, __ATOMIC_ACQUIRE) & VRING_USED_F_NO_NOTIFY);
	}
	uint16_t at = __atomic_load_n(event, __ATOMIC_ACQUIRE);

	for (uint64_t i = old; i < q->nb_avail; i++) {
		if ((uint16_t)i == at) {
			return true;
		}
	}
	return false;
}

bool
fake_guest_publish(struct fake_guest *g, unsigned int queue)
{
	struct fake_queue *q = &g->queues[queue];
	uint64_t old = q->nb_published;

	if (old == q->nb_avail) {
		return false;
	}
	if (g->config.packed) {
		struct vring_packed_desc *ring = q->desc;

		__atomic_store_n(&ring[old % q->size].flags, q->first_flags, __ATOMIC_RELEASE);
	} else {
		struct vring_avail *avail = q->driver;

		__atomic_store_n(&avail->idx, (uint16_t)q->nb_avail, __ATOMIC_RELEASE);
	}
	q->nb_published = q->nb_avail;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return g->config.packed ? kick_wanted_packed(q, old) : kick_wanted_split(g, q, old);
}

void
fake_guest_kick(struct fake_guest *g, unsigned int queue)
{
	eventfd_write(g->queues[queue].kickfd, 1);
}

int
fake_guest_send(struct fake_guest *g, unsigned int queue, const struct iovec *readable,
	unsigned int nb_readable, const uint32_t *writable, unsigned int nb_writable)
{
	int id = fake_guest_add(g, queue, readable, nb_readable, writable, nb_writable);

	if (fake_guest_publish(g, queue)) {
		fake_guest_kick(g, queue);
	}
	return id;
}

void
fake_guest_raw(struct fake_guest *g, unsigned int queue, uint16_t first,
	const struct fake_desc *descs, unsigned int nb)
{
	struct fake_queue *q = &g->queues[queue];

	reap(g, q);
	for (unsigned int i = nb; i-- > 0;) {
		struct segment s = {descs[i].addr, descs[i].len, descs[i].flags};

		if (g->config.packed) {
			put_packed(q, q->nb_avail + i, &s, i + 1 == nb ? first : NO_ID);
		} else {
			put_split(q, (first + i) % q->size, &s, descs[i].next);
		}
	}
	if (g->config.packed) {
		q->nb_avail += nb;
		q->nb_free -= nb;
	} else {
		avail_push(q, first);
	}
	if (first < q->size) {
		q->chains[first].busy = true;
		q->chains[first].nb_slots = nb;
	}
	if (fake_guest_publish(g, queue)) {
		fake_guest_kick(g, queue);
	}
}

bool
fake_guest_has_used(const struct fake_guest *g, unsigned int queue)
{
	const struct fake_queue *q = &g->queues[queue];

	if (g->config.packed) {
		const struct vring_packed_desc *ring = q->desc;
		uint16_t flags =
			__atomic_load_n(&ring[q->nb_used % q->size].flags, __ATOMIC_ACQUIRE);
		bool wrap = wrap_at(q, q->nb_used);

		return (flags >> VRING_PACKED_DESC_F_AVAIL & 1) == wrap &&
		       (flags >> VRING_PACKED_DESC_F_USED & 1) == wrap;
	}
	const struct vring_used *used = q->device;

	return __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != (uint16_t)q->nb_used;
}

static uint64_t
writable_bytes(const struct fake_chain *c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < c->nb_writable; i++) {
		sum += c->iov[c->nb_readable + i].iov_len;
	}
	return sum;
}

int
fake_guest_poll(struct fake_guest *g, unsigned int queue, struct fake_used *used)
{
	struct fake_queue *q = &g->queues[queue];
	uint16_t slot = q->nb_used % q->size;
	uint32_t id;

	reap(g, q);
	if (!fake_guest_has_used(g, queue)) {
		return 0;
	}
	memset(used, 0, sizeof(*used));
	if (g->config.packed) {
		struct vring_packed_desc *d = (struct vring_packed_desc *)q->desc + slot;

		id = d->id;
		used->len = d->len;
		used->flags = __atomic_load_n(&d->flags, __ATOMIC_RELAXED);
	} else {
		struct vring_used *ring = q->device;

		id = ring->ring[slot].id;
		used->len = ring->ring[slot].len;
	}
	if (id >= q->size || !q->chains[id].busy) {
		return -EPROTO;
	}
	struct fake_chain *c = &q->chains[id];

	q->nb_used += g->config.packed ? c->nb_slots : 1;
	q->reaped = id;
	used->id = id;
	used->readable = c->iov;
	used->nb_readable = c->nb_readable;
	used->writable = c->iov + c->nb_readable;
	used->nb_writable = c->nb_writable;
	if (c->iov != NULL && used->len > writable_bytes(c)) {
		return -EPROTO;
	}
	if (g->config.packed && !!(used->flags & VRING_DESC_F_WRITE) != (used->len > 0)) {
		return -EPROTO;
	}
	return 1;
}

bool
fake_used_copy(const struct fake_used *used, void *dst, size_t n)
{
	char *to = dst;

	for (unsigned int i = 0; i < used->nb_writable && n > 0; i++) {
		size_t part = used->writable[i].iov_len < n ? used->writable[i].iov_len : n;

		memcpy(to, used->writable[i].iov_base, part);
		to += part;
		n -= part;
	}
	return n == 0;
}

bool
fake_guest_calls_on(struct fake_guest *g, unsigned int queue, uint16_t after)
{
	struct fake_queue *q = &g->queues[queue];
	struct vring_avail *avail = q->driver;
	uint64_t at = q->nb_used + after;

	if (g->config.packed) {
		uint32_t event = VRING_PACKED_EVENT_FLAG_ENABLE << 16;

		if (g->config.event_idx) {
			event = VRING_PACKED_EVENT_FLAG_DESC << 16 | at % q->size |
			        (uint32_t)wrap_at(q, at) << 15;
		}
		__atomic_store_n((uint32_t *)q->driver, event, __ATOMIC_RELEASE);
	} else if (g->config.event_idx) {
		__atomic_store_n(&avail->ring[q->size], (uint16_t)at, __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&avail->flags, 0, __ATOMIC_RELEASE);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return fake_guest_has_used(g, queue);
}

void
fake_guest_calls_off(struct fake_guest *g, unsigned int queue)
{
	struct fake_queue *q = &g->queues[queue];
	struct vring_avail *avail = q->driver;

	if (g->config.packed) {
		uint32_t event = VRING_PACKED_EVENT_FLAG_DISABLE << 16;

		__atomic_store_n((uint32_t *)q->driver, event, __ATOMIC_RELEASE);
	} else if (g->config.event_idx) {
		uint16_t past = q->nb_used - 1;

		__atomic_store_n(&avail->ring[q->size], past, __ATOMIC_RELEASE);
	} else {
		uint16_t off = VRING_AVAIL_F_NO_INTERRUPT;

		__atomic_store_n(&avail->flags, off, __ATOMIC_RELEASE);
	}
}

static uint64_t
drain(int fd)
{
	eventfd_t n = 0;

	return eventfd_read(fd, &n) == 0 ? n : 0;
}

uint64_t
fake_guest_nb_calls(struct fake_guest *g, unsigned int queue)
{
	return drain(g->queues[queue].callfd);
}

uint64_t
fake_guest_nb_kicks(struct fake_guest *g, unsigned int queue)
{
	return drain(g->queues[queue].kickfd);
}
