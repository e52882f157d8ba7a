/* SPDX-License-Identifier: BSD-3-Clause */
/* Checked arithmetic and rounding. Every sum of guest-given numbers goes through here (S-18). */
#ifndef VMEDIA_BASE_UTIL_H
#define VMEDIA_BASE_UTIL_H

#include <stdbool.h>
#include <stdint.h>

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* True when a + b fits into *sum; *sum is then that sum. */
#define add_ok(a, b, sum) (!__builtin_add_overflow((a), (b), (sum)))
/* True when a * b fits into *product; *product is then that product. */
#define mul_ok(a, b, product) (!__builtin_mul_overflow((a), (b), (product)))

static inline bool
is_power_of_2(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* align must be a power of two; the caller keeps n + align below 2^64. */
static inline uint64_t
round_up(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline uint64_t
round_down(uint64_t n, uint64_t align)
{
	return n & ~(align - 1);
}

/* The next power of two, at least n; n from 1 to 2^63. */
static inline uint64_t
round_up_power_of_2(uint64_t n)
{
	return n <= 1 ? 1 : 1ULL << (64 - __builtin_clzll(n - 1));
}

#endif
