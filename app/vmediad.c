/* SPDX-License-Identifier: BSD-3-Clause */
/* vmediad: the daemon. Reads its configuration, starts everything, waits for a signal, stops. */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/util.h"
#include "control/config.h"
#include "control/manager.h"
#include "control/service.h"

#define EXIT_USAGE  2
#define MAX_OPTIONS 32

enum {
	KEY_DEVICE = 'd',
	KEY_CONFIG = 'c',
	KEY_HELP = 'h',
	KEY_VERSION = 'V',
	KEY_CHECK = 0x100,
	KEY_USAGE,
	KEY_TABLE = 0x200
};

static struct config config;
static bool only_check;

static void
check(struct argp_state *state, int rc, const char *why)
{
	if (rc != 0) {
		fprintf(stderr, "vmediad: %s\n", why);
		exit(EXIT_USAGE);
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	char why[1024];

	switch (key) {
	case KEY_DEVICE:
		check(state, config_add_device(&config, arg, why, sizeof(why)), why);
		return 0;
	case KEY_CONFIG:
		check(state, config_read_file(&config, arg, why, sizeof(why)), why);
		return 0;
	case KEY_CHECK:
		only_check = true;
		return 0;
	case KEY_HELP:
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK);
		config_help(stdout);
		exit(EXIT_SUCCESS);
	case KEY_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case KEY_VERSION:
		puts("vmediad " VMEDIA_VERSION);
		exit(EXIT_SUCCESS);
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is no option", arg);
		return EINVAL;
	default:
		break;
	}
	if (key >= KEY_TABLE && key < KEY_TABLE + MAX_OPTIONS) {
		const char *name = config_options[key - KEY_TABLE].key;

		check(state, config_set(&config, name, arg, why, sizeof(why)), why);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* argp's table is made from ours, so that one table parses and is the help. */
static void
fill_options(struct argp_option *out)
{
	static char texts[MAX_OPTIONS][256];
	int i = 0;

	*out++ = (struct argp_option){"device", KEY_DEVICE, "KEY=VALUE,...", 0,
		"add a device; may be repeated. Needs socket= and backend=; all keys are listed below",
		0};
	*out++ = (struct argp_option){"config", KEY_CONFIG, "FILE", 0,
		"read an INI file: [vmediad] and [device NAME]", 0};
	*out++ = (struct argp_option){
		"check", KEY_CHECK, NULL, 0, "check the configuration and exit", 0};
	*out++ = (struct argp_option){
		"help", KEY_HELP, NULL, 0, "all options, devices' keys and backends", 0};
	*out++ = (struct argp_option){"usage", KEY_USAGE, NULL, 0, "the options in short", 0};
	*out++ = (struct argp_option){"version", KEY_VERSION, NULL, 0, "the version", 0};
	for (const struct vmedia_option *row = config_options; row->key != NULL; row++, i++) {
		char allowed[128] = "";
		bool text = row->type == VMEDIA_OPTION_STRING;

		option_allowed(row, allowed, sizeof(allowed));
		snprintf(texts[i], sizeof(texts[i]), "%s%s%s%s%s%s", row->help, text ? "" : " [",
			text ? "" : allowed, text ? "" : "]",
			row->value != NULL ? ", default " : "",
			row->value != NULL ? row->value : "");
		*out++ = (struct argp_option){row->key, KEY_TABLE + i, "VALUE", 0, texts[i], 0};
	}
	*out = (struct argp_option){0};
}

static char *
filter(int key, const char *text, void *input)
{
	return key == ARGP_KEY_HELP_DUP_ARGS_NOTE ? NULL : (char *)(uintptr_t)text;
}

static int
serve(void)
{
	struct manager *manager;
	sigset_t signals;
	int signal;

	/* blocked before any thread exists, so that all threads leave them to sigwait */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	if (manager_start(&config, &manager) != 0) {
		return EXIT_FAILURE;
	}
	service_notify("READY=1");
	sigwait(&signals, &signal);
	service_notify("STOPPING=1");
	manager_stop(manager);
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	static struct argp_option options[MAX_OPTIONS + 6];
	const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Poll-mode vhost-user virtio-media devices; see docs/vmediad.md.\v"
		       "Exit status: 0 after SIGTERM or SIGINT, 1 something could not be started, "
		       "2 wrong usage.",
		.help_filter = filter,
	};
	char why[1024];
	int rc;

	config_init(&config);
	fill_options(options);
	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, ARGP_NO_HELP, NULL, NULL);
	check(NULL, config_check(&config, why, sizeof(why)), why);
	if (log_set_level(config.log) != 0) {
		fprintf(stderr,
			"vmediad: log=%s: LEVEL or ROOM:LEVEL is expected, with err, warning, notice, "
			"info or debug\n",
			config.log);
		return EXIT_USAGE;
	}
	rc = only_check ? EXIT_SUCCESS : serve();
	config_fini(&config);
	return rc;
}
