/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>

#include "analysis/svg.h"

static const char *const anchors[] = {
	[SVG_START] = "start", [SVG_MIDDLE] = "middle", [SVG_END] = "end"};

void
svg_escape(FILE *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		switch (*c) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc((unsigned char)*c < 0x20 ? '?' : *c, out);
		}
	}
}

void
svg_begin(FILE *out, double width, double height, const char *label)
{
	fprintf(out, "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", width, height);
	svg_escape(out, label);
	fputs("\">\n", out);
}

void
svg_end(FILE *out)
{
	fputs("</svg>\n", out);
}

static void
end_with_tip(FILE *out, const char *element, const char *tip)
{
	if (tip == NULL) {
		fputs("/>\n", out);
		return;
	}
	fputs("><title>", out);
	svg_escape(out, tip);
	fprintf(out, "</title></%s>\n", element);
}

void
svg_rect(FILE *out, const struct svg_box *box, const char *css, const char *tip)
{
	svg_cell(out, box, css, 1, tip);
}

void
svg_cell(FILE *out, const struct svg_box *box, const char *css, double opacity, const char *tip)
{
	fprintf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.2f\" height=\"%.2f\" class=\"%s\"",
		box->x, box->y, box->width, box->height, css);
	if (opacity < 1) {
		fprintf(out, " opacity=\"%.2f\"", opacity);
	}
	end_with_tip(out, "rect", tip);
}

void
svg_line(FILE *out, double x1, double y1, double x2, double y2)
{
	fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x1, y1, x2, y2);
}

void
svg_path_begin(FILE *out, const char *css)
{
	fprintf(out, "<polyline class=\"%s\" points=\"", css);
}

void
svg_path_point(FILE *out, double x, double y)
{
	fprintf(out, "%.1f,%.1f ", x, y);
}

void
svg_path_end(FILE *out)
{
	fputs("\"/>\n", out);
}

void
svg_text(FILE *out, const struct svg_place *at, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", at->x, at->y,
		anchors[at->anchor]);
	svg_escape(out, text);
	fputs("</text>\n", out);
}
