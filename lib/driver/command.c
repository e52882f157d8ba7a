/* SPDX-License-Identifier: BSD-3-Clause */
/* Command slots: taken, filled, published, answered. HOT. */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "driver/internal.h"

#define SPINS_PER_CHECK 256

struct command *
command_get(struct driver *drv)
{
	struct command *cmd = drv->free_commands;

	if (unlikely(cmd == NULL)) {
		return NULL;
	}
	drv->free_commands = cmd->next_free;
	cmd->state = COMMAND_HELD;
	return cmd;
}

void
command_put(struct command *cmd)
{
	struct driver *drv = cmd->drv;

	if (cmd->desc != NULL || cmd->extra != NULL) {
		payload_release(cmd);
	}
	cmd->state = COMMAND_FREE;
	cmd->session = NULL;
	cmd->raw = NULL;
	cmd->next_free = drv->free_commands;
	drv->free_commands = cmd;
}

void
command_begin(struct command *cmd)
{
	cmd->chain.nb_read = cmd->chain.nb_write = 0;
	cmd->write_bytes = 0;
	cmd->finished = cmd->marked = false;
	cmd->done = NULL;
	cmd->session = NULL;
	cmd->raw = NULL;
	cmd->desc = NULL;
}

/* At most 8 parts come, so each may be cut into 8 pieces. */
static int
add_part(struct command *cmd, const void *mem, uint32_t bytes, uint16_t *nb)
{
	struct ring_chain *chain = &cmd->chain;
	uint64_t gpa = memory_gpa(&cmd->drv->mem, mem, bytes);
	uint32_t piece = bytes;

	if (unlikely(cmd->drv->config.fragment_bytes != 0)) {
		piece = MAX(cmd->drv->config.fragment_bytes, (bytes + 7) / 8);
	}
	while (bytes > 0) {
		uint16_t i = chain->nb_read + chain->nb_write;
		uint32_t len = MIN(bytes, piece);

		if (unlikely(i >= RING_MAX_DESCS)) {
			return -ENOSPC;
		}
		chain->bufs[i] = (struct ring_buf){gpa, len};
		(*nb)++;
		gpa += len;
		bytes -= len;
	}
	return 0;
}

int
command_add_read(struct command *cmd, const void *mem, uint32_t bytes)
{
	return add_part(cmd, mem, bytes, &cmd->chain.nb_read);
}

int
command_add_write(struct command *cmd, const void *mem, uint32_t bytes)
{
	cmd->write_bytes += bytes;
	return add_part(cmd, mem, bytes, &cmd->chain.nb_write);
}

int
command_publish(struct command *cmd)
{
	struct driver *drv = cmd->drv;
	struct ring *ring = &drv->rings[DRIVER_QUEUE_COMMAND];
	int ret;

	if (unlikely(!drv->running || drv->dead != 0)) {
		return drv->dead != 0 ? drv->dead : -ENODEV;
	}
	cmd->finished = cmd->excused = false;
	cmd->timing.submit_tsc = clock_tsc();
	cmd->deadline_tsc = cmd->timing.submit_tsc + drv->timeout_tsc;
	ret = ring_add(ring, &cmd->chain);
	if (unlikely(ret != 0)) {
		return ret;
	}
	cmd->state = COMMAND_FLIGHT;
	drv->nb_flight++;
	drv->stats.commands++;
	ring_kick(ring);
	return 0;
}

int
command_status(struct command *cmd)
{
	uint32_t status;

	if (cmd->write_bytes == 0) {
		return 0;
	}
	if (unlikely(cmd->used_len < sizeof(struct virtio_media_resp_header))) {
		cmd->drv->stats.bad_used_len++;
		return -EPROTO;
	}
	memcpy(&status, cmd->mem + SLOT_RESP, sizeof(status));
	if (unlikely(status > 4095)) {
		cmd->drv->stats.bad_status++;
		return -EPROTO;
	}
	return -(int)status;
}

/* The answer is decoded: hand it to who waits. */
static void
finish(struct command *cmd, int status)
{
	struct driver_session *session = cmd->session;
	driver_done_fn *done = cmd->done;
	struct driver_timing timing = cmd->timing;
	void *cookie = cmd->cookie;

	cmd->status = status;
	cmd->finished = true;
	if (cmd->desc != NULL && session != NULL) {
		ioctl_track_done(cmd);
		status = cmd->status;
	}
	if (done == NULL) {
		return;
	}
	cmd->done = NULL;
	if (cmd->state == COMMAND_HELD) {
		command_put(cmd);
	}
	session->nb_flight--;
	done(session, status, &timing, cookie);
}

static void
complete(struct driver *drv, struct command *cmd, uint32_t used_len)
{
	int status;

	drv->nb_flight--;
	if (unlikely(cmd->state != COMMAND_FLIGHT)) {
		drv->stats.late++;
		command_put(cmd);
		return;
	}
	cmd->state = COMMAND_HELD;
	cmd->timing.seen_tsc = clock_tsc_after_loads();
	drv->stats.completions++;
	cmd->used_len = used_len;
	if (unlikely(used_len > cmd->write_bytes)) {
		drv->stats.bad_used_len++;
		cmd->used_len = 0;
		status = -EPROTO;
	} else {
		status = cmd->decode(cmd);
	}
	finish(cmd, status);
}

unsigned int
command_collect(struct driver *drv)
{
	struct ring *ring = &drv->rings[DRIVER_QUEUE_COMMAND];
	unsigned int nb = 0;
	uint16_t token;
	uint32_t used_len;

	while (nb < COMPLETION_BATCH && ring_pop(ring, &token, &used_len) > 0) {
		complete(drv, &drv->commands[token], used_len);
		nb++;
	}
	return nb;
}

void
command_give_up(struct command *cmd, int status)
{
	cmd->state = COMMAND_GIVEN_UP;
	cmd->timing.seen_tsc = clock_tsc_after_loads();
	finish(cmd, status);
	/* The session and the argument may go away now; the slot stays. */
	cmd->session = NULL;
	cmd->arg = NULL;
	if (cmd->raw != NULL) {
		raw_detach(cmd);
	}
}

void
command_fail_all(struct driver *drv, int status)
{
	for (uint32_t i = 0; i < drv->nb_commands; i++) {
		if (drv->commands[i].state == COMMAND_FLIGHT) {
			command_give_up(&drv->commands[i], status);
		}
	}
}

int
command_wait(struct command *cmd)
{
	struct driver *drv = cmd->drv;
	unsigned int spins = 0;

	while (!cmd->finished) {
		if (command_collect(drv) + events_collect(drv) > 0) {
			continue;
		}
		if (drv->config.wait == DRIVER_SLEEP) {
			driver_idle(drv, cmd->deadline_tsc);
		} else {
			cpu_relax();
			if (likely(++spins % SPINS_PER_CHECK != 0)) {
				continue;
			}
		}
		/* Time-outs and death finish the command with an error. */
		driver_check(drv);
	}
	return cmd->status;
}

int
command_run(struct command *cmd)
{
	int ret = command_publish(cmd);

	if (ret == 0) {
		ret = command_wait(cmd);
	}
	if (cmd->state == COMMAND_HELD) {
		command_put(cmd);
	}
	return ret;
}
