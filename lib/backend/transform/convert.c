/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a picture: unpack → scale → change of model → flip → pack. Steps that have nothing to
 * do are left out, and the last one writes into the target itself where its layout is one of the
 * models.
 */
#include "backend/transform/convert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libyuv.h>

#include "base/compiler.h"
#include "base/util.h"
#include "media/format.h"

#define GREY_CHROMA 128

/* What pictures are between the steps. */
enum model {
	MODEL_GREY,
	MODEL_420, /* three planes */
	MODEL_422,
	MODEL_ARGB, /* libyuv's: B, G, R, A in memory */
	NB_MODELS
};

struct image {
	enum model model;
	int width, height;
	uint8_t *planes[3];
	int strides[3];
};

static const struct model_info {
	uint8_t nb_planes, hsub, vsub, sample_bytes;
} models[NB_MODELS] = {
	[MODEL_GREY] = {1, 1, 1, 1},
	[MODEL_420] = {3, 2, 2, 1},
	[MODEL_422] = {3, 2, 1, 1},
	[MODEL_ARGB] = {1, 1, 1, 4},
};

static int
plane_width(const struct image *image, unsigned int plane)
{
	return plane == 0 ? image->width : image->width / models[image->model].hsub;
}

static int
plane_height(const struct image *image, unsigned int plane)
{
	return plane == 0 ? image->height : image->height / models[image->model].vsub;
}

/* ---- formats: how each V4L2 format becomes a model and comes of one ---- */

/* A V4L2 picture by its component planes. */
struct packed {
	uint8_t *planes[3];
	int strides[3];
};

typedef void unpack_fn(const struct packed *from, const struct image *to);
typedef void pack_fn(const struct image *from, const struct packed *to);

#define YUV(i)                                                                            \
	(i)->planes[0], (i)->strides[0], (i)->planes[1], (i)->strides[1], (i)->planes[2], \
		(i)->strides[2]
#define TWO(p)  (p)->planes[0], (p)->strides[0], (p)->planes[1], (p)->strides[1]
#define ONE(p)  (p)->planes[0], (p)->strides[0]
#define SIZE(i) (i)->width, (i)->height

static void
unpack_nv12(const struct packed *from, const struct image *to)
{
	NV12ToI420(TWO(from), YUV(to), SIZE(to));
}

static void
pack_nv12(const struct image *from, const struct packed *to)
{
	I420ToNV12(YUV(from), TWO(to), SIZE(from));
}

static void
unpack_nv21(const struct packed *from, const struct image *to)
{
	NV21ToI420(TWO(from), YUV(to), SIZE(to));
}

static void
pack_nv21(const struct image *from, const struct packed *to)
{
	I420ToNV21(YUV(from), TWO(to), SIZE(from));
}

static void
unpack_nv16(const struct packed *from, const struct image *to)
{
	CopyPlane(ONE(from), ONE(to), SIZE(to));
	SplitUVPlane(from->planes[1], from->strides[1], to->planes[1], to->strides[1],
		to->planes[2], to->strides[2], to->width / 2, to->height);
}

static void
pack_nv16(const struct image *from, const struct packed *to)
{
	CopyPlane(ONE(from), ONE(to), SIZE(from));
	MergeUVPlane(from->planes[1], from->strides[1], from->planes[2], from->strides[2],
		to->planes[1], to->strides[1], from->width / 2, from->height);
}

static void
unpack_yuyv(const struct packed *from, const struct image *to)
{
	YUY2ToI422(ONE(from), YUV(to), SIZE(to));
}

static void
pack_yuyv(const struct image *from, const struct packed *to)
{
	I422ToYUY2(YUV(from), ONE(to), SIZE(from));
}

static void
unpack_uyvy(const struct packed *from, const struct image *to)
{
	UYVYToI422(ONE(from), YUV(to), SIZE(to));
}

static void
pack_uyvy(const struct image *from, const struct packed *to)
{
	I422ToUYVY(YUV(from), ONE(to), SIZE(from));
}

static void
unpack_rgb24(const struct packed *from, const struct image *to)
{
	RAWToARGB(ONE(from), ONE(to), SIZE(to));
}

static void
pack_rgb24(const struct image *from, const struct packed *to)
{
	ARGBToRAW(ONE(from), ONE(to), SIZE(from));
}

static void
unpack_rgb565(const struct packed *from, const struct image *to)
{
	RGB565ToARGB(ONE(from), ONE(to), SIZE(to));
}

static void
pack_rgb565(const struct image *from, const struct packed *to)
{
	ARGBToRGB565(ONE(from), ONE(to), SIZE(from));
}

/* Without functions: the layout is the model's. */
static const struct format {
	uint32_t fourcc;
	enum model model;
	unpack_fn *unpack;
	pack_fn *pack;
} formats[] = {
	{V4L2_PIX_FMT_NV12, MODEL_420, unpack_nv12, pack_nv12},
	{V4L2_PIX_FMT_NV12M, MODEL_420, unpack_nv12, pack_nv12},
	{V4L2_PIX_FMT_NV21, MODEL_420, unpack_nv21, pack_nv21},
	{V4L2_PIX_FMT_NV16, MODEL_422, unpack_nv16, pack_nv16},
	{V4L2_PIX_FMT_YUV420, MODEL_420, NULL, NULL},
	{V4L2_PIX_FMT_YUV420M, MODEL_420, NULL, NULL},
	{V4L2_PIX_FMT_YUYV, MODEL_422, unpack_yuyv, pack_yuyv},
	{V4L2_PIX_FMT_UYVY, MODEL_422, unpack_uyvy, pack_uyvy},
	{V4L2_PIX_FMT_GREY, MODEL_GREY, NULL, NULL},
	{V4L2_PIX_FMT_RGB24, MODEL_ARGB, unpack_rgb24, pack_rgb24},
	{V4L2_PIX_FMT_RGB565, MODEL_ARGB, unpack_rgb565, pack_rgb565},
	{V4L2_PIX_FMT_XBGR32, MODEL_ARGB, NULL, NULL},
	{V4L2_PIX_FMT_BGR32, MODEL_ARGB, NULL, NULL},
};

static const struct format *
format_find(uint32_t fourcc)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(formats); i++) {
		if (formats[i].fourcc == fourcc) {
			return &formats[i];
		}
	}
	return NULL;
}

bool
convert_knows(uint32_t fourcc)
{
	return format_find(fourcc) != NULL;
}

/* ---- changes of model, at the same size ---- */

typedef void change_fn(const struct image *from, const struct image *to);

static void
to_grey(const struct image *from, const struct image *to)
{
	CopyPlane(ONE(from), ONE(to), SIZE(to));
}

static void
grey_to_yuv(const struct image *from, const struct image *to)
{
	CopyPlane(ONE(from), ONE(to), SIZE(to));
	for (unsigned int i = 1; i < 3; i++) {
		SetPlane(to->planes[i], to->strides[i], plane_width(to, i), plane_height(to, i),
			GREY_CHROMA);
	}
}

static void
grey_to_argb(const struct image *from, const struct image *to)
{
	I400ToARGB(ONE(from), ONE(to), SIZE(to));
}

static void
i420_to_i422(const struct image *from, const struct image *to)
{
	I420ToI422(YUV(from), YUV(to), SIZE(to));
}

static void
i422_to_i420(const struct image *from, const struct image *to)
{
	I422ToI420(YUV(from), YUV(to), SIZE(to));
}

static void
i420_to_argb(const struct image *from, const struct image *to)
{
	I420ToARGB(YUV(from), ONE(to), SIZE(to));
}

static void
i422_to_argb(const struct image *from, const struct image *to)
{
	I422ToARGB(YUV(from), ONE(to), SIZE(to));
}

static void
argb_to_grey(const struct image *from, const struct image *to)
{
	ARGBToI400(ONE(from), ONE(to), SIZE(to));
}

static void
argb_to_i420(const struct image *from, const struct image *to)
{
	ARGBToI420(ONE(from), YUV(to), SIZE(to));
}

static void
argb_to_i422(const struct image *from, const struct image *to)
{
	ARGBToI422(ONE(from), YUV(to), SIZE(to));
}

static change_fn *const changes[NB_MODELS][NB_MODELS] = {
	[MODEL_GREY] = {NULL, grey_to_yuv, grey_to_yuv, grey_to_argb},
	[MODEL_420] = {to_grey, NULL, i420_to_i422, i420_to_argb},
	[MODEL_422] = {to_grey, i422_to_i420, NULL, i422_to_argb},
	[MODEL_ARGB] = {argb_to_grey, argb_to_i420, argb_to_i422, NULL},
};

/* ---- size and flips, within a model ---- */

static void
scale(const struct image *from, const struct image *to)
{
	if (from->model == MODEL_ARGB) {
		ARGBScale(ONE(from), SIZE(from), ONE(to), SIZE(to), kFilterBox);
		return;
	}
	for (unsigned int i = 0; i < models[from->model].nb_planes; i++) {
		ScalePlane(from->planes[i], from->strides[i], plane_width(from, i),
			plane_height(from, i), to->planes[i], to->strides[i], plane_width(to, i),
			plane_height(to, i), kFilterBox);
	}
}

/* A negative height turns the picture upside down. */
static void
flip(const struct image *from, const struct image *to, struct convert_flips flips)
{
	int sign = flips.vertical ? -1 : 1;

	if (from->model == MODEL_ARGB) {
		(flips.horizontal ? ARGBMirror : ARGBCopy)(
			ONE(from), ONE(to), to->width, sign * to->height);
		return;
	}
	for (unsigned int i = 0; i < models[from->model].nb_planes; i++) {
		(flips.horizontal ? MirrorPlane : CopyPlane)(from->planes[i], from->strides[i],
			to->planes[i], to->strides[i], plane_width(to, i),
			sign * plane_height(to, i));
	}
}

/* ---- the way ---- */

/* The first byte of the selection within a component plane. */
static size_t
selection_offset(
	const struct vmedia_format *f, const struct format_info *info, uint32_t c, int stride)
{
	uint32_t x = (uint32_t)f->selection.left, y = (uint32_t)f->selection.top;

	if (c > 0) {
		x /= info->hsub;
		y /= info->vsub;
	}
	return (size_t)y * (size_t)stride + (size_t)x * info->sample_bytes[c];
}

static void
packed_view(const struct convert_picture *picture, struct packed *view)
{
	const struct format_info *info = format_info(picture->format.fourcc);
	uint8_t *at = picture->planes[0];

	for (uint32_t c = 0; c < info->nb_components; c++) {
		at = info->nb_planes > 1 ? picture->planes[c] : at;
		view->strides[c] = (int)format_component_line(&picture->format, c);
		view->planes[c] =
			at + selection_offset(&picture->format, info, c, view->strides[c]);
		at += (size_t)view->strides[c] * format_component_lines(&picture->format, c);
	}
}

static void
image_of(const struct convert_picture *picture, enum model model, struct image *image)
{
	struct packed view = {0};

	packed_view(picture, &view);
	*image = (struct image){.model = model,
		.width = (int)picture->format.selection.width,
		.height = (int)picture->format.selection.height};
	memcpy(image->planes, view.planes, sizeof(image->planes));
	memcpy(image->strides, view.strides, sizeof(image->strides));
}

/* The state of one picture on its way. */
struct way {
	struct converter *converter;
	const struct format *source, *target;
	const struct convert_picture *to;
	struct image now;
	unsigned int nb_steps; /* left, the packing aside */
	unsigned int memory;   /* the half that `now` is not in */
	int err;
};

/* Where the next step writes: the target if it is the last one and its layout is the model's. */
static bool
next_image(struct way *way, enum model model, int width, int height, struct image *next)
{
	const struct model_info *m = &models[model];
	struct converter *c = way->converter;
	size_t luma = (size_t)width * (size_t)height * m->sample_bytes;
	size_t chroma = m->nb_planes == 1 ? 0 : luma / m->hsub / m->vsub;
	unsigned int half = way->memory;

	if (--way->nb_steps == 0 && way->target->pack == NULL) {
		image_of(way->to, model, next);
		return true;
	}
	if (c->memory_bytes[half] < luma + 2 * chroma) {
		free(c->memory[half]);
		c->memory[half] = malloc(luma + 2 * chroma);
		c->memory_bytes[half] = c->memory[half] != NULL ? luma + 2 * chroma : 0;
	}
	if (c->memory[half] == NULL) {
		way->err = -ENOMEM;
		return false;
	}
	*next = (struct image){model, width, height,
		{c->memory[half], c->memory[half] + luma, c->memory[half] + luma + chroma},
		{width * m->sample_bytes, width / m->hsub, width / m->hsub}};
	way->memory = !half;
	return true;
}

static void
step_unpack(struct way *way, const struct convert_picture *from)
{
	struct packed view;
	struct image next;

	if (way->source->unpack == NULL) {
		image_of(from, way->source->model, &way->now);
		return;
	}
	if (next_image(way, way->source->model, (int)from->format.selection.width,
		    (int)from->format.selection.height, &next)) {
		packed_view(from, &view);
		way->source->unpack(&view, &next);
		way->now = next;
	}
}

static void
step_scale(struct way *way)
{
	struct image next;

	if (way->err == 0 && next_image(way, way->now.model, (int)way->to->format.selection.width,
				     (int)way->to->format.selection.height, &next)) {
		scale(&way->now, &next);
		way->now = next;
	}
}

static void
step_change(struct way *way)
{
	struct image next;

	if (way->err == 0 && next_image(way, way->target->model, SIZE(&way->now), &next)) {
		changes[way->now.model][next.model](&way->now, &next);
		way->now = next;
	}
}

/* Also a plain copy, where a picture stays what it is. */
static void
step_flip(struct way *way, struct convert_flips flips)
{
	struct image next;

	if (way->err == 0 && next_image(way, way->now.model, SIZE(&way->now), &next)) {
		flip(&way->now, &next, flips);
		way->now = next;
	}
}

static void
step_pack(struct way *way)
{
	struct packed view;

	if (way->err == 0 && way->target->pack != NULL) {
		packed_view(way->to, &view);
		way->target->pack(&way->now, &view);
	}
}

int
convert_run(struct converter *converter, const struct convert_picture *from,
	const struct convert_picture *to, struct convert_flips flips)
{
	struct way way = {.converter = converter,
		.source = format_find(from->format.fourcc),
		.target = format_find(to->format.fourcc),
		.to = to};
	bool scales, changes_model, flipped;

	if (way.source == NULL || way.target == NULL) {
		return -EINVAL;
	}
	scales = from->format.selection.width != to->format.selection.width ||
	         from->format.selection.height != to->format.selection.height;
	changes_model = way.source->model != way.target->model;
	flipped = flips.horizontal || flips.vertical ||
	          (way.source->unpack == NULL && !scales && !changes_model);
	way.nb_steps = (way.source->unpack != NULL) + scales + changes_model + flipped;
	step_unpack(&way, from);
	if (scales) {
		step_scale(&way);
	}
	if (changes_model) {
		step_change(&way);
	}
	if (flipped) {
		step_flip(&way, flips);
	}
	step_pack(&way);
	return way.err;
}

void
converter_fini(struct converter *converter)
{
	free(converter->memory[0]);
	free(converter->memory[1]);
	*converter = (struct converter){0};
}
