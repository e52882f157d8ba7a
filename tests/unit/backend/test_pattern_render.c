/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The renderer against the checker of vmedia-stream, written apart from it, and both against
 * checksums of frames that were looked at.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/pattern/render.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/format.h"
#include "stream/check.h"

#define NB_FORMATS 4
#define NB_RANDOM  1000
#define WHY_BYTES  256

static const struct shape {
	uint32_t fourcc;
	uint32_t bytes_per_pixel; /* of a row of the first layer */
	bool has_uv;              /* a row of UV for two lines */
} shapes[NB_FORMATS] = {
	{V4L2_PIX_FMT_NV12, 1, true},
	{V4L2_PIX_FMT_YUYV, 2, false},
	{V4L2_PIX_FMT_XBGR32, 4, false},
	{V4L2_PIX_FMT_GREY, 1, false},
};

/* A frame, its renderer and its checker. */
struct picture {
	const struct shape *shape;
	uint32_t width, height, stride, row_bytes;
	size_t bytes;
	uint8_t *pixels;
	struct vmedia_plane plane;
	struct render *render;
	struct check *check;
	char why[WHY_BYTES];
};

static struct picture
make(const struct shape *shape, uint32_t width, uint32_t height, uint32_t padding)
{
	struct picture p = {.shape = shape,
		.width = width,
		.height = height,
		.row_bytes = width * shape->bytes_per_pixel};
	struct vmedia_format format = {.fourcc = shape->fourcc, .width = width, .height = height};
	struct v4l2_pix_format pix = {
		.pixelformat = shape->fourcc, .width = width, .height = height};

	p.stride = p.row_bytes + padding;
	p.bytes = (size_t)p.stride * (shape->has_uv ? height * 3 / 2 : height);
	format.bytesperline[0] = pix.bytesperline = p.stride;
	p.pixels = malloc(p.bytes);
	p.render = malloc(sizeof(*p.render));
	cr_assert(p.pixels != NULL && p.render != NULL);
	memset(p.pixels, 0xA5, p.bytes);
	p.plane = (struct vmedia_plane){.addr = p.pixels, .length = (uint32_t)p.bytes};
	cr_assert_eq(render_init(p.render, &format, &render_plain), 0);
	cr_assert_eq(check_create(&pix, &p.check), 0);
	return p;
}

static void
destroy(struct picture *p)
{
	check_destroy(p->check);
	free(p->render);
	free(p->pixels);
}

static void
draw(struct picture *p, const struct render_strip *strip)
{
	render_begin(p->render, &p->plane, strip, &render_plain);
	cr_assert(render_slice(p->render, UINT64_MAX));
}

static int
verify(struct picture *p, struct check_strip *strip)
{
	p->why[0] = '\0';
	return check_frame(p->check, p->pixels, p->bytes, strip, p->why, WHY_BYTES);
}

static uint32_t
random32(void)
{
	return (uint32_t)rand() << 16 ^ (uint32_t)rand();
}

static struct render_strip
random_strip(void)
{
	return (struct render_strip){
		.device = (uint16_t)random32(),
		.sequence = random32(),
		.timestamp_ns = (uint64_t)random32() << 32 | random32(),
		.missed = {(uint16_t)random32(), (uint16_t)random32(), (uint16_t)random32()},
		.input = random32() % 4,
	};
}

/* The CRC of zlib and PNG, four bits at a time. */
static uint32_t
crc32_of(const uint8_t *p, size_t n)
{
	uint32_t table[16], crc = UINT32_MAX;

	for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
		table[i] = i;
		for (int bit = 0; bit < 4; bit++) {
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xEDB88320u : 0);
		}
	}
	for (size_t i = 0; i < n; i++) {
		crc = crc >> 4 ^ table[(crc ^ p[i]) & 15];
		crc = crc >> 4 ^ table[(crc ^ p[i] >> 4) & 15];
	}
	return ~crc;
}

Test(pattern_render, the_checksum_of_a_frame_is_what_it_was_when_somebody_looked_at_it)
{
	static const struct {
		uint32_t width, height, sequence, crcs[NB_FORMATS];
	} golden[] = {
		{160, 120, 0, {0xe5433891, 0x85081e00, 0x72561ef8, 0x6f4273ff}},
		{640, 480, 37, {0x474d68be, 0x3371d6ab, 0xd6e12234, 0x82438430}},
		{1280, 720, 250, {0x8ef2af16, 0x78d6d2d5, 0x859c5130, 0xad1c239e}},
		{1920, 1080, UINT32_MAX, {0x59e3782c, 0xc5eaa6ba, 0x221fc2f5, 0xfe1609a4}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(golden) * NB_FORMATS; i++) {
		size_t g = i / NB_FORMATS, f = i % NB_FORMATS;
		struct picture p = make(&shapes[f], golden[g].width, golden[g].height, 0);
		struct render_strip strip = {.device = 7,
			.sequence = golden[g].sequence,
			.timestamp_ns = 123456789012345,
			.missed = {1, 2, 65535}};
		struct check_strip found;
		uint32_t crc;

		draw(&p, &strip);
		crc = crc32_of(p.pixels, p.bytes);
		cr_expect_eq(crc, golden[g].crcs[f], "%.4s %ux%u: 0x%08x, expected 0x%08x",
			(const char *)&shapes[f].fourcc, p.width, p.height, crc, golden[g].crcs[f]);
		cr_expect_eq(verify(&p, &found), 0, "%s", p.why);
		destroy(&p);
	}
}

/* A frame in the memory planes of its format, with something behind each plane that must stay. */
static uint32_t
crc_of_frame(uint32_t fourcc, const struct render_look *look)
{
	struct vmedia_format format = {.fourcc = fourcc, .width = 320, .height = 240};
	struct render_strip strip = {.device = 7,
		.sequence = 33,
		.timestamp_ns = 45296789000000,
		.missed = {1, 2, 65535}};
	struct render *r = malloc(sizeof(*r));
	struct vmedia_plane planes[VIDEO_MAX_PLANES];
	uint8_t *pixels, crcs[VIDEO_MAX_PLANES * 4];
	uint32_t i, crc;

	cr_assert_not_null(r);
	memset(planes, 0, sizeof(planes));
	cr_assert_eq(format_layout(&format), 0);
	cr_assert_eq(render_init(r, &format, &render_plain), 0);
	for (i = 0; i < format.nb_planes; i++) {
		pixels = malloc(format.sizeimage[i] + 1);
		cr_assert_not_null(pixels);
		memset(pixels, 0xA5, format.sizeimage[i] + 1);
		planes[i].addr = pixels;
		planes[i].length = format.sizeimage[i];
	}
	render_begin(r, planes, &strip, look);
	cr_assert(render_slice(r, UINT64_MAX));
	for (i = 0; i < format.nb_planes; i++) {
		pixels = planes[i].addr;
		cr_assert_eq(pixels[format.sizeimage[i]], 0xA5);
		crc = crc32_of(pixels, format.sizeimage[i]);
		memcpy(crcs + i * sizeof(crc), &crc, sizeof(crc));
		free(pixels);
	}
	free(r);
	return crc32_of(crcs, format.nb_planes * sizeof(crc));
}

Test(pattern_render, each_format_has_its_checksum)
{
	static const struct {
		uint32_t fourcc, crc;
	} golden[] = {
		{V4L2_PIX_FMT_NV12, 0x6aa1841d},
		{V4L2_PIX_FMT_NV21, 0x069805b9},
		{V4L2_PIX_FMT_NV16, 0x89449eab},
		{V4L2_PIX_FMT_NV12M, 0xeb438da2},
		{V4L2_PIX_FMT_YUV420, 0x3cd74813},
		{V4L2_PIX_FMT_YUV420M, 0x60139ada},
		{V4L2_PIX_FMT_YUYV, 0x2a013cb6},
		{V4L2_PIX_FMT_UYVY, 0x5d8130f6},
		{V4L2_PIX_FMT_GREY, 0x4af48fd1},
		{V4L2_PIX_FMT_RGB565, 0x4830d73c},
		{V4L2_PIX_FMT_RGB24, 0x13a006e1},
		{V4L2_PIX_FMT_XBGR32, 0x85b36e81},
		{V4L2_PIX_FMT_BGR32, 0x85b36e81},
	};

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		uint32_t crc = crc_of_frame(golden[i].fourcc, &render_plain);

		cr_expect_eq(
			crc, golden[i].crc, "%.4s: 0x%08x", (const char *)&golden[i].fourcc, crc);
	}
}

Test(pattern_render, each_look_has_its_checksum)
{
	static const struct {
		struct render_look look;
		uint32_t nv12, rgb24;
	} golden[] = {
		{{RENDER_BARS, 50, 40, 0, true, true}, 0xfbe5d849, 0x0cd7d559},
		{{RENDER_BARS, 400, -128, 0, false, true}, 0xcb240876, 0xe27c3aeb},
		{{RENDER_ZONE_PLATE, 100, 0, 0, false, false}, 0x312cd963, 0x222c7a8c},
		{{RENDER_GRADIENT, 100, 0, 0, true, false}, 0x4a1594b0, 0x5fde0972},
		{{RENDER_NOISE, 100, 0, 0, true, true}, 0x638f4cfd, 0x22748439},
		{{RENDER_SOLID, 100, 0, 0x3060c0, false, false}, 0x8a97d20e, 0xfd91634e},
		{{RENDER_CLOCK, 100, 0, 0, false, false}, 0x727bf8da, 0xafcf1399},
	};

	for (size_t i = 0; i < ARRAY_SIZE(golden); i++) {
		struct render_look look = golden[i].look;
		uint32_t nv12, rgb24;

		memcpy(look.bars, render_plain.bars, sizeof(look.bars));
		look.bars_shown = render_plain.bars_shown;
		look.speed = render_plain.speed;
		nv12 = crc_of_frame(V4L2_PIX_FMT_NV12, &look);
		rgb24 = crc_of_frame(V4L2_PIX_FMT_RGB24, &look);

		cr_expect(nv12 == golden[i].nv12 && rgb24 == golden[i].rgb24, "%zu: 0x%08x, 0x%08x",
			i, nv12, rgb24);
	}
}

/* One pixel (of YUYV: its luma) of the first layer. */
static bool
same_pixel(const struct picture *a, uint32_t ax, uint32_t ay, const struct picture *b, uint32_t bx,
	uint32_t by)
{
	size_t n = a->shape->bytes_per_pixel, nb = a->shape->fourcc == V4L2_PIX_FMT_YUYV ? 1 : n;

	return memcmp(a->pixels + (size_t)ay * a->stride + ax * n,
		       b->pixels + (size_t)by * b->stride + bx * n, nb) == 0;
}

static bool
same_chroma(const struct picture *a, uint32_t ax, uint32_t ay, const struct picture *b, uint32_t bx,
	uint32_t by)
{
	size_t luma = (size_t)a->stride * a->height;

	return !a->shape->has_uv ||
	       memcmp(a->pixels + luma + (size_t)ay / 2 * a->stride + ax / 2 * 2,
		       b->pixels + luma + (size_t)by / 2 * b->stride + bx / 2 * 2, 2) == 0;
}

/* What a window shows is the picture as it is without one, and else black. Below the strip. */
static void
compare_window(const struct picture *whole, const struct picture *part, const struct picture *dark,
	const struct render_window *w)
{
	for (uint32_t i = 0; i < whole->width * whole->height; i++) {
		uint32_t x = i % whole->width, y = i / whole->width;
		bool inside = x >= w->to_left && x < w->to_left + w->width && y >= w->to_top &&
		              y < w->to_top + w->height;
		uint32_t from_x = x - w->to_left + w->left, from_y = y - w->to_top + w->top;
		const struct picture *from = inside ? whole : dark;

		if (y < 64 || (inside && from_y < 64)) {
			continue; /* cells, 8 rows of them at most */
		}
		from_x = inside ? from_x : x;
		from_y = inside ? from_y : y;
		cr_assert(same_pixel(part, x, y, from, from_x, from_y), "%u,%u", x, y);
		cr_assert(same_chroma(part, x, y, from, from_x, from_y), "%u,%u", x, y);
	}
}

static void
draw_as(struct picture *p, const struct render_strip *strip, const struct render_look *look)
{
	render_begin(p->render, &p->plane, strip, look);
	cr_assert(render_slice(p->render, UINT64_MAX));
}

Test(pattern_render, a_window_shows_its_part_of_the_picture_and_black_around_it)
{
	static const enum render_pattern patterns[] = {
		RENDER_BARS, RENDER_ZONE_PLATE, RENDER_NOISE, RENDER_GRADIENT, RENDER_CLOCK};

	for (size_t i = 0; i < ARRAY_SIZE(patterns) * NB_FORMATS; i++) {
		const struct shape *shape = &shapes[i % NB_FORMATS];
		struct picture whole = make(shape, 320, 240, 16), part = make(shape, 320, 240, 16);
		struct picture dark = make(shape, 320, 240, 16);
		struct render_look look = render_plain;
		struct render_strip strip = {.sequence = 20, .timestamp_ns = 45296789000000};
		struct check_strip found;

		look.pattern = patterns[i / NB_FORMATS];
		look.hflip = i % 2 == 0;
		look.vflip = i % 3 == 0;
		draw_as(&whole, &strip, &look);
		look.window = (struct render_window){38, 86, 62, 72, 180, 132};
		draw_as(&part, &strip, &look);
		verify(&part, &found);
		cr_assert_eq(found.sequence, 20, "the strip is where it always is");
		look = render_plain;
		look.pattern = RENDER_SOLID;
		look.colour = 0;
		look.origin = 20; /* the box is under the cells */
		draw_as(&dark, &strip, &look);
		look.window = (struct render_window){38, 86, 62, 72, 180, 132};
		compare_window(&whole, &part, &dark, &look.window);
		destroy(&whole);
		destroy(&part);
		destroy(&dark);
	}
}

static uint32_t
crc_of_look(const struct render_look *look)
{
	return crc_of_frame(V4L2_PIX_FMT_NV12, look);
}

/* crc_of_frame draws frame 33. */
Test(pattern_render, the_box_moves_at_its_speed_from_its_origin)
{
	struct render_look look = render_plain, other = render_plain;

	look.speed = 0;
	other.origin = 33;
	cr_assert_eq(crc_of_look(&look), crc_of_look(&other), "both are in the corner");
	look.speed = 8;
	look.origin = 17; /* 16 frames of 8 pixels, as 32 of 4 */
	other.origin = 1;
	cr_assert_eq(crc_of_look(&look), crc_of_look(&other));
	cr_assert_neq(crc_of_look(&look), crc_of_look(&render_plain));
}

Test(pattern_render, a_bar_that_is_not_shown_is_black)
{
	struct render_look look = render_plain, other = render_plain;

	look.bars_shown = 0xfe;
	other.bars[0] = 0;
	cr_assert_eq(crc_of_look(&look), crc_of_look(&other));
	cr_assert_neq(crc_of_look(&look), crc_of_look(&render_plain));
}

static void
draw_and_verify_random(const struct shape *shape)
{
	uint32_t width = 160 + random32() % 24 * 16, height = 120 + random32() % 24 * 8;
	struct picture p = make(shape, width, height, random32() % 3 * 16);
	struct render_strip strip = random_strip();
	struct check_strip found;

	draw(&p, &strip);
	cr_assert_eq(verify(&p, &found), 0, "%ux%u, sequence %u: %s", width, height, strip.sequence,
		p.why);
	cr_assert_eq(found.device, strip.device);
	cr_assert_eq(found.sequence, strip.sequence);
	cr_assert_eq(found.timestamp_ns, strip.timestamp_ns);
	cr_assert_arr_eq(found.missed, strip.missed, sizeof(found.missed));
	cr_assert_eq(found.input, strip.input);
	destroy(&p);
}

Test(pattern_render, the_checker_accepts_whatever_the_renderer_draws_and_reads_its_strip)
{
	srand(1);
	for (int i = 0; i < NB_FORMATS * NB_RANDOM; i++) {
		draw_and_verify_random(&shapes[i % NB_FORMATS]);
	}
}

/* Every sequence number of a first minute, so every place of the box near the edges. */
Test(pattern_render, the_checker_accepts_each_of_two_thousand_frames_in_a_row)
{
	struct picture p = make(&shapes[0], 640, 480, 0);
	struct render_strip strip = {0};
	struct check_strip found;

	for (strip.sequence = 0; strip.sequence < 2000; strip.sequence++) {
		draw(&p, &strip);
		cr_assert_eq(verify(&p, &found), 0, "sequence %u: %s", strip.sequence, p.why);
	}
	destroy(&p);
}

Test(pattern_render, slices_draw_the_same_bytes_as_one_go)
{
	for (int f = 0; f < 2 * NB_FORMATS; f++) {
		uint32_t padding = f % 2 * 32; /* rows side by side are drawn several at a time */
		struct picture whole = make(&shapes[f / 2], 1280, 720, padding);
		struct picture sliced = make(&shapes[f / 2], 1280, 720, padding);
		struct render_strip strip = random_strip();
		unsigned int nb_slices = 1;

		draw(&whole, &strip);
		render_begin(sliced.render, &sliced.plane, &strip, &render_plain);
		while (!render_slice(sliced.render, 0)) {
			nb_slices++;
		}
		cr_expect_gt(nb_slices, 12);
		cr_expect_eq(memcmp(whole.pixels, sliced.pixels, whole.bytes), 0);
		destroy(&whole);
		destroy(&sliced);
	}
}

Test(pattern_render, a_frame_abandoned_between_slices_leaves_nothing_in_the_next_one)
{
	struct picture p = make(&shapes[0], 320, 240, 0);
	struct render_strip strip = random_strip();
	struct check_strip found;

	render_begin(p.render, &p.plane, &strip, &render_plain);
	cr_assert_not(render_slice(p.render, 0));
	strip = random_strip();
	draw(&p, &strip);
	cr_expect_eq(verify(&p, &found), 0, "%s", p.why);
	cr_expect_eq(found.sequence, strip.sequence);
	destroy(&p);
}

Test(pattern_render, the_renderer_refuses_what_it_cannot_draw)
{
	static const struct vmedia_format refused[] = {
		{.fourcc = V4L2_PIX_FMT_H264, .width = 640, .height = 480},
		{.fourcc = V4L2_PIX_FMT_NV12, .width = 144, .height = 480},
		{.fourcc = V4L2_PIX_FMT_NV12, .width = 4112, .height = 480},
		{.fourcc = V4L2_PIX_FMT_NV12, .width = 640, .height = 112},
		{.fourcc = V4L2_PIX_FMT_NV12, .width = 641, .height = 480},
	};
	struct render *r = malloc(sizeof(*r));

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cr_expect_eq(render_init(r, &refused[i], &render_plain), -EINVAL, "%zu", i);
	}
	free(r);
}

/* Where a byte of the frame is, in the words of the checker. */
static void
place(const struct picture *p, size_t byte, char *text)
{
	uint32_t row = (uint32_t)(byte / p->stride), column = (uint32_t)(byte % p->stride);
	uint32_t plane = row >= p->height;
	uint32_t y = plane ? (row - p->height) * 2 : row;
	uint32_t x = plane ? column / 2 * 2 : column / p->shape->bytes_per_pixel;

	snprintf(text, WHY_BYTES, "plane %u, x %u, y %u:", plane,
		column >= p->row_bytes ? p->width : x, y);
}

static void
flip_and_find(struct picture *p, size_t byte, unsigned int bit)
{
	struct check_strip found;
	char text[WHY_BYTES];
	int rc;

	place(p, byte, text);
	p->pixels[byte] ^= (uint8_t)(1u << bit);
	rc = verify(p, &found);
	p->pixels[byte] ^= (uint8_t)(1u << bit);
	cr_assert(rc == -EILSEQ || rc == -EBADMSG, "%s bit %u: %d", text, bit, rc);
	cr_assert_not_null(strstr(p->why, text), "'%s' does not say '%s'", p->why, text);
}

/* The corners and the edges of what is drawn, and the centres of cells, which the reader reads. */
static void
flip_edges(struct picture *p)
{
	uint32_t bpp = p->shape->bytes_per_pixel;
	size_t uv = (size_t)p->stride * p->height;
	const size_t bytes[] = {0, p->row_bytes - 1, p->row_bytes, p->stride - 1, p->stride, uv - 1,
		MIN(uv, p->bytes - 1), p->bytes - 1, p->bytes - p->stride};

	for (size_t i = 0; i < ARRAY_SIZE(bytes) * 8; i++) {
		flip_and_find(p, bytes[i / 8], i % 8);
	}
	for (uint32_t i = 0; i < RENDER_STRIP_BITS * 8; i++) {
		uint32_t cell = i / 8, per_row = p->width / RENDER_CELL;
		uint32_t x = cell % per_row * RENDER_CELL + 4, y = cell / per_row * RENDER_CELL + 4;

		flip_and_find(p, (size_t)y * p->stride + x * bpp, i % 8);
		flip_and_find(p, (size_t)(y - 4) * p->stride + (x - 4) * bpp, i % 8);
		flip_and_find(p, (size_t)(y + 3) * p->stride + (x + 4) * bpp - 1, i % 8);
	}
	for (uint32_t i = 0; i < 4 * 4 * 8; i++) {
		uint32_t x = p->render->box_x + (i & 1) * p->render->box_w;
		uint32_t y = p->render->box_y + (i >> 1 & 1) * p->render->box_h;

		x -= i >> 2 & 1;
		y -= i >> 3 & 1;
		flip_and_find(p, (size_t)y * p->stride + x * bpp, i >> 4);
	}
}

Test(pattern_check, one_flipped_bit_anywhere_is_found_and_its_place_is_named)
{
	srand(2);
	for (int f = 0; f < NB_FORMATS; f++) {
		struct picture p = make(&shapes[f], 320, 240, 16);
		struct render_strip strip = random_strip();

		strip.sequence = 33; /* the box is below the strip */
		draw(&p, &strip);
		cr_assert_gt(p.render->box_y, p.render->nb_cell_rows * RENDER_CELL);
		flip_edges(&p);
		for (int i = 0; i < 4 * NB_RANDOM; i++) {
			flip_and_find(&p, random32() % p.bytes, random32() % 8);
		}
		destroy(&p);
	}
}

Test(pattern_check, a_picture_of_another_frame_under_a_good_strip_is_found)
{
	struct picture p = make(&shapes[0], 1280, 720, 0);
	struct picture next = make(&shapes[0], 1280, 720, 0);
	struct check_strip found;

	for (uint32_t i = 0; i < 600; i++) {
		struct render_strip strip = {.sequence = i};

		draw(&p, &strip);
		strip.sequence++;
		draw(&next, &strip);
		memcpy(p.pixels, next.pixels,
			(size_t)p.stride * next.render->nb_cell_rows * RENDER_CELL);
		cr_assert_eq(verify(&p, &found), -EILSEQ, "sequence %u", i);
		cr_assert_eq(found.sequence, i + 1);
	}
	destroy(&p);
	destroy(&next);
}

Test(pattern_check, there_are_four_inputs)
{
	struct picture p = make(&shapes[0], 320, 240, 0);
	struct check_strip found;

	for (uint16_t input = 0; input < 32; input++) {
		draw(&p, &(struct render_strip){.input = input});
		cr_expect_eq(verify(&p, &found), input < 4 ? 0 : -EBADMSG, "input %u", input);
	}
	destroy(&p);
}

Test(pattern_check, a_frame_that_is_a_byte_short_is_refused)
{
	for (int f = 0; f < NB_FORMATS; f++) {
		struct picture p = make(&shapes[f], 160, 120, 0);
		struct render_strip strip = random_strip();
		struct check_strip found;

		draw(&p, &strip);
		cr_expect_eq(check_frame(p.check, p.pixels, p.bytes - 1, &found, p.why, WHY_BYTES),
			-EMSGSIZE);
		cr_expect_eq(
			check_frame(p.check, p.pixels, 0, &found, p.why, WHY_BYTES), -EMSGSIZE);
		cr_expect_eq(verify(&p, &found), 0, "%s", p.why);
		destroy(&p);
	}
}

/* White becomes black and the reverse. */
static void
invert_cell(struct picture *p, uint32_t cell)
{
	uint32_t per_row = p->width / RENDER_CELL;
	uint8_t *at = p->pixels + (size_t)(cell / per_row * RENDER_CELL) * p->stride +
	              cell % per_row * RENDER_CELL;

	for (uint32_t y = 0; y < RENDER_CELL; y++, at += p->stride) {
		memset(at, at[0] == 235 ? 16 : 235, RENDER_CELL);
	}
}

Test(pattern_check, each_inverted_cell_makes_the_strip_unreadable)
{
	struct picture p = make(&shapes[0], 640, 480, 0);
	struct render_strip strip = random_strip();
	struct check_strip found;

	draw(&p, &strip);
	for (uint32_t cell = 0; cell < RENDER_STRIP_BITS; cell++) {
		invert_cell(&p, cell);
		cr_expect_eq(verify(&p, &found), -EBADMSG, "cell %u", cell);
		cr_expect_neq(p.why[0], '\0');
		invert_cell(&p, cell);
	}
	cr_expect_eq(verify(&p, &found), 0, "%s", p.why);
	destroy(&p);
}

Test(pattern_check, bits_that_must_be_zero_are_not_ignored_under_a_good_checksum)
{
	struct picture p = make(&shapes[3], 640, 480, 0);
	struct render_strip strip = random_strip();
	struct check_strip found;

	draw(&p, &strip);
	invert_cell(&p, 5 * 32 + 29);
	invert_cell(&p, 6 * 32 + 29);
	cr_expect_eq(verify(&p, &found), -EBADMSG);
	destroy(&p);
}

Test(pattern_check, memory_without_a_picture_has_no_strip)
{
	static const uint8_t fillings[] = {0, 16, 128, 235, 255};

	for (size_t i = 0; i < ARRAY_SIZE(fillings) * NB_FORMATS; i++) {
		struct picture p = make(&shapes[i % NB_FORMATS], 320, 240, 0);
		struct check_strip found;

		memset(p.pixels, fillings[i / NB_FORMATS], p.bytes);
		cr_expect_eq(verify(&p, &found), -EBADMSG);
		destroy(&p);
	}
}

Test(pattern_check, formats_and_sizes_outside_the_manual_are_refused)
{
	static const struct v4l2_pix_format refused[] = {
		{.pixelformat = V4L2_PIX_FMT_RGB24, .width = 640, .height = 480},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 144, .height = 480},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 4112, .height = 480},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 648, .height = 480},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 640, .height = 112},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 640, .height = 2312},
		{.pixelformat = V4L2_PIX_FMT_NV12, .width = 640, .height = 484},
		{.pixelformat = V4L2_PIX_FMT_YUYV,
			.width = 640,
			.height = 480,
			.bytesperline = 640},
	};
	struct check *check;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		cr_expect_eq(check_create(&refused[i], &check), -ENOTSUP, "%zu", i);
	}
}
