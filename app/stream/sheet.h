/* SPDX-License-Identifier: BSD-3-Clause */
/* A contact sheet: the last frame of each stream, scaled down, with a caption, as one PNG. */
#ifndef VMEDIA_APP_STREAM_SHEET_H
#define VMEDIA_APP_STREAM_SHEET_H

#include <linux/videodev2.h>
#include <stdint.h>

struct sheet;

/* nb_cells cells in rows of four. -ENOMEM, -ENOTSUP: built without libpng. */
int sheet_create(unsigned int nb_cells, struct sheet **sheet);

/* Copies a frame, scaled, into a cell; captions of ASCII are drawn below it. -ENOTSUP: format. */
int sheet_put(struct sheet *sheet, unsigned int cell, const struct v4l2_pix_format *format,
	const void *pixels, const char *caption);

/* Writes the PNG (0 or a negative errno) and frees the sheet in any case. */
int sheet_write(struct sheet *sheet, const char *path);

#endif
