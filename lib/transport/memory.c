/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory tables. A VMM that mapped our arena into the guest lists it as one more region, with the
 * very fd we gave it: it is acknowledged and left out, so the library neither maps it a second time
 * nor spends one of its eight regions on it. Gateway thread.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "transport/internal.h"

static bool
is_arena(const struct vhost_user *vu, int fd)
{
	struct stat st;

	return vu->arena_fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == vu->arena.st_dev &&
	       st.st_ino == vu->arena.st_ino;
}

static void
drop_arena(const struct vhost_user *vu, struct message *msg)
{
	struct message_mem_table *table = &msg->payload.mem;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < table->nb_regions; i++) {
		if (is_arena(vu, msg->fds[i])) {
			close(msg->fds[i]);
			continue;
		}
		table->regions[kept] = table->regions[i];
		msg->fds[kept++] = msg->fds[i];
	}
	table->nb_regions = kept;
	msg->nb_fds = kept;
	msg->header.size = MESSAGE_MEM_TABLE_BYTES(kept);
}

/* A file that ends before its region would fault under the reactor later (S-22). */
static bool
fits_file(const struct message_region *region, int fd)
{
	struct stat st;
	uint64_t end;

	if (fstat(fd, &st) != 0 || !add_ok(region->mmap_offset, region->size_bytes, &end)) {
		return false;
	}
	return !S_ISREG(st.st_mode) || end <= (uint64_t)st.st_size;
}

int
memory_filter(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct message_mem_table *table = &msg->payload.mem;

	drop_arena(vu, msg);
	table->padding = 0;
	if (table->nb_regions > MESSAGE_LIBRARY_REGIONS) {
		log_warning(&log_transport, "%s: %u memory regions, librte_vhost takes %d",
			vu->name, table->nb_regions, MESSAGE_LIBRARY_REGIONS);
		return -E2BIG;
	}
	for (uint32_t i = 0; i < table->nb_regions; i++) {
		if (!fits_file(&table->regions[i], msg->fds[i])) {
			log_warning(&log_transport, "%s: memory region %u is larger than its file",
				vu->name, i);
			return -EFBIG;
		}
	}
	/* The library compares the same way, so it would not map anything anew either. */
	return vu->memory_valid && memcmp(table, &vu->table, msg->header.size) == 0;
}

void
memory_commit(struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;
	int err = library_memory(&vu->library, &vu->mem);

	memcpy(&vu->table, &msg->payload.mem, msg->header.size);
	vu->memory_valid = err == 0;
	vu->memory_changed = true;
	if (err != 0) {
		log_warning(&log_transport, "%s: memory table not usable: %s", vu->name,
			strerror(-err));
		vu->settle_status = err;
	}
}
