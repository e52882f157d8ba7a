/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests that are not answered at once: deadlines, reset, guest memory that moves. */
#include <errno.h>

#include "device/internal.h"

static uint64_t
first_deadline(const struct request_list *list)
{
	const struct vmedia_request *request = TAILQ_FIRST(list);

	return request != NULL ? request->deadline_tsc : REACTOR_NO_DEADLINE;
}

static void
expire_list(struct vmedia_device *device, struct request_list *list, uint64_t now_tsc)
{
	struct vmedia_request *request;

	while ((request = TAILQ_FIRST(list)) != NULL && request->deadline_tsc <= now_tsc) {
		if (request->state == REQUEST_DRAINING) {
			device->given_up = MAX(device->given_up, request->drain_event);
			request_answer(request, 0);
			continue;
		}
		counter_inc(&device->counters.nb_timed_out);
		counter_inc(&device->refused.deadline);
		request_trace_deadline(request);
		if (request->state == REQUEST_DEFERRED) {
			request_give_up(request, -EIO);
		} else {
			request_answer(request, -EIO);
		}
	}
}

/* What is answered may let others of its session go on, which may be parked in any list: the next
 * deadline is looked for when all are through. */
void
request_expire(struct vmedia_device *device, uint64_t now_tsc)
{
	uint64_t next;

	expire_list(device, &device->deferred, now_tsc);
	expire_list(device, &device->draining, now_tsc);
	if (device_may_answer(device)) {
		expire_list(device, &device->window_waiting, now_tsc);
	}
	next = MIN(first_deadline(&device->deferred), first_deadline(&device->draining));
	if (device_may_answer(device)) {
		next = MIN(next, first_deadline(&device->window_waiting));
	}
	device->next_deadline_tsc = next;
}

static void
hurry_list(const struct vmedia_device *device, struct request_list *list)
{
	struct vmedia_request *request;

	TAILQ_FOREACH (request, list, link) {
		request->deadline_tsc = MIN(request->deadline_tsc, device->stop_tsc);
	}
}

void
request_hurry_all(struct vmedia_device *device)
{
	hurry_list(device, &device->deferred);
	hurry_list(device, &device->draining);
	hurry_list(device, &device->window_waiting);
	device->next_deadline_tsc = MIN(device->next_deadline_tsc, device->stop_tsc);
}

/* All chains are the pool's, so the walk is over the pool. */
void
request_drop_all(struct vmedia_device *device)
{
	unsigned int i;

	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		request_drop(&device->requests[i]);
	}
	device->nb_unpublished = 0;
	device->nb_spans = 0;
	device->next_deadline_tsc = REACTOR_NO_DEADLINE;
}

/* Where an address of the old memory is in the new; NULL: nowhere, or not in one piece. */
static void *
rebase(const struct guest_mem *from, const struct guest_mem *to, const struct iovec *iov)
{
	uint32_t hint = 0;
	uint32_t i;

	for (i = 0; i < from->nb_regions; i++) {
		const struct guest_mem_region *r = &from->regions[i];
		uint64_t off = (uint64_t)((uintptr_t)iov->iov_base - (uintptr_t)r->addr);
		uint64_t len = iov->iov_len;
		void *addr;

		if (off >= r->size_bytes) {
			continue;
		}
		addr = guest_mem_translate(to, &hint, r->gpa + off, &len);
		return len == iov->iov_len ? addr : NULL;
	}
	return NULL;
}

static void
rebase_request(struct vmedia_request *request, const struct guest_mem *to)
{
	struct virtq_chain *chain = &request->chain;
	unsigned int i;

	for (i = 0; i < chain->nb_readable + chain->nb_writable; i++) {
		void *addr = to != NULL ? rebase(&request->device->mem, to, &chain->iov[i]) : NULL;

		if (addr == NULL) {
			request->stale = true;
			return;
		}
		chain->iov[i].iov_base = addr;
	}
}

void
request_rebase_all(struct vmedia_device *device, const struct guest_mem *mem)
{
	unsigned int i;

	for (i = 0; i < DEVICE_NB_REQUESTS; i++) {
		struct vmedia_request *request = &device->requests[i];

		if (request->state != REQUEST_FREE && request->state != REQUEST_EXPIRED &&
			!request->stale) {
			rebase_request(request, mem);
		}
	}
}
