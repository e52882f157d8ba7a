/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. Private to the room: builds a virtq_chain, one descriptor after the other, and makes every
 * check of guest-given numbers that both ring formats share (R-15, R-21, R-34, S-3 .. S-5). The
 * descriptors handed in are private copies already.
 */
#ifndef VMEDIA_VIRTQ_CHAIN_H
#define VMEDIA_VIRTQ_CHAIN_H

#include <errno.h>

#include "virtq/ring.h"

#define CHAIN_MAX_TABLE      1024 /* entries of an indirect table */
#define CHAIN_PREFETCH_BYTES 256  /* per piece */
#define CHAIN_PREDICT_IOV    4    /* pieces of the last chain in a slot that are asked for */

struct chain_walk {
	struct virtq *vq;
	struct virtq_chain *chain;
	unsigned int nb_desc; /* seen so far, table entries and empty ones included */
};

static inline void
chain_begin(struct chain_walk *walk, struct virtq *vq, struct virtq_chain *chain)
{
	walk->vq = vq;
	walk->chain = chain;
	walk->nb_desc = 0;
	chain->nb_readable = 0;
	chain->nb_writable = 0;
	chain->readable_bytes = 0;
	chain->writable_bytes = 0;
	chain->table = NULL;
}

/*
 * The lines travel while the rest of the chain is looked at and the command is decoded, instead of
 * one after the other when they are needed.
 */
static inline void
chain_prefetch(const char *addr, uint64_t len, bool writable)
{
	const char *end = addr + (len < CHAIN_PREFETCH_BYTES ? len : CHAIN_PREFETCH_BYTES);

	for (addr = line_of(addr); addr < end; addr += CACHE_LINE_BYTES) {
		if (writable) {
			prefetch_for_write(addr);
		} else {
			__builtin_prefetch(addr);
		}
	}
}

/*
 * Drivers reuse memory last freed first, as this device does slots: a chain most often has the
 * descriptor, table and buffers of the last one in its slot. Asking for all these lines at once
 * takes one transfer between CPUs where following the chain takes one after the other. A wrong
 * guess costs a few prefetches: they change nothing, and an address that is gone is ignored.
 */
static inline void
chain_predict(const struct virtq_chain *last)
{
	unsigned int i, nb = last->nb_readable + last->nb_writable;

	if (last->table != NULL) {
		__builtin_prefetch(last->table);
	}
	for (i = 0; i < nb && i < CHAIN_PREDICT_IOV; i++) {
		chain_prefetch(last->iov[i].iov_base, last->iov[i].iov_len, i >= last->nb_readable);
	}
}

/* What the last chain of the slot had there was asked for by chain_predict, if anybody has to. */
static inline void
chain_piece(struct iovec *iov, void *addr, uint64_t len, bool writable)
{
	if (unlikely(iov->iov_base != addr || iov->iov_len != len)) {
		iov->iov_base = addr;
		iov->iov_len = len;
		chain_prefetch(addr, len, writable);
	}
}

/* Translates len bytes at gpa into pieces of the half that grows. -EFAULT, -E2BIG. */
static inline int
chain_map(struct chain_walk *walk, uint64_t gpa, uint32_t len, uint16_t *nb_half)
{
	struct virtq_chain *chain = walk->chain;
	unsigned int nb_iov = chain->nb_readable + chain->nb_writable;
	uint64_t left = len;

	do {
		uint64_t here = left;
		void *addr = guest_mem_translate(walk->vq->mem, &walk->vq->mem_hint, gpa, &here);

		if (unlikely(addr == NULL)) {
			return -EFAULT;
		}
		if (unlikely(nb_iov == VIRTQ_CHAIN_MAX_IOV)) {
			return -E2BIG;
		}
		chain_piece(&chain->iov[nb_iov], addr, here, nb_half == &chain->nb_writable);
		nb_iov++;
		(*nb_half)++;
		gpa += here;
		left -= here;
	} while (unlikely(left > 0));
	return 0;
}

/* Adds one buffer. Negative errno: the chain goes back with length 0. */
static inline int
chain_add(struct chain_walk *walk, uint64_t gpa, uint32_t len, bool writable)
{
	struct virtq_chain *chain = walk->chain;
	uint64_t total = (uint64_t)chain->readable_bytes + chain->writable_bytes + len;

	if (unlikely(++walk->nb_desc > VIRTQ_CHAIN_MAX_DESC || total > UINT32_MAX)) {
		return -E2BIG;
	}
	if (unlikely(len == 0)) {
		return 0;
	}
	if (writable) {
		chain->writable_bytes += len;
		return chain_map(walk, gpa, len, &chain->nb_writable);
	}
	if (unlikely(chain->nb_writable > 0)) {
		return -EPROTO;
	}
	chain->readable_bytes += len;
	return chain_map(walk, gpa, len, &chain->nb_readable);
}

/* Adds all buffers of the indirect table of len bytes at gpa, in the format of the ring. */
int chain_add_table(struct chain_walk *walk, uint64_t gpa, uint32_t len);

#endif
