/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pixel formats: how many planes they have, how many bytes a picture takes, and how a wish of the
 * guest becomes a format the node offers. Arithmetic only; every number may come from a hostile
 * guest.
 *
 * Memory planes are what V4L2 buffers consist of (NV12: 1, NM12: 2); component planes are what a
 * picture consists of (NV12 and NM12: 2). With one memory plane the components follow each other
 * in it without a gap.
 */
#ifndef VMEDIA_MEDIA_FORMAT_H
#define VMEDIA_MEDIA_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "vmedia/backend.h"

#define FORMAT_MAX_COMPONENTS 3

struct format_info {
	uint32_t fourcc;         /* V4L2_PIX_FMT_* */
	const char *description; /* as ENUM_FMT of Linux 6.1 says it; fits 31 bytes */
	uint8_t nb_planes;       /* memory planes */
	uint8_t nb_components;   /* component planes; 1 for packed and compressed formats */
	/* Bytes of one sample of each component plane: NV12 {1, 2}, YUYV {2}. Compressed formats:
	 * bytes per pixel that the largest picture may take. */
	uint8_t sample_bytes[FORMAT_MAX_COMPONENTS];
	uint8_t hsub, vsub; /* subsampling of components 1 and 2; packed: pixels per group */
	bool compressed;
	uint32_t quantization; /* V4L2_QUANTIZATION_*, when nobody asks for another */
};

/* NULL: no such format. */
const struct format_info *format_info(uint32_t fourcc);

/*
 * Fills nb_planes, bytesperline, sizeimage, selection and source (the whole) of *f from its fourcc,
 * width and height.
 * -EINVAL: unknown fourcc or a size of 0; -EOVERFLOW: a plane beyond 4 GiB. *f is then unchanged.
 */
int format_layout(struct vmedia_format *f);

/* Bytes of one line, and lines, of a component plane of a format that format_layout has filled. */
uint32_t format_component_line(const struct vmedia_format *f, uint32_t component);
uint32_t format_component_lines(const struct vmedia_format *f, uint32_t component);

/* The node's entry for a fourcc; NULL: the node does not offer it. */
const struct vmedia_format_desc *format_desc(const struct vmedia_node *node, uint32_t fourcc);

/* The format before the first S_FMT. -EINVAL: the node describes none that is possible. */
int format_default(const struct vmedia_node *node, struct vmedia_format *f);

/* The size nearest to this one that the node offers in the fourcc of *f; the whole picture counts.
 * Else, -EINVAL or -EOVERFLOW, *f is unchanged. */
int format_resize(
	const struct vmedia_node *node, uint32_t width, uint32_t height, struct vmedia_format *f);

/*
 * S_FMT and TRY_FMT: the nearest format the node offers to what `wish` asks for, into *f, which
 * holds the current one (its interval stays). An unknown fourcc becomes the node's default, sizes
 * go to the nearest step, strides and image sizes are ours. The colorspace of an output format is
 * the application's, if it is one. wish->type must be a video type. -EINVAL, -EOVERFLOW: only when
 * the node describes something impossible.
 */
int format_negotiate(
	const struct vmedia_node *node, const struct v4l2_format *wish, struct vmedia_format *f);

/* Writes *f as v4l2_pix_format or v4l2_pix_format_mplane by `type`; every byte of *out is set. */
void format_to_v4l2(const struct vmedia_format *f, uint32_t type, struct v4l2_format *out);

/* True when buffers made for `a` do not fit `b` or mean something else there. */
bool format_differs(const struct vmedia_format *a, const struct vmedia_format *b);

/* ENUM_FMT, ENUM_FRAMESIZES, ENUM_FRAMEINTERVALS: the index (and format, size) in *e is the
 * question; all else is set. -EINVAL past the end; -ENOTTY: the node has no intervals. */
int format_enum(const struct vmedia_node *node, struct v4l2_fmtdesc *e);
int format_enum_sizes(const struct vmedia_node *node, struct v4l2_frmsizeenum *e);
int format_enum_intervals(const struct vmedia_node *node, struct v4l2_frmivalenum *e);

/* A wish within the node's limits, reduced; 0 in either part gives the default (V4L2, S_PARM). */
struct v4l2_fract format_interval(const struct vmedia_node *node, struct v4l2_fract wish);

#endif
