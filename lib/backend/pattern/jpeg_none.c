/* SPDX-License-Identifier: BSD-3-Clause */
/* Built without libturbojpeg: there is no encoder, hence no MJPEG, and nothing else is called. */
#include "backend/pattern/jpeg.h"
#include "base/compiler.h"

int
jpeg_encoder_create(struct jpeg_encoder **encoder)
{
	*encoder = NULL;
	return 0;
}

void
jpeg_encoder_destroy(struct jpeg_encoder *encoder)
{
}

bool
jpeg_encoder_is_busy(const struct jpeg_encoder *encoder)
{
	return false;
}

void
jpeg_encoder_start(struct jpeg_encoder *encoder, struct vmedia_device *device,
	const struct vmedia_format *format, const struct render_strip *strip,
	const struct render_look *look, jpeg_done_fn *done)
{
}

void
jpeg_encoder_cancel(struct jpeg_encoder *encoder)
{
}
