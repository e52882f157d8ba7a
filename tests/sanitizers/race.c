/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A planted data race, built like the programs of tests/tsan. With an argument the counter is
 * atomic and ThreadSanitizer must stay silent.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static long plain;
static _Atomic long atomic;
static bool race;

static void *
count(void *arg)
{
	for (int i = 0; i < 1000; i++) {
		if (race) {
			plain++;
		} else {
			atomic_fetch_add_explicit(&atomic, 1, memory_order_relaxed);
		}
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	pthread_t other;

	race = argc == 1;
	if (pthread_create(&other, NULL, count, NULL) != 0) {
		return 1;
	}
	count(NULL);
	pthread_join(other, NULL);
	return 0;
}
