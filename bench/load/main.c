/* SPDX-License-Identifier: BSD-3-Clause */
#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "core/option.h"
#include "load/load.h"

#define LOCAL_MEM_BYTES        (2u << 20)
#define LINUX_NB_EVENT_BUFFERS 16

enum {
	KEY_DIRECT = 256,
	KEY_HUGEPAGES,
	KEY_PID,
	KEY_SLICES,
	KEY_STALL,
	KEY_SLO,
	KEY_WARM_UP,
	KEY_NO_ECHO,
	KEY_SEED,
	KEY_POISSON,
	KEY_FLOOD,
	KEY_GUEST_LIKE
};

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with null cameras", 0},
	{"devices", 'd', "N", 0, "so many of them (default 1)", 0},
	{"socket", 's', "PATH", 0, "of a device whose reactor polls on CPU DEVICE; repeatable", 0},
	{"pid", KEY_PID, "N", 0, "its process (default: of the first socket)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"ioctl", 'i', "NAME", 0, "G_CTRL (default), G_FMT, G_PARM, ENUM_FMT or mixed", 0},
	{"depth", 'q', "N", 0, "commands in flight per device, 1 to 64 (default 1)", 0},
	{"rate", 'r', "N", 0,
		"open loop: commands per second, all devices together (default: half of what the "
		"closed loop reaches)",
		0},
	{"poisson", KEY_POISSON, NULL, 0, "open loop: random arrivals (default: evenly spaced)", 0},
	{"seed", KEY_SEED, "N", 0, "of random arrivals (default 1)", 0},
	{"time", 't', "SECONDS", 0, "per run, side and loop (default 1)", 0},
	{"warm-up", KEY_WARM_UP, "SECONDS", 0, "before each run (default 0.1)", 0},
	{"runs", 'n', "N", 0, "1 to 32 (default 5)", 0},
	{"slices", KEY_SLICES, "N", 0, "turns of echo and device in a run (default 20)", 0},
	{"packed", 'p', NULL, 0, "packed rings (default: split)", 0},
	{"direct", KEY_DIRECT, NULL, 0, "no indirect descriptors", 0},
	{"hugepages", KEY_HUGEPAGES, NULL, 0, "guest memory from 2 MiB pages", 0},
	{"interrupts", 'I', NULL, 0, "the driver sleeps until the device notifies (no echo)", 0},
	{"no-echo", KEY_NO_ECHO, NULL, 0, "the device alone", 0},
	{"guest-like", KEY_GUEST_LIKE, NULL, 0,
		"as the Linux driver does: one command in flight per device, 16 event buffers", 0},
	{"flood", KEY_FLOOD, "N", 0,
		"always have N commands in flight on one more device, the last socket, which is "
		"not measured (no echo)",
		0},
	{"stall", KEY_STALL, "MS/MS", 0,
		"stop the device for so long, so often: 10/1000 (no echo, one slice)", 0},
	{"slo", KEY_SLO, "P=US", 0,
		"exit status 1 if a percentile of the open loop's latency is above: 99.9=50; repeatable",
		0},
	{"json", 'j', "FILE", 0, "write everything, whole histograms included", 0},
	{0},
};

static void
add_socket(struct load_options *o, const char *path, struct argp_state *state)
{
	if (o->target.nb_sockets == TARGET_MAX_DEVICES) {
		argp_error(state, "at most %d sockets, please", TARGET_MAX_DEVICES);
	}
	o->target.sockets[o->target.nb_sockets++] = path;
}

static void
add_slo(struct load_options *o, const char *arg, struct argp_state *state)
{
	struct load_slo slo;

	if (o->nb_slos == LOAD_MAX_SLOS) {
		argp_error(state, "--slo: at most %d", LOAD_MAX_SLOS);
	}
	option_slo(state, arg, &slo.percent, &slo.limit_ns);
	slo.limit_ns *= 1e3;
	o->slos[o->nb_slos++] = slo;
}

static void
set_stall(struct load_options *o, const char *arg, struct argp_state *state)
{
	char rest;

	if (sscanf(arg, "%lf/%lf%c", &o->stall_ms, &o->stall_every_ms, &rest) != 2 ||
		!(o->stall_ms > 0 && o->stall_every_ms > o->stall_ms)) {
		argp_error(state, "--stall %s: two times in ms, please, as in 10/1000", arg);
	}
}

static error_t
parse_numbers(int key, const char *arg, struct argp_state *state, struct load_options *o)
{
	switch (key) {
	case 'd':
		o->target.nb_devices =
			(unsigned int)option_whole(state, key, arg, 1, TARGET_MAX_DEVICES);
		break;
	case KEY_PID:
		o->target.pid = (pid_t)option_whole(state, key, arg, 2, INT32_MAX);
		break;
	case 'q':
		o->depth = (unsigned int)option_whole(state, key, arg, 1, LOAD_MAX_DEPTH);
		break;
	case 'r':
		o->rate = option_number(state, key, arg, 1, 1e8);
		break;
	case KEY_FLOOD:
		o->flood = (unsigned int)option_whole(state, key, arg, 1, LOAD_MAX_DEPTH);
		break;
	case KEY_SEED:
		o->seed = option_whole(state, key, arg, 0, 1000000000000000);
		break;
	case 't':
		o->seconds = option_number(state, key, arg, 0.01, 3600);
		break;
	case KEY_WARM_UP:
		o->warm_up_seconds = option_number(state, key, arg, 0, 3600);
		break;
	case 'n':
		o->runs = (unsigned int)option_whole(state, key, arg, 1, LOAD_MAX_RUNS);
		break;
	case KEY_SLICES:
		o->slices = (unsigned int)option_whole(state, key, arg, 1, 1000);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void
check(struct load_options *o, struct argp_state *state)
{
	const char *names;

	option_target(state, &o->target);
	if (!lanes_knows(o->ioctl, &names)) {
		argp_error(state, "--ioctl %s: %s, please", o->ioctl, names);
	}
	if (o->nb_slos > 0 && !target_is_wanted(&o->target)) {
		argp_error(state, "--slo needs a device: --spawn or --socket");
	}
	if (o->stall_ms > 0) {
		o->slices = 1;
	}
	if (o->guest_like && o->depth != 1) {
		argp_error(state, "--guest-like is one command in flight: no --depth %u", o->depth);
	}
	if (o->flood > 0 && o->target.nb_sockets == 1) {
		argp_error(state, "--flood needs a second socket, to be flooded");
	}
	if (o->flood > 0) {
		o->target.nb_devices++;
	}
	o->no_echo |= o->interrupts || o->stall_ms > 0 || o->flood > 0;
	if (o->no_echo && !target_is_wanted(&o->target)) {
		argp_error(state, "without an echo there must be a device: --spawn or --socket");
	}
}

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct load_options *o = state->input;

	switch (key) {
	case 'S':
		o->target.spawn = arg;
		break;
	case 's':
		add_socket(o, arg, state);
		break;
	case 'c':
		option_cpus(arg, &o->cpus);
		break;
	case 'i':
		o->ioctl = arg;
		break;
	case KEY_POISSON:
		o->poisson = true;
		break;
	case 'p':
		o->packed = true;
		break;
	case KEY_DIRECT:
		o->direct = true;
		break;
	case KEY_HUGEPAGES:
		o->hugepages = true;
		break;
	case 'I':
		o->interrupts = true;
		break;
	case KEY_GUEST_LIKE:
		o->guest_like = true;
		break;
	case KEY_NO_ECHO:
		o->no_echo = true;
		break;
	case KEY_STALL:
		set_stall(o, arg, state);
		break;
	case KEY_SLO:
		add_slo(o, arg, state);
		break;
	case 'j':
		o->json = option_json(state, arg);
		break;
	case ARGP_KEY_END:
		check(o, state);
		break;
	case ARGP_KEY_ARG:
		argp_usage(state);
		break;
	default:
		return parse_numbers(key, arg, state, o);
	}
	return 0;
}

static void
configure(struct driver_config *config, const struct load_options *o)
{
	driver_config_init(config);
	config->packed = o->packed;
	config->indirect = !o->direct;
	config->hugepages = o->hugepages;
	config->wait = o->interrupts ? DRIVER_SLEEP : DRIVER_POLL;
	config->mem_bytes = LOCAL_MEM_BYTES;
	if (o->guest_like) {
		config->nb_event_buffers = LINUX_NB_EVENT_BUFFERS;
	}
}

static int
connect_drivers(struct load *l, struct driver **drivers)
{
	struct driver_config config;
	int ret = 0;

	configure(&config, &l->o);
	for (unsigned int i = 0; i < l->target.nb && ret == 0; i++) {
		config.socket_fd = l->target.fds[i];
		l->target.fds[i] = -1;
		ret = driver_connect(&config, &drivers[i]);
		ret = ret != 0 ? target_complain(&l->target, i, ret) : 0;
	}
	return ret;
}

/* As many rings as the device has, in the format it negotiated. */
static int
make_local_drivers(struct load *l, struct driver **drivers, unsigned int nb, struct driver *like)
{
	struct driver_config config;
	struct driver_info info;
	int ret = 0;

	configure(&config, &l->o);
	if (like != NULL) {
		driver_get_info(like, &info);
		config.indirect = (info.features & 1ULL << 28) != 0;
		config.event_idx = (info.features & 1ULL << 29) != 0;
	}
	for (unsigned int i = 0; i < nb && ret == 0; i++) {
		ret = driver_create_local(&config, &drivers[i]);
	}
	if (ret == 0) {
		ret = partner_start(&l->partner, l->o.cpus.device, drivers, nb);
	}
	if (ret != 0) {
		fprintf(stderr, "echo: %s\n", strerror(-ret));
	}
	return ret;
}

/* The echo answers OPEN with what a driver wants to read. */
static int
create_echo_lanes(struct load *l, struct driver **drivers, unsigned int nb)
{
	static const union {
		struct virtio_media_resp_open resp;
		uint8_t bytes[ECHO_MAX_BYTES];
	} answer = {.resp = {.session_id = 1}};
	int ret;

	for (unsigned int i = 0; i < nb; i++) {
		l->partner.commands[i].fixed = answer.bytes;
	}
	partner_work(&l->partner, PARTNER_COMMANDS);
	ret = lanes_create(&l->sides[LOAD_ECHO], drivers, nb, &l->o, false);
	partner_rest(&l->partner);
	for (unsigned int i = 0; i < nb; i++) {
		l->partner.commands[i].fixed = NULL;
	}
	return ret;
}

/* The last device is flooded, where that is wanted; the others are measured. */
static int
create_device_lanes(struct load *l, struct driver **drivers, unsigned int nb)
{
	struct load_options flood = l->o;
	unsigned int nb_flooded = flood.flood > 0;
	int ret = lanes_create(&l->sides[LOAD_DEVICE], drivers, nb - nb_flooded, &l->o, true);

	if (ret == 0 && nb_flooded > 0) {
		flood.depth = flood.flood;
		ret = lanes_create(&l->flood, drivers + nb - 1, 1, &flood, true);
		l->sides[LOAD_DEVICE].flood = &l->flood;
	}
	return ret;
}

static int
set_up(struct load *l, struct driver **drivers[LOAD_NB_SIDES])
{
	unsigned int nb;
	int ret = 0;

	l->has[LOAD_DEVICE] = target_is_wanted(&l->o.target);
	l->has[LOAD_ECHO] = !l->o.no_echo;
	if (l->has[LOAD_DEVICE]) {
		ret = target_start(&l->target, &l->o.target);
	}
	nb = l->has[LOAD_DEVICE] ? l->target.nb : l->o.target.nb_devices;
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		drivers[side] = calloc(nb + 1, sizeof(*drivers[side]));
	}
	if (ret == 0) {
		ret = cpu_pin(l->o.cpus.driver);
	}
	if (ret == 0 && l->has[LOAD_DEVICE]) {
		ret = connect_drivers(l, drivers[LOAD_DEVICE]);
		ret = ret != 0 ? ret : create_device_lanes(l, drivers[LOAD_DEVICE], nb);
	}
	if (ret == 0 && l->has[LOAD_ECHO]) {
		ret = l->has[LOAD_DEVICE] ? target_stop(&l->target) : 0;
		ret = ret != 0 ? ret
		               : make_local_drivers(
					 l, drivers[LOAD_ECHO], nb, drivers[LOAD_DEVICE][0]);
		ret = ret != 0 ? ret : create_echo_lanes(l, drivers[LOAD_ECHO], nb);
	}
	return ret;
}

static void
tear_down(struct load *l, struct driver **drivers[LOAD_NB_SIDES])
{
	lanes_destroy(&l->sides[LOAD_ECHO]);
	partner_end(&l->partner);
	if (l->target.pid > 0) {
		target_continue(&l->target);
	}
	lanes_destroy(&l->sides[LOAD_DEVICE]);
	lanes_destroy(&l->flood);
	for (unsigned int side = 0; side < LOAD_NB_SIDES; side++) {
		for (unsigned int i = 0; drivers[side] != NULL && drivers[side][i] != NULL; i++) {
			driver_disconnect(drivers[side][i]);
		}
		free(drivers[side]);
	}
	if (l->has[LOAD_DEVICE]) {
		target_end(&l->target);
	}
}

/* 0; 1: failed, or a service level was missed. */
static int
measure(struct load *l)
{
	int ret = 0;
	bool met;

	l->runs = calloc(l->o.runs, sizeof(l->runs[0]));
	if (l->runs == NULL) {
		fprintf(stderr, "%s\n", strerror(ENOMEM));
		return 1;
	}
	for (unsigned int i = 0; i < l->o.runs && ret == 0; i++) {
		ret = load_run(l, &l->runs[i]);
		if (ret == 0) {
			l->nb_runs++;
			report_run(l, i);
		}
	}
	if (ret != 0) {
		return 1;
	}
	met = report_end(l);
	return (l->o.json != NULL && report_json(l) != 0) || !met;
}

int
main(int argc, char **argv)
{
	static const struct argp argp = {rows, parse, NULL,
		"Commands to vmedia devices at a given rate and as fast as they are answered, beside "
		"a bare echo of the same chains. Without --spawn and --socket: the echo alone.",
		NULL, NULL, NULL};
	static struct load l;
	struct driver **drivers[LOAD_NB_SIDES] = {NULL, NULL};
	int status = 1;

	l.o = (struct load_options){.cpus = CPU_PAIR_DEFAULT,
		.ioctl = "G_CTRL",
		.depth = 1,
		.runs = 5,
		.slices = 20,
		.seconds = 1,
		.warm_up_seconds = 0.1,
		.seed = 1,
		.target = {.nb_devices = 1, .device = "backend=null,role=capture,fps=60"}};
	option_parse(&argp, argc, argv, &l.o, &l.o.cpus);
	l.o.target.cpu = l.o.cpus.device;
	environment_read(&l.env, &l.o.cpus);
	environment_print(&l.env);
	if (set_up(&l, drivers) == 0) {
		status = measure(&l);
	}
	tear_down(&l, drivers);
	free(l.runs);
	return status;
}
