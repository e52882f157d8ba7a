/* SPDX-License-Identifier: BSD-3-Clause */
/* NUMA: which node a CPU belongs to, and whose memory an arena is made of. */
#include <dirent.h>
#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "shm/arena_internal.h"

LOG_TYPE_USE(shm);

#define MAX_NODES 64

int
shm_node_of_cpu(int cpu)
{
	const struct dirent *entry;
	char path[64];
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	dir = cpu >= 0 ? opendir(path) : NULL;
	while (dir != NULL && node < 0 && (entry = readdir(dir)) != NULL) {
		if (sscanf(entry->d_name, "node%d", &node) != 1) {
			node = -1;
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return node;
}

void
shm_arena_prefer_node(struct shm_arena *arena, int node)
{
	uint64_t nodes;

	if (node < 0 || node >= MAX_NODES) {
		return;
	}
	nodes = 1ULL << node;
	/* The C library has no mbind(2); the kernel takes one bit less than it is told. */
	if (syscall(SYS_mbind, arena->base, arena->size_bytes, MPOL_PREFERRED, &nodes,
		    MAX_NODES + 1, 0) != 0) {
		log_info(&log_shm, "an arena cannot be kept on NUMA node %d: %s", node,
			strerror(errno));
	}
}
