/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions: one OPEN each. Ids are monotonic and never reissued before they wrap (R-36, T-20); the
 * table is indexed by their low bits, so an id whose place is taken by a long-lived session is
 * passed over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "device/internal.h"

/* Closed sessions whose jobs are still under way, at most one a request, come on top of those open.
 */
static uint32_t
nb_places(const struct vmedia_device *device)
{
	return device->quota.max_sessions + DEVICE_NB_REQUESTS;
}

/* Memory for all sessions there can be, so that OPEN allocates nothing. Places never used cost
 * address space only: calloc leaves large blocks untouched. */
static int
memory_create(struct vmedia_device *device)
{
	struct session_memory *m = &device->session_memory;
	uint32_t nb = nb_places(device);

	m->priv_bytes = round_up(device->backend->session_bytes, CACHE_LINE_BYTES);
	m->sessions = calloc(nb, sizeof(m->sessions[0]));
	m->subscriptions =
		calloc((size_t)nb * device->quota.max_subscriptions, sizeof(m->subscriptions[0]));
	m->privs = calloc(nb, MAX(m->priv_bytes, 1));
	m->ctrls = calloc(device_is_m2m(device) ? nb : 1, ctrls_bytes(device));
	return m->sessions != NULL && m->subscriptions != NULL && m->privs != NULL &&
	                       m->ctrls != NULL
	               ? 0
	               : -ENOMEM;
}

int
session_table_create(struct vmedia_device *device)
{
	uint32_t nb = (uint32_t)round_up_power_of_2(device->quota.max_sessions);

	device->session_table = calloc(nb, sizeof(device->session_table[0]));
	device->session_mask = nb - 1;
	device->next_session_id = 1;
	TAILQ_INIT(&device->sessions);
	TAILQ_INIT(&device->free_sessions);
	TAILQ_INIT(&device->closing_sessions);
	return device->session_table != NULL ? memory_create(device) : -ENOMEM;
}

void
session_table_destroy(struct vmedia_device *device)
{
	struct session_memory *m = &device->session_memory;

	free(m->sessions);
	free(m->subscriptions);
	free(m->privs);
	free(m->ctrls);
	free(device->session_table);
}

/* One closed before, else a place never used. */
static struct vmedia_session *
session_take(struct vmedia_device *device)
{
	struct vmedia_session *session = TAILQ_FIRST(&device->free_sessions);
	struct session_memory *m = &device->session_memory;
	size_t place;

	if (session != NULL) {
		TAILQ_REMOVE(&device->free_sessions, session, link);
	} else if (m->nb_used < nb_places(device)) {
		session = &m->sessions[m->nb_used++];
	} else {
		return NULL;
	}
	place = (size_t)(session - m->sessions);
	memset(session, 0, sizeof(*session));
	session->subscriptions = &m->subscriptions[place * device->quota.max_subscriptions];
	session->priv = &m->privs[place * m->priv_bytes];
	memset(session->subscriptions, 0,
		device->quota.max_subscriptions * sizeof(session->subscriptions[0]));
	memset(session->priv, 0, m->priv_bytes);
	return session;
}

/* There is a free place, so this ends within one lap. */
static uint32_t
next_id(struct vmedia_device *device)
{
	uint32_t id;

	do {
		id = device->next_session_id++;
	} while (id == 0 || device->session_table[id & device->session_mask] != NULL);
	return id;
}

/* What a node's capabilities make of its two queues; the first that fits. */
static const struct {
	uint32_t caps;
	uint32_t types[2]; /* DEVICE_CAPTURE, DEVICE_OUTPUT */
} queue_types[] = {
	{V4L2_CAP_VIDEO_M2M, {V4L2_BUF_TYPE_VIDEO_CAPTURE, V4L2_BUF_TYPE_VIDEO_OUTPUT}},
	{V4L2_CAP_VIDEO_M2M_MPLANE,
		{V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE}},
	{V4L2_CAP_VIDEO_CAPTURE, {V4L2_BUF_TYPE_VIDEO_CAPTURE, 0}},
	{V4L2_CAP_VIDEO_CAPTURE_MPLANE, {V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE, 0}},
	{V4L2_CAP_VBI_CAPTURE, {V4L2_BUF_TYPE_VBI_CAPTURE, 0}},
	{V4L2_CAP_SLICED_VBI_CAPTURE, {V4L2_BUF_TYPE_SLICED_VBI_CAPTURE, 0}},
	{V4L2_CAP_SDR_CAPTURE, {V4L2_BUF_TYPE_SDR_CAPTURE, 0}},
	{V4L2_CAP_META_CAPTURE, {V4L2_BUF_TYPE_META_CAPTURE, 0}},
	{V4L2_CAP_VIDEO_OUTPUT, {0, V4L2_BUF_TYPE_VIDEO_OUTPUT}},
	{V4L2_CAP_VIDEO_OUTPUT_MPLANE, {0, V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE}},
	{V4L2_CAP_VBI_OUTPUT, {0, V4L2_BUF_TYPE_VBI_OUTPUT}},
	{V4L2_CAP_SLICED_VBI_OUTPUT, {0, V4L2_BUF_TYPE_SLICED_VBI_OUTPUT}},
	{V4L2_CAP_SDR_OUTPUT, {0, V4L2_BUF_TYPE_SDR_OUTPUT}},
	{V4L2_CAP_META_OUTPUT, {0, V4L2_BUF_TYPE_META_OUTPUT}},
};

static uint32_t
node_queue_type(const struct vmedia_device *device, int direction)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(queue_types); i++) {
		if (device->node.device_caps & queue_types[i].caps &&
			queue_types[i].types[direction] != 0) {
			return queue_types[i].types[direction];
		}
	}
	return 0;
}

static void
session_init(struct vmedia_device *device, struct vmedia_session *session)
{
	bool m2m = device_is_m2m(device);
	int i;

	session->device = device;
	TAILQ_INIT(&session->waiting);
	for (i = 0; i < 2; i++) {
		bufq_init(&session->queues[i], node_queue_type(device, i), m2m);
	}
	if (m2m) {
		context_init(device, &session->context);
		session->context.ctrls =
			(struct ctrl_state *)(void *)(device->session_memory.ctrls +
						      (size_t)(session -
							       device->session_memory.sessions) *
							      ctrls_bytes(device));
		ctrls_init(device, session->context.ctrls);
	}
	session->id = next_id(device);
}

int
session_open(struct vmedia_request *request, struct vmedia_session **result)
{
	struct vmedia_device *device = request->device;
	struct vmedia_session *session;
	int err = 0;

	if (device->nb_open_sessions >= device->quota.max_sessions) {
		counter_inc(&device->counters.nb_quota);
		counter_inc(&device->refused.quota_sessions);
		return -EMFILE;
	}
	session = session_take(device);
	if (session == NULL) {
		return -ENOMEM;
	}
	session_init(device, session);
	if (device->backend->open_later != NULL) {
		err = device->backend->open_later(session, request);
	} else if (device->backend->open != NULL) {
		err = device->backend->open(session);
	}
	if (err < 0) {
		TAILQ_INSERT_HEAD(&device->free_sessions, session, link);
		return err;
	}
	device->session_table[session->id & device->session_mask] = session;
	TAILQ_INSERT_TAIL(&device->sessions, session, link);
	counter_inc(&device->nb_open_sessions);
	counter_inc(&device->counters.nb_sessions);
	trace_hook(session_open, .device = (uint16_t)device->index, .session = session->id);
	*result = session;
	return err;
}

void
session_free(struct vmedia_session *session)
{
	TAILQ_REMOVE(&session->device->closing_sessions, session, link);
	TAILQ_INSERT_HEAD(&session->device->free_sessions, session, link);
}

static int
backend_close(struct vmedia_session *session, struct vmedia_request *request)
{
	const struct vmedia_backend_ops *backend = session->device->backend;

	if (request != NULL && backend->close_later != NULL) {
		return backend->close_later(session, request);
	}
	if (backend->close != NULL) {
		backend->close(session);
	}
	return 0;
}

int
session_close(struct vmedia_session *session, struct vmedia_request *request)
{
	struct vmedia_device *device = session->device;
	int i, ret;

	session_free_buffers(session); /* also ends its streams, so it is told ahead of the end */
	event_withdraw(session, NULL);
	ret = backend_close(session, request);
	for (i = 0; i < 2; i++) {
		if (device->owner[i] == session) {
			device->owner[i] = NULL;
		}
	}
	device->session_table[session->id & device->session_mask] = NULL;
	TAILQ_REMOVE(&device->sessions, session, link);
	counter_sub(&device->nb_open_sessions, 1);
	trace_hook(session_close, .device = (uint16_t)device->index, .session = session->id);
	session->closing = true;
	TAILQ_INSERT_TAIL(&device->closing_sessions, session, link);
	if (session->nb_jobs == 0) {
		session_free(session);
	}
	return ret;
}

void
session_close_all(struct vmedia_device *device)
{
	struct vmedia_session *session;

	while ((session = TAILQ_FIRST(&device->sessions)) != NULL) {
		session_close(session, NULL);
	}
}

void
session_run_waiting(struct vmedia_device *device)
{
	struct vmedia_session *session, *next;

	for (session = TAILQ_FIRST(&device->sessions); session != NULL; session = next) {
		next = TAILQ_NEXT(session, link);
		command_run_waiting(session);
	}
}
