/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver/memory.h"

#define BYTES (1u << 20)

static int fd;
static char path[64];

/* Somebody's guest memory: MEMORY_GPA bytes of no interest, then ours. */
static void
setup(void)
{
	fd = memfd_create("machine", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(fd, MEMORY_GPA + BYTES), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
}

static void
teardown(void)
{
	close(fd);
}

TestSuite(driver_memory, .init = setup, .fini = teardown);

Test(driver_memory, part_of_a_file_is_where_the_guest_has_it)
{
	struct memory mem = {.fd = -1};
	uint8_t *page, byte;

	cr_assert_eq(memory_init_file(&mem, path, BYTES), 0);
	page = memory_alloc(&mem, MEMORY_PAGE_BYTES);
	page = memory_alloc(&mem, MEMORY_PAGE_BYTES);
	cr_assert_eq(memory_gpa(&mem, page, MEMORY_PAGE_BYTES), MEMORY_GPA + MEMORY_PAGE_BYTES);
	page[5] = 77;
	cr_assert_eq(pread(fd, &byte, 1, MEMORY_GPA + MEMORY_PAGE_BYTES + 5), 1);
	cr_assert_eq(byte, 77);
	cr_assert_null(memory_alloc(&mem, BYTES));
	memory_fini(&mem);
}

Test(driver_memory, file_that_is_too_short_or_none_is_refused)
{
	struct memory mem = {.fd = -1};

	cr_assert_eq(memory_init_file(&mem, path, BYTES + 1), -EINVAL);
	cr_assert_eq(mem.fd, -1);
	memory_fini(&mem);
	cr_assert_eq(memory_init_file(&mem, path, 0), -EINVAL);
	cr_assert_eq(memory_init_file(&mem, path, UINT64_MAX), -EINVAL);
	cr_assert_eq(memory_init_file(&mem, "/nonexistent", BYTES), -ENOENT);
	memory_fini(&mem);
}
