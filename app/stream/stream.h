/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One stream: a driver on one vhost-user socket, one session, its buffers, and the record of what
 * came. The driver thread runs everything here but stream_verify, which the worker runs.
 */
#ifndef VMEDIA_APP_STREAM_STREAM_H
#define VMEDIA_APP_STREAM_STREAM_H

#include <stdbool.h>

#include "check.h"
#include "driver/driver.h"
#include "stats/hist.h"

#define STREAM_MAX_BUFFERS 32

struct stream_config {
	const char *socket;
	uint32_t nb_buffers;
	bool packed, hugepages, poll;
};

/* What the driver's side saw; printed at the end, and as JSON. */
struct stream_record {
	uint64_t nb_frames;
	uint64_t nb_lost;                    /* gaps that the device does not own up to */
	uint64_t nb_missed[CHECK_NB_MISSED]; /* from the strips: no buffer, late render, reactor */
	uint64_t nb_gaps;                    /* sequence numbers skipped */
	uint64_t nb_out_of_order;            /* came again or earlier than its predecessor */
	uint64_t nb_damaged;                 /* a pixel or the strip was wrong; ERROR flag */
	uint64_t nb_failed;                  /* QBUFs that failed */
	uint64_t first_ns, last_ns;          /* timestamps of the first and last frame */
	struct hist dqbuf_ns; /* frame done (its timestamp, µs) → seen by the driver */
	struct hist ioctl_ns; /* QBUF: published → used entry seen */
};

struct stream {
	struct stream_config config;
	unsigned int index;
	char name[33]; /* the socket's file name without suffix, as vmediad names the device */
	char card[33];
	struct driver *driver;
	struct driver_session *session;
	struct v4l2_pix_format format;
	uint32_t fps_numerator, fps_denominator;
	uint32_t type; /* V4L2_BUF_TYPE_VIDEO_CAPTURE or _OUTPUT */
	uint32_t nb_buffers;
	struct v4l2_buffer buffers[STREAM_MAX_BUFFERS]; /* arguments of QBUFs in flight */
	void *addr[STREAM_MAX_BUFFERS];
	struct v4l2_buffer done[STREAM_MAX_BUFFERS]; /* as their last DQBUF event gave them */
	struct check *check;                         /* NULL: nothing to prove in the pixels */
	uint32_t input;                              /* that the frames are to come from */
	bool started;                                /* the first frame was seen */
	struct check_strip last;
	bool stopping;
	bool kept; /* a verified frame was not given back: it stays as it is, for the sheet */
	uint32_t last_index; /* buffer of the newest verified frame, for the contact sheet */
	void (*ready)(struct stream *stream, uint32_t index); /* a frame to verify */
	struct stream_record record;
	char why[160]; /* the first thing that was wrong */
};

/* Connects, opens, allocates and maps buffers. 0 or a negative errno; stream->why says what. */
int stream_open(struct stream *stream);
/* Queues all buffers and starts. */
int stream_start(struct stream *stream);
/* Gives a buffer back to the device. */
int stream_requeue(struct stream *stream, uint32_t index);
/* Worker thread: proves the frame in a buffer and books it. */
void stream_verify(struct stream *stream, uint32_t index);
/* STREAMOFF and everything down again. */
void stream_close(struct stream *stream);

/* The period in ns, 0: unknown. */
uint64_t stream_period_ns(const struct stream *stream);
/* All as it should be: frames came, none lost, out of order, damaged or failed. */
bool stream_is_well(const struct stream *stream);

#endif
