/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Written from lib/backend/pattern/pattern.md and nothing else: a slip in the renderer would not
 * be repeated here. A row of pixels is one of few, so that a frame is compared row by row.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"
#include "check.h"

#define MAX_LAYERS     2
#define MAX_ROW_BYTES  (4096 * 4)
#define CELL           8 /* pixels, both ways */
#define NB_BARS        8
#define NB_WORDS       7
#define NB_CELLS       (NB_WORDS * 32)
#define MAX_INPUT      3
#define MAGIC          0x564Du
#define MAGIC_CHECKSUM 0x564D4544u

struct colour {
	uint8_t y, u, v, r, g, b;
};

static const struct colour bars[NB_BARS] = {
	{180, 128, 128, 191, 191, 191},
	{162, 44, 142, 191, 191, 0},
	{131, 156, 44, 0, 191, 191},
	{112, 72, 58, 0, 191, 0},
	{84, 184, 198, 191, 0, 191},
	{65, 100, 212, 191, 0, 0},
	{35, 212, 114, 0, 0, 191},
	{16, 128, 128, 0, 0, 0},
};
static const struct colour white = {235, 128, 128, 255, 255, 255};
static const struct colour black = {16, 128, 128, 0, 0, 0};

/*
 * What the bytes of two pixels side by side are, for each layer: rows that follow each other in
 * memory. All edges of the picture lie on even pixels, so two are the unit of drawing.
 */
static const struct layout {
	uint32_t fourcc;
	const char *pairs[MAX_LAYERS];
} layouts[] = {
	{V4L2_PIX_FMT_NV12, {"YY", "UV"}}, /* a row of UV for two lines */
	{V4L2_PIX_FMT_YUYV, {"YUYV", NULL}},
	{V4L2_PIX_FMT_XBGR32, {"BGRXBGRX", NULL}},
	{V4L2_PIX_FMT_GREY, {"YY", NULL}},
};

struct layer {
	const char *pair;
	uint32_t pair_bytes;
	uint32_t lines; /* lines of pixels for one row */
	uint32_t row_bytes;
	size_t offset;                /* of its first row in the frame */
	uint8_t bars[MAX_ROW_BYTES];  /* the row without box and strip */
	uint8_t drawn[MAX_ROW_BYTES]; /* the row with box or cells, made for each frame */
};

struct check {
	uint32_t width, height, stride;
	uint32_t box_w, box_h;
	uint32_t cells_per_row, strip_lines;
	size_t bytes; /* of a frame */
	unsigned int nb_layers;
	struct layer layers[MAX_LAYERS];
};

/* One frame being checked. */
struct frame {
	const uint8_t *pixels;
	uint32_t words[NB_WORDS];
	char *why;
	size_t why_bytes;
};

static uint8_t
component(const struct colour *c, char name)
{
	switch (name) {
	case 'Y':
		return c->y;
	case 'U':
		return c->u;
	case 'V':
		return c->v;
	case 'R':
		return c->r;
	case 'G':
		return c->g;
	case 'B':
		return c->b;
	default:
		return 255;
	}
}

/* Pixels from x up to, not including, end; both even. */
static void
fill(const struct layer *l, uint8_t *row, uint32_t x, uint32_t end, const struct colour *c)
{
	for (uint32_t i = x / 2 * l->pair_bytes; i < end / 2 * l->pair_bytes; i++) {
		row[i] = component(c, l->pair[i % l->pair_bytes]);
	}
}

static void
init_layer(struct check *check, const char *pair, uint32_t lines)
{
	struct layer *l = &check->layers[check->nb_layers++];
	uint32_t bar = (check->width + NB_BARS - 1) / NB_BARS;

	bar += bar % 2;
	l->pair = pair;
	l->pair_bytes = (uint32_t)strlen(pair);
	l->lines = lines;
	l->row_bytes = check->width / 2 * l->pair_bytes;
	l->offset = check->bytes;
	for (uint32_t b = 0; b < NB_BARS; b++) {
		fill(l, l->bars, MIN(b * bar, check->width), MIN((b + 1) * bar, check->width),
			&bars[b]);
	}
	check->bytes += (size_t)check->stride * (check->height / lines);
}

static const struct layout *
find_layout(const struct v4l2_pix_format *f)
{
	bool size_ok = f->width >= 160 && f->width <= 4096 && f->width % 16 == 0 &&
	               f->height >= 120 && f->height <= 2304 && f->height % 8 == 0;

	for (size_t i = 0; size_ok && i < ARRAY_SIZE(layouts); i++) {
		if (layouts[i].fourcc == f->pixelformat) {
			return &layouts[i];
		}
	}
	return NULL;
}

int
check_create(const struct v4l2_pix_format *format, struct check **check)
{
	const struct layout *layout = find_layout(format);
	struct check *c;
	uint32_t row_bytes;

	if (layout == NULL) {
		return -ENOTSUP;
	}
	row_bytes = format->width / 2 * (uint32_t)strlen(layout->pairs[0]);
	if (format->bytesperline != 0 && format->bytesperline < row_bytes) {
		return -ENOTSUP;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		return -ENOMEM;
	}
	c->width = format->width;
	c->height = format->height;
	c->stride = format->bytesperline != 0 ? format->bytesperline : row_bytes;
	c->box_w = c->width / 8 / 2 * 2;
	c->box_h = c->height / 8 / 2 * 2;
	c->cells_per_row = c->width / 8;
	c->strip_lines = (NB_CELLS + c->cells_per_row - 1) / c->cells_per_row * CELL;
	for (uint32_t i = 0; i < MAX_LAYERS && layout->pairs[i] != NULL; i++) {
		init_layer(c, layout->pairs[i], i + 1);
	}
	*check = c;
	return 0;
}

void
check_destroy(struct check *check)
{
	free(check);
}

/* The first byte of a pixel in the first layer: Y or B, which are high in white, low in black. */
static uint8_t
pixel(const struct check *c, const struct frame *f, uint32_t x, uint32_t y)
{
	return f->pixels[(size_t)y * c->stride + x * (c->layers[0].pair_bytes / 2)];
}

/* The cell that is of more than one colour says where the damage is. */
static void
explain_strip(const struct check *c, const struct frame *f, const char *what)
{
	for (uint32_t i = 0; i < NB_CELLS * CELL * CELL; i++) {
		uint32_t cell = i / (CELL * CELL);
		uint32_t left = cell % c->cells_per_row * CELL,
			 top = cell / c->cells_per_row * CELL;
		uint32_t x = left + i % CELL, y = top + i / CELL % CELL;
		uint8_t found = pixel(c, f, x, y), corner = pixel(c, f, left, top);

		if (found != corner) {
			snprintf(f->why, f->why_bytes,
				"strip: %s; plane 0, x %u, y %u: 0x%02x, expected 0x%02x as in the "
				"corner of cell %u",
				what, x, y, found, corner, cell);
			return;
		}
	}
	snprintf(f->why, f->why_bytes,
		"strip: %s; plane 0, x 0, y 0: words %08x %08x %08x %08x %08x %08x %08x", what,
		f->words[0], f->words[1], f->words[2], f->words[3], f->words[4], f->words[5],
		f->words[6]);
}

static int
read_strip(const struct check *c, struct frame *f)
{
	uint32_t sum = MAGIC_CHECKSUM;
	const char *what = NULL;

	for (uint32_t i = 0; i < NB_CELLS; i++) {
		uint32_t x = i % c->cells_per_row * CELL, y = i / c->cells_per_row * CELL;
		uint32_t bit = pixel(c, f, x + CELL / 2, y + CELL / 2) >= 128;

		f->words[i / 32] = f->words[i / 32] << 1 | bit;
	}
	for (uint32_t i = 0; i < NB_WORDS; i++) {
		sum ^= f->words[i];
	}
	if (f->words[0] >> 16 != MAGIC) {
		what = "no 0x564D at its start";
	} else if (sum != 0) {
		what = "the checksum is wrong";
	} else if ((f->words[5] & 0xffff) > MAX_INPUT) {
		what = "there is no input of the number in word 5";
	}
	if (what != NULL) {
		explain_strip(c, f, what);
		return -EBADMSG;
	}
	return 0;
}

static void
explain_row(const struct check *c, const struct layer *l, uint32_t row, const uint8_t *expected,
	const struct frame *f)
{
	size_t start = l->offset + (size_t)row * c->stride;
	uint32_t i = 0, x;

	while (f->pixels[start + i] == expected[i]) {
		i++;
	}
	x = i / l->pair_bytes * 2;
	if (l->pair_bytes > 2 || l->lines == 1) {
		x += i % l->pair_bytes / (l->pair_bytes / 2);
	}
	snprintf(f->why, f->why_bytes,
		"plane %u, x %u, y %u: %c is 0x%02x, expected 0x%02x (byte %zu of the frame)",
		(unsigned int)(l - c->layers), x, row * l->lines, l->pair[i % l->pair_bytes],
		f->pixels[start + i], expected[i], start + i);
}

/* The bytes of a row beyond its pixels are 0. */
static int
match_padding(const struct check *c, const struct layer *l, uint32_t row, const struct frame *f)
{
	size_t start = l->offset + (size_t)row * c->stride;

	for (uint32_t i = l->row_bytes; i < c->stride; i++) {
		if (f->pixels[start + i] != 0) {
			snprintf(f->why, f->why_bytes,
				"plane %u, x %u, y %u: padding is 0x%02x, expected 0 (byte %zu of "
				"the frame)",
				(unsigned int)(l - c->layers), c->width, row * l->lines,
				f->pixels[start + i], start + i);
			return -EILSEQ;
		}
	}
	return 0;
}

/* Lines from y up to, not including, end. */
static int
match(const struct check *c, const struct layer *l, uint32_t y, uint32_t end,
	const uint8_t *expected, const struct frame *f)
{
	for (uint32_t row = y / l->lines; row < end / l->lines; row++) {
		const uint8_t *found = f->pixels + l->offset + (size_t)row * c->stride;

		if (memcmp(found, expected, l->row_bytes) != 0) {
			explain_row(c, l, row, expected, f);
			return -EILSEQ;
		}
		if (c->stride > l->row_bytes && match_padding(c, l, row, f) != 0) {
			return -EILSEQ;
		}
	}
	return 0;
}

static int
match_strip(const struct check *c, struct layer *l, const struct frame *f)
{
	uint32_t cell = 0;
	int rc = 0;

	for (uint32_t y = 0; rc == 0 && y < c->strip_lines; y += CELL) {
		memcpy(l->drawn, l->bars, l->row_bytes);
		for (uint32_t x = 0; x < c->width && cell < NB_CELLS; x += CELL, cell++) {
			bool bit = f->words[cell / 32] >> (31 - cell % 32) & 1;

			fill(l, l->drawn, x, x + CELL, bit ? &white : &black);
		}
		rc = match(c, l, y, y + CELL, l->drawn, f);
	}
	return rc;
}

/* Back and forth between 0 and s, by 4 pixels a frame. */
static uint32_t
position(uint32_t s, uint32_t sequence)
{
	uint32_t t = (uint32_t)(4 * (uint64_t)sequence % (2 * s));

	return (t < s ? t : 2 * s - t) / 2 * 2;
}

static int
match_layer(const struct check *c, struct layer *l, const struct frame *f)
{
	uint32_t sequence = f->words[1];
	uint32_t x = position(c->width - c->box_w, sequence);
	uint32_t y = position(c->height - c->box_h, sequence);
	uint32_t top = MAX(y, c->strip_lines), bottom = MAX(y + c->box_h, c->strip_lines);
	int rc = match_strip(c, l, f);

	if (rc == 0) {
		rc = match(c, l, c->strip_lines, top, l->bars, f);
	}
	if (rc == 0) {
		memcpy(l->drawn, l->bars, l->row_bytes);
		fill(l, l->drawn, x, x + c->box_w, &white);
		rc = match(c, l, top, bottom, l->drawn, f);
	}
	return rc == 0 ? match(c, l, bottom, c->height, l->bars, f) : rc;
}

int
check_frame(struct check *check, const void *pixels, size_t bytes, struct check_strip *strip,
	char *why, size_t why_bytes)
{
	struct frame f = {.pixels = pixels, .why = why, .why_bytes = why_bytes};
	const uint32_t *w = f.words;
	int rc;

	memset(strip, 0, sizeof(*strip));
	if (bytes < check->bytes) {
		snprintf(why, why_bytes, "%zu bytes, expected %zu", bytes, check->bytes);
		return -EMSGSIZE;
	}
	rc = read_strip(check, &f);
	if (rc != 0) {
		return rc;
	}
	*strip = (struct check_strip){
		.device = (uint16_t)w[0],
		.sequence = w[1],
		.timestamp_ns = (uint64_t)w[2] << 32 | w[3],
		.missed = {(uint16_t)(w[4] >> 16), (uint16_t)w[4], (uint16_t)(w[5] >> 16)},
		.input = (uint16_t)w[5],
	};
	for (unsigned int i = 0; rc == 0 && i < check->nb_layers; i++) {
		rc = match_layer(check, &check->layers[i], &f);
	}
	return rc;
}
