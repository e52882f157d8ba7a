/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The picture: colour bars, a moving white box, and the strip that a machine can read (pattern.md
 * defines every pixel). Drawn row by row from templates, in slices, straight into the buffer.
 */
#ifndef VMEDIA_BACKEND_PATTERN_RENDER_H
#define VMEDIA_BACKEND_PATTERN_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

#define RENDER_MAX_WIDTH   4096
#define RENDER_MAX_BPP     4 /* bytes per pixel of the widest format */
#define RENDER_NB_LAYERS   2
#define RENDER_STRIP_WORDS 7
#define RENDER_CELL        8 /* pixels, both ways */
#define RENDER_STRIP_BITS  (RENDER_STRIP_WORDS * 32)
#define RENDER_MIN_WIDTH   160 /* the strip then takes 12 rows of cells */
#define RENDER_MIN_HEIGHT  120

/* What the strip of one frame says. */
struct render_strip {
	uint16_t device;
	uint32_t sequence;
	uint64_t timestamp_ns;
	uint16_t missed[VMEDIA_NB_MISSED]; /* since STREAMON, modulo 2^16 */
};

/* The rows of one plane component: all of the packed formats, luma or chroma of NV12. */
struct render_layer {
	uint32_t bytes_per_pixel; /* of a row, horizontal subsampling included */
	uint32_t row_bytes;       /* of visible pixels */
	uint32_t stride;          /* bytes from row to row */
	uint32_t rows;
	uint32_t y_shift; /* 1: one row for two lines of pixels */
	uint32_t offset;  /* of the first row in the plane */
	uint8_t bars[RENDER_MAX_WIDTH * RENDER_MAX_BPP];
	uint8_t white[RENDER_MAX_WIDTH * RENDER_MAX_BPP];
	uint8_t strip[RENDER_MAX_WIDTH * RENDER_MAX_BPP]; /* the row of cells drawn last */
	uint32_t strip_row; /* which row of cells that is; UINT32_MAX: none yet */
};

struct render {
	uint32_t fourcc, width, height;
	uint32_t nb_cell_rows; /* rows of cells that the strip takes */
	uint32_t box_w, box_h; /* pixels, even */
	unsigned int nb_layers;
	struct render_layer layers[RENDER_NB_LAYERS];
	/* the frame at hand */
	uint8_t *addr;
	uint32_t words[RENDER_STRIP_WORDS];
	uint32_t box_x, box_y; /* pixels */
	unsigned int layer;    /* where to go on */
	uint32_t row;
};

/* Prepares the templates for a format; at STREAMON, not per frame. -EINVAL: cannot draw it. */
int render_init(struct render *r, const struct vmedia_format *format);

/* Starts a frame at addr; its size is format.sizeimage. */
void render_begin(struct render *r, void *addr, const struct render_strip *strip);

/* Draws on until the frame is complete (true) or until_tsc has come (false). */
bool render_slice(struct render *r, uint64_t until_tsc);

#endif
