/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "shm_fixture.h"

/* proves: R-85 R-87 */
Test(shm_arena, the_size_is_rounded_to_a_power_of_two_and_to_a_granule)
{
	static const uint64_t asked[] = {1, 65536, 65537, 3 << 20, 5u << 20};
	static const uint64_t got[] = {65536, 65536, 131072, 4 << 20, 8u << 20};

	for (unsigned int i = 0; i < 5; i++) {
		struct fixture f;
		struct stat st;

		fixture_init(&f, asked[i], SHM_PAGE_4K, false);
		cr_assert_eq(shm_arena_size(f.arena), got[i]);
		cr_assert_eq(fstat(shm_arena_fd(f.arena), &st), 0);
		cr_assert_eq((uint64_t)st.st_size, got[i]);
		fixture_fini(&f);
	}
}

Test(shm_arena, sizes_of_zero_and_over_4_gib_are_refused_with_the_reason)
{
	struct shm_arena_config config = {.name = "cam0", .page = SHM_PAGE_4K};
	struct shm_arena *arena;

	fixture_capture_log();
	cr_assert_eq(shm_arena_create(&config, &arena), -EINVAL);
	cr_assert(strstr(fixture_line, "cam0"));
	config.size_bytes = SHM_ARENA_MAX_BYTES + 1;
	cr_assert_eq(shm_arena_create(&config, &arena), -EINVAL);
	cr_assert(strstr(fixture_line, "4294967297"));
}

Test(shm_arena, four_gib_of_small_pages_cost_nothing_and_can_be_one_range)
{
	struct fixture f;
	struct shm_range range;

	fixture_init(&f, SHM_ARENA_MAX_BYTES, SHM_PAGE_4K, false);
	cr_assert_eq(shm_arena_size(f.arena), SHM_ARENA_MAX_BYTES);
	cr_assert_eq(fixture_blocks(&f), 0u);
	cr_assert_eq(shm_range_alloc(f.arena, UINT32_MAX, &range), 0);
	cr_assert_eq(range.offset, 0u);
	shm_range_free(f.arena, &range);
	cr_assert_eq(fixture_nb_lines, 0u);
	fixture_fini(&f);
}

/* vmm.md R1: it rules out SIGBUS in the front-end. */
/* proves: R-85 S-22 */
Test(shm_arena, the_file_can_neither_shrink_nor_grow_nor_lose_its_seals)
{
	int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct fixture f;
	int fd;

	fixture_init(&f, 1 << 20, SHM_PAGE_4K, false);
	fd = shm_arena_fd(f.arena);
	cr_assert_eq(fcntl(fd, F_GET_SEALS) & wanted, wanted);
	cr_assert_eq(fcntl(fd, F_GET_SEALS) & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE), 0);
	cr_assert_eq(ftruncate(fd, 4096), -1);
	cr_assert_eq(ftruncate(fd, 2 << 20), -1);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fixture_fini(&f);
}

Test(shm_arena, the_mapping_is_shared_with_the_front_end_and_aligned)
{
	struct fixture f;

	fixture_init(&f, 8 << 20, SHM_PAGE_4K, false);
	cr_assert_eq((uintptr_t)shm_arena_addr(f.arena, 0) % (2 << 20), 0u);
	cr_assert_eq(
		(char *)shm_arena_addr(f.arena, 70000) - (char *)shm_arena_addr(f.arena, 0), 70000);
	*(uint8_t *)shm_arena_addr(f.arena, 70000) = 0x5a;
	cr_assert_eq(f.guest[70000], 0x5au);
	cr_assert_eq(shm_arena_page_bytes(f.arena), (uint32_t)sysconf(_SC_PAGESIZE));
	fixture_fini(&f);
}

static unsigned int
nb_mappings(void)
{
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned int nb = 0;
	char line[512];

	cr_assert(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL) {
		nb += strstr(line, "memfd:vmedia-") != NULL;
	}
	fclose(f);
	return nb;
}

Test(shm_arena, a_destroyed_arena_leaves_no_fd_and_no_mapping)
{
	struct shm_arena_config config = {
		.name = "a/b", .size_bytes = 4 << 20, .page = SHM_PAGE_4K};
	struct shm_arena *arena;
	int first = dup(0);

	close(first);
	for (unsigned int i = 0; i < 50; i++) {
		cr_assert_eq(shm_arena_create(&config, &arena), 0);
		cr_assert_eq(shm_arena_fd(arena), first);
		cr_assert_eq(nb_mappings(), 1u);
		shm_arena_destroy(arena);
	}
	cr_assert_eq(nb_mappings(), 0u);
	shm_arena_destroy(NULL);
}

/* The kernel as the judge: a plain access would be a signal, which sanitizers catch themselves. */
Test(shm_arena, a_closed_arena_can_be_neither_read_nor_written_here)
{
	struct fixture f;
	void *addr;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	fixture_init(&f, 1 << 20, SHM_PAGE_4K, true);
	addr = shm_arena_addr(f.arena, 0);
	cr_assert_eq(write(fds[1], addr, 1), -1);
	cr_assert_eq(errno, EFAULT);
	cr_assert_eq(write(fds[1], "x", 1), 1);
	cr_assert_eq(read(fds[0], addr, 1), -1);
	cr_assert_eq(errno, EFAULT);
	f.guest[0] = 1;
	fixture_fini(&f);
	close(fds[0]);
	close(fds[1]);
}

/* ---- Refusals ---- */

static uint64_t
pool_counter(const char *name)
{
	char path[128];
	uint64_t value;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-2048kB/%s", name);
	f = fopen(path, "re");
	if (f == NULL) {
		cr_skip_test("this kernel has no pages of 2 MiB");
	}
	cr_assert_eq(fscanf(f, "%" SCNu64, &value), 1);
	fclose(f);
	return value;
}

struct pool {
	uint64_t nb_total;
	uint64_t nb_free;
};

static struct pool
pool_read(void)
{
	return (struct pool){pool_counter("nr_hugepages"),
		pool_counter("free_hugepages") - pool_counter("resv_hugepages")};
}

/* False when another process changed the pool since: then the numbers cannot be compared. */
static bool
pool_is_still(struct pool before)
{
	struct pool now = pool_read();

	return now.nb_total == before.nb_total && now.nb_free == before.nb_free;
}

/* Parses the line by which an arena is refused and compares it with the kernel's counters. */
static void
assert_refusal(const char *line, uint64_t nb_wanted, struct pool pool)
{
	uint64_t need, avail, set, command;
	const char *text = strstr(line, "need ");

	cr_assert(text != NULL, "%s", line);
	cr_assert_eq(sscanf(text,
			     "need %" SCNu64 " huge pages of 2 MiB, %" SCNu64
			     " free: set vm.nr_hugepages=%" SCNu64
			     " (sysctl -w vm.nr_hugepages=%" SCNu64 ")",
			     &need, &avail, &set, &command),
		4, "%s", line);
	cr_assert_eq(need, nb_wanted);
	cr_assert_eq(avail, pool.nb_free);
	cr_assert_eq(set, pool.nb_total + nb_wanted - pool.nb_free);
	cr_assert_eq(command, set);
}

static void
skip_if_pool_is_large(void)
{
	int64_t nb_free = shm_hugepages_free(2 << 20);

	if (nb_free >= 2048) {
		cr_skip_test("%" PRId64 " huge pages are free: none can be missing", nb_free);
	}
}

Test(shm_arena, too_few_huge_pages_are_refused_with_the_number_and_the_command)
{
	struct shm_arena_config config = {
		.name = "cam3", .size_bytes = SHM_ARENA_MAX_BYTES, .page = SHM_PAGE_2M};
	struct shm_arena *arena;
	struct pool pool;
	int first = dup(0);

	close(first);
	skip_if_pool_is_large();
	fixture_capture_log();
	do {
		pool = pool_read();
		fixture_nb_lines = 0;
		cr_assert_eq(shm_arena_create(&config, &arena), -ENOMEM);
	} while (!pool_is_still(pool));
	cr_assert_eq(fixture_level, LOG_LEVEL_ERR);
	cr_assert_eq(fixture_nb_lines, 1u);
	cr_assert_eq(strncmp(fixture_line, "cam3: ", 6), 0);
	assert_refusal(fixture_line, 2048, pool);
	cr_assert_eq(dup(0), first, "the refused arena left a descriptor behind");
}

Test(shm_arena, without_huge_pages_auto_falls_back_with_one_warning_that_says_how)
{
	struct pool pool;
	struct fixture f;

	skip_if_pool_is_large();
	fixture_capture_log();
	pool = pool_read();
	fixture_init(&f, SHM_ARENA_MAX_BYTES, SHM_PAGE_AUTO, false);
	while (!pool_is_still(pool)) {
		fixture_fini(&f);
		fixture_nb_lines = 0;
		pool = pool_read();
		fixture_init(&f, SHM_ARENA_MAX_BYTES, SHM_PAGE_AUTO, false);
	}
	cr_assert_eq(shm_arena_page_bytes(f.arena), (uint32_t)sysconf(_SC_PAGESIZE));
	cr_assert_eq(fixture_level, LOG_LEVEL_WARNING);
	cr_assert_eq(fixture_nb_lines, 1u);
	assert_refusal(fixture_line, 2048, pool);
	fixture_fini(&f);
}

Test(shm_arena, the_sum_of_several_devices_gets_the_same_advice)
{
	char text[256], little[16];
	struct pool pool;

	do {
		pool = pool_read();
		shm_hugepages_advice(2 << 20, pool.nb_free + 40, text, sizeof(text));
		shm_hugepages_advice(2 << 20, pool.nb_free + 40, little, sizeof(little));
	} while (!pool_is_still(pool));
	assert_refusal(text, pool.nb_free + 40, pool);
	cr_assert_eq(strlen(little), 15u);
	cr_assert_eq(strncmp(little, text, 15), 0);
}

/* sysctl reaches the pool of the default size only. */
Test(shm_arena, the_advice_for_another_page_size_names_its_own_file)
{
	char text[256];

	if (shm_hugepages_free(1 << 30) < 0) {
		cr_skip_test("this kernel has no pages of 1 GiB");
	}
	shm_hugepages_advice(1 << 30, 100000, text, sizeof(text));
	cr_assert_eq(strncmp(text, "need 100000 huge pages of 1 GiB, ", 33), 0, "%s", text);
	cr_assert(strstr(text, " > /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"));
	shm_hugepages_advice(12345 << 10, 1, text, sizeof(text));
	cr_assert(strstr(text, "this kernel has none"), "%s", text);
}

Test(shm_arena, a_directory_that_is_no_hugetlbfs_is_refused_by_name)
{
	struct shm_arena_config config = {
		.name = "cam0", .size_bytes = 1 << 20, .page = SHM_PAGE_2M, .hugetlbfs = "/proc"};
	struct shm_arena *arena;

	fixture_capture_log();
	cr_assert_eq(shm_arena_create(&config, &arena), -EINVAL);
	cr_assert(strstr(fixture_line, "/proc is not a mounted hugetlbfs"), "%s", fixture_line);
}

/* The policy of the page at an address. */
static int
policy_at(void *addr, uint64_t *nodes)
{
	int mode = -1;

	*nodes = 0;
	return syscall(SYS_get_mempolicy, &mode, nodes, 65, addr, MPOL_F_ADDR) == 0 ? mode : -errno;
}

Test(shm_arena, its_pages_come_from_the_node_of_a_cpu_for_whoever_maps_it)
{
	int node = shm_node_of_cpu(0);
	struct fixture f;
	uint64_t nodes;

	cr_assert_eq(shm_node_of_cpu(-1), -1);
	cr_assert_eq(shm_node_of_cpu(99999), -1);
	fixture_init(&f, 1 << 20, SHM_PAGE_4K, false);
	shm_arena_prefer_node(f.arena, -1);
	if (node < 0 || policy_at(f.guest, &nodes) != MPOL_DEFAULT) {
		cr_skip_test("no NUMA here");
	}
	shm_arena_prefer_node(f.arena, node);
	if (policy_at(shm_arena_addr(f.arena, 0), &nodes) == MPOL_DEFAULT) {
		cr_skip_test("mbind is not allowed here");
	}
	cr_assert_eq(policy_at(f.guest, &nodes), MPOL_PREFERRED, "the front-end's mapping, too");
	cr_assert_eq(nodes, 1ULL << node);
	fixture_fini(&f);
}

Test(shm_arena, page_sizes_the_kernel_does_not_have_are_not_supported)
{
	cr_assert_eq(shm_hugepages_free(12345), -ENOTSUP);
}
