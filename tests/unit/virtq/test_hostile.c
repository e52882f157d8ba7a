/* SPDX-License-Identifier: BSD-3-Clause */
/* S-1, S-8: a driver on another core that rewrites everything while the device reads it. */
#include <pthread.h>
#include <stdatomic.h>

#include "fixture.h"

#define NB_PASSES  20000
#define NB_ENTRIES 16
#define RING_SIZE  16

struct scribbler {
	struct fixture *f;
	uint64_t good; /* addresses that are guest memory: a buffer and a table */
	uint64_t *table;
	atomic_bool stop;
};

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* One descriptor, each part good or bad by chance. */
static void
scribble(const struct scribbler *s, uint64_t *words, uint32_t *state, bool packed)
{
	static const uint32_t lens[] = {0, 8, 16, 64, 240, 16384, 0x10000, UINT32_MAX};
	uint32_t r = next_random(state);
	uint64_t table = fake_guest_gpa(s->f->g, s->table);
	uint64_t addr = r % 8 == 0 ? UINT64_MAX - r % 64 : r % 2 ? table : s->good;
	uint64_t len = lens[r >> 4 & 7];
	uint64_t flags = (r >> 8 & 7) & (r >> 11 & 7);
	uint64_t next = r >> 14 & (r % 16 == 1 ? 0xffff : RING_SIZE - 1);

	if (packed) {
		flags |= r >> 30 & 1 ? 1u << 7 : 1u << 15;
		next = flags;
		flags = 0;
	}
	__atomic_store_n(&words[0], addr, __ATOMIC_RELAXED);
	__atomic_store_n(&words[1], len | flags << 32 | next << 48, __ATOMIC_RELAXED);
}

static void *
scribbler_main(void *arg)
{
	struct scribbler *s = arg;
	struct fake_queue *q = &s->f->g->queues[0];
	struct vring_avail *avail = q->driver;
	bool packed = s->f->g->config.packed;
	uint32_t state = 12345;

	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		uint32_t r = next_random(&state);

		scribble(s, (uint64_t *)q->desc + r % RING_SIZE * 2, &state, packed);
		scribble(s, s->table + r / 64 % NB_ENTRIES * 2, &state, packed);
		if (!packed) {
			uint16_t step = r % 4096 == 0 ? 100 : 1;
			uint16_t head = r % 1024 == 1 ? 0xffff : r >> 8 & (RING_SIZE - 1);
			uint16_t used = __atomic_load_n(
				&((struct vring_used *)q->device)->idx, __ATOMIC_RELAXED);

			__atomic_store_n(&avail->ring[r % RING_SIZE], head, __ATOMIC_RELAXED);
			__atomic_store_n(&avail->idx, used + step, __ATOMIC_RELEASE);
		}
	}
	return NULL;
}

/* Whatever the driver did: pieces of guest memory, and sums that hold. */
static void
check_chain(const struct fixture *f, const struct virtq_chain *c)
{
	const struct fake_region *r = &f->g->regions[0];
	uint64_t sums[2] = {0, 0};

	cr_assert_leq(c->nb_readable + c->nb_writable, VIRTQ_CHAIN_MAX_IOV);
	for (unsigned int i = 0; i < c->nb_readable + c->nb_writable; i++) {
		uint64_t off = (uint64_t)((char *)c->iov[i].iov_base - r->addr);

		cr_assert(off < r->bytes && c->iov[i].iov_len <= r->bytes - off);
		sums[i >= c->nb_readable] += c->iov[i].iov_len;
	}
	cr_assert(sums[0] == c->readable_bytes && sums[1] == c->writable_bytes);
}

/* Device passes against the scribbler; a broken ring is started again. */
static void
serve_scribbled(struct fixture *f)
{
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	for (int i = 0; i < NB_PASSES; i++) {
		unsigned int nb = pop(f);

		for (unsigned int k = 0; k < nb; k++) {
			check_chain(f, f->chains[k]);
			virtq_push(&f->vq, f->chains[k], 1);
		}
		give_back(f);
		virtq_prefetch_next(&f->vq, 608);
		if (f->vq.broken) {
			vc.avail_base = virtq_stop(&f->vq);
			vc.used_base = vc.avail_base;
			cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
		}
	}
}

/* proves: S-1 */
BOTH(a_ring_rewritten_while_it_is_read_yields_nothing_but_guest_memory)
{
	struct fixture *f = setup((struct fake_guest_config){
		.packed = packed, .queue_size = RING_SIZE, .indirect = true});
	struct scribbler s = {.f = f};
	pthread_t thread;

	s.good = fake_guest_gpa(f->g, fake_guest_alloc(f->g, 0, 0x10000));
	s.table = fake_guest_alloc(f->g, 0, NB_ENTRIES * 16);
	cr_assert_eq(pthread_create(&thread, NULL, scribbler_main, &s), 0);
	do {
		serve_scribbled(f);
	} while (f->vq.stats.nb_chains == 0 || f->vq.stats.nb_bad_chain == 0 ||
		 (!packed && f->vq.stats.nb_broken == 0));
	atomic_store(&s.stop, true);
	pthread_join(thread, NULL);
	teardown(f);
}
