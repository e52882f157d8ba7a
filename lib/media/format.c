/* SPDX-License-Identifier: BSD-3-Clause */
#include "media/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/util.h"

#define FULL V4L2_QUANTIZATION_FULL_RANGE

/* clang-format off */
static const struct format_info formats[] = {
	/* fourcc             description               mem comp  sample bytes hsub vsub */
	{V4L2_PIX_FMT_NV12,   "Y/CbCr 4:2:0",           1, 2, {1, 2},    2, 2, false, 0},
	{V4L2_PIX_FMT_NV21,   "Y/CrCb 4:2:0",           1, 2, {1, 2},    2, 2, false, 0},
	{V4L2_PIX_FMT_NV16,   "Y/CbCr 4:2:2",           1, 2, {1, 2},    2, 1, false, 0},
	{V4L2_PIX_FMT_NV12M,  "Y/CbCr 4:2:0 (N-C)",     2, 2, {1, 2},    2, 2, false, 0},
	{V4L2_PIX_FMT_YUV420, "Planar YUV 4:2:0",       1, 3, {1, 1, 1}, 2, 2, false, 0},
	{V4L2_PIX_FMT_YUV420M, "Planar YUV 4:2:0 (N-C)", 3, 3, {1, 1, 1}, 2, 2, false, 0},
	{V4L2_PIX_FMT_YUYV,   "YUYV 4:2:2",             1, 1, {2},       2, 1, false, 0},
	{V4L2_PIX_FMT_UYVY,   "UYVY 4:2:2",             1, 1, {2},       2, 1, false, 0},
	{V4L2_PIX_FMT_GREY,   "8-bit Greyscale",        1, 1, {1},       1, 1, false, 0},
	{V4L2_PIX_FMT_RGB565, "16-bit RGB 5-6-5",       1, 1, {2},       1, 1, false, 0},
	{V4L2_PIX_FMT_RGB24,  "24-bit RGB 8-8-8",       1, 1, {3},       1, 1, false, 0},
	{V4L2_PIX_FMT_XBGR32, "32-bit BGRX 8-8-8-8",    1, 1, {4},       1, 1, false, 0},
	{V4L2_PIX_FMT_BGR32,  "32-bit BGRA/X 8-8-8-8",  1, 1, {4},       1, 1, false, 0},
	{V4L2_PIX_FMT_MJPEG,  "Motion-JPEG",            1, 1, {2},       1, 1, true, FULL},
	{V4L2_PIX_FMT_H264,   "H.264",                  1, 1, {2},       1, 1, true, 0},
};
/* clang-format on */

static bool
is_mplane(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

const struct format_info *
format_info(uint32_t fourcc)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (formats[i].fourcc == fourcc) {
			return &formats[i];
		}
	}
	return NULL;
}

/* In 64 bits nothing here overflows: both factors come from 32-bit sizes times at most 4. */
static uint64_t
line_bytes(const struct format_info *info, uint32_t width, uint32_t component)
{
	uint64_t groups = ((uint64_t)width + info->hsub - 1) / info->hsub;

	return groups * (component == 0 ? info->hsub : 1u) * info->sample_bytes[component];
}

static uint64_t
nb_lines(const struct format_info *info, uint32_t height, uint32_t component)
{
	return component == 0 ? height : ((uint64_t)height + info->vsub - 1) / info->vsub;
}

uint32_t
format_component_line(const struct vmedia_format *f, uint32_t component)
{
	return (uint32_t)line_bytes(format_info(f->fourcc), f->width, component);
}

uint32_t
format_component_lines(const struct vmedia_format *f, uint32_t component)
{
	return (uint32_t)nb_lines(format_info(f->fourcc), f->height, component);
}

int
format_layout(struct vmedia_format *f)
{
	const struct format_info *info = format_info(f->fourcc);
	uint64_t sizes[VIDEO_MAX_PLANES] = {0};
	uint32_t strides[VIDEO_MAX_PLANES] = {0};
	uint32_t c;

	if (info == NULL || f->width == 0 || f->height == 0) {
		return -EINVAL;
	}
	for (c = 0; c < info->nb_components; c++) {
		uint32_t plane = MIN(c, info->nb_planes - 1u);
		uint64_t line = line_bytes(info, f->width, c);
		uint64_t size;

		if (line > UINT32_MAX || !mul_ok(line, nb_lines(info, f->height, c), &size) ||
			!add_ok(sizes[plane], size, &sizes[plane]) || sizes[plane] > UINT32_MAX) {
			return -EOVERFLOW;
		}
		if (c == 0 || info->nb_planes > 1) {
			strides[plane] = info->compressed ? 0 : (uint32_t)line;
		}
	}
	f->nb_planes = info->nb_planes;
	f->selection = f->device_side = (struct v4l2_rect){0, 0, f->width, f->height};
	for (c = 0; c < VIDEO_MAX_PLANES; c++) {
		f->bytesperline[c] = strides[c];
		f->sizeimage[c] = (uint32_t)sizes[c];
	}
	return 0;
}

const struct vmedia_format_desc *
format_desc(const struct vmedia_node *node, uint32_t fourcc)
{
	uint32_t i;

	for (i = 0; i < node->nb_formats; i++) {
		if (node->formats[i].fourcc == fourcc) {
			return &node->formats[i];
		}
	}
	return NULL;
}

/* The nearest of min, min + step, … up to max. */
static uint32_t
nearest_step(uint32_t wish, uint32_t min, uint32_t max, uint32_t step)
{
	uint64_t n;

	step = MAX(step, 1u);
	wish = MAX(min, MIN(wish, max));
	n = ((uint64_t)wish - min + step / 2) / step;
	n = MIN(n, (max - min) / step);
	return (uint32_t)(min + n * step);
}

static void
fit_size(const struct vmedia_format_desc *desc, uint32_t width, uint32_t height,
	struct vmedia_format *f)
{
	f->fourcc = desc->fourcc;
	f->width = nearest_step(width, desc->min_width, desc->max_width, desc->step_width);
	f->height = nearest_step(height, desc->min_height, desc->max_height, desc->step_height);
}

static void
default_colors(struct vmedia_format *f)
{
	f->colorspace = V4L2_COLORSPACE_SRGB; /* its YCbCr is that of BT.601, limited range */
	f->ycbcr_enc = V4L2_YCBCR_ENC_DEFAULT;
	f->quantization = format_info(f->fourcc)->quantization;
	f->xfer_func = V4L2_XFER_FUNC_DEFAULT;
}

int
format_default(const struct vmedia_node *node, struct vmedia_format *f)
{
	const struct vmedia_format_desc *desc = format_desc(node, node->default_fourcc);

	if (desc == NULL || format_info(desc->fourcc) == NULL) {
		return -EINVAL;
	}
	memset(f, 0, sizeof(*f));
	fit_size(desc, node->default_width, node->default_height, f);
	default_colors(f);
	f->interval = node->default_interval;
	return format_layout(f);
}

int
format_resize(
	const struct vmedia_node *node, uint32_t width, uint32_t height, struct vmedia_format *f)
{
	const struct vmedia_format_desc *desc = format_desc(node, f->fourcc);
	struct vmedia_format next = *f;
	int ret;

	if (desc == NULL) {
		return -EINVAL;
	}
	fit_size(desc, width, height, &next);
	ret = format_layout(&next);
	if (ret == 0) {
		*f = next;
	}
	return ret;
}

struct wish {
	uint32_t fourcc, width, height;
	uint32_t colorspace, ycbcr_enc, quantization, xfer_func;
};

static void
read_wish(const struct v4l2_format *in, struct wish *w)
{
	if (is_mplane(in->type)) {
		const struct v4l2_pix_format_mplane *mp = &in->fmt.pix_mp;

		*w = (struct wish){mp->pixelformat, mp->width, mp->height, mp->colorspace,
			mp->ycbcr_enc, mp->quantization, mp->xfer_func};
	} else {
		const struct v4l2_pix_format *pix = &in->fmt.pix;
		bool extended = pix->priv == V4L2_PIX_FMT_PRIV_MAGIC;

		*w = (struct wish){pix->pixelformat, pix->width, pix->height, pix->colorspace,
			extended ? pix->ycbcr_enc : 0, extended ? pix->quantization : 0,
			extended ? pix->xfer_func : 0};
	}
}

/* An application describes what it writes; values beyond the known ones become the default. */
static void
take_colors(const struct wish *w, struct vmedia_format *f)
{
	if (w->colorspace == V4L2_COLORSPACE_DEFAULT || w->colorspace == V4L2_COLORSPACE_BT878 ||
		w->colorspace > V4L2_COLORSPACE_DCI_P3) {
		return;
	}
	f->colorspace = w->colorspace;
	if (w->ycbcr_enc <= V4L2_YCBCR_ENC_SMPTE240M) {
		f->ycbcr_enc = w->ycbcr_enc;
	}
	if (w->quantization <= V4L2_QUANTIZATION_LIM_RANGE) {
		f->quantization = w->quantization;
	}
	if (w->xfer_func <= V4L2_XFER_FUNC_SMPTE2084) {
		f->xfer_func = w->xfer_func;
	}
}

int
format_negotiate(
	const struct vmedia_node *node, const struct v4l2_format *wish, struct vmedia_format *f)
{
	const struct vmedia_format_desc *desc;
	struct vmedia_format next = *f;
	struct wish w;
	int ret;

	read_wish(wish, &w);
	desc = format_desc(node, w.fourcc);
	if (desc == NULL) {
		desc = format_desc(node, node->default_fourcc);
	}
	if (desc == NULL || format_info(desc->fourcc) == NULL) {
		return -EINVAL;
	}
	fit_size(desc, w.width, w.height, &next);
	default_colors(&next);
	if (V4L2_TYPE_IS_OUTPUT(wish->type)) {
		take_colors(&w, &next);
	}
	ret = format_layout(&next);
	if (ret == 0) {
		*f = next;
	}
	return ret;
}

static void
fill_pix(const struct vmedia_format *f, struct v4l2_pix_format *pix)
{
	pix->width = f->width;
	pix->height = f->height;
	pix->pixelformat = f->fourcc;
	pix->field = V4L2_FIELD_NONE;
	pix->bytesperline = f->bytesperline[0];
	pix->sizeimage = f->sizeimage[0];
	pix->colorspace = f->colorspace;
	pix->priv = V4L2_PIX_FMT_PRIV_MAGIC;
	pix->ycbcr_enc = f->ycbcr_enc;
	pix->quantization = f->quantization;
	pix->xfer_func = f->xfer_func;
}

static void
fill_pix_mp(const struct vmedia_format *f, struct v4l2_pix_format_mplane *mp)
{
	uint32_t i;

	mp->width = f->width;
	mp->height = f->height;
	mp->pixelformat = f->fourcc;
	mp->field = V4L2_FIELD_NONE;
	mp->colorspace = f->colorspace;
	mp->num_planes = (uint8_t)f->nb_planes;
	mp->ycbcr_enc = (uint8_t)f->ycbcr_enc;
	mp->quantization = (uint8_t)f->quantization;
	mp->xfer_func = (uint8_t)f->xfer_func;
	for (i = 0; i < f->nb_planes; i++) {
		mp->plane_fmt[i].sizeimage = f->sizeimage[i];
		mp->plane_fmt[i].bytesperline = f->bytesperline[i];
	}
}

void
format_to_v4l2(const struct vmedia_format *f, uint32_t type, struct v4l2_format *out)
{
	memset(out, 0, sizeof(*out));
	out->type = type;
	if (is_mplane(type)) {
		fill_pix_mp(f, &out->fmt.pix_mp);
	} else {
		fill_pix(f, &out->fmt.pix);
	}
}

bool
format_differs(const struct vmedia_format *a, const struct vmedia_format *b)
{
	return a->fourcc != b->fourcc || a->width != b->width || a->height != b->height ||
	       a->nb_planes != b->nb_planes ||
	       memcmp(a->bytesperline, b->bytesperline, sizeof(a->bytesperline)) != 0 ||
	       memcmp(a->sizeimage, b->sizeimage, sizeof(a->sizeimage)) != 0;
}

int
format_enum(const struct vmedia_node *node, struct v4l2_fmtdesc *e)
{
	struct v4l2_fmtdesc out = {.index = e->index, .type = e->type};
	const struct format_info *info;

	if (e->index >= node->nb_formats) {
		return -EINVAL;
	}
	info = format_info(node->formats[e->index].fourcc);
	if (info == NULL) {
		return -EINVAL;
	}
	out.flags = info->compressed ? V4L2_FMT_FLAG_COMPRESSED : 0;
	out.pixelformat = info->fourcc;
	snprintf((char *)out.description, sizeof(out.description), "%s", info->description);
	*e = out;
	return 0;
}

static bool
is_one_size(const struct vmedia_format_desc *d)
{
	return d->min_width == d->max_width && d->min_height == d->max_height;
}

int
format_enum_sizes(const struct vmedia_node *node, struct v4l2_frmsizeenum *e)
{
	const struct vmedia_format_desc *d = format_desc(node, e->pixel_format);
	struct v4l2_frmsizeenum out = {.index = e->index, .pixel_format = e->pixel_format};

	if (d == NULL || e->index != 0) {
		return -EINVAL;
	}
	if (is_one_size(d)) {
		out.type = V4L2_FRMSIZE_TYPE_DISCRETE;
		out.discrete.width = d->min_width;
		out.discrete.height = d->min_height;
	} else {
		out.stepwise = (struct v4l2_frmsize_stepwise){d->min_width, d->max_width,
			MAX(d->step_width, 1u), d->min_height, d->max_height,
			MAX(d->step_height, 1u)};
		out.type = out.stepwise.step_width == 1 && out.stepwise.step_height == 1
		                   ? V4L2_FRMSIZE_TYPE_CONTINUOUS
		                   : V4L2_FRMSIZE_TYPE_STEPWISE;
	}
	*e = out;
	return 0;
}

static bool
fract_less(struct v4l2_fract a, struct v4l2_fract b)
{
	return (uint64_t)a.numerator * b.denominator < (uint64_t)b.numerator * a.denominator;
}

static bool
has_size(const struct vmedia_format_desc *d, uint32_t width, uint32_t height)
{
	struct vmedia_format f;

	fit_size(d, width, height, &f);
	return f.width == width && f.height == height;
}

int
format_enum_intervals(const struct vmedia_node *node, struct v4l2_frmivalenum *e)
{
	const struct vmedia_format_desc *d = format_desc(node, e->pixel_format);
	struct v4l2_frmivalenum out = {.index = e->index,
		.pixel_format = e->pixel_format,
		.width = e->width,
		.height = e->height};

	if (node->max_interval.denominator == 0) {
		return -ENOTTY;
	}
	if (d == NULL || e->index != 0 || !has_size(d, e->width, e->height)) {
		return -EINVAL;
	}
	if (!fract_less(node->min_interval, node->max_interval)) {
		out.type = V4L2_FRMIVAL_TYPE_DISCRETE;
		out.discrete = node->min_interval;
	} else {
		out.type = V4L2_FRMIVAL_TYPE_CONTINUOUS;
		out.stepwise.min = node->min_interval;
		out.stepwise.max = node->max_interval;
		out.stepwise.step = (struct v4l2_fract){1, 1};
	}
	*e = out;
	return 0;
}

struct v4l2_fract
format_interval(const struct vmedia_node *node, struct v4l2_fract wish)
{
	uint32_t a = wish.numerator;
	uint32_t b = wish.denominator;

	if (wish.numerator == 0 || wish.denominator == 0) {
		return node->default_interval;
	}
	if (fract_less(wish, node->min_interval)) {
		return node->min_interval;
	}
	if (fract_less(node->max_interval, wish)) {
		return node->max_interval;
	}
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return (struct v4l2_fract){wish.numerator / a, wish.denominator / a};
}
