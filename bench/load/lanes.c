/* SPDX-License-Identifier: BSD-3-Clause */
/* HOT: one thread sends to all devices and takes from all devices. */
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "load/load.h"

#define TIMEOUT_MS 5000

static const struct v4l2_control control = {.id = V4L2_CID_BRIGHTNESS};
static const struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
static const struct v4l2_streamparm parm = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
static const struct v4l2_fmtdesc fmtdesc = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};

/* Commands that can be repeated for ever and change nothing. */
static const struct {
	const char *name;
	unsigned long request;
	const void *arg;
} commands[] = {
	{"G_CTRL", VIDIOC_G_CTRL, &control},
	{"G_FMT", VIDIOC_G_FMT, &format},
	{"G_PARM", VIDIOC_G_PARM, &parm},
	{"ENUM_FMT", VIDIOC_ENUM_FMT, &fmtdesc},
};

/* All of them, in turn from lane to lane and from device to device. */
#define MIXED "mixed"

static unsigned int
find(const char *name)
{
	unsigned int i = 0;

	while (i < ARRAY_SIZE(commands) && strcmp(commands[i].name, name) != 0) {
		i++;
	}
	return i;
}

static unsigned int
command_of(const struct load_options *o, unsigned int device, unsigned int lane)
{
	return strcmp(o->ioctl, MIXED) == 0 ? (device + lane) % ARRAY_SIZE(commands)
	                                    : find(o->ioctl);
}

bool
lanes_knows(const char *ioctl, const char **names)
{
	*names = "G_CTRL, G_FMT, G_PARM, ENUM_FMT or mixed";
	return strcmp(ioctl, MIXED) == 0 || find(ioctl) < ARRAY_SIZE(commands);
}

static int
complain(const char *what, int ret)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-ret));
	return ret;
}

static int
group_create(struct lane_group *g, const struct load_options *o, unsigned int device, bool checked)
{
	int ret = g->session == NULL ? driver_open(g->drv, &g->session) : 0;

	g->lanes = calloc(o->depth, sizeof(g->lanes[0]));
	if (ret == 0 && g->lanes == NULL) {
		ret = -ENOMEM;
	}
	for (; ret == 0 && g->depth < o->depth; g->depth++) {
		unsigned int command = command_of(o, device, g->depth);
		struct chain *c = &g->lanes[g->depth].chain;

		c->name = commands[command].name;
		c->checked = checked;
		ret = chain_prepare(
			c, g->drv, g->session, commands[command].request, commands[command].arg);
	}
	return ret;
}

int
lanes_create(struct lanes *l, struct driver *const *drivers, unsigned int nb,
	const struct load_options *o, bool checked)
{
	int ret = 0;

	memset(l, 0, sizeof(*l));
	l->interrupts = o->interrupts;
	l->groups = calloc(nb, sizeof(l->groups[0]));
	if (l->groups == NULL) {
		return complain("lanes", -ENOMEM);
	}
	for (; l->nb_groups < nb && ret == 0; l->nb_groups++) {
		l->groups[l->nb_groups].drv = drivers[l->nb_groups];
		ret = group_create(&l->groups[l->nb_groups], o, l->nb_groups, checked);
	}
	return ret != 0 ? complain(o->ioctl, ret) : 0;
}

void
lanes_destroy(struct lanes *l)
{
	for (unsigned int i = 0; i < l->nb_groups; i++) {
		struct lane_group *g = &l->groups[i];

		for (unsigned int k = 0; k < g->depth; k++) {
			chain_release(&g->lanes[k].chain);
		}
		free(g->lanes);
	}
	free(l->groups);
	memset(l, 0, sizeof(*l));
}

static inline int
publish(struct lane_group *g, uint64_t due_tsc)
{
	struct lane *lane = &g->lanes[(g->oldest + g->nb_flight) % g->depth];
	int ret;

	chain_fill(&lane->chain);
	lane->due_tsc = due_tsc;
	ret = driver_raw_submit(lane->chain.raw);
	if (unlikely(ret != 0)) {
		return complain(lane->chain.name, ret);
	}
	g->nb_flight++;
	return 0;
}

static void
record(struct load_result *r, uint64_t due_tsc, const struct driver_timing *t)
{
	uint64_t late_ns = clock_tsc_to_ns(t->submit_tsc - MIN(t->submit_tsc, due_tsc));

	hist_record(&r->latency, t->seen_tsc - MIN(t->seen_tsc, due_tsc));
	hist_record(&r->service, t->seen_tsc - t->submit_tsc);
	r->backlog_ns = MAX(r->backlog_ns, late_ns);
	r->nb++;
}

/* Answers that are there, oldest first: one that overtook it waits for it, its time is known. */
static inline int
take(struct lane_group *g, struct load_result *result)
{
	while (g->nb_flight > 0) {
		struct lane *lane = &g->lanes[g->oldest];
		struct driver_timing timing;
		uint32_t used_len;
		int ret = driver_raw_poll(lane->chain.raw, &used_len, &timing);

		if (ret <= 0) {
			return ret < 0 ? complain(lane->chain.name, ret) : 0;
		}
		ret = chain_check(&lane->chain, used_len);
		if (unlikely(ret != 0)) {
			return ret;
		}
		g->oldest = (g->oldest + 1) % g->depth;
		g->nb_flight--;
		if (result != NULL) {
			record(result, lane->due_tsc, &timing);
		}
	}
	return 0;
}

static int
take_all(struct lanes *l, struct load_result *result, unsigned int *nb_flight)
{
	int ret = 0;

	*nb_flight = 0;
	for (unsigned int i = 0; i < l->nb_groups && ret == 0; i++) {
		ret = take(&l->groups[i], result);
		*nb_flight += l->groups[i].nb_flight;
	}
	return ret;
}

/* The device whose turn it is, among those with a free lane; NULL: all are busy. */
static struct lane_group *
next_free(struct lanes *l)
{
	for (unsigned int i = 0; i < l->nb_groups; i++) {
		struct lane_group *g = &l->groups[l->turn];

		l->turn = l->turn + 1 < l->nb_groups ? l->turn + 1 : 0;
		if (g->nb_flight < g->depth) {
			return g;
		}
	}
	return NULL;
}

static int
send_due(struct lanes *l, struct arrivals *arrivals, uint64_t until_tsc)
{
	uint64_t now_tsc = clock_tsc(); /* read once: MIN() would do so twice */
	int ret = 0;

	now_tsc = MIN(now_tsc, until_tsc);
	while (ret == 0 && arrivals_due(arrivals) <= now_tsc) {
		struct lane_group *g = next_free(l);

		if (g == NULL) {
			break;
		}
		ret = publish(g, arrivals_due(arrivals));
		arrivals_pass(arrivals);
	}
	return ret;
}

static int
send_all(struct lanes *l)
{
	int ret = 0;

	for (unsigned int i = 0; i < l->nb_groups; i++) {
		struct lane_group *g = &l->groups[i];

		while (ret == 0 && g->nb_flight < g->depth) {
			ret = publish(g, clock_tsc());
		}
	}
	return ret;
}

/* Until a device notifies or, open loop, the next command is due. */
static void
sleep_for_calls(struct lanes *l, const struct arrivals *arrivals)
{
	struct pollfd fds[TARGET_MAX_DEVICES];
	struct timespec timeout = {0, NSEC_PER_MSEC};
	uint64_t now_tsc = clock_tsc();
	bool quiet = true;

	if (arrivals != NULL) {
		uint64_t due_tsc = MAX(arrivals_due(arrivals), now_tsc);
		uint64_t ns = clock_tsc_to_ns(due_tsc - now_tsc);

		timeout.tv_nsec = (long)MIN(ns, NSEC_PER_MSEC);
	}
	for (unsigned int i = 0; i < l->nb_groups; i++) {
		quiet &= driver_arm(l->groups[i].drv);
		fds[i] = (struct pollfd){
			.fd = driver_call_fd(l->groups[i].drv, DRIVER_QUEUE_COMMAND),
			.events = POLLIN};
	}
	if (quiet) {
		ppoll(fds, l->nb_groups, &timeout, NULL);
	}
}

/* What is under way at the end still counts; only a device that is dead does not answer. */
static int
drain(struct lanes *l, struct load_result *result)
{
	uint64_t until_tsc = clock_tsc() + clock_ns_to_tsc(TIMEOUT_MS * NSEC_PER_MSEC);
	unsigned int nb_flight;
	int ret;

	do {
		ret = take_all(l, result, &nb_flight);
	} while (ret == 0 && nb_flight > 0 && clock_tsc() < until_tsc);
	return ret == 0 && nb_flight > 0 ? complain("answers", -ETIMEDOUT) : ret;
}

/* A guest that never has fewer commands in flight than its ring takes. */
static int
flood(struct lanes *l)
{
	unsigned int nb_flight;
	int ret = take_all(l, NULL, &nb_flight);

	return ret != 0 ? ret : send_all(l);
}

int
lanes_ask(struct lanes *l, struct arrivals *arrivals, double seconds, struct load_result *result)
{
	uint64_t begin_tsc = clock_tsc();
	uint64_t until_tsc = begin_tsc + clock_ns_to_tsc((uint64_t)(seconds * 1e9));
	unsigned int nb_flight;
	int ret = 0;

	if (arrivals != NULL) {
		arrivals_start(arrivals, begin_tsc);
	}
	/* Open loop: what became due in time is sent, be it late. */
	while (ret == 0 && (clock_tsc() < until_tsc ||
				   (arrivals != NULL && arrivals_due(arrivals) < until_tsc))) {
		ret = arrivals != NULL ? send_due(l, arrivals, until_tsc) : send_all(l);
		if (ret == 0) {
			ret = take_all(l, result, &nb_flight);
		}
		if (unlikely(l->flood != NULL) && ret == 0) {
			ret = flood(l->flood);
		}
		if (unlikely(l->interrupts)) {
			sleep_for_calls(l, arrivals);
		}
	}
	if (arrivals != NULL) {
		arrivals_stop(arrivals, until_tsc - begin_tsc);
	}
	if (result != NULL) {
		result->seconds += (double)clock_tsc_to_ns(clock_tsc() - begin_tsc) / 1e9;
	}
	ret = ret == 0 && l->flood != NULL ? drain(l->flood, NULL) : ret;
	return ret == 0 ? drain(l, result) : ret;
}
