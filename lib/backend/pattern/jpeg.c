/* SPDX-License-Identifier: BSD-3-Clause */
#include "backend/pattern/jpeg.h"

#include <errno.h>
#include <stdlib.h>
#include <turbojpeg.h>

#include "base/compiler.h"

#define QUALITY 90

struct jpeg_encoder {
	struct vmedia_job job;
	bool busy;
	jpeg_done_fn *done; /* NULL: cancelled */
	/* of the frame at hand; the offload thread's while busy */
	struct vmedia_format format; /* of the three planes */
	struct render_strip strip;
	struct render_look look;
	struct vmedia_plane planes[RENDER_NB_LAYERS];
	unsigned char *memory; /* the planes, then the picture */
	size_t memory_bytes;
	unsigned char *picture;
	size_t picture_bytes; /* 0: failed */
	struct render render;
	tjhandle compressor;
};

int
jpeg_encoder_create(struct jpeg_encoder **encoder)
{
	struct jpeg_encoder *e = calloc(1, sizeof(*e));

	if (e == NULL) {
		return -ENOMEM;
	}
	e->compressor = tjInitCompress();
	if (e->compressor == NULL) {
		free(e);
		return -ENOMEM;
	}
	*encoder = e;
	return 0;
}

void
jpeg_encoder_destroy(struct jpeg_encoder *e)
{
	if (e == NULL) {
		return;
	}
	tjDestroy(e->compressor);
	free(e->memory);
	free(e);
}

bool
jpeg_encoder_is_busy(const struct jpeg_encoder *e)
{
	return e->busy;
}

/* Room for the planes and for the largest picture; kept for the next frame. */
static bool
make_room(struct jpeg_encoder *e)
{
	uint32_t w = e->format.width, h = e->format.height, luma = w * h, i;
	size_t bytes = luma * 3 / 2 + tjBufSize((int)w, (int)h, TJSAMP_420);

	if (e->memory_bytes < bytes) {
		free(e->memory);
		e->memory = malloc(bytes);
		e->memory_bytes = e->memory != NULL ? bytes : 0;
	}
	if (e->memory == NULL) {
		return false;
	}
	e->picture = e->memory;
	for (i = 0; i < RENDER_NB_LAYERS; i++) {
		e->format.bytesperline[i] = i == 0 ? w : w / 2;
		e->planes[i] = (struct vmedia_plane){
			.addr = e->picture, .length = i == 0 ? luma : luma / 4};
		e->picture += e->planes[i].length;
	}
	return true;
}

static void
compress(struct jpeg_encoder *e)
{
	const unsigned char *planes[] = {e->planes[0].addr, e->planes[1].addr, e->planes[2].addr};
	int w = (int)e->format.width, strides[] = {w, w / 2, w / 2};
	unsigned long bytes = tjBufSize(w, (int)e->format.height, TJSAMP_420);

	if (tjCompressFromYUVPlanes(e->compressor, planes, w, strides, (int)e->format.height,
		    TJSAMP_420, &e->picture, &bytes, QUALITY, TJFLAG_NOREALLOC) == 0) {
		e->picture_bytes = bytes;
	}
}

static void
run(struct vmedia_job *job)
{
	struct jpeg_encoder *e = container_of(job, struct jpeg_encoder, job);

	e->picture_bytes = 0;
	if (!make_room(e) || render_init(&e->render, &e->format, &e->look) != 0) {
		return;
	}
	render_begin(&e->render, e->planes, &e->strip, &e->look);
	if (render_slice(&e->render, UINT64_MAX)) {
		compress(e);
	}
}

static void
finished(struct vmedia_job *job)
{
	struct jpeg_encoder *e = container_of(job, struct jpeg_encoder, job);
	jpeg_done_fn *done = e->done;

	e->busy = false;
	if (done != NULL) {
		done(job->device, e->picture, e->picture_bytes);
	}
}

void
jpeg_encoder_start(struct jpeg_encoder *e, struct vmedia_device *device,
	const struct vmedia_format *format, const struct render_strip *strip,
	const struct render_look *look, jpeg_done_fn *done)
{
	e->busy = true;
	e->done = done;
	e->format = *format;
	e->strip = *strip;
	e->look = *look;
	e->job.run = run;
	e->job.done = finished;
	vmedia_offload(device, &e->job);
}

void
jpeg_encoder_cancel(struct jpeg_encoder *e)
{
	e->done = NULL;
}
