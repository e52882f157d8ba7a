/* SPDX-License-Identifier: BSD-3-Clause */
/* The front-end against a peer that writes down what it hears and answers from a short table. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/internal.h"
#include "fake_device.h"

#define MAX_HEARD 128

struct heard {
	uint32_t request, size;
	bool need_reply;
	unsigned int nb_fds;
	uint8_t body[512];
};

struct peer {
	int sock, channel;
	pthread_t thread;
	uint64_t features, protocol_features, region;
	uint32_t lie_request; /* this one is answered wrongly: */
	uint32_t lie_size, lie_flags, lie_number;
	uint64_t lie_value;
	bool silent; /* nothing is answered from lie_request on */
	struct heard heard[MAX_HEARD];
	unsigned int nb; /* atomic */
};

static void
answer(struct peer *p, uint32_t request, const void *body, uint32_t size)
{
	struct vhost_user_header hdr = {request, 5, size};
	uint8_t zero[4096] = {0};

	memcpy(zero, body, size);
	if (request == p->lie_request) {
		if (p->silent) {
			return;
		}
		hdr.request = p->lie_number != 0 ? p->lie_number : request;
		hdr.flags = p->lie_flags != 0 ? p->lie_flags : 5;
		hdr.size = p->lie_size != 0 ? p->lie_size : size;
		memcpy(zero, p->lie_value != 0 ? (const void *)&p->lie_value : body,
			p->lie_value != 0 ? 8 : size);
	}
	wire_send(p->sock, &hdr, zero, NULL, 0, UINT64_MAX);
}

static void
react(struct peer *p, const struct heard *m)
{
	static uint32_t shmem[2056 / 4];
	uint64_t two = 2, ok = 0;
	uint8_t config[12 + 40] = {0};

	switch (m->request) {
	case VHOST_USER_GET_FEATURES:
		answer(p, m->request, &p->features, 8);
		break;
	case VHOST_USER_GET_PROTOCOL_FEATURES:
		answer(p, m->request, &p->protocol_features, 8);
		break;
	case VHOST_USER_GET_QUEUE_NUM:
		answer(p, m->request, &two, 8);
		break;
	case VHOST_USER_GET_SHMEM_CONFIG:
		shmem[0] = 1;
		memcpy(&shmem[2], &p->region, 8);
		answer(p, m->request, shmem, sizeof(shmem));
		break;
	case VHOST_USER_GET_CONFIG:
		memcpy(config, m->body, 12);
		memset(config + 20, 'c', 32);
		config[12] = 1;
		answer(p, m->request, config, m->size);
		break;
	case VHOST_USER_GET_VRING_BASE:
		memcpy(config, m->body, 4);
		config[4] = 17;
		answer(p, m->request, config, 8);
		break;
	default:
		if (m->need_reply) {
			answer(p, m->request, &ok, 8);
		}
	}
}

static void *
peer_run(void *arg)
{
	struct peer *p = arg;

	while (p->nb < MAX_HEARD) {
		struct heard *m = &p->heard[p->nb];
		struct vhost_user_header hdr;
		int fds[8];
		struct message_reader reader = {.sock = p->sock,
			.wake_fd = -1,
			.deadline_ns = UINT64_MAX,
			.fds = fds,
			.max_fds = 8};

		if (wire_read(&reader, &hdr, sizeof(hdr)) != 0 || hdr.size > sizeof(m->body) ||
			wire_read(&reader, m->body, hdr.size) != 0) {
			break;
		}
		m->request = hdr.request;
		m->size = hdr.size;
		m->need_reply = (hdr.flags & VHOST_USER_NEED_REPLY) != 0;
		m->nb_fds = reader.nb_fds;
		for (unsigned int i = 0; i < reader.nb_fds; i++) {
			if (hdr.request == VHOST_USER_SET_BACKEND_REQ_FD) {
				p->channel = fds[i];
			} else {
				close(fds[i]);
			}
		}
		__atomic_store_n(&p->nb, p->nb + 1, __ATOMIC_RELEASE);
		react(p, m);
	}
	close(p->sock);
	return NULL;
}

static struct driver_config
peer_init(struct peer *p)
{
	struct driver_config config;
	int pair[2];

	memset(p, 0, sizeof(*p));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	p->sock = pair[0];
	p->channel = -1;
	p->features = 0x170000000ULL;
	p->protocol_features = DRIVER_PROTOCOL_FEATURES;
	p->region = 1 << 20;
	driver_config_init(&config);
	config.socket_fd = pair[1];
	config.mem_bytes = 2 << 20;
	config.timeout_ms = 300;
	config.nb_memory_regions = 2;
	return config;
}

static int
peer_connect(struct peer *p, const struct driver_config *config, struct driver **drv)
{
	cr_assert_eq(pthread_create(&p->thread, NULL, peer_run, p), 0);
	return driver_connect(config, drv);
}

static void
peer_end(struct peer *p)
{
	pthread_join(p->thread, NULL);
	if (p->channel >= 0) {
		close(p->channel);
	}
}

/* What vmm.md 1.4 says, message by message; negative: with NEED_REPLY. */
static const int qemu_order[] = {1, 15, 16, 17, -21, 3, 1, -13, -14, -13, -14, 44, 24, 2, -5, 8, 10,
	9, -12, -13, 8, 10, 9, -12, -13, -18, -18, -13, -13};

static void
expect_order(const struct peer *p, unsigned int from, const int *order, unsigned int nb)
{
	for (unsigned int i = 0; i < nb; i++) {
		const struct heard *m = &p->heard[from + i];
		int said = m->need_reply ? -(int)m->request : (int)m->request;

		cr_assert_eq(said, order[i], "message %u is %d, not %d", from + i, said, order[i]);
	}
}

Test(driver_frontend, start_stop_and_start_are_those_of_qemu)
{
	static const int stop[] = {-18, -18, 11, 11};
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver_info info;
	struct driver *drv;
	const unsigned int nb = ARRAY_SIZE(qemu_order);
	uint64_t u64;
	uint32_t u32;

	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	driver_get_info(drv, &info);
	cr_assert_eq(info.features, 0x170000000ULL);
	cr_assert_eq(info.protocol_features, 0x400629);
	cr_assert_eq(info.region_bytes, 1 << 20);
	cr_assert_eq(info.device_caps, 1);
	cr_assert_eq(strlen(info.card), 32, "a card without NUL is terminated here");
	cr_assert_eq(driver_stop(drv), 0);
	cr_assert_eq(driver_start(drv), 0);
	fake_end(drv);
	peer_end(&p);
	expect_order(&p, 0, qemu_order, nb);
	expect_order(&p, nb, stop, 4);
	expect_order(&p, nb + 4, qemu_order + 13, nb - 13);
	cr_assert_eq(p.nb, nb + 4 + nb - 13);
	/* Sizes and fds of the interesting ones. */
	cr_assert_eq(p.heard[4].nb_fds, 1);
	cr_assert_eq(p.heard[12].size, 52);
	cr_assert_eq(p.heard[14].size, 8 + 2 * 32);
	cr_assert_eq(p.heard[14].nb_fds, 2);
	cr_assert_eq(p.heard[17].size, 40);
	cr_assert_eq(p.heard[18].nb_fds, 1);
	memcpy(&u64, p.heard[14].body + 8, 8);
	cr_assert_eq(u64, MEMORY_GPA);
	memcpy(&u32, p.heard[16].body + 4, 4);
	cr_assert_eq(u32, 0, "base at first");
	memcpy(&u32, p.heard[nb + 4 + 3].body + 4, 4);
	cr_assert_eq(u32, 17, "base as the back-end said at the stop");
}

Test(driver_frontend, without_acknowledgements_a_question_is_the_barrier)
{
	static const int tail[] = {18, 1, 18, 1, 13, 13};
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver *drv;

	config.protocol_features &= ~VHOST_USER_PF_REPLY_ACK;
	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	fake_end(drv);
	peer_end(&p);
	expect_order(&p, p.nb - 6, tail, 6);
	for (unsigned int i = 0; i < p.nb; i++) {
		cr_assert_not(p.heard[i].need_reply);
	}
}

Test(driver_frontend, packed_rings_start_with_both_wrap_counters_set)
{
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver *drv;
	uint32_t base;

	config.packed = true;
	p.features |= RING_F_PACKED;
	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	fake_end(drv);
	peer_end(&p);
	cr_assert_eq(p.heard[16].request, VHOST_USER_SET_VRING_BASE);
	memcpy(&base, p.heard[16].body + 4, 4);
	cr_assert_eq(base, 0x80008000);
}

Test(driver_frontend, unknown_bits_are_never_acknowledged)
{
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver *drv;
	uint64_t acked;

	p.features = ~0ULL;
	p.protocol_features = ~0ULL;
	config.indirect = false;
	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	fake_end(drv);
	peer_end(&p);
	memcpy(&acked, p.heard[2].body, 8);
	cr_assert_eq(acked, 0x400629);
	cr_assert_eq(p.heard[13].request, VHOST_USER_SET_FEATURES);
	memcpy(&acked, p.heard[13].body, 8);
	cr_assert_eq(acked, (1ULL << 32) | (1ULL << 30) | (1ULL << 29));
}

Test(driver_frontend, missing_features_are_said_by_name_of_the_error)
{
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver *drv;

	p.features = 1ULL << 30;
	cr_assert_eq(peer_connect(&p, &config, &drv), -ENOTSUP);
	peer_end(&p);
	config = peer_init(&p);
	config.packed = true;
	cr_assert_eq(peer_connect(&p, &config, &drv), -EOPNOTSUPP);
	peer_end(&p);
}

static const struct {
	uint32_t request, size, flags, number;
	uint64_t value;
	int status;
} lies[] = {
	{1, 4, 0, 0, 0, -EPROTO},
	{1, 16, 0, 0, 0, -EPROTO},
	{1, 0, 1, 0, 0, -EPROTO},
	{1, 0, 0xd, 0, 0, -EPROTO},
	{1, 0, 0, 2, 0, -EPROTO},
	{17, 0, 0, 0, 1, -EPROTO},
	{21, 0, 0, 0, 1, -EPROTO},
	{44, 8, 0, 0, 0, -EPROTO},
	{44, 0, 0, 0, 5, -EPROTO},
	{24, 12, 0, 0, 0, -EPROTO},
	{24, 4000, 0, 0, 0, -EPROTO},
	{24, 0, 0, 0, 77, -EPROTO},
	{5, 0, 0, 0, 1, -EPROTO},
	{18, 0, 0, 0, UINT64_MAX, -EPROTO},
};

Test(driver_frontend, every_wrong_reply_ends_the_connection_with_an_error)
{
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		static struct peer p;
		struct driver_config config = peer_init(&p);
		struct driver *drv;

		p.lie_request = lies[i].request;
		p.lie_size = lies[i].size;
		p.lie_flags = lies[i].flags;
		p.lie_number = lies[i].number;
		p.lie_value = lies[i].value;
		cr_assert_eq(peer_connect(&p, &config, &drv), lies[i].status, "lie %zu", i);
		peer_end(&p);
	}
}

Test(driver_frontend, silence_is_a_time_out_and_never_a_hang)
{
	static const uint32_t from[] = {1, 15, 44, 24, 5, 18};

	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		static struct peer p;
		struct driver_config config = peer_init(&p);
		struct driver *drv;

		p.lie_request = from[i];
		p.silent = true;
		config.timeout_ms = 20;
		cr_assert_eq(peer_connect(&p, &config, &drv), -ETIMEDOUT, "message %u", from[i]);
		peer_end(&p);
	}
}

static bool
heard_until(struct peer *p, unsigned int nb)
{
	for (unsigned int i = 0; i < 2000; i++) {
		if (__atomic_load_n(&p->nb, __ATOMIC_ACQUIRE) >= nb) {
			return true;
		}
		usleep(1000);
	}
	return false;
}

static uint64_t
send_map(struct peer *p, int fd, uint64_t len)
{
	struct vhost_user_header hdr = {
		VHOST_USER_BACKEND_SHMEM_MAP, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, 40};
	struct window_request req = {.len = len, .flags = 1};
	uint8_t reply[20];
	uint64_t value;

	cr_assert_eq(wire_send(p->channel, &hdr, &req, &fd, 1, UINT64_MAX), 0);
	cr_assert_eq(recv(p->channel, reply, sizeof(reply), MSG_WAITALL), 20);
	memcpy(&value, reply + 12, 8);
	return value;
}

Test(driver_frontend, map_is_served_while_the_driver_is_busy_and_memory_is_told_again)
{
	static struct peer p;
	struct driver_config config = peer_init(&p);
	const unsigned int nb = ARRAY_SIZE(qemu_order);
	int fd = memfd_create("arena", MFD_CLOEXEC);
	struct driver_stats stats;
	struct driver *drv;
	uint8_t *base;
	size_t len;

	cr_assert_eq(ftruncate(fd, 1 << 20), 0);
	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	cr_assert_eq(send_map(&p, fd, 1 << 20), 0);
	cr_assert_eq(send_map(&p, fd, 1 << 20), 1, "mapped already");
	cr_assert(heard_until(&p, nb + 1));
	cr_assert_eq(p.heard[nb].request, VHOST_USER_SET_MEM_TABLE);
	cr_assert_eq(p.heard[nb].nb_fds, 3, "two of guest memory, one of the window");
	base = driver_window(drv, &len);
	cr_assert_eq(len, 1 << 20);
	base[len - 1] = 1;
	/* A pause keeps the map, a reset drops it. */
	cr_assert_eq(driver_stop(drv), 0);
	cr_assert_eq(send_map(&p, fd, 1 << 20), 1, "not while stopped");
	cr_assert_eq(driver_start(drv), 0);
	cr_assert_eq(send_map(&p, fd, 1 << 20), 1);
	cr_assert_eq(driver_reset(drv), 0);
	cr_assert_eq(driver_start(drv), 0);
	cr_assert_eq(send_map(&p, fd, 1 << 20), 0);
	driver_get_stats(drv, &stats);
	cr_assert_eq(stats.channel_maps, 2);
	cr_assert_eq(stats.channel_refused, 3);
	fake_end(drv);
	peer_end(&p);
	close(fd);
}

Test(driver_frontend, death_of_the_back_end_ends_everything_that_waits)
{
	static struct peer p;
	struct driver_config config = peer_init(&p);
	struct driver_raw_shape shape;
	struct driver_raw *raw;
	struct driver *drv;

	config.timeout_ms = 5000;
	cr_assert_eq(peer_connect(&p, &config, &drv), 0);
	cr_assert_eq(driver_raw_shape_ioctl(VIDIOC_G_CTRL, &shape), 0);
	cr_assert_eq(driver_raw_prepare(drv, &shape, &raw), 0);
	cr_assert_eq(driver_raw_submit(raw), 0);
	shutdown(p.sock, SHUT_RDWR);
	cr_assert_eq(driver_wait(drv, 3000), -ENODEV);
	cr_assert_eq(driver_raw_poll(raw, NULL, NULL), -ENODEV);
	cr_assert_eq(driver_raw_call(raw, NULL, NULL), -ENODEV);
	driver_raw_release(raw);
	fake_end(drv);
	peer_end(&p);
}

Test(driver_frontend, connections_leak_neither_fds_nor_threads)
{
	int first = -1;

	for (unsigned int i = 0; i < 100; i++) {
		static struct peer p;
		struct driver_config config = peer_init(&p);
		struct driver *drv;

		cr_assert_eq(peer_connect(&p, &config, &drv), 0);
		fake_end(drv);
		peer_end(&p);
		if (first < 0) {
			first = dup(0);
			close(first);
		}
	}
	cr_assert_eq(dup(0), first);
}
