/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: every command and event is copied here; almost always within one element. */
#include <string.h>

#include "base/compiler.h"
#include "base/iov.h"
#include "base/util.h"

static void
advance(struct iov_cursor *c, size_t n)
{
	c->off += n;
	c->left -= n;
	if (c->off == c->iov->iov_len && c->nb > 1) {
		c->iov++;
		c->nb--;
		c->off = 0;
	}
}

static size_t
piece(const struct iov_cursor *c, size_t n)
{
	return MIN(n, c->iov->iov_len - c->off);
}

bool
iov_read(struct iov_cursor *c, void *dst, size_t n)
{
	char *to = dst;

	if (unlikely(n > c->left)) {
		return false;
	}
	while (n > 0) {
		size_t len = piece(c, n);

		memcpy(to, (const char *)c->iov->iov_base + c->off, len);
		advance(c, len);
		to += len;
		n -= len;
	}
	return true;
}

bool
iov_write(struct iov_cursor *c, const void *src, size_t n)
{
	const char *from = src;

	if (unlikely(n > c->left)) {
		return false;
	}
	while (n > 0) {
		size_t len = piece(c, n);

		memcpy((char *)c->iov->iov_base + c->off, from, len);
		advance(c, len);
		from += len;
		n -= len;
	}
	return true;
}

bool
iov_skip(struct iov_cursor *c, size_t n)
{
	if (unlikely(n > c->left)) {
		return false;
	}
	while (n > 0) {
		size_t len = piece(c, n);

		advance(c, len);
		n -= len;
	}
	return true;
}
