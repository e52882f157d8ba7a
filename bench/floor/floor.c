/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: each instruction between the two lines is part of the figure. */
#include "floor/floor.h"

#include <string.h>

#include "base/clock.h"

#define FLOOR_END UINT64_MAX

void
floor_init(struct floor *f)
{
	memset(f, 0, sizeof(*f));
}

void
floor_answer(struct floor *f)
{
	uint64_t last = 0, ping;

	do {
		ping = __atomic_load_n(&f->ping, __ATOMIC_ACQUIRE);
		if (ping != last) {
			__atomic_store_n(&f->pong, ping, __ATOMIC_RELEASE);
			last = ping;
		}
	} while (likely(ping != FLOOR_END));
}

void
floor_ask(struct floor *f, uint64_t nb, struct hist *ticks)
{
	uint64_t ping = f->ping;

	while (nb-- > 0) {
		uint64_t begin_tsc = clock_tsc();

		__atomic_store_n(&f->ping, ++ping, __ATOMIC_RELEASE);
		while (__atomic_load_n(&f->pong, __ATOMIC_ACQUIRE) != ping) {
		}
		hist_record(ticks, clock_tsc() - begin_tsc);
	}
}

void
floor_end(struct floor *f)
{
	__atomic_store_n(&f->ping, FLOOR_END, __ATOMIC_RELEASE);
}
