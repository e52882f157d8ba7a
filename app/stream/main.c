/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-stream: attaches the user-space driver to vhost-user sockets, streams from all of them,
 * verifies every frame of a pattern camera from its pixels, and says what came.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "report.h"
#include "sheet.h"
#include "worker.h"

#define MAX_STREAMS 64
#define EXIT_USAGE  2

const char *argp_program_version = "vmedia-stream " VMEDIA_VERSION;

static struct arguments {
	struct stream_config config;
	double time_s;
	const char *json, *sheet;
	int pid;
	unsigned int nb;
	const char *sockets[MAX_STREAMS];
} args = {.config = {.nb_buffers = 8}, .time_s = 10};

static struct stream *streams;
static struct worker *worker;
static volatile sig_atomic_t interrupted;

static const struct argp_option options[] = {
	{"time", 't', "SECONDS", 0, "how long to stream, default 10", 0},
	{"buffers", 'b', "N", 0, "buffers per stream, 2 to 32, default 8", 0},
	{"packed", 'p', NULL, 0, "packed rings instead of split ones", 0},
	{"hugepages", 'H', NULL, 0, "guest memory from 2 MiB pages", 0},
	{"poll", 'P', NULL, 0, "spin on the rings instead of sleeping", 0},
	{"pid", 'i', "PID", 0, "report the CPU use of this process (vmediad), too", 0},
	{"json", 'j', "FILE", 0, "write the result as JSON", 0},
	{"contact-sheet", 's', "FILE", 0, "write the last frame of each stream as one PNG", 0},
	{0},
};

/* A whole decimal number, for argp's options. */
static double
number(struct argp_state *state, const char *option, const char *arg, double min, double max)
{
	char *end;
	double value = strtod(arg, &end);

	if (end == arg || *end != '\0' || !(value >= min && value <= max)) {
		argp_error(state, "--%s=%s: a number from %.10g to %.10g is expected", option, arg,
			min, max);
	}
	return value;
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 't':
		args.time_s = number(state, "time", arg, 0.1, 1e6);
		break;
	case 'b':
		args.config.nb_buffers =
			(uint32_t)number(state, "buffers", arg, 2, STREAM_MAX_BUFFERS);
		break;
	case 'p':
		args.config.packed = true;
		break;
	case 'H':
		args.config.hugepages = true;
		break;
	case 'P':
		args.config.poll = true;
		break;
	case 'i':
		args.pid = (int)number(state, "pid", arg, 1, INT_MAX);
		break;
	case 'j':
		args.json = arg;
		break;
	case 's':
		args.sheet = arg;
		break;
	case ARGP_KEY_ARG:
		if (args.nb == MAX_STREAMS) {
			argp_error(state, "more than %d sockets", MAX_STREAMS);
		}
		args.sockets[args.nb++] = arg;
		break;
	case ARGP_KEY_END:
		if (args.nb == 0) {
			argp_error(state, "no socket is given");
		}
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void
on_signal(int signal)
{
	interrupted = 1;
}

static void
on_ready(struct stream *stream, uint32_t index)
{
	worker_push(worker, stream, index);
}

static int
open_all(void)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < args.nb; i++) {
		streams[i].config = args.config;
		streams[i].config.socket = args.sockets[i];
		streams[i].index = i;
		streams[i].ready = on_ready;
		rc = stream_open(&streams[i]);
	}
	for (unsigned int i = 0; rc == 0 && i < args.nb; i++) {
		rc = stream_start(&streams[i]);
	}
	return rc;
}

static unsigned int
fill_fds(struct pollfd *fds)
{
	unsigned int nb = 0;

	fds[nb++] = (struct pollfd){.fd = worker_fd(worker), .events = POLLIN};
	for (unsigned int i = 0; i < args.nb; i++) {
		for (unsigned int q = 0; q < DRIVER_NB_QUEUES; q++) {
			fds[nb++] = (struct pollfd){
				.fd = driver_call_fd(streams[i].driver, q), .events = POLLIN};
		}
	}
	return nb;
}

/* One round over all drivers; returns things done or an error. `keep`: verified buffers are not
 * given back any more. */
static int
round_once(bool keep)
{
	struct stream *stream;
	uint32_t index;
	int done = 0;

	for (unsigned int i = 0; i < args.nb; i++) {
		int rc = driver_poll(streams[i].driver);

		if (rc < 0) {
			snprintf(streams[i].why, sizeof(streams[i].why), "the device is gone: %s",
				strerror(-rc));
			return rc;
		}
		done += rc;
	}
	while (worker_pop(worker, &stream, &index)) {
		int rc = keep ? 0 : stream_requeue(stream, index);

		stream->kept = keep;
		if (rc < 0) {
			return rc;
		}
		done++;
	}
	return done;
}

static void
sleep_until_called(struct pollfd *fds, unsigned int nb)
{
	bool may_sleep = true;

	for (unsigned int i = 0; i < args.nb; i++) {
		may_sleep &= driver_arm(streams[i].driver);
	}
	if (may_sleep) {
		poll(fds, nb, 100);
	}
}

/* The newest frame of each stream stays untouched, so that the contact sheet shows whole ones. */
static int
keep_last_frames(struct pollfd *fds, unsigned int nb_fds)
{
	uint64_t until = clock_monotonic_ns() + 500 * NSEC_PER_MSEC;
	bool all = false;
	int rc = 0;

	while (rc >= 0 && !all && clock_monotonic_ns() < until) {
		rc = round_once(true);
		if (rc == 0) {
			sleep_until_called(fds, nb_fds);
		}
		all = true;
		for (unsigned int i = 0; i < args.nb; i++) {
			all &= streams[i].kept;
		}
	}
	return rc < 0 ? rc : 0;
}

static int
stream_all(void)
{
	static struct pollfd fds[1 + MAX_STREAMS * DRIVER_NB_QUEUES];
	unsigned int nb_fds = fill_fds(fds);
	uint64_t start = clock_monotonic_ns(), now = start, next = start;
	uint64_t length = (uint64_t)(args.time_s * 1e9);
	int rc = 0;

	while (rc >= 0 && !interrupted && now - start < length) {
		rc = round_once(false);
		if (rc == 0 && !args.config.poll) {
			sleep_until_called(fds, nb_fds);
		}
		now = clock_monotonic_ns();
		if (now >= next) {
			report_progress(streams, args.nb, (double)(now - start) / 1e9, args.time_s);
			next += NSEC_PER_SEC;
		}
	}
	report_progress_end();
	return rc < 0 ? rc : keep_last_frames(fds, nb_fds);
}

/* 0 or a negative errno; -ENODATA when no stream has pixels to show. */
static int
write_sheet(void)
{
	struct sheet *sheet;
	unsigned int nb = 0, cell = 0;
	int rc;

	for (unsigned int i = 0; i < args.nb; i++) {
		nb += streams[i].check != NULL && streams[i].started;
	}
	rc = nb > 0 ? sheet_create(nb, &sheet) : -ENODATA;
	if (rc != 0) {
		return rc;
	}
	for (unsigned int i = 0; i < args.nb; i++) {
		const struct stream *s = &streams[i];
		char caption[96];

		if (s->check == NULL || !s->started) {
			continue;
		}
		snprintf(caption, sizeof(caption), "%s  %ux%u  frame %u", s->name, s->format.width,
			s->format.height, s->last.sequence);
		sheet_put(sheet, cell++, &s->format, s->addr[s->last_index], caption);
	}
	return sheet_write(sheet, args.sheet);
}

/* Says so when a file could not be written. */
static int
written(const char *file, int rc)
{
	if (rc != 0) {
		fprintf(stderr, "vmedia-stream: cannot write %s: %s\n", file, strerror(-rc));
	}
	return rc;
}

static int
report_all(const struct threads *device, const struct threads *self)
{
	int sheet_rc = args.sheet != NULL ? write_sheet() : 0;
	int rc = 0;

	report_streams(streams, args.nb);
	if (args.pid != 0) {
		report_threads("CPU of the device", device);
	}
	report_threads("CPU of the driver", self);
	if (sheet_rc == -ENODATA) {
		puts("contact sheet: none, no stream is a pattern camera");
	} else if (args.sheet != NULL) {
		rc = written(args.sheet, sheet_rc);
		printf("contact sheet: %s\n", rc == 0 ? args.sheet : "none");
	}
	if (args.json != NULL) {
		int json_rc = report_json(args.json, streams, args.nb, device, self);

		rc = written(args.json, json_rc) == 0 ? rc : json_rc;
	}
	return rc;
}

static void
watch_threads(struct threads *device, struct threads *self)
{
	memset(device, 0, sizeof(*device));
	if (args.pid != 0) {
		threads_read(args.pid, device);
	}
	threads_read(getpid(), self);
}

/* Everything between open and close; 0 when all is well. */
static int
run(void)
{
	static struct threads before[2], after[2];
	bool well = true;
	int rc = open_all();

	watch_threads(&before[0], &before[1]);
	if (rc == 0) {
		rc = stream_all();
	}
	watch_threads(&after[0], &after[1]);
	threads_subtract(&after[0], &before[0]);
	threads_subtract(&after[1], &before[1]);
	worker_stop(worker);
	if (rc == 0) {
		rc = report_all(&after[0], &after[1]);
	}
	for (unsigned int i = 0; i < args.nb; i++) {
		well &= stream_is_well(&streams[i]);
		if (rc != 0 && streams[i].why[0] != '\0') {
			fprintf(stderr, "vmedia-stream: %s: %s\n", streams[i].config.socket,
				streams[i].why);
		}
		stream_close(&streams[i]);
	}
	if (rc == 0) {
		puts(well ? "every frame arrived once, in order, intact" : "NOT all is well");
	}
	return rc == 0 && well ? 0 : -EIO;
}

int
main(int argc, char **argv)
{
	const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "SOCKET...",
		.doc = "Streams from virtio-media devices and verifies every frame."
		       "\vExit status: 0 all was well, 1 something was not, 2 wrong usage."};
	int rc;

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	streams = calloc(args.nb, sizeof(*streams));
	rc = streams != NULL ? worker_start(&worker) : -ENOMEM;
	if (rc == 0) {
		rc = run();
	}
	free(streams);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
