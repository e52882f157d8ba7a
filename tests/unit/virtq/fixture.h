/* SPDX-License-Identifier: BSD-3-Clause */
/* One queue of a fake guest and the virtq that serves it, for both ring formats. */
#ifndef VMEDIA_TESTS_UNIT_VIRTQ_FIXTURE_H
#define VMEDIA_TESTS_UNIT_VIRTQ_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "fake/guest.h"
#include "fake/guest_virtq.h"
#include "virtq/virtq.h"

#define NEXT     VRING_DESC_F_NEXT
#define WRITE    VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT

/* A claim about both formats: two tests with one body. */
#define BOTH(name)                     \
	static void name(bool packed); \
	Test(virtq, split_##name)      \
	{                              \
		name(false);           \
	}                              \
	Test(virtq, packed_##name)     \
	{                              \
		name(true);            \
	}                              \
	static void name(bool packed)

struct fixture {
	struct fake_guest *g;
	struct guest_mem mem;
	struct virtq vq;
	struct virtq_chain memory[VIRTQ_BURST];
	struct virtq_chain *chains[VIRTQ_BURST];
};

static inline struct fixture *
setup(struct fake_guest_config config)
{
	struct fixture *f = aligned_alloc(64, round_up(sizeof(*f), 64));

	memset(f, 0, sizeof(*f));
	f->g = fake_guest_create(&config);
	for (unsigned int i = 0; i < VIRTQ_BURST; i++) {
		f->chains[i] = &f->memory[i];
	}
	cr_assert_eq(fake_guest_mem(f->g, &f->mem), 0);
	struct virtq_config vc = fake_guest_virtq(f->g, 0);

	cr_assert_eq(virtq_start(&f->vq, &vc, &f->mem), 0);
	return f;
}

static inline struct fixture *
setup_plain(bool packed)
{
	return setup((struct fake_guest_config){.packed = packed, .indirect = true});
}

static inline void
teardown(struct fixture *f)
{
	cr_expect_eq(f->g->nb_overruns, 0, "the device wrote behind a buffer");
	virtq_stop(&f->vq);
	fake_guest_destroy(f->g);
	free(f);
}

static inline struct iovec
bytes(const void *ptr, size_t len)
{
	return (struct iovec){(void *)(uintptr_t)ptr, len};
}

static inline unsigned int
pop(struct fixture *f)
{
	return virtq_pop_burst(&f->vq, f->chains, VIRTQ_BURST);
}

static inline void
give_back(struct fixture *f)
{
	virtq_flush(&f->vq);
	virtq_notify(&f->vq);
}

static inline void
chain_read(const struct virtq_chain *c, void *dst, size_t n)
{
	struct iov_cursor cursor;

	iov_cursor_init(&cursor, c->iov, c->nb_readable, c->readable_bytes);
	cr_assert(iov_read(&cursor, dst, n));
}

static inline void
chain_write(const struct virtq_chain *c, const void *src, size_t n)
{
	struct iov_cursor cursor;

	iov_cursor_init(&cursor, virtq_chain_writable(c), c->nb_writable, c->writable_bytes);
	cr_assert(iov_write(&cursor, src, n));
}

/* One pass of a device that copies its input to its output. */
static inline unsigned int
echo(struct fixture *f)
{
	unsigned int nb = pop(f);

	for (unsigned int i = 0; i < nb; i++) {
		const struct virtq_chain *c = f->chains[i];
		uint32_t n = MIN(c->readable_bytes, c->writable_bytes);
		char *copy = malloc(n + 1);

		chain_read(c, copy, n);
		chain_write(c, copy, n);
		virtq_push(&f->vq, c, n);
		free(copy);
	}
	give_back(f);
	return nb;
}

/* Sends one u64 with room for one u64. */
static inline int
send_number(struct fixture *f, uint64_t number)
{
	const uint32_t room = sizeof(number);
	struct iovec in = {&number, sizeof(number)};

	return fake_guest_send(f->g, 0, &in, 1, &room, 1);
}

/* The next used entry carries this number. */
static inline void
expect_number(struct fixture *f, int id, uint64_t number)
{
	struct fake_used used;
	uint64_t got;

	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_assert_eq(used.id, id);
	cr_assert_eq(used.len, sizeof(number));
	cr_assert(fake_used_copy(&used, &got, sizeof(got)));
	cr_assert_eq(got, number, "%lu is not %lu", (long)got, (long)number);
}

/* A raw chain never reaches the device and comes back, once, with length 0; the ring goes on. */
static inline void
expect_refused(struct fixture *f, const struct fake_desc *descs, unsigned int nb)
{
	struct fake_used used;
	uint64_t nb_bad = f->vq.stats.nb_bad_chain;

	fake_guest_raw(f->g, 0, 3, descs, nb);
	cr_expect_eq(pop(f), 0, "a bad chain was taken");
	give_back(f);
	cr_expect_eq(f->vq.stats.nb_bad_chain, nb_bad + 1);
	cr_assert_eq(fake_guest_poll(f->g, 0, &used), 1);
	cr_expect_eq(used.id, 3);
	cr_expect_eq(used.len, 0);
	cr_expect_eq(fake_guest_poll(f->g, 0, &used), 0);
	cr_expect_not(f->vq.broken);

	int id = send_number(f, 77);

	cr_expect_eq(echo(f), 1);
	expect_number(f, id, 77);
}

#endif
