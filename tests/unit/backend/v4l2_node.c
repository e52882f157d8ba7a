/* SPDX-License-Identifier: BSD-3-Clause */
#include "v4l2_node.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backend/v4l2/sys.h"
#include "base/compiler.h"
#include "v4l2_udmabuf.h"

#define MAX_OPENS  1024 /* fds */
#define MAX_EVENTS 16

struct buffer {
	bool queued, done;
	struct v4l2_buffer b;
	uint32_t bytesused[2];
	void *memory[2]; /* MMAP: its own; USERPTR: the caller's */
};

struct queue {
	uint32_t type, memory, nb;
	bool streaming;
	uint32_t sequence;
	uint32_t order[32], nb_order; /* queued, oldest first */
	uint32_t ready[32], nb_ready;
	struct buffer buffers[32];
};

struct node_open {
	struct queue queues[2];
	bool subscribed;
	struct v4l2_event events[MAX_EVENTS];
	uint32_t nb_events;
};

struct node_rules node_rules;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct node_open *opens[MAX_OPENS];
static int newest;
static uint32_t nb_opened;
static char opened_by[64];
static int32_t brightness;
static uint8_t blob[NODE_BLOB_BYTES];

static bool
is_mplane(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

static uint32_t
nb_planes(uint32_t type)
{
	return is_mplane(type) ? node_rules.nb_planes : 1;
}

static struct queue *
queue_of(struct node_open *o, uint32_t type)
{
	return &o->queues[V4L2_TYPE_IS_OUTPUT(type) ? 1 : 0];
}

static void
wake(int fd)
{
	eventfd_write(fd, 1);
}

/* ---- ioctls ---- */

static int
querycap(struct v4l2_capability *cap)
{
	memset(cap, 0, sizeof(*cap));
	snprintf((char *)cap->driver, sizeof(cap->driver), "node");
	snprintf((char *)cap->card, sizeof(cap->card), "Host camera");
	cap->device_caps = node_rules.caps;
	cap->capabilities = node_rules.caps | V4L2_CAP_DEVICE_CAPS;
	return 0;
}

static int
g_fmt(struct v4l2_format *f)
{
	if (f->type == V4L2_BUF_TYPE_VBI_CAPTURE) {
		f->fmt.vbi = (struct v4l2_vbi_format){
			.samples_per_line = NODE_SIZE / 32, .count = {16, 16}};
		return 0;
	}
	if (f->type == V4L2_BUF_TYPE_SLICED_VBI_CAPTURE) {
		f->fmt.sliced = (struct v4l2_sliced_vbi_format){.io_size = NODE_SIZE};
		return 0;
	}
	if (!is_mplane(f->type)) {
		f->fmt.pix = (struct v4l2_pix_format){.width = NODE_WIDTH,
			.height = NODE_HEIGHT,
			.pixelformat = V4L2_PIX_FMT_YUYV,
			.bytesperline = NODE_WIDTH * 2,
			.sizeimage = NODE_SIZE};
		return 0;
	}
	memset(&f->fmt.pix_mp, 0, sizeof(f->fmt.pix_mp));
	f->fmt.pix_mp.width = NODE_WIDTH;
	f->fmt.pix_mp.height = NODE_HEIGHT;
	f->fmt.pix_mp.num_planes = (uint8_t)node_rules.nb_planes;
	for (uint32_t p = 0; p < node_rules.nb_planes; p++) {
		f->fmt.pix_mp.plane_fmt[p].sizeimage = NODE_SIZE;
	}
	return 0;
}

/* As a driver whose DMA runs until it is told to stop: the memory must be there as long. (The
 * kernel keeps a DMA buffer.) */
static void
touch_queued(const struct queue *q)
{
	bool ours = node_rules.unplugged || q->memory == V4L2_MEMORY_DMABUF;

	for (uint32_t i = 0; i < q->nb_order && !ours; i++) {
		(void)*(volatile const uint8_t *)q->buffers[q->order[i]].memory[0];
	}
}

static void
free_buffers(struct queue *q)
{
	touch_queued(q);
	for (uint32_t i = 0; i < q->nb && q->memory == V4L2_MEMORY_MMAP; i++) {
		free(q->buffers[i].memory[0]);
		free(q->buffers[i].memory[1]);
	}
	memset(q->buffers, 0, sizeof(q->buffers));
	q->nb = q->nb_order = q->nb_ready = 0;
}

static void
add_buffers(struct queue *q, uint32_t count)
{
	for (; count > 0 && q->nb < 32; count--, q->nb++) {
		for (uint32_t p = 0; q->memory == V4L2_MEMORY_MMAP && p < nb_planes(q->type); p++) {
			q->buffers[q->nb].memory[p] = calloc(1, NODE_SIZE);
		}
	}
}

static int
memory_allowed(uint32_t memory)
{
	return memory == V4L2_MEMORY_MMAP ||
	                       (memory == V4L2_MEMORY_USERPTR && !node_rules.no_userptr) ||
	                       (memory == V4L2_MEMORY_DMABUF && !node_rules.no_dmabuf)
	               ? 0
	               : -EINVAL;
}

static int
reqbufs(struct node_open *o, struct v4l2_requestbuffers *rb)
{
	struct queue *q = queue_of(o, rb->type);

	if (memory_allowed(rb->memory) != 0) {
		return -EINVAL;
	}
	if (q->streaming) {
		return -EBUSY;
	}
	free_buffers(q);
	q->type = rb->type;
	q->memory = rb->memory;
	add_buffers(q, rb->count);
	rb->count = q->nb;
	return 0;
}

static int
create_bufs(struct node_open *o, struct v4l2_create_buffers *cb)
{
	struct queue *q = queue_of(o, cb->format.type);
	uint32_t before = q->nb;

	if (memory_allowed(cb->memory) != 0 || (q->nb > 0 && q->memory != cb->memory)) {
		return -EINVAL;
	}
	q->type = cb->format.type;
	q->memory = cb->memory;
	cb->index = before;
	add_buffers(q, cb->count);
	cb->count = q->nb - before;
	return 0;
}

static int
querybuf(struct node_open *o, struct v4l2_buffer *b)
{
	struct queue *q = queue_of(o, b->type);
	int direction = V4L2_TYPE_IS_OUTPUT(b->type) ? 1 : 0;

	if (b->index >= q->nb) {
		return -EINVAL;
	}
	b->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | V4L2_BUF_FLAG_TSTAMP_SRC_SOE;
	if (!is_mplane(b->type)) {
		b->length = NODE_SIZE;
		b->m.offset = (uint32_t)(direction << 28 | (int)b->index << 16);
		return 0;
	}
	b->length = node_rules.nb_planes;
	for (uint32_t p = 0; p < b->length; p++) {
		b->m.planes[p].length = NODE_SIZE;
		b->m.planes[p].m.mem_offset =
			(uint32_t)(direction << 28 | (int)b->index << 16 | (int)p << 12);
	}
	return 0;
}

static int
qbuf(struct node_open *o, struct v4l2_buffer *b)
{
	struct queue *q = queue_of(o, b->type);
	struct buffer *buffer = &q->buffers[b->index % 32];

	if (b->index >= q->nb || buffer->queued || buffer->done || b->memory != q->memory) {
		return -EINVAL;
	}
	if (q->memory == V4L2_MEMORY_USERPTR && node_rules.bad_userptr) {
		return -EFAULT;
	}
	for (uint32_t p = 0; p < nb_planes(b->type); p++) {
		bool mplane = is_mplane(b->type);

		if (q->memory == V4L2_MEMORY_DMABUF) {
			buffer->memory[p] = udmabuf_memory(mplane ? b->m.planes[p].m.fd : b->m.fd);
			if (buffer->memory[p] == NULL || node_rules.bad_dmabuf) {
				return -EINVAL;
			}
		}
		if (q->memory == V4L2_MEMORY_USERPTR) {
			buffer->memory[p] =
				(void *)(mplane ? b->m.planes[p].m.userptr : b->m.userptr);
		}
		buffer->bytesused[p] = mplane ? b->m.planes[p].bytesused : b->bytesused;
	}
	buffer->b = *b;
	buffer->queued = true;
	q->order[q->nb_order++] = b->index;
	return 0;
}

static uint32_t
shift(uint32_t *list, uint32_t *nb)
{
	uint32_t first = list[0];

	memmove(list, list + 1, --*nb * sizeof(list[0]));
	return first;
}

static int
dqbuf(struct node_open *o, struct v4l2_buffer *b)
{
	struct queue *q = queue_of(o, b->type);
	struct v4l2_plane *planes = b->m.planes;
	struct buffer *buffer;

	if (!q->streaming) {
		return -EINVAL;
	}
	if (q->nb_ready == 0) {
		return -EAGAIN;
	}
	buffer = &q->buffers[shift(q->ready, &q->nb_ready)];
	buffer->done = false;
	*b = buffer->b;
	if (!is_mplane(b->type)) {
		b->bytesused = buffer->bytesused[0];
		return 0;
	}
	b->m.planes = planes;
	for (uint32_t p = 0; p < b->length; p++) {
		planes[p].bytesused = buffer->bytesused[p];
		planes[p].length = NODE_SIZE;
	}
	return 0;
}

static int
stream(struct node_open *o, uint32_t type, bool on)
{
	struct queue *q = queue_of(o, type);

	touch_queued(q);

	if (on && q->nb == 0) {
		return -EINVAL;
	}
	q->streaming = on;
	q->sequence = 0;
	for (uint32_t i = 0; i < 32 && !on; i++) {
		q->buffers[i].queued = q->buffers[i].done = false;
	}
	if (!on) {
		q->nb_order = q->nb_ready = 0;
	}
	return 0;
}

static void
raise_event(uint32_t type, uint32_t id)
{
	for (int fd = 0; fd < MAX_OPENS; fd++) {
		struct node_open *o = opens[fd];

		if (o != NULL && o->subscribed && o->nb_events < MAX_EVENTS) {
			struct v4l2_event *event = &o->events[o->nb_events++];

			memset(event, 0, sizeof(*event));
			event->type = type;
			event->id = id;
			event->u.ctrl.value = brightness;
			event->timestamp.tv_sec = 77;
			wake(fd);
		}
	}
}

static int
dqevent(struct node_open *o, struct v4l2_event *event)
{
	if (o->nb_events == 0) {
		return -ENOENT;
	}
	*event = o->events[0];
	memmove(o->events, o->events + 1, --o->nb_events * sizeof(o->events[0]));
	return 0;
}

static int
subscribe(struct node_open *o, const struct v4l2_event_subscription *sub)
{
	if (sub->type != V4L2_EVENT_CTRL && sub->type != V4L2_EVENT_SOURCE_CHANGE) {
		return -EINVAL;
	}
	o->subscribed = true;
	if (sub->flags & V4L2_EVENT_SUB_FL_SEND_INITIAL) {
		raise_event(sub->type, sub->id);
	}
	return 0;
}

static int
s_ctrl(const struct v4l2_control *c)
{
	if (c->id != NODE_CTRL) {
		return -EINVAL;
	}
	brightness = c->value;
	raise_event(V4L2_EVENT_CTRL, c->id);
	return 0;
}

/* As the kernel: too small a size is corrected, with ENOSPC. */
static int
ext_ctrl(struct v4l2_ext_control *c, bool set)
{
	if (c->id == NODE_CTRL) {
		c->value = brightness;
		return 0;
	}
	if (c->id != NODE_BLOB) {
		return -EINVAL;
	}
	if (c->size < sizeof(blob)) {
		c->size = sizeof(blob);
		return -ENOSPC;
	}
	memcpy(set ? blob : c->ptr, set ? c->ptr : blob, sizeof(blob));
	return 0;
}

static int
ext_ctrls(struct v4l2_ext_controls *e, bool set)
{
	int ret = 0;

	for (uint32_t i = 0; i < e->count && ret == 0; i++) {
		e->error_idx = i;
		ret = ext_ctrl(&e->controls[i], set);
	}
	return ret;
}

static atomic_bool blocking;

static void
node_set_blocking(int fd, bool blocks)
{
	blocking = blocks;
}

bool
node_is_blocking(void)
{
	return blocking;
}

static int
other_ioctl(struct node_open *o, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case VIDIOC_G_PARM:
		((struct v4l2_streamparm *)arg)->parm.capture.readbuffers = 3;
		return 0;
	case VIDIOC_S_HW_FREQ_SEEK:
		return blocking ? 0 : -EAGAIN;
	case VIDIOC_G_TUNER:
		((struct v4l2_tuner *)arg)->capability = node_rules.tuner_caps;
		return 0;
	case VIDIOC_G_CTRL:
		((struct v4l2_control *)arg)->value = brightness;
		return 0;
	case VIDIOC_G_EXT_CTRLS:
	case VIDIOC_S_EXT_CTRLS:
		return ext_ctrls(arg, cmd == VIDIOC_S_EXT_CTRLS);
	case VIDIOC_S_CTRL:
		return s_ctrl(arg);
	case VIDIOC_SUBSCRIBE_EVENT:
		return subscribe(o, arg);
	case VIDIOC_UNSUBSCRIBE_EVENT:
		o->subscribed = false;
		return 0;
	case VIDIOC_DQEVENT:
		return dqevent(o, arg);
	default:
		return -ENOTTY;
	}
}

static int
locked_ioctl(struct node_open *o, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case VIDIOC_QUERYCAP:
		return querycap(arg);
	case VIDIOC_G_FMT:
	case VIDIOC_S_FMT:
	case VIDIOC_TRY_FMT:
		return g_fmt(arg);
	case VIDIOC_REQBUFS:
		return reqbufs(o, arg);
	case VIDIOC_CREATE_BUFS:
		return create_bufs(o, arg);
	case VIDIOC_QUERYBUF:
		return querybuf(o, arg);
	case VIDIOC_QBUF:
		return qbuf(o, arg);
	case VIDIOC_DQBUF:
		return dqbuf(o, arg);
	case VIDIOC_STREAMON:
	case VIDIOC_STREAMOFF:
		return stream(o, *(uint32_t *)arg, cmd == VIDIOC_STREAMON);
	default:
		return other_ioctl(o, cmd, arg);
	}
}

/* ---- system calls ---- */

static void
sleep_ms(uint32_t ms)
{
	const struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static atomic_bool is_slow;

bool
node_is_slow(void)
{
	return is_slow;
}

static int
node_ioctl(int fd, unsigned long cmd, void *arg)
{
	int ret;

	if (udmabuf_memory(fd) != NULL) {
		udmabuf_sync(((struct dma_buf_sync *)arg)->flags);
		return 0;
	}
	if (node_rules.slow_ms > 0 && (node_rules.slow_cmd == 0 || node_rules.slow_cmd == cmd)) {
		is_slow = true;
		sleep_ms(node_rules.slow_ms);
		is_slow = false;
	}
	if (cmd == node_rules.fail_cmd) {
		return -node_rules.fail_error;
	}
	pthread_mutex_lock(&lock);
	ret = node_rules.unplugged ? -ENODEV : locked_ioctl(opens[fd], cmd, arg);
	pthread_mutex_unlock(&lock);
	return ret;
}

static int
node_open(const char *path)
{
	int fd;

	if (strcmp(path, "/dev/udmabuf") == 0) {
		return node_rules.udmabuf ? udmabuf_open() : -ENOENT;
	}
	if (node_rules.open_error != 0 || node_rules.unplugged) {
		return node_rules.unplugged ? -ENODEV : -node_rules.open_error;
	}
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_lock(&lock);
	opens[fd] = calloc(1, sizeof(*opens[fd]));
	snprintf(opened_by, sizeof(opened_by), "%s", path);
	newest = fd;
	nb_opened++;
	pthread_mutex_unlock(&lock);
	return fd;
}

static void
node_close(int fd)
{
	if (udmabuf_close(fd)) {
		return;
	}
	if (node_rules.slow_close) {
		sleep_ms(node_rules.slow_ms);
	}
	pthread_mutex_lock(&lock);
	free_buffers(&opens[fd]->queues[0]);
	free_buffers(&opens[fd]->queues[1]);
	free(opens[fd]);
	opens[fd] = NULL;
	pthread_mutex_unlock(&lock);
	close(fd);
}

static int
node_map(int fd, uint32_t offset, size_t bytes, void **addr)
{
	pthread_mutex_lock(&lock);
	*addr = opens[fd]->queues[offset >> 28].buffers[offset >> 16 & 0xff].memory[offset >> 12 &
										    1];
	pthread_mutex_unlock(&lock);
	return 0;
}

static void
node_unmap(void *addr, size_t bytes)
{
}

void
node_setup(uint32_t caps)
{
	node_rules = (struct node_rules){.caps = caps, .nb_planes = 2};
	brightness = 0;
	nb_opened = 0;
	v4l2_sys = (struct v4l2_sys){node_open, node_close, node_set_blocking, node_ioctl, node_map,
		node_unmap, udmabuf_create};
}

/* ---- what the test does to it ---- */

uint32_t
node_nb_open(void)
{
	uint32_t nb = 0;

	pthread_mutex_lock(&lock);
	for (int fd = 0; fd < MAX_OPENS; fd++) {
		nb += opens[fd] != NULL;
	}
	pthread_mutex_unlock(&lock);
	return nb;
}

uint32_t
node_nb_opened(void)
{
	return nb_opened;
}

const char *
node_path(void)
{
	return opened_by;
}

uint32_t
node_nb_queued(bool output)
{
	uint32_t nb;

	pthread_mutex_lock(&lock);
	nb = opens[newest] != NULL ? opens[newest]->queues[output].nb_order : 0;
	pthread_mutex_unlock(&lock);
	return nb;
}

uint8_t *
node_memory(bool output, uint32_t index, uint32_t plane)
{
	uint8_t *addr;

	pthread_mutex_lock(&lock);
	addr = opens[newest]->queues[output].buffers[index].memory[plane];
	pthread_mutex_unlock(&lock);
	return addr;
}

static int
finish(struct queue *q, bool output, uint8_t fill, uint32_t flags)
{
	struct buffer *buffer = &q->buffers[shift(q->order, &q->nb_order)];
	int seen = output ? *(uint8_t *)buffer->memory[nb_planes(q->type) - 1] : fill;

	for (uint32_t p = 0; p < nb_planes(q->type) && !output; p++) {
		memset(buffer->memory[p], fill, NODE_SIZE);
		buffer->bytesused[p] = NODE_SIZE - 1;
	}
	buffer->queued = false;
	buffer->done = true;
	buffer->b.sequence = q->sequence++;
	buffer->b.flags = flags;
	buffer->b.field = V4L2_FIELD_NONE;
	buffer->b.timestamp.tv_sec = 12;
	buffer->b.timestamp.tv_usec = 34;
	q->ready[q->nb_ready++] = buffer->b.index;
	return seen;
}

int
node_frame(bool output, uint8_t fill, uint32_t flags)
{
	int ret = -1;

	pthread_mutex_lock(&lock);
	if (opens[newest] != NULL && opens[newest]->queues[output].nb_order > 0 &&
		opens[newest]->queues[output].streaming) {
		ret = finish(&opens[newest]->queues[output], output, fill, flags);
		wake(newest);
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

void
node_event(uint32_t type, uint32_t id)
{
	pthread_mutex_lock(&lock);
	raise_event(type, id);
	pthread_mutex_unlock(&lock);
}

void
node_unplug(void)
{
	pthread_mutex_lock(&lock);
	node_rules.unplugged = true;
	for (int fd = 0; fd < MAX_OPENS; fd++) {
		if (opens[fd] != NULL) {
			wake(fd);
		}
	}
	pthread_mutex_unlock(&lock);
}

uint32_t
node_polled_for(void)
{
	return fd_polled_for(newest);
}
