/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frame around every unit test, linked in with --wrap. Criterion 2.4 runs each test in a child
 * process and treats it kindly in two ways that hide defects:
 *
 *  - what LeakSanitizer finds when the child leaves comes too late: the test has passed. Here the
 *    leak check ends every test, after its own tear-down and its suite's;
 *  - a child that dies in .init or .fini is only a warning, and the test passes. Here set-up and
 *    tear-down run in the main phase, where a death is a failure.
 *
 * A test that expects .exit_code must not mistake a sanitizer for it: sanitizers leave with 99.
 */
#include <criterion/criterion.h>
#include <criterion/internal/test.h>
#include <stdbool.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

static bool in_test;

#ifdef WITH_ASAN
#include <sanitizer/lsan_interface.h>

int __lsan_is_turned_off(void);
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

/* Criterion's own process leaks a little of Criterion's own, and no test runs in it. */
int
__lsan_is_turned_off(void)
{
	return !in_test;
}

static bool
leaks(void)
{
	bool found = __lsan_do_recoverable_leak_check() != 0;

	/* reported once is enough: the child also looks when it leaves */
	in_test = false;
	return found;
}

const char *
__asan_default_options(void)
{
	return "exitcode=99";
}

const char *
__ubsan_default_options(void)
{
	return "exitcode=99:print_stacktrace=1";
}
#else
static bool
leaks(void)
{
	return false;
}
#endif

void __real_criterion_internal_test_setup(void);
void __real_criterion_internal_test_main(void (*fn)(void));
void __real_criterion_internal_test_teardown(void);
void __wrap_criterion_internal_test_setup(void);
void __wrap_criterion_internal_test_main(void (*fn)(void));
void __wrap_criterion_internal_test_teardown(void);

struct phases {
	void (*init)(void);
	void (*fini)(void);
};

#define SCRUBBED_BYTES 65536

static struct phases suite, test;
static void (*body)(void *parameter);

/* Criterion hands the records over in a packed copy: they may lie at any address. */
static struct criterion_test_extra_data *
suite_data(void)
{
	struct criterion_suite copy;

	memcpy(&copy, criterion_current_suite, sizeof(copy));
	return copy.data;
}

static struct criterion_test_extra_data *
test_data(void)
{
	struct criterion_test copy;

	memcpy(&copy, criterion_current_test, sizeof(copy));
	return copy.data;
}

/* Swaps what the record says with what is in *phases. */
static void
swap(struct phases *phases, void *record)
{
	struct criterion_test_extra_data copy;
	struct phases old;

	if (!record) {
		return;
	}
	memcpy(&copy, record, sizeof(copy));
	old = (struct phases){copy.init, copy.fini};
	copy.init = phases->init;
	copy.fini = phases->fini;
	*phases = old;
	memcpy(record, &copy, sizeof(copy));
}

/*
 * Pointers that the test left in dead frames would keep lost memory reachable. Without redzones,
 * so that nothing of the area is skipped.
 */
__attribute__((noinline, no_sanitize("address"))) static void
scrub_stack(void)
{
	char area[SCRUBBED_BYTES];

	memset(area, 0, sizeof(area));
	__asm__ volatile("" : : "r"(area) : "memory");
}

static void
once(void (**fn)(void))
{
	void (*run)(void) = *fn;

	*fn = NULL;
	if (run) {
		run();
	}
}

static void
whole(void *parameter)
{
	once(&suite.init);
	once(&test.init);
	body(parameter);
	once(&test.fini);
	once(&suite.fini);
	scrub_stack();
	if (leaks()) {
		cr_assert_fail("the test leaks memory: see LeakSanitizer's report above");
	}
}

void
__wrap_criterion_internal_test_setup(void)
{
	in_test = true;
	swap(&suite, suite_data());
	swap(&test, test_data());
	__real_criterion_internal_test_setup();
}

void
__wrap_criterion_internal_test_main(void (*fn)(void))
{
	body = (void (*)(void *))fn;
	__real_criterion_internal_test_main((void (*)(void))whole);
}

/* A failed assertion jumps out of whole(): what it left is run where Criterion would. */
void
__wrap_criterion_internal_test_teardown(void)
{
	suite.init = test.init = NULL;
	swap(&suite, suite_data());
	swap(&test, test_data());
	__real_criterion_internal_test_teardown();
}
