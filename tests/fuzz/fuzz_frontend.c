/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a hostile back-end can do to the driver. First byte, modulo 4: 0 bytes on the main socket,
 * 1 messages on the back-end channel, 2 and 3 the used rings and writable memory, split and packed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "driver/internal.h"

#define MAX_MESSAGES 32
#define SESSION      7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static void
must(bool claim)
{
	if (!claim) {
		abort();
	}
}

static void
quiet(enum log_level level, const char *type, const char *line)
{
}

static uint8_t
u8(struct input *in)
{
	if (in->left == 0) {
		return 0;
	}
	in->left--;
	return *in->at++;
}

static uint32_t
number(struct input *in, unsigned int bytes)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < bytes; i++) {
		v |= (uint32_t)u8(in) << (8 * i);
	}
	return v;
}

static uint32_t
bytes(struct input *in, const uint8_t **p, uint32_t max)
{
	uint32_t n = (uint32_t)MIN((size_t)max, in->left);

	*p = in->at;
	in->at += n;
	in->left -= n;
	return n;
}

/* All replies lie in the socket before the first question is asked. */
static void
fuzz_main(struct input *in)
{
	struct driver_config config;
	struct driver *drv;
	int pair[2];

	driver_config_init(&config);
	config.mem_bytes = 1 << 20;
	config.commandq_size = config.eventq_size = 8;
	config.nb_event_buffers = 8;
	config.timeout_ms = 50;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(send(pair[1], in->at, in->left, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || in->left == 0 ||
		in->left > 4096);
	shutdown(pair[1], SHUT_WR);
	config.socket_fd = pair[0];
	if (driver_connect(&config, &drv) == 0) {
		struct driver_info info;

		driver_get_info(drv, &info);
		must(is_power_of_2(info.region_bytes) || info.region_bytes == 0);
		driver_poll(drv);
		driver_stop(drv);
		driver_disconnect(drv);
	}
	close(pair[1]);
}

static void
send_piece(int sock, const uint8_t *p, uint32_t n, const int *fds, unsigned int nb_fds)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(3 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)p, n};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (nb_fds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nb_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nb_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nb_fds * sizeof(int));
	}
	must(n == 0 || sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)n);
}

static void
fuzz_channel(struct input *in)
{
	static int file = -1;
	struct frontend fe;
	struct window window;
	int pair[2], fds[3];

	if (file < 0) {
		file = memfd_create("file", MFD_CLOEXEC);
		must(file >= 0 && ftruncate(file, 65536) == 0);
	}
	fds[0] = fds[1] = fds[2] = file;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	must(frontend_init(&fe, -1, 50) == 0 && window_init(&window, 1 << 20) == 0);
	fe.window = &window;
	fe.channel = pair[0];
	fe.started = true;
	for (unsigned int i = 0; i < MAX_MESSAGES && in->left > 0; i++) {
		unsigned int nb_fds = u8(in) & 3;
		const uint8_t *p;
		uint32_t len = u8(in), n = bytes(in, &p, len);

		send_piece(pair[1], p, n, fds, nb_fds);
	}
	shutdown(pair[1], SHUT_WR);
	while (channel_serve(&fe) == 0) {
	}
	must(window.nb_maps <= WINDOW_MAX_MAPS);
	for (unsigned int i = 0; i < window.nb_maps; i++) {
		const struct window_map *m = &window.maps[i];

		must(m->shm_offset + m->len <= window.bytes);
		must(*(volatile uint8_t *)(window.base + m->shm_offset + m->len - 1) == 0);
	}
	window_fini(&window);
	frontend_fini(&fe);
	close(pair[1]);
}

static union {
	struct v4l2_requestbuffers req;
	struct v4l2_create_buffers create;
	struct v4l2_buffer buf;
	struct v4l2_format fmt;
	struct v4l2_ext_controls ctrls;
	struct v4l2_control ctrl;
	uint32_t type;
} args[64];
static struct v4l2_plane planes[64][VIDEO_MAX_PLANES];
static struct v4l2_ext_control controls[64][2];
static char strings[64][32];

static void
done(struct driver_session *session, int status, const struct driver_timing *timing, void *cookie)
{
	must(status <= 0 && status >= -4095);
}

static void
submit(struct driver *drv, struct driver_session *session, struct input *in, unsigned int i)
{
	static const unsigned long requests[] = {VIDIOC_REQBUFS, VIDIOC_CREATE_BUFS, VIDIOC_QBUF,
		VIDIOC_QUERYBUF, VIDIOC_G_FMT, VIDIOC_STREAMOFF, VIDIOC_G_EXT_CTRLS, VIDIOC_G_CTRL};
	unsigned long request = requests[u8(in) % ARRAY_SIZE(requests)];
	uint8_t type = u8(in), index = u8(in);

	memset(&args[i], 0, sizeof(args[i]));
	if (request == VIDIOC_REQBUFS) {
		args[i].req =
			(struct v4l2_requestbuffers){.type = type, .memory = 1, .count = index};
	} else if (request == VIDIOC_CREATE_BUFS) {
		args[i].create.format.type = type;
		args[i].create.memory = 1;
		args[i].create.count = index;
	} else if (request == VIDIOC_QBUF || request == VIDIOC_QUERYBUF) {
		args[i].buf = (struct v4l2_buffer){
			.type = type, .index = index, .memory = 1, .length = index % 9};
		args[i].buf.m.planes = planes[i];
	} else if (request == VIDIOC_G_EXT_CTRLS) {
		args[i].ctrls.count = 2;
		args[i].ctrls.controls = controls[i];
		controls[i][0] = (struct v4l2_ext_control){.id = 1};
		controls[i][1] = (struct v4l2_ext_control){.id = 2, .size = 32};
		controls[i][1].string = strings[i];
	} else {
		args[i].type = type;
	}
	driver_ioctl_submit(session, request, &args[i], done, NULL);
}

/* A used element of the device's choice at its next position. */
static void
push(struct ring *r, uint16_t *pos, struct input *in)
{
	uint16_t id = (uint16_t)number(in, 2), flags = (uint16_t)number(in, 2);
	uint32_t len = number(in, 4);

	if (r->packed) {
		struct ring_desc *d = &r->p.desc[r->used];

		d->packed.id = id;
		d->len = len;
		d->packed.flags = flags & 1 ? flags : (r->used_wrap ? 0x8082 : 2);
	} else {
		struct ring_used_elem *e = &r->s.used->ring[*pos % r->size];

		e->id = id;
		e->len = len;
		r->s.used->idx = flags & 1 ? flags : ++*pos;
	}
}

static void
pop_event(struct driver_session *session)
{
	struct driver_event event;

	if (driver_event_pop(session, &event) == 0 && event.kind == DRIVER_EVENT_DQBUF) {
		const struct v4l2_buffer *b = &event.dqbuf.buffer;

		must(b->type < NB_BUFFER_TYPES && b->index < DRIVER_MAX_BUFFERS);
		must(!type_is_mplane(b->type) ||
			(b->length <= VIDEO_MAX_PLANES && b->m.planes == NULL));
	}
}

static void
step(struct driver *drv, struct driver_session *session, struct input *in, uint16_t *pos,
	unsigned int *nb)
{
	const uint8_t *p;
	uint32_t slot, off, n;

	switch (u8(in) % 6) {
	case 0:
		if (*nb < ARRAY_SIZE(args)) {
			submit(drv, session, in, (*nb)++);
		}
		break;
	case 1:
		push(&drv->rings[0], &pos[0], in);
		break;
	case 2:
		push(&drv->rings[1], &pos[1], in);
		break;
	case 3:
		slot = u8(in) % drv->nb_commands;
		off = number(in, 2) % SLOT_BYTES;
		n = u8(in);
		n = bytes(in, &p, MIN(n, SLOT_BYTES - off));
		memcpy(drv->commands[slot].mem + off, p, n);
		break;
	case 4:
		slot = u8(in) % drv->config.nb_event_buffers;
		off = number(in, 2) % EVENT_BYTES;
		n = u8(in);
		n = bytes(in, &p, MIN(n, EVENT_BYTES - off));
		memcpy(drv->event_mem + (size_t)slot * EVENT_SLOT_BYTES + off, p, n);
		break;
	default:
		driver_poll(drv);
		pop_event(session);
	}
}

static struct driver_session *
add_session(struct driver *drv)
{
	struct driver_session *session = calloc(1, sizeof(*session));

	must(session != NULL);
	session->drv = drv;
	session->id = SESSION;
	must(session_fifo_grow(session) == 0);
	drv->sessions[SESSION % SESSION_BUCKETS] = session;
	return session;
}

static void
fuzz_rings(struct input *in, bool packed)
{
	struct driver_config config;
	struct driver_session *session;
	struct driver *drv;
	uint16_t pos[2] = {0, 0};
	unsigned int nb = 0;

	driver_config_init(&config);
	config.packed = packed;
	config.indirect = u8(in) & 1;
	config.mem_bytes = 256 << 10;
	config.commandq_size = config.eventq_size = 8;
	config.nb_event_buffers = 8;
	config.wait = DRIVER_POLL;
	must(driver_create_local(&config, &drv) == 0);
	session = add_session(drv);
	while (in->left > 0) {
		step(drv, session, in, pos, &nb);
	}
	driver_poll(drv);
	for (unsigned int i = 0; i < NB_BUFFER_TYPES; i++) {
		must(session->queues[i].allocated <= DRIVER_MAX_BUFFERS);
	}
	driver_disconnect(drv);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	uint8_t mode = u8(&in) & 3;

	log_set_sink(quiet);
	if (mode == 0) {
		fuzz_main(&in);
	} else if (mode == 1) {
		fuzz_channel(&in);
	} else {
		fuzz_rings(&in, mode == 3);
	}
	return 0;
}
