/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"

#define PAGE     4096u
#define NB_PAGES 4u
#define MARK     2u

struct shared {
	int fd;
	char *at;
	atomic_uint owner;
	int range;
};

static void
share(struct shared *s)
{
	s->fd = memfd_create("shared", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(s->fd, NB_PAGES * PAGE), 0);
	s->at = mmap(NULL, NB_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);
	cr_assert_neq(s->at, MAP_FAILED);
	memset(s->at, 7, NB_PAGES * PAGE);
	atomic_init(&s->owner, 0);
	s->range = fault_guard(s->at, NB_PAGES * PAGE, PAGE, &s->owner, MARK);
	cr_assert_geq(s->range, 0);
}

static void
cut(struct shared *s, unsigned int nb_pages)
{
	cr_assert_eq(ftruncate(s->fd, nb_pages * PAGE), 0);
}

static char
look(const struct shared *s, unsigned int page)
{
	return *(volatile char *)(s->at + page * PAGE + 5);
}

/* ASan has a handler of its own, installed before any test runs. */
static void
set_up(void)
{
	signal(SIGBUS, SIG_DFL);
	cr_assert_eq(fault_start(), 0);
}

TestSuite(fault, .init = set_up, .timeout = 20);

/* proves: S-12 S-22 */
Test(fault, a_page_that_is_gone_reads_zero_and_marks_its_owner_alone)
{
	struct shared cut_one, other;

	share(&other);
	share(&cut_one);
	cut(&cut_one, 2);
	cr_expect_eq(look(&cut_one, 0), 7);
	cr_expect_eq(atomic_load(&cut_one.owner), 0, "what is there does not fault");
	cr_expect_eq(look(&cut_one, 2), 0);
	cr_expect_eq(atomic_load(&cut_one.owner), MARK);
	cr_expect_eq(atomic_load(&other.owner), 0);
	cr_expect_eq(look(&other, 2), 7);
}

Test(fault, pages_before_the_hole_stay_shared_and_all_behind_it_are_private)
{
	struct shared s;
	char seen;

	share(&s);
	cut(&s, 1);
	s.at[PAGE + 1] = 9;
	s.at[3 * PAGE] = 9;
	atomic_store(&s.owner, 0);
	cut(&s, NB_PAGES);
	s.at[0] = 1;
	cr_expect_eq(pread(s.fd, &seen, 1, 0), 1);
	cr_expect_eq(seen, 1, "still shared");
	cr_expect_eq(s.at[PAGE + 1], 9);
	cr_expect_eq(pread(s.fd, &seen, 1, PAGE + 1), 1);
	cr_expect_eq(seen, 0, "private");
	cr_expect_eq(atomic_load(&s.owner), 0, "no second fault");
}

Test(fault, errno_survives)
{
	struct shared s;

	share(&s);
	cut(&s, 0);
	errno = ENOTTY;
	cr_expect_eq(look(&s, 0), 0);
	cr_expect_eq(errno, ENOTTY);
}

Test(fault, memory_of_nobody_ends_the_process, .signal = SIGBUS)
{
	struct shared s;

	share(&s);
	fault_unguard(s.range);
	cut(&s, 0);
	look(&s, 0);
}

Test(fault, a_signal_that_was_sent_is_no_fault, .signal = SIGBUS)
{
	raise(SIGBUS);
}

static atomic_int nb_chained;

static void
previous(int number)
{
	atomic_fetch_add(&nb_chained, 1);
}

static void
previous_with_info(int number, siginfo_t *info, void *context)
{
	atomic_fetch_add(&nb_chained, info->si_code <= 0 ? 10 : 100);
}

Test(fault, the_handler_that_was_there_gets_what_is_not_ours)
{
	struct sigaction action = {.sa_sigaction = previous_with_info, .sa_flags = SA_SIGINFO};

	fault_stop();
	signal(SIGBUS, previous);
	cr_assert_eq(fault_start(), 0);
	raise(SIGBUS);
	cr_expect_eq(atomic_load(&nb_chained), 1);
	fault_stop();
	raise(SIGBUS);
	cr_expect_eq(atomic_load(&nb_chained), 2, "stop gives the handler back");
	sigaction(SIGBUS, &action, NULL);
	cr_assert_eq(fault_start(), 0);
	raise(SIGBUS);
	cr_expect_eq(atomic_load(&nb_chained), 12);
}

Test(fault, ranges_are_whole_pages_and_places_are_used_again)
{
	struct shared s;
	int again;

	share(&s);
	cr_expect_eq(fault_guard(s.at + 1, PAGE, PAGE, &s.owner, 1), -EINVAL);
	cr_expect_eq(fault_guard(s.at, PAGE + 1, PAGE, &s.owner, 1), -EINVAL);
	cr_expect_eq(fault_guard(s.at, PAGE, 3000, &s.owner, 1), -EINVAL);
	cr_expect_eq(fault_guard(s.at, 0, PAGE, &s.owner, 1), -EINVAL);
	cr_expect_eq(fault_guard(NULL, PAGE, PAGE, &s.owner, 1), -EINVAL);
	fault_unguard(s.range);
	again = fault_guard(s.at, PAGE, PAGE, &s.owner, 1);
	cr_expect_eq(again, s.range);
}

Test(fault, the_table_ends)
{
	atomic_uint owner = 0;
	uintptr_t at = 1ull << 40;
	int nb = 0;

	while (fault_guard((void *)at, PAGE, PAGE, &owner, 1) >= 0) {
		at += PAGE;
		nb++;
	}
	cr_expect_eq(nb, FAULT_MAX_RANGES);
	cr_expect_eq(fault_guard((void *)at, PAGE, PAGE, &owner, 1), -ENOSPC);
}

static atomic_bool churn_stops;

/* Ranges come and go beside those that fault. */
static void *
churn(void *arg)
{
	atomic_uint owner = 0;
	uintptr_t at = 1ull << 40;

	while (!atomic_load(&churn_stops)) {
		int a = fault_guard((void *)at, 64 * PAGE, PAGE, &owner, 1);
		int b = fault_guard((void *)(at + 64 * PAGE), PAGE, PAGE, &owner, 1);

		fault_unguard(a);
		fault_unguard(b);
	}
	cr_expect_eq(atomic_load(&owner), 0);
	return NULL;
}

Test(fault, faults_on_some_threads_while_others_guard_and_unguard)
{
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, churn, NULL), 0);
	for (unsigned int i = 0; i < 500; i++) {
		struct shared s;

		share(&s);
		cut(&s, 0);
		cr_assert_eq(look(&s, i % NB_PAGES), 0);
		cr_assert_eq(atomic_load(&s.owner), MARK);
		fault_unguard(s.range);
		munmap(s.at, NB_PAGES * PAGE);
		close(s.fd);
	}
	atomic_store(&churn_stops, true);
	pthread_join(thread, NULL);
}
