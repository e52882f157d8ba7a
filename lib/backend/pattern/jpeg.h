/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MJPEG frames of backend pattern: drawn and compressed on the offload thread, one at a time, in
 * memory of the encoder's own. Called on the device's reactor, create and destroy on the control
 * thread.
 */
#ifndef VMEDIA_BACKEND_PATTERN_JPEG_H
#define VMEDIA_BACKEND_PATTERN_JPEG_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/pattern/render.h"

struct jpeg_encoder;

/* The picture of one frame, until the call returns; 0 bytes: it could not be compressed. */
typedef void jpeg_done_fn(struct vmedia_device *device, const void *picture, size_t bytes);

int jpeg_encoder_create(struct jpeg_encoder **encoder);
void jpeg_encoder_destroy(struct jpeg_encoder *encoder);

/* A frame is on its way, or a cancelled one still is. */
bool jpeg_encoder_is_busy(const struct jpeg_encoder *encoder);
/* Not while busy. */
void jpeg_encoder_start(struct jpeg_encoder *encoder, struct vmedia_device *device,
	const struct vmedia_format *format, const struct render_strip *strip,
	const struct render_look *look, jpeg_done_fn *done);
/* done is not called any more. */
void jpeg_encoder_cancel(struct jpeg_encoder *encoder);

#endif
