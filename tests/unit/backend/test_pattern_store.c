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

/* The core's, played here: counts what goes through the caches. */
static uint32_t nb_plane_writes;

void
vmedia_plane_write(struct vmedia_plane *plane, uint32_t offset, const void *src, uint32_t nb_bytes)
{
	nb_plane_writes++;
	if (plane->addr != NULL && offset <= plane->length && nb_bytes <= plane->length - offset) {
		memcpy((char *)plane->addr + offset, src, nb_bytes);
	}
}

/* So many frames that take so long each way, most of it in the first of two slices. Returns how
 * many went past the caches. */
static uint32_t
run(struct store *s, uint64_t cached, uint64_t past, uint32_t nb_frames)
{
	uint32_t nb_past = 0;

	for (uint32_t i = 0; i < nb_frames; i++) {
		uint64_t ticks;

		store_begin(s);
		ticks = s->way == STORE_CACHED ? cached : past;
		store_spent(s, ticks - 100000 / ticks, false);
		store_spent(s, 100000 / ticks, true);
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
#define NB_TRIED (STORE_NB_FIRST / 2 + 2 * (NB_FRAMES / STORE_TRY_EVERY))

Test(pattern_store, large_frames_go_the_faster_way_and_try_the_other_seldom)
{
	struct store s;
	uint32_t nb;

	store_init(&s, STORE_LEAST_BYTES);
	nb = run(&s, 1000, 1300, NB_FRAMES);
	cr_expect_eq(nb, NB_TRIED, "%u past the caches, tried %u", nb, NB_TRIED);
	store_init(&s, STORE_LEAST_BYTES);
	nb = NB_FRAMES - run(&s, 1300, 1000, NB_FRAMES);
	cr_expect_eq(nb, NB_TRIED, "%u through the caches, tried %u", nb, NB_TRIED);
}

Test(pattern_store, it_is_known_after_the_first_few_frames)
{
	struct store s;

	store_init(&s, STORE_LEAST_BYTES);
	run(&s, 1300, 1000, STORE_NB_FIRST);
	cr_expect_eq(run(&s, 1300, 1000, 1), 1);
	store_init(&s, STORE_LEAST_BYTES);
	run(&s, 1000, 1300, STORE_NB_FIRST);
	cr_expect_eq(run(&s, 1000, 1300, 1), 0);
}

Test(pattern_store, a_little_faster_is_no_reason_to_change)
{
	struct store s;

	store_init(&s, STORE_LEAST_BYTES);
	cr_assert_eq(run(&s, 1000, 990, NB_FRAMES), NB_TRIED);
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

/* One frame in seven takes ten times as long, whichever way. Returns how many went past. */
static uint32_t
run_interrupted(uint64_t cached, uint64_t past)
{
	struct store s;
	uint32_t nb_past = 0;

	store_init(&s, STORE_LEAST_BYTES);
	for (uint32_t i = 0; i < NB_FRAMES; i++) {
		uint32_t slow = i % 7 == 0 ? 10 : 1;

		nb_past += run(&s, cached * slow, past * slow, 1);
	}
	return nb_past;
}

Test(pattern_store, an_interrupted_frame_decides_nothing)
{
	cr_expect(run_interrupted(1000, 1300) < NB_FRAMES / 10);
	cr_expect(run_interrupted(1300, 1000) > NB_FRAMES * 9 / 10);
}

/* The first frame of a way takes longer for what the other way left behind. */
Test(pattern_store, a_frame_after_the_other_way_does_not_count)
{
	struct store s;
	enum store_way before = STORE_NB_WAYS;
	uint32_t nb_past = 0;

	store_init(&s, STORE_LEAST_BYTES);
	for (uint32_t i = 0; i < NB_FRAMES; i++) {
		uint64_t past;

		store_begin(&s);
		past = before == STORE_PAST_CACHES ? 1000 : 1500;
		store_spent(&s, s.way == STORE_CACHED ? 1300 : past, true);
		before = s.way;
		nb_past += s.way == STORE_PAST_CACHES;
	}
	cr_assert(nb_past > NB_FRAMES * 9 / 10, "%u", nb_past);
}

/* A stream that stops in the middle of its first frames. */
Test(pattern_store, a_way_that_was_never_timed_is_not_the_faster_one)
{
	struct store s;

	store_init(&s, STORE_LEAST_BYTES);
	run(&s, 1000, 1300, STORE_NB_FIRST / 2);
	for (uint32_t i = 0; i < STORE_NB_FIRST / 2; i++) {
		store_begin(&s);
		store_spent(&s, 1, false);
	}
	cr_assert_eq(run(&s, 1000, 1300, STORE_TRY_EVERY / 2), 0);
}

/* Any place, any length: these bytes and no others. */
Test(pattern_store, past_the_caches_go_these_bytes_and_no_others)
{
	_Alignas(64) uint8_t from[PIECE_BYTES], to[PIECE_BYTES], expected[PIECE_BYTES];
	struct vmedia_plane plane = {.addr = to, .length = PIECE_BYTES};
	struct store s;

	store_force(&s, STORE_PAST_CACHES);
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
	cr_assert_eq(nb_plane_writes, 0);
}

/* Scattered, moved away, or not for so many bytes. */
Test(pattern_store, planes_that_are_not_there_are_left_to_the_core)
{
	uint8_t from[128] = {1}, to[128];
	struct vmedia_plane plane = {.addr = to, .length = 100}, nowhere = {.length = 100};
	struct store s;

	store_force(&s, STORE_PAST_CACHES);
	memset(to, GUARD, sizeof(to));
	store_write(&s, &plane, 40, from, 64);
	store_write(&s, &plane, 100, from, 1);
	store_write(&s, &plane, UINT32_MAX, from, 64);
	store_write(&s, &nowhere, 0, from, 64);
	cr_assert_eq(nb_plane_writes, 4);
	for (uint32_t i = 0; i < sizeof(to); i++) {
		cr_assert_eq(to[i], GUARD);
	}
}

/* A renderer and a buffer for what it draws. */
struct drawn {
	struct render *r;
	struct vmedia_plane plane;
};

static struct drawn
make(uint32_t fourcc, uint32_t width, uint32_t height)
{
	struct vmedia_format format = {.fourcc = fourcc, .width = width, .height = height};
	struct drawn d = {.r = malloc(sizeof(*d.r))};

	cr_assert_eq(format_layout(&format), 0);
	cr_assert_not_null(d.r);
	cr_assert_eq(render_init(d.r, &format, &render_plain), 0);
	d.plane.length = format.sizeimage[0];
	d.plane.addr = aligned_alloc(64, (size_t)round_up(d.plane.length, 64));
	cr_assert_not_null(d.plane.addr);
	return d;
}

static void
draw(struct drawn *d, const struct render_look *look)
{
	const struct render_strip strip = {.sequence = 9};

	render_begin(d->r, &d->plane, &strip, look);
	while (!render_slice(d->r, 0)) {
	}
}

static void
destroy(struct drawn *d)
{
	free(d->plane.addr);
	free(d->r);
}

Test(pattern_store, a_frame_is_the_same_both_ways)
{
	static const uint32_t fourccs[] = {
		V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_XBGR32};

	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		struct drawn cached = make(fourccs[i], 4080, 2160);
		struct drawn past = make(fourccs[i], 4080, 2160);
		uint32_t nb_cached;

		store_force(&cached.r->store, STORE_CACHED);
		store_force(&past.r->store, STORE_PAST_CACHES);
		nb_plane_writes = 0;
		draw(&cached, &render_plain);
		nb_cached = nb_plane_writes;
		nb_plane_writes = 0;
		draw(&past, &render_plain);
		cr_expect(memcmp(cached.plane.addr, past.plane.addr, past.plane.length) == 0,
			"%.4s", (const char *)&fourccs[i]);
		cr_expect(nb_plane_writes < nb_cached / 2, "%u and %u pieces", nb_plane_writes,
			nb_cached);
		destroy(&cached);
		destroy(&past);
	}
}

Test(pattern_store, streams_of_large_frames_choose)
{
	struct render_look solid = render_plain;
	struct drawn d = make(V4L2_PIX_FMT_NV12, 3840, 2160);

	solid.pattern = RENDER_SOLID;
	for (int i = 0; i < STORE_NB_FIRST; i++) {
		draw(&d, &render_plain);
	}
	cr_expect(d.r->store.least[STORE_CACHED] > 0 && d.r->store.least[STORE_PAST_CACHES] > 0);
	draw(&d, &solid);
	cr_expect(d.r->store.least[STORE_CACHED] == 0, "another look takes another time");
	destroy(&d);
}

Test(pattern_store, streams_of_small_or_compressed_frames_do_not)
{
	struct drawn small = make(V4L2_PIX_FMT_NV12, 1920, 1080);
	struct vmedia_format jpeg = {.fourcc = V4L2_PIX_FMT_MJPEG,
		.width = 3840,
		.height = 2160,
		.bytesperline = {3840, 1920, 1920}};

	cr_expect(!small.r->store.is_choosing);
	cr_assert_eq(render_init(small.r, &jpeg, &render_plain), 0);
	cr_expect(!small.r->store.is_choosing);
	destroy(&small);
}
#endif
