/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "base/compiler.h"
#include "transport/message.h"

static struct message_reader *reader;
static int ours;  /* the end that reads */
static int peers; /* the end that writes */

static void
set_up(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ours = pair[0];
	peers = pair[1];
	reader = malloc(sizeof(*reader)); /* of its own: ASan sees what goes beyond */
	message_reader_init(reader, false);
}

static void
tear_down(void)
{
	message_reader_reset(reader);
	free(reader);
	close(ours);
	close(peers);
}

TestSuite(message, .init = set_up, .fini = tear_down);

/* A SET_MEM_TABLE of two regions, the longest of the usual ones. */
static size_t
make_table(uint8_t *buf)
{
	struct message_header header = {MSG_SET_MEM_TABLE, MESSAGE_VERSION | MESSAGE_NEED_REPLY,
		MESSAGE_MEM_TABLE_BYTES(2)};
	struct message_mem_table table = {2, 0, {{1, 2, 3, 4}, {5, 6, 7, 8}}};

	memcpy(buf, &header, sizeof(header));
	memcpy(buf + sizeof(header), &table, header.size);
	return sizeof(header) + header.size;
}

static void
send_with_fds(const uint8_t *buf, size_t size, unsigned int nb_fds)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {(void *)(uintptr_t)buf, size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};

	memset(&control, 0, sizeof(control));
	if (nb_fds > 0) {
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nb_fds);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * nb_fds);
		for (unsigned int i = 0; i < nb_fds; i++) {
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &ours, sizeof(int));
		}
	}
	cr_assert_eq(sendmsg(peers, &mh, 0), (ssize_t)size);
}

static unsigned int
count_fds(void)
{
	unsigned int nb = 0;

	for (int fd = 0; fd < 256; fd++) {
		nb += fcntl(fd, F_GETFD) >= 0;
	}
	return nb;
}

static void
assert_table(void)
{
	const struct message *msg = &reader->msg;

	cr_assert_eq(msg->header.request, MSG_SET_MEM_TABLE);
	cr_assert_eq(msg->payload.mem.nb_regions, 2);
	cr_assert_eq(msg->payload.mem.regions[1].mmap_offset, 8);
	cr_assert_eq(msg->nb_fds, 2);
	cr_assert_eq(message_check(msg, message_spec(msg->header.request)), 0);
}

Test(message, split_at_every_byte_arrives_whole_with_its_fds)
{
	uint8_t buf[256];
	size_t size = make_table(buf);

	for (size_t cut = 1; cut < size; cut++) {
		send_with_fds(buf, cut, 2);
		cr_assert_eq(message_read(reader, ours), 0, "cut at %zu", cut);
		send_with_fds(buf + cut, size - cut, 0);
		cr_assert_eq(message_read(reader, ours), 1, "cut at %zu", cut);
		assert_table();
		message_reader_reset(reader);
	}
}

Test(message, single_bytes_arrive_whole)
{
	uint8_t buf[256];
	size_t size = make_table(buf);

	for (size_t i = 0; i < size; i++) {
		send_with_fds(buf + i, 1, i < 2 ? 1 : 0);
		cr_assert_eq(message_read(reader, ours), i == size - 1);
	}
	assert_table();
}

Test(message, glued_messages_come_apart_with_their_own_fds)
{
	uint8_t buf[512];
	size_t size = make_table(buf);

	make_table(buf + size);
	send_with_fds(buf, size + 12, 2);
	send_with_fds(buf + size + 12, size - 12, 2);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(message_read(reader, ours), 1);
		assert_table();
		message_reader_reset(reader);
	}
	cr_assert_eq(message_read(reader, ours), 0);
}

/* proves: S-22 */
Test(message, surplus_fds_are_closed_and_the_message_is_refused)
{
	unsigned int nb_fds = count_fds();
	uint8_t buf[256];
	size_t size = make_table(buf);

	for (unsigned int nb = MESSAGE_MAX_FDS + 1; nb <= 64; nb++) {
		send_with_fds(buf, size, nb);
		cr_assert_eq(message_read(reader, ours), 1);
		cr_assert_eq(message_check(&reader->msg, message_spec(MSG_SET_MEM_TABLE)), -EINVAL);
		message_reader_reset(reader);
		cr_assert_eq(count_fds(), nb_fds);
	}
}

Test(message, end_of_stream_and_an_empty_socket_are_told_apart)
{
	cr_assert_eq(message_read(reader, ours), 0);
	shutdown(peers, SHUT_WR);
	cr_assert_eq(message_read(reader, ours), -ECONNRESET);
}

static int
read_header(uint32_t flags, uint32_t size)
{
	struct message_header header = {MSG_GET_FEATURES, flags, size};
	int ret;

	send_with_fds((const uint8_t *)&header, sizeof(header), 0);
	ret = message_read(reader, ours);
	message_reader_reset(reader);
	return ret;
}

/* proves: S-22 */
Test(message, malformed_headers_are_a_protocol_error)
{
	cr_assert_eq(read_header(1, 0), 1);
	cr_assert_eq(read_header(9, MESSAGE_MAX_PAYLOAD), 0, "legal, and waits for its payload");
	cr_assert_eq(read_header(1, MESSAGE_MAX_PAYLOAD + 1), -EPROTO);
	cr_assert_eq(read_header(1, UINT32_MAX), -EPROTO);
	cr_assert_eq(read_header(0, 0), -EPROTO, "no version");
	cr_assert_eq(read_header(2, 0), -EPROTO, "version 2");
	cr_assert_eq(read_header(5, 0), -EPROTO, "a reply nobody asked for");
	reader->replies = true;
	cr_assert_eq(read_header(5, 0), 1);
	cr_assert_eq(read_header(1, 0), -EPROTO, "a request where a reply is due");
}

static int
check(uint32_t request, uint32_t size, uint32_t nb_fds)
{
	struct message *msg = &reader->msg;
	int ret;

	msg->header.request = request;
	msg->header.size = size;
	msg->nb_fds = nb_fds;
	ret = message_check(msg, message_spec(request));
	msg->nb_fds = 0;
	return ret;
}

/* proves: S-22 */
Test(message, counts_inside_the_payload_are_held_against_its_size)
{
	struct message *msg = &reader->msg;

	msg->payload.mem.nb_regions = 3;
	cr_assert_eq(check(MSG_SET_MEM_TABLE, MESSAGE_MEM_TABLE_BYTES(2), 3), -EBADMSG);
	cr_assert_eq(check(MSG_SET_MEM_TABLE, MESSAGE_MEM_TABLE_BYTES(3), 3), 0);
	cr_assert_eq(check(MSG_SET_MEM_TABLE, MESSAGE_MEM_TABLE_BYTES(3), 2), -EINVAL);
	msg->payload.mem.nb_regions = MESSAGE_MAX_REGIONS + 1;
	cr_assert_neq(check(MSG_SET_MEM_TABLE, MESSAGE_MAX_PAYLOAD, MESSAGE_MAX_FDS), 0);
	msg->payload.config.size = MESSAGE_MAX_PAYLOAD - 12;
	cr_assert_eq(check(MSG_GET_CONFIG, 12, 0), 0);
	cr_assert_eq(check(MSG_SET_CONFIG, 12, 0), -EBADMSG);
	msg->payload.config.size = MESSAGE_MAX_PAYLOAD - 11;
	cr_assert_eq(check(MSG_GET_CONFIG, 12, 0), -EBADMSG);
}

/* proves: R-2 S-22 */
Test(message, queue_indices_beyond_the_second_are_refused)
{
	const uint32_t states[] = {
		MSG_SET_VRING_NUM, MSG_SET_VRING_BASE, MSG_GET_VRING_BASE, MSG_SET_VRING_ENABLE};

	for (uint32_t index = 0; index < 256; index++) {
		int expected = index < 2 ? 0 : -ERANGE;

		reader->msg.payload.u64 = index;
		for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
			cr_assert_eq(check(states[i], 8, 0), expected);
		}
		cr_assert_eq(check(MSG_SET_VRING_ADDR, 40, 0), expected);
		cr_assert_eq(check(MSG_SET_VRING_KICK, 8, 1), expected);
		reader->msg.payload.u64 = index | MESSAGE_VRING_NOFD;
		cr_assert_eq(check(MSG_SET_VRING_CALL, 8, 0), expected);
		cr_assert_eq(check(MSG_SET_VRING_CALL, 8, 1), index < 2 ? -EINVAL : -ERANGE);
	}
}

Test(message, unknown_requests_have_no_shape)
{
	cr_assert_null(message_spec(0));
	cr_assert_null(message_spec(99));
	cr_assert_null(message_spec(UINT32_MAX));
	cr_assert_str_eq(message_name(99), "unknown");
	cr_assert_str_eq(message_name(MSG_GET_SHMEM_CONFIG), "GET_SHMEM_CONFIG");
}
