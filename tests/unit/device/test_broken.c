/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings that make no sense and memory that is gone: named, told once, over at the reset. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/fault.h"
#include "fake/guest_virtq.h"
#include "harness.h"

static unsigned int nb_lines;
static char last_line[512];

static void
keep_line(enum log_level level, const char *type, const char *line)
{
	nb_lines++;
	snprintf(last_line, sizeof(last_line), "%s", line);
}

static enum virtq_broken
broken(struct h *h)
{
	struct device_stats stats;

	device_stats(h->device, &stats);
	return stats.broken;
}

static void
reset(struct h *h)
{
	loopback_reset(h->transport);
	fake_guest_reset(h->guest, 0);
	fake_guest_reset(h->guest, 1);
}

TestSuite(device_broken, .timeout = 30);

static void
check_ring(unsigned int queue, const char *name)
{
	struct h *h = h_create(NULL);
	uint16_t *avail = h->guest->queues[queue].driver;
	uint32_t s = h_open(h);

	cr_assert_eq(h_reqbufs(h, s, 1), 1);
	cr_assert_eq(h_qbuf(h, s, 0), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	log_set_sink(keep_line);
	avail[1] = 30000;               /* more than the ring holds */
	h->backend->frames_allowed = 1; /* an eventq is looked at when there is an event */
	h->device->backend_due_tsc = 0;
	h_pass(h, 5);
	cr_assert_eq(broken(h), VIRTQ_AVAIL_JUMPED);
	cr_assert_eq(nb_lines, 1, "told once: %s", last_line);
	cr_assert(strstr(last_line, name), "%s", last_line);
	cr_assert(strstr(last_line, virtq_broken_text(VIRTQ_AVAIL_JUMPED)), "%s", last_line);
	reset(h);
	cr_assert_eq(broken(h), VIRTQ_SOUND, "cleared by the reset");
	h_pass(h, 5);
	cr_assert_eq(nb_lines, 1);
	h_start(h);
	cr_assert_eq(broken(h), VIRTQ_SOUND);
	h_open(h);
	cr_assert_eq(loopback_given_up(h->transport), 0);
	h_destroy(h);
}

/* proves: R-14 B48 */
Test(device_broken, a_commandq_is_named_and_told_once)
{
	check_ring(0, "commandq");
}

Test(device_broken, an_eventq_is_named_and_told_once)
{
	check_ring(1, "eventq");
}

Test(device_broken, a_queue_that_starts_does_not_hide_the_other_that_is_broken)
{
	struct h *h = h_create(NULL);
	uint16_t *avail = h->guest->queues[0].driver;

	avail[1] = 30000;
	h_pass(h, 2);
	cr_assert_eq(broken(h), VIRTQ_AVAIL_JUMPED);
	loopback_ring_stop(h->transport, 1, TRANSPORT_STOP);
	fake_guest_reset(h->guest, 1);
	const struct virtq_config config = fake_guest_virtq(h->guest, 1);

	cr_assert_eq(loopback_ring_start(h->transport, 1, &config), 0);
	cr_assert_eq(broken(h), VIRTQ_AVAIL_JUMPED);
	h_destroy(h);
}

static void
check_lost(enum device_lost lost, const char *whose)
{
	struct h *h = h_create(NULL);
	struct guest_mem mem;

	cr_assert_eq(fake_guest_mem(h->guest, &mem), 0);
	h_open(h);
	h_pass(h, 2);
	log_set_sink(keep_line);
	cr_assert_not(device_poller_ops.arm(&h->device->poller));
	device_poller_ops.disarm(&h->device->poller);
	atomic_fetch_or(&h->device->lost, lost);
	cr_assert(device_poller_ops.arm(&h->device->poller), "a reactor does not sleep over it");
	h_pass(h, 5);
	cr_assert_eq(broken(h), VIRTQ_MEMORY_LOST);
	cr_assert_eq(h->device->counters.nb_memory_lost, 1);
	cr_assert_eq(loopback_given_up(h->transport), 1);
	cr_assert_eq(nb_lines, 1);
	cr_assert(strstr(last_line, whose), "%s", last_line);
	cr_assert_not(device_poller_ops.arm(&h->device->poller), "and not for ever");
	/* what a transport does at the end of a connection, and the next one */
	loopback_ring_stop(h->transport, 0, TRANSPORT_STOP);
	loopback_ring_stop(h->transport, 1, TRANSPORT_STOP);
	loopback_set_memory(h->transport, NULL);
	reset(h);
	loopback_set_memory(h->transport, &mem);
	h_start(h);
	cr_assert_eq(broken(h), VIRTQ_SOUND);
	h_open(h);
	h_pass(h, 2);
	cr_assert_eq(loopback_given_up(h->transport), 1);
	h_destroy(h);
}

/* proves: S-22 */
Test(device_broken, lost_guest_memory_ends_the_connection_once)
{
	check_lost(DEVICE_LOST_GUEST, "front-end");
}

Test(device_broken, lost_buffer_memory_ends_the_connection_once)
{
	check_lost(DEVICE_LOST_ARENA, "buffer memory");
}

Test(device_broken, the_reset_brings_buffer_memory_back_that_others_see)
{
	struct h *h = h_create(NULL);
	char *at = shm_arena_addr(device_arena(h->device), 0);
	char seen = 0;

	cr_assert_neq(mmap(at, 65536, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		MAP_FAILED);
	atomic_fetch_or(&h->device->lost, DEVICE_LOST_ARENA);
	h_pass(h, 2);
	reset(h);
	*at = 42;
	cr_assert_eq(pread(shm_arena_fd(device_arena(h->device)), &seen, 1, 0), 1);
	cr_assert_eq(seen, 42);
	h_start(h);
	h_open(h);
	h_destroy(h);
}

/* The arena stays lost when there are no pages for it; here its mark comes back. */
Test(device_broken, rings_do_not_start_without_buffer_memory)
{
	struct h *h = h_create(NULL);
	const struct virtq_config config = fake_guest_virtq(h->guest, 0);

	reset(h);
	atomic_fetch_or(&h->device->lost, DEVICE_LOST_ARENA);
	cr_assert_eq(loopback_ring_start(h->transport, 0, &config), -ENOMEM);
	h_destroy(h);
}
