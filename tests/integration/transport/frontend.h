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

#include "fake_device.h"

#define FE_NR          8u /* NEED_REPLY */
#define FE_MEM_BYTES   (1u << 20)
#define FE_NB_REGIONS  2
#define FE_UVA         0x7f1200000000ull
#define FE_GPA         0x100000000ull /* of region 1; region 0 is at 0 */
#define FE_PROTOCOL    0x400629ull
#define FE_VIRTIO      0x170000000ull /* VERSION_1, EVENT_IDX, INDIRECT, 30 */
#define FE_PACKED      (1ull << 34)
#define FE_QUEUE_SIZE  64
#define FE_ARENA_BYTES (4u << 20)
#define FE_REPLY_ACK   (1ull << 3)

struct fe {
	int fd;
	int channel;
	int mem_fds[FE_NB_REGIONS];
	char *mem[FE_NB_REGIONS];
	int kicks[TRANSPORT_NB_QUEUES];
	int calls[TRANSPORT_NB_QUEUES];
	uint64_t protocol; /* acked */
	uint64_t features; /* acked */
	bool mq;           /* ask for the number of queues */
	bool split_sends;  /* every message in three pieces, with pauses */
};

/* Everything a test needs around the gateway. */
struct bed {
	struct fake_device dev;
	struct transport *transport;
	int arena_fd;
	char path[108];
	struct fe fe;
};

/* EAL, gateway, one device with an arena, its socket. Asserts on failure. */
void bed_init(struct bed *bed);
/* Takes it all down and asserts that the listener's contract was kept. */
void bed_fini(struct bed *bed);

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
void fe_set_ring(struct fe *fe, uint32_t queue, uint32_t base);

/* QEMU's order (vmm.md 1.4). */
void fe_qemu_realize(struct fe *fe);
void fe_qemu_start(struct fe *fe, const uint32_t *bases);
void fe_qemu_stop(struct fe *fe, uint32_t *bases);

/* Ring memory: where queue's used index lies; clearing all rings as a booting guest does. */
uint16_t *fe_used_idx(struct fe *fe, uint32_t queue);
void fe_clear_rings(struct fe *fe);

/* Receives SHMEM_MAP on the channel, checks every byte and the fd, answers with status. */
void fe_serve_map(struct fe *fe, uint64_t status);

#endif
