/* SPDX-License-Identifier: BSD-3-Clause */
#include "sequence.h"

#include <errno.h>
#include <string.h>

#include "input.h"

#define LATER_S        10
#define SETTLE_PASSES  20000
#define ARENA_BYTES    (1 << 20)
#define NB_BUFFER_KEYS 64 /* sessions × types that are accounted for at a time */
#define GUEST_GPA      0x616263000000

struct sequence seq;

/* ---- offload without a thread ---- */

static struct offload_job *jobs[1024];
static unsigned int nb_jobs;

static void
job_done(void *arg)
{
	struct offload_job *job = arg;

	job->done(job);
}

void __wrap_reactor_offload(struct reactor *reactor, struct offload_job *job);

void
__wrap_reactor_offload(struct reactor *reactor, struct offload_job *job)
{
	must(nb_jobs < ARRAY_SIZE(jobs));
	job->reactor = reactor;
	jobs[nb_jobs++] = job;
}

static void
run_jobs(void)
{
	for (unsigned int i = 0; i < nb_jobs; i++) {
		struct offload_job *job = jobs[i];

		job->run(job);
		job->msg = (struct reactor_msg){.fn = job_done, .arg = job};
		reactor_send(job->reactor, &job->msg);
	}
	nb_jobs = 0;
}

/* Pages of an arena are kept: an execution is to cost no system call. */
int __wrap_fallocate64(int fd, int mode, off_t offset, off_t n);
int __wrap_madvise(void *addr, size_t n, int advice);

int
__wrap_fallocate64(int fd, int mode, off_t offset, off_t n)
{
	return 0;
}

int
__wrap_madvise(void *addr, size_t n, int advice)
{
	return 0;
}

/* ---- devices ---- */

/* One of its own for each, so that a pass is one device's. */
static struct reactor *reactors[SEQ_NB_DEVICES];
static struct vmedia_device *devices[SEQ_NB_DEVICES];
static struct fake_guest *guests[2];
static char *pages;

static const struct {
	const char *backend;
	struct device_option options[4];
} rows[SEQ_NB_DEVICES] = {
	{"null", {{"width", "64"}, {"height", "32"}, {"planar", "multi"}}},
	{"null", {{"width", "64"}, {"height", "32"}, {"role", "output"}}},
	{"null", {{"width", "64"}, {"height", "32"}, {"planar", "multi"}, {"role", "m2m"}}},
	{"pattern", {{"width", "192"}, {"height", "144"}, {"pace", "fast"}, {"inputs", "2"}}},
	{"null", {{"width", "64"}, {"height", "32"}, {"role", "m2m"}}},
	{"transform", {{"width", "64"}, {"height", "32"}}}, /* or what is built instead of it */
};

static void
expire(struct vmedia_device *device)
{
	device->poller.ops->poll(&device->poller, clock_tsc() + LATER_S * clock_tsc_hz());
}

/* While a transport waits for the device: now and then time flies. */
static void
progress(void *arg)
{
	run_jobs();
	reactor_pass(arg);
	if (++seq.nb_waits % 8 == 0 && seq.device != NULL) {
		must(seq.nb_waits < SETTLE_PASSES); /* it does not become quiet */
		expire(seq.device);
	}
}

/* What is not built is a camera instead. */
static struct vmedia_device *
make_device(unsigned int i, struct reactor **reactor)
{
	struct reactor_config alone = {.name = "fuzz", .cpu = -1};

	struct device_config config = {
		.name = rows[i].backend,
		.backend = backend_find(rows[i].backend),
		.options = rows[i].options,
		.arena = {.page = SHM_PAGE_4K, .size_bytes = ARENA_BYTES},
		.quota = {.max_sessions = 4, .max_windows = 6, .max_subscriptions = 3},
		.shared_pages = true,
		.remove_buffers = true,
		.transport = &loopback_ops,
	};
	struct vmedia_device *device;

	must(reactor_create(&alone, reactor) == 0);
	reactor_pass(*reactor);
	config.reactor = *reactor;
	while (config.nb_options < ARRAY_SIZE(rows[i].options) &&
		rows[i].options[config.nb_options].key != NULL) {
		config.nb_options++;
	}
	must(device_create(&config, &device) == 0);
	loopback_set_progress(device_transport(device), progress, *reactor);
	return device;
}

static struct fake_guest *
make_guest(bool packed)
{
	struct fake_guest *g = fake_guest_create(&(struct fake_guest_config){
		.nb_queues = 2,
		.queue_size = SEQ_QUEUE_SIZE,
		.packed = packed,
		.indirect = true,
		.nb_regions = 2,
		.region_bytes = SEQ_REGION_BYTES,
	});

	for (unsigned int i = 0; i < 2; i++) {
		g->regions[i].gpa = GUEST_GPA + (uint64_t)i * SEQ_REGION_BYTES;
	}
	return g;
}

static void
make_world(void)
{
	for (unsigned int i = 0; i < SEQ_NB_DEVICES; i++) {
		bool built = backend_find(rows[i].backend) != NULL;

		devices[i] = make_device(built ? i : 0, &reactors[i]);
	}
	guests[0] = make_guest(false);
	guests[1] = make_guest(true);
	pages = calloc(1, SEQ_PAGES_BYTES);
	must(pages != NULL);
}

uint32_t
seq_type(unsigned int direction)
{
	static const uint32_t caps[2][2] = {
		{V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_CAP_VIDEO_M2M_MPLANE},
		{V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_M2M},
	};
	uint32_t have = seq.device->node.device_caps;
	bool mplane = (have & (caps[0][0] | caps[0][1] | V4L2_CAP_VIDEO_OUTPUT_MPLANE)) != 0;
	bool output = (have & (V4L2_CAP_VIDEO_OUTPUT | V4L2_CAP_VIDEO_OUTPUT_MPLANE)) != 0;

	if (device_is_m2m(seq.device)) {
		output = direction != 0;
	}
	if (output) {
		return mplane ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT;
	}
	return mplane ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

/* ---- what the driver knows of its buffers ---- */

struct key {
	uint32_t session, type;
	uint8_t queued[BUFQ_MAX_BUFFERS];     /* QBUF answered, DQBUF not seen */
	uint8_t taken_back[BUFQ_MAX_BUFFERS]; /* since the last look: its event may still come */
};

static struct key keys[NB_BUFFER_KEYS];
static unsigned int nb_keys;

static struct key *
find_key(uint32_t session, uint32_t type)
{
	for (unsigned int i = 0; i < nb_keys; i++) {
		if (keys[i].session == session && keys[i].type == type) {
			return &keys[i];
		}
	}
	return NULL;
}

static struct key *
need_key(uint32_t session, uint32_t type)
{
	struct key *key = find_key(session, type);

	if (key == NULL) {
		must(nb_keys < NB_BUFFER_KEYS);
		key = &keys[nb_keys++];
		*key = (struct key){.session = session, .type = type};
	}
	return key;
}

/* type 0: all of the session. */
static void
take_back(uint32_t session, uint32_t type)
{
	for (unsigned int k = 0; k < nb_keys; k++) {
		if (keys[k].session != session || (type != 0 && keys[k].type != type)) {
			continue;
		}
		for (unsigned int i = 0; i < BUFQ_MAX_BUFFERS; i++) {
			keys[k].taken_back[i] += keys[k].queued[i];
			keys[k].queued[i] = 0;
		}
	}
}

/* Sessions with an answer that was lost with its memory, or that does not tell what was done. */
static uint32_t unsure[SEQ_QUEUE_SIZE];
static unsigned int nb_unsure;

static bool
is_unsure(uint32_t session)
{
	for (unsigned int i = 0; i < nb_unsure; i++) {
		if (unsure[i] == session) {
			return true;
		}
	}
	return false;
}

static void
take_dqbuf(const struct virtio_media_event_dqbuf *event)
{
	struct key *key = find_key(event->hdr.session_id, event->buffer.type);
	uint32_t index = event->buffer.index;

	if (is_unsure(event->hdr.session_id)) {
		return;
	}
	must(key != NULL && index < BUFQ_MAX_BUFFERS);
	must(event->buffer.length <= VIDEO_MAX_PLANES ||
		!v4l2_type_is_multiplanar(event->buffer.type));
	must(key->queued[index] > 0 || key->taken_back[index] > 0);
	if (key->queued[index] > 0) {
		key->queued[index]--;
	} else {
		key->taken_back[index]--;
	}
}

/* What the device thinks. */
static void
adopt(uint32_t id)
{
	const struct vmedia_session *session = session_find(seq.device, id);

	take_back(id, 0);
	for (unsigned int s = 0; session != NULL && s < ARRAY_SIZE(session->queues); s++) {
		const struct bufq *q = &session->queues[s];

		for (uint32_t i = 0; i < q->nb_buffers; i++) {
			enum bufq_state state = q->buffers[i]->state;

			if (state == BUFQ_QUEUED || state == BUFQ_DONE) {
				need_key(id, q->type)->queued[i] = 1;
			}
		}
	}
}

/* Events of what was taken back came with the last look at the latest. */
static void
tidy_keys(void)
{
	for (unsigned int i = nb_keys; i-- > 0;) {
		memset(keys[i].taken_back, 0, sizeof(keys[i].taken_back));
		if (session_find(seq.device, keys[i].session) == NULL) {
			keys[i] = keys[--nb_keys];
		}
	}
}

static void
compare_queue(const struct vmedia_session *session, const struct bufq *q)
{
	const struct key *key = find_key(session->id, q->type);

	for (uint32_t i = 0; i < BUFQ_MAX_BUFFERS; i++) {
		unsigned int ours = key != NULL ? key->queued[i] : 0;
		enum bufq_state state = i < q->nb_buffers ? q->buffers[i]->state : BUFQ_DEQUEUED;

		must(ours == (state == BUFQ_QUEUED || state == BUFQ_DONE));
	}
}

/* Nothing is under way: driver and device think the same of each buffer. */
static void
compare_buffers(void)
{
	const struct vmedia_session *session;

	if (seq.nb_commands > 0) {
		return;
	}
	TAILQ_FOREACH (session, &seq.device->sessions, link) {
		compare_queue(session, &session->queues[0]);
		compare_queue(session, &session->queues[1]);
	}
}

/* ---- commands and what comes back ---- */

static struct command {
	uint32_t cmd, session, code, type, index;
	uint32_t room;
} commands[SEQ_QUEUE_SIZE];

static bool
names_guest(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i + sizeof(uint64_t) <= n; i++) {
		uint64_t gpa;

		memcpy(&gpa, p + i, sizeof(gpa));
		if (gpa + UINT32_MAX >= GUEST_GPA && gpa < GUEST_GPA + 2 * SEQ_REGION_BYTES) {
			return true;
		}
	}
	return false;
}

void
seq_send(const void *bytes, size_t n, uint32_t room)
{
	struct iovec in[2] = {
		{(void *)(uintptr_t)bytes, n / 2}, {(char *)(uintptr_t)bytes + n / 2, n - n / 2}};
	uint32_t out[2] = {room / 3, room - room / 3};
	const uint32_t *words = bytes;
	struct command command = {.room = room};
	struct iovec *first = n >= 2 ? in : in + 1;
	int id;

	if (n == 0 || names_guest(bytes, n)) {
		return;
	}
	memcpy(&command.cmd, words, MIN(n, sizeof(uint32_t)));
	if (n >= sizeof(struct virtio_media_cmd_ioctl)) {
		command.session = words[2];
		command.code = words[3];
	}
	command.index = n >= 20 ? words[4] : 0;
	command.type = n >= 24 ? words[5] : 0;
	id = fake_guest_add(seq.guest, DEVICE_COMMANDQ, first, n >= 2 ? 2 : 1,
		room >= 3 ? out : out + 1, room >= 3 ? 2 : room > 0);
	if (id >= 0) {
		fake_guest_publish(seq.guest, DEVICE_COMMANDQ);
		commands[id] = command;
		seq.nb_commands++;
	}
}

void
seq_post_event(uint32_t bytes)
{
	if (fake_guest_add(seq.guest, DEVICE_EVENTQ, NULL, 0, &bytes, 1) >= 0) {
		fake_guest_publish(seq.guest, DEVICE_EVENTQ);
		seq.nb_events++;
	}
}

static void
took_ioctl(const struct command *c, uint32_t status)
{
	switch (c->code) {
	case _IOC_NR(VIDIOC_QBUF):
		if (status == 0) {
			must(c->index < BUFQ_MAX_BUFFERS);
			need_key(c->session, c->type)->queued[c->index]++;
		}
		break;
	case _IOC_NR(VIDIOC_REQBUFS):
		/* The old ones are gone before it is known whether there are new ones. */
		if (status == 0 || status == ENOMEM) {
			take_back(c->session, c->type);
		}
		break;
	case _IOC_NR(VIDIOC_STREAMOFF):
		if (status == 0) {
			take_back(c->session, c->index); /* its argument is the type alone */
		}
		break;
	default:
		break;
	}
}

static void
took_answer(const struct command *c, const struct fake_used *used)
{
	union {
		struct virtio_media_resp_header hdr;
		struct virtio_media_resp_open open;
		struct virtio_media_resp_mmap mmap;
	} resp;

	memset(&resp, 0, sizeof(resp));
	must(used->len <= c->room);
	must(fake_used_copy(used, &resp, MIN(used->len, sizeof(resp))));
	must(resp.hdr.status <= 133 && resp.hdr.reserved == 0);
	if (used->len < sizeof(resp.hdr) || resp.hdr.status == EIO) {
		unsure[nb_unsure++] = c->session;
		return;
	}
	if (c->cmd == VIRTIO_MEDIA_CMD_OPEN && resp.hdr.status == 0) {
		must(resp.open.session_id != 0);
		seq.sessions[seq.nb_opened++ % SEQ_NB_SESSIONS] = resp.open.session_id;
	} else if (c->cmd == VIRTIO_MEDIA_CMD_MMAP && resp.hdr.status == 0) {
		must(resp.mmap.driver_addr + resp.mmap.len <= ARENA_BYTES);
		seq.windows[seq.nb_mapped++ % SEQ_NB_SESSIONS] = resp.mmap.driver_addr;
	} else if (c->cmd == VIRTIO_MEDIA_CMD_IOCTL) {
		took_ioctl(c, resp.hdr.status);
	}
}

static void
took_event(const struct fake_used *used)
{
	union {
		uint8_t bytes[SEQ_EVENT_BYTES];
		struct virtio_media_event_header hdr;
		struct virtio_media_event_dqbuf dqbuf;
	} event;

	must(used->len == 0 || (used->len >= sizeof(event.hdr) && used->len <= sizeof(event)));
	if (used->len == 0) {
		return;
	}
	must(fake_used_copy(used, &event, used->len));
	must(event.hdr.event <= VIRTIO_MEDIA_EVT_EVENT);
	if (event.hdr.event == VIRTIO_MEDIA_EVT_DQBUF) {
		must(used->len == sizeof(event.dqbuf));
		take_dqbuf(&event.dqbuf);
	}
}

static void
collect(void)
{
	struct fake_used used;
	int ret;

	while ((ret = fake_guest_poll(seq.guest, DEVICE_COMMANDQ, &used)) == 1) {
		must(seq.nb_commands-- > 0);
		took_answer(&commands[used.id], &used);
	}
	must(ret == 0);
	while ((ret = fake_guest_poll(seq.guest, DEVICE_EVENTQ, &used)) == 1) {
		must(seq.nb_events-- > 0);
		took_event(&used);
	}
	must(ret == 0);
	while (nb_unsure > 0) {
		adopt(unsure[--nb_unsure]);
	}
	tidy_keys();
	compare_buffers();
}

void
seq_pass(bool offload, bool later)
{
	if (offload) {
		run_jobs();
	}
	reactor_pass(device_reactor(seq.device));
	if (later) {
		expire(seq.device);
	}
	collect();
}

void
seq_window(int status)
{
	loopback_window_reply(seq.transport, status);
}

/* ---- the driver's life ---- */

void
seq_memory(unsigned int without)
{
	struct guest_mem_region regions[3];
	struct guest_mem mem, guest;
	uint32_t nb = 0;

	must(fake_guest_mem(seq.guest, &guest) == 0);
	regions[nb++] = guest.regions[0];
	if (!(without & 1)) {
		regions[nb++] = guest.regions[1];
	}
	if (!(without & 2)) {
		regions[nb++] = (struct guest_mem_region){
			.gpa = SEQ_PAGES_GPA, .size_bytes = SEQ_PAGES_BYTES, .addr = pages};
	}
	must(guest_mem_init(&mem, regions, nb) == 0);
	loopback_set_memory(seq.transport, &mem);
	collect();
}

static void
start_rings(const uint16_t *bases)
{
	for (unsigned int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		struct virtq_config config = fake_guest_virtq(seq.guest, i);

		config.callfd = -1;
		config.kickfd = -1;
		if (bases != NULL) {
			config.avail_base = config.used_base = bases[i];
		}
		must(loopback_ring_start(seq.transport, i, &config) == 0);
	}
}

/* A ring is stopped with every command that was taken answered: what is left was not taken. */
void
seq_pause(void)
{
	uint16_t bases[TRANSPORT_NB_QUEUES];

	for (unsigned int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		bases[i] = loopback_ring_stop(seq.transport, i, TRANSPORT_STOP);
	}
	must(seq.device->stopped_base == seq.device->stopped_used);
	collect();
	start_rings(bases);
	collect();
}

static void
check_empty(const struct vmedia_device *device)
{
	struct device_stats stats;

	device_stats(device, &stats);
	must(stats.open_sessions == 0 && stats.pending_events == 0 && !stats.started);
	must(stats.arena.allocated_bytes == 0 && stats.arena.nb_ranges == 0);
	must(TAILQ_EMPTY(&device->sessions) && TAILQ_EMPTY(&device->closing_sessions));
	must(TAILQ_EMPTY(&device->pending) && TAILQ_EMPTY(&device->deferred));
	must(TAILQ_EMPTY(&device->window_waiting) && TAILQ_EMPTY(&device->draining));
	must(device->first_free == 0 && device->nb_deferred == 0 && device->nb_offloaded == 0);
	must(device->nb_spares == DEVICE_NB_SPARES && shm_map_nb_windows(device->map) == 0);
	must(device->owner[0] == NULL && device->owner[1] == NULL);
}

/* All that was sent is forgotten by both. */
static void
forget(void)
{
	loopback_reset(seq.transport);
	loopback_window_reply(seq.transport, -EIO);
	for (unsigned int i = 0; i < 4 || seq.device->nb_offloaded > 0; i++) {
		must(i < SETTLE_PASSES);
		progress(device_reactor(seq.device));
	}
	check_empty(seq.device);
	fake_guest_reset(seq.guest, DEVICE_COMMANDQ);
	fake_guest_reset(seq.guest, DEVICE_EVENTQ);
	nb_keys = 0;
	seq.nb_commands = 0;
	seq.nb_events = 0;
}

void
seq_reset(void)
{
	forget();
	start_rings(NULL);
}

void
seq_begin(unsigned int device, bool packed, bool event_idx, enum fake_shape shape)
{
	if (pages == NULL) {
		make_world();
	}
	memset(&seq, 0, sizeof(seq));
	seq.device = devices[device % SEQ_NB_DEVICES];
	seq.transport = device_transport(seq.device);
	seq.guest = guests[packed];
	seq.guest->config.event_idx = event_idx;
	seq.guest->config.shape = shape;
	seq.device->port = 0;
	context_init(seq.device, &seq.device->context);
	ctrls_init(seq.device, seq.device->ctrls);
	seq_memory(0);
	start_rings(NULL);
}

/* A queue that streams gives everything back; an m2m node needs both sides for it. */
static bool
is_settled(void)
{
	const struct vmedia_session *session;
	bool m2m = device_is_m2m(seq.device);

	TAILQ_FOREACH (session, &seq.device->sessions, link) {
		const struct bufq *q = session->queues;
		uint32_t nb[2] = {
			q[0].streaming ? q[0].nb_queued : 0, q[1].streaming ? q[1].nb_queued : 0};

		if (m2m ? nb[0] > 0 && nb[1] > 0 : nb[0] + nb[1] > 0) {
			return false;
		}
	}
	return seq.nb_commands == 0 && seq.device->nb_pending == 0;
}

void
seq_end(void)
{
	seq_memory(0);
	seq_window(0);
	for (unsigned int i = 0; i < 4 || !is_settled(); i++) {
		must(i < SETTLE_PASSES);
		while (seq.nb_events < 16) {
			seq_post_event(SEQ_EVENT_BYTES);
		}
		seq_pass(true, true);
		seq_window(0);
	}
	forget();
	loopback_set_memory(seq.transport, NULL);
}
