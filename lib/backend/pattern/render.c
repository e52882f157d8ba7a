/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: draws every byte of every frame: copies of template rows, many at a time. */
#include "backend/pattern/render.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"

#define STRIP_MAGIC       0x564Du     /* "VM" */
#define STRIP_CHECK       0x564D4544u /* "VMED" */
#define SLICE_CHECK_BYTES 65536       /* 1 to 5 us of drawing between two looks at the clock */

/* How each format lies in memory: the bytes of two pixels, layer after layer. */
#define PAIR(n, ...)                \
	{                           \
		n,                  \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
static const struct drawing {
	uint32_t fourcc;
	uint8_t nb_planes; /* memory planes */
	uint8_t nb_layers;
	uint8_t y_shift; /* of the layers behind the first */
	struct {
		uint8_t nb_pair;
		uint8_t pair[8];
	} layers[RENDER_NB_LAYERS];
} drawings[] = {
#define LUMA    PAIR(2, RENDER_Y, RENDER_Y)
#define X       RENDER_X
#define RGB     RENDER_R, RENDER_G, RENDER_B
#define BGR     RENDER_B, RENDER_G, RENDER_R
#define HALF(c) PAIR(1, c)
	{V4L2_PIX_FMT_NV12, 1, 2, 1, {LUMA, PAIR(2, RENDER_U, RENDER_V)}},
	{V4L2_PIX_FMT_NV21, 1, 2, 1, {LUMA, PAIR(2, RENDER_V, RENDER_U)}},
	{V4L2_PIX_FMT_NV16, 1, 2, 0, {LUMA, PAIR(2, RENDER_U, RENDER_V)}},
	{V4L2_PIX_FMT_NV12M, 2, 2, 1, {LUMA, PAIR(2, RENDER_U, RENDER_V)}},
	{V4L2_PIX_FMT_YUV420, 1, 3, 1, {LUMA, HALF(RENDER_U), HALF(RENDER_V)}},
	{V4L2_PIX_FMT_YUV420M, 3, 3, 1, {LUMA, HALF(RENDER_U), HALF(RENDER_V)}},
	{V4L2_PIX_FMT_YUYV, 1, 1, 0, {PAIR(4, RENDER_Y, RENDER_U, RENDER_Y, RENDER_V)}},
	{V4L2_PIX_FMT_UYVY, 1, 1, 0, {PAIR(4, RENDER_U, RENDER_Y, RENDER_V, RENDER_Y)}},
	{V4L2_PIX_FMT_GREY, 1, 1, 0, {LUMA}},
	{V4L2_PIX_FMT_RGB565, 1, 1, 0, {PAIR(4, RENDER_LO, RENDER_HI, RENDER_LO, RENDER_HI)}},
	{V4L2_PIX_FMT_RGB24, 1, 1, 0, {PAIR(6, RGB, RGB)}},
	{V4L2_PIX_FMT_XBGR32, 1, 1, 0, {PAIR(8, BGR, X, BGR, X)}},
	{V4L2_PIX_FMT_BGR32, 1, 1, 0, {PAIR(8, BGR, X, BGR, X)}},
	{V4L2_PIX_FMT_MJPEG, 3, 3, 1,
		{PAIR(2, RENDER_JY, RENDER_JY), HALF(RENDER_JU), HALF(RENDER_JV)}},
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

/* There and back between 0 and span, so many pixels a frame. */
static uint32_t
bounce(uint32_t sequence, uint32_t speed, uint32_t span)
{
	uint32_t at = (uint32_t)((uint64_t)sequence * speed % (2 * (uint64_t)span));

	return round_down(at < span ? at : 2 * span - at, 2);
}

/* Where layer i lies; *end: of what was laid out before in the same plane. */
static void
layer_init(struct render *r, const struct drawing *d, unsigned int i,
	const struct vmedia_format *format, uint32_t *end)
{
	struct render_layer *l = &r->layers[i];

	l->plane = MIN(i, d->nb_planes - 1u);
	l->nb_pair = d->layers[i].nb_pair;
	memcpy(l->pair, d->layers[i].pair, sizeof(l->pair));
	l->is_chroma = i > 0;
	l->row_bytes = r->width / 2 * l->nb_pair;
	/* one stride for all layers of a plane, halved where a row has half the bytes */
	l->stride = format->bytesperline[l->plane];
	if (d->nb_planes == 1 && d->layers[0].nb_pair > l->nb_pair) {
		l->stride /= 2;
	}
	l->y_shift = i == 0 ? 0 : d->y_shift;
	l->rows = r->height >> l->y_shift;
	if (l->plane > 0 || i == 0) {
		*end = 0;
	}
	l->offset = *end;
	*end += l->stride * l->rows;
}

int
render_init(struct render *r, const struct vmedia_format *format, const struct render_look *look)
{
	const struct drawing *d = drawing_find(format->fourcc);
	uint32_t end = 0;
	uint64_t bytes = 0;

	if (d == NULL || format->width > RENDER_MAX_WIDTH || format->width < RENDER_MIN_WIDTH ||
		format->height < RENDER_MIN_HEIGHT || (format->width | format->height) % 2 != 0) {
		return -EINVAL;
	}
	r->fourcc = format->fourcc;
	r->width = format->width;
	r->height = format->height;
	r->look = *look;
	r->box_w = round_down(r->width / 8, 2);
	r->box_h = round_down(r->height / 8, 2);
	r->nb_cell_rows =
		(RENDER_STRIP_BITS + r->width / RENDER_CELL - 1) / (r->width / RENDER_CELL);
	r->nb_layers = d->nb_layers;
	for (unsigned int i = 0; i < d->nb_layers; i++) {
		layer_init(r, d, i, format, &end);
		bytes += (uint64_t)r->layers[i].stride * r->layers[i].rows;
	}
	/* planes to be compressed are read back at once */
	store_init(&r->store, format->fourcc == V4L2_PIX_FMT_MJPEG ? 0 : bytes);
	template_build(r);
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
	words[5] = (uint32_t)s->missed[VMEDIA_MISSED_LATE_REACTOR] << 16 | s->input;
	words[6] = STRIP_CHECK;
	for (int i = 0; i < RENDER_STRIP_WORDS - 1; i++) {
		words[6] ^= words[i];
	}
}

/* HH:MM:SS.mmm of the timestamp. */
static void
clock_glyphs(uint8_t glyphs[RENDER_NB_GLYPHS], uint64_t timestamp_ns)
{
	static const uint8_t base[RENDER_NB_GLYPHS] = {10, 10, 0, 6, 10, 0, 6, 10, 0, 10, 10, 10};
	uint64_t ms = timestamp_ns / 1000000;

	for (int i = RENDER_NB_GLYPHS - 1; i >= 0; i--) {
		glyphs[i] = base[i] != 0 ? (uint8_t)(ms % base[i]) : i == 8 ? 11 : 10;
		ms /= base[i] != 0 ? base[i] : 1;
	}
}

void
render_begin(struct render *r, struct vmedia_plane *planes, const struct render_strip *strip,
	const struct render_look *look)
{
	r->planes = planes;
	r->layer = 0;
	r->row = 0;
	r->sequence = strip->sequence;
	if (unlikely(memcmp(&r->look, look, sizeof(*look)) != 0)) {
		r->look = *look;
		template_build(r);
		store_forget(&r->store);
	}
	store_begin(&r->store);
	r->box_x = bounce(strip->sequence - look->origin, look->speed, r->width - r->box_w);
	r->box_y = bounce(strip->sequence - look->origin, look->speed, r->height - r->box_h);
	if (look->hflip) {
		r->box_x = r->width - r->box_w - r->box_x;
	}
	strip_words(r->words, strip);
	clock_glyphs(r->glyphs, strip->timestamp_ns);
	for (unsigned int i = 0; i < r->nb_layers; i++) {
		r->layers[i].cached = UINT32_MAX;
		r->layers[i].nb_boxed_rows = 0;
	}
}

void
render_put_cells(
	const struct render *r, const struct render_layer *l, uint8_t *row, uint32_t cell_row)
{
	uint32_t per_row = r->width / RENDER_CELL;
	uint32_t first = cell_row * per_row;
	uint32_t last = MIN(first + per_row, (uint32_t)RENDER_STRIP_BITS);

	for (uint32_t bit = first; bit < last; bit++) {
		bool set = r->words[bit / 32] >> (31 - bit % 32) & 1;

		template_put(l, row, (bit - first) * RENDER_CELL, RENDER_CELL,
			set ? &template_white : &template_black);
	}
}

/* The template of one row of cells: the pattern's, with the cells of the strip on top. */
static const uint8_t *
draw_cells(struct render *r, struct render_layer *l, uint32_t cell_row)
{
	if (l->cached == cell_row) {
		return l->drawn;
	}
	memcpy(l->drawn, l->base, l->row_bytes);
	render_put_cells(r, l, l->drawn, cell_row);
	l->cached = cell_row;
	return l->drawn;
}

/* 3 x 5 dots of 0 .. 9, ':' and '.', row by row, the left dot is the high bit. */
static const uint16_t font[] = {075557, 026227, 071747, 071717, 055711, 074717, 074757, 071111,
	075757, 075717, 002020, 000002};

/* Line `line` of the clock, which is white on black in the middle; NULL: not one of its lines. */
static const uint8_t *
draw_clock(struct render *r, struct render_layer *l, uint32_t line)
{
	uint32_t dot = MAX((uint32_t)round_down(r->width / 64, 2), 2u);
	uint32_t left = (uint32_t)round_down((r->width - RENDER_NB_GLYPHS * 4 * dot) / 2, 2);
	uint32_t top = (uint32_t)round_down((r->height - 7 * dot) / 2, 2);
	uint32_t y = (line - top) / dot;

	if (line < top || y >= 7) {
		return NULL;
	}
	if (l->cached == y + r->nb_cell_rows) {
		return l->drawn;
	}
	memcpy(l->drawn, l->base, l->row_bytes);
	template_put(l, l->drawn, left, RENDER_NB_GLYPHS * 4 * dot, &template_black);
	for (uint32_t x = 0; y >= 1 && y <= 5 && x < RENDER_NB_GLYPHS * 3; x++) {
		if (font[r->glyphs[x / 3]] >> (14 - (y - 1) * 3 - x % 3) & 1) {
			template_put(l, l->drawn, left + (x / 3 * 4 + x % 3) * dot, dot,
				&template_white);
		}
	}
	l->cached = y + r->nb_cell_rows;
	return l->drawn;
}

/* sin, 256 steps of a turn, 0 .. 255: a parabola on each half, within 6 % of it. */
static uint8_t
wave(uint32_t phase)
{
	int32_t x = (int32_t)(phase & 127);
	int32_t y = x * (128 - x) * 127 / 4096;

	return (uint8_t)(phase & 128 ? 128 - y : 128 + y);
}

/* Rings around the centre that grow finer outwards, up to half the sampling rate at the edges, and
 * move by one step in 32 a frame. */
static void
zone_plate_line(struct render *r, uint32_t line)
{
	uint32_t half = r->width / 2;
	int64_t dy = (int64_t)line - r->height / 2;
	uint32_t k = (1u << 23) / half; /* 64 / half steps a pixel squared, in 1/2^17 */

	for (uint32_t x = 0; x < r->width; x++) {
		int64_t dx = (int64_t)x - half;
		uint64_t phase = (uint64_t)(dx * dx + dy * dy) * k >> 17;

		r->levels[x] = wave((uint32_t)phase - r->sequence * 8);
	}
}

/* xorshift32, another seed for each line of each frame. */
static void
noise_line(struct render *r, uint32_t line)
{
	uint32_t s = (r->sequence * 2654435761u ^ (line + 1) * 2246822519u) | 1;

	for (uint32_t x = 0; x < r->width; x++) {
		s ^= s << 13;
		s ^= s >> 17;
		s ^= s << 5;
		r->levels[x] = (uint8_t)(s >> 24);
	}
}

static void
pack_levels(const struct render *r, struct render_layer *l)
{
	uint32_t bytes = l->nb_pair / 2, last = r->width - 1;

	for (uint32_t x = 0; x < r->width; x++) {
		const uint8_t *grey = l->grey[r->levels[r->look.hflip ? last - x : x]];

		for (uint32_t i = 0; i < bytes; i++) {
			l->row[x * bytes + i] = grey[i];
		}
	}
}

/* The pattern on one line of the picture, without box and strip. */
static const uint8_t *
draw_pattern(struct render *r, struct render_layer *l, uint32_t line)
{
	if (likely(r->look.pattern != RENDER_ZONE_PLATE && r->look.pattern != RENDER_NOISE)) {
		return l->base;
	}
	if (l->is_chroma) {
		return l->base;
	}
	if (r->look.pattern == RENDER_NOISE) {
		noise_line(r, line);
	} else {
		zone_plate_line(r, line);
	}
	pack_levels(r, l);
	return l->row;
}

/* Where a line of the picture is in a pattern that may be upside down. */
static uint32_t
line_of_pattern(const struct render *r, const struct render_layer *l, uint32_t line)
{
	return unlikely(r->look.vflip) ? r->height - (1u << l->y_shift) - line : line;
}

/* The bytes of the box in a row, from and until; both 0: it is not in this one. */
struct span {
	uint32_t from, until;
};

static struct span
box_span(const struct render *r, const struct render_layer *l, uint32_t line)
{
	uint32_t from = r->box_x / 2 * l->nb_pair;

	if (line < r->box_y || line >= r->box_y + r->box_h) {
		return (struct span){0, 0};
	}
	return (struct span){from, from + r->box_w / 2 * l->nb_pair};
}

void
render_picture_row(struct render *r, struct render_layer *l, uint32_t line, uint8_t *out)
{
	const uint8_t *clock = r->look.pattern == RENDER_CLOCK ? draw_clock(r, l, line) : NULL;
	struct span box;

	if (clock != NULL) {
		memcpy(out, clock, l->row_bytes);
		return;
	}
	line = line_of_pattern(r, l, line);
	box = box_span(r, l, line);
	memcpy(out, draw_pattern(r, l, line), l->row_bytes);
	memcpy(out + box.from, l->white, box.until - box.from);
}

static void
draw_row(struct render *r, struct render_layer *l, uint32_t row)
{
	struct vmedia_plane *plane = &r->planes[l->plane];
	uint32_t offset = l->offset + row * l->stride;
	uint32_t line = row << l->y_shift, cell_row = line / RENDER_CELL;
	const uint8_t *base, *clock;
	struct span box;

	if (unlikely(r->look.window.width != 0)) {
		vmedia_plane_write(plane, offset, window_row(r, l, line), l->row_bytes);
		return;
	}
	if (unlikely(cell_row < r->nb_cell_rows)) {
		vmedia_plane_write(plane, offset, draw_cells(r, l, cell_row), l->row_bytes);
		return;
	}
	if (unlikely(r->look.pattern == RENDER_CLOCK && (clock = draw_clock(r, l, line)) != NULL)) {
		vmedia_plane_write(plane, offset, clock, l->row_bytes);
		return;
	}
	line = line_of_pattern(r, l, line);
	base = draw_pattern(r, l, line);
	box = box_span(r, l, line);
	if (box.until == 0) {
		vmedia_plane_write(plane, offset, base, l->row_bytes);
		return;
	}
	vmedia_plane_write(plane, offset, base, box.from);
	vmedia_plane_write(plane, offset + box.from, l->white, box.until - box.from);
	vmedia_plane_write(plane, offset + box.until, base + box.until, l->row_bytes - box.until);
}

/* Padding of a row is part of the frame the guest sees: defined, too. */
static void
pad_row(struct render *r, const struct render_layer *l, uint32_t row)
{
	static const uint8_t zeroes[64];
	uint32_t at = l->row_bytes;

	while (unlikely(at < l->stride)) {
		uint32_t n = MIN(l->stride - at, (uint32_t)sizeof(zeroes));

		vmedia_plane_write(
			&r->planes[l->plane], l->offset + row * l->stride + at, zeroes, n);
		at += n;
	}
}

/* Rows with the box in them: made once a frame. */
static const uint8_t *
boxed_tile(struct render *r, struct render_layer *l)
{
	uint8_t *tile = render_tile(l->boxed_memory);

	if (l->nb_boxed_rows == 0) {
		const struct span box = box_span(r, l, r->box_y);

		l->nb_boxed_rows = MIN(l->nb_tile_rows, r->box_h >> l->y_shift);
		memcpy(tile, render_tile(l->tile_memory), l->nb_boxed_rows * l->row_bytes);
		for (uint32_t i = 0; i < l->nb_boxed_rows; i++) {
			memcpy(tile + i * l->row_bytes + box.from, l->white, box.until - box.from);
		}
	}
	return tile;
}

/* Draws at least one row, and further ones up to `stop` as long as they are the same. Returns how
 * many. */
static uint32_t
draw_rows(struct render *r, struct render_layer *l, uint32_t stop)
{
	uint32_t row = r->row, line = row << l->y_shift, round = (1u << l->y_shift) - 1;
	uint32_t box_end = r->box_y + r->box_h, nb = MIN(stop - row, l->nb_tile_rows);
	const uint8_t *tile = render_tile(l->tile_memory);

	if (nb < 2 || line / RENDER_CELL < r->nb_cell_rows) {
		draw_row(r, l, row);
		pad_row(r, l, row);
		return 1;
	}
	if (line < r->box_y) {
		nb = MIN(nb, (r->box_y - line + round) >> l->y_shift);
	} else if (line < box_end) {
		tile = boxed_tile(r, l);
		nb = MIN(nb, l->nb_boxed_rows);
		nb = MIN(nb, (box_end - line + round) >> l->y_shift);
	}
	store_write(&r->store, &r->planes[l->plane], l->offset + row * l->stride, tile,
		nb * l->row_bytes);
	return nb;
}

bool
render_slice(struct render *r, uint64_t until_tsc)
{
	uint64_t begin_tsc = clock_tsc();

	while (r->layer < r->nb_layers) {
		struct render_layer *l = &r->layers[r->layer];
		uint32_t step = MAX(SLICE_CHECK_BYTES / l->stride, 1u);
		uint32_t stop = MIN(r->row + step, l->rows);

		while (r->row < stop) {
			r->row += draw_rows(r, l, stop);
		}
		if (r->row == l->rows) {
			r->layer++;
			r->row = 0;
		}
		if (clock_tsc() >= until_tsc) {
			break;
		}
	}
	store_flush(&r->store);
	store_spent(&r->store, clock_tsc() - begin_tsc, r->layer == r->nb_layers);
	return r->layer == r->nb_layers;
}
