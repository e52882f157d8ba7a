/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/iov.h"

static char memory[64];

/* The 64 bytes in pieces of the given lengths, which may be 0. */
static unsigned int
cut(struct iovec *iov, const size_t *lengths, unsigned int nb)
{
	size_t at = 0;

	for (unsigned int i = 0; i < nb; i++) {
		iov[i] = (struct iovec){memory + at, lengths[i]};
		at += lengths[i];
	}
	return nb;
}

static void
fill(void)
{
	for (size_t i = 0; i < sizeof(memory); i++) {
		memory[i] = (char)i;
	}
}

Test(iov, a_read_crosses_pieces_of_any_length)
{
	const size_t lengths[] = {1, 3, 60};
	struct iovec iov[3];
	struct iov_cursor c;
	char got[64];

	fill();
	iov_cursor_init(&c, iov, cut(iov, lengths, 3), sizeof(memory));
	cr_assert(iov_read(&c, got, 2));
	cr_assert(iov_read(&c, got + 2, 62));
	cr_assert_arr_eq(got, memory, 64);
	cr_assert_eq(c.left, 0);
}

Test(iov, a_read_beyond_the_end_passes_nothing)
{
	const size_t lengths[] = {4, 4};
	struct iovec iov[2];
	struct iov_cursor c;
	char got[10] = "unchanged";

	iov_cursor_init(&c, iov, cut(iov, lengths, 2), 8);
	cr_assert_not(iov_read(&c, got, 9));
	cr_assert_eq(c.left, 8);
	cr_assert_arr_eq(got, "unchanged", 9);
	cr_assert(iov_read(&c, got, 8));
	cr_assert_not(iov_read(&c, got, 1));
	cr_assert(iov_read(&c, got, 0), "nothing can always be read");
}

Test(iov, a_write_beyond_the_end_writes_nothing)
{
	const size_t lengths[] = {4, 4};
	struct iovec iov[2];
	struct iov_cursor c;

	fill();
	iov_cursor_init(&c, iov, cut(iov, lengths, 2), 8);
	cr_assert_not(iov_write(&c, "123456789", 9));
	cr_assert_eq(memory[0], 0);
	cr_assert(iov_write(&c, "12345678", 8));
	cr_assert_arr_eq(memory, "12345678", 8);
	cr_assert_eq(memory[8], 8, "the byte behind the last piece stays");
}

Test(iov, skip_moves_as_read_does)
{
	const size_t lengths[] = {5, 1, 10};
	struct iovec iov[3];
	struct iov_cursor c;
	char got;

	fill();
	iov_cursor_init(&c, iov, cut(iov, lengths, 3), 16);
	cr_assert(iov_skip(&c, 6));
	cr_assert(iov_read(&c, &got, 1));
	cr_assert_eq(got, 6);
	cr_assert_not(iov_skip(&c, 10));
	cr_assert(iov_skip(&c, 9));
}

Test(iov, random_cuts_give_the_same_bytes)
{
	fill();
	srand(1);
	for (int round = 0; round < 2000; round++) {
		size_t lengths[64], left = sizeof(memory), done = 0;
		struct iovec iov[64];
		struct iov_cursor c;
		unsigned int nb = 0;
		char got[64];

		while (left > 0) {
			lengths[nb] = 1 + (size_t)rand() % left;
			left -= lengths[nb++];
		}
		iov_cursor_init(&c, iov, cut(iov, lengths, nb), sizeof(memory));
		while (done < sizeof(memory)) {
			size_t n = 1 + (size_t)rand() % (sizeof(memory) - done);

			cr_assert(iov_read(&c, got + done, n));
			done += n;
		}
		cr_assert_arr_eq(got, memory, 64);
	}
}
