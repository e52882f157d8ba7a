/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a backend may call that forwards ioctls to another device, which has formats, controls,
 * buffers and events of its own; after vmedia/backend.h. lib/backend/v4l2 is such a backend.
 *
 * It answers most ioctls later (VMEDIA_DEFER). Buffers of the guest are the core's all the same:
 * the backend asks the other device first, then has the core make as many of such a size. All calls
 * are for the device's reactor.
 */
#ifndef VMEDIA_FORWARD_H
#define VMEDIA_FORWARD_H

#include "vmedia/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of the ioctl at hand: its number (_IOC_NR). */
uint32_t vmedia_request_ioctl(const struct vmedia_request *request);
struct vmedia_session *vmedia_request_session(const struct vmedia_request *request);
/* Whether somebody still waits for the answer: not after the deadline, CLOSE and reset. */
bool vmedia_request_is_alive(const struct vmedia_request *request);
/* The argument of a deferred request: it becomes the answer. */
void *vmedia_request_arg(struct vmedia_request *request);

/*
 * Controls of G/S/TRY_EXT_CTRLS with what they point to: payloads in the guest's pages are copied,
 * and ptr is into bytes[].
 */
#define VMEDIA_CTRL_BYTES  65536 /* of all payloads of one command */
#define VMEDIA_CTRL_PIECES 1024  /* of the guest's memory, in all */
struct vmedia_ctrls {
	uint32_t nb_ctrls;
	uint32_t nb_pieces;
	struct v4l2_ext_control ctrls[V4L2_CID_MAX_CTRLS];
	uint32_t given_sizes[V4L2_CID_MAX_CTRLS]; /* bytes, of the guest */
	struct {
		uint64_t gpa;
		uint64_t nb_bytes;
	} pieces[VMEDIA_CTRL_PIECES];
	uint8_t bytes[VMEDIA_CTRL_BYTES];
};
/* -EINVAL: a bad list, or one that leads nowhere; -ENOMEM: more than there is room for. */
int vmedia_ctrls_take(struct vmedia_request *request, struct vmedia_ctrls *ctrls);
/* Into the answer of a request that is alive, and into the guest's pages. */
void vmedia_ctrls_give(struct vmedia_request *request, const struct vmedia_ctrls *ctrls);

/* The core's own answer, as if the backend had no handler: QBUF, QUERYBUF, PREPARE_BUF, STREAMON,
 * STREAMOFF. VMEDIA_DEFER: the core completes the request. */
vmedia_ioctl_fn vmedia_ioctl_core;

/* Whether the session has a queue of this type; how many buffers it has, and whether it streams. */
bool vmedia_queue(
	struct vmedia_session *session, uint32_t type, uint32_t *nb_buffers, bool *streams);

/* Nodes of VBI have two types in one direction: a queue without buffers becomes one of `type`. */
void vmedia_queue_retype(struct vmedia_session *session, uint32_t type);

/* Answers a deferred REQBUFS or CREATE_BUFS. For the former the queue's buffers are given up first;
 * then it gets `count` new ones of the memory that was asked for. The errno of status, if it is
 * not 0, is the answer then. */
struct vmedia_buffers {
	int status;
	uint32_t count, nb_planes;
	uint32_t lengths[VIDEO_MAX_PLANES]; /* bytes */
	uint32_t flags;                     /* V4L2_BUF_FLAG_TIMESTAMP_*, _TSTAMP_SRC_* */
};
void vmedia_buffers_make(struct vmedia_request *request, const struct vmedia_buffers *wish);

/* The memory of a buffer stays what it is until the hold is dropped, even when the buffer is given
 * up: somebody else still writes to it. */
struct vmedia_hold {
	uint32_t nb_planes;
	uint32_t offsets[VIDEO_MAX_PLANES], lengths[VIDEO_MAX_PLANES];
};
void vmedia_buffer_hold(const struct vmedia_buffer *buffer, struct vmedia_hold *hold);
void vmedia_hold_drop(struct vmedia_device *device, struct vmedia_hold *hold);

/* Whether guests may bring buffers of their own: SHARED_PAGES, V4L2_MEMORY_USERPTR. */
bool vmedia_takes_pages(const struct vmedia_device *device);
/* pages_let_go of the backend: the guest's memory may move or go. True: this follows, when nobody
 * uses it and all such buffers that the backend had are done. The core waits as long as that takes.
 */
void vmedia_pages_gone(struct vmedia_device *device);

/* The other device agreed to a subscription. -ENOMEM: the session has too many. */
int vmedia_event_subscribe(
	struct vmedia_session *session, const struct v4l2_event_subscription *subscription);
/* An event of the other device, for this session if it has subscribed to it. Copied. */
void vmedia_event_send(struct vmedia_session *session, const struct v4l2_event *event);

/* For the statistics, per frame: bytes copied; 0: none, the buffer was imported. */
void vmedia_frame_moved(struct vmedia_device *device, uint64_t nb_bytes);

#ifdef __cplusplus
}
#endif
#endif
