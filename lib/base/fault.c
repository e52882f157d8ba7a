/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/fault.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#include "base/util.h"

/*
 * The handler reads this while others change it. `version` is odd while the range changes, and
 * different afterwards: a reader that sees either has not found its address, as nobody touches
 * memory whose range is changing.
 */
struct range {
	atomic_uint version;
	_Atomic uintptr_t start; /* 0: free */
	_Atomic uintptr_t end;
	_Atomic uintptr_t page_bytes;
	atomic_uint *_Atomic owner;
	atomic_uint mark;
};

struct found {
	uintptr_t end;
	uintptr_t page_bytes;
	atomic_uint *owner;
	unsigned int mark;
};

static struct range ranges[FAULT_MAX_RANGES];
static atomic_uint nb_ranges; /* ever used, so looked at */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

/* ---- in the handler: nothing here takes a lock or calls what is not async-signal-safe ---- */

static bool
find(uintptr_t addr, struct found *found)
{
	unsigned int nb = atomic_load(&nb_ranges);

	for (unsigned int i = 0; i < nb; i++) {
		struct range *r = &ranges[i];
		unsigned int version = atomic_load(&r->version);
		uintptr_t start = atomic_load(&r->start);

		found->end = atomic_load(&r->end);
		if (start == 0 || addr < start || addr >= found->end) {
			continue;
		}
		found->page_bytes = atomic_load(&r->page_bytes);
		found->owner = atomic_load(&r->owner);
		found->mark = atomic_load(&r->mark);
		if (version % 2 == 0 && atomic_load(&r->version) == version) {
			return true;
		}
	}
	return false;
}

/* mmap(2) is a bare system call in every C library of Linux. */
static bool
replace(uintptr_t addr)
{
	struct found found;
	uintptr_t start;

	if (!find(addr, &found)) {
		return false;
	}
	start = round_down(addr, found.page_bytes);
	/* before the memory changes: who reads zeroes from it must be able to see why */
	atomic_fetch_or(found.owner, found.mark);
	return mmap((void *)start, found.end - start, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		       0) != MAP_FAILED;
}

/* As if we were not there. A fault comes again when the handler returns. */
static void
chain(int number, siginfo_t *info, void *context)
{
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(number, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(number);
	} else if (before.sa_handler == SIG_DFL || info->si_code > 0) {
		const struct sigaction ends = {.sa_handler = SIG_DFL};

		sigaction(number, &ends, NULL);
		if (info->si_code <= 0) {
			raise(number);
		}
	}
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
	int err = errno;

	if (info->si_code <= 0 || !replace((uintptr_t)info->si_addr)) {
		chain(number, info, context);
	}
	errno = err;
}

/* ---- everybody else ---- */

int
fault_start(void)
{
	struct sigaction action = {
		.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

	sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, &before) == 0 ? 0 : -errno;
}

void
fault_stop(void)
{
	sigaction(SIGBUS, &before, NULL);
}

static void
fill(struct range *r, uintptr_t start, uintptr_t end, uintptr_t page_bytes, atomic_uint *owner,
	unsigned int mark)
{
	atomic_fetch_add(&r->version, 1);
	atomic_store(&r->start, start);
	atomic_store(&r->end, end);
	atomic_store(&r->page_bytes, page_bytes);
	atomic_store(&r->owner, owner);
	atomic_store(&r->mark, mark);
	atomic_fetch_add(&r->version, 1);
}

int
fault_guard(void *addr, size_t bytes, size_t page_bytes, atomic_uint *owner, unsigned int mark)
{
	uintptr_t start = (uintptr_t)addr;
	int i = 0;

	if (start == 0 || bytes == 0 || !is_power_of_2(page_bytes) ||
		((start | bytes) & (page_bytes - 1)) != 0) {
		return -EINVAL;
	}
	pthread_mutex_lock(&lock);
	while (i < FAULT_MAX_RANGES && atomic_load(&ranges[i].start) != 0) {
		i++;
	}
	if (i < FAULT_MAX_RANGES) {
		fill(&ranges[i], start, start + bytes, page_bytes, owner, mark);
		if ((unsigned int)i >= atomic_load(&nb_ranges)) {
			atomic_store(&nb_ranges, (unsigned int)i + 1);
		}
	}
	pthread_mutex_unlock(&lock);
	return i < FAULT_MAX_RANGES ? i : -ENOSPC;
}

void
fault_unguard(int range)
{
	if (range >= 0) {
		pthread_mutex_lock(&lock);
		fill(&ranges[range], 0, 0, 0, NULL, 0);
		pthread_mutex_unlock(&lock);
	}
}
