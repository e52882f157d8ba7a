/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: draws every byte of every frame: copies of template rows, which stay in the L1 cache. */
#include <errno.h>
#include <string.h>

#include "backend/pattern/render.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"

#define NB_BARS           8
#define STRIP_MAGIC       0x564Du     /* "VM" */
#define STRIP_CHECK       0x564D4544u /* "VMED" */
#define SLICE_CHECK_BYTES 16384       /* about 1.5 us of drawing between two looks at the clock */

/* 75 % bars; YUV by BT.601, limited range, rounded. */
struct colour {
	uint8_t y, u, v;
	uint8_t r, g, b;
};

static const struct colour bars[NB_BARS] = {
	{180, 128, 128, 191, 191, 191}, /* grey */
	{162, 44, 142, 191, 191, 0},    /* yellow */
	{131, 156, 44, 0, 191, 191},    /* cyan */
	{112, 72, 58, 0, 191, 0},       /* green */
	{84, 184, 198, 191, 0, 191},    /* magenta */
	{65, 100, 212, 191, 0, 0},      /* red */
	{35, 212, 114, 0, 0, 191},      /* blue */
	{16, 128, 128, 0, 0, 0},        /* black */
};
static const struct colour black = {16, 128, 128, 0, 0, 0};
static const struct colour white = {235, 128, 128, 255, 255, 255};

/* Pixels x .. x + n - 1 of a template row; x and n are even. */
static void
put_nv12_luma(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c)
{
	memset(row + x, c->y, n);
}

static void
put_nv12_chroma(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c)
{
	for (uint32_t i = x; i < x + n; i += 2) {
		row[i] = c->u;
		row[i + 1] = c->v;
	}
}

static void
put_yuyv(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c)
{
	const uint8_t pair[4] = {c->y, c->u, c->y, c->v};

	for (uint32_t i = x; i < x + n; i += 2) {
		memcpy(row + 2 * (size_t)i, pair, sizeof(pair));
	}
}

static void
put_xbgr32(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c)
{
	const uint8_t pixel[4] = {c->b, c->g, c->r, 255};

	for (uint32_t i = x; i < x + n; i++) {
		memcpy(row + 4 * (size_t)i, pixel, sizeof(pixel));
	}
}

static void
put_grey(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c)
{
	memset(row + x, c->y, n);
}

typedef void put_fn(uint8_t *row, uint32_t x, uint32_t n, const struct colour *c);

/* How each format lies in memory; a chroma layer follows the luma rows. */
static const struct drawing {
	uint32_t fourcc;
	unsigned int nb_layers;
	struct {
		put_fn *put;
		uint32_t bytes_per_pixel; /* of a row, horizontal subsampling included */
		uint32_t y_shift;
	} layers[RENDER_NB_LAYERS];
} drawings[] = {
	{V4L2_PIX_FMT_NV12, 2, {{put_nv12_luma, 1, 0}, {put_nv12_chroma, 1, 1}}},
	{V4L2_PIX_FMT_YUYV, 1, {{put_yuyv, 2, 0}}},
	{V4L2_PIX_FMT_XBGR32, 1, {{put_xbgr32, 4, 0}}},
	{V4L2_PIX_FMT_GREY, 1, {{put_grey, 1, 0}}},
};

static const struct drawing *
drawing_find(uint32_t fourcc)
{
	for (size_t i = 0; i < ARRAY_SIZE(drawings); i++) {
		if (drawings[i].fourcc == fourcc) {
			return &drawings[i];
		}
	}
	return NULL;
}

/* There and back between 0 and span, 4 pixels a frame. */
static uint32_t
bounce(uint32_t sequence, uint32_t span)
{
	uint32_t at = (uint32_t)((uint64_t)sequence * 4 % (2 * (uint64_t)span));

	return round_down(at < span ? at : 2 * span - at, 2);
}

static void
layer_init(struct render *r, const struct drawing *d, unsigned int i, uint32_t stride)
{
	struct render_layer *l = &r->layers[i];
	uint32_t bar = round_up((r->width + NB_BARS - 1) / NB_BARS, 2);

	l->bytes_per_pixel = d->layers[i].bytes_per_pixel;
	l->row_bytes = r->width * l->bytes_per_pixel;
	l->stride = stride;
	l->y_shift = d->layers[i].y_shift;
	l->rows = r->height >> l->y_shift;
	l->offset = i == 0 ? 0 : stride * r->height;
	l->strip_row = UINT32_MAX;
	for (uint32_t x = 0, b = 0; x < r->width; x += bar, b++) {
		d->layers[i].put(l->bars, x, MIN(bar, r->width - x), &bars[b]);
	}
	d->layers[i].put(l->white, 0, r->width, &white);
}

int
render_init(struct render *r, const struct vmedia_format *format)
{
	const struct drawing *d = drawing_find(format->fourcc);

	if (d == NULL || format->width > RENDER_MAX_WIDTH || format->width < RENDER_MIN_WIDTH ||
		format->height < RENDER_MIN_HEIGHT || (format->width | format->height) % 2 != 0) {
		return -EINVAL;
	}
	r->fourcc = format->fourcc;
	r->width = format->width;
	r->height = format->height;
	r->box_w = round_down(r->width / 8, 2);
	r->box_h = round_down(r->height / 8, 2);
	r->nb_cell_rows =
		(RENDER_STRIP_BITS + r->width / RENDER_CELL - 1) / (r->width / RENDER_CELL);
	r->nb_layers = d->nb_layers;
	for (unsigned int i = 0; i < d->nb_layers; i++) {
		layer_init(r, d, i, format->bytesperline[0]);
	}
	return 0;
}

static void
strip_words(uint32_t words[RENDER_STRIP_WORDS], const struct render_strip *s)
{
	words[0] = STRIP_MAGIC << 16 | s->device;
	words[1] = s->sequence;
	words[2] = (uint32_t)(s->timestamp_ns >> 32);
	words[3] = (uint32_t)s->timestamp_ns;
	words[4] = (uint32_t)s->missed[VMEDIA_MISSED_NO_BUFFER] << 16 |
	           s->missed[VMEDIA_MISSED_LATE_RENDER];
	words[5] = (uint32_t)s->missed[VMEDIA_MISSED_LATE_REACTOR] << 16;
	words[6] = STRIP_CHECK;
	for (int i = 0; i < RENDER_STRIP_WORDS - 1; i++) {
		words[6] ^= words[i];
	}
}

void
render_begin(struct render *r, void *addr, const struct render_strip *strip)
{
	r->addr = addr;
	r->layer = 0;
	r->row = 0;
	r->box_x = bounce(strip->sequence, r->width - r->box_w);
	r->box_y = bounce(strip->sequence, r->height - r->box_h);
	strip_words(r->words, strip);
	for (unsigned int i = 0; i < r->nb_layers; i++) {
		r->layers[i].strip_row = UINT32_MAX;
	}
}

/* The template of one row of cells: bars, with the cells of the strip on top. */
static void
draw_cells(struct render *r, unsigned int layer, uint32_t cell_row)
{
	struct render_layer *l = &r->layers[layer];
	put_fn *put = drawing_find(r->fourcc)->layers[layer].put;
	uint32_t per_row = r->width / RENDER_CELL;
	uint32_t first = cell_row * per_row;
	uint32_t last = MIN(first + per_row, (uint32_t)RENDER_STRIP_BITS);

	memcpy(l->strip, l->bars, l->row_bytes);
	for (uint32_t bit = first; bit < last; bit++) {
		bool set = r->words[bit / 32] >> (31 - bit % 32) & 1;

		put(l->strip, (bit - first) * RENDER_CELL, RENDER_CELL, set ? &white : &black);
	}
	l->strip_row = cell_row;
}

static void
draw_row(struct render *r, unsigned int layer, uint32_t row)
{
	struct render_layer *l = &r->layers[layer];
	uint8_t *to = r->addr + l->offset + (size_t)row * l->stride;
	uint32_t line = row << l->y_shift;
	uint32_t cell_row = line / RENDER_CELL;

	if (unlikely(cell_row < r->nb_cell_rows)) {
		if (l->strip_row != cell_row) {
			draw_cells(r, layer, cell_row);
		}
		memcpy(to, l->strip, l->row_bytes);
	} else if (line >= r->box_y && line < r->box_y + r->box_h) {
		uint32_t from = r->box_x * l->bytes_per_pixel;
		uint32_t until = from + r->box_w * l->bytes_per_pixel;

		memcpy(to, l->bars, from);
		memcpy(to + from, l->white, until - from);
		memcpy(to + until, l->bars + until, l->row_bytes - until);
	} else {
		memcpy(to, l->bars, l->row_bytes);
	}
	/* padding of a row is part of the frame the guest sees: defined, too */
	if (unlikely(l->stride > l->row_bytes)) {
		memset(to + l->row_bytes, 0, l->stride - l->row_bytes);
	}
}

bool
render_slice(struct render *r, uint64_t until_tsc)
{
	while (r->layer < r->nb_layers) {
		const struct render_layer *l = &r->layers[r->layer];
		uint32_t step = MAX(SLICE_CHECK_BYTES / l->stride, 1u);
		uint32_t stop = MIN(r->row + step, l->rows);

		while (r->row < stop) {
			draw_row(r, r->layer, r->row++);
		}
		if (r->row == l->rows) {
			r->layer++;
			r->row = 0;
		}
		if (clock_tsc() >= until_tsc) {
			break;
		}
	}
	return r->layer == r->nb_layers;
}
