/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "base/log.h"
#include "base/util.h"
#include "control/hugepages.h"

LOG_TYPE_USE(control);

#define MIB 1048576u

static uint64_t
pages_wanted(const struct device_config *plans, uint32_t nb, enum shm_page_size page,
	uint32_t page_bytes)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < nb; i++) {
		const struct shm_arena_config *arena = &plans[i].arena;

		if (arena->page == page && arena->hugetlbfs == NULL) {
			pages += round_up(arena->size_bytes, page_bytes) / page_bytes;
		}
	}
	return pages;
}

static int
check_named(const struct device_config *plans, uint32_t nb, enum shm_page_size page,
	uint32_t page_bytes)
{
	uint64_t wanted = pages_wanted(plans, nb, page, page_bytes);
	int64_t nb_free = shm_hugepages_free(page_bytes);
	char advice[256];

	if (wanted == 0 || (nb_free >= 0 && wanted <= (uint64_t)nb_free)) {
		return 0;
	}
	shm_hugepages_advice(page_bytes, wanted, advice, sizeof(advice));
	log_err(&log_control, "%s, or say pages=4k", advice);
	return -ENOMEM;
}

static void
settle_auto(struct device_config *plans, uint32_t nb)
{
	uint64_t named = pages_wanted(plans, nb, SHM_PAGE_2M, 2 * MIB);
	uint64_t wanted = pages_wanted(plans, nb, SHM_PAGE_AUTO, 2 * MIB);
	int64_t nb_free = shm_hugepages_free(2 * MIB);
	bool fit = nb_free >= 0 && named + wanted <= (uint64_t)nb_free;
	char advice[256];

	if (wanted > 0 && !fit) {
		shm_hugepages_advice(2 * MIB, named + wanted, advice, sizeof(advice));
		log_warning(&log_control, "arenas use 4 KiB pages, which is slower: %s", advice);
	}
	for (uint32_t i = 0; i < nb; i++) {
		if (plans[i].arena.page == SHM_PAGE_AUTO) {
			plans[i].arena.page = fit ? SHM_PAGE_2M : SHM_PAGE_4K;
		}
	}
}

int
hugepages_check(struct device_config *plans, uint32_t nb_plans)
{
	int rc = check_named(plans, nb_plans, SHM_PAGE_2M, 2 * MIB);

	if (rc == 0) {
		rc = check_named(plans, nb_plans, SHM_PAGE_1G, 1024 * MIB);
	}
	if (rc == 0) {
		settle_auto(plans, nb_plans);
	}
	return rc;
}
