/* SPDX-License-Identifier: BSD-3-Clause */
/* Conversions of one picture: what is exact, what is near, and that nothing outside is touched. */
#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/transform/convert.h"
#include "base/compiler.h"
#include "base/util.h"
#include "media/format.h"

#define GUARD_BYTES 4096
#define GUARD       0xA5

static const uint32_t fourccs[] = {V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV21, V4L2_PIX_FMT_NV16,
	V4L2_PIX_FMT_YUV420, V4L2_PIX_FMT_YUYV, V4L2_PIX_FMT_UYVY, V4L2_PIX_FMT_GREY,
	V4L2_PIX_FMT_RGB24, V4L2_PIX_FMT_RGB565, V4L2_PIX_FMT_XBGR32, V4L2_PIX_FMT_BGR32,
	V4L2_PIX_FMT_NV12M, V4L2_PIX_FMT_YUV420M};

/* Each plane between two guards. */
static void
picture_create(struct convert_picture *p, uint32_t fourcc, uint32_t width, uint32_t height)
{
	*p = (struct convert_picture){{.fourcc = fourcc, .width = width, .height = height}, {0}};
	cr_assert_eq(format_layout(&p->format), 0);
	for (uint32_t i = 0; i < p->format.nb_planes; i++) {
		uint8_t *memory = malloc(p->format.sizeimage[i] + 2 * GUARD_BYTES);

		memset(memory, GUARD, p->format.sizeimage[i] + 2 * GUARD_BYTES);
		p->planes[i] = memory + GUARD_BYTES;
	}
}

static void
picture_destroy(struct convert_picture *p)
{
	for (uint32_t i = 0; i < p->format.nb_planes; i++) {
		const uint8_t *end = p->planes[i] + p->format.sizeimage[i];

		for (uint32_t k = 0; k < GUARD_BYTES; k++) {
			cr_assert_eq(p->planes[i][-1 - (int)k], GUARD, "before the plane");
			cr_assert_eq(end[k], GUARD, "behind the plane");
		}
		free(p->planes[i] - GUARD_BYTES);
	}
}

static void
fill_random(struct convert_picture *p, unsigned int seed)
{
	for (uint32_t i = 0; i < p->format.nb_planes; i++) {
		for (uint32_t k = 0; k < p->format.sizeimage[i]; k++) {
			p->planes[i][k] = (uint8_t)rand_r(&seed);
		}
	}
}

/* Soft shapes: neighbours differ little, so that a half resolution of chroma costs little. */
static uint8_t
soft(uint32_t x, uint32_t y, unsigned int phase)
{
	return (uint8_t)(128 + 60 * sin(x / 40.0 + phase) * cos(y / 30.0 + phase));
}

static void
fill_soft(struct convert_picture *p)
{
	struct convert_picture rgb;
	struct converter converter = {0};

	picture_create(&rgb, V4L2_PIX_FMT_RGB24, p->format.width, p->format.height);
	for (uint32_t y = 0; y < p->format.height; y++) {
		for (uint32_t x = 0; x < p->format.width * 3; x++) {
			rgb.planes[0][y * p->format.width * 3 + x] = soft(x / 3, y, x % 3);
		}
	}
	cr_assert_eq(convert_run(&converter, &rgb, p, (struct convert_flips){0}), 0);
	converter_fini(&converter);
	picture_destroy(&rgb);
}

static void
assert_same(const struct convert_picture *a, const struct convert_picture *b)
{
	for (uint32_t i = 0; i < a->format.nb_planes; i++) {
		cr_assert_arr_eq(a->planes[i], b->planes[i], a->format.sizeimage[i]);
	}
}

static void
run(const struct convert_picture *from, const struct convert_picture *to, bool h, bool v)
{
	struct converter converter = {0};
	struct convert_flips flips = {h, v};

	cr_assert_eq(convert_run(&converter, from, to, flips), 0);
	converter_fini(&converter);
}

static double
byte_psnr(const struct convert_picture *a, const struct convert_picture *b)
{
	double sum = 0, n = 0;

	for (uint32_t i = 0; i < a->format.nb_planes; i++) {
		for (uint32_t k = 0; k < a->format.sizeimage[i]; k++) {
			double d = a->planes[i][k] - b->planes[i][k];

			sum += d * d;
		}
		n += a->format.sizeimage[i];
	}
	return sum == 0 ? INFINITY : 10 * log10(255 * 255 * n / sum);
}

/* The bits of RGB565 are no samples: it is compared as RGB24. */
static double
psnr(const struct convert_picture *a, const struct convert_picture *b)
{
	struct convert_picture rgb[2];
	double result;

	if (a->format.fourcc != V4L2_PIX_FMT_RGB565) {
		return byte_psnr(a, b);
	}
	for (unsigned int i = 0; i < 2; i++) {
		picture_create(&rgb[i], V4L2_PIX_FMT_RGB24, a->format.width, a->format.height);
		run(i == 0 ? a : b, &rgb[i], false, false);
	}
	result = byte_psnr(&rgb[0], &rgb[1]);
	picture_destroy(&rgb[0]);
	picture_destroy(&rgb[1]);
	return result;
}

Test(transform_convert, every_format_to_itself_is_exact)
{
	struct convert_picture a, b;

	for (unsigned int i = 0; i < ARRAY_SIZE(fourccs); i++) {
		picture_create(&a, fourccs[i], 72, 22);
		picture_create(&b, fourccs[i], 72, 22);
		fill_random(&a, i);
		run(&a, &b, false, false);
		assert_same(&a, &b);
		picture_destroy(&a);
		picture_destroy(&b);
	}
}

Test(transform_convert, two_flips_are_none)
{
	struct convert_picture a, b, c;

	for (unsigned int i = 0; i < ARRAY_SIZE(fourccs); i++) {
		for (unsigned int f = 1; f < 4; f++) {
			picture_create(&a, fourccs[i], 72, 22);
			picture_create(&b, fourccs[i], 72, 22);
			picture_create(&c, fourccs[i], 72, 22);
			fill_random(&a, i);
			run(&a, &b, f & 1, f & 2);
			run(&b, &c, f & 1, f & 2);
			cr_assert_neq(psnr(&a, &b), INFINITY, "a flip does something");
			assert_same(&a, &c);
			picture_destroy(&a);
			picture_destroy(&b);
			picture_destroy(&c);
		}
	}
}

/* By hand, pixel by pixel, in a format that has one byte a pixel and in one that has three. */
Test(transform_convert, a_flip_puts_each_pixel_where_it_belongs)
{
	struct convert_picture a, b;
	uint32_t w = 34, h = 18;

	for (unsigned int bytes = 1; bytes <= 3; bytes += 2) {
		picture_create(&a, bytes == 1 ? V4L2_PIX_FMT_GREY : V4L2_PIX_FMT_RGB24, w, h);
		picture_create(&b, a.format.fourcc, w, h);
		fill_random(&a, bytes);
		for (unsigned int f = 0; f < 4; f++) {
			run(&a, &b, f & 1, f & 2);
			for (uint32_t y = 0; y < h; y++) {
				for (uint32_t x = 0; x < w; x++) {
					uint32_t at = (f & 2 ? h - 1 - y : y) * w +
					              (f & 1 ? w - 1 - x : x);

					cr_assert_arr_eq(b.planes[0] + (y * w + x) * bytes,
						a.planes[0] + at * bytes, bytes);
				}
			}
		}
		picture_destroy(&a);
		picture_destroy(&b);
	}
}

/* There and back, through every other format: soft pictures stay what they are. */
Test(transform_convert, every_pair_there_and_back)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(fourccs); i++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(fourccs); k++) {
			struct convert_picture a, b, c;
			bool to_grey = fourccs[k] == V4L2_PIX_FMT_GREY;
			bool coarse = fourccs[i] == V4L2_PIX_FMT_RGB565 ||
			              fourccs[k] == V4L2_PIX_FMT_RGB565;

			picture_create(&a, fourccs[i], 320, 240);
			picture_create(&b, fourccs[k], 320, 240);
			picture_create(&c, fourccs[i], 320, 240);
			fill_soft(&a);
			run(&a, &b, false, false);
			run(&b, &c, false, false);
			if (!to_grey) {
				cr_assert_geq(psnr(&a, &c), coarse ? 30 : 40, "%.4s by %.4s: %.1f",
					(const char *)&fourccs[i], (const char *)&fourccs[k],
					psnr(&a, &c));
			}
			picture_destroy(&a);
			picture_destroy(&b);
			picture_destroy(&c);
		}
	}
}

Test(transform_convert, every_pair_at_every_kind_of_size_stays_within_its_planes)
{
	static const uint32_t sizes[][2] = {{16, 16}, {72, 22}, {322, 18}, {16, 240}, {640, 360}};

	for (unsigned int i = 0; i < ARRAY_SIZE(fourccs); i++) {
		for (unsigned int k = 0; k < ARRAY_SIZE(fourccs); k++) {
			const uint32_t *from = sizes[(i + k) % ARRAY_SIZE(sizes)];
			const uint32_t *to = sizes[(i + 3 * k + 1) % ARRAY_SIZE(sizes)];
			struct convert_picture a, b;

			picture_create(&a, fourccs[i], from[0], from[1]);
			picture_create(&b, fourccs[k], to[0], to[1]);
			fill_random(&a, i * k);
			run(&a, &b, i & 1, k & 1);
			picture_destroy(&a);
			picture_destroy(&b);
		}
	}
}

Test(transform_convert, a_size_up_and_down_again_is_near)
{
	struct convert_picture a, b, c;

	for (unsigned int i = 0; i < ARRAY_SIZE(fourccs); i++) {
		picture_create(&a, fourccs[i], 320, 240);
		picture_create(&b, fourccs[i], 640, 480);
		picture_create(&c, fourccs[i], 320, 240);
		fill_soft(&a);
		run(&a, &b, false, false);
		run(&b, &c, false, false);
		cr_assert_geq(
			psnr(&a, &c), 30, "%.4s: %.1f", (const char *)&fourccs[i], psnr(&a, &c));
		picture_destroy(&a);
		picture_destroy(&b);
		picture_destroy(&c);
	}
}

Test(transform_convert, what_it_does_not_know_it_refuses)
{
	struct convert_picture a, b;
	struct converter converter = {0};

	picture_create(&a, V4L2_PIX_FMT_MJPEG, 64, 64);
	picture_create(&b, V4L2_PIX_FMT_NV12, 64, 64);
	cr_assert_not(convert_knows(V4L2_PIX_FMT_MJPEG));
	cr_assert_eq(convert_run(&converter, &a, &b, (struct convert_flips){0}), -EINVAL);
	cr_assert_eq(convert_run(&converter, &b, &a, (struct convert_flips){0}), -EINVAL);
	picture_destroy(&a);
	picture_destroy(&b);
}

/* The picture that `part` selects of `whole`, both of one format. */
static void
cut_out(const struct convert_picture *whole, struct convert_picture *part)
{
	const struct v4l2_rect *r = &whole->format.selection;

	picture_create(part, whole->format.fourcc, r->width, r->height);
	run(whole, part, false, false);
}

Test(transform_convert, a_crop_is_converted_as_if_it_were_the_picture)
{
	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		struct convert_picture whole, part, direct, by_part;

		picture_create(&whole, fourccs[i], 96, 64);
		fill_random(&whole, 7);
		whole.format.selection = (struct v4l2_rect){10, 6, 32, 18};
		cut_out(&whole, &part);
		for (size_t k = 0; k < ARRAY_SIZE(fourccs); k++) {
			picture_create(&direct, fourccs[k], 48, 40);
			picture_create(&by_part, fourccs[k], 48, 40);
			run(&whole, &direct, k % 2, i % 2);
			run(&part, &by_part, k % 2, i % 2);
			assert_same(&direct, &by_part);
			picture_destroy(&direct);
			picture_destroy(&by_part);
		}
		picture_destroy(&whole);
		picture_destroy(&part);
	}
}

/* Bytes of `p` that are not as fill left them. */
static size_t
nb_written(const struct convert_picture *p, uint8_t fill)
{
	size_t nb = 0;

	for (uint32_t i = 0; i < p->format.nb_planes; i++) {
		for (uint32_t k = 0; k < p->format.sizeimage[i]; k++) {
			nb += p->planes[i][k] != fill;
		}
	}
	return nb;
}

Test(transform_convert, composing_writes_its_rectangle_and_nothing_else)
{
	for (size_t i = 0; i < ARRAY_SIZE(fourccs); i++) {
		struct convert_picture from, to, part, whole_part;
		size_t outside;

		picture_create(&from, V4L2_PIX_FMT_NV12, 64, 64);
		fill_soft(&from);
		picture_create(&to, fourccs[i], 96, 64);
		for (uint32_t p = 0; p < to.format.nb_planes; p++) {
			memset(to.planes[p], 3, to.format.sizeimage[p]);
		}
		to.format.selection = (struct v4l2_rect){20, 8, 40, 30};
		run(&from, &to, false, false);
		cut_out(&to, &part);
		picture_create(&whole_part, fourccs[i], 40, 30);
		run(&from, &whole_part, false, false);
		assert_same(&part, &whole_part);
		outside = nb_written(&to, 3) - nb_written(&part, 3);
		cr_assert_eq(outside, 0, "format %zu: %zu bytes beside it", i, outside);
		picture_destroy(&from);
		picture_destroy(&to);
		picture_destroy(&part);
		picture_destroy(&whole_part);
	}
}
