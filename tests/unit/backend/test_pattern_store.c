/* SPDX-License-Identifier: BSD-3-Clause */
/* Which way the bytes of large frames go: the faster one, by the times it is told. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backend/pattern/render.h"
#include "backend/pattern/store.h"
#include "base/util.h"
#include "media/format.h"

#define NB_FRAMES   1000
#define GUARD       0xa5
#define PIECE_BYTES 1024

/* So many frames that take so long each way. Returns how many went past the caches. */
static uint32_t
run(struct store *s, uint64_t cached, uint64_t past, uint32_t nb_frames)
{
	uint32_t nb_past = 0;

	for (uint32_t i = 0; i < nb_frames; i++) {
		store_begin(s);
		store_spent(s, (s->way == STORE_CACHED ? cached : past) / 2, false);
		store_spent(s, (s->way == STORE_CACHED ? cached : past) / 2, true);
		nb_past += s->way == STORE_PAST_CACHES;
	}
	return nb_past;
}

Test(pattern_store, small_frames_go_through_the_caches)
{
	struct store s;

	store_init(&s, STORE_LEAST_BYTES - 1);
	cr_assert_eq(run(&s, 2000, 1000, NB_FRAMES), 0);
}

#if defined(__SSE2__)
Test(pattern_store, large_frames_go_the_faster_way_and_try_the_other_seldom)
{
	const uint32_t nb_tries = STORE_NB_FIRST / 2 + NB_FRAMES / STORE_TRY_EVERY;
	struct store s;
	uint32_t nb;

	store_init(&s, STORE_LEAST_BYTES);
	nb = run(&s, 1000, 1300, NB_FRAMES);
	cr_assert(nb >= STORE_NB_FIRST / 2 && nb <= nb_tries, "%u", nb);
	store_init(&s, STORE_LEAST_BYTES);
	nb = run(&s, 1300, 1000, NB_FRAMES);
	cr_assert(NB_FRAMES - nb >= STORE_NB_FIRST / 2 && NB_FRAMES - nb <= nb_tries, "%u", nb);
}

Test(pattern_store, what_was_faster_once_is_forgotten)
{
	struct store s;

	store_init(&s, STORE_LEAST_BYTES);
	run(&s, 1000, 1300, NB_FRAMES);
	run(&s, 1900, 1300, 2 * STORE_TRY_EVERY);
	cr_assert(run(&s, 1900, 1300, NB_FRAMES) > NB_FRAMES * 9 / 10);
	run(&s, 1000, 1300, 2 * STORE_TRY_EVERY);
	cr_assert(run(&s, 1000, 1300, NB_FRAMES) < NB_FRAMES / 10);
}

/* One frame in ten takes ten times as long, whichever way. */
Test(pattern_store, an_interrupted_frame_decides_nothing)
{
	struct store s;
	uint32_t nb_past = 0;

	store_init(&s, STORE_LEAST_BYTES);
	for (uint32_t i = 0; i < NB_FRAMES; i++) {
		uint32_t slow = i % 10 == 3 ? 10 : 1;

		nb_past += run(&s, 1000 * slow, 1300 * slow, 1);
	}
	cr_assert(nb_past < NB_FRAMES / 10, "%u", nb_past);
}
#endif

static struct store
forced(enum store_way way)
{
	return (struct store){.way = way};
}

/* Any place, any length: these bytes and no others. */
Test(pattern_store, both_ways_write_the_same_bytes)
{
	_Alignas(64) uint8_t from[PIECE_BYTES], to[PIECE_BYTES], expected[PIECE_BYTES];
	struct vmedia_plane plane = {.addr = to, .length = PIECE_BYTES};
	struct store s = forced(STORE_PAST_CACHES);

	for (uint32_t i = 0; i < PIECE_BYTES; i++) {
		from[i] = (uint8_t)rand();
	}
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t offset = (uint32_t)rand() % PIECE_BYTES;
		uint32_t nb = (uint32_t)rand() % (PIECE_BYTES - offset + 1);
		uint32_t at = (uint32_t)rand() % (PIECE_BYTES - nb + 1);

		memset(to, GUARD, PIECE_BYTES);
		memset(expected, GUARD, PIECE_BYTES);
		memcpy(expected + offset, from + at, nb);
		store_write(&s, &plane, offset, from + at, nb);
		cr_assert_arr_eq(to, expected, PIECE_BYTES, "%u bytes to %u", nb, offset);
	}
}

Test(pattern_store, nothing_is_written_behind_a_plane)
{
	uint8_t from[128] = {1}, to[128];
	struct vmedia_plane plane = {.addr = to, .length = 100};
	struct store s = forced(STORE_PAST_CACHES);

	memset(to, GUARD, sizeof(to));
	store_write(&s, &plane, 40, from, 64);
	store_write(&s, &plane, 100, from, 1);
	store_write(&s, &plane, UINT32_MAX, from, 64);
	cr_assert_eq(to[40], 1);
	for (uint32_t i = plane.length; i < sizeof(to); i++) {
		cr_assert_eq(to[i], GUARD);
	}
}

static uint8_t *
draw(const struct vmedia_format *format, enum store_way way)
{
	const struct render_strip strip = {.sequence = 9};
	struct vmedia_plane plane = {.length = format->sizeimage[0]};
	struct render *r = malloc(sizeof(*r));

	plane.addr = aligned_alloc(64, (size_t)round_up(plane.length, 64));
	cr_assert(r != NULL && plane.addr != NULL);
	cr_assert_eq(render_init(r, format, &render_plain), 0);
	r->store = forced(way);
	render_begin(r, &plane, &strip, &render_plain);
	while (!render_slice(r, 0)) {
	}
	free(r);
	return plane.addr;
}

Test(pattern_store, a_frame_is_the_same_both_ways)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_XBGR32};

	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		struct vmedia_format format = {.fourcc = fourccs[i], .width = 4080, .height = 2160};
		uint8_t *cached, *past;

		cr_assert_eq(format_layout(&format), 0);
		cached = draw(&format, STORE_CACHED);
		past = draw(&format, STORE_PAST_CACHES);
		cr_expect(memcmp(cached, past, format.sizeimage[0]) == 0, "%.4s",
			(const char *)&fourccs[i]);
		free(cached);
		free(past);
	}
}
