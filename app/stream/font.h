/* SPDX-License-Identifier: BSD-3-Clause */
/* The letters of captions. Constant data, any thread. */
#ifndef VMEDIA_APP_STREAM_FONT_H
#define VMEDIA_APP_STREAM_FONT_H

#include <stdint.h>

#define FONT_WIDTH  6 /* pixels */
#define FONT_HEIGHT 13
#define FONT_FIRST  ' ' /* the first and the last letter that is there */
#define FONT_LAST   '~'

/* A byte is a row, its most significant bit is the leftmost pixel. */
extern const uint8_t font[FONT_LAST - FONT_FIRST + 1][FONT_HEIGHT];

#endif
