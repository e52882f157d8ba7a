/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HOT. A pass that found nothing, on a CPU that can wait for a store (WAITPKG of x86-64): it rests
 * in UMWAIT until the driver writes the word of its ring, instead of looking at it again and again.
 * No system call, less power, and the other half of its core runs faster.
 *
 * One ring can be watched, so this is for a reactor with one device. Messages of other threads are
 * written elsewhere: they end no wait, and wait for MOST_NS.
 */
#include "base/clock.h"
#include "base/util.h"
#include "reactor/internal.h"

#define MOST_NS 2000 /* at a time */

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define LEAF          7
#define ECX_WAITPKG   (1u << 5)
#define WAKES_FASTEST 1 /* C0.1 */

bool
reactor_can_umwait(void)
{
	unsigned int eax, ebx, ecx = 0, edx;

	return __get_cpuid_count(LEAF, 0, &eax, &ebx, &ecx, &edx) && (ecx & ECX_WAITPKG) != 0;
}

static __attribute__((target("waitpkg"))) void
watch(const void *line)
{
	_umonitor((void *)(uintptr_t)line);
}

static __attribute__((target("waitpkg"))) void
wait_until(uint64_t tsc)
{
	_umwait(WAKES_FASTEST, tsc);
}
#else
bool
reactor_can_umwait(void)
{
	return false;
}

static void
watch(const void *line)
{
}

static void
wait_until(uint64_t tsc)
{
}
#endif

static bool
has_nothing(struct reactor *reactor, uint64_t now_tsc)
{
	return slot_rests(&reactor->slots[0], now_tsc) && msg_queue_empty(&reactor->inbox) &&
	       TAILQ_EMPTY(&reactor->works);
}

uint64_t
reactor_umwait(struct reactor *reactor, uint64_t now_tsc)
{
	const struct slot *slot = reactor->slots;

	if (reactor->nb_slots != 1 || !has_nothing(reactor, now_tsc)) {
		return now_tsc;
	}
	watch(slot->word);
	/* What was written before it was watched ends no wait. */
	if (has_nothing(reactor, now_tsc)) {
		wait_until(MIN(slot->due_tsc, now_tsc + clock_ns_to_tsc(MOST_NS)));
	}
	return clock_tsc();
}
