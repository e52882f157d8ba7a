/* SPDX-License-Identifier: BSD-3-Clause */
/* What rows are made of: colours, through gain and brightness, in the bytes of the format. */
#include <string.h>

#include "backend/pattern/render.h"
#include "base/compiler.h"
#include "base/util.h"

#define NB_BARS   RENDER_NB_BARS
#define BLACK_BAR 7 /* of those below */

const struct render_look render_plain = {.pattern = RENDER_BARS,
	.gain = 100,
	.bars = RENDER_BAR_COLOURS,
	.bars_shown = 0xff,
	.speed = 4};

/* 75 % bars: Y, U, V by BT.601, limited range, rounded; R, G, B. */
static const uint8_t bars[NB_BARS][6] = {
	{180, 128, 128, 191, 191, 191}, /* grey */
	{162, 44, 142, 191, 191, 0},    /* yellow */
	{131, 156, 44, 0, 191, 191},    /* cyan */
	{112, 72, 58, 0, 191, 0},       /* green */
	{84, 184, 198, 191, 0, 191},    /* magenta */
	{65, 100, 212, 191, 0, 0},      /* red */
	{35, 212, 114, 0, 0, 191},      /* blue */
	{16, 128, 128, 0, 0, 0},        /* black */
};

const struct render_colour template_black = {{16, 128, 128, 0, 128, 128, 0, 0, 0, 255, 0, 0}};
const struct render_colour template_white = {
	{235, 128, 128, 255, 128, 128, 255, 255, 255, 255, 255, 255}};

static uint8_t
clamp(int32_t v, int32_t min, int32_t max)
{
	return (uint8_t)MAX(min, MIN(v, max));
}

/* Weighted sum of R, G, B in 1/10000, rounded. */
static uint8_t
weigh(const uint8_t *rgb, int32_t r, int32_t g, int32_t b, int32_t offset)
{
	int32_t sum = r * rgb[0] + g * rgb[1] + b * rgb[2];

	return clamp(offset + (sum + (sum < 0 ? -5000 : 5000)) / 10000, 0, 255);
}

/* Gain and brightness on luma, R, G or B: `zero` is black, `span` from there to white. */
static uint8_t
lighten(const struct render_look *look, uint8_t v, int32_t zero, int32_t span)
{
	return clamp(zero + (v - zero) * look->gain / 100 + look->brightness * span / 255, zero,
		zero + span);
}

static uint8_t
saturate(const struct render_look *look, uint8_t v, int32_t margin)
{
	return clamp(128 + (v - 128) * look->gain / 100, margin, 256 - MAX(margin, 1));
}

/* From Y, U, V, R, G, B of the pattern to every notation. */
static struct render_colour
colour(const struct render_look *look, const uint8_t yuvrgb[6])
{
	const uint8_t *rgb = yuvrgb + 3;
	struct render_colour out;
	uint8_t *c = out.c;
	int i;

	c[RENDER_Y] = lighten(look, yuvrgb[0], 16, 219);
	c[RENDER_U] = saturate(look, yuvrgb[1], 16);
	c[RENDER_V] = saturate(look, yuvrgb[2], 16);
	c[RENDER_JY] = lighten(look, weigh(rgb, 2990, 5870, 1140, 0), 0, 255);
	c[RENDER_JU] = saturate(look, weigh(rgb, -1687, -3313, 5000, 128), 0);
	c[RENDER_JV] = saturate(look, weigh(rgb, 5000, -4187, -813, 128), 0);
	for (i = 0; i < 3; i++) {
		c[RENDER_R + i] = lighten(look, rgb[i], 0, 255);
	}
	c[RENDER_X] = 255;
	c[RENDER_LO] = (uint8_t)((c[RENDER_G] << 3 & 0xe0) | c[RENDER_B] >> 3);
	c[RENDER_HI] = (uint8_t)((c[RENDER_R] & 0xf8) | c[RENDER_G] >> 5);
	return out;
}

static struct render_colour
colour_rgb(const struct render_look *look, uint8_t r, uint8_t g, uint8_t b)
{
	const uint8_t rgb[3] = {r, g, b};
	const uint8_t all[6] = {weigh(rgb, 2568, 5041, 979, 16),
		weigh(rgb, -1482, -2910, 4392, 128), weigh(rgb, 4392, -3678, -714, 128), r, g, b};

	return colour(look, all);
}

void
template_put(const struct render_layer *l, uint8_t *row, uint32_t x, uint32_t n,
	const struct render_colour *c)
{
	uint8_t bytes[sizeof(l->pair)];
	uint32_t i;

	for (i = 0; i < l->nb_pair; i++) {
		bytes[i] = c->c[l->pair[i]];
	}
	for (i = x / 2; i < (x + n) / 2; i++) {
		memcpy(row + (size_t)i * l->nb_pair, bytes, l->nb_pair);
	}
}

/* As it stands in the table, or any other by the same matrix. */
static struct render_colour
bar_colour(const struct render_look *look, uint32_t i)
{
	uint8_t r = (uint8_t)(look->bars[i] >> 16), g = (uint8_t)(look->bars[i] >> 8);
	uint8_t b = (uint8_t)look->bars[i];
	const uint8_t *known = bars[i];

	if (!(look->bars_shown >> i & 1)) {
		return colour(look, bars[BLACK_BAR]);
	}
	return r == known[3] && g == known[4] && b == known[5] ? colour(look, known)
	                                                       : colour_rgb(look, r, g, b);
}

static void
put_bars(struct render *r, struct render_layer *l)
{
	uint32_t bar = (uint32_t)round_up((r->width + NB_BARS - 1) / NB_BARS, 2);
	uint32_t x, n, i;

	for (x = 0, i = 0; x < r->width; x += n, i++) {
		struct render_colour c = bar_colour(&r->look, i);

		n = MIN(bar, r->width - x);
		template_put(l, l->base, r->look.hflip ? r->width - x - n : x, n, &c);
	}
}

/* From black on the left to white on the right, two pixels a step. */
static void
put_gradient(struct render *r, struct render_layer *l)
{
	uint32_t x;

	for (x = 0; x < r->width; x += 2) {
		uint8_t level = (uint8_t)(x * 255 / (r->width - 2));
		struct render_colour c = colour_rgb(&r->look, level, level, level);

		template_put(l, l->base, r->look.hflip ? r->width - 2 - x : x, 2, &c);
	}
}

static void
put_solid(struct render *r, struct render_layer *l, uint32_t rgb24)
{
	struct render_colour c =
		colour_rgb(&r->look, (uint8_t)(rgb24 >> 16), (uint8_t)(rgb24 >> 8), (uint8_t)rgb24);

	template_put(l, l->base, 0, r->width, &c);
}

/* One pixel of each level; what differs between the two of a pair is chroma, the same for greys. */
static void
fill_greys(struct render *r, struct render_layer *l)
{
	uint32_t level, i;

	for (level = 0; level < ARRAY_SIZE(l->grey); level++) {
		struct render_colour c =
			colour_rgb(&r->look, (uint8_t)level, (uint8_t)level, (uint8_t)level);

		for (i = 0; i < l->nb_pair / 2; i++) {
			l->grey[level][i] = c.c[l->pair[i]];
		}
	}
}

/* Rows whose bytes all lie side by side are copied several at a time: large copies are faster. */
static void
put_tile(const struct render *r, struct render_layer *l)
{
	enum render_pattern pattern = r->look.pattern;
	bool differs = pattern == RENDER_ZONE_PLATE || pattern == RENDER_NOISE;
	uint32_t i;

	l->nb_tile_rows = 0;
	if (l->stride == l->row_bytes && r->look.window.width == 0 && !r->look.vflip &&
		pattern != RENDER_CLOCK && (!differs || l->is_chroma)) {
		l->nb_tile_rows = RENDER_TILE_BYTES / l->row_bytes;
	}
	for (i = 0; i < l->nb_tile_rows; i++) {
		memcpy(render_tile(l->tile_memory) + (size_t)i * l->row_bytes, l->base,
			l->row_bytes);
	}
}

void
template_build(struct render *r)
{
	unsigned int i;

	for (i = 0; i < r->nb_layers; i++) {
		struct render_layer *l = &r->layers[i];

		template_put(l, l->white, 0, r->width, &template_white);
		if (r->look.window.width != 0) {
			template_put(l, l->black, 0, r->width, &template_black);
		}
		switch (r->look.pattern) {
		case RENDER_GRADIENT:
			put_gradient(r, l);
			break;
		case RENDER_SOLID:
			put_solid(r, l, r->look.colour);
			break;
		case RENDER_ZONE_PLATE:
		case RENDER_NOISE:
			put_solid(r, l, 0);
			fill_greys(r, l);
			break;
		default:
			put_bars(r, l);
			break;
		}
		put_tile(r, l);
	}
}
