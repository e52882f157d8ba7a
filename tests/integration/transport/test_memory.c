/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory tables: vmm.md section 3, C2, C3 and the hostile ones of E. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "bed.h"
#include "transport/gateway.h"

static const uint32_t zero_bases[2];

static void
set_up(void)
{
	bed_set_up();
	fe_qemu_realize(&bed.fe);
}

TestSuite(gateway_memory, .init = set_up, .fini = bed_tear_down, .timeout = 30);

Test(gateway_memory, device_sees_the_guests_bytes_at_guest_addresses)
{
	uint64_t len = 6;
	uint32_t hint = 0;
	const char *seen;

	fe_qemu_start(&bed.fe, zero_bases);
	memcpy(bed.fe.mem[1] + 0x1000, "guest", 6);
	seen = guest_mem_translate(&bed.dev.mem, &hint, FE_GPA + 0x1000, &len);
	cr_assert_str_eq(seen, "guest");
}

Test(gateway_memory, C2_our_own_arena_in_the_table_is_acknowledged_and_changes_nothing)
{
	unsigned int nb_starts, nb_quiesces;

	fe_qemu_start(&bed.fe, zero_bases);
	nb_starts = bed.dev.nb_starts[0];
	nb_quiesces = bed.dev.nb_quiesces;
	fe_set_mem_table(&bed.fe, bed.arena_fd, FE_ARENA_BYTES);
	cr_assert_eq(bed.dev.mem.nb_regions, FE_NB_REGIONS);
	cr_assert_eq(bed.dev.nb_starts[0], nb_starts);
	cr_assert_eq(bed.dev.nb_quiesces, nb_quiesces, "the data plane was not stopped");
}

/* proves: S-21 B27 B43 */
Test(gateway_memory, C2_another_region_restarts_the_rings_on_the_new_table)
{
	int extra = memfd_create("extra", MFD_CLOEXEC);
	unsigned int nb_starts;

	cr_assert_eq(ftruncate(extra, FE_MEM_BYTES), 0);
	fe_qemu_start(&bed.fe, zero_bases);
	nb_starts = bed.dev.nb_starts[0];
	fe_set_mem_table(&bed.fe, extra, FE_MEM_BYTES);
	cr_assert_eq(bed.dev.mem.nb_regions, FE_NB_REGIONS + 1);
	cr_assert_eq(bed.dev.nb_starts[0], nb_starts + 1);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	cr_assert_eq(bed.dev.nb_resets, 1);
	close(extra);
}

/* Sends a table of nb equal-sized regions with nb_fds copies of one fd; the acknowledgement. */
static uint64_t
send_table(uint32_t nb, uint32_t nb_fds, uint64_t gpa_step, int fd)
{
	struct {
		uint32_t header[3];
		uint32_t nb, pad;
		uint64_t regions[33][4];
	} __attribute__((packed)) msg = {{5, 9, 8 + 32 * nb}, nb, 0, {{0}}};
	union {
		char room[CMSG_SPACE(sizeof(int) * 40)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {&msg, 20 + 32 * nb};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	for (uint32_t i = 0; i < nb; i++) {
		msg.regions[i][0] = i * gpa_step;
		msg.regions[i][1] = FE_MEM_BYTES;
		msg.regions[i][2] = FE_UVA + i * (uint64_t)FE_MEM_BYTES;
	}
	if (nb_fds > 0) {
		memset(&control, 0, sizeof(control));
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nb_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * nb_fds);
		for (uint32_t i = 0; i < nb_fds; i++) {
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(fd));
		}
	}
	cr_assert_eq(sendmsg(bed.fe.fd, &mh, 0), (ssize_t)iov.iov_len);
	return fe_reply_u64(&bed.fe, 5);
}

/* proves: S-22 */
Test(gateway_memory, E_bad_tables_are_refused_and_a_good_one_works_afterwards)
{
	int fd = bed.fe.mem_fds[0];
	int pipe_fds[2];

	cr_assert_eq(pipe(pipe_fds), 0);
	cr_assert_neq(send_table(9, 9, FE_GPA, fd), 0, "librte_vhost takes 8");
	cr_assert_neq(send_table(20, 20, FE_GPA, fd), 0);
	cr_assert_neq(send_table(33, 33, FE_GPA, fd), 0);
	cr_assert_neq(send_table(2, 1, FE_GPA, fd), 0, "one fd is missing");
	cr_assert_neq(send_table(2, 33, FE_GPA, fd), 0, "33 fds");
	cr_assert_neq(send_table(2, 2, 4096, fd), 0, "regions overlap");
	cr_assert_neq(send_table(1, 1, FE_GPA, pipe_fds[0]), 0, "a pipe cannot be mapped");
	cr_assert_eq(ftruncate(bed.fe.mem_fds[1], FE_MEM_BYTES - 4096), 0);
	cr_assert_neq(send_table(1, 1, FE_GPA, bed.fe.mem_fds[1]), 0, "the file is too short");
	cr_assert_eq(bed.dev.mem.nb_regions, 0);
	cr_assert_eq(send_table(8, 8, FE_GPA, fd), 0);
	cr_assert_eq(bed.dev.mem.nb_regions, 8);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* What other devices share with the guest may be read-only, or empty. */
Test(gateway_memory, C2_regions_that_cannot_be_mapped_are_left_out_and_acknowledged)
{
	char path[] = "/tmp/vmedia-test-XXXXXX";
	int writable = mkstemp(path), read_only = open(path, O_RDONLY | O_CLOEXEC);

	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(ftruncate(writable, FE_MEM_BYTES), 0);
	fe_qemu_start(&bed.fe, zero_bases);
	fe_set_mem_table(&bed.fe, read_only, FE_MEM_BYTES);
	cr_assert_eq(bed.dev.mem.nb_regions, FE_NB_REGIONS);
	fe_set_mem_table(&bed.fe, writable, 0);
	cr_assert_eq(bed.dev.mem.nb_regions, FE_NB_REGIONS);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	close(writable);
	close(read_only);
}

Test(gateway_memory, E_a_region_removed_under_its_rings_stops_them_and_nothing_else)
{
	const struct fe_region *r = &bed.fe.regions[0];
	const uint64_t region[4] = {r->gpa, r->bytes, FE_UVA + r->gpa, r->offset};

	bed_offer(TRANSPORT_COMPAT_ALL,
		FE_OFFER | 1ull << 13 | 1ull << 15 | 1ull << 16 | 1ull << 20 | 1ull << 31);
	bed.fe.protocol |= 1ull << 15;
	fe_qemu_realize(&bed.fe);
	fe_play(&bed.fe, FE_SCRIPT(36, 2, 37));
	fe_play_rings(&bed.fe, FE_SCRIPT(8, 10, 9, 12, 13, 18));
	bed_assert_runs();
	cr_assert_eq(fe_mem_reg(&bed.fe, 38, region, -1), 0);
	cr_assert_eq(bed.dev.mem.nb_regions, FE_NB_REGIONS - 1);
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	cr_assert_eq(fe_mem_reg(&bed.fe, 37, region, bed.fe.mem_fds[0]), 0);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
}

Test(gateway_memory, E_a_table_that_is_refused_stops_running_rings)
{
	fe_qemu_start(&bed.fe, zero_bases);
	cr_assert_neq(send_table(2, 2, 4096, bed.fe.mem_fds[0]), 0, "regions overlap");
	cr_assert(!bed.dev.running[0] && !bed.dev.running[1]);
	cr_assert_eq(bed.dev.mem.nb_regions, 0);
	fe_set_mem_table(&bed.fe, -1, 0);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
}

/* The gateway looks at used indices, and librte_vhost at whole rings if it knew where they are. */
/* proves: S-22 */
Test(gateway_memory, memory_that_is_cut_marks_its_device_and_the_next_front_end_is_served)
{
	cr_assert_eq(fault_start(), 0);
	fe_set_mem_table(&bed.fe, -1, 0);
	cr_assert_eq(ftruncate(bed.fe.mem_fds[0], 0), 0);
	cr_assert_eq(ftruncate(bed.fe.mem_fds[1], 0), 0);
	for (uint32_t queue = 0; queue < 2; queue++) {
		fe_set_ring(&bed.fe, queue, 0);
		fe_set_state(&bed.fe, 18, queue, 1);
	}
	cr_assert_eq(atomic_load(&bed.dev.lost), 1);
	vhost_user_ops.give_up(bed.transport);
	cr_assert(fake_device_wait_detached(&bed.dev));
	fe_disconnect(&bed.fe);
	atomic_store(&bed.dev.lost, 0);
	for (unsigned int i = 0; i < FE_NB_REGIONS; i++) {
		cr_assert_eq(ftruncate(bed.fe.mem_fds[i], FE_MEM_BYTES), 0);
	}
	fe_connect(&bed.fe, bed.path);
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	cr_assert_eq(atomic_load(&bed.dev.lost), 0);
	fault_stop();
}

static atomic_bool cutter_stops;

static void *
cut_and_mend(void *arg)
{
	int fd = *(const int *)arg;

	while (!atomic_load(&cutter_stops)) {
		cr_expect_eq(ftruncate(fd, 0), 0);
		cr_expect_eq(ftruncate(fd, FE_MEM_BYTES), 0);
	}
	return NULL;
}

/* librte_vhost would look into the rings of each new table, before anybody can guard it. */
Test(gateway_memory, tables_whose_memory_comes_and_goes)
{
	int fd = memfd_create("cut", MFD_CLOEXEC);
	unsigned int nb_taken = 0;
	pthread_t thread;

	cr_assert_eq(fault_start(), 0);
	cr_assert_eq(ftruncate(fd, FE_MEM_BYTES), 0);
	fe_qemu_start(&bed.fe, zero_bases);
	cr_assert_eq(pthread_create(&thread, NULL, cut_and_mend, &fd), 0);
	for (unsigned int i = 0; i < 2000; i++) {
		nb_taken += send_table(1 + i % 2, 1 + i % 2, FE_GPA, fd) == 0;
	}
	atomic_store(&cutter_stops, true);
	pthread_join(thread, NULL);
	cr_expect_gt(nb_taken, 0);
	cr_assert_eq(send_table(2, 2, FE_GPA, fd), 0);
	cr_assert(bed.dev.running[0] && bed.dev.running[1]);
	fault_stop();
	close(fd);
}
