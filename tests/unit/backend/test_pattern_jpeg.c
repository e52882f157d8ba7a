/* SPDX-License-Identifier: BSD-3-Clause */
/* MJPEG frames of backend pattern, decoded again. The offload thread is this file. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include "backend/pattern/jpeg.h"
#include "base/compiler.h"

#define WIDTH    640
#define HEIGHT   480
#define LUMA     (WIDTH * HEIGHT)
#define MIN_PSNR 35.0 /* dB */

static struct vmedia_job *pending;
static uint8_t *picture;
static size_t picture_bytes;
static unsigned int nb_done;

void
vmedia_offload(struct vmedia_device *device, struct vmedia_job *job)
{
	cr_assert_null(pending);
	job->device = device;
	pending = job;
}

static void
run_pending(void)
{
	struct vmedia_job *job = pending;

	cr_assert_not_null(job);
	pending = NULL;
	job->run(job);
	job->done(job);
}

static void
done(struct vmedia_device *device, const void *from, size_t bytes)
{
	nb_done++;
	picture = malloc(bytes);
	cr_assert_not_null(picture);
	memcpy(picture, from, bytes);
	picture_bytes = bytes;
}

static const struct render_strip strip = {.device = 3, .sequence = 33, .timestamp_ns = 77};
static const struct vmedia_format format = {
	.fourcc = V4L2_PIX_FMT_MJPEG, .width = WIDTH, .height = HEIGHT, .nb_planes = 1};

/* The frame as pattern.md defines it, three planes one behind the other. */
static uint8_t *
draw(const struct render_look *look)
{
	struct vmedia_format planar = format;
	struct render *r = malloc(sizeof(*r));
	uint8_t *pixels = malloc(LUMA * 3 / 2);
	struct vmedia_plane planes[] = {{.addr = pixels, .length = LUMA},
		{.addr = pixels + LUMA, .length = LUMA / 4},
		{.addr = pixels + LUMA * 5 / 4, .length = LUMA / 4}};

	cr_assert(r != NULL && pixels != NULL);
	planar.bytesperline[0] = WIDTH;
	planar.bytesperline[1] = planar.bytesperline[2] = WIDTH / 2;
	cr_assert_eq(render_init(r, &planar, look), 0);
	render_begin(r, planes, &strip, look);
	cr_assert(render_slice(r, UINT64_MAX));
	free(r);
	return pixels;
}

static double
psnr(const uint8_t *a, const uint8_t *b, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	}
	return sum == 0 ? 99 : 10 * log10(255.0 * 255.0 * (double)n / sum);
}

Test(pattern_jpeg, a_frame_decodes_to_the_picture)
{
	static const enum render_pattern patterns[] = {
		RENDER_BARS, RENDER_GRADIENT, RENDER_SOLID, RENDER_CLOCK};
	struct jpeg_encoder *encoder;

	cr_assert_eq(jpeg_encoder_create(&encoder), 0);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct render_look look = render_plain;
		tjhandle decoder = tjInitDecompress();
		uint8_t *decoded = malloc(LUMA * 3 / 2), *drawn;
		double db;

		look.pattern = patterns[i];
		jpeg_encoder_start(encoder, NULL, &format, &strip, &look, done);
		cr_assert(jpeg_encoder_is_busy(encoder));
		run_pending();
		cr_assert_not(jpeg_encoder_is_busy(encoder));
		cr_assert_eq(tjDecompressToYUV2(
				     decoder, picture, picture_bytes, decoded, WIDTH, 1, HEIGHT, 0),
			0);
		drawn = draw(&look);
		db = psnr(decoded, drawn, LUMA * 3 / 2);
		cr_log_info("figure mjpeg_psnr_db_%zu: %.1f (%zu bytes)", i, db, picture_bytes);
		cr_expect_gt(db, MIN_PSNR, "pattern %zu: %.1f dB", i, db);
		free(drawn);
		free(decoded);
		free(picture);
		tjDestroy(decoder);
	}
	jpeg_encoder_destroy(encoder);
}

Test(pattern_jpeg, a_cancelled_frame_is_not_delivered_and_the_encoder_is_free_afterwards)
{
	struct jpeg_encoder *encoder;

	cr_assert_eq(jpeg_encoder_create(&encoder), 0);
	jpeg_encoder_start(encoder, NULL, &format, &strip, &render_plain, done);
	jpeg_encoder_cancel(encoder);
	cr_assert(jpeg_encoder_is_busy(encoder));
	run_pending();
	cr_assert_not(jpeg_encoder_is_busy(encoder));
	cr_assert_eq(nb_done, 0);
	jpeg_encoder_destroy(encoder);
}
