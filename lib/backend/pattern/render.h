/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The picture: a pattern, a moving white box, and the strip that a machine can read (pattern.md
 * defines every pixel). Drawn row by row, in slices, straight into the buffer.
 *
 *   render.c    HOT: rows
 *   store.c     HOT: large pieces of them, through the caches or past them
 *   window.c    rows of a part of the picture, where crop and compose say so
 *   template.c  what rows are made of: rebuilt when format or look change
 */
#ifndef VMEDIA_BACKEND_PATTERN_RENDER_H
#define VMEDIA_BACKEND_PATTERN_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/pattern/store.h"
#include "base/compiler.h"
#include "base/util.h"
#include "vmedia/backend.h"

#define RENDER_MAX_WIDTH   4096
#define RENDER_MAX_HEIGHT  2304
#define RENDER_MAX_BPP     4     /* bytes per pixel of the widest format */
#define RENDER_TILE_BYTES  65536 /* stay in an L2 cache, two of them for each layer */
#define RENDER_NB_LAYERS   3
#define RENDER_STRIP_WORDS 7
#define RENDER_CELL        8 /* pixels, both ways */
#define RENDER_STRIP_BITS  (RENDER_STRIP_WORDS * 32)
#define RENDER_MIN_WIDTH   160 /* the strip then takes 12 rows of cells */
#define RENDER_MIN_HEIGHT  120
#define RENDER_NB_GLYPHS   12 /* of the clock: HH:MM:SS.mmm */

enum render_pattern {
	RENDER_BARS,
	RENDER_ZONE_PLATE,
	RENDER_GRADIENT,
	RENDER_NOISE,
	RENDER_SOLID,
	RENDER_CLOCK,
	RENDER_NB_PATTERNS
};

#define RENDER_NB_BARS 8
/* 75 %: grey, yellow, cyan, green, magenta, red, blue, black */
#define RENDER_BAR_COLOURS                                                                     \
	{                                                                                      \
		0xbfbfbf, 0xbfbf00, 0x00bfbf, 0x00bf00, 0xbf00bf, 0xbf0000, 0x0000bf, 0x000000 \
	}

/* What of the picture goes where, in pixels, all even; width 0: the whole picture to its place. */
struct render_window {
	uint32_t left, top;       /* in the picture */
	uint32_t to_left, to_top; /* in the buffer */
	uint32_t width, height;
};

/* What controls and selections decide. Box and strip do not follow gain and brightness; the strip
 * never flips. */
struct render_look {
	enum render_pattern pattern;
	int32_t gain;       /* percent */
	int32_t brightness; /* added to R, G, B of 0 .. 255 */
	uint32_t colour;    /* of the solid pattern, 0xRRGGBB */
	bool hflip, vflip;
	uint32_t bars[RENDER_NB_BARS]; /* 0xRRGGBB */
	uint32_t bars_shown;           /* bit b: bar b, else it is black */
	uint32_t speed;                /* of the box, pixels a frame */
	uint32_t origin;               /* sequence number of the frame where the box sets out */
	struct render_window window;
};

/* What the strip of one frame says. */
struct render_strip {
	uint16_t device;
	uint32_t sequence;
	uint64_t timestamp_ns;
	uint16_t missed[VMEDIA_NB_MISSED]; /* since STREAMON, modulo 2^16 */
	uint16_t input;
};

/* One colour in every notation that a format can ask for. */
enum render_component {
	RENDER_Y, /* BT.601, limited range */
	RENDER_U,
	RENDER_V,
	RENDER_JY, /* the same in full range: JPEG */
	RENDER_JU,
	RENDER_JV,
	RENDER_R,
	RENDER_G,
	RENDER_B,
	RENDER_X,  /* 255 */
	RENDER_LO, /* RGB 5-6-5 */
	RENDER_HI,
	RENDER_NB_COMPONENTS
};
struct render_colour {
	uint8_t c[RENDER_NB_COMPONENTS];
};

/* The rows of one component: all of the packed formats, luma or chroma of the planar ones. */
struct render_layer {
	uint32_t plane;     /* memory plane */
	uint32_t row_bytes; /* of visible pixels */
	uint32_t stride;    /* bytes from row to row */
	uint32_t rows;
	uint32_t y_shift;     /* 1: one row for two lines of pixels */
	uint32_t offset;      /* of the first row in the plane */
	uint8_t pair[8];      /* enum render_component of the bytes of two pixels ... */
	uint32_t nb_pair;     /* ... and how many these are */
	bool is_chroma;       /* constant where a pattern has no colour */
	uint32_t cached;      /* which row of cells or of the clock `drawn` is; UINT32_MAX: none */
	uint8_t grey[256][4]; /* one pixel of each level */
	uint8_t base[RENDER_MAX_WIDTH * RENDER_MAX_BPP]; /* the row without box and strip */
	uint8_t white[RENDER_MAX_WIDTH * RENDER_MAX_BPP];
	uint8_t black[RENDER_MAX_WIDTH * RENDER_MAX_BPP]; /* around a window */
	uint8_t drawn[RENDER_MAX_WIDTH * RENDER_MAX_BPP]; /* the row of cells or clock drawn last */
	uint32_t nb_tile_rows;  /* base so many times, one after the other; 0: no two rows are alike
	                         */
	uint32_t nb_boxed_rows; /* the same with the box of the frame at hand; 0: not made yet */
	uint8_t tile_memory[RENDER_TILE_BYTES + CACHE_LINE_BYTES]; /* see render_tile() */
	uint8_t boxed_memory[RENDER_TILE_BYTES + CACHE_LINE_BYTES];
	uint8_t row[RENDER_MAX_WIDTH * RENDER_MAX_BPP]; /* of a pattern that differs line by line */
};

struct render {
	uint32_t fourcc, width, height;
	struct render_look look;
	uint32_t nb_cell_rows; /* rows of cells that the strip takes */
	uint32_t box_w, box_h; /* pixels, even */
	unsigned int nb_layers;
	struct render_layer layers[RENDER_NB_LAYERS];
	struct store store;
	/* the frame at hand */
	struct vmedia_plane *planes;
	uint32_t sequence;
	uint32_t words[RENDER_STRIP_WORDS];
	uint8_t glyphs[RENDER_NB_GLYPHS]; /* 0 .. 9, 10 ':', 11 '.' */
	uint32_t box_x, box_y;            /* pixels */
	unsigned int layer;               /* where to go on */
	uint32_t row;
	uint8_t levels[RENDER_MAX_WIDTH]; /* one line of the patterns that have no template */
	/* a line of the picture, and what a window makes of it */
	uint8_t picture[RENDER_MAX_WIDTH * RENDER_MAX_BPP];
	uint8_t composed[RENDER_MAX_WIDTH * RENDER_MAX_BPP];
};

/* The default: bars as they are. */
extern const struct render_look render_plain;

/* Prepares the templates for a format; at STREAMON, not per frame. V4L2_PIX_FMT_MJPEG: three planes
 * of full-range 4:2:0, to be compressed. -EINVAL: cannot draw it. */
int render_init(
	struct render *r, const struct vmedia_format *format, const struct render_look *look);

/* Starts a frame in these memory planes, each as long as the format says. Another look than before
 * costs new templates, some 100 us at 1080p. */
void render_begin(struct render *r, struct vmedia_plane *planes, const struct render_strip *strip,
	const struct render_look *look);

/* Draws on until the frame is complete (true) or until_tsc has come (false). */
bool render_slice(struct render *r, uint64_t until_tsc);

/* One line of the picture without the strip, the box included on all lines. */
void render_picture_row(struct render *r, struct render_layer *l, uint32_t line, uint8_t *out);
/* The strip's cells of one row of cells on top of a row of the buffer; beyond the last: none. */
void render_put_cells(
	const struct render *r, const struct render_layer *l, uint8_t *row, uint32_t cell_row);

/* ---- window.c */
/* The row of the buffer that begins with pixels of this line. */
const uint8_t *window_row(struct render *r, struct render_layer *l, uint32_t line);

/* ---- template.c */
/* Fills base, tile, white, black and grey of all layers for r->look. */
void template_build(struct render *r);
/* The first row of a tile: at the begin of a cache line, as rows of most formats are. */
static inline uint8_t *
render_tile(uint8_t *memory)
{
	return (uint8_t *)round_up((uintptr_t)memory, CACHE_LINE_BYTES);
}
/* Pixels x .. x + n - 1 of a row; x and n are even. */
void template_put(const struct render_layer *l, uint8_t *row, uint32_t x, uint32_t n,
	const struct render_colour *c);
extern const struct render_colour template_black, template_white;

#endif
