/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "streams/streams.h"

#define REST_MS   200
#define SETTLE_MS 1000
#define WARM_UP_S 0.1
#define MEM_BYTES (8u << 20)

static struct hist *latency; /* of the turn; NULL: not measured */
static uint64_t nb_frames, nb_missed, nb_late;
static uint32_t period_ticks;
static int qbuf_status;     /* of the first QBUF that failed */
static unsigned int nb_out; /* commands of all streams that are not answered yet */

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static void
on_event(struct driver_session *session, const struct driver_event *event, void *arg)
{
	struct stream *s = arg;
	uint32_t done_tsc, ticks, gap;

	if (event->kind != DRIVER_EVENT_DQBUF) {
		return;
	}
	s->to_queue |= 1u << event->dqbuf.buffer.index;
	memcpy(&done_tsc, event->dqbuf.buffer.timecode.userbits, sizeof(done_tsc));
	ticks = (uint32_t)event->seen_tsc - done_tsc;
	nb_frames++;
	gap = event->dqbuf.buffer.sequence - s->sequence;
	nb_missed += gap;
	s->nb_periods += gap + 1;
	nb_late += ticks > period_ticks;
	s->sequence = event->dqbuf.buffer.sequence + 1;
	if (latency != NULL) {
		hist_record(latency, ticks);
	}
}

static void
on_queued(struct driver_session *session, int status, const struct driver_timing *timing,
	void *cookie)
{
	nb_out--;
	qbuf_status = qbuf_status != 0 ? qbuf_status : status;
}

static int
queue(struct stream *s)
{
	int ret = 0;

	for (uint32_t i = 0; s->to_queue != 0 && i < STREAMS_NB_BUFFERS && ret == 0; i++) {
		if (!(s->to_queue & 1u << i)) {
			continue;
		}
		s->to_queue &= ~(1u << i);
		s->buffers[i] = (struct v4l2_buffer){.index = i,
			.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
			.memory = V4L2_MEMORY_MMAP};
		ret = driver_ioctl_submit(s->session, VIDIOC_QBUF, &s->buffers[i], on_queued, NULL);
		nb_out += ret == 0;
	}
	return ret;
}

static int
poll_all(struct group *g)
{
	int ret = 0;

	for (unsigned int i = 0; i < g->nb && ret >= 0; i++) {
		ret = driver_poll(g->streams[i].drv);
	}
	return ret;
}

/* Nothing is on its way when the process is stopped or hung up on. */
static int
settle(struct group *g)
{
	uint64_t until_ns = clock_monotonic_ns() + SETTLE_MS * NSEC_PER_MSEC;
	int ret = 0;

	while (nb_out > 0 && ret >= 0) {
		ret = clock_monotonic_ns() < until_ns ? poll_all(g) : -ETIMEDOUT;
	}
	return ret < 0 ? complain("stream", ret) : target_stop(&g->target);
}

/* All that came, then all that goes back: guests do it at the same time, too. */
static int
turn(struct group *g, double seconds)
{
	uint64_t until_tsc = clock_tsc() + clock_ns_to_tsc((uint64_t)(seconds * 1e9));
	int ret = 0;

	qbuf_status = 0;
	while (ret >= 0 && qbuf_status == 0 && clock_tsc() < until_tsc) {
		ret = poll_all(g);
		for (unsigned int i = 0; i < g->nb && ret >= 0; i++) {
			ret = queue(&g->streams[i]);
		}
	}
	if (qbuf_status != 0) {
		return complain("QBUF", qbuf_status);
	}
	return ret < 0 ? complain("stream", ret) : 0;
}

static int
connect_stream(struct stream *s, int fd, bool packed)
{
	struct v4l2_requestbuffers reqbufs = {.count = STREAMS_NB_BUFFERS,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP};
	struct driver_config config;
	int ret;

	driver_config_init(&config);
	config.packed = packed;
	config.wait = DRIVER_POLL;
	config.mem_bytes = MEM_BYTES;
	config.socket_fd = fd;
	ret = driver_connect(&config, &s->drv);
	ret = ret != 0 ? ret : driver_open(s->drv, &s->session);
	ret = ret != 0 ? ret : driver_ioctl(s->session, VIDIOC_REQBUFS, &reqbufs);
	if (ret == 0) {
		s->to_queue = (1u << STREAMS_NB_BUFFERS) - 1;
		driver_session_set_event_fn(s->session, on_event, s);
	}
	return ret;
}

static void
sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * (long)NSEC_PER_MSEC}, NULL);
}

static double
count_fds(pid_t pid)
{
	char path[64];
	double nb = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir != NULL && readdir(dir) != NULL) {
		nb++;
	}
	if (dir != NULL) {
		closedir(dir);
	}
	return nb;
}

/* The field of /proc/PID/status, KiB. */
static double
read_kib(pid_t pid, const char *field)
{
	char path[64], line[256];
	size_t len = strlen(field);
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, field, len) == 0) {
			kib = strtod(line + len + 1, NULL);
			break;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return kib;
}

static double
idle_pass_ns(const struct telemetry_reactor *r)
{
	uint64_t nb = r->nb_passes - r->nb_busy_passes;

	return nb > 0 ? (double)r->idle_ns / (double)nb : 0;
}

static int
measure_rest(struct group *g)
{
	struct telemetry_reactor begin, end;
	int ret = telemetry_reactor_read(g->target.pid, &begin);

	sleep_ms(REST_MS);
	ret = ret != 0 ? ret : telemetry_reactor_read(g->target.pid, &end);
	if (ret != 0) {
		return complain("telemetry", ret);
	}
	telemetry_reactor_subtract(&end, &begin);
	g->rest_pass_ns = idle_pass_ns(&end);
	g->rss_kib = read_kib(g->target.pid, "VmRSS") / g->nb;
	g->huge_kib = read_kib(g->target.pid, "HugetlbPages") / g->nb;
	g->fds = count_fds(g->target.pid) / g->nb;
	return 0;
}

static int
start_streams(struct group *g)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE, ret = 0;

	for (unsigned int i = 0; i < g->nb && ret == 0; i++) {
		ret = driver_ioctl(g->streams[i].session, VIDIOC_STREAMON, &type);
	}
	return ret != 0 ? complain("STREAMON", ret) : turn(g, WARM_UP_S);
}

int
group_start(struct group *g, const struct streams_options *o, unsigned int nb)
{
	static char device[128];
	int ret;

	snprintf(device, sizeof(device),
		"backend=null,role=capture,fps=%u,stamp-done=yes,pages=%s,width=%u,height=%u",
		o->fps, o->pages, o->width, o->height);
	period_ticks = (uint32_t)clock_ns_to_tsc(NSEC_PER_SEC / o->fps);
	g->nb = nb;
	g->target_options = (struct target_options){
		.spawn = o->spawn, .nb_devices = nb, .device = device, .cpu = o->cpus.device};
	g->streams = calloc(nb, sizeof(g->streams[0]));
	ret = g->streams != NULL ? target_start(&g->target, &g->target_options) : -ENOMEM;
	for (unsigned int i = 0; i < nb && ret == 0; i++) {
		int fd = g->target.fds[i];

		g->target.fds[i] = -1;
		ret = connect_stream(&g->streams[i], fd, o->packed);
		ret = ret != 0 ? target_complain(&g->target, i, ret) : 0;
	}
	ret = ret != 0 ? ret : measure_rest(g);
	ret = ret != 0 ? ret : start_streams(g);
	return ret != 0 ? ret : settle(g);
}

/* A stream that fell silent shows no gap. A frame at either end of a turn may fall outside of it.
 */
static uint64_t
count_silent(const struct group *g, const struct streams_options *o, double seconds)
{
	uint64_t due = (uint64_t)(seconds * o->fps), nb = 0;

	for (unsigned int i = 0; i < g->nb; i++) {
		uint64_t seen = g->streams[i].nb_periods + 1;

		nb += due > seen ? due - seen : 0;
	}
	return nb;
}

static void
begin_counting(struct group *g)
{
	nb_frames = nb_missed = nb_late = 0;
	for (unsigned int i = 0; i < g->nb; i++) {
		g->streams[i].nb_periods = 0;
	}
}

int
group_run(struct group *g, const struct streams_options *o, struct streams_run *run)
{
	static struct noise_begin noise;
	struct telemetry_reactor begin, end;
	uint64_t begin_ns;
	int ret;

	target_continue(&g->target);
	ret = turn(g, WARM_UP_S);
	ret = ret != 0 ? ret : telemetry_reactor_read(g->target.pid, &begin);
	begin_counting(g);
	latency = &g->latency;
	noise_begin(&noise, &o->cpus, g->target.pid);
	begin_ns = clock_monotonic_ns();
	ret = ret != 0 ? ret : turn(g, o->seconds);
	run->seconds = (double)(clock_monotonic_ns() - begin_ns) / 1e9;
	run->nb_frames = nb_frames;
	run->nb_missed = nb_missed + count_silent(g, o, run->seconds);
	run->nb_late = nb_late;
	latency = NULL;
	noise_end(&noise, &run->noise);
	ret = ret != 0 ? ret : telemetry_reactor_read(g->target.pid, &end);
	if (ret != 0) {
		return complain("streams", ret);
	}
	if (run->nb_frames == 0) {
		fprintf(stderr, "no frame of %u devices came in %g s\n", g->nb, run->seconds);
		return -EIO;
	}
	telemetry_reactor_subtract(&end, &begin);
	run->idle_pass_ns = idle_pass_ns(&end);
	run->busy_ns = (double)end.busy_ns / (double)run->nb_frames;
	run->work_ns = run->busy_ns -
	               (double)end.nb_busy_passes * run->idle_pass_ns / (double)run->nb_frames;
	return settle(g);
}

void
group_end(struct group *g)
{
	if (g->target.pid > 0) {
		target_continue(&g->target);
	}
	for (unsigned int i = 0; g->streams != NULL && i < g->nb; i++) {
		if (g->streams[i].drv != NULL) {
			driver_disconnect(g->streams[i].drv);
		}
	}
	free(g->streams);
	if (g->nb > 0) {
		target_end(&g->target);
	}
}
