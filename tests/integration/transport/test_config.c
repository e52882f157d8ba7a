/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space, unknown and hostile messages: vmm.md section 3, B10, C6, D, E. */
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

TestSuite(gateway_config, .init = bed_set_up, .fini = bed_tear_down, .timeout = 30);

/* INDIRECT_DESC, EVENT_IDX, VERSION_1, RING_PACKED, and the bit of vhost-user itself. */
/* proves: R-3 R-4 R-18 */
Test(gateway_config, features_are_exactly_the_four_of_the_rings)
{
	cr_assert_eq(fe_get_u64(&bed.fe, 1),
		1ull << 28 | 1ull << 29 | 1ull << 32 | 1ull << 34 | 1ull << 30);
}

static void
read_config(uint32_t offset, uint32_t size, bool with_bytes)
{
	uint32_t request[3 + 1024] = {offset, size, 1};
	struct {
		uint32_t offset, size, flags;
		uint8_t bytes[4084];
	} reply;

	memset(request + 3, 0xee, sizeof(request) - 12);
	fe_send(&bed.fe, 24, 0, request, with_bytes ? 12 + size : 12, -1);
	cr_assert_eq(fe_reply(&bed.fe, 24, &reply, sizeof(reply)), 12 + size);
	cr_assert_eq(reply.offset, offset);
	cr_assert_eq(reply.size, size);
	cr_assert_eq(reply.flags, 1);
	for (uint32_t i = 0; i < size; i++) {
		uint64_t at = (uint64_t)offset + i;

		cr_assert_eq(
			reply.bytes[i], at < 40 ? at + 1 : 0, "byte %llu", (unsigned long long)at);
	}
}

/* proves: R-5 S-17 B13 */
Test(gateway_config, D_every_size_and_offset_is_answered_with_zeros_beyond_the_end)
{
	const uint32_t sizes[] = {1, 2, 4, 8, 40, 41, 60, 256, 4084};
	const uint32_t offsets[] = {0, 4, 8, 39, 40, 4000, 0xfffffff0};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int j = 0; j < sizeof(offsets) / sizeof(offsets[0]); j++) {
			read_config(offsets[j], sizes[i], true);
			read_config(offsets[j], sizes[i], false);
		}
	}
}

/* proves: R-6 */
Test(gateway_config, D_writing_config_is_refused_and_the_connection_lives)
{
	uint32_t set[4] = {0, 4, 0, 0x12345678};

	fe_send(&bed.fe, 25, FE_NR, set, sizeof(set), -1);
	cr_assert_neq(fe_reply_u64(&bed.fe, 25), 0);
	fe_send(&bed.fe, 25, 0, set, sizeof(set), -1);
	read_config(0, 40, true);
}

/* proves: R-85 S-22 */
Test(gateway_config, C6_shmem_config_comes_whole_in_one_write)
{
	char reply[12 + 2056 + 1];

	fe_send(&bed.fe, 44, 0, NULL, 0, -1);
	cr_assert(!fe_silent(bed.fe.fd, 3000));
	cr_assert_eq(read(bed.fe.fd, reply, sizeof(reply)), 12 + 2056);
}

static void
assert_refused(uint32_t request, const void *payload, uint32_t size, int fd)
{
	fe_send(&bed.fe, request, FE_NR, payload, size, fd);
	cr_assert_neq(fe_reply_u64(&bed.fe, request), 0, "request %u", request);
}

/* proves: B7 */
Test(gateway_config, B10_unknown_requests_are_refused_with_need_reply_and_ignored_without)
{
	const uint32_t unknown[] = {34, 39, 45, 99, 1004, 0, 0xffffffff};
	uint64_t payload = 0;

	for (unsigned int i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_refused(unknown[i], &payload, 8, -1);
		assert_refused(unknown[i], NULL, 0, bed.fe.calls[0]);
		fe_send(&bed.fe, unknown[i], 0, &payload, 8, -1);
	}
	cr_assert_eq(fe_get_u64(&bed.fe, 17), 2, "nothing in between, and the connection lives");
}

/* proves: R-2 */
Test(gateway_config, E_queues_beyond_the_second_are_refused)
{
	uint32_t state[2] = {7, 1};
	uint64_t file = 200;
	uint64_t addr[5] = {2};

	assert_refused(18, state, sizeof(state), -1);
	assert_refused(8, state, sizeof(state), -1);
	assert_refused(10, state, sizeof(state), -1);
	assert_refused(12, &file, sizeof(file), bed.fe.kicks[0]);
	assert_refused(13, &file, sizeof(file), bed.fe.calls[0]);
	assert_refused(9, addr, sizeof(addr), -1);
	cr_assert_eq(fe_get_u64(&bed.fe, 17), 2);
}

/* proves: S-22 B44 */
Test(gateway_config, E_bad_queue_sizes_and_missing_fds_are_refused)
{
	uint32_t none[2] = {0, 0}, odd[2] = {0, 3}, large[2] = {0, 65535};
	uint64_t file = 0, nofd = 0x100;

	assert_refused(8, none, sizeof(none), -1);
	assert_refused(8, odd, sizeof(odd), -1);
	assert_refused(8, large, sizeof(large), -1);
	assert_refused(12, &file, sizeof(file), -1);
	assert_refused(12, &nofd, sizeof(nofd), bed.fe.kicks[0]);
	assert_refused(21, NULL, 0, -1);
	cr_assert_eq(fe_get_u64(&bed.fe, 17), 2);
}

static void
assert_closed(const uint32_t *header)
{
	struct fe fe = {.fd = -1, .channel = -1};
	char byte;

	fe_disconnect(&bed.fe);
	fe_connect(&fe, bed.path);
	cr_assert_eq(write(fe.fd, header, 12), 12);
	cr_assert(!fe_silent(fe.fd, 3000));
	cr_assert_leq(read(fe.fd, &byte, 1), 0);
	fe_disconnect(&fe);
}

/* proves: S-22 */
Test(gateway_config, E_malformed_headers_close_the_connection_and_the_next_one_is_served)
{
	const uint32_t huge[] = {1, 1, 0xffffffff}, large[] = {1, 1, 4097}, reply[] = {1, 5, 0},
		       version[] = {1, 2, 0};

	assert_closed(huge);
	assert_closed(large);
	assert_closed(reply);
	assert_closed(version);
	fe_connect(&bed.fe, bed.path);
	cr_assert_eq(fe_get_u64(&bed.fe, 17), 2);
}
