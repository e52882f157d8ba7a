/* SPDX-License-Identifier: BSD-3-Clause */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fake/guest_virtq.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

#define must(x)                                                                 \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

/* ---- the backend ---- */

static const char *const mode_names[] = {"calm", "wild", NULL};

static const struct vmedia_option options[] = {
	{"fps", "frames per second", VMEDIA_OPTION_U32, offsetof(struct h_backend, fps), 1, 240,
		NULL, "30"},
	{"mode", "how it behaves", VMEDIA_OPTION_CHOICE, offsetof(struct h_backend, mode), 0, 0,
		mode_names, "calm"},
	{"label", "a name", VMEDIA_OPTION_STRING, offsetof(struct h_backend, label), 0, 0, NULL,
		NULL},
	{NULL},
};

static const struct vmedia_format_desc formats[] = {
	{V4L2_PIX_FMT_YUYV, 16, 128, 16, 16, 128, 16},
};
static const struct vmedia_ctrl_desc ctrls[] = {
	{H_CTRL, V4L2_CTRL_TYPE_INTEGER, "Brightness", 0, 255, 1, 128, 0, NULL},
	{H_CTRL_WIDE, V4L2_CTRL_TYPE_INTEGER64, "Rate", 0, INT64_MAX, 1, 1, 0, NULL},
	{H_CTRL_NOW, V4L2_CTRL_TYPE_INTEGER, "Now", 0, 1000, 1, 0,
		V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE, NULL},
	{H_CTRL_BITS, V4L2_CTRL_TYPE_BITMASK, "Bits", 0, 7, 0, 4, 0, NULL},
	{H_CTRL_TEXT, V4L2_CTRL_TYPE_STRING, "Text", 2, 8, 2, 0, 0, NULL},
	{H_CTRL_ARRAY, V4L2_CTRL_TYPE_U16, "Array", 10, 1000, 1, 70, 0, NULL, .dims = {2, 3}},
	{H_CTRL_AUTO, V4L2_CTRL_TYPE_BOOLEAN, "Gain, Automatic", 0, 1, 1, 0, 0, NULL},
	{H_CTRL_GAIN, V4L2_CTRL_TYPE_INTEGER, "Gain", 0, 100, 1, 50, 0, NULL,
		.master = H_CTRL_AUTO},
};

static const struct vmedia_port_desc ports[H_NB_PORTS] = {
	{"Front", V4L2_INPUT_TYPE_CAMERA, 0, 0},
	{"Back", V4L2_INPUT_TYPE_TUNER, H_WIDTH / 2, H_HEIGHT / 2},
	{"Side", V4L2_INPUT_TYPE_CAMERA, H_WIDTH / 3, H_HEIGHT / 3},
	{"Again", V4L2_INPUT_TYPE_CAMERA, H_WIDTH, H_HEIGHT},
};

static bool next_is_m2m, next_is_endless, next_has_more_ctrls, next_crops, next_is_display;
static uint32_t next_nb_ports;

static int
create(struct vmedia_device *device, struct vmedia_node *node)
{
	struct h_backend *b = vmedia_device_priv(device);

	TAILQ_INIT(&b->queued);
	b->frames_allowed = next_is_endless ? UINT32_MAX : 0;
	node->device_caps =
		V4L2_CAP_STREAMING | (next_is_m2m              ? V4L2_CAP_VIDEO_M2M
					     : next_is_display ? V4L2_CAP_VIDEO_OUTPUT
							       : V4L2_CAP_VIDEO_CAPTURE);
	snprintf(node->card, sizeof(node->card), "test");
	node->formats = formats;
	node->nb_formats = 1;
	node->ctrls = ctrls;
	node->nb_ctrls = next_has_more_ctrls ? ARRAY_SIZE(ctrls) : 1;
	node->ports = ports;
	node->nb_ports = next_nb_ports;
	node->events = 1u << V4L2_EVENT_EOS | 1u << V4L2_EVENT_SOURCE_CHANGE;
	node->selection_step = next_is_m2m || next_crops ? 2 : 0;
	node->default_fourcc = V4L2_PIX_FMT_YUYV;
	node->default_width = H_WIDTH;
	node->default_height = H_HEIGHT;
	node->min_interval = (struct v4l2_fract){1, 240};
	node->max_interval = (struct v4l2_fract){1, 1};
	node->default_interval = (struct v4l2_fract){1, 30};
	return 0;
}

static struct h_backend *
backend_of(struct vmedia_session *session)
{
	return vmedia_device_priv(vmedia_session_device(session));
}

static int
open_session(struct vmedia_session *session)
{
	struct h_backend *b = backend_of(session);

	if (b->refuse_open) {
		return -EBUSY;
	}
	b->nb_opened++;
	return 0;
}

static void
close_session(struct vmedia_session *session)
{
	backend_of(session)->nb_closed++;
}

static int
set_ctrl(struct vmedia_session *session, uint32_t id, int64_t value)
{
	struct h_backend *b = backend_of(session);

	b->set_session = session;
	b->set_id = id;
	b->set_value = value;
	b->nb_set++;
	return 0;
}

static int
set_payload(struct vmedia_session *session, uint32_t id, const void *payload, uint32_t nb_bytes)
{
	struct h_backend *b = backend_of(session);

	must(nb_bytes <= sizeof(b->set_payload));
	memcpy(b->set_payload, payload, nb_bytes);
	b->set_id = id;
	b->set_session = session;
	b->nb_set_payload++;
	return 0;
}

static int
get_ctrl(struct vmedia_session *session, uint32_t id, int64_t *value)
{
	*value = backend_of(session)->now;
	return 0;
}

static void
buf_queue(struct vmedia_session *session, struct vmedia_buffer *buffer)
{
	TAILQ_INSERT_TAIL(&backend_of(session)->queued, buffer, link);
}

static int
start_streaming(struct vmedia_session *session, uint32_t type)
{
	backend_of(session)->nb_started++;
	return 0;
}

static void
stop_streaming(struct vmedia_session *session, uint32_t type)
{
	struct h_backend *b = backend_of(session);
	struct vmedia_buffer *buffer, *next;

	b->nb_stopped++;
	for (buffer = TAILQ_FIRST(&b->queued); buffer != NULL; buffer = next) {
		next = TAILQ_NEXT(buffer, link);
		if (buffer->session == session && buffer->type == type) {
			TAILQ_REMOVE(&b->queued, buffer, link);
		}
	}
}

static uint64_t
poll_frames(struct vmedia_device *device, uint64_t now_tsc)
{
	struct h_backend *b = vmedia_device_priv(device);
	struct vmedia_buffer *buffer;

	while (b->frames_allowed > 0 && (buffer = TAILQ_FIRST(&b->queued)) != NULL) {
		TAILQ_REMOVE(&b->queued, buffer, link);
		b->frames_allowed--;
		buffer->sequence = b->nb_frames++;
		buffer->field = V4L2_FIELD_NONE;
		buffer->planes[0].bytesused = buffer->planes[0].length;
		vmedia_buffer_done(buffer);
	}
	return VMEDIA_NO_DEADLINE;
}

static int
defer(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	backend_of(session)->deferred = request;
	return VMEDIA_DEFER;
}

static int
g_ext_ctrls(struct vmedia_session *session, struct vmedia_request *request, void *arg)
{
	if (backend_of(session)->defer_ctrls) {
		return defer(session, request, arg);
	}
	return core_g_ext_ctrls(session, request, arg);
}

const struct vmedia_backend_ops h_backend_ops = {
	.name = "harness",
	.summary = "of the tests",
	.options = options,
	.device_bytes = sizeof(struct h_backend),
	.create = create,
	.open = open_session,
	.close = close_session,
	.ioctl = {[_IOC_NR(VIDIOC_S_STD)] = defer, [_IOC_NR(VIDIOC_G_EXT_CTRLS)] = g_ext_ctrls},
	.set_ctrl = set_ctrl,
	.set_payload = set_payload,
	.get_ctrl = get_ctrl,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
	.poll = poll_frames,
};
VMEDIA_BACKEND_REGISTER(h_backend_ops)

/* ---- the device ---- */

static void
progress(void *arg)
{
	reactor_pass(arg);
}

void
h_pass(struct h *h, unsigned int nb)
{
	while (nb-- > 0) {
		if (h->config.threaded) {
			usleep(5);
		} else {
			reactor_pass(h->reactor);
		}
		if (!h->no_window && loopback_window_wanted(h->transport)) {
			loopback_window_reply(h->transport, h->window_status);
		}
	}
}

void
h_settle(struct h *h)
{
	unsigned int idle = 0;

	while (idle < 5 || h->device->nb_offloaded > 0) {
		h_pass(h, 1);
		idle++;
		if (h->device->nb_offloaded > 0) {
			usleep(50);
			idle = 0;
		}
	}
}

void
h_deadline(struct h *h, uint32_t ms)
{
	h->device->deadline_tsc = clock_ns_to_tsc(ms * NSEC_PER_MSEC);
}

uint64_t
h_allocated(struct h *h)
{
	struct shm_arena_usage usage;

	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	return usage.allocated_bytes;
}

void
h_start(struct h *h)
{
	struct guest_mem mem;
	unsigned int i;

	must(fake_guest_mem(h->guest, &mem) == 0);
	loopback_set_memory(h->transport, &mem);
	for (i = 0; i < 2; i++) {
		struct virtq_config config = fake_guest_virtq(h->guest, i);

		config.kickfd = h->guest->queues[i].kickfd;
		must(loopback_ring_start(h->transport, i, &config) == 0);
	}
}

struct h *
h_create(const struct h_config *given)
{
	static const struct h_config defaults;
	const struct h_config *c = given != NULL ? given : &defaults;
	struct reactor_config reactor = {.name = "test", .cpu = -1, .idle = c->idle};
	struct device_config config = {
		.name = "cam0",
		.backend = c->backend != NULL ? c->backend : &h_backend_ops,
		.options = c->options,
		.nb_options = c->nb_options,
		.arena = {.page = SHM_PAGE_4K,
			.size_bytes = c->arena_bytes,
			.no_access = c->no_access},
		.quota = {.max_windows = c->max_windows, .max_sessions = c->max_sessions},
		.shared_pages = !c->no_shared_pages,
		.remove_buffers = c->remove_buffers,
		.deadline_ms = c->deadline_ms,
		.drain_ms = c->drain_ms,
		.coalesce_us = c->coalesce_us,
		.transport = &loopback_ops,
	};
	struct h *h = calloc(1, sizeof(*h));

	must(h != NULL);
	h->config = *c;
	must(reactor_create(&reactor, &h->reactor) == 0);
	must(!c->threaded || reactor_start(h->reactor) == 0);
	config.reactor = h->reactor;
	next_is_m2m = c->m2m;
	next_has_more_ctrls = c->more_ctrls;
	next_is_endless = c->endless;
	next_crops = c->crops;
	next_is_display = c->is_display;
	next_nb_ports = c->nb_ports;
	must(device_create(&config, &h->device) == 0);
	h->transport = device_transport(h->device);
	h->backend = vmedia_device_priv(h->device);
	if (!c->threaded) {
		loopback_set_progress(h->transport, progress, h->reactor);
	}
	h->guest = fake_guest_create(&(struct fake_guest_config){
		.nb_queues = 2,
		.queue_size = 256,
		.packed = c->packed,
		.event_idx = c->event_idx,
		.indirect = true,
		.shape = c->cut != H_CUT_NONE ? FAKE_INDIRECT : FAKE_DIRECT,
		.nb_regions = 2,
		.region_bytes = 4 << 20,
		.shared = c->shared_memory,
	});
	h_start(h);
	return h;
}

/* For test-v4l2-ioctls: "NUMBER ERRNO" of each answer, into the file that VMEDIA_REACHED names. */
static void
note_reached(const struct vmedia_device *device)
{
	const char *path = getenv("VMEDIA_REACHED");
	FILE *file = path != NULL ? fopen(path, "a") : NULL;
	struct ioctl_answers answers;
	uint32_t nr, error;

	for (nr = 0; file != NULL && nr < VMEDIA_NB_IOCTLS; nr++) {
		device_ioctl_answers(device, nr, &answers);
		if (answers.nb_ok > 0) {
			fprintf(file, "%u 0\n", nr);
		}
		for (error = 1; error < 64 * ARRAY_SIZE(answers.errnos); error++) {
			if (answers.errnos[error / 64] >> error % 64 & 1) {
				fprintf(file, "%u %u\n", nr, error);
			}
		}
	}
	if (file != NULL) {
		fclose(file);
	}
}

void
h_destroy(struct h *h)
{
	note_reached(h->device);
	device_destroy(h->device);
	reactor_destroy(h->reactor);
	must(h->guest->nb_overruns == 0);
	fake_guest_destroy(h->guest);
	free(h);
#if defined(__SANITIZE_ADDRESS__)
	/* Criterion's processes end without it. */
	must(__lsan_do_recoverable_leak_check() == 0);
#endif
}

/* ---- commands ---- */

static size_t
cut_bytes(const struct h *h, size_t left)
{
	size_t n = left;

	if (h->config.cut == H_CUT_BYTES) {
		n = 1;
	} else if (h->config.cut == H_CUT_RANDOM) {
		n = 1 + (size_t)rand() % 64;
	}
	return n < left ? n : left;
}

int
h_send(struct h *h, const void *cmd, size_t bytes, uint32_t room)
{
	struct iovec in[256];
	uint32_t out[256];
	unsigned int nb_in = 0, nb_out = 0;
	size_t at, n;
	int id;

	for (at = 0; at < bytes; at += n) {
		n = cut_bytes(h, bytes - at);
		n = nb_in == 120 ? bytes - at : n; /* R-34 bounds a chain */
		in[nb_in++] = (struct iovec){(char *)(uintptr_t)cmd + at, n};
	}
	for (at = 0; at < room; at += n) {
		n = cut_bytes(h, room - at);
		n = nb_out == 120 ? room - at : n;
		out[nb_out++] = (uint32_t)n;
	}
	id = fake_guest_send(h->guest, DEVICE_COMMANDQ, in, nb_in, out, nb_out);
	must(id >= 0);
	return id;
}

int
h_recv(struct h *h, struct h_reply *reply)
{
	struct fake_used used;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < 4 && ret == 0; i++) {
		h_pass(h, 1);
		ret = fake_guest_poll(h->guest, DEVICE_COMMANDQ, &used);
	}
	must(ret >= 0);
	if (ret == 0) {
		return -EAGAIN;
	}
	reply->len = used.len;
	must(used.len <= sizeof(reply->bytes));
	must(fake_used_copy(&used, reply->bytes, used.len));
	return 0;
}

static uint64_t
now_ms(void)
{
	return clock_monotonic_ns() / NSEC_PER_MSEC;
}

int
h_cmd(struct h *h, const void *cmd, size_t bytes, uint32_t room, struct h_reply *reply)
{
	static struct h_reply unwanted;
	uint64_t end = now_ms() + 5000;

	reply = reply != NULL ? reply : &unwanted;
	h_send(h, cmd, bytes, room);
	while (h_recv(h, reply) != 0) {
		must(now_ms() < end);
		if (!h->config.threaded && h->device->nb_offloaded > 0) {
			usleep(20);
		}
	}
	return reply->len >= sizeof(reply->hdr) ? -(int)reply->hdr.status : 0;
}

uint32_t
h_open(struct h *h)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct h_reply reply;

	must(h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.open), &reply) == 0);
	must(reply.len == sizeof(reply.open));
	return reply.open.session_id;
}

void
h_close(struct h *h, uint32_t session)
{
	struct virtio_media_cmd_close cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_CLOSE, .session_id = session, .reserved = 0xdead};
	static struct h_reply reply;

	h_cmd(h, &cmd, sizeof(cmd), 0, &reply);
	must(reply.len == 0);
}

static size_t
ioctl_bytes(uint8_t *bytes, uint32_t session, uint32_t code, const void *arg, size_t in)
{
	struct virtio_media_cmd_ioctl cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_IOCTL, .session_id = session, .code = code};

	memcpy(bytes, &cmd, sizeof(cmd));
	if (in > 0) {
		memcpy(bytes + sizeof(cmd), arg, in);
	}
	return sizeof(cmd) + in;
}

int
h_send_ioctl(struct h *h, uint32_t session, uint32_t code, const void *arg, size_t in, size_t out)
{
	static uint8_t bytes[H_MAX_REPLY];
	size_t n = ioctl_bytes(bytes, session, code, arg, in);

	return h_send(h, bytes, n, (uint32_t)(sizeof(struct virtio_media_resp_ioctl) + out));
}

int
h_ioctl(struct h *h, uint32_t session, uint32_t code, void *arg, size_t in, size_t out)
{
	static uint8_t bytes[H_MAX_REPLY];
	static struct h_reply reply;
	size_t n = ioctl_bytes(bytes, session, code, arg, in);
	size_t header = sizeof(struct virtio_media_resp_ioctl);
	int status = h_cmd(h, bytes, n, (uint32_t)(header + out), &reply);

	if (reply.len > header && arg != NULL) {
		memcpy(arg, reply.bytes + header, reply.len - header);
	}
	return status;
}

int
h_mmap(struct h *h, uint32_t session, uint32_t offset, uint32_t flags, uint64_t *addr)
{
	struct virtio_media_cmd_mmap cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_MMAP,
		.session_id = session,
		.flags = flags,
		.offset = offset};
	static struct h_reply reply;
	int status = h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.mmap), &reply);

	if (status == 0) {
		must(reply.len == sizeof(reply.mmap));
		*addr = reply.mmap.driver_addr;
	}
	return status;
}

int
h_munmap(struct h *h, uint64_t addr)
{
	struct virtio_media_cmd_munmap cmd = {
		.hdr.cmd = VIRTIO_MEDIA_CMD_MUNMAP, .driver_addr = addr};

	return h_cmd(h, &cmd, sizeof(cmd), sizeof(struct virtio_media_resp_munmap), NULL);
}

/* ---- V4L2 ---- */

int
h_reqbufs(struct h *h, uint32_t session, uint32_t count)
{
	struct v4l2_requestbuffers rb = {
		.count = count, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	int ret = h_ioctl(h, session, _IOC_NR(VIDIOC_REQBUFS), &rb, sizeof(rb), sizeof(rb));

	return ret == 0 ? (int)rb.count : ret;
}

int
h_qbuf(struct h *h, uint32_t session, uint32_t index)
{
	struct v4l2_buffer b = {
		.index = index, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
	int ret = h_ioctl(h, session, _IOC_NR(VIDIOC_QBUF), &b, sizeof(b), sizeof(b));

	must(ret != 0 || (b.flags & V4L2_BUF_FLAG_QUEUED));
	return ret;
}

int
h_stream(struct h *h, uint32_t session, bool on)
{
	uint32_t type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	uint32_t code = on ? _IOC_NR(VIDIOC_STREAMON) : _IOC_NR(VIDIOC_STREAMOFF);

	return h_ioctl(h, session, code, &type, sizeof(type), 0);
}

int
h_subscribe(struct h *h, uint32_t session, uint32_t type, uint32_t id, uint32_t flags)
{
	struct v4l2_event_subscription sub = {.type = type, .id = id, .flags = flags};

	return h_ioctl(h, session, _IOC_NR(VIDIOC_SUBSCRIBE_EVENT), &sub, sizeof(sub), 0);
}

/* ---- events ---- */

void
h_post_events(struct h *h, unsigned int nb, uint32_t bytes)
{
	while (nb-- > 0) {
		must(fake_guest_send(h->guest, DEVICE_EVENTQ, NULL, 0, &bytes, 1) >= 0);
	}
}

int
h_event(struct h *h, void *event)
{
	struct fake_used used;
	int ret = fake_guest_poll(h->guest, DEVICE_EVENTQ, &used);

	must(ret >= 0);
	if (ret == 0) {
		return -EAGAIN;
	}
	must(fake_used_copy(&used, event, used.len));
	return (int)used.len;
}
