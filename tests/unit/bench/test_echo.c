/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "driver/driver.h"
#include "echo/echo.h"

#define NB_ROUNDS 1000 /* several times around the ring */

struct variant {
	bool packed, indirect;
};

static struct variant variants[] = {{false, false}, {false, true}, {true, false}, {true, true}};

static struct driver *
local_driver(const struct variant *v)
{
	struct driver_config config;
	struct driver *drv = NULL;

	driver_config_init(&config);
	config.packed = v->packed;
	config.indirect = v->indirect;
	config.wait = DRIVER_POLL;
	config.commandq_size = 64;
	cr_assert_eq(driver_create_local(&config, &drv), 0);
	return drv;
}

static void
expect_echo(struct driver_raw *raw, struct echo_ring *ring, uint8_t round)
{
	uint8_t *bytes = driver_raw_buffer(raw);
	uint32_t used_len = 0;

	for (unsigned int i = 0; i < 100; i++) {
		bytes[i] = (uint8_t)(round + i);
	}
	memset(bytes + 100, 0xaa, 100);
	cr_assert_not(echo_serve(ring), "nothing was published");
	cr_assert_eq(driver_raw_submit(raw), 0);
	cr_assert(echo_serve(ring));
	cr_assert_eq(driver_raw_poll(raw, &used_len, NULL), 1);
	cr_assert_eq(used_len, 30);
	for (unsigned int i = 0; i < 30; i++) {
		cr_assert_eq(bytes[100 + i], (uint8_t)(round + i));
	}
	cr_assert_eq(bytes[130], 0xaa, "beyond the writable part");
}

ParameterizedTestParameters(echo, readable_bytes_come_back_as_many_as_fit)
{
	return cr_make_param_array(struct variant, variants, 4);
}

ParameterizedTest(struct variant *v, echo, readable_bytes_come_back_as_many_as_fit)
{
	struct driver_raw_shape shape = {
		.pieces = {{0, 16}, {16, 24}, {100, 10}, {110, 20}}, .nb_read = 2, .nb_write = 2};
	struct driver *drv = local_driver(v);
	struct driver_raw *raw;
	struct echo_ring ring;

	cr_assert_eq(echo_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND), 0);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	for (unsigned int i = 0; i < NB_ROUNDS; i++) {
		expect_echo(raw, &ring, (uint8_t)i);
	}
	driver_raw_release(raw);
	echo_ring_fini(&ring);
	driver_disconnect(drv);
}

ParameterizedTestParameters(echo, both_halves_may_be_the_same_memory)
{
	return cr_make_param_array(struct variant, variants, 4);
}

ParameterizedTest(struct variant *v, echo, both_halves_may_be_the_same_memory)
{
	struct driver_raw_shape shape = {
		.pieces = {{0, 8}, {8, 32}, {8, 32}}, .nb_read = 2, .nb_write = 1};
	struct driver *drv = local_driver(v);
	struct driver_raw *raw;
	struct echo_ring ring;
	uint8_t *bytes;

	cr_assert_eq(echo_ring_init(&ring, drv, DRIVER_QUEUE_COMMAND), 0);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	bytes = driver_raw_buffer(raw);
	for (unsigned int i = 0; i < 40; i++) {
		bytes[i] = (uint8_t)i;
	}
	cr_assert_eq(driver_raw_submit(raw), 0);
	cr_assert(echo_serve(&ring));
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), 1);
	for (unsigned int i = 0; i < 32; i++) {
		cr_assert_eq(bytes[8 + i], i, "byte %u is %u", i, bytes[8 + i]);
	}
	driver_raw_release(raw);
	echo_ring_fini(&ring);
	driver_disconnect(drv);
}

ParameterizedTestParameters(echo, events_go_into_posted_buffers_until_none_is_left)
{
	return cr_make_param_array(struct variant, variants, 4);
}

ParameterizedTest(struct variant *v, echo, events_go_into_posted_buffers_until_none_is_left)
{
	static const uint8_t event[ECHO_MAX_BYTES] = {[0] = 1, [4] = 7}; /* DQBUF of session 7 */
	struct driver *drv = local_driver(v);
	struct driver_stats stats;
	struct echo_ring ring;

	cr_assert_eq(echo_ring_init(&ring, drv, DRIVER_QUEUE_EVENT), 0);
	for (unsigned int i = 0; i < 16; i++) {
		cr_assert(echo_event(&ring, event));
	}
	cr_assert_not(echo_event(&ring, event), "the driver posts 16 buffers");
	cr_assert_eq(driver_poll(drv), 16);
	driver_get_stats(drv, &stats);
	cr_assert_eq(stats.events_unknown_session, 16, "whole events of a session unknown here");
	cr_assert(echo_event(&ring, event), "buffers were posted again");
	echo_ring_fini(&ring);
	driver_disconnect(drv);
}
