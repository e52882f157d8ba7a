/* SPDX-License-Identifier: BSD-3-Clause */
#include "frontend.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "transport/eal.h"
#include "transport/gateway.h"

#define RING_STRIDE   0x10000u
#define AVAIL_OFFSET  0x4000u
#define USED_OFFSET   0x8000u
#define REPLY_WAIT_MS 3000

struct header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

static struct fe *
memory_init(struct fe *fe)
{
	for (int i = 0; i < FE_NB_REGIONS; i++) {
		fe->mem_fds[i] = memfd_create("guest", MFD_CLOEXEC);
		cr_assert_eq(ftruncate(fe->mem_fds[i], FE_MEM_BYTES), 0);
		fe->mem[i] = mmap(
			NULL, FE_MEM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fe->mem_fds[i], 0);
		cr_assert_neq(fe->mem[i], MAP_FAILED);
	}
	for (int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		fe->kicks[i] = eventfd(0, EFD_CLOEXEC);
		fe->calls[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	return fe;
}

void
bed_init(struct bed *bed)
{
	struct transport_eal_config eal = {.program = "vmedia-test"};
	struct transport_config config = {.name = "cam0", .path = bed->path, .listen_fd = -1};

	memset(bed, 0, sizeof(*bed));
	cr_assert_eq(transport_eal_init(&eal), 0);
	cr_assert_eq(gateway_start(), 0);
	snprintf(bed->path, sizeof(bed->path), "/tmp/vmedia-test-%d.sock", (int)getpid());
	bed->arena_fd = memfd_create("arena", MFD_CLOEXEC);
	cr_assert_eq(ftruncate(bed->arena_fd, FE_ARENA_BYTES), 0);
	config.arena_fd = bed->arena_fd;
	config.arena_bytes = FE_ARENA_BYTES;
	fake_device_init(&bed->dev);
	cr_assert_eq(vhost_user_ops.create(&config, &fake_listener, &bed->dev, &bed->transport), 0);
	bed->fe.fd = -1;
	bed->fe.channel = -1;
	bed->fe.protocol = FE_PROTOCOL;
	bed->fe.features = FE_VIRTIO;
	bed->fe.mq = true;
	memory_init(&bed->fe);
}

void
bed_fini(struct bed *bed)
{
	vhost_user_ops.destroy(bed->transport);
	cr_assert_eq(access(bed->path, F_OK), -1);
	cr_assert_eq(gateway_stop(), 0);
	fe_disconnect(&bed->fe);
	for (int i = 0; i < FE_NB_REGIONS; i++) {
		munmap(bed->fe.mem[i], FE_MEM_BYTES);
		close(bed->fe.mem_fds[i]);
	}
	for (int i = 0; i < TRANSPORT_NB_QUEUES; i++) {
		close(bed->fe.kicks[i]);
		close(bed->fe.calls[i]);
	}
	close(bed->arena_fd);
	fake_device_fini(&bed->dev);
	cr_assert_eq(bed->dev.nb_breaches, 0, "the listener's contract was broken %u times",
		bed->dev.nb_breaches);
	transport_eal_fini();
}

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
		char room[CMSG_SPACE(sizeof(int) * 8)];
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
	return (fe->protocol & FE_REPLY_ACK) != 0;
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
	fe_send(fe, request, 0, NULL, 0, -1);
	return fe_reply_u64(fe, request);
}

void
fe_set_mem_table(struct fe *fe, int extra_fd, uint64_t extra_bytes)
{
	uint64_t table[1 + 3 * 4] = {extra_fd >= 0 ? 3 : 2, 0, FE_MEM_BYTES, FE_UVA, 0, FE_GPA,
		FE_MEM_BYTES, FE_UVA + FE_MEM_BYTES, 0, 2 * FE_GPA, extra_bytes,
		FE_UVA + 16 * FE_MEM_BYTES, 0};
	int fds[3] = {fe->mem_fds[0], fe->mem_fds[1], extra_fd};
	uint32_t nb = (uint32_t)table[0];
	struct header header = {5, 1 | (acks(fe) ? FE_NR : 0), 8 + 32 * nb};

	send_message(fe, &header, table, fds, (int)nb);
	if (acks(fe)) {
		cr_assert_eq(fe_reply_u64(fe, 5), 0);
	}
}

void
fe_set_ring(struct fe *fe, uint32_t queue, uint32_t base)
{
	struct {
		uint32_t index, flags;
		uint64_t desc, used, avail, log;
	} addr = {queue, 0, FE_UVA + queue * RING_STRIDE,
		FE_UVA + queue * RING_STRIDE + USED_OFFSET,
		FE_UVA + queue * RING_STRIDE + AVAIL_OFFSET, 0};

	fe_set_state(fe, 8, queue, FE_QUEUE_SIZE);
	fe_set_state(fe, 10, queue, base);
	fe_set(fe, 9, &addr, sizeof(addr), -1);
	fe_set_u64(fe, 12, queue, fe->kicks[queue]);
	fe_set_u64(fe, 13, queue, fe->calls[queue]);
}

static void
set_channel(struct fe *fe)
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
fe_qemu_realize(struct fe *fe)
{
	uint64_t offered = fe_get_u64(fe, 1);
	struct {
		uint32_t nb, pad;
		uint64_t sizes[256];
	} shmem;

	cr_assert_eq(offered & FE_VIRTIO, FE_VIRTIO);
	cr_assert_eq(fe_get_u64(fe, 15), FE_PROTOCOL);
	fe_send(fe, 16, 0, &fe->protocol, 8, -1);
	if (fe->mq) {
		cr_assert_eq(fe_get_u64(fe, 17), TRANSPORT_NB_QUEUES);
	}
	set_channel(fe);
	fe_send(fe, 3, 0, NULL, 0, -1);
	cr_assert_eq(fe_get_u64(fe, 1), offered);
	for (uint32_t queue = 0; queue < TRANSPORT_NB_QUEUES; queue++) {
		fe_set_u64(fe, 13, queue, fe->calls[queue]);
		fe_set_u64(fe, 14, queue, fe->calls[queue]);
	}
	fe_send(fe, 44, 0, NULL, 0, -1);
	cr_assert_eq(fe_reply(fe, 44, &shmem, sizeof(shmem)), 2056);
	cr_assert_eq(shmem.nb, 1);
	cr_assert_eq(shmem.sizes[0], FE_ARENA_BYTES);
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
	return (uint16_t *)(void *)(fe->mem[0] + queue * RING_STRIDE + USED_OFFSET + 2);
}

void
fe_clear_rings(struct fe *fe)
{
	memset(fe->mem[0], 0, TRANSPORT_NB_QUEUES * RING_STRIDE);
}

void
fe_serve_map(struct fe *fe, uint64_t status)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr align;
	} control;
	struct {
		struct header header;
		uint8_t shmid, pad[7];
		uint64_t fd_offset, shm_offset, len, flags;
	} __attribute__((packed)) map;
	struct iovec iov = {.iov_base = &map, .iov_len = sizeof(map)};
	struct msghdr mh = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room)};
	struct header ack = {9, 0x5, 8};
	struct stat st;
	char reply[sizeof(ack) + 8];
	int fd;

	cr_assert(!fe_silent(fe->channel, REPLY_WAIT_MS), "no SHMEM_MAP came");
	cr_assert_eq(recvmsg(fe->channel, &mh, MSG_CMSG_CLOEXEC), (ssize_t)sizeof(map));
	cr_assert_eq(map.header.request, 9);
	cr_assert_eq(map.header.flags, acks(fe) ? 0x9 : 0x1);
	cr_assert_eq(map.header.size, 40);
	cr_assert_eq(map.shmid, 0);
	cr_assert_eq(map.fd_offset | map.shm_offset, 0);
	cr_assert_eq(map.len, FE_ARENA_BYTES);
	cr_assert_eq(map.flags, 1);
	cr_assert_eq(control.align.cmsg_len, CMSG_LEN(sizeof(int)), "exactly one fd");
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	cr_assert(fstat(fd, &st) == 0 && st.st_size == FE_ARENA_BYTES);
	close(fd);
	if (acks(fe)) {
		memcpy(reply, &ack, sizeof(ack));
		memcpy(reply + sizeof(ack), &status, sizeof(status));
		send_bytes(fe->channel, reply, sizeof(reply), NULL, 0);
	}
}
