/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cursors over scattered memory: a reader copies each byte once, a writer fills without holes.
 * Neither ever goes beyond the end. Used for the two halves of a descriptor chain, which may be
 * the same memory: read all input before the first byte is written.
 */
#ifndef VMEDIA_BASE_IOV_H
#define VMEDIA_BASE_IOV_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

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

/* Copies exactly n bytes to dst and passes them. False, and nothing passed, if fewer are left. */
bool iov_read(struct iov_cursor *c, void *dst, size_t n);

/* Copies exactly n bytes from src and passes them. False, and nothing written, if fewer fit. */
bool iov_write(struct iov_cursor *c, const void *src, size_t n);

/* Passes n bytes. False, and nothing passed, if fewer are left. */
bool iov_skip(struct iov_cursor *c, size_t n);

#endif
