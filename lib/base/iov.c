/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT. Bytes that lie in more than one element. */
#include <string.h>

#include "base/compiler.h"
#include "base/iov.h"
#include "base/util.h"

static size_t
piece(const struct iov_cursor *c, size_t n)
{
	return MIN(n, c->iov->iov_len - c->off);
}

bool
iov_read_pieces(struct iov_cursor *c, void *dst, size_t n)
{
	char *to = dst;

	if (unlikely(n > c->left)) {
		return false;
	}
	while (n > 0) {
		size_t len = piece(c, n);

		memcpy(to, (const char *)c->iov->iov_base + c->off, len);
		iov_pass(c, len);
		to += len;
		n -= len;
	}
	return true;
}

bool
iov_write_pieces(struct iov_cursor *c, const void *src, size_t n)
{
	const char *from = src;

	if (unlikely(n > c->left)) {
		return false;
	}
	while (n > 0) {
		size_t len = piece(c, n);

		memcpy((char *)c->iov->iov_base + c->off, from, len);
		iov_pass(c, len);
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

		iov_pass(c, len);
		n -= len;
	}
	return true;
}
