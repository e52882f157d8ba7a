/* SPDX-License-Identifier: BSD-3-Clause */
/* The contact sheet, read back from its PNG. */
#include <criterion/criterion.h>
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/sheet.h"

#define WIDTH  640
#define HEIGHT 360

static const struct v4l2_pix_format xr24 = {.pixelformat = V4L2_PIX_FMT_XBGR32,
	.width = WIDTH,
	.height = HEIGHT,
	.bytesperline = 4 * WIDTH};
static uint8_t pixels[4 * WIDTH * HEIGHT];

/* Writes the sheet and reads it back; the caller frees the pixels. */
static uint8_t *
write_and_read(struct sheet *sheet, png_image *image)
{
	char path[] = "/tmp/vmedia-sheet-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *rgb;

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(sheet_write(sheet, path), 0);
	memset(image, 0, sizeof(*image));
	image->version = PNG_IMAGE_VERSION;
	cr_assert(png_image_begin_read_from_file(image, path), "%s", image->message);
	image->format = PNG_FORMAT_RGB;
	rgb = malloc(PNG_IMAGE_SIZE(*image));
	cr_assert(png_image_finish_read(image, NULL, rgb, 0, NULL), "%s", image->message);
	unlink(path);
	return rgb;
}

/* The sheet of one frame that has one colour; what the middle of its thumbnail is. */
static void
expect_colour(const struct v4l2_pix_format *format, const uint8_t rgb[3])
{
	struct sheet *sheet;
	png_image image;
	uint8_t *read, *middle;

	cr_assert_eq(sheet_create(1, &sheet), 0);
	cr_assert_eq(sheet_put(sheet, 0, format, pixels, ""), 0);
	read = write_and_read(sheet, &image);
	middle = read + 3 * (90 * image.width + image.width / 2);
	for (int i = 0; i < 3; i++) {
		cr_expect(abs(middle[i] - rgb[i]) <= 1, "%.4s, component %d: %u, expected %u",
			(const char *)&format->pixelformat, i, middle[i], rgb[i]);
	}
	free(read);
}

Test(sheet, the_yellow_of_colour_bars_is_yellow_in_every_format)
{
	struct v4l2_pix_format f = xr24;

	for (size_t i = 0; i < sizeof(pixels); i++) {
		pixels[i] = (const uint8_t[]){0, 191, 191, 255}[i % 4];
	}
	expect_colour(&f, (uint8_t[]){191, 191, 0});
	f.pixelformat = V4L2_PIX_FMT_YUYV;
	f.bytesperline = 2 * WIDTH;
	for (size_t i = 0; i < sizeof(pixels); i++) {
		pixels[i] = (const uint8_t[]){162, 44, 162, 142}[i % 4];
	}
	expect_colour(&f, (uint8_t[]){191, 191, 0});
	f.pixelformat = V4L2_PIX_FMT_NV12;
	f.bytesperline = WIDTH;
	memset(pixels, 162, WIDTH * HEIGHT);
	for (size_t i = WIDTH * HEIGHT; i < sizeof(pixels); i++) {
		pixels[i] = i % 2 ? 142 : 44;
	}
	expect_colour(&f, (uint8_t[]){191, 191, 0});
	f.pixelformat = V4L2_PIX_FMT_GREY;
	expect_colour(&f, (uint8_t[]){170, 170, 170});
}

Test(sheet, scaling_down_takes_the_mean_of_the_pixels)
{
	for (size_t i = 0; i < sizeof(pixels); i++) {
		pixels[i] = i / 4 % 2 ? 200 : 100;
	}
	expect_colour(&xr24, (uint8_t[]){150, 150, 150});
}

Test(sheet, seven_frames_take_two_rows_of_four_and_captions_leave_marks_below)
{
	struct sheet *sheet;
	png_image image;
	uint8_t *read;
	unsigned int nb_marks = 0;

	memset(pixels, 0, sizeof(pixels));
	cr_assert_eq(sheet_create(7, &sheet), 0);
	for (unsigned int i = 0; i < 7; i++) {
		cr_assert_eq(sheet_put(sheet, i, &xr24, pixels, i == 6 ? "cam6 \x80" : ""), 0);
	}
	read = write_and_read(sheet, &image);
	cr_expect_geq(image.width, 4 * 320);
	cr_expect_lt(image.width, 5 * 320);
	cr_expect_geq(image.height, 2 * 180);
	cr_expect_lt(image.height, 3 * 180);
	for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
		nb_marks += read[3 * i] > 200;
	}
	cr_expect(nb_marks > 30 && nb_marks < 6 * 6 * 13, "%u", nb_marks);
	free(read);
}

Test(sheet, a_long_caption_stays_inside_its_cell)
{
	struct sheet *sheet;
	png_image image;
	char caption[2000];

	memset(caption, 'M', sizeof(caption) - 1);
	caption[sizeof(caption) - 1] = '\0';
	cr_assert_eq(sheet_create(1, &sheet), 0);
	cr_assert_eq(sheet_put(sheet, 0, &xr24, pixels, caption), 0);
	free(write_and_read(sheet, &image));
}

Test(sheet, unknown_formats_and_cells_and_short_rows_are_refused)
{
	struct v4l2_pix_format f = xr24;
	struct sheet *sheet;

	cr_assert_eq(sheet_create(1, &sheet), 0);
	cr_expect_eq(sheet_put(sheet, 1, &f, pixels, ""), -ENOTSUP);
	f.bytesperline--;
	cr_expect_eq(sheet_put(sheet, 0, &f, pixels, ""), -ENOTSUP);
	f.pixelformat = V4L2_PIX_FMT_MJPEG;
	cr_expect_eq(sheet_put(sheet, 0, &f, pixels, ""), -ENOTSUP);
	f = xr24;
	f.height = 0;
	cr_expect_eq(sheet_put(sheet, 0, &f, pixels, ""), -ENOTSUP);
	cr_expect_eq(sheet_write(sheet, "/nonexistent/sheet.png"), -ENOENT);
}
