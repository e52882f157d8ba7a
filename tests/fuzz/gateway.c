/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "input.h"

#define MAX_ROUNDS 10000

LOG_TYPE_DEFINE(transport);

struct bed *bed;

/* ---- gateway.c ---- */

static unsigned int
watch_index(const struct watch *watch)
{
	unsigned int i = 0;

	while (i < bed->nb_watches && bed->watches[i].watch != watch) {
		i++;
	}
	return i;
}

int
gateway_watch(struct watch *watch, uint32_t events)
{
	must(watch->fd >= 0 && watch_index(watch) == bed->nb_watches);
	if (kernel_kind_of(watch->fd) != KERNEL_STREAM) {
		return -EPERM; /* as epoll says of files */
	}
	must(bed->nb_watches < BED_MAX_WATCHES);
	bed->watches[bed->nb_watches].watch = watch;
	bed->watches[bed->nb_watches].events = events & ~(uint32_t)EPOLLONESHOT;
	bed->watches[bed->nb_watches++].oneshot = (events & EPOLLONESHOT) != 0;
	return 0;
}

void
gateway_rearm(struct watch *watch, uint32_t events)
{
	unsigned int i = watch_index(watch);

	must(i < bed->nb_watches);
	bed->watches[i].events = events;
	bed->watches[i].oneshot = true;
}

void
gateway_unwatch(struct watch *watch)
{
	unsigned int i = watch_index(watch);

	if (watch->fd < 0) {
		return;
	}
	if (i < bed->nb_watches) {
		bed->watches[i] = bed->watches[--bed->nb_watches];
	}
	close(watch->fd);
	watch->fd = -1;
}

void
gateway_expect(void)
{
}

void
gateway_post(struct vhost_user *vu, unsigned int event)
{
	atomic_fetch_or(&vu->events, event);
}

void
vhost_user_disconnected(struct vhost_user *vu)
{
	must(!bed->disconnected);
	bed->disconnected = true;
}

/* ---- library.c ---- */

/* What librte_vhost would trip over. */
static void
check_forwarded(const struct message *msg, const int *fds, unsigned int nb_fds)
{
	const struct message_mem_table *table = &msg->payload.mem;
	const struct message_spec *spec = message_spec(msg->header.request);

	must(spec != NULL && msg->header.size >= spec->min_bytes);
	must(((msg->header.flags & MESSAGE_NEED_REPLY) != 0) == !spec->replies);
	switch (msg->header.request) {
	case MSG_SET_MEM_TABLE:
		must(table->nb_regions <= MESSAGE_LIBRARY_REGIONS && nb_fds == table->nb_regions);
		must(bed->vu->library.nb_guards == 0);
		for (unsigned int i = 0; i < nb_fds; i++) {
			must(kernel_kind_of(fds[i]) == KERNEL_FILE &&
				table->regions[i].size_bytes > 0);
		}
		break;
	case MSG_SET_VRING_NUM:
		must(msg->payload.state.num >= 1 && msg->payload.state.num <= BED_LIBRARY_QUEUE);
		must(msg->payload.state.index < TRANSPORT_NB_QUEUES);
		break;
	case MSG_SET_VRING_ADDR:
		must(msg->payload.addr.desc == UINT64_MAX && msg->payload.addr.used == UINT64_MAX);
		must(bed->vu->memory_valid);
		break;
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_CALL:
		must(nb_fds == 0 || kernel_kind_of(fds[0]) == KERNEL_EVENTFD);
		break;
	default:
		break;
	}
}

static void
take_table(const struct message *msg, const int *fds)
{
	const struct message_mem_table *table = &msg->payload.mem;

	must(!bed->has_memory || bed->quiet);
	bed->nb_regions = bed->library_refuses ? 0 : table->nb_regions;
	for (uint32_t i = 0; i < bed->nb_regions; i++) {
		bed->regions[i] = (struct guest_mem_region){
			.gpa = table->regions[i].gpa,
			.size_bytes = table->regions[i].size_bytes,
			.uva = table->regions[i].uva,
			.addr = kernel_file(fds[i]) + table->regions[i].mmap_offset,
		};
	}
}

static void
forwarded(void *arg, const uint8_t *data, size_t n, const int *fds, unsigned int nb_fds)
{
	struct message *msg = calloc(1, sizeof(*msg));

	must(n >= MESSAGE_HEADER_BYTES && n <= MESSAGE_HEADER_BYTES + MESSAGE_MAX_PAYLOAD);
	memcpy(&msg->header, data, n);
	check_forwarded(msg, fds, nb_fds);
	if (msg->header.request == MSG_SET_MEM_TABLE) {
		take_table(msg, fds);
	}
	must(bed->nb_answers == 0);
	bed->answer_request[bed->nb_answers++] = msg->header.request;
	free(msg);
	if (!bed->library_slow) {
		bed_library_answer();
	}
}

void
bed_library_answer(void)
{
	struct {
		struct message_header header;
		uint64_t value;
	} __attribute__((packed)) reply = {.header = {0, MESSAGE_VERSION | MESSAGE_REPLY, 8}};

	if (bed->nb_answers == 0) {
		return;
	}
	reply.header.request = bed->answer_request[--bed->nb_answers];
	reply.value = reply.header.request != MSG_GET_VRING_BASE && bed->library_refuses;
	kernel_feed(&bed->inner, (const uint8_t *)&reply, sizeof(reply), NULL, 0);
}

void
library_unguard(struct library *lib)
{
	lib->nb_guards = 0;
}

void
library_set_detached(struct library *lib, bool detached)
{
	if (detached) {
		library_unguard(lib);
	}
	lib->detached = detached;
}

int
library_open(struct library *lib, unsigned int id)
{
	must(!bed->library_open);
	bed->library_open = true;
	return kernel_open_stream(&bed->inner);
}

void
library_close(struct library *lib)
{
	must(bed->library_open && !bed->has_memory && lib->detached);
	bed->library_open = false;
}

int
library_send(int fd, struct message *msg)
{
	return message_send(fd, msg);
}

int
library_memory(struct library *lib, struct guest_mem *mem)
{
	lib->nb_guards = bed->nb_regions;
	return guest_mem_init(mem, bed->regions, bed->nb_regions);
}

void
library_set_base(struct library *lib, unsigned int queue, uint16_t base)
{
	must(bed->library_open && queue < TRANSPORT_NB_QUEUES);
}

/* ---- the device ---- */

static void
quiesce(void *device, enum transport_quiesce why, void (*done)(void *arg), void *arg)
{
	must(bed->done == NULL && !bed->quiet);
	bed->done = done;
	bed->done_arg = arg;
	if (!bed->device_slow) {
		bed_device_quiet();
	}
}

void
bed_device_quiet(void)
{
	void (*done)(void *arg) = bed->done;

	if (done != NULL) {
		bed->done = NULL;
		bed->quiet = true;
		done(bed->done_arg);
	}
}

static void
resume(void *device)
{
	must(bed->quiet);
	bed->quiet = false;
}

static void
set_memory(void *device, const struct guest_mem *mem)
{
	must(bed->quiet);
	bed->has_memory = mem != NULL;
	if (mem != NULL) {
		bed->mem = *mem;
	}
}

/* The first and the last byte, as the device will use them; whole in one region. */
static void
touch(void *area, size_t n)
{
	volatile char *p = area;
	bool inside = false;

	p[0] = p[0];
	p[n - 1] = p[n - 1];
	for (uint32_t i = 0; i < bed->nb_regions; i++) {
		uintptr_t off = (uintptr_t)area - (uintptr_t)bed->regions[i].addr;

		inside |= off < bed->regions[i].size_bytes && n <= bed->regions[i].size_bytes - off;
	}
	must(inside);
}

static int
ring_start(void *device, unsigned int queue, const struct virtq_config *config)
{
	size_t n = config->size;

	must(bed->quiet && bed->has_memory && queue < TRANSPORT_NB_QUEUES && !bed->running[queue]);
	must(n > 0 && n <= BED_QUEUE_SIZE && (config->packed || is_power_of_2(n)));
	must(config->callfd < 0 || kernel_kind_of(config->callfd) == KERNEL_EVENTFD);
	must(config->kickfd < 0 || kernel_kind_of(config->kickfd) == KERNEL_EVENTFD);
	touch(config->desc, 16 * n);
	touch(config->driver, config->packed ? 4 : 6 + 2 * n);
	touch(config->device, config->packed ? 4 : 6 + 8 * n);
	if (config->packed && (config->avail_base & 0x7fff) >= n) {
		return -EINVAL; /* as virtq_start */
	}
	bed->running[queue] = true;
	bed->configs[queue] = *config;
	return 0;
}

static uint16_t
ring_stop(void *device, unsigned int queue)
{
	const struct virtq_config *config = &bed->configs[queue];

	must(bed->quiet && bed->running[queue]);
	bed->running[queue] = false;
	touch(config->device, config->packed ? 4 : 6 + 8 * (size_t)config->size);
	return config->avail_base;
}

static void
reset(void *device)
{
	must(bed->quiet && !bed->running[0] && !bed->running[1]);
}

static void
window_ready(void *device, int status)
{
	must(status == 0 || status == -ENOTSUP || status == -EIO || status == -ETIMEDOUT);
	bed->nb_windows_answered++;
	must(bed->nb_windows_answered <= bed->nb_windows_asked);
}

static void
get_config(void *device, uint8_t config[TRANSPORT_CONFIG_BYTES])
{
	memset(config, 0x5a, TRANSPORT_CONFIG_BYTES);
}

static const struct transport_listener listener = {
	.quiesce = quiesce,
	.resume = resume,
	.set_memory = set_memory,
	.ring_start = ring_start,
	.ring_stop = ring_stop,
	.reset = reset,
	.window_ready = window_ready,
	.get_config = get_config,
};

void
bed_window(void)
{
	/* Once per start, as the device asks. */
	if (bed->running[0] && bed->nb_windows_asked == bed->nb_windows_answered) {
		bed->nb_windows_asked++;
		gateway_post(bed->vu, EVENT_WINDOW);
	}
}

/* ---- one connection ---- */

static bool
run_posted(struct vhost_user *vu)
{
	unsigned int events = atomic_exchange(&vu->events, 0);

	if ((events & EVENT_GIVE_UP) != 0) {
		conn_close(vu, "memory of the front-end is gone");
	}
	if ((events & EVENT_QUIET) != 0) {
		conn_quiet(vu);
	}
	if ((events & EVENT_WINDOW) != 0) {
		channel_window(vu);
	}
	return events != 0;
}

struct kernel_stream *
bed_channel(void)
{
	int fd = bed->vu->channel.watch.fd;

	return fd >= 0 ? kernel_stream_of(fd) : NULL;
}

static bool
run_watches(void)
{
	for (unsigned int i = 0; i < bed->nb_watches; i++) {
		struct watch *watch = bed->watches[i].watch;
		const struct kernel_stream *s = kernel_stream_of(watch->fd);
		uint32_t events = kernel_is_readable(s) ? EPOLLIN : 0;

		events |= s->room > 0 || s->hung_up ? EPOLLOUT : 0;
		events &= bed->watches[i].events;
		if (events != 0) {
			bed->watches[i].events &= bed->watches[i].oneshot ? 0 : UINT32_MAX;
			watch->ready(watch, events);
			return true;
		}
	}
	return false;
}

static bool
run_deadlines(struct vhost_user *vu)
{
	if (channel_deadline(vu) > clock_monotonic_ns()) {
		return false;
	}
	channel_expire(vu);
	return true;
}

void
bed_run(void)
{
	unsigned int nb_rounds = 0;

	while (run_posted(bed->vu) || run_watches() || run_deadlines(bed->vu)) {
		must(++nb_rounds < MAX_ROUNDS);
		if (bed->vu->channel.window == WINDOW_FLUSHED) {
			kernel_sleep(NSEC_PER_MSEC);
		}
	}
	must((bed->vu->state == CONN_IDLE) == bed->disconnected);
}

void
bed_open(enum transport_compat compat, bool with_arena)
{
	static struct bed only;
	struct vhost_user *vu = calloc(1, sizeof(*vu));

	must(vu != NULL);
	kernel_reset();
	memset(&only, 0, offsetof(struct bed, outer));
	memset((char *)&only + offsetof(struct bed, nb_channels), 0,
		sizeof(only) - offsetof(struct bed, nb_channels));
	bed = &only;
	bed->vu = vu;
	bed->inner.sent = forwarded;
	vu->listener = &listener;
	vu->max_queue_size = BED_QUEUE_SIZE;
	vu->compat = compat;
	vu->arena_fd = -1;
	vu->library.detached = true;
	vu->outer.fd = vu->inner.fd = vu->channel.watch.fd = -1;
	if (with_arena) {
		vu->arena_fd = kernel_open(KERNEL_FILE, 0);
		vu->arena_bytes = BED_ARENA_BYTES;
		must(fstat(vu->arena_fd, &vu->arena) == 0);
	}
	rings_init(vu);
	conn_open(vu, kernel_open_stream(&bed->outer));
}

void
bed_close(void)
{
	struct vhost_user *vu = bed->vu;

	bed->device_slow = false;
	bed->library_slow = false;
	bed->outer.hung_up = true;
	bed->outer.room = SIZE_MAX;
	bed_device_quiet();
	bed_library_answer();
	bed_run();
	must(vu->state == CONN_IDLE && !bed->quiet && !bed->has_memory && !bed->library_open);
	must(!bed->running[0] && !bed->running[1]);
	must(bed->nb_windows_asked == bed->nb_windows_answered);
	if (vu->arena_fd >= 0) {
		close(vu->arena_fd);
	}
	must(kernel_nb_open() == 0);
	free(vu);
	bed->vu = NULL;
}
