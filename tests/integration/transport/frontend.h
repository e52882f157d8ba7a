/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A front-end as a script: sends vhost-user messages in whatever order, size of pieces and with
 * whatever flags a test wants, and checks the answers. Wire layouts are written down here anew, not
 * taken from lib/transport, so that both are not wrong together.
 */
#ifndef VMEDIA_TESTS_FRONTEND_H
#define VMEDIA_TESTS_FRONTEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "transport/transport.h"

#define FE_NR          8u /* NEED_REPLY */
#define FE_MEM_BYTES   (4u << 20)
#define FE_NB_REGIONS  2
#define FE_RING_STRIDE 0x100000 /* in region 0; 32768 entries fit */
#define FE_UVA         0x7f1200000000ull
#define FE_GPA         0x100000000ull /* of region 1; region 0 is at 0 */
#define FE_PROTOCOL    0x400629ull    /* what QEMU 11.1 acks */
#define FE_OFFER       0x600629ull
#define FE_VIRTIO      0x170000000ull /* VERSION_1, EVENT_IDX, INDIRECT, 30 */
#define FE_PACKED      (1ull << 34)
#define FE_QUEUE_SIZE  64
#define FE_ARENA_BYTES (4u << 20)
#define FE_REPLY_ACK   (1ull << 3)

/* Which messages carry NEED_REPLY. */
enum fe_need_reply {
	FE_NR_AS_QEMU, /* SETs, if REPLY_ACK was acked */
	FE_NR_NEVER,   /* crosvm */
	FE_NR_ALWAYS   /* Cloud Hypervisor, alioth: GETs, too */
};

/* Guest-physical addresses of a ring's parts. */
struct fe_ring {
	uint64_t desc, used, avail;
};

struct fe_region {
	uint64_t gpa, bytes, offset; /* in its file */
};

struct fe {
	int fd;
	int channel;
	int mem_fds[FE_NB_REGIONS];
	struct fe_region regions[FE_NB_REGIONS];
	struct fe_ring rings[TRANSPORT_NB_QUEUES];
	char *mem[FE_NB_REGIONS];
	int kicks[TRANSPORT_NB_QUEUES];
	int calls[TRANSPORT_NB_QUEUES];
	uint64_t protocol; /* acked */
	uint64_t features; /* acked */
	uint64_t offer;    /* that the back-end is to make */
	enum fe_need_reply need_reply;
	uint32_t queue_size;
	uint64_t uva; /* of guest address 0: FE_UVA; 0 as in QEMU with GPA_ADDRESSES */
	uint32_t bases[TRANSPORT_NB_QUEUES]; /* to be sent; as GET_VRING_BASE returned */
	bool no_flush;                       /* crosvm: no CONFIG_CHANGE behind a map */
	bool crosvm_2024;                    /* its own SHMEM messages */
	bool mq;                             /* ask for the number of queues */
	bool split_sends;                    /* every message in three pieces, with pauses */
};

void fe_connect(struct fe *fe, const char *path);
void fe_disconnect(struct fe *fe);

/* Sends one message; fd -1: none. */
void fe_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
	int fd);
/* Receives one reply to `request` and returns its payload size; asserts flags 0x5. */
uint32_t fe_reply(struct fe *fe, uint32_t request, void *payload, uint32_t room);
uint64_t fe_reply_u64(struct fe *fe, uint32_t request);
/* True when nothing arrives within ms. */
bool fe_silent(int fd, int ms);

/* A SET message with NEED_REPLY if REPLY_ACK is acked; then asserts the acknowledgement is 0. */
void fe_set(struct fe *fe, uint32_t request, const void *payload, uint32_t size, int fd);
void fe_set_u64(struct fe *fe, uint32_t request, uint64_t value, int fd);
void fe_set_state(struct fe *fe, uint32_t request, uint32_t index, uint32_t num);
uint64_t fe_get_u64(struct fe *fe, uint32_t request);
/* extra_fd >= 0: one more region, backed by it. */
void fe_set_mem_table(struct fe *fe, int extra_fd, uint64_t extra_bytes);
/* SET_MEM_TABLE with NEED_REPLY, of whatever regions and descriptors. */
void fe_send_table(
	struct fe *fe, const uint64_t (*regions)[4], uint32_t nb, const int *fds, uint32_t nb_fds);
void fe_set_addr(struct fe *fe, uint32_t queue);
void fe_set_channel(struct fe *fe);
/* ADD_MEM_REG, REM_MEM_REG; the acknowledgement. */
uint64_t fe_mem_reg(struct fe *fe, uint32_t request, const uint64_t region[4], int fd);
void fe_check_shmem_config(struct fe *fe);
void fe_set_ring(struct fe *fe, uint32_t queue, uint32_t base);

/* A script is a list of requests in their order; what they carry comes from struct fe. */
#define FE_DISABLE 1018u /* SET_VRING_ENABLE 0; 18 is SET_VRING_ENABLE 1 */
struct fe_script {
	const uint32_t *requests;
	uint32_t nb;
};
#define FE_SCRIPT(...)                                       \
	((struct fe_script){(const uint32_t[]){__VA_ARGS__}, \
		sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)})
/* Requests that concern no queue. */
void fe_play(struct fe *fe, struct fe_script script);
/* All of them for queue 0, then all for queue 1. */
void fe_play_rings(struct fe *fe, struct fe_script script);
/* Each for queue 0 and queue 1, then the next. */
void fe_play_each(struct fe *fe, struct fe_script script);

/* QEMU's order (vmm.md 1.4). */
void fe_qemu_realize(struct fe *fe);
void fe_qemu_start(struct fe *fe, const uint32_t *bases);
void fe_qemu_stop(struct fe *fe, uint32_t *bases);

/* Ring memory: where queue's used index lies; clearing all rings as a booting guest does. */
uint16_t *fe_used_idx(struct fe *fe, uint32_t queue);
void fe_clear_rings(struct fe *fe);

/* Bytes on the channel; returns how many went. */
size_t fe_send_channel(struct fe *fe, const void *data, size_t size);
/* Receives SHMEM_MAP on the channel, checks every byte and the fd, answers with status. */
void fe_serve_map(struct fe *fe, uint64_t status);
/* The same in two steps; the fd is the caller's. */
int fe_receive_map(struct fe *fe);
/* CONFIG_CHANGE comes behind a map that is not acknowledged, but not to crosvm. */
void fe_receive_flush(struct fe *fe);
void fe_answer_map(struct fe *fe, uint64_t status);

#endif
