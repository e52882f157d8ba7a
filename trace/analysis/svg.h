/* SPDX-License-Identifier: BSD-3-Clause */
/* The few SVG elements that the report draws, with escaped text. Coordinates in pixels. */
#ifndef VMEDIA_ANALYSIS_SVG_H
#define VMEDIA_ANALYSIS_SVG_H

#include <stdio.h>

#include "base/compiler.h"

enum svg_anchor {
	SVG_START,
	SVG_MIDDLE,
	SVG_END,
};

struct svg_box {
	double x, y, width, height;
};

void svg_begin(FILE *out, double width, double height, const char *label);
void svg_end(FILE *out);

/* css: the class that gives colour; tip: shown under the pointer, or NULL. */
void svg_rect(FILE *out, const struct svg_box *box, const char *css, const char *tip);
/* As svg_rect, with an opacity of 0 to 1. */
void svg_cell(
	FILE *out, const struct svg_box *box, const char *css, double opacity, const char *tip);
void svg_line(FILE *out, double x1, double y1, double x2, double y2);

/* A poly-line: svg_path_begin, points, svg_path_end. */
void svg_path_begin(FILE *out, const char *css);
void svg_path_point(FILE *out, double x, double y);
void svg_path_end(FILE *out);

struct svg_place {
	double x, y;
	enum svg_anchor anchor;
};
void svg_text(FILE *out, const struct svg_place *at, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Text into HTML, SVG or an attribute: & < > " are escaped, control characters become '?'. */
void svg_escape(FILE *out, const char *text);

#endif
