/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: where frames lie, and how they get there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/pattern/render.h"
#include "base/clock.h"
#include "micro/micro.h"
#include "shm/arena.h"

#define WIDTH      3840
#define HEIGHT     2160
#define FRAME      (WIDTH * HEIGHT * 3 / 2) /* NV12 */
#define NB_BUFFERS 4

static struct shm_arena *arena;
static struct shm_range ranges[NB_BUFFERS];
static struct render *render;
static uint32_t sequence;

static int
begin(void)
{
	const struct shm_arena_config config = {
		.name = "micro", .size_bytes = NB_BUFFERS * 2 * FRAME, .page = SHM_PAGE_4K};
	const struct vmedia_format format = {
		.fourcc = V4L2_PIX_FMT_NV12,
		.width = WIDTH,
		.height = HEIGHT,
		.nb_planes = 1,
		.bytesperline = {WIDTH},
		.sizeimage = {FRAME},
	};
	int ret = shm_arena_create(&config, &arena);

	for (unsigned int i = 0; i < NB_BUFFERS && ret == 0; i++) {
		ret = shm_range_alloc(arena, FRAME, &ranges[i]);
		ret = ret != 0 ? ret : shm_range_commit(arena, &ranges[i]);
	}
	render = malloc(sizeof(*render));
	if (ret == 0) {
		ret = render != NULL ? render_init(render, &format, &render_plain) : -ENOMEM;
	}
	return ret;
}

static void
end(void)
{
	free(render);
	shm_arena_destroy(arena);
	arena = NULL;
}

static uint64_t
run_arena(uint64_t n)
{
	struct shm_range range;
	uint64_t begin_tsc = clock_tsc();

	for (uint64_t i = 0; i < n; i++) {
		shm_range_alloc(arena, 65536, &range);
		shm_range_free(arena, &range);
	}
	return clock_tsc() - begin_tsc;
}

static void
draw(void *buffer)
{
	const struct render_strip strip = {.sequence = sequence++};
	struct vmedia_plane plane = {.addr = buffer, .length = FRAME};

	render_begin(render, &plane, &strip, &render_plain);
	render_slice(render, UINT64_MAX);
}

/* A frame that differs from what another dirt leaves was not written in full. */
static bool
writes_all(char *buffer, char *other)
{
	memset(buffer, 0x55, FRAME);
	draw(buffer);
	sequence--;
	memset(other, 0xaa, FRAME);
	draw(other);
	return memcmp(buffer, other, FRAME) == 0;
}

/* Each buffer in turn, dirtied first: both sides begin with the same caches. */
static uint64_t
run_frames(uint64_t n, bool drawn)
{
	uint64_t ticks = 0;

	if (drawn && !writes_all(shm_arena_addr(arena, ranges[0].offset),
			     shm_arena_addr(arena, ranges[1].offset))) {
		return 0;
	}
	for (uint64_t i = 0; i < n; i++) {
		char *buffer = shm_arena_addr(arena, ranges[i % NB_BUFFERS].offset);
		uint64_t begin_tsc;

		memset(buffer, 0x5a, FRAME);
		begin_tsc = clock_tsc();
		if (drawn) {
			draw(buffer);
		} else {
			memset(buffer, (int)i, FRAME);
		}
		ticks += clock_tsc() - begin_tsc;
	}
	return ticks;
}

static uint64_t
run_draw(uint64_t n)
{
	return run_frames(n, true);
}

static uint64_t
run_cached(uint64_t n)
{
	store_force(&render->store, STORE_CACHED);
	return run_frames(n, true);
}

static uint64_t
run_past_caches(uint64_t n)
{
	store_force(&render->store, STORE_PAST_CACHES);
	return run_frames(n, true);
}

static uint64_t
run_memset(uint64_t n)
{
	return run_frames(n, false);
}

const struct micro micro_memory[] = {
	{.name = "arena",
		.what = "reserve 64 KiB and give it back",
		.nb = 100000,
		.begin = begin,
		.run = run_arena,
		.end = end},
	{.name = "memset frame",
		.what = "3840x2160 NV12, memset",
		.nb = 8,
		.bytes = FRAME,
		.begin = begin,
		.run = run_memset,
		.end = end},
	{.name = "render frame",
		.what = "3840x2160 NV12, pattern, which chooses from:",
		.nb = 8,
		.bytes = FRAME,
		.begin = begin,
		.run = run_draw,
		.end = end},
	{.name = "cached frame",
		.what = "the same, all of it through the caches",
		.nb = 8,
		.bytes = FRAME,
		.begin = begin,
		.run = run_cached,
		.end = end},
	{.name = "past-caches frame",
		.what = "the same by non-temporal stores",
		.nb = 8,
		.bytes = FRAME,
		.begin = begin,
		.run = run_past_caches,
		.end = end},
	{.name = NULL},
};
