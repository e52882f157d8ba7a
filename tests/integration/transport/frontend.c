/* SPDX-License-Identifier: BSD-3-Clause */
#include "frontend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#define REPLY_WAIT_MS 3000

struct header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

void
fe_connect(struct fe *fe, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	fe->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(
		connect(fe->fd, (struct sockaddr *)&sun, sizeof(sun)), 0, "%s", strerror(errno));
}

void
fe_disconnect(struct fe *fe)
{
	if (fe->fd >= 0) {
		close(fe->fd);
		fe->fd = -1;
	}
	if (fe->channel >= 0) {
		close(fe->channel);
		fe->channel = -1;
	}
}

static void
send_bytes(int sock, const void *data, size_t size, const int *fds, int nb_fds)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (nb_fds > 0) {
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nb_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * nb_fds);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * nb_fds);
	}
	cr_assert_eq(sendmsg(sock, &mh, MSG_NOSIGNAL), (ssize_t)size, "%s", strerror(errno));
}

static void
send_message(
	struct fe *fe, const struct header *header, const void *payload, const int *fds, int nb_fds)
{
	char buf[8192];
	size_t size = sizeof(*header) + header->size;
	size_t at = 0;

	cr_assert_leq(size, sizeof(buf));
	memcpy(buf, header, sizeof(*header));
	if (payload != NULL) {
		memcpy(buf + sizeof(*header), payload, header->size);
	}
	/* Pieces end inside the header and inside the payload; fds come with the first. */
	while (fe->split_sends && at < size - 1) {
		size_t piece = at == 0 ? 5 : (size - at + 1) / 2;

		send_bytes(fe->fd, buf + at, piece, fds, at == 0 ? nb_fds : 0);
		at += piece;
		usleep(1000);
	}
	if (at < size) {
		send_bytes(fe->fd, buf + at, size - at, fds, at == 0 ? nb_fds : 0);
	}
}

void
fe_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size, int fd)
{
	struct header header = {request, 1 | flags, size};

	send_message(fe, &header, payload, &fd, fd >= 0 ? 1 : 0);
}

static void
recv_exactly(int sock, void *data, size_t size)
{
	size_t got = 0;

	while (got < size) {
		struct pollfd pfd = {.fd = sock, .events = POLLIN};
		ssize_t n;

		cr_assert_eq(poll(&pfd, 1, REPLY_WAIT_MS), 1, "no reply");
		n = recv(sock, (char *)data + got, size - got, 0);
		cr_assert_gt(n, 0, "connection lost");
		got += (size_t)n;
	}
}

uint32_t
fe_reply(struct fe *fe, uint32_t request, void *payload, uint32_t room)
{
	struct header header;

	recv_exactly(fe->fd, &header, sizeof(header));
	cr_assert_eq(header.request, request, "reply to %u, not %u", header.request, request);
	cr_assert_eq(header.flags, 0x5);
	cr_assert_leq(header.size, room);
	recv_exactly(fe->fd, payload, header.size);
	return header.size;
}

uint64_t
fe_reply_u64(struct fe *fe, uint32_t request)
{
	uint64_t value;

	cr_assert_eq(fe_reply(fe, request, &value, sizeof(value)), sizeof(value));
	return value;
}

bool
fe_silent(int fd, int ms)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	return poll(&pfd, 1, ms) == 0;
}

static bool
acks(const struct fe *fe)
{
	return fe->need_reply == FE_NR_ALWAYS ||
	       (fe->need_reply == FE_NR_AS_QEMU && (fe->protocol & FE_REPLY_ACK) != 0);
}

void
fe_set(struct fe *fe, uint32_t request, const void *payload, uint32_t size, int fd)
{
	fe_send(fe, request, acks(fe) ? FE_NR : 0, payload, size, fd);
	if (acks(fe)) {
		cr_assert_eq(fe_reply_u64(fe, request), 0, "request %u refused", request);
	}
}

void
fe_set_u64(struct fe *fe, uint32_t request, uint64_t value, int fd)
{
	fe_set(fe, request, &value, sizeof(value), fd);
}

void
fe_set_state(struct fe *fe, uint32_t request, uint32_t index, uint32_t num)
{
	uint32_t state[2] = {index, num};

	fe_set(fe, request, state, sizeof(state), -1);
}

uint64_t
fe_get_u64(struct fe *fe, uint32_t request)
{
	fe_send(fe, request, fe->need_reply == FE_NR_ALWAYS ? FE_NR : 0, NULL, 0, -1);
	return fe_reply_u64(fe, request);
}

static void
put_region(uint64_t *at, const struct fe *fe, uint32_t i)
{
	const struct fe_region *r = &fe->regions[i];
	const uint64_t region[4] = {r->gpa, r->bytes, fe->uva + r->gpa, r->offset};

	memcpy(at, region, sizeof(region));
}

void
fe_set_mem_table(struct fe *fe, int extra_fd, uint64_t extra_bytes)
{
	uint64_t table[1 + 3 * 4] = {
		extra_fd >= 0 ? 3 : 2, [9] = 2 * FE_GPA, extra_bytes, fe->uva + 2 * FE_GPA, 0};
	int fds[3] = {fe->mem_fds[0], fe->mem_fds[1], extra_fd};
	uint32_t nb = (uint32_t)table[0];
	struct header header = {5, 1 | (acks(fe) ? FE_NR : 0), 8 + 32 * nb};

	put_region(table + 1, fe, 0);
	put_region(table + 5, fe, 1);
	send_message(fe, &header, table, fds, (int)nb);
	if (acks(fe)) {
		cr_assert_eq(fe_reply_u64(fe, 5), 0);
	}
}

void
fe_send_table(
	struct fe *fe, const uint64_t (*regions)[4], uint32_t nb, const int *fds, uint32_t nb_fds)
{
	uint64_t table[1 + 16 * 4] = {nb};
	struct header header = {5, 1 | FE_NR, 8 + 32 * nb};

	cr_assert_leq(nb, 16);
	memcpy(table + 1, regions, 32 * nb);
	send_message(fe, &header, table, fds, (int)nb_fds);
}

void
fe_set_addr(struct fe *fe, uint32_t queue)
{
	const struct fe_ring *ring = &fe->rings[queue];
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addr = {queue, 0, fe->uva + ring->desc, fe->uva + ring->used, fe->uva + ring->avail, 0};

	fe_set(fe, 9, &addr, sizeof(addr), -1);
}

void
fe_set_ring(struct fe *fe, uint32_t queue, uint32_t base)
{
	fe_set_state(fe, 8, queue, fe->queue_size);
	fe_set_state(fe, 10, queue, base);
	fe_set_addr(fe, queue);
	fe_set_u64(fe, 12, queue, fe->kicks[queue]);
	fe_set_u64(fe, 13, queue, fe->calls[queue]);
}

void
fe_set_channel(struct fe *fe)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	if (fe->channel >= 0) {
		close(fe->channel);
	}
	fe->channel = pair[0];
	fe_set(fe, 21, NULL, 0, pair[1]);
	close(pair[1]);
}

void
fe_check_shmem_config(struct fe *fe)
{
	struct {
		uint32_t nb, pad;
		uint64_t sizes[256];
	} shmem;

	fe_send(fe, 44, fe->need_reply == FE_NR_ALWAYS ? FE_NR : 0, NULL, 0, -1);
	cr_assert_eq(fe_reply(fe, 44, &shmem, sizeof(shmem)), 2056);
	cr_assert_eq(shmem.nb, 1);
	cr_assert_eq(shmem.sizes[0], FE_ARENA_BYTES);
	for (unsigned int i = 1; i < 256; i++) {
		cr_assert_eq(shmem.sizes[i], 0);
	}
}

void
fe_qemu_realize(struct fe *fe)
{
	uint64_t offered = fe_get_u64(fe, 1);

	cr_assert_eq(offered & FE_VIRTIO, FE_VIRTIO);
	cr_assert_eq(fe_get_u64(fe, 15), fe->offer);
	fe_send(fe, 16, 0, &fe->protocol, 8, -1);
	if (fe->mq) {
		cr_assert_eq(fe_get_u64(fe, 17), TRANSPORT_NB_QUEUES);
	}
	fe_set_channel(fe);
	fe_send(fe, 3, 0, NULL, 0, -1);
	cr_assert_eq(fe_get_u64(fe, 1), offered);
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_u64(fe, 13, queue, fe->calls[queue]);
		fe_set_u64(fe, 14, queue, fe->calls[queue]);
	}
	fe_check_shmem_config(fe);
}

void
fe_qemu_start(struct fe *fe, const uint32_t *bases)
{
	fe_send(fe, 2, 0, &fe->features, 8, -1);
	fe_set_mem_table(fe, -1, 0);
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_ring(fe, queue, bases[queue]);
	}
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_state(fe, 18, queue, 1);
		if (!acks(fe)) {
			fe_get_u64(fe, 1);
		}
	}
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_u64(fe, 13, queue, fe->calls[queue]);
	}
	fe_get_u64(fe, 1); /* a barrier, so that tests may look at the device */
}

void
fe_qemu_stop(struct fe *fe, uint32_t *bases)
{
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_state(fe, 18, queue, 0);
	}
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		uint32_t state[2] = {queue, 0};

		fe_send(fe, 11, 0, state, sizeof(state), -1);
		cr_assert_eq(fe_reply(fe, 11, state, sizeof(state)), sizeof(state));
		cr_assert_eq(state[0], queue);
		bases[queue] = state[1];
	}
}

uint16_t *
fe_used_idx(struct fe *fe, uint32_t queue)
{
	return (uint16_t *)(void *)(fe->mem[0] + fe->rings[queue].used + 2);
}

void
fe_clear_rings(struct fe *fe)
{
	memset(fe->mem[0], 0, TRANSPORT_NB_QUEUES * FE_RING_STRIDE);
}

struct map_request {
	struct header header;
	union {
		struct {
			uint8_t shmid, pad[7];
			uint64_t fd_offset, shm_offset, len, flags;
		} standard;
		struct {
			uint8_t flags, shmid, pad[6];
			uint64_t shm_offset, fd_offset, len;
		} crosvm;
	};
} __attribute__((packed));

/* Every byte of it: crosvm ends the whole VM over one that is not as expected. */
static void
check_map(const struct fe *fe, const struct map_request *map, ssize_t bytes)
{
	bool need_reply = (fe->protocol & FE_REPLY_ACK) != 0;
	struct map_request expected = {{9, need_reply ? 0x9 : 0x1, 40}, {{0}}};

	if (fe->crosvm_2024) {
		expected.header.request = 1000;
		expected.header.size = 32;
		expected.crosvm.flags = 3;
		expected.crosvm.len = FE_ARENA_BYTES;
	} else {
		expected.standard.len = FE_ARENA_BYTES;
		expected.standard.flags = 1;
	}
	cr_assert_eq(bytes, (ssize_t)(sizeof(struct header) + expected.header.size));
	cr_assert_arr_eq(map, &expected, (size_t)bytes);
}

int
fe_receive_map(struct fe *fe)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr align;
	} control;
	struct map_request map;
	struct iovec iov = {
		.iov_base = &map, .iov_len = sizeof(struct header) + (fe->crosvm_2024 ? 32 : 40)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	struct stat st;
	int fd;

	cr_assert(!fe_silent(fe->channel, REPLY_WAIT_MS), "no SHMEM_MAP came");
	check_map(fe, &map, recvmsg(fe->channel, &mh, MSG_CMSG_CLOEXEC));
	cr_assert_eq(control.align.cmsg_len, CMSG_LEN(sizeof(int)), "exactly one fd");
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	cr_assert(fstat(fd, &st) == 0 && st.st_size == FE_ARENA_BYTES);
	return fd;
}

void
fe_receive_flush(struct fe *fe)
{
	const struct header expected = {2, 1, 0};
	struct header header;

	if ((fe->protocol & FE_REPLY_ACK) == 0 && !fe->no_flush) {
		recv_exactly(fe->channel, &header, sizeof(header));
		cr_assert_arr_eq(&header, &expected, sizeof(header));
	}
}

void
fe_answer_map(struct fe *fe, uint64_t status)
{
	struct header ack = {fe->crosvm_2024 ? 1000 : 9, 0x5, 8};
	char reply[sizeof(ack) + 8];

	if ((fe->protocol & FE_REPLY_ACK) != 0 || fe->crosvm_2024) {
		memcpy(reply, &ack, sizeof(ack));
		memcpy(reply + sizeof(ack), &status, sizeof(status));
		send_bytes(fe->channel, reply, sizeof(reply), NULL, 0);
	}
}

void
fe_serve_map(struct fe *fe, uint64_t status)
{
	close(fe_receive_map(fe));
	fe_receive_flush(fe);
	fe_answer_map(fe, status);
}

size_t
fe_send_channel(struct fe *fe, const void *data, size_t size)
{
	send_bytes(fe->channel, data, size, NULL, 0);
	return size;
}

uint64_t
fe_mem_reg(struct fe *fe, uint32_t request, const uint64_t region[4], int fd)
{
	uint64_t payload[5] = {0, region[0], region[1], region[2], region[3]};

	fe_send(fe, request, FE_NR, payload, sizeof(payload), fd);
	return fe_reply_u64(fe, request);
}

static void
add_regions(struct fe *fe)
{
	for (int i = 0; i < FE_NB_REGIONS; i++) {
		uint64_t region[4];

		put_region(region, fe, (uint32_t)i);
		cr_assert_eq(fe_mem_reg(fe, 37, region, fe->mem_fds[i]), 0);
	}
}

static void
get_base(struct fe *fe, uint32_t queue)
{
	uint32_t state[2] = {queue, 0};

	fe_send(fe, 11, fe->need_reply == FE_NR_ALWAYS ? FE_NR : 0, state, sizeof(state), -1);
	cr_assert_eq(fe_reply(fe, 11, state, sizeof(state)), sizeof(state));
	cr_assert_eq(state[0], queue);
	fe->bases[queue] = state[1];
}

static void
play_ring(struct fe *fe, uint32_t request, uint32_t queue)
{
	switch (request) {
	case 8:
		fe_set_state(fe, 8, queue, fe->queue_size);
		break;
	case 9:
		fe_set_addr(fe, queue);
		break;
	case 10:
		fe_set_state(fe, 10, queue, fe->bases[queue]);
		break;
	case 11:
		get_base(fe, queue);
		break;
	case 12:
		fe_set_u64(fe, 12, queue, fe->kicks[queue]);
		break;
	case 13:
	case 14:
		fe_set_u64(fe, request, queue, fe->calls[queue]);
		break;
	case 18:
	case FE_DISABLE:
		fe_set_state(fe, 18, queue, request == 18);
		break;
	default:
		cr_assert_fail("request %u is for no queue", request);
	}
}

static void
play_one(struct fe *fe, uint32_t request)
{
	switch (request) {
	case 1:
		cr_assert_eq(fe_get_u64(fe, 1) & FE_VIRTIO, FE_VIRTIO);
		break;
	case 2:
		fe_set_u64(fe, 2, fe->features, -1);
		break;
	case 3:
		fe_set(fe, 3, NULL, 0, -1);
		break;
	case 5:
		fe_set_mem_table(fe, -1, 0);
		break;
	case 15:
		cr_assert_eq(fe_get_u64(fe, 15), fe->offer);
		break;
	case 16:
		fe_send(fe, 16, fe->need_reply == FE_NR_ALWAYS ? FE_NR : 0, &fe->protocol, 8, -1);
		if (fe->need_reply == FE_NR_ALWAYS) {
			cr_assert_eq(fe_reply_u64(fe, 16), 0);
		}
		break;
	case 17:
		cr_assert_eq(fe_get_u64(fe, 17), TRANSPORT_NB_QUEUES);
		break;
	case 21:
		fe_set_channel(fe);
		break;
	case 36:
		cr_assert_geq(fe_get_u64(fe, 36), FE_NB_REGIONS);
		break;
	case 37:
		add_regions(fe);
		break;
	case 44:
		fe_check_shmem_config(fe);
		break;
	default:
		cr_assert_fail("request %u is for a queue", request);
	}
}

void
fe_play(struct fe *fe, struct fe_script script)
{
	for (uint32_t i = 0; i < script.nb; i++) {
		play_one(fe, script.requests[i]);
	}
}

void
fe_play_rings(struct fe *fe, struct fe_script script)
{
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		for (uint32_t i = 0; i < script.nb; i++) {
			play_ring(fe, script.requests[i], queue);
		}
	}
}

void
fe_play_each(struct fe *fe, struct fe_script script)
{
	for (uint32_t i = 0; i < script.nb; i++) {
		for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
			play_ring(fe, script.requests[i], queue);
		}
	}
}
