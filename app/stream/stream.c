/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "stream.h"

static void
blame(struct stream *s, const char *what, int rc)
{
	if (s->why[0] == '\0') {
		snprintf(s->why, sizeof(s->why), "%s: %s", what, strerror(-rc));
	}
}

static int
call(struct stream *s, unsigned long request, void *arg, const char *name)
{
	int rc = driver_ioctl(s->session, request, arg);

	if (rc < 0) {
		blame(s, name, rc);
	}
	return rc;
}

/* "/run/vmedia/cam0.sock" → "cam0" */
static void
name_from_socket(struct stream *s)
{
	const char *slash = strrchr(s->config.socket, '/');
	char *dot;

	snprintf(s->name, sizeof(s->name), "%s", slash != NULL ? slash + 1 : s->config.socket);
	dot = strrchr(s->name, '.');
	if (dot != NULL && dot != s->name) {
		*dot = '\0';
	}
}

static int
connect_driver(struct stream *s)
{
	struct driver_config config;
	struct driver_info info;
	int rc;

	name_from_socket(s);
	driver_config_init(&config);
	config.socket_path = s->config.socket;
	config.packed = s->config.packed;
	config.hugepages = s->config.hugepages;
	config.wait = s->config.poll ? DRIVER_POLL : DRIVER_SLEEP;
	rc = driver_connect(&config, &s->driver);
	if (rc < 0) {
		blame(s, "connect", rc);
		return rc;
	}
	driver_get_info(s->driver, &info);
	snprintf(s->card, sizeof(s->card), "%s", info.card);
	if ((info.device_caps & (V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_VIDEO_OUTPUT)) == 0) {
		blame(s, "neither a capture nor an output device", -ENOTSUP);
		return -ENOTSUP;
	}
	s->type = info.device_caps & V4L2_CAP_VIDEO_CAPTURE ? V4L2_BUF_TYPE_VIDEO_CAPTURE
	                                                    : V4L2_BUF_TYPE_VIDEO_OUTPUT;
	return 0;
}

static int
get_format(struct stream *s)
{
	struct v4l2_format format = {.type = s->type};
	struct v4l2_streamparm parm = {.type = s->type};
	int rc = call(s, VIDIOC_G_FMT, &format, "G_FMT");

	if (rc == 0) {
		s->format = format.fmt.pix;
		rc = driver_ioctl(s->session, VIDIOC_G_PARM, &parm);
		rc = rc == -ENOTTY ? 0 : rc; /* an unpaced node has no interval */
	}
	if (rc != 0) {
		blame(s, "G_PARM", rc);
	}
	/* capture.timeperframe and output.timeperframe are the same bytes */
	s->fps_numerator = parm.parm.capture.timeperframe.denominator;
	s->fps_denominator = parm.parm.capture.timeperframe.numerator;
	if (rc == 0 && strncmp(s->card, "vmedia pattern", 14) == 0) {
		rc = check_create(&s->format, &s->check);
		if (rc != 0) {
			blame(s, "pixel format cannot be verified", rc);
			return rc;
		}
		rc = call(s, VIDIOC_G_INPUT, &s->input, "G_INPUT");
	}
	return rc;
}

static int
map_buffer(struct stream *s, uint32_t index)
{
	struct v4l2_buffer b = {.index = index, .type = s->type, .memory = V4L2_MEMORY_MMAP};
	size_t len = 0;
	int rc = call(s, VIDIOC_QUERYBUF, &b, "QUERYBUF");

	if (rc == 0) {
		rc = driver_mmap(s->session, b.m.offset, s->type == V4L2_BUF_TYPE_VIDEO_OUTPUT,
			&s->addr[index], &len);
		if (rc < 0) {
			blame(s, "MMAP", rc);
		}
	}
	s->buffers[index] = b;
	return rc;
}

static int
make_buffers(struct stream *s)
{
	struct v4l2_requestbuffers req = {
		.count = MIN(s->config.nb_buffers, (uint32_t)STREAM_MAX_BUFFERS),
		.type = s->type,
		.memory = V4L2_MEMORY_MMAP,
	};
	int rc = call(s, VIDIOC_REQBUFS, &req, "REQBUFS");

	s->nb_buffers = MIN(req.count, (uint32_t)STREAM_MAX_BUFFERS);
	for (uint32_t i = 0; rc == 0 && i < s->nb_buffers; i++) {
		rc = map_buffer(s, i);
	}
	return rc;
}

static uint64_t
timestamp_ns(const struct v4l2_buffer *b)
{
	return (uint64_t)b->timestamp.tv_sec * NSEC_PER_SEC +
	       (uint64_t)b->timestamp.tv_usec * NSEC_PER_USEC;
}

/* The TSC of the used entry as CLOCK_MONOTONIC, by both clocks' reading now. */
static uint64_t
seen_ns(const struct driver_event *event)
{
	uint64_t now_tsc = clock_tsc();
	uint64_t now_ns = clock_monotonic_ns();

	return now_ns - clock_tsc_to_ns(now_tsc - event->seen_tsc);
}

static void
book_latency(struct stream *s, const struct v4l2_buffer *b, uint64_t seen)
{
	uint64_t done = timestamp_ns(b);

	if (s->record.first_ns == 0) {
		s->record.first_ns = done;
	}
	s->record.last_ns = done;
	hist_record(&s->record.dqbuf_ns, seen > done ? seen - done : 0);
}

static void
on_event(struct driver_session *session, const struct driver_event *event, void *arg)
{
	struct stream *s = arg;
	const struct v4l2_buffer *b = &event->dqbuf.buffer;

	if (event->kind != DRIVER_EVENT_DQBUF || b->index >= s->nb_buffers || s->stopping) {
		return;
	}
	if (b->flags & V4L2_BUF_FLAG_ERROR) {
		s->record.nb_damaged++;
		blame(s, "a frame came with the ERROR flag", -EIO);
	}
	book_latency(s, b, seen_ns(event));
	s->done[b->index] = *b;
	s->ready(s, b->index);
}

int
stream_open(struct stream *s)
{
	int rc = connect_driver(s);

	if (rc == 0) {
		rc = driver_open(s->driver, &s->session);
		if (rc < 0) {
			blame(s, "OPEN", rc);
		}
	}
	if (rc == 0) {
		rc = get_format(s);
	}
	if (rc == 0) {
		rc = make_buffers(s);
	}
	if (rc == 0) {
		driver_session_set_event_fn(s->session, on_event, s);
	}
	return rc;
}

int
stream_start(struct stream *s)
{
	uint32_t type = s->type;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < s->nb_buffers; i++) {
		s->buffers[i].bytesused = s->format.sizeimage;
		rc = call(s, VIDIOC_QBUF, &s->buffers[i], "QBUF");
	}
	return rc == 0 ? call(s, VIDIOC_STREAMON, &type, "STREAMON") : rc;
}

static void
on_queued(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	struct stream *s = cookie;

	if (status != 0) {
		if (!s->stopping) {
			s->record.nb_failed++;
			blame(s, "QBUF", status);
		}
		return;
	}
	hist_record(&s->record.ioctl_ns, clock_tsc_to_ns(timing->seen_tsc - timing->submit_tsc));
}

int
stream_requeue(struct stream *s, uint32_t index)
{
	struct v4l2_buffer *b = &s->buffers[index];
	int rc;

	*b = (struct v4l2_buffer){.index = index,
		.type = s->type,
		.memory = V4L2_MEMORY_MMAP,
		.bytesused = s->type == V4L2_BUF_TYPE_VIDEO_OUTPUT ? s->format.sizeimage : 0};
	rc = driver_ioctl_submit(s->session, VIDIOC_QBUF, b, on_queued, s);
	if (rc < 0) {
		s->record.nb_failed++;
		blame(s, "QBUF", rc);
	}
	return rc;
}

/* Gap of sequence numbers against what the device says it missed. */
static void
book_order(struct stream *s, const struct check_strip *now)
{
	uint32_t gap = now->sequence - s->last.sequence - 1;
	uint32_t missed = 0;

	if ((int32_t)(now->sequence - s->last.sequence) <= 0) {
		s->record.nb_out_of_order++;
		return;
	}
	for (int i = 0; s->check != NULL && i < CHECK_NB_MISSED; i++) {
		uint16_t more = (uint16_t)(now->missed[i] - s->last.missed[i]);

		s->record.nb_missed[i] += more;
		missed += more;
	}
	s->record.nb_gaps += gap;
	if (s->check != NULL && gap != missed) {
		s->record.nb_lost += gap > missed ? gap - missed : missed - gap;
		if (s->why[0] == '\0') {
			snprintf(s->why, sizeof(s->why),
				"after sequence %u: %u skipped, but the device says %u missed",
				s->last.sequence, gap, missed);
		}
	}
}

static int
read_frame(struct stream *s, uint32_t index, struct check_strip *strip)
{
	const struct v4l2_buffer *b = &s->done[index];
	char why[120] = "";
	int rc;

	if (s->check == NULL) {
		*strip = (struct check_strip){.sequence = b->sequence};
		return 0;
	}
	rc = check_frame(s->check, s->addr[index], b->bytesused, strip, why, sizeof(why));
	if (rc == 0 && strip->sequence != b->sequence) {
		rc = -EBADMSG;
		snprintf(why, sizeof(why), "strip says sequence %u", strip->sequence);
	}
	if (rc == 0 && strip->input != s->input) {
		rc = -EBADMSG;
		snprintf(why, sizeof(why), "strip says input %u", strip->input);
	}
	if (rc == 0 && strip->timestamp_ns / NSEC_PER_USEC > timestamp_ns(b) / NSEC_PER_USEC) {
		rc = -EBADMSG;
		snprintf(why, sizeof(why), "drawn after its timestamp");
	}
	if (rc != 0 && s->why[0] == '\0') {
		snprintf(s->why, sizeof(s->why), "frame %u: %s", b->sequence, why);
	}
	return rc;
}

void
stream_verify(struct stream *s, uint32_t index)
{
	struct check_strip strip;

	s->record.nb_frames++;
	if (read_frame(s, index, &strip) != 0) {
		s->record.nb_damaged++;
		return;
	}
	if (s->started) {
		book_order(s, &strip);
	}
	s->started = true;
	s->last = strip;
	s->last_index = index;
}

void
stream_close(struct stream *s)
{
	uint32_t type = s->type;

	s->stopping = true;
	if (s->session != NULL) {
		driver_ioctl(s->session, VIDIOC_STREAMOFF, &type);
		for (uint32_t i = 0; i < s->nb_buffers; i++) {
			if (s->addr[i] != NULL) {
				driver_munmap(s->driver, s->addr[i]);
			}
		}
		driver_close(s->session);
	}
	if (s->driver != NULL) {
		driver_disconnect(s->driver);
	}
	check_destroy(s->check);
}

uint64_t
stream_period_ns(const struct stream *s)
{
	return s->fps_numerator > 0 ? NSEC_PER_SEC * s->fps_denominator / s->fps_numerator : 0;
}

bool
stream_is_well(const struct stream *s)
{
	const struct stream_record *r = &s->record;

	return r->nb_frames > 0 && r->nb_lost == 0 && r->nb_out_of_order == 0 &&
	       r->nb_damaged == 0 && r->nb_failed == 0 && s->why[0] == '\0';
}
