/* SPDX-License-Identifier: BSD-3-Clause */
/* protocol.md 7.3: sessions. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "harness.h"

static int
try_open(struct h *h, uint32_t *id)
{
	struct virtio_media_cmd_open cmd = {.hdr.cmd = VIRTIO_MEDIA_CMD_OPEN};
	static struct h_reply reply;
	int ret = h_cmd(h, &cmd, sizeof(cmd), sizeof(reply.open), &reply);

	*id = reply.open.session_id;
	return ret;
}

/* proves: R-35 R-36 B8 */
Test(device_session, ids_are_never_reissued)
{
	struct h *h = h_create(NULL);
	uint32_t kept = h_open(h), last = kept, i;

	for (i = 0; i < 2000; i++) {
		uint32_t id = h_open(h);

		cr_assert_gt(id, last);
		last = id;
		h_close(h, id);
	}
	cr_assert_eq(kept, 1);
	cr_assert_not_null(session_find(h->device, kept));
	h_destroy(h);
}

/* proves: R-35 B8 */
Test(device_session, ids_that_wrap_pass_over_the_open_ones)
{
	struct h *h = h_create(NULL);
	uint32_t first = h_open(h), id;

	h->device->next_session_id = UINT32_MAX;
	cr_assert_eq(h_open(h), UINT32_MAX);
	id = h_open(h);
	cr_assert_neq(id, 0);
	cr_assert_neq(id, first);
	cr_assert_not_null(session_find(h->device, first));
	h_destroy(h);
}

/* proves: R-39 S-14 B9 */
Test(device_session, the_quota_of_sessions_is_emfile)
{
	struct h *h = h_create(&(struct h_config){.max_sessions = 5});
	uint32_t ids[5], id, i;

	for (i = 0; i < 5; i++) {
		cr_assert_eq(try_open(h, &ids[i]), 0);
	}
	cr_assert_eq(try_open(h, &id), -EMFILE);
	cr_assert_eq(h->device->counters.nb_quota, 1);
	h_close(h, ids[2]);
	cr_assert_eq(try_open(h, &id), 0);
	h_destroy(h);
}

/* proves: S-23 */
Test(device_session, a_backend_that_refuses_leaves_no_session)
{
	struct h *h = h_create(NULL);
	uint32_t id;

	h->backend->refuse_open = true;
	cr_assert_eq(try_open(h, &id), -EBUSY);
	cr_assert_eq(h->device->nb_open_sessions, 0);
	h->backend->refuse_open = false;
	cr_assert_eq(try_open(h, &id), 0);
	h_destroy(h);
}

/* proves: R-42 S-9 */
Test(device_session, close_of_an_unknown_id_is_nothing)
{
	struct h *h = h_create(NULL);

	h_close(h, 0);
	h_close(h, 77);
	h_close(h, UINT32_MAX);
	cr_assert_eq(h->backend->nb_closed, 0);
	h_destroy(h);
}

/* proves: R-43 S-9 */
Test(device_session, commands_of_an_unknown_session_are_einval)
{
	struct h *h = h_create(NULL);
	struct v4l2_control c = {.id = H_CTRL};
	uint32_t s = h_open(h);
	uint64_t addr;

	cr_assert_eq(h_ioctl(h, s + 1, _IOC_NR(VIDIOC_G_CTRL), &c, 8, 8), -EINVAL);
	cr_assert_eq(h_ioctl(h, s + 256, _IOC_NR(VIDIOC_G_CTRL), &c, 8, 8), -EINVAL);
	cr_assert_eq(h_mmap(h, 0, 0, 1, &addr), -EINVAL);
	h_destroy(h);
}

/* proves: R-40 S-14 */
Test(device_session, close_without_streamoff_takes_everything_back)
{
	struct h *h = h_create(NULL);
	struct shm_arena_usage usage;
	uint32_t s = h_open(h);

	cr_assert_eq(h_reqbufs(h, s, 8), 8);
	cr_assert_eq(h_qbuf(h, s, 3), 0);
	cr_assert_eq(h_stream(h, s, true), 0);
	cr_assert_eq(h_subscribe(h, s, V4L2_EVENT_CTRL, H_CTRL, 0), 0);
	h_close(h, s);
	h_settle(h);
	cr_assert_eq(h->backend->nb_stopped, 1);
	cr_assert_eq(h->backend->nb_closed, 1);
	cr_assert(TAILQ_EMPTY(&h->backend->queued));
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	cr_assert_eq(h->device->counters.nb_cancelled, 1);
	cr_assert_null(h->device->owner[DEVICE_CAPTURE]);
	h_destroy(h);
}

/* proves: R-44 R-86 S-10 */
Test(device_session, a_session_cannot_touch_the_buffers_of_another)
{
	struct h *h = h_create(NULL);
	uint32_t a = h_open(h), b = h_open(h);
	uint64_t addr;

	cr_assert_eq(h_reqbufs(h, a, 2), 2);
	cr_assert_eq(h_qbuf(h, b, 0), -EINVAL);
	cr_assert_eq(h_mmap(h, b, 0, 1, &addr), -EINVAL);
	cr_assert_eq(h_reqbufs(h, b, 2), -EBUSY);
	cr_assert_eq(h_stream(h, b, true), -EBUSY);
	h_close(h, a);
	cr_assert_eq(h_reqbufs(h, b, 2), 2);
	h_destroy(h);
}

/* proves: S-14 B25 */
Test(device_session, many_sessions_leave_nothing_behind)
{
	struct h *h = h_create(&(struct h_config){.packed = true});
	struct shm_arena_usage usage;

	for (int i = 0; i < 300; i++) {
		uint32_t s = h_open(h);

		cr_assert_eq(h_reqbufs(h, s, 2), 2, "round %d", i);
		cr_assert_eq(h_qbuf(h, s, 0), 0);
		h_close(h, s);
	}
	h_settle(h);
	shm_arena_usage(h->device->arena, &usage);
	cr_assert_eq(usage.allocated_bytes, 0);
	cr_assert_eq(h->device->first_free, 0);
	h_destroy(h);
}
