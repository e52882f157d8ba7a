/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmedia-idle: what devices cost that nobody uses, and how long the first command takes after a
 * rest, beside the same thing without a device: a thread on the same CPU that an eventfd wakes.
 */
#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "core/cpu.h"
#include "core/environment.h"
#include "core/figures.h"
#include "core/noise.h"
#include "core/option.h"
#include "core/output.h"
#include "core/target.h"
#include "core/usage.h"
#include "driver/driver.h"

#ifdef HAVE_JSONC
#include <json.h>
#endif

#define MEM_BYTES (8u << 20)

struct options {
	struct cpu_pair cpus;
	struct target_options target;
	unsigned int wakes;
	double rest_ms, idle_seconds;
	const char *json;
};

/* Sleeps in read(2), as a reactor does in epoll_wait(2), and answers by a word of memory. */
struct sleeper {
	pthread_t thread;
	int fd, cpu;
	_Alignas(256) uint64_t answered;
};

struct idle {
	struct options o;
	struct environment env;
	struct target target;
	struct driver **drivers; /* of all devices, as guests have them */
	unsigned int nb_drivers;
	struct driver_session *session; /* of the first */
	struct sleeper sleeper;
	struct hist eventfd_ticks, device_ticks;
	struct noise noise; /* of the rests */
	double cpu_percent; /* of all threads of the target, while nobody asks */
};

static void
sleep_ms(double ms)
{
	struct timespec t = {(time_t)(ms / 1e3), (long)(ms * 1e6) % 1000000000};

	nanosleep(&t, NULL);
}

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static void *
sleeper_main(void *arg)
{
	struct sleeper *s = arg;
	uint64_t value;

	cpu_pin(s->cpu);
	/* 2^32 and more: the end. */
	while (read(s->fd, &value, sizeof(value)) == sizeof(value) && value < UINT32_MAX) {
		__atomic_store_n(&s->answered, s->answered + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

static int
sleeper_start(struct sleeper *s, int cpu)
{
	s->cpu = cpu;
	s->fd = eventfd(0, EFD_CLOEXEC);
	if (s->fd < 0) {
		return complain("eventfd", -errno);
	}
	return -pthread_create(&s->thread, NULL, sleeper_main, s);
}

static int
notify(const struct sleeper *s, uint64_t value)
{
	return write(s->fd, &value, sizeof(value)) == sizeof(value) ? 0 : -EIO;
}

static int
wake_sleeper(struct sleeper *s, struct hist *ticks)
{
	uint64_t next = s->answered + 1, begin_tsc = clock_tsc();
	int ret = notify(s, 1);

	while (ret == 0 && __atomic_load_n(&s->answered, __ATOMIC_ACQUIRE) != next) {
		cpu_relax();
	}
	hist_record(ticks, clock_tsc() - begin_tsc);
	return ret;
}

static int
wake_device(struct idle *idle)
{
	struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};
	struct driver_timing timing;
	uint64_t begin_tsc = clock_tsc();
	int ret = driver_ioctl_timed(idle->session, VIDIOC_G_CTRL, &control, &timing);

	hist_record(&idle->device_ticks, timing.seen_tsc - begin_tsc);
	return ret != 0 ? complain("G_CTRL", ret) : 0;
}

/* In turns, so that what the machine does to one it does to both. */
static int
measure_wakes(struct idle *idle)
{
	bool show = isatty(STDERR_FILENO);
	int ret = 0;

	for (unsigned int i = 0; i < idle->o.wakes && ret == 0; i++) {
		if (show) {
			fprintf(stderr, "\rrest %u of %u", i + 1, idle->o.wakes);
		}
		sleep_ms(idle->o.rest_ms);
		ret = wake_sleeper(&idle->sleeper, &idle->eventfd_ticks);
		sleep_ms(idle->o.rest_ms);
		if (ret == 0) {
			ret = wake_device(idle);
		}
	}
	if (show) {
		fprintf(stderr, "\r\033[K");
	}
	return ret;
}

/* It takes long, and says nothing until the end. */
static void
announce(const struct options *o)
{
	double rests_s = 2 * o->wakes * o->rest_ms / 1e3;

	fprintf(stderr,
		"vmedia-idle: %u devices at rest for %g s, then 2 x %u rests of %g ms: about %.0f s\n",
		o->target.nb_devices, o->idle_seconds, o->wakes, o->rest_ms,
		o->idle_seconds + rests_s + 1);
}

static void
measure_cpu(struct idle *idle)
{
	static struct usage begin, end;
	uint64_t begin_ns = clock_monotonic_ns();

	sleep_ms(100); /* the reactor may still spin */
	usage_read(idle->target.pid, &begin);
	begin_ns = clock_monotonic_ns();
	sleep_ms(idle->o.idle_seconds * 1e3);
	usage_read(idle->target.pid, &end);
	usage_subtract(&end, &begin);
	idle->cpu_percent = (double)usage_of_others(&end, 0, 0) * 100 /
	                    (double)(clock_monotonic_ns() - begin_ns);
}

/* Each device has memory, rings and event buffers of its front-end. */
static int
connect_all(struct idle *idle)
{
	struct target *t = &idle->target;
	struct driver_config config;
	int ret = 0;

	driver_config_init(&config);
	config.wait = DRIVER_POLL;
	config.mem_bytes = MEM_BYTES;
	idle->drivers = calloc(t->nb, sizeof(idle->drivers[0]));
	if (idle->drivers == NULL) {
		return complain("drivers", -ENOMEM);
	}
	for (unsigned int i = 0; i < t->nb && ret == 0; i++) {
		config.socket_fd = t->fds[i];
		t->fds[i] = -1;
		ret = driver_connect(&config, &idle->drivers[i]);
		idle->nb_drivers += ret == 0;
		if (ret == 0 && i == 0) {
			ret = driver_open(idle->drivers[0], &idle->session);
		}
		ret = ret != 0 ? target_complain(t, i, ret) : 0;
	}
	return ret;
}

static int
set_up(struct idle *idle)
{
	int ret = target_start(&idle->target, &idle->o.target);

	if (ret == 0) {
		ret = cpu_pin(idle->o.cpus.driver);
	}
	if (ret == 0) {
		ret = connect_all(idle);
	}
	return ret == 0 ? sleeper_start(&idle->sleeper, idle->o.cpus.device) : ret;
}

static void
tear_down(struct idle *idle)
{
	if (idle->sleeper.thread != 0) {
		notify(&idle->sleeper, 1ULL << 32);
		pthread_join(idle->sleeper.thread, NULL);
	}
	for (unsigned int i = 0; i < idle->nb_drivers; i++) {
		driver_disconnect(idle->drivers[i]);
	}
	free(idle->drivers);
	target_end(&idle->target);
}

static void
report(const struct idle *idle)
{
	struct figures sleeper, device;
	char text[FIGURES_RATIO_BYTES];
	unsigned int nb = idle->o.target.nb_devices;

	figures_take(&sleeper, &idle->eventfd_ticks);
	figures_take(&device, &idle->device_ticks);
	environment_print(&idle->env);
	printf("idle policy %s, %u devices, rests of %g ms\n", idle->o.target.idle, nb,
		idle->o.rest_ms);
	figures_print_heading(stdout, "after a rest");
	figures_print(stdout, "a thread, by eventfd", &sleeper);
	figures_print(stdout, "G_CTRL of a device", &device);
	printf("  p50 device / eventfd: %s\n",
		figures_ratio_text(text, figures_ratio(&device, &sleeper)));
	printf("  idle: %.3f %% of a CPU, %.4f %% per device\n", idle->cpu_percent,
		idle->cpu_percent / nb);
	printf("  rests: ");
	noise_print(&idle->noise);
}

#ifdef HAVE_JSONC
static int
report_json(const struct idle *idle)
{
	struct json_object *top = json_object_new_object();
	struct figures f;

	json_object_object_add(top, "schema", json_object_new_string("vmedia-idle-1"));
	json_object_object_add(top, "environment", environment_json(&idle->env));
	json_object_object_add(top, "idle", json_object_new_string(idle->o.target.idle));
	json_object_object_add(top, "devices", json_object_new_int((int)idle->o.target.nb_devices));
	json_object_object_add(top, "rest_ms", json_object_new_double(idle->o.rest_ms));
	figures_take(&f, &idle->eventfd_ticks);
	json_object_object_add(top, "eventfd", figures_json(&f));
	figures_take(&f, &idle->device_ticks);
	json_object_object_add(top, "device", figures_json(&f));
	json_object_object_add(top, "cpu_percent", json_object_new_double(idle->cpu_percent));
	noise_json(top, &idle->noise);
	return output_json(idle->o.json, top);
}
#else
static int
report_json(const struct idle *idle)
{
	fprintf(stderr, "--json: built without json-c\n");
	return -ENOTSUP;
}
#endif

static const struct argp_option rows[] = {
	{"spawn", 'S', "VMEDIAD", 0, "start this vmediad with null cameras", 0},
	{"idle", 'i', "POLICY", 0, "poll, adaptive or interrupt (default adaptive)", 0},
	{"devices", 'd', "N", 0, "so many of them; the first is asked (default 1)", 0},
	{"cpus", 'c', "DRIVER,DEVICE", 0, "two CPUs (default: the first two)", 0},
	{"wakes", 'n', "N", 0, "rests that end with a command (default 100)", 0},
	{"rest", 'r', "MS", 0, "their length (default 1000)", 0},
	{"time", 't', "SECONDS", 0, "for the cost of being idle (default 10)", 0},
	{"json", 'j', "FILE", 0, "write the figures here as well", 0},
	{0},
};

static error_t
parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'S':
		o->target.spawn = arg;
		break;
	case 'i':
		o->target.idle = option_idle(state, arg);
		break;
	case 'd':
		o->target.nb_devices =
			(unsigned int)option_whole(state, key, arg, 1, TARGET_MAX_DEVICES);
		break;
	case 'c':
		option_cpus(arg, &o->cpus);
		break;
	case 'n':
		o->wakes = (unsigned int)option_whole(state, key, arg, 20, 100000);
		break;
	case 'r':
		o->rest_ms = option_number(state, key, arg, 0.01, 60000);
		break;
	case 't':
		o->idle_seconds = option_number(state, key, arg, 0.1, 3600);
		break;
	case 'j':
		o->json = option_json(state, arg);
		break;
	case ARGP_KEY_END:
		if (o->target.spawn == NULL) {
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
		"What idle devices cost, and how long the first command takes after a rest.", NULL,
		NULL, NULL};
	static struct noise_begin noise;
	static struct idle idle;
	int ret;

	idle.o = (struct options){.cpus = CPU_PAIR_DEFAULT,
		.target = {.nb_devices = 1,
			.device = "backend=null,role=capture",
			.idle = "adaptive"},
		.wakes = 100,
		.rest_ms = 1000,
		.idle_seconds = 10};
	option_parse(&argp, argc, argv, &idle.o, &idle.o.cpus);
	idle.o.target.cpu = idle.o.cpus.device;
	environment_read(&idle.env, &idle.o.cpus);
	ret = set_up(&idle);
	if (ret == 0) {
		announce(&idle.o);
		measure_cpu(&idle);
		noise_begin(&noise, &idle.o.cpus, idle.target.pid);
		ret = measure_wakes(&idle);
		noise_end(&noise, &idle.noise);
	}
	tear_down(&idle);
	if (ret != 0) {
		return 1;
	}
	report(&idle);
	return idle.o.json != NULL && report_json(&idle) != 0;
}
