/* SPDX-License-Identifier: BSD-3-Clause */
/* Each reason to refuse something of a front-end has one provocation here, which moves its counter
 * and no other. */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "bed.h"
#include "transport/gateway.h"

#define SLOTS        (1ull << 15)
#define HEADER_BYTES 12

static const uint32_t zero_bases[2];

/* A reason without one does not compile. */
#define X(name, help) static void provoke_##name(void);
TRANSPORT_REFUSALS(X)
#undef X

enum reason {
#define X(name, help) REASON_##name,
	TRANSPORT_REFUSALS(X)
#undef X
	NB_REASONS
};

static const struct {
	const char *name;
	void (*provoke)(void);
} reasons[NB_REASONS] = {
#define X(name, help) {#name, provoke_##name},
	TRANSPORT_REFUSALS(X)
#undef X
};

TestSuite(gateway_refusals, .init = bed_set_up, .fini = bed_tear_down, .timeout = 100);

static void
assert_refused(uint32_t request, const void *payload, uint32_t size, int fd)
{
	fe_send(&bed.fe, request, FE_NR, payload, size, fd);
	cr_assert_neq(fe_reply_u64(&bed.fe, request), 0, "request %u", request);
}

static void
assert_state_refused(uint32_t request, uint32_t index, uint32_t num)
{
	uint32_t state[2] = {index, num};

	assert_refused(request, state, sizeof(state), -1);
}

static void
assert_u64_refused(uint32_t request, uint64_t value, int fd)
{
	assert_refused(request, &value, sizeof(value), fd);
}

static void
assert_hangup(void)
{
	char byte;

	cr_assert(!fe_silent(bed.fe.fd, 3000));
	cr_assert_leq(read(bed.fe.fd, &byte, 1), 0);
}

/* ---- messages ---- */

static void
provoke_bad_header(void)
{
	const uint32_t huge[] = {1, 1, 0xffffffff};

	cr_assert_eq(write(bed.fe.fd, huge, HEADER_BYTES), HEADER_BYTES);
	assert_hangup();
}

static void
provoke_unknown_request(void)
{
	assert_refused(99, NULL, 0, -1);
}

static void
provoke_bad_size(void)
{
	assert_refused(9, zero_bases, sizeof(zero_bases), -1);
}

static void
provoke_bad_index(void)
{
	assert_state_refused(18, 2, 1);
}

static void
provoke_bad_fds(void)
{
	assert_u64_refused(12, 0, -1);
}

static void
provoke_bad_features(void)
{
	assert_u64_refused(2, FE_VIRTIO | 1, -1);
}

static void
provoke_read_only(void)
{
	const uint32_t set[4] = {0, 4, 0, 1};

	assert_refused(25, set, sizeof(set), -1);
}

static void
provoke_bad_queue_size(void)
{
	assert_state_refused(8, 0, 3);
}

static void
provoke_no_eventfd(void)
{
	assert_u64_refused(12, 0, bed.fe.mem_fds[0]);
}

/* ---- memory ---- */

/* One file, and that often; addresses are apart by `step`. */
static void
assert_table_refused(uint32_t nb, uint64_t step, int fd)
{
	uint64_t regions[9][4];
	int fds[9];

	for (uint32_t i = 0; i < nb; i++) {
		memcpy(regions[i], (uint64_t[]){i * step, FE_MEM_BYTES, FE_UVA + i * step, 0}, 32);
		fds[i] = fd;
	}
	fe_send_table(&bed.fe, regions, nb, fds, nb);
	cr_assert_neq(fe_reply_u64(&bed.fe, 5), 0);
}

static void
provoke_unmappable(void)
{
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	assert_table_refused(1, FE_GPA, fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void
provoke_too_many_regions(void)
{
	assert_table_refused(9, FE_GPA, bed.fe.mem_fds[0]);
}

static void
provoke_bad_table(void)
{
	assert_table_refused(2, 4096, bed.fe.mem_fds[0]);
}

static void
slots_begin(void)
{
	bed_offer(TRANSPORT_COMPAT_ALL, FE_OFFER | SLOTS);
	fe_set_u64(&bed.fe, 16, FE_PROTOCOL | SLOTS, -1);
	bed.fe.protocol = FE_PROTOCOL | SLOTS;
}

static void
provoke_unknown_region(void)
{
	const uint64_t region[4] = {0, FE_MEM_BYTES, FE_UVA, 0};

	slots_begin();
	cr_assert_neq(fe_mem_reg(&bed.fe, 38, region, -1), 0);
}

/* So that a descriptor number is free, or none is. */
static void
limit_descriptors(unsigned int nb_free)
{
	struct rlimit limit;
	int fd = dup(0);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)fd + nb_free;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
free_descriptors(void)
{
	struct rlimit limit;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
provoke_no_descriptors(void)
{
	const uint64_t region[4] = {0, FE_MEM_BYTES, FE_UVA, 0};
	uint64_t status;

	slots_begin();
	cr_assert_eq(fe_mem_reg(&bed.fe, 37, region, bed.fe.mem_fds[0]), 0);
	limit_descriptors(0);
	status = fe_mem_reg(&bed.fe, 38, region, -1);
	free_descriptors();
	cr_assert_neq(status, 0);
}

/* ---- rings, and librte_vhost ---- */

static void
provoke_bad_ring(void)
{
	fe_qemu_realize(&bed.fe);
	fe_set_mem_table(&bed.fe, -1, 0);
	bed.fe.rings[0].desc = FE_GPA * 8;
	fe_set_state(&bed.fe, 8, 0, FE_QUEUE_SIZE);
	fe_set_state(&bed.fe, 10, 0, 0);
	fe_set_addr(&bed.fe, 0);
	fe_set_u64(&bed.fe, 12, 0, bed.fe.kicks[0]);
	assert_state_refused(18, 0, 1);
}

static void
provoke_library(void)
{
	uint64_t queue = 0;

	/* The gateway gets the last descriptor, and cannot hand it on. The library refuses what
	 * lacks it, or hangs up. */
	fe_get_u64(&bed.fe, 1);
	limit_descriptors(1);
	fe_send(&bed.fe, 13, FE_NR, &queue, sizeof(queue), bed.fe.calls[0]);
	cr_assert(!fe_silent(bed.fe.fd, 3000));
	free_descriptors();
}

/* ---- answers ---- */

static void
start_and_map(void)
{
	fe_qemu_realize(&bed.fe);
	fe_qemu_start(&bed.fe, zero_bases);
	vhost_user_ops.window_map(bed.transport);
}

static void
provoke_map_refused(void)
{
	start_and_map();
	fe_serve_map(&bed.fe, 1);
	cr_assert_lt(fake_device_wait_window(&bed.dev, 1), 0);
}

static void
provoke_map_unanswered(void)
{
	start_and_map();
	close(fe_receive_map(&bed.fe));
	cr_assert_lt(fake_device_wait_window(&bed.dev, 1), 0);
}

static void
provoke_bad_reply(void)
{
	const uint32_t header[] = {9, 5, 0xffffffff};

	start_and_map();
	close(fe_receive_map(&bed.fe));
	cr_assert_eq(fe_send_channel(&bed.fe, header, sizeof(header)), sizeof(header));
	cr_assert_lt(fake_device_wait_window(&bed.dev, 1), 0);
}

/* ---- each alone ---- */

static void
moves_alone(enum reason reason)
{
	struct transport_status status;
	const uint64_t *nb = (const uint64_t *)&status.refused;
	bool is_message = reason < REASON_map_refused;

	reasons[reason].provoke();
	for (int tries = 0; tries < 300; tries++) {
		vhost_user_status(bed.transport, &status);
		if (nb[reason] > 0) {
			break;
		}
		usleep(10000);
	}
	for (unsigned int i = 0; i < NB_REASONS; i++) {
		cr_expect_eq(nb[i] > 0, i == reason, "%s moved %s by %llu", reasons[reason].name,
			reasons[i].name, (unsigned long long)nb[i]);
	}
	cr_expect_eq(status.nb_bad_messages, is_message ? nb[reason] : 0);
}

/* A device that refused nothing yet, and a front-end that said nothing. */
static void
begin_anew(void)
{
	bed.fe.protocol = FE_PROTOCOL;
	bed.fe.rings[0].desc = 0;
	bed.dev.nb_windows = 0;
	bed_offer(TRANSPORT_COMPAT_AUTO, FE_OFFER);
}

/* proves: S-22 */
Test(gateway_refusals, each_reason_moves_its_counter_and_no_other)
{
	for (enum reason i = 0; i < NB_REASONS; i++) {
		begin_anew();
		moves_alone(i);
	}
}
