/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. Cursors over scattered memory: a reader copies each byte once, a writer fills without holes.
 * Neither ever goes beyond the end. Used for the two halves of a descriptor chain, which may be
 * the same memory: read all input before the first byte is written.
 */
#ifndef VMEDIA_BASE_IOV_H
#define VMEDIA_BASE_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>

#include "base/compiler.h"

struct iov_cursor {
	const struct iovec *iov; /* current element */
	unsigned int nb;         /* elements left, the current one included */
	size_t off;              /* bytes of the current element already passed */
	size_t left;             /* bytes left in all elements */
};

/* `bytes` is the sum of the lengths of all `nb` elements; the caller knows it already. */
static inline void
iov_cursor_init(struct iov_cursor *c, const struct iovec *iov, unsigned int nb, size_t bytes)
{
	c->iov = iov;
	c->nb = nb;
	c->off = 0;
	c->left = bytes;
}

/* Passes n bytes of the current element, on to the next one at its end. */
static inline void
iov_pass(struct iov_cursor *c, size_t n)
{
	c->off += n;
	c->left -= n;
	if (c->off == c->iov->iov_len && c->nb > 1) {
		c->iov++;
		c->nb--;
		c->off = 0;
	}
}

/* Whether n bytes lie within the current element, as nearly always. */
static inline bool
iov_is_whole(const struct iov_cursor *c, size_t n)
{
	return likely(n <= c->left && c->nb > 0 && n <= c->iov->iov_len - c->off);
}

/* The other case of iov_read and iov_write. */
bool iov_read_pieces(struct iov_cursor *c, void *dst, size_t n);
bool iov_write_pieces(struct iov_cursor *c, const void *src, size_t n);

/* Copies exactly n bytes to dst and passes them. False, and nothing passed, if fewer are left. */
static inline bool
iov_read(struct iov_cursor *c, void *dst, size_t n)
{
	if (!iov_is_whole(c, n)) {
		return iov_read_pieces(c, dst, n);
	}
	memcpy(dst, (const char *)c->iov->iov_base + c->off, n);
	iov_pass(c, n);
	return true;
}

/* Copies exactly n bytes from src and passes them. False, and nothing written, if fewer fit. */
static inline bool
iov_write(struct iov_cursor *c, const void *src, size_t n)
{
	if (!iov_is_whole(c, n)) {
		return iov_write_pieces(c, src, n);
	}
	memcpy((char *)c->iov->iov_base + c->off, src, n);
	iov_pass(c, n);
	return true;
}

/* Passes n bytes. False, and nothing passed, if fewer are left. */
bool iov_skip(struct iov_cursor *c, size_t n);

#endif
