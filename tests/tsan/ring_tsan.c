/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A driver thread and a device thread exchange chains over one queue under ThreadSanitizer, each
 * asleep whenever the other has nothing for it: a lost wake-up ends in the time limit below, a
 * missing barrier in a report, a lost, doubled or torn chain in a message.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/iov.h"
#include "fake/guest.h"
#include "fake/guest_virtq.h"
#include "virtq/virtq.h"

#define NB_CHAINS     120000
#define PAYLOAD_WORDS 4
#define WAIT_MS       20000

struct exchange {
	struct fake_guest *g;
	uint64_t nb_device_sleeps;
	uint64_t nb_driver_sleeps;
};

static void
fail(const char *what, uint64_t at)
{
	fprintf(stderr, "ring_tsan: %s at chain %lu\n", what, (unsigned long)at);
	exit(1);
}

/* Sleeps until the eventfd is written; nobody needs that long unless the wake-up was lost. */
static void
wait_for(int fd, const char *who, uint64_t at)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	eventfd_t n;

	if (poll(&p, 1, WAIT_MS) != 1) {
		fail(who, at);
	}
	eventfd_read(fd, &n);
}

static void
echo(struct virtq *vq, const struct virtq_chain *c)
{
	uint64_t words[PAYLOAD_WORDS];
	struct iov_cursor cursor;

	iov_cursor_init(&cursor, c->iov, c->nb_readable, c->readable_bytes);
	if (!iov_read(&cursor, words, sizeof(words))) {
		fail("short input", words[0]);
	}
	for (int i = 0; i < PAYLOAD_WORDS; i++) {
		words[i] = ~words[i];
	}
	iov_cursor_init(&cursor, virtq_chain_writable(c), c->nb_writable, c->writable_bytes);
	iov_write(&cursor, words, sizeof(words));
	virtq_push(vq, c, sizeof(words));
}

static void *
device_main(void *arg)
{
	struct exchange *x = arg;
	struct virtq_config config = fake_guest_virtq(x->g, 0);
	static struct virtq_chain memory[VIRTQ_BURST];
	struct virtq_chain *chains[VIRTQ_BURST];
	struct guest_mem mem;
	struct virtq vq = {0};
	uint64_t done = 0;

	for (unsigned int i = 0; i < VIRTQ_BURST; i++) {
		chains[i] = &memory[i];
	}
	if (fake_guest_mem(x->g, &mem) != 0 || virtq_start(&vq, &config, &mem) != 0) {
		fail("cannot start", 0);
	}
	while (done < NB_CHAINS) {
		unsigned int nb = virtq_pop_burst(&vq, chains, VIRTQ_BURST);

		for (unsigned int i = 0; i < nb; i++) {
			echo(&vq, chains[i]);
		}
		virtq_flush(&vq);
		virtq_notify(&vq);
		done += nb;
		if (nb == 0 && !virtq_kicks_on(&vq)) {
			x->nb_device_sleeps++;
			wait_for(x->g->queues[0].kickfd, "the device was not kicked", done);
		}
		virtq_kicks_off(&vq);
	}
	if (vq.broken || vq.stats.nb_bad_chain > 0) {
		fail("the device refused something", done);
	}
	virtq_stop(&vq);
	return NULL;
}

/* Adds as much as fits, in shapes that take turns. */
static uint64_t
fill(struct fake_guest *g, uint64_t sent)
{
	const uint32_t room[] = {8, 16, 8};
	bool kick;

	while (sent < NB_CHAINS) {
		uint64_t words[PAYLOAD_WORDS] = {sent, sent * 3, sent * 5, sent * 7};
		struct iovec in[] = {{words, 12}, {(char *)words + 12, 20}};

		g->config.shape = (enum fake_shape)(sent % 3);
		if (fake_guest_add(g, 0, in, 2, room, 3) < 0) {
			break;
		}
		sent++;
		if (sent % 5 == 0) {
			break;
		}
	}
	kick = fake_guest_publish(g, 0);
	if (kick) {
		fake_guest_kick(g, 0);
	}
	return sent;
}

/* Takes back what is there: each once, in order, with the right contents. */
static uint64_t
take(struct fake_guest *g, uint64_t seen)
{
	struct fake_used used;
	int rc;

	while ((rc = fake_guest_poll(g, 0, &used)) == 1) {
		uint64_t words[PAYLOAD_WORDS];

		if (used.len != sizeof(words) || !fake_used_copy(&used, words, sizeof(words))) {
			fail("wrong length", seen);
		}
		for (uint64_t i = 0; i < PAYLOAD_WORDS; i++) {
			if (words[i] != ~(seen * (2 * i + 1))) {
				fail("wrong contents or order", seen);
			}
		}
		seen++;
	}
	if (rc != 0) {
		fail("an entry that is not outstanding", seen);
	}
	return seen;
}

static void
driver_main(struct exchange *x)
{
	struct fake_guest *g = x->g;
	uint64_t sent = 0;
	uint64_t seen = 0;

	while (seen < NB_CHAINS) {
		uint64_t before = sent + seen;

		sent = fill(g, sent);
		seen = take(g, seen);
		if (sent + seen > before || seen == NB_CHAINS) {
			continue;
		}
		if (!fake_guest_calls_on(g, 0, 0)) {
			x->nb_driver_sleeps++;
			wait_for(g->queues[0].callfd, "the driver was not called", seen);
		}
		fake_guest_calls_off(g, 0);
	}
}

static void
exchange(bool packed, bool event_idx, uint16_t queue_size)
{
	struct fake_guest_config config = {
		.packed = packed,
		.event_idx = event_idx,
		.indirect = true,
		.queue_size = queue_size,
		.nb_regions = 2,
	};
	struct exchange x = {.g = fake_guest_create(&config)};
	pthread_t device;

	if (pthread_create(&device, NULL, device_main, &x) != 0) {
		fail("no thread", 0);
	}
	driver_main(&x);
	pthread_join(device, NULL);
	if (x.g->nb_overruns > 0) {
		fail("buffers were written behind their end", NB_CHAINS);
	}
	printf("%s%s, %u slots: %d chains, device slept %lu times, driver %lu\n",
		packed ? "packed" : "split", event_idx ? " with EVENT_IDX" : "", queue_size,
		NB_CHAINS, (unsigned long)x.nb_device_sleeps, (unsigned long)x.nb_driver_sleeps);
	fake_guest_destroy(x.g);
}

int
main(void)
{
	exchange(false, false, 64);
	exchange(false, true, 32);
	exchange(true, false, 50);
	exchange(true, true, 21);
	return 0;
}
