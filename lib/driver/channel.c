/* SPDX-License-Identifier: BSD-3-Clause */
/* The back-end channel and the helper thread that serves it. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "driver/frontend.h"

LOG_TYPE_USE(driver);

static void
count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static bool
is_started(struct frontend *fe)
{
	bool started;

	pthread_mutex_lock(&fe->lock);
	started = fe->started;
	pthread_mutex_unlock(&fe->lock);
	return started;
}

static int
handle(struct frontend *fe, const struct vhost_user_header *hdr, const uint8_t *body,
	const struct message_reader *reader)
{
	struct window_request req;
	unsigned int nb_fds = reader->nb_fds + reader->nb_surplus;

	if (hdr->request == VHOST_USER_BACKEND_CONFIG_CHANGE) {
		return hdr->size == 0 && nb_fds == 0 ? 0 : -EINVAL;
	}
	if (hdr->request != VHOST_USER_BACKEND_SHMEM_MAP &&
		hdr->request != VHOST_USER_BACKEND_SHMEM_UNMAP) {
		return -ENOSYS;
	}
	if (hdr->size != sizeof(req) ||
		nb_fds != (hdr->request == VHOST_USER_BACKEND_SHMEM_MAP ? 1 : 0)) {
		return -EINVAL;
	}
	memcpy(&req, body, sizeof(req));
	return hdr->request == VHOST_USER_BACKEND_SHMEM_MAP
	               ? window_map(fe->window, &req, reader->fds[0])
	               : window_unmap(fe->window, &req);
}

static void
account(struct frontend *fe, uint32_t request, int ret)
{
	if (ret != 0) {
		count(&fe->nb_refused);
		log_warning(&log_driver, "request %u of the back-end refused: %s", request,
			strerror(-ret));
	} else if (request == VHOST_USER_BACKEND_SHMEM_MAP) {
		count(&fe->nb_maps);
	} else if (request == VHOST_USER_BACKEND_SHMEM_UNMAP) {
		count(&fe->nb_unmaps);
	}
}

/* QEMU always says 1 for a refusal. */
static int
reply(struct frontend *fe, uint32_t request, int ret)
{
	struct vhost_user_header hdr = {
		request, VHOST_USER_VERSION | VHOST_USER_REPLY, sizeof(uint64_t)};
	uint64_t value = ret == 0 ? 0 : 1;

	return wire_send(fe->channel, &hdr, &value, NULL, 0, message_deadline(fe->timeout_ms));
}

static int
serve_body(struct frontend *fe, const struct vhost_user_header *hdr, struct message_reader *reader)
{
	uint8_t body[64];
	bool map_changed;
	int ret;

#ifndef VMEDIA_PLANT_FRONTEND /* the planted defect: the back-end's size is believed */
	if (hdr->size > sizeof(body)) {
		return -EPROTO;
	}
#endif
	ret = wire_read(reader, body, hdr->size);
	if (ret != 0) {
		return ret;
	}
	/* QEMU would crash on a request for a stopped device (vmm.md 1.4). */
	ret = is_started(fe) ? handle(fe, hdr, body, reader) : -ENODEV;
	account(fe, hdr->request, ret);
	map_changed = ret == 0 && hdr->request != VHOST_USER_BACKEND_CONFIG_CHANGE;
	ret = (hdr->flags & VHOST_USER_NEED_REPLY) ? reply(fe, hdr->request, ret) : 0;
	if (ret == 0 && map_changed && fe->resend_memory) {
		pthread_mutex_lock(&fe->lock);
		if (fe->started && !frontend_is_dead(fe) && frontend_send_memory(fe) != 0) {
			frontend_set_dead(fe);
		}
		pthread_mutex_unlock(&fe->lock);
	}
	return ret;
}

int
channel_serve(struct frontend *fe)
{
	struct vhost_user_header hdr;
	int fds[1];
	struct message_reader reader = {.sock = fe->channel,
		.wake_fd = fe->wake_fd,
		.deadline_ns = UINT64_MAX,
		.fds = fds,
		.max_fds = 1};
	int ret = wire_read(&reader, &hdr, sizeof(hdr));

	if (ret == 0 &&
		((hdr.flags & 3) != VHOST_USER_VERSION || (hdr.flags & VHOST_USER_REPLY) != 0)) {
		ret = -EPROTO;
	}
	if (ret == 0) {
		ret = serve_body(fe, &hdr, &reader);
	}
	for (unsigned int i = 0; i < reader.nb_fds; i++) {
		close(fds[i]);
	}
	return ret;
}

/* Sleeps until the back-end asks, hangs up, or we are told to end. */
static void *
helper_run(void *arg)
{
	struct frontend *fe = arg;
	struct pollfd fds[3] = {{.fd = fe->wake_fd, .events = POLLIN},
		{.fd = fe->sock, .events = POLLRDHUP}, {.fd = fe->channel, .events = POLLIN}};

	for (;;) {
		if (poll(fds, 3, -1) < 0 && errno != EINTR) {
			break;
		}
		if (fds[0].revents != 0) {
			break;
		}
		if (fds[1].revents != 0) {
			frontend_set_dead(fe);
			fds[1].fd = -1;
		}
		if (fds[2].revents != 0) {
			int ret = channel_serve(fe);

			if (ret != 0 && ret != -ECANCELED) {
				log_warning(
					&log_driver, "back-end channel lost: %s", strerror(-ret));
				fds[2].fd = -1;
			}
		}
	}
	return NULL;
}

int
channel_start(struct frontend *fe)
{
	int ret = pthread_create(&fe->helper, NULL, helper_run, fe);

	fe->helper_runs = ret == 0;
	return -ret;
}

void
channel_stop(struct frontend *fe)
{
	uint64_t one = 1;

	if (!fe->helper_runs) {
		return;
	}
	/* An eventfd of ours that nobody else writes never blocks. */
	if (write(fe->wake_fd, &one, sizeof(one)) == (ssize_t)sizeof(one)) {
		pthread_join(fe->helper, NULL);
	}
	fe->helper_runs = false;
}
