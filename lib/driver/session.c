/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions, their event queues, and mappings of region 0. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

struct driver_session *
session_find(struct driver *drv, uint32_t id)
{
	struct driver_session *s = drv->sessions[id % SESSION_BUCKETS];

	while (s != NULL && s->id != id) {
		s = s->next;
	}
	return s;
}

static void
session_remove(struct driver_session *session)
{
	struct driver_session **p = &session->drv->sessions[session->id % SESSION_BUCKETS];

	while (*p != session) {
		p = &(*p)->next;
	}
	*p = session->next;
	free(session->fifo);
	free(session);
}

void
sessions_free(struct driver *drv)
{
	for (unsigned int i = 0; i < SESSION_BUCKETS; i++) {
		while (drv->sessions[i] != NULL) {
			session_remove(drv->sessions[i]);
		}
	}
}

/* Room for each buffer once and for the V4L2 events, so that no DQBUF is ever lost here. */
int
session_fifo_grow(struct driver_session *session)
{
	uint32_t need = MAX_V4L2_EVENTS + 1;
	struct driver_event *fifo;

	for (unsigned int i = 0; i < NB_BUFFER_TYPES; i++) {
		need += session->queues[i].allocated;
	}
	if (need <= session->fifo_size) {
		return 0;
	}
	fifo = calloc(need, sizeof(*fifo));
	if (fifo == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < session->fifo_count; i++) {
		fifo[i] = session->fifo[(session->fifo_head + i) % session->fifo_size];
	}
	free(session->fifo);
	session->fifo = fifo;
	session->fifo_size = need;
	session->fifo_head = 0;
	return 0;
}

void
session_fifo_push(struct driver_session *session, const struct driver_event *event)
{
	bool v4l2 = event->kind == DRIVER_EVENT_V4L2;
	uint32_t i;

	if (session->fifo_count == session->fifo_size ||
		(v4l2 && session->nb_v4l2_waiting == MAX_V4L2_EVENTS)) {
		session->drv->stats.events_overflow++;
		return;
	}
	i = (session->fifo_head + session->fifo_count) % session->fifo_size;
	session->fifo[i] = *event;
	session->fifo_count++;
	session->nb_v4l2_waiting += v4l2;
}

void
session_fifo_purge(struct driver_session *session, uint32_t type)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < session->fifo_count; i++) {
		struct driver_event *e =
			&session->fifo[(session->fifo_head + i) % session->fifo_size];

		if (e->kind == DRIVER_EVENT_DQBUF && e->dqbuf.buffer.type == type) {
			session->drv->stats.events_stale++;
			continue;
		}
		if (kept != i) {
			session->fifo[(session->fifo_head + kept) % session->fifo_size] = *e;
		}
		kept++;
	}
	session->fifo_count = kept;
}

int
driver_event_pop(struct driver_session *session, struct driver_event *event)
{
	if (session->fifo_count == 0) {
		return session->error ? -EIO : -EAGAIN;
	}
	*event = session->fifo[session->fifo_head];
	session->fifo_head = (session->fifo_head + 1) % session->fifo_size;
	session->fifo_count--;
	session->nb_v4l2_waiting -= event->kind == DRIVER_EVENT_V4L2;
	return 0;
}

int
driver_event_wait(struct driver_session *session, struct driver_event *event, int timeout_ms)
{
	uint64_t deadline = message_deadline(timeout_ms);
	int ret;

	while ((ret = driver_event_pop(session, event)) == -EAGAIN) {
		uint64_t now = clock_monotonic_ns();
		int left = timeout_ms;

		if (deadline != UINT64_MAX) {
			left = now < deadline ? (int)((deadline - now) / NSEC_PER_MSEC) + 1 : 0;
		}
		ret = driver_wait(session->drv, left);
		if (ret < 0 && session->fifo_count == 0) {
			return ret;
		}
	}
	return ret;
}

uint32_t
driver_session_id(const struct driver_session *session)
{
	return session->id;
}

void
driver_session_set_event_fn(struct driver_session *session, driver_event_fn *fn, void *arg)
{
	session->event_fn = fn;
	session->event_arg = arg;
}

/* A command whose R-part is `size` bytes at SLOT_CMD and whose W-part is `resp` at SLOT_RESP. */
static int
fill(struct command *cmd, const void *msg, uint32_t size, uint32_t resp)
{
	int ret;

	command_begin(cmd);
	cmd->decode = command_status;
	memcpy(cmd->mem + SLOT_CMD, msg, size);
	ret = command_add_read(cmd, cmd->mem + SLOT_CMD, size);
	return ret == 0 && resp != 0 ? command_add_write(cmd, cmd->mem + SLOT_RESP, resp) : ret;
}

/* Runs it; on success all of the answer is there and *out is a private copy of it. */
static int
run(struct driver *drv, const void *msg, uint32_t size, void *out, uint32_t resp)
{
	struct command *cmd = command_get(drv);
	int ret;

	if (cmd == NULL) {
		return -EAGAIN;
	}
	ret = fill(cmd, msg, size, resp);
	if (ret == 0) {
		ret = command_publish(cmd);
	}
	if (ret == 0) {
		ret = command_wait(cmd);
	}
	if (ret == 0 && cmd->used_len < resp) {
		drv->stats.bad_used_len++;
		ret = -EPROTO;
	}
	if (ret == 0 && resp != 0) {
		memcpy(out, cmd->mem + SLOT_RESP, resp);
	}
	if (cmd->state == COMMAND_HELD) {
		command_put(cmd);
	}
	return ret;
}

int
driver_open(struct driver *drv, struct driver_session **session)
{
	struct virtio_media_cmd_open msg = {.hdr = {.cmd = VIRTIO_MEDIA_CMD_OPEN}};
	struct virtio_media_resp_open resp;
	struct driver_session *s = calloc(1, sizeof(*s));
	struct driver_session **bucket;
	int ret = -ENOMEM;

	if (s == NULL) {
		return ret;
	}
	s->drv = drv;
	ret = session_fifo_grow(s);
	if (ret == 0) {
		ret = run(drv, &msg, sizeof(msg), &resp, sizeof(resp));
	}
	if (ret == 0 && session_find(drv, resp.session_id) != NULL) {
		drv->stats.bad_reply++;
		ret = -EPROTO;
	}
	if (ret != 0) {
		free(s->fifo);
		free(s);
		return ret;
	}
	s->id = resp.session_id;
	bucket = &drv->sessions[s->id % SESSION_BUCKETS];
	s->next = *bucket;
	*bucket = s;
	*session = s;
	return 0;
}

/* Requests still in flight end first: answered, or given up by their time-out. */
static void
finish_requests(struct driver_session *session)
{
	struct driver *drv = session->drv;

	while (session->nb_flight > 0 && drv->dead == 0 && drv->running) {
		driver_wait(drv, 100);
	}
	for (uint32_t i = 0; session->nb_flight > 0 && i < drv->nb_commands; i++) {
		struct command *cmd = &drv->commands[i];

		if (cmd->session == session && cmd->state == COMMAND_FLIGHT) {
			command_give_up(cmd, -ENODEV);
		}
	}
}

int
driver_close(struct driver_session *session)
{
	struct virtio_media_cmd_close msg = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_CLOSE}, .session_id = session->id};
	int ret;

	finish_requests(session);
	session->closing = true;
	ret = run(session->drv, &msg, sizeof(msg), NULL, 0);
	/* What the device published before the CLOSE was used is this session's, not a stranger's.
	 */
	events_collect(session->drv);
	session_remove(session);
	return ret;
}

static int
maps_add(struct driver *drv, uint64_t offset)
{
	for (uint32_t i = 0; i < drv->nb_maps; i++) {
		if (drv->maps[i].offset == offset) {
			drv->maps[i].refs++;
			return 0;
		}
	}
	if (drv->nb_maps == drv->maps_size) {
		uint32_t size = MAX(drv->maps_size * 2, 64u);
		struct live_map *maps = realloc(drv->maps, size * sizeof(*maps));

		if (maps == NULL) {
			return -ENOMEM;
		}
		drv->maps = maps;
		drv->maps_size = size;
	}
	drv->maps[drv->nb_maps++] = (struct live_map){offset, 1};
	return 0;
}

static int
unmap(struct driver *drv, uint64_t offset)
{
	struct virtio_media_cmd_munmap msg = {
		.hdr = {.cmd = VIRTIO_MEDIA_CMD_MUNMAP}, .driver_addr = offset};
	struct virtio_media_resp_munmap resp;

	return run(drv, &msg, sizeof(msg), &resp, sizeof(resp));
}

int
driver_mmap(struct driver_session *session, uint32_t mem_offset, bool writable, void **addr,
	size_t *len)
{
	struct driver *drv = session->drv;
	struct virtio_media_cmd_mmap msg = {.hdr = {.cmd = VIRTIO_MEDIA_CMD_MMAP},
		.session_id = session->id,
		.flags = writable ? 1u << VIRTIO_MEDIA_MMAP_FLAG_RW_BIT : 0,
		.offset = mem_offset};
	struct virtio_media_resp_mmap resp;
	int ret;

	if (drv->window.bytes == 0) {
		return -ENODEV;
	}
	if (session->error) {
		return -EIO;
	}
	ret = run(drv, &msg, sizeof(msg), &resp, sizeof(resp));
	if (ret != 0) {
		return ret;
	}
	if (resp.driver_addr % MEMORY_PAGE_BYTES != 0 || resp.len == 0 ||
		!window_is_mapped(&drv->window, resp.driver_addr, resp.len)) {
		drv->stats.bad_reply++;
		return -EPROTO;
	}
	ret = maps_add(drv, resp.driver_addr);
	if (ret != 0) {
		unmap(drv, resp.driver_addr);
		return ret;
	}
	*addr = drv->window.base + resp.driver_addr;
	*len = resp.len;
	return 0;
}

int
driver_munmap(struct driver *drv, void *addr)
{
	uint64_t offset = (uintptr_t)addr - (uintptr_t)drv->window.base;
	uint32_t i = 0;
	int ret;

	while (i < drv->nb_maps && drv->maps[i].offset != offset) {
		i++;
	}
	if (drv->window.bytes == 0 || i == drv->nb_maps) {
		return -EINVAL;
	}
	ret = unmap(drv, offset);
	if (--drv->maps[i].refs == 0) {
		drv->maps[i] = drv->maps[--drv->nb_maps];
	}
	return ret;
}

int
driver_window_file(struct driver *drv, const void *addr, size_t len, int *fd, uint64_t *fd_offset)
{
	return window_file(
		&drv->window, (uintptr_t)addr - (uintptr_t)drv->window.base, len, fd, fd_offset);
}
