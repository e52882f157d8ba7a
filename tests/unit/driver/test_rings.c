/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fake_device.h"
#include "linux/virtio_media.h"

struct variant {
	int packed, indirect, event_idx;
	uint16_t queue_size;
};

static struct variant variants[] = {
	{0, 0, 0, 8},
	{0, 1, 0, 8},
	{0, 0, 1, 8},
	{0, 1, 1, 8},
	{0, 1, 1, 2},
	{1, 0, 0, 8},
	{1, 1, 0, 8},
	{1, 0, 1, 8},
	{1, 1, 1, 8},
	{1, 1, 1, 2},
};

static struct driver *
create(const struct variant *v, enum driver_wait wait)
{
	struct driver_config config;
	struct driver *drv;

	driver_config_init(&config);
	config.packed = v->packed;
	config.indirect = v->indirect;
	config.event_idx = v->event_idx;
	config.commandq_size = v->queue_size;
	config.eventq_size = v->queue_size;
	config.nb_event_buffers = v->queue_size;
	config.mem_bytes = 1 << 20;
	config.wait = wait;
	config.local_eventfds = true;
	config.timeout_ms = 2000;
	cr_assert_eq(driver_create_local(&config, &drv), 0);
	return drv;
}

static const struct driver_raw_shape shape = {
	.pieces = {{0, 16}, {48, 88}, {24, 8}, {48, 88}},
	.nb_read = 2,
	.nb_write = 2,
};

ParameterizedTestParameters(driver_rings, chains_go_round_many_times)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(*variants));
}

ParameterizedTest(struct variant *v, driver_rings, chains_go_round_many_times)
{
	struct driver *drv = create(v, DRIVER_POLL);
	struct driver_raw *raw;
	struct fake_ring ring;
	bool fits = v->indirect || v->queue_size >= 4;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	if (!fits) {
		cr_assert_eq(driver_raw_submit(raw), -ENOSPC);
	}
	/* Beyond 65536, so that the free-running indices wrap. */
	for (uint32_t i = 0; fits && i < 70000; i++) {
		struct fake_chain c;
		struct driver_timing t;
		uint32_t len, tag;

		memcpy(driver_raw_buffer(raw), &i, sizeof(i));
		cr_assert_eq(driver_raw_submit(raw), 0);
		cr_assert_eq(driver_raw_submit(raw), -EBUSY);
		cr_assert(fake_pop(&ring, &c));
		cr_assert_eq(c.indirect, v->indirect);
		cr_assert_eq(c.nb_read, 2);
		cr_assert_eq(c.nb_write, 2);
		cr_assert_eq(c.pieces[0].len, 16);
		cr_assert_eq(c.pieces[3].len, 88);
		cr_assert_eq(c.pieces[1].mem, c.pieces[3].mem);
		memcpy(&tag, c.pieces[0].mem, sizeof(tag));
		cr_assert_eq(tag, i);
		cr_assert_eq(driver_raw_poll(raw, &len, &t), 0);
		fake_push(&ring, &c, 8 + i % 89);
		cr_assert_eq(driver_raw_poll(raw, &len, &t), 1);
		cr_assert_eq(len, 8 + i % 89);
		cr_assert_leq(t.submit_tsc, t.seen_tsc);
	}
	driver_raw_release(raw);
	fake_end(drv);
}

ParameterizedTestParameters(driver_rings, answers_may_overtake_each_other)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(*variants));
}

ParameterizedTest(struct variant *v, driver_rings, answers_may_overtake_each_other)
{
	struct driver *drv = create(v, DRIVER_POLL);
	struct driver_raw *raw[2];
	struct fake_ring ring;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	for (unsigned int i = 0; i < 2; i++) {
		cr_assert_eq(driver_raw_prepare(drv, &shape, &raw[i]), 0);
	}
	for (unsigned int k = 0; k < 1000 && (v->indirect || v->queue_size >= 8); k++) {
		struct fake_chain c[2];
		uint32_t len;

		for (unsigned int i = 0; i < 2; i++) {
			cr_assert_eq(driver_raw_submit(raw[i]), 0);
			cr_assert(fake_pop(&ring, &c[i]));
		}
		fake_push(&ring, &c[1], 9);
		cr_assert_eq(driver_raw_poll(raw[0], &len, NULL), 0);
		cr_assert_eq(driver_raw_poll(raw[1], &len, NULL), 1);
		cr_assert_eq(len, 9);
		fake_push(&ring, &c[0], 10);
		cr_assert_eq(driver_raw_poll(raw[0], &len, NULL), 1);
		cr_assert_eq(len, 10);
	}
	driver_raw_release(raw[0]);
	driver_raw_release(raw[1]);
	fake_end(drv);
}

static bool
kicked(const struct fake_ring *r)
{
	uint64_t v;

	return read(r->at.kick_fd, &v, sizeof(v)) == sizeof(v);
}

/* What a device writes to say "kick me" or not. */
static void
want_kicks(struct fake_ring *r, bool want)
{
	uint16_t *device = r->at.device;

	if (r->at.features & (1ULL << 34)) {
		device[1] = want ? 0 : 1;
	} else if (r->at.features & (1ULL << 29)) {
		device[2 + 4 * r->at.size] = want ? r->avail : (uint16_t)(r->avail - 1);
	} else {
		device[0] = want ? 0 : 1;
	}
}

ParameterizedTestParameters(driver_rings, kicks_are_written_only_when_wanted)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(*variants));
}

ParameterizedTest(struct variant *v, driver_rings, kicks_are_written_only_when_wanted)
{
	struct driver *drv = create(v, DRIVER_POLL);
	struct driver_raw *raw;
	struct driver_stats stats;
	struct fake_ring ring;
	bool fits = v->indirect || v->queue_size >= 4;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	for (unsigned int i = 0; fits && i < 100; i++) {
		struct fake_chain c;

		want_kicks(&ring, i % 2);
		cr_assert_eq(driver_raw_submit(raw), 0);
		cr_assert_eq(kicked(&ring), i % 2, "round %u", i);
		cr_assert(fake_pop(&ring, &c));
		fake_push(&ring, &c, 8);
		cr_assert_eq(driver_raw_poll(raw, NULL, NULL), 1);
	}
	driver_get_stats(drv, &stats);
	cr_assert(!fits || stats.kicks_suppressed == 50);
	driver_raw_release(raw);
	fake_end(drv);
}

/* Would a device that honours the driver's wish ring the bell for the next used element? */
static bool
wants_call(const struct fake_ring *r)
{
	uint16_t *driver = r->at.driver;

	if (r->at.features & (1ULL << 34)) {
		uint16_t here = (uint16_t)(r->used | (r->used_wrap ? 1u << 15 : 0));

		return driver[1] == 0 || (driver[1] == 2 && driver[0] == here);
	}
	if (r->at.features & (1ULL << 29)) {
		return driver[2 + r->at.size] == r->used;
	}
	return (driver[0] & 1) == 0;
}

ParameterizedTestParameters(driver_rings, interrupts_are_wanted_only_while_armed)
{
	return cr_make_param_array(struct variant, variants, sizeof(variants) / sizeof(*variants));
}

ParameterizedTest(struct variant *v, driver_rings, interrupts_are_wanted_only_while_armed)
{
	struct driver *drv = create(v, DRIVER_SLEEP);
	struct fake_ring ring;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_EVENT);
	for (unsigned int i = 0; i < 3u * v->queue_size; i++) {
		struct virtio_media_event_error event = {
			.hdr = {.event = VIRTIO_MEDIA_EVT_ERROR, .session_id = 1}};

		cr_assert_not(wants_call(&ring));
		cr_assert(driver_arm(drv));
		cr_assert(wants_call(&ring));
		cr_assert(fake_event(&ring, &event, sizeof(event), sizeof(event)));
		cr_assert_not(driver_arm(drv), "something is there");
		cr_assert_eq(driver_poll(drv), 1);
	}
	cr_assert_not(wants_call(&ring));
	fake_end(drv);
}

/* With EVENT_IDX a polling driver must keep used_event out of reach for ever. */
Test(driver_rings, polling_with_event_idx_never_asks_for_an_interrupt)
{
	struct variant v = {.indirect = 1, .event_idx = 1, .queue_size = 4};
	struct driver *drv = create(&v, DRIVER_POLL);
	struct driver_raw *raw;
	struct fake_ring ring;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	for (uint32_t i = 0; i < 140000; i++) {
		struct fake_chain c;

		cr_assert_eq(driver_raw_submit(raw), 0);
		cr_assert(fake_pop(&ring, &c));
		cr_assert_not(wants_call(&ring), "element %u", i);
		fake_push(&ring, &c, 8);
		cr_assert_eq(driver_raw_poll(raw, NULL, NULL), 1);
	}
	driver_raw_release(raw);
	fake_end(drv);
}

Test(driver_rings, used_index_that_runs_away_breaks_the_ring)
{
	struct variant v = {.indirect = 1, .queue_size = 8};
	struct driver *drv = create(&v, DRIVER_POLL);
	struct driver_stats stats;
	struct driver_raw *raw;
	struct fake_ring ring;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	cr_assert_eq(driver_raw_submit(raw), 0);
	((uint16_t *)ring.at.device)[1] = 9;
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), -EIO);
	cr_assert_eq(driver_raw_submit(raw), -EIO);
	driver_get_stats(drv, &stats);
	cr_assert_eq(stats.ring_bad_index, 1);
	driver_raw_release(raw);
	/* A reset makes it whole. */
	cr_assert_eq(driver_reset(drv), 0);
	cr_assert_eq(driver_start(drv), 0);
	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_session_id(fake_open(&ring, 3)), 3);
	fake_end(drv);
}

Test(driver_rings, split_ring_skips_used_ids_that_are_not_in_flight)
{
	struct variant v = {.indirect = 1, .queue_size = 8};
	struct driver *drv = create(&v, DRIVER_POLL);
	struct driver_stats stats;
	struct driver_raw *raw;
	struct fake_ring ring;
	struct fake_chain c;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	cr_assert_eq(driver_raw_submit(raw), 0);
	cr_assert(fake_pop(&ring, &c));
	fake_push_id(&ring, 8, 1, 8);
	fake_push_id(&ring, UINT32_MAX, 1, 8);
	fake_push_id(&ring, (c.id + 1u) % 8, 1, 8);
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), 0);
	fake_push(&ring, &c, 8);
	fake_push(&ring, &c, 8);
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), 1);
	cr_assert_eq(driver_poll(drv), 0);
	driver_get_stats(drv, &stats);
	cr_assert_eq(stats.ring_bad_id, 4);
	cr_assert_eq(stats.completions, 1);
	driver_raw_release(raw);
	fake_end(drv);
}

Test(driver_rings, packed_ring_is_broken_by_a_used_id_that_is_not_in_flight)
{
	struct variant v = {.packed = 1, .indirect = 1, .queue_size = 8};
	struct driver *drv = create(&v, DRIVER_POLL);
	struct driver_stats stats;
	struct driver_raw *raw;
	struct fake_ring ring;
	struct fake_chain c;

	fake_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	cr_assert_eq(driver_raw_submit(raw), 0);
	cr_assert(fake_pop(&ring, &c));
	fake_push_id(&ring, 0xffff, 1, 8);
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), -EIO);
	driver_get_stats(drv, &stats);
	cr_assert_eq(stats.ring_bad_id, 1);
	driver_raw_release(raw);
	fake_end(drv);
}

Test(driver_rings, sleeping_driver_wakes_by_the_call_eventfd)
{
	struct variant v = {.indirect = 1, .event_idx = 1, .queue_size = 8};
	struct driver *drv = create(&v, DRIVER_SLEEP);
	struct pollfd fd = {.events = POLLIN};
	struct fake_ring ring;
	uint64_t one = 1;
	struct virtio_media_event_error event = {
		.hdr = {.event = VIRTIO_MEDIA_EVT_ERROR, .session_id = 1}};

	fake_ring_init(&ring, drv, DRIVER_QUEUE_EVENT);
	fd.fd = driver_call_fd(drv, DRIVER_QUEUE_EVENT);
	cr_assert(driver_arm(drv));
	cr_assert(fake_event(&ring, &event, sizeof(event), sizeof(event)));
	cr_assert_eq(write(ring.at.call_fd, &one, sizeof(one)), sizeof(one));
	cr_assert_eq(poll(&fd, 1, 0), 1);
	cr_assert_eq(driver_wait(drv, 1000), 1);
	cr_assert_eq(poll(&fd, 1, 0), 0, "poll took the interrupt away");
	cr_assert_eq(driver_wait(drv, 2), -ETIMEDOUT);
	fake_end(drv);
}
