/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user front-end (vmm.md 1.2): the main socket, where we ask, and the back-end channel, where
 * the back-end does. Each reply is checked to the byte: flags, request, size, no fds. After a wrong
 * or late one the stream means nothing any more, so the connection counts as dead.
 *
 * The main socket is used by the driver's thread, and by the helper thread for one message, the
 * memory table after a map: a mutex orders them. The channel belongs to the helper thread.
 */
#ifndef VMEDIA_DRIVER_FRONTEND_H
#define VMEDIA_DRIVER_FRONTEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "driver/memory.h"
#include "driver/ring.h"
#include "driver/window.h"

/* Main socket. */
enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_GET_SHMEM_CONFIG = 44,
};

/* Back-end channel. */
enum vhost_user_backend_request {
	VHOST_USER_BACKEND_CONFIG_CHANGE = 2,
	VHOST_USER_BACKEND_SHMEM_MAP = 9,
	VHOST_USER_BACKEND_SHMEM_UNMAP = 10,
};

#define VHOST_USER_VERSION    1u
#define VHOST_USER_REPLY      (1u << 2)
#define VHOST_USER_NEED_REPLY (1u << 3)

#define VHOST_USER_PF_MQ          (1ULL << 0)
#define VHOST_USER_PF_REPLY_ACK   (1ULL << 3)
#define VHOST_USER_PF_BACKEND_REQ (1ULL << 5)
#define VHOST_USER_PF_CONFIG      (1ULL << 9)
#define VHOST_USER_PF_SHMEM       (1ULL << 22)

#define VIRTIO_F_VERSION_1_BIT (1ULL << 32)
#define VHOST_USER_F_PROTOCOL  (1ULL << 30)

#define VHOST_USER_CONFIG_MAX 256
#define VHOST_USER_NB_REGIONS 256 /* sizes in a SHMEM config reply */

struct vhost_user_header {
	uint32_t request, flags, size;
};

struct frontend {
	pthread_mutex_t lock; /* the main socket, started, dead by us */
	int sock;             /* main socket */
	int channel;          /* our end of the back-end channel; -1: none */
	int wake_fd;          /* eventfd that ends the helper thread */
	int death_fd;         /* eventfd of the owner, written when the back-end is gone; -1 */
	int timeout_ms;
	bool started; /* between ENABLE 1 and ENABLE 0 */
	bool resend_memory;
	bool helper_runs;
	bool dead; /* atomic: also set by the helper thread */
	pthread_t helper;
	uint64_t offered, features, protocol_features;
	struct memory *mem;
	struct window *window;
	uint64_t nb_maps, nb_unmaps, nb_refused; /* atomic: counted by the helper thread */
};

struct frontend_vring {
	struct ring *ring;
	uint64_t desc, used, avail; /* addresses of ours */
	int err_fd, masked_fd;
};

/* Takes the connected socket. */
int frontend_init(struct frontend *fe, int sock, int timeout_ms);
void frontend_fini(struct frontend *fe);

/* QEMU's realize: negotiation up to the size of region 0. wanted: RING_F_* bits we can use. */
int frontend_negotiate(struct frontend *fe, uint64_t wanted, uint64_t protocol_mask);
int frontend_setup_vrings(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb);
int frontend_get_region(struct frontend *fe, uint64_t *bytes);
int frontend_get_config(struct frontend *fe, uint32_t offset, void *data, uint32_t size);

/* DRIVER_OK, and a stop. stop fills ring->start_base with what the back-end says. */
int frontend_start(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb);
int frontend_stop(struct frontend *fe, const struct frontend_vring *vq, unsigned int nb);
int frontend_send_memory(struct frontend *fe);

bool frontend_is_dead(const struct frontend *fe);
void frontend_set_dead(struct frontend *fe);

/* The helper thread. */
int channel_start(struct frontend *fe);
void channel_stop(struct frontend *fe);
/*
 * Reads and serves one request. 0; -ECANCELED when told to end; anything else: the channel is of no
 * use any more.
 */
int channel_serve(struct frontend *fe);

/* Message transport (message.c). Connects to a UNIX stream socket. */
int message_connect(const char *path);
uint64_t message_deadline(int timeout_ms);
/* Until `events` on sock, or anything that poll(2) says. -ECANCELED when the wake fd fires,
 * -ETIMEDOUT. */
int message_wait(int sock, short events, int wake_fd, uint64_t deadline_ns);
/* Exactly n bytes before the deadline, or a negative errno. */
int wire_send(int sock, const struct vhost_user_header *hdr, const void *payload, const int *fds,
	unsigned int nb_fds, uint64_t deadline_ns);
/* fds may be NULL; surplus fds are closed; *nb_fds: room in, number out. wake_fd may be -1. */
struct message_reader {
	int sock, wake_fd;
	uint64_t deadline_ns; /* UINT64_MAX: none */
	int *fds;
	unsigned int max_fds, nb_fds, nb_surplus;
};
int wire_read(struct message_reader *reader, void *buf, size_t n);

#endif
