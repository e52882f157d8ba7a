/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "shm/arena.h"

#define POOL_DIR "/sys/kernel/mm/hugepages/hugepages-%ukB"

static int64_t
pool_counter(uint32_t page_bytes, const char *name)
{
	char path[128];
	int64_t value;
	FILE *f;
	int nb;

	/* Each page size has a pool of its own; the directory tells which ones exist. */
	snprintf(path, sizeof(path), POOL_DIR "/%s", page_bytes / 1024, name);
	f = fopen(path, "re");
	if (f == NULL) {
		return -ENOTSUP;
	}
	nb = fscanf(f, "%" SCNd64, &value);
	fclose(f);
	return nb == 1 ? value : -EIO;
}

int64_t
shm_hugepages_free(uint32_t page_bytes)
{
	int64_t nb_free = pool_counter(page_bytes, "free_hugepages");
	int64_t nb_reserved = pool_counter(page_bytes, "resv_hugepages");

	if (nb_free < 0 || nb_reserved < 0) {
		return nb_free < 0 ? nb_free : nb_reserved;
	}
	/* A reserved page is still counted as free until it is touched. */
	return MAX(nb_free - nb_reserved, 0);
}

/* vm.nr_hugepages is the pool of this size only; the other sizes have only their sysfs file. */
static uint32_t
default_page_bytes(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	uint32_t kib = 0;
	char line[128];

	if (f == NULL) {
		return 0;
	}
	while (fgets(line, sizeof(line), f) != NULL &&
		sscanf(line, "Hugepagesize: %u", &kib) != 1) {
	}
	fclose(f);
	return kib * 1024;
}

void
shm_hugepages_advice(uint32_t page_bytes, uint64_t nb_needed, char *text, size_t text_bytes)
{
	bool gib = page_bytes >= 1u << 30;
	int64_t nb_free = shm_hugepages_free(page_bytes);
	int64_t nb_total = pool_counter(page_bytes, "nr_hugepages");
	uint32_t size = page_bytes >> (gib ? 30 : 20);
	uint64_t nb_wanted;
	int len;

	if (nb_free < 0 || nb_total < 0) {
		snprintf(text, text_bytes,
			"need %" PRIu64 " huge pages of %u %s: this kernel has none", nb_needed,
			size, gib ? "GiB" : "MiB");
		return;
	}
	len = snprintf(text, text_bytes,
		"need %" PRIu64 " huge pages of %u %s, %" PRId64 " free: ", nb_needed, size,
		gib ? "GiB" : "MiB", nb_free);
	if (len < 0 || (size_t)len >= text_bytes) {
		return;
	}
	/* Enough pages and refused all the same: more of them would not help. */
	if (nb_needed <= (uint64_t)nb_free) {
		snprintf(text + len, text_bytes - (size_t)len,
			"refused by a limit of the mount or of the control group");
		return;
	}
	nb_wanted = (uint64_t)nb_total + nb_needed - (uint64_t)nb_free;
	if (page_bytes == default_page_bytes()) {
		snprintf(text + len, text_bytes - (size_t)len,
			"set vm.nr_hugepages=%" PRIu64 " (sysctl -w vm.nr_hugepages=%" PRIu64 ")",
			nb_wanted, nb_wanted);
	} else {
		snprintf(text + len, text_bytes - (size_t)len,
			"echo %" PRIu64 " > " POOL_DIR "/nr_hugepages", nb_wanted,
			page_bytes / 1024);
	}
}
