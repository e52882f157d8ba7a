/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: what the device calls. Chooses the format, keeps start/stop and notifications. */
#include <unistd.h>

#include "base/util.h"
#include "virtq/chain.h"

static bool
usable(const struct virtq *vq)
{
	return likely(vq->started && !vq->broken);
}

int
virtq_start(struct virtq *vq, const struct virtq_config *config, const struct guest_mem *mem)
{
	int err;

	if (vq->started || config->size == 0 || config->size > VIRTQ_MAX_SIZE ||
		config->desc == NULL || config->driver == NULL || config->device == NULL) {
		return -EINVAL;
	}
	err = config->packed ? virtq_packed_start(vq, config) : virtq_split_start(vq, config);
	if (err != 0) {
		return err;
	}
	vq->mem = mem;
	vq->size = config->size;
	vq->desc = config->desc;
	vq->driver = config->driver;
	vq->device = config->device;
	vq->packed = config->packed;
	vq->event_idx = config->event_idx;
	vq->indirect = config->indirect;
	vq->callfd = config->callfd;
	vq->broken = VIRTQ_SOUND;
	vq->unsignalled = false;
	vq->nb_unflushed = 0;
	vq->mem_hint = 0;
	vq->started = true;
	virtq_kicks_off(vq);
	return 0;
}

uint16_t
virtq_stop(struct virtq *vq)
{
	virtq_flush(vq);
	vq->started = false;
	vq->broken = VIRTQ_SOUND;
	return vq->packed ? virtq_packed_base(vq) : vq->avail_idx;
}

uint16_t
virtq_used_base(const struct virtq *vq)
{
	return vq->packed ? virtq_packed_used_base(vq) : vq->used_idx;
}

void
virtq_give_up(struct virtq *vq, enum virtq_broken why)
{
	if (usable(vq)) {
		ring_give_up(vq, why);
	}
}

const char *
virtq_broken_text(enum virtq_broken broken)
{
	static const char *const texts[] = {
#define X(name, text) [name] = text,
		VIRTQ_BROKEN(X)
#undef X
	};

	return texts[broken];
}

unsigned int
virtq_pop_burst(struct virtq *vq, struct virtq_chain **chains, unsigned int nb)
{
	if (!usable(vq)) {
		return 0;
	}
	nb = MIN(nb, VIRTQ_BURST);
	nb = vq->packed ? virtq_packed_pop(vq, chains, nb, CHAIN_RETURNS)
	                : virtq_split_pop(vq, chains, nb, CHAIN_RETURNS);
	if (nb > 0) {
		ring_count(&vq->stats.nb_chains, nb);
	}
	return nb;
}

bool
virtq_pop(struct virtq *vq, struct virtq_chain *chain)
{
	unsigned int nb;

	if (!usable(vq)) {
		return false;
	}
	nb = vq->packed ? virtq_packed_pop(vq, &chain, 1, CHAIN_ROTATES)
	                : virtq_split_pop(vq, &chain, 1, CHAIN_ROTATES);
	ring_count(&vq->stats.nb_chains, nb);
	return nb > 0;
}

void
virtq_prefetch_next(struct virtq *vq, uint32_t bytes)
{
	struct ring_desc desc;
	uint16_t flags;
	uint64_t len;
	char *addr;

	if (!usable(vq) || !(vq->packed ? virtq_packed_peek(vq, &desc, &flags)
					: virtq_split_peek(vq, &desc, &flags))) {
		return;
	}
	len = MIN(desc.len, bytes);
	if (len == 0 || (flags & VRING_DESC_F_INDIRECT)) {
		return;
	}
	addr = guest_mem_translate(vq->mem, &vq->mem_hint, desc.addr, &len);
	if (addr == NULL) {
		return;
	}
	for (char *line = line_of(addr); line < addr + len; line += CACHE_LINE_BYTES) {
		prefetch_for_write(line);
	}
}

void
virtq_prefetch_ring(const struct virtq *vq)
{
	if (usable(vq)) {
		__builtin_prefetch(vq->packed ? virtq_packed_slot(vq) : virtq_split_slot(vq));
	}
}

bool
virtq_has_work(const struct virtq *vq)
{
	if (!usable(vq)) {
		return false;
	}
	return vq->packed ? virtq_packed_has_work(vq) : virtq_split_has_work(vq);
}

struct virtq_look
virtq_look(const struct virtq *vq)
{
	if (!usable(vq)) {
		return (struct virtq_look){.word = NULL};
	}
	return vq->packed ? virtq_packed_look(vq) : virtq_split_look(vq);
}

uint16_t
virtq_nb_available(const struct virtq *vq, uint16_t max)
{
	if (!usable(vq)) {
		return 0;
	}
	return vq->packed ? virtq_packed_nb_available(vq, max) : virtq_split_nb_available(vq, max);
}

void
virtq_push(struct virtq *vq, const struct virtq_chain *chain, uint32_t written)
{
	if (!usable(vq)) {
		return;
	}
	written = MIN(written, chain->writable_bytes);
	if (vq->packed) {
		virtq_packed_push(vq, chain, written);
	} else {
		virtq_split_push(vq, chain, written);
	}
}

void
virtq_flush(struct virtq *vq)
{
	if (vq->nb_unflushed == 0 || !usable(vq)) {
		return;
	}
	if (vq->packed) {
		virtq_packed_flush(vq);
	} else {
		virtq_split_flush(vq);
	}
	ring_count(&vq->stats.nb_used, vq->nb_unflushed);
	vq->nb_unflushed = 0;
	vq->unsignalled = true;
}

static void
ring_bell(struct virtq *vq)
{
	const uint64_t one = 1;

	vq->unsignalled = false;
	if (!(vq->packed ? virtq_packed_call_wanted(vq) : virtq_split_call_wanted(vq))) {
		ring_count(&vq->stats.nb_suppressed, 1);
		return;
	}
	/* A full eventfd counter is a notification under way as well. */
	if (vq->callfd >= 0 && write(vq->callfd, &one, sizeof(one)) == sizeof(one)) {
		ring_count(&vq->stats.nb_notified, 1);
	}
}

static bool
is_unsignalled(const struct virtq *vq)
{
	return vq->unsignalled && usable(vq);
}

void
virtq_notify_all(struct virtq *vqs, unsigned int nb)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < nb; i++) {
		any |= is_unsignalled(&vqs[i]);
	}
	if (!any) {
		return;
	}
	/* Used index before suppression field, as the driver does it the other way round.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (i = 0; i < nb; i++) {
		if (is_unsignalled(&vqs[i])) {
			ring_bell(&vqs[i]);
		}
	}
}

void
virtq_notify(struct virtq *vq)
{
	virtq_notify_all(vq, 1);
}

static void
want_kicks(struct virtq *vq, bool wanted)
{
	vq->kicks_wanted = wanted;
	if (vq->packed) {
		virtq_packed_want_kicks(vq, wanted);
	} else {
		virtq_split_want_kicks(vq, wanted);
	}
}

bool
virtq_kicks_on(struct virtq *vq)
{
	if (!usable(vq)) {
		return false;
	}
	want_kicks(vq, true);
	/* A chain made available before the driver saw this is seen here (R-128, B48). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return virtq_has_work(vq);
}

void
virtq_kicks_off(struct virtq *vq)
{
	if (usable(vq)) {
		want_kicks(vq, false);
	}
}
