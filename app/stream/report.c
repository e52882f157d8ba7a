/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/util.h"
#include "report.h"

static const double percents[] = {50, 99, 99.9, 100};

static double
fps(const struct stream *s)
{
	const struct stream_record *r = &s->record;
	uint64_t span = r->last_ns - r->first_ns;

	/* sequence numbers passed, so that missed periods do not look like a slow clock */
	return r->nb_frames > 1 && span > 0
	               ? (double)(r->nb_frames - 1 + r->nb_gaps) * 1e9 / (double)span
	               : 0;
}

static uint64_t
missed(const struct stream *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < CHECK_NB_MISSED; i++) {
		sum += s->record.nb_missed[i];
	}
	return s->check != NULL ? sum : s->record.nb_gaps;
}

void
report_progress(const struct stream *streams, unsigned int nb, double elapsed_s, double all_s)
{
	uint64_t frames = 0, nb_lost = 0, nb_missed = 0, nb_bad = 0;

	for (unsigned int i = 0; i < nb; i++) {
		frames += streams[i].record.nb_frames;
		nb_lost += streams[i].record.nb_lost;
		nb_missed += missed(&streams[i]);
		nb_bad += streams[i].record.nb_damaged + streams[i].record.nb_out_of_order;
	}
	fprintf(stderr,
		"%s%5.1f of %.0f s  %u stream%s  %8" PRIu64 " frames  lost %" PRIu64
		"  damaged or out of order %" PRIu64 "  missed %" PRIu64 "%s",
		isatty(STDERR_FILENO) ? "\r" : "", elapsed_s, all_s, nb, nb == 1 ? "" : "s", frames,
		nb_lost, nb_bad, nb_missed, isatty(STDERR_FILENO) ? "" : "\n");
}

void
report_progress_end(void)
{
	if (isatty(STDERR_FILENO)) {
		fputc('\n', stderr);
	}
}

/* Microseconds with a digit where it says something. */
static void
print_us(uint64_t ns)
{
	double us = (double)ns / 1e3;

	printf(us < 100 ? " %8.1f" : " %8.0f", us);
}

static void
report_stream(const struct stream *s, int name_width)
{
	uint64_t values[ARRAY_SIZE(percents)];
	char shape[32];

	snprintf(shape, sizeof(shape), "%ux%u %.4s", s->format.width, s->format.height,
		(const char *)&s->format.pixelformat);
	printf("%-*s  %-14s %8.2f %8" PRIu64 " %5" PRIu64 " %6" PRIu64 " %6" PRIu64 " %7" PRIu64,
		name_width, s->name, shape, fps(s), s->record.nb_frames, s->record.nb_lost,
		missed(s), s->record.nb_out_of_order, s->record.nb_damaged);
	hist_percentiles(&s->record.dqbuf_ns, percents, values, ARRAY_SIZE(percents));
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		print_us(values[i]);
	}
	hist_percentiles(&s->record.ioctl_ns, percents, values, 2);
	print_us(values[0]);
	print_us(values[1]);
	putchar('\n');
}

static void
report_missed(const struct stream *s)
{
	const uint64_t *m = s->record.nb_missed;

	if (s->check != NULL && missed(s) > 0) {
		printf("%s missed %" PRIu64 ": no buffer %" PRIu64 ", late render %" PRIu64
		       ", late reactor %" PRIu64 "; its sequence numbers agree\n",
			s->name, missed(s), m[0], m[1], m[2]);
	}
	if (s->why[0] != '\0') {
		printf("%s (%s): %s\n", s->name, s->config.socket, s->why);
	}
}

void
report_streams(const struct stream *streams, unsigned int nb)
{
	int width = (int)strlen("stream");

	for (unsigned int i = 0; i < nb; i++) {
		width = MAX(width, (int)strlen(streams[i].name));
	}
	/* printf counts bytes: the arrow has two more than letters, µ one */
	printf("%-*s  %-14s %8s %8s %5s %6s %6s %7s %38s %18s\n", width, "", "", "", "", "", "",
		"out of", "", "frame done → seen by driver, µs", "QBUF ioctl, µs");
	printf("%-*s  %-14s %8s %8s %5s %6s %6s %7s %8s %8s %8s %8s %8s %8s\n", width, "stream",
		"format", "fps", "frames", "lost", "missed", "order", "damaged", "p50", "p99",
		"p99.9", "max", "p50", "p99");
	for (unsigned int i = 0; i < nb; i++) {
		report_stream(&streams[i], width);
	}
	for (unsigned int i = 0; i < nb; i++) {
		report_missed(&streams[i]);
	}
}

void
report_threads(const char *title, const struct threads *usage)
{
	printf("%s:", title);
	for (unsigned int i = 0; i < usage->nb; i++) {
		const struct thread_usage *t = &usage->threads[i];
		double percent = 100.0 * (double)t->cpu_ns / (double)usage->at_ns;

		if (percent >= 0.05) {
			printf("  %s %.1f %% (waited %.0f ms)", t->name, percent,
				(double)t->delay_ns / 1e6);
		}
	}
	putchar('\n');
}

#ifdef HAVE_JSONC
#include <json-c/json.h>

static void
add_u64(struct json_object *to, const char *key, uint64_t value)
{
	json_object_object_add(to, key, json_object_new_int64((int64_t)value));
}

static struct json_object *
json_hist(const struct hist *h)
{
	static const char *const keys[] = {"p50_ns", "p99_ns", "p99.9_ns", "max_ns"};
	struct json_object *o = json_object_new_object();
	uint64_t values[ARRAY_SIZE(percents)];

	hist_percentiles(h, percents, values, ARRAY_SIZE(percents));
	add_u64(o, "count", hist_count(h));
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		add_u64(o, keys[i], values[i]);
	}
	return o;
}

static struct json_object *
json_stream(const struct stream *s)
{
	const struct stream_record *r = &s->record;
	struct json_object *o = json_object_new_object();
	char fourcc[5] = "";

	snprintf(fourcc, sizeof(fourcc), "%.4s", (const char *)&s->format.pixelformat);
	json_object_object_add(o, "name", json_object_new_string(s->name));
	json_object_object_add(o, "card", json_object_new_string(s->card));
	json_object_object_add(o, "socket", json_object_new_string(s->config.socket));
	json_object_object_add(o, "format", json_object_new_string(fourcc));
	add_u64(o, "width", s->format.width);
	add_u64(o, "height", s->format.height);
	json_object_object_add(o, "fps", json_object_new_double(fps(s)));
	add_u64(o, "frames", r->nb_frames);
	add_u64(o, "lost", r->nb_lost);
	add_u64(o, "gaps", r->nb_gaps);
	add_u64(o, "missed_no_buffer", r->nb_missed[0]);
	add_u64(o, "missed_late_render", r->nb_missed[1]);
	add_u64(o, "missed_late_reactor", r->nb_missed[2]);
	add_u64(o, "out_of_order", r->nb_out_of_order);
	add_u64(o, "damaged", r->nb_damaged);
	add_u64(o, "failed", r->nb_failed);
	json_object_object_add(o, "verified", json_object_new_boolean(s->check != NULL));
	json_object_object_add(o, "well", json_object_new_boolean(stream_is_well(s)));
	json_object_object_add(o, "why", json_object_new_string(s->why));
	json_object_object_add(o, "dqbuf", json_hist(&r->dqbuf_ns));
	json_object_object_add(o, "ioctl", json_hist(&r->ioctl_ns));
	return o;
}

static struct json_object *
json_threads(const struct threads *usage)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < usage->nb; i++) {
		struct json_object *o = json_object_new_object();

		json_object_object_add(o, "name", json_object_new_string(usage->threads[i].name));
		add_u64(o, "cpu_ns", usage->threads[i].cpu_ns);
		add_u64(o, "delay_ns", usage->threads[i].delay_ns);
		json_object_array_add(list, o);
	}
	return list;
}

int
report_json(const char *path, const struct stream *streams, unsigned int nb,
	const struct threads *device, const struct threads *self)
{
	struct json_object *all = json_object_new_object();
	struct json_object *list = json_object_new_array();
	int rc;

	for (unsigned int i = 0; i < nb; i++) {
		json_object_array_add(list, json_stream(&streams[i]));
	}
	add_u64(all, "version", 1);
	add_u64(all, "elapsed_ns", self->at_ns);
	json_object_object_add(all, "streams", list);
	json_object_object_add(all, "device_threads", json_threads(device));
	json_object_object_add(all, "driver_threads", json_threads(self));
	errno = 0;
	rc = json_object_to_file_ext(path, all, JSON_C_TO_STRING_PRETTY) == 0 ? 0 : -errno;
	json_object_put(all);
	return rc;
}

#else

int
report_json(const char *path, const struct stream *streams, unsigned int nb,
	const struct threads *device, const struct threads *self)
{
	return -ENOTSUP;
}

#endif
