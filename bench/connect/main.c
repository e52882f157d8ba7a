/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-connect: how long a front-end takes to get a device going: from connect(2), after a pause,
 * after a reset of the device, and after another front-end hung up. Each time ends with the answer
 * to a first command.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "core/cpu.h"
#include "core/environment.h"
#include "core/figures.h"
#include "core/noise.h"
#include "core/option.h"
#include "core/output.h"
#include "core/target.h"
#include "driver/driver.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

enum phase {
	CONNECT,
	PAUSE,
	RESET,
	HANG_UP,
	NB_PHASES
};

static const struct {
	const char *name, *what;
} phases[NB_PHASES] = {
	[CONNECT] = {"connect", "connect, first answer"},
	[PAUSE] = {"pause", "stop, start, first answer"},
	[RESET] = {"reset", "reset, start, first answer"},
	[HANG_UP] = {"hang_up", "hang up, connect, answer"},
};

struct connect {
	struct cpu_pair cpus;
	struct target_options target_options;
	unsigned int rounds;
	bool packed;
	const char *json;
	struct environment env;
	struct noise noise;
	struct target target;
	char path[64];
	struct driver *drv;
	struct driver_session *session;
	struct hist ticks[NB_PHASES];
};

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static int
ask(struct connect *c)
{
	struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};

	return driver_ioctl(c->session, VIDIOC_G_CTRL, &control);
}

static int
open_and_ask(struct connect *c)
{
	int ret = driver_open(c->drv, &c->session);

	return ret != 0 ? ret : ask(c);
}

static int
attach(struct connect *c)
{
	struct driver_config config;
	int ret;

	driver_config_init(&config);
	config.wait = DRIVER_POLL;
	config.packed = c->packed;
	config.socket_path = c->path;
	ret = driver_connect(&config, &c->drv);
	return ret != 0 ? ret : open_and_ask(c);
}

static void
hang_up(struct connect *c)
{
	if (c->drv != NULL) {
		driver_disconnect(c->drv);
		c->drv = NULL;
	}
}

/* The session stays. */
static int
pause_and_go(struct connect *c)
{
	int ret = driver_stop(c->drv);

	ret = ret != 0 ? ret : driver_start(c->drv);
	return ret != 0 ? ret : ask(c);
}

static int
reset_and_go(struct connect *c)
{
	int ret = driver_reset(c->drv);

	ret = ret != 0 ? ret : driver_start(c->drv);
	return ret != 0 ? ret : open_and_ask(c);
}

static int
hang_up_and_connect(struct connect *c)
{
	hang_up(c);
	return attach(c);
}

/* A device at which nobody hung up just now: the one before is forgotten in the meantime. */
static void
rest(void)
{
	usleep(20000);
}

static int
measure(struct connect *c)
{
	static int (*const steps[NB_PHASES])(struct connect *) = {
		attach, pause_and_go, reset_and_go, hang_up_and_connect};
	int ret = 0;

	for (unsigned int i = 0; i < c->rounds && ret == 0; i++) {
		for (unsigned int p = 0; p < NB_PHASES && ret == 0; p++) {
			uint64_t begin_tsc = clock_tsc();

			ret = steps[p](c);
			hist_record(&c->ticks[p], clock_tsc() - begin_tsc);
			ret = ret != 0 ? complain(phases[p].what, ret) : 0;
		}
		hang_up(c);
		rest();
	}
	return ret;
}

static int
set_up(struct connect *c)
{
	int ret = target_start(&c->target, &c->target_options);

	if (ret != 0) {
		return ret;
	}
	snprintf(c->path, sizeof(c->path), "%s/socket0", c->target.folder);
	close(c->target.fds[0]); /* it only showed that the socket is there */
	c->target.fds[0] = -1;
	rest();
	ret = cpu_pin(c->cpus.driver);
	ret = ret != 0 ? ret : hang_up_and_connect(c);
	hang_up(c);
	rest();
	return ret != 0 ? target_complain(&c->target, 0, ret) : 0;
}

static void
report(const struct connect *c)
{
	environment_print(&c->env);
	printf("%u rounds, %s rings\n", c->rounds, c->packed ? "packed" : "split");
	figures_print_heading(stdout, "until the first answer");
	for (unsigned int p = 0; p < NB_PHASES; p++) {
		struct figures f;

		figures_take(&f, &c->ticks[p]);
		figures_print(stdout, phases[p].what, &f);
	}
	printf("  ");
	noise_print(&c->noise);
}

#ifdef HAVE_JSONC
static int
report_json(const struct connect *c)
{
	struct json_object *top = json_object_new_object(), *all = json_object_new_object();

	json_object_object_add(top, "schema", json_object_new_string("vmedia-connect-1"));
	json_object_object_add(top, "environment", environment_json(&c->env));
	json_object_object_add(top, "rounds", json_object_new_int((int)c->rounds));
	for (unsigned int p = 0; p < NB_PHASES; p++) {
		struct json_object *row;
		struct figures f;

		figures_take(&f, &c->ticks[p]);
		row = figures_json(&f);
		json_object_object_add(row, "what", json_object_new_string(phases[p].what));
		json_object_object_add(all, phases[p].name, row);
	}
	json_object_object_add(top, "phases", all);
	noise_json(top, &c->noise);
	return output_json(c->json, top);
}
#else
static int
report_json(const struct connect *c)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with a null camera", 0},
	{"idle", 'i', "POLICY", 0, "poll, adaptive or interrupt (default poll)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"rounds", 'n', "N", 0, "of connect, pause, reset, hang up (default 100)", 0},
	{"json", 'j', "FILE", 0, "write the figures here as well", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct connect *c = state->input;

	switch (key) {
	case 'S':
		c->target_options.spawn = arg;
		break;
	case 'i':
		c->target_options.idle = option_idle(state, arg);
		break;
	case 'c':
		option_cpus(arg, &c->cpus);
		break;
	case 'p':
		c->packed = true;
		break;
	case 'n':
		c->rounds = (unsigned int)option_whole(state, key, arg, 1, 100000);
		break;
	case 'j':
		c->json = option_json(state, arg);
		break;
	case ARGP_KEY_END:
		if (c->target_options.spawn == NULL) {
			argp_error(state, "--spawn VMEDIAD, please");
		}
		break;
	case ARGP_KEY_ARG:
		argp_usage(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"How long a front-end takes to get a device going, by what happened before.", NULL,
		NULL, NULL};
	static struct connect c = {.cpus = CPU_PAIR_DEFAULT,
		.target_options = {.nb_devices = 1, .device = "backend=null,role=capture"},
		.rounds = 100};
	static struct noise_begin noise;
	int ret;

	option_parse(&argp, argc, argv, &c, &c.cpus);
	c.target_options.cpu = c.cpus.device;
	environment_read(&c.env, &c.cpus);
	ret = set_up(&c);
	noise_begin(&noise, &c.cpus, c.target.pid);
	ret = ret != 0 ? ret : measure(&c);
	noise_end(&noise, &c.noise);
	hang_up(&c);
	target_end(&c.target);
	if (ret != 0) {
		return 1;
	}
	report(&c);
	return c.json != NULL && report_json(&c) != 0;
}
