/* SPDX-License-Identifier: BSD-3-Clause */
/* What the compiler is told: branch hints, alignment, containers. */
#ifndef VMEDIA_BASE_COMPILER_H
#define VMEDIA_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/* Only in files whose first comment says HOT. */
#ifndef likely /* DPDK's headers have the same three */
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#endif

#define CACHE_LINE_BYTES    64
#define __cache_aligned     __attribute__((aligned(CACHE_LINE_BYTES)))
#define __printf_like(f, a) __attribute__((format(printf, f, a)))
#define __must_check        __attribute__((warn_unused_result))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#ifndef container_of
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#endif

/* The line will be written: fetched for ourselves alone, which saves a second transfer. The builtin
 * does this on x86 only with -mprfchw; a CPU without the instruction takes it for a no-op. */
#if defined(__x86_64__)
#define prefetch_for_write(p) __asm__ volatile("prefetchw %0" ::"m"(*(const char *)(p)))
#else
#define prefetch_for_write(p) __builtin_prefetch((p), 1)
#endif

/* The first byte of its line: what lies across lines is asked for whole. */
#define line_of(p) ((p) - ((uintptr_t)(p) % CACHE_LINE_BYTES))

#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define cpu_relax() __asm__ volatile("yield" ::: "memory")
#else
#define cpu_relax() __asm__ volatile("" ::: "memory")
#endif

#endif
