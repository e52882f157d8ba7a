/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory tables. A VMM that mapped our arena into the guest lists it as one more region, with the
 * very fd we gave it; and it lists what other devices share with the guest, which we may not be
 * able to map. Both are acknowledged and left out, so that the library spends none of its eight
 * regions on them. Single regions (ADD_MEM_REG, REM_MEM_REG), which the library does not know, go
 * to it as a whole new table. Gateway thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
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

/* A file that ends before its region would fault under the reactor later (S-22). */
static bool
fits_file(const struct message_region *region, int fd)
{
	struct stat st;
	uint64_t end;

	if (fstat(fd, &st) != 0 || !add_ok(region->mmap_offset, region->size_bytes, &end)) {
		return false;
	}
#ifdef VMEDIA_PLANT_MEMORY_TABLE
	return true; /* planted: the fuzzer finds what lies behind the file */
#else
	return !S_ISREG(st.st_mode) || end <= (uint64_t)st.st_size;
#endif
}

static bool
can_be_mapped(const struct message_region *region, int fd)
{
	void *addr;

	uint64_t bytes = region->mmap_offset + region->size_bytes;

	if (region->size_bytes == 0 || !fits_file(region, fd)) {
		return false;
	}
	/* As the library does it: from the start of the file. */
	addr = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (addr != MAP_FAILED) {
		munmap(addr, bytes);
	}
	return addr != MAP_FAILED;
}

static void
leave_out(struct vhost_user *vu, const struct message_region *region)
{
	if (vu->nb_left_out < MESSAGE_MAX_REGIONS) {
		vu->left_out[vu->nb_left_out++] = *region;
	}
}

/* Keeps what is to be mapped. Number of regions that are neither mappable nor ours. */
static uint32_t
keep_mappable(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct message_mem_table *table = &msg->payload.mem;
	uint32_t kept = 0, nb_foreign = 0;

	for (uint32_t i = 0; i < table->nb_regions; i++) {
		bool ours = is_arena(vu, msg->fds[i]);

		if (ours || !can_be_mapped(&table->regions[i], msg->fds[i])) {
			nb_foreign += !ours;
			leave_out(vu, &table->regions[i]);
			close(msg->fds[i]);
			continue;
		}
		table->regions[kept] = table->regions[i];
		msg->fds[kept++] = msg->fds[i];
	}
	table->nb_regions = kept;
	msg->nb_fds = kept;
	msg->header.size = MESSAGE_MEM_TABLE_BYTES(kept);
	return nb_foreign;
}

static int
filter(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct message_mem_table *table = &msg->payload.mem;
	uint32_t nb_foreign = keep_mappable(vu);

	table->padding = 0;
	if (nb_foreign != 0) {
		/* File too short, or not for reading and writing; the others do. */
		int err = refuse(vu, REFUSED_unmappable, -EINVAL);

		if (table->nb_regions == 0) {
			return err;
		}
	}
	if (table->nb_regions > MESSAGE_LIBRARY_REGIONS) {
		return refuse(vu, REFUSED_too_many_regions, -E2BIG);
	}
	/* The library compares the same way, so it would not map anything anew either. */
	return vu->memory_valid && memcmp(table, &vu->table, msg->header.size) == 0;
}

int
memory_filter(struct vhost_user *vu)
{
	vu->nb_left_out = 0;
	return filter(vu);
}

static bool
same_region(const struct message_region *a, const struct message_region *b)
{
	return a->gpa == b->gpa && a->size_bytes == b->size_bytes && a->uva == b->uva;
}

/* The table as it stands, as a message. */
static int
make_table(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;

	message_close_fds(msg);
	for (uint32_t i = 0; i < vu->table.nb_regions; i++) {
		int fd = dup(vu->table_fds[i]);

		if (fd < 0) {
			return refuse(vu, REFUSED_no_descriptors, -errno);
		}
		msg->fds[msg->nb_fds++] = fd;
	}
	msg->header.request = MSG_SET_MEM_TABLE;
	msg->payload.mem = vu->table;
	msg->header.size = MESSAGE_MEM_TABLE_BYTES(vu->table.nb_regions);
	return 0;
}

int
memory_add(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct message_mem_table *table = &msg->payload.mem;
	struct message_region region = msg->payload.mem_reg.region;
	int fd = msg->fds[0];
	int err;

	if (vu->table.nb_regions >= MESSAGE_LIBRARY_REGIONS && !is_arena(vu, fd)) {
		return refuse(vu, REFUSED_too_many_regions, -E2BIG);
	}
	msg->nb_fds = 0;
	err = make_table(vu);
	if (err != 0) {
		close(fd);
		return err;
	}
	msg->fds[msg->nb_fds++] = fd;
	table->regions[table->nb_regions++] = region;
	return filter(vu);
}

int
memory_remove(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	struct message_mem_table *table = &msg->payload.mem;
	struct message_region region = msg->payload.mem_reg.region;
	int err;

	for (uint32_t i = 0; i < vu->nb_left_out; i++) {
		if (same_region(&vu->left_out[i], &region)) {
			vu->left_out[i] = vu->left_out[--vu->nb_left_out];
			return 1;
		}
	}
	err = make_table(vu);
	for (uint32_t i = 0; err == 0 && i < table->nb_regions; i++) {
		if (same_region(&table->regions[i], &region)) {
			close(msg->fds[i]);
			msg->fds[i] = msg->fds[--msg->nb_fds];
			table->regions[i] = table->regions[--table->nb_regions];
			return filter(vu);
		}
	}
	return err != 0 ? err : refuse(vu, REFUSED_unknown_region, -EINVAL);
}

/* Copies of the table's files, for the tables that we shall make of it. */
static void
keep_files(struct vhost_user *vu)
{
	struct message *msg = &vu->reader.msg;
	bool slots = (vu->protocol_features & 1ULL << MSG_F_MEM_SLOTS) != 0;

	for (uint32_t i = 0; i < MESSAGE_LIBRARY_REGIONS; i++) {
		if (vu->table_fds[i] >= 0) {
			close(vu->table_fds[i]);
			vu->table_fds[i] = -1;
		}
		if (slots && i < msg->nb_fds) {
			vu->table_fds[i] = msg->fds[i];
			msg->fds[i] = -1;
		}
	}
}

void
memory_commit(struct vhost_user *vu)
{
	const struct message *msg = &vu->reader.msg;
	int err = library_memory(&vu->library, &vu->mem);

	memcpy(&vu->table, &msg->payload.mem, msg->header.size);
	keep_files(vu);
	vu->memory_valid = err == 0;
	vu->memory_changed = true;
	if (err != 0) {
		vu->settle_status = refuse(vu, REFUSED_bad_table, err);
	}
}

void
memory_begin(struct vhost_user *vu)
{
	vu->memory_changed = false;
	vu->memory_valid = false;
	vu->table.nb_regions = 0;
	vu->nb_left_out = 0;
	for (uint32_t i = 0; i < MESSAGE_LIBRARY_REGIONS; i++) {
		vu->table_fds[i] = -1;
	}
}

void
memory_end(struct vhost_user *vu)
{
	for (uint32_t i = 0; i < MESSAGE_LIBRARY_REGIONS; i++) {
		if (vu->table_fds[i] >= 0) {
			close(vu->table_fds[i]);
		}
	}
	memory_begin(vu);
}
