/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sheet.h"

#ifdef VMEDIA_HAVE_PNG

#include <png.h>
#include <stdio.h>

#include "base/util.h"
#include "font.h"

#define COLUMNS       4
#define THUMB_WIDTH   320 /* a thumbnail fits into these, its aspect kept */
#define THUMB_HEIGHT  180
#define GAP           8
#define CAPTION_LINES 2
#define LINE_LETTERS  (THUMB_WIDTH / FONT_WIDTH)
#define LINE_HEIGHT   (FONT_HEIGHT + 1)
#define CELL_WIDTH    (THUMB_WIDTH + GAP)
#define CELL_HEIGHT   (THUMB_HEIGHT + CAPTION_LINES * LINE_HEIGHT + GAP)
#define BACKGROUND    40
#define LETTER        230

struct sheet {
	unsigned int nb_cells;
	uint32_t width, height;
	uint8_t rgb[]; /* height rows of 3 * width bytes */
};

struct rgb {
	uint32_t r, g, b;
};

static uint32_t
clamp(int32_t v)
{
	return v < 0 ? 0 : v > 255 ? 255 : (uint32_t)v;
}

/* BT.601, limited range, in 1/256. */
static struct rgb
from_yuv(int32_t y, int32_t u, int32_t v)
{
	int32_t luma = 298 * (y - 16) + 128;

	u -= 128;
	v -= 128;
	return (struct rgb){clamp((luma + 409 * v) >> 8), clamp((luma - 100 * u - 208 * v) >> 8),
		clamp((luma + 516 * u) >> 8)};
}

static struct rgb
pixel(const struct v4l2_pix_format *f, const uint8_t *p, uint32_t x, uint32_t y)
{
	const uint8_t *row = p + (size_t)y * f->bytesperline;
	const uint8_t *uv;

	switch (f->pixelformat) {
	case V4L2_PIX_FMT_NV12:
		uv = p + (size_t)(f->height + y / 2) * f->bytesperline + x / 2 * 2;
		return from_yuv(row[x], uv[0], uv[1]);
	case V4L2_PIX_FMT_YUYV:
		uv = row + x / 2 * 4;
		return from_yuv(row[2 * x], uv[1], uv[3]);
	case V4L2_PIX_FMT_GREY:
		return from_yuv(row[x], 128, 128);
	default:
		return (struct rgb){row[4 * x + 2], row[4 * x + 1], row[4 * x]};
	}
}

/* 0 when the format is unknown or its rows do not hold its pixels. */
static uint32_t
bytes_per_pixel(const struct v4l2_pix_format *f)
{
	uint32_t bytes = 0;

	switch (f->pixelformat) {
	case V4L2_PIX_FMT_NV12:
	case V4L2_PIX_FMT_GREY:
		bytes = 1;
		break;
	case V4L2_PIX_FMT_YUYV:
		bytes = 2;
		break;
	case V4L2_PIX_FMT_XBGR32:
		bytes = 4;
		break;
	}
	return f->width > 0 && f->height > 0 && f->bytesperline / f->width >= bytes ? bytes : 0;
}

int
sheet_create(unsigned int nb_cells, struct sheet **sheet)
{
	uint32_t columns = MIN(MAX(nb_cells, 1u), COLUMNS);
	uint32_t rows = (MAX(nb_cells, 1u) + COLUMNS - 1) / COLUMNS;
	uint32_t width = GAP + columns * CELL_WIDTH, height = GAP + rows * CELL_HEIGHT;
	size_t bytes = (size_t)3 * width * height;

	*sheet = malloc(sizeof(**sheet) + bytes);
	if (*sheet == NULL) {
		return -ENOMEM;
	}
	(*sheet)->nb_cells = nb_cells;
	(*sheet)->width = width;
	(*sheet)->height = height;
	memset((*sheet)->rgb, BACKGROUND, bytes);
	return 0;
}

static uint8_t *
at(struct sheet *s, uint32_t x, uint32_t y)
{
	return &s->rgb[3 * ((size_t)y * s->width + x)];
}

static void
draw_letter(struct sheet *s, uint32_t left, uint32_t top, char letter)
{
	const uint8_t *rows =
		font[(letter < FONT_FIRST || letter > FONT_LAST ? '?' : letter) - FONT_FIRST];

	for (uint32_t y = 0; y < FONT_HEIGHT; y++) {
		for (uint32_t x = 0; x < FONT_WIDTH; x++) {
			if (rows[y] & (0x80 >> x)) {
				memset(at(s, left + x, top + y), LETTER, 3);
			}
		}
	}
}

/* The mean of the pixels that fall onto one of a thumbnail of w x h; at least one does. */
static struct rgb
mean(const struct v4l2_pix_format *f, const uint8_t *p, const uint32_t dot[2],
	const uint32_t size[2])
{
	uint32_t x0 = dot[0] * f->width / size[0], y0 = dot[1] * f->height / size[1];
	uint32_t x1 = MAX(x0 + 1, (dot[0] + 1) * f->width / size[0]);
	uint32_t y1 = MAX(y0 + 1, (dot[1] + 1) * f->height / size[1]);
	uint32_t n = (x1 - x0) * (y1 - y0);
	struct rgb sum = {0};

	for (uint32_t y = y0; y < y1; y++) {
		for (uint32_t x = x0; x < x1; x++) {
			struct rgb c = pixel(f, p, x, y);

			sum.r += c.r;
			sum.g += c.g;
			sum.b += c.b;
		}
	}
	return (struct rgb){sum.r / n, sum.g / n, sum.b / n};
}

int
sheet_put(struct sheet *sheet, unsigned int cell, const struct v4l2_pix_format *format,
	const void *pixels, const char *caption)
{
	uint32_t left = GAP + cell % COLUMNS * CELL_WIDTH, top = GAP + cell / COLUMNS * CELL_HEIGHT;
	uint32_t size[2] = {THUMB_WIDTH, THUMB_HEIGHT}, i[2];

	if (bytes_per_pixel(format) == 0 || cell >= sheet->nb_cells) {
		return -ENOTSUP;
	}
	if (format->width * THUMB_HEIGHT >= format->height * THUMB_WIDTH) {
		size[1] = MAX(1u, format->height * THUMB_WIDTH / format->width);
	} else {
		size[0] = MAX(1u, format->width * THUMB_HEIGHT / format->height);
	}
	for (i[1] = 0; i[1] < size[1]; i[1]++) {
		for (i[0] = 0; i[0] < size[0]; i[0]++) {
			struct rgb c = mean(format, pixels, i, size);
			uint8_t *to = at(sheet, left + i[0], top + i[1]);

			to[0] = (uint8_t)c.r;
			to[1] = (uint8_t)c.g;
			to[2] = (uint8_t)c.b;
		}
	}
	for (uint32_t n = 0; caption[n] != '\0' && n < CAPTION_LINES * LINE_LETTERS; n++) {
		draw_letter(sheet, left + n % LINE_LETTERS * FONT_WIDTH,
			top + size[1] + 2 + n / LINE_LETTERS * LINE_HEIGHT, caption[n]);
	}
	return 0;
}

int
sheet_write(struct sheet *sheet, const char *path)
{
	png_image image = {.version = PNG_IMAGE_VERSION,
		.width = sheet->width,
		.height = sheet->height,
		.format = PNG_FORMAT_RGB};
	FILE *file = fopen(path, "wb");
	int rc = file != NULL ? 0 : -errno;

	if (rc == 0) {
		rc = png_image_write_to_stdio(&image, file, 0, sheet->rgb, 0, NULL) ? 0 : -EIO;
		if (fclose(file) != 0 && rc == 0) {
			rc = -errno;
		}
	}
	free(sheet);
	return rc;
}

#else /* without libpng */

int
sheet_create(unsigned int nb_cells, struct sheet **sheet)
{
	*sheet = NULL;
	return -ENOTSUP;
}

int
sheet_put(struct sheet *sheet, unsigned int cell, const struct v4l2_pix_format *format,
	const void *pixels, const char *caption)
{
	return -ENOTSUP;
}

int
sheet_write(struct sheet *sheet, const char *path)
{
	return -ENOTSUP;
}

#endif
