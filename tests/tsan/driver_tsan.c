/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of lib/driver against those of lib/virtq, which share no line, between two threads
 * under ThreadSanitizer. Each sleeps whenever the other has nothing for it, several chains are in
 * flight and come back in any order: a lost wake-up ends in a time-out, a missing barrier in a
 * report, a lost, doubled or torn chain in a message.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/iov.h"
#include "base/util.h"
#include "driver/driver.h"
#include "virtq/virtq.h"

#define NB_CHAINS    20000
#define NB_IN_FLIGHT 6
#define WORDS        4
#define WAIT_MS      20000

#define F_INDIRECT (1ULL << 28)
#define F_EVENT    (1ULL << 29)
#define F_PACKED   (1ULL << 34)

struct exchange {
	struct driver *drv;
	struct driver_ring_layout at;
	uint64_t nb_sleeps;
};

static const char *variant;

static void
fail(const char *what, uint64_t at)
{
	fprintf(stderr, "driver_tsan: %s: %s at chain %lu\n", variant, what, (unsigned long)at);
	exit(1);
}

static void
must(bool claim, const char *what, uint64_t at)
{
	if (!claim) {
		fail(what, at);
	}
}

static void
device_start(struct exchange *x, struct virtq *vq, struct guest_mem *mem)
{
	const struct driver_ring_layout *at = &x->at;
	struct guest_mem_region region = {.gpa = at->desc_gpa, .size_bytes = 1 << 20};
	struct virtq_config config = {
		.desc = at->desc,
		.driver = at->driver,
		.device = at->device,
		.size = at->size,
		.packed = (at->features & F_PACKED) != 0,
		.event_idx = (at->features & F_EVENT) != 0,
		.indirect = (at->features & F_INDIRECT) != 0,
		.callfd = at->call_fd,
		.kickfd = at->kick_fd,
	};

	if (config.packed) {
		config.avail_base = config.used_base = 0x8000;
	}
	region.addr = driver_mem_host(x->drv, region.gpa, region.size_bytes);
	must(region.addr != NULL && guest_mem_init(mem, &region, 1) == 0, "memory", 0);
	must(virtq_start(vq, &config, mem) == 0, "virtq_start", 0);
}

static void
serve(struct virtq *vq, const struct virtq_chain *c)
{
	uint64_t words[WORDS];
	struct iov_cursor cursor;

	iov_cursor_init(&cursor, c->iov, c->nb_readable, c->readable_bytes);
	must(iov_read(&cursor, words, sizeof(words)), "short input", 0);
	for (unsigned int i = 0; i < WORDS; i++) {
		words[i] = ~words[i];
	}
	iov_cursor_init(&cursor, virtq_chain_writable(c), c->nb_writable, c->writable_bytes);
	must(iov_write(&cursor, words, sizeof(words)), "short output", words[0]);
	virtq_push(vq, c, sizeof(words));
}

static void
device_sleep(struct exchange *x, struct virtq *vq, uint64_t at)
{
	struct pollfd p = {.fd = x->at.kick_fd, .events = POLLIN};
	eventfd_t n;

	if (!virtq_kicks_on(vq)) {
		must(poll(&p, 1, WAIT_MS) == 1, "the device waits for ever", at);
		eventfd_read(p.fd, &n);
		x->nb_sleeps++;
	}
	virtq_kicks_off(vq);
}

static void *
device_main(void *arg)
{
	static struct virtq_chain memory[VIRTQ_BURST];
	struct virtq_chain *chains[VIRTQ_BURST];
	struct exchange *x = arg;
	struct guest_mem mem;
	struct virtq vq = {0};
	uint64_t done = 0;

	for (unsigned int i = 0; i < VIRTQ_BURST; i++) {
		chains[i] = &memory[i];
	}
	device_start(x, &vq, &mem);
	while (done < NB_CHAINS) {
		unsigned int nb = virtq_pop_burst(&vq, chains, VIRTQ_BURST);

		if (nb == 0) {
			device_sleep(x, &vq, done);
			continue;
		}
		/* Last come, first served. */
		for (unsigned int i = nb; i-- > 0;) {
			serve(&vq, chains[i]);
		}
		virtq_flush(&vq);
		virtq_notify(&vq);
		done += nb;
	}
	virtq_stop(&vq);
	return NULL;
}

static void
fill(struct driver_raw *raw, uint64_t n)
{
	uint64_t words[WORDS] = {n, n * 3, n * 5, n * 7};

	memcpy(driver_raw_buffer(raw), words, sizeof(words));
	must(driver_raw_submit(raw) == 0, "submit", n);
}

static void
check(struct driver_raw *raw, uint64_t n)
{
	uint64_t words[WORDS];

	memcpy(words, (uint8_t *)driver_raw_buffer(raw) + 64, sizeof(words));
	for (unsigned int i = 0; i < WORDS; i++) {
		must(words[i] == ~(n * (2 * i + 1)), "torn answer", n);
	}
}

static uint64_t
nb_taken(const struct exchange *x)
{
	struct driver_stats stats;

	driver_get_stats(x->drv, &stats);
	return stats.completions;
}

static void
drive(struct exchange *x)
{
	static const struct driver_raw_shape shape = {
		.pieces = {{0, 16}, {16, 16}, {64, 8}, {72, 24}}, .nb_read = 2, .nb_write = 2};
	struct driver_raw *raw[NB_IN_FLIGHT];
	uint64_t carries[NB_IN_FLIGHT], next = 0, done = 0, taken = 0;

	for (unsigned int i = 0; i < NB_IN_FLIGHT; i++) {
		must(driver_raw_prepare(x->drv, &shape, &raw[i]) == 0, "prepare", 0);
		carries[i] = next++;
		fill(raw[i], carries[i]);
	}
	while (done < NB_CHAINS) {
		/* What a look at one of them took for another is there already. */
		must(nb_taken(x) > taken || driver_wait(x->drv, WAIT_MS) > 0,
			"the driver waits for ever", done);
		taken = nb_taken(x);
		for (unsigned int i = 0; i < NB_IN_FLIGHT; i++) {
			uint32_t len;

			if (carries[i] == UINT64_MAX || driver_raw_poll(raw[i], &len, NULL) != 1) {
				continue;
			}
			must(len == WORDS * sizeof(uint64_t), "length", carries[i]);
			check(raw[i], carries[i]);
			done++;
			carries[i] = next < NB_CHAINS ? next++ : UINT64_MAX;
			if (carries[i] != UINT64_MAX) {
				fill(raw[i], carries[i]);
			}
		}
	}
	for (unsigned int i = 0; i < NB_IN_FLIGHT; i++) {
		driver_raw_release(raw[i]);
	}
}

static void
run(bool packed, bool indirect, bool event_idx)
{
	static char name[64];
	struct driver_config config;
	struct driver_stats stats;
	struct exchange x = {0};
	pthread_t device;

	snprintf(name, sizeof(name), "%s%s%s", packed ? "packed" : "split",
		indirect ? " indirect" : "", event_idx ? " event_idx" : "");
	variant = name;
	driver_config_init(&config);
	config.packed = packed;
	config.indirect = indirect;
	config.event_idx = event_idx;
	config.commandq_size = 32;
	config.mem_bytes = 1 << 20;
	config.local_eventfds = true;
	config.timeout_ms = WAIT_MS;
	must(driver_create_local(&config, &x.drv) == 0, "create", 0);
	must(driver_ring_layout(x.drv, DRIVER_QUEUE_COMMAND, &x.at) == 0, "layout", 0);
	must(pthread_create(&device, NULL, device_main, &x) == 0, "thread", 0);
	drive(&x);
	pthread_join(device, NULL);
	driver_get_stats(x.drv, &stats);
	must(stats.completions == NB_CHAINS, "completions", stats.completions);
	must(stats.ring_bad_id == 0 && stats.ring_bad_index == 0, "bad used elements", 0);
	printf("%-26s %u chains, sleeps: driver %lu, device %lu\n", variant, NB_CHAINS,
		(unsigned long)stats.sleeps, (unsigned long)x.nb_sleeps);
	driver_disconnect(x.drv);
}

int
main(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		run(i & 1, i & 2, i & 4);
	}
	return 0;
}
