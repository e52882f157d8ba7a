/* SPDX-License-Identifier: BSD-3-Clause */
/* Options, the table of commands, and what is printed. */
#include <argp.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exercise.h"

#define EXIT_USAGE  2
#define EXIT_GONE   3 /* the device went away */
#define MAX_RESULTS 32

static struct exercise exercise;

static const struct command {
	const char *name;
	exercise_fn *fn;
	unsigned int nb_args;
	const char *help;
} commands[] = {
	{"ioctls", do_ioctls, 1, "ioctls N            N times G_CTRL"},
	{"timed", do_timed, 3,
		"timed N FILE MS     the same, MS of sleep in the middle; FILE gets number and TSC at "
		"both ends of each"},
	{"connects", do_connects, 1,
		"connects N          N times connect, OPEN, CLOSE, disconnect"},
	{"opens", do_opens, 1, "opens N             N times OPEN, CLOSE on one connection"},
	{"frames", do_frames, 1, "frames N            N times QBUF, DQBUF on each queue"},
	{"mixed", do_mixed, 2, "mixed N M           N G_CTRLs while M frames come"},
	{"spread", do_spread, 2, "spread N M          N frames, M G_CTRLs from each to the next"},
	{"slow", do_slow, 1, "slow N              N frames and G_CTRLs, 32 buffers, late events"},
	{"rare", do_rare, 0,
		"rare                a control event, rubbish, a deadline, a broken ring"},
	{"machine", do_machine, 2,
		"machine N M         N times M frames, pause, continue, M frames, reset of the "
		"device, M frames, reboot; each pixel is verified"},
	{"stream", do_stream, 1, "stream SECONDS      as an application does"},
	{"sessions", do_sessions, 2,
		"sessions N SOCKET   N sessions of a codec, each converts a frame; twice; another "
		"device without them"},
	{"reqbufs-loop", do_reqbufs_loop, 3,
		"reqbufs-loop SECONDS COUNT WIDTHxHEIGHT   S_FMT, then REQBUFS(COUNT), REQBUFS(0)"},
};

static const struct command *chosen;

static struct {
	const char *name;
	double value;
} results[MAX_RESULTS];
static unsigned int nb_results;

enum {
	KEY_DIRECT = 0x100,
	KEY_DELAY,
	KEY_JSON,
	KEY_HANDSHAKE,
	KEY_MEMORY,
	KEY_SLOT
};

static const struct argp_option options[] = {
	{"packed", 'p', NULL, 0, "packed rings instead of split ones", 0},
	{"poll", 'P', NULL, 0, "spin on the rings instead of sleeping", 0},
	{"hugepages", 'h', NULL, 0, "guest memory from 2 MiB pages", 0},
	{"direct", KEY_DIRECT, NULL, 0, "no indirect descriptors", 0},
	{"buffers", 'b', "N", 0, "buffers per queue, 1 to 32, default 8", 0},
	{"event-buffers", 'e', "N", 0, "posted event descriptors, default 16", 0},
	{"event-delay-us", KEY_DELAY, "US", 0, "event descriptors go back this late, default 0", 0},
	{"json", KEY_JSON, NULL, 0, "the result as one JSON object", 0},
	{"handshake", KEY_HANDSHAKE, NULL, 0,
		"say 'ready' before and 'measured' after the work, and wait for a line each time",
		0},
	{"memory", KEY_MEMORY, "FILE", 0, "SOCKET is QEMU's qtest socket, FILE its guest's memory",
		0},
	{"slot", KEY_SLOT, "N", 0, "with --memory: the device's PCI slot, default 4", 0},
	{0},
};

static void
take_argument(struct argp_state *state, char *arg)
{
	if (state->arg_num == 0) {
		exercise.config.socket_path = arg;
	} else if (state->arg_num == 1) {
		for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
			chosen = strcmp(commands[i].name, arg) == 0 ? &commands[i] : chosen;
		}
		if (chosen == NULL) {
			argp_error(state, "'%s' is no command", arg);
		}
	} else if (state->arg_num - 2 < EXERCISE_MAX_ARGS) {
		exercise.args[state->arg_num - 2] = arg;
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct driver_config *config = &exercise.config;

	switch (key) {
	case 'p':
		config->packed = true;
		return 0;
	case 'P':
		config->wait = DRIVER_POLL;
		return 0;
	case 'h':
		config->hugepages = true;
		return 0;
	case KEY_DIRECT:
		config->indirect = false;
		return 0;
	case 'b':
		exercise.nb_buffers = (uint32_t)atoi(arg);
		return 0;
	case 'e':
		config->nb_event_buffers = (uint16_t)atoi(arg);
		return 0;
	case KEY_DELAY:
		config->event_repost_delay_ns = strtoull(arg, NULL, 10) * 1000;
		return 0;
	case KEY_JSON:
		exercise.json = true;
		return 0;
	case KEY_HANDSHAKE:
		exercise.handshake = true;
		return 0;
	case KEY_MEMORY:
		exercise.machine.memory_path = arg;
		return 0;
	case KEY_SLOT:
		exercise.machine.slot = (uint8_t)atoi(arg);
		return 0;
	case ARGP_KEY_ARG:
		take_argument(state, arg);
		return 0;
	case ARGP_KEY_END:
		if (chosen == NULL || state->arg_num != chosen->nb_args + 2 ||
			exercise.nb_buffers - 1 >= FLOW_MAX_BUFFERS) {
			argp_error(state, "SOCKET and a command with its arguments are expected");
		}
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *
help_filter(int key, const char *text, void *input)
{
	char *all = NULL;
	size_t bytes;
	FILE *out;

	if (key != ARGP_KEY_HELP_POST_DOC || (out = open_memstream(&all, &bytes)) == NULL) {
		return (char *)(uintptr_t)text;
	}
	fprintf(out, "Commands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		fprintf(out, "  %s\n", commands[i].help);
	}
	fprintf(out,
		"\nExit status: 0 all claims hold, 1 one does not, 2 wrong usage, 3 the device "
		"went away\n");
	fclose(out);
	return all;
}

void
exercise_result(const char *name, double value)
{
	if (nb_results < MAX_RESULTS) {
		results[nb_results].name = name;
		results[nb_results++].value = value;
	}
}

void
exercise_result_hist(const char *const names[3], const struct hist *ns)
{
	static const double percents[] = {50, 99, 100};

	for (int i = 0; i < 3; i++) {
		exercise_result(names[i], (double)hist_percentile(ns, percents[i]) / 1000);
	}
}

bool
exercise_claim(struct exercise *ex, bool holds, const char *format, ...)
{
	va_list ap;

	if (!holds) {
		ex->failed = true;
		fprintf(stderr, "vmedia-exercise: ");
		va_start(ap, format);
		vfprintf(stderr, format, ap);
		va_end(ap);
		fputc('\n', stderr);
	}
	return holds;
}

int
exercise_ask(const char *word)
{
	char line[64];

	puts(word);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL) {
		fprintf(stderr, "vmedia-exercise: nobody answers '%s'\n", word);
		exit(EXIT_USAGE);
	}
	return strcmp(line, "go\n") == 0 ? 0 : -EIO;
}

void
exercise_handshake(const struct exercise *ex, const char *word)
{
	if (ex->handshake) {
		exercise_ask(word);
	}
}

uint64_t
exercise_number(const struct exercise *ex, unsigned int i)
{
	char *end;
	uint64_t n = strtoull(ex->args[i], &end, 10);

	if (*end != '\0' || n == 0) {
		fprintf(stderr, "vmedia-exercise: '%s': a number above 0 is expected\n",
			ex->args[i]);
		exit(EXIT_USAGE);
	}
	return n;
}

int
exercise_open(struct exercise *ex)
{
	int rc;

	ex->machine.qtest_path = ex->config.socket_path;
	rc = ex->machine.memory_path != NULL ? driver_attach(&ex->config, &ex->machine, &ex->drv)
	                                     : driver_connect(&ex->config, &ex->drv);
	if (rc < 0) {
		fprintf(stderr, "vmedia-exercise: connect %s: %s\n", ex->config.socket_path,
			strerror(-rc));
		return rc;
	}
	rc = driver_open(ex->drv, &ex->session);
	if (rc < 0) {
		fprintf(stderr, "vmedia-exercise: OPEN: %s\n", strerror(-rc));
		driver_disconnect(ex->drv);
		ex->drv = NULL;
	}
	return rc;
}

/* A device that breaks the protocol fails every exercise. */
static void
claim_protocol(struct exercise *ex, const struct driver_stats *s)
{
	uint64_t bad = s->ring_bad_index + s->ring_bad_id + s->bad_used_len + s->bad_status +
	               s->bad_reply + s->events_bad + s->events_unknown_session +
	               s->events_duplicate + s->channel_refused;

	exercise_claim(ex, bad == 0,
		"the device broke the protocol: ring %llu, lengths %llu, replies %llu, events %llu "
		"bad, %llu of unknown sessions, %llu twice, %llu channel requests",
		(unsigned long long)(s->ring_bad_index + s->ring_bad_id),
		(unsigned long long)s->bad_used_len,
		(unsigned long long)(s->bad_status + s->bad_reply),
		(unsigned long long)s->events_bad, (unsigned long long)s->events_unknown_session,
		(unsigned long long)s->events_duplicate, (unsigned long long)s->channel_refused);
	exercise_claim(ex, s->timeouts == 0, "%llu commands were not answered in time",
		(unsigned long long)s->timeouts);
}

void
exercise_close(struct exercise *ex)
{
	struct driver_stats stats;
	int rc = driver_close(ex->session);

	exercise_claim(ex, rc == 0, "CLOSE: %s", strerror(-rc));
	driver_get_stats(ex->drv, &stats);
	claim_protocol(ex, &stats);
	driver_disconnect(ex->drv);
	ex->drv = NULL;
	ex->session = NULL;
}

static void
print_results(bool json)
{
	const char *separator = json ? "{" : "";

	for (unsigned int i = 0; i < nb_results; i++) {
		if (json) {
			printf("%s\"%s\": %.10g", separator, results[i].name, results[i].value);
			separator = ", ";
		} else {
			printf("%s %.10g\n", results[i].name, results[i].value);
		}
	}
	fputs(json && nb_results > 0 ? "}\n" : "", stdout);
}

int
main(int argc, char **argv)
{
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "SOCKET COMMAND [ARGUMENT...]",
		.doc = "Does one thing to a virtio-media device many times and claims what has to "
		       "be true of it.\v",
		.help_filter = help_filter,
	};
	int rc;

	driver_config_init(&exercise.config);
	exercise.nb_buffers = 8;
	exercise.machine = exercise_machine;
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	rc = chosen->fn(&exercise);
	print_results(exercise.json);
	if (rc < 0) {
		fprintf(stderr, "vmedia-exercise: %s: %s\n", chosen->name, strerror(-rc));
		return rc == -ENODEV ? EXIT_GONE : EXIT_FAILURE;
	}
	return exercise.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
