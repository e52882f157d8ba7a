/* SPDX-License-Identifier: BSD-3-Clause */
/* Crop and compose: part of the picture goes somewhere into the buffer, which is black around it.
 */
#include <string.h>

#include "backend/pattern/render.h"

static size_t
bytes_of(const struct render_layer *l, uint32_t pixels)
{
	return (size_t)pixels / 2 * l->nb_pair;
}

const uint8_t *
window_row(struct render *r, struct render_layer *l, uint32_t line)
{
	const struct render_window *w = &r->look.window;
	uint32_t below = line - w->to_top;

	memcpy(r->composed, l->black, l->row_bytes);
	if (line >= w->to_top && below < w->height) {
		render_picture_row(r, l, w->top + below, r->picture);
		memcpy(r->composed + bytes_of(l, w->to_left), r->picture + bytes_of(l, w->left),
			bytes_of(l, w->width));
	}
	render_put_cells(r, l, r->composed, line / RENDER_CELL);
	return r->composed;
}
