/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests, their legal shapes, and the incremental reader; see message.h. */
#include "transport/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/util.h"
#include "transport/transport.h"

_Static_assert(sizeof(struct message_header) == 12, "wire size");
_Static_assert(offsetof(struct message, payload) ==
		       offsetof(struct message, header) + sizeof(struct message_header),
	"header and payload are contiguous");
_Static_assert(sizeof(struct message_vring_addr) == 40, "wire size");
_Static_assert(sizeof(struct message_region) == 32, "wire size");
_Static_assert(sizeof(struct message_config) == MESSAGE_MAX_PAYLOAD, "wire size");
_Static_assert(sizeof(struct message_shmem_config) == 2056, "wire size");
_Static_assert(sizeof(struct message_shmem_map) == 40, "wire size");
_Static_assert(sizeof(struct message_mem_reg) == 40, "wire size");
_Static_assert(sizeof(struct message_legacy_map) == 32, "wire size");
_Static_assert(sizeof(struct message_legacy_regions) == 24, "wire size");

/* Every request we know; each has a handler in dispatch.c. */
static const struct message_spec specs[] = {
	{MSG_GET_FEATURES, "GET_FEATURES", 0, 8, 0, true},
	{MSG_SET_FEATURES, "SET_FEATURES", 8, 8, 0, false},
	{MSG_SET_OWNER, "SET_OWNER", 0, 8, 0, false},
	{MSG_SET_MEM_TABLE, "SET_MEM_TABLE", 8, MESSAGE_MEM_TABLE_BYTES(MESSAGE_MAX_REGIONS),
		MESSAGE_MAX_FDS, false},
	{MSG_SET_VRING_NUM, "SET_VRING_NUM", 8, 8, 0, false},
	{MSG_SET_VRING_ADDR, "SET_VRING_ADDR", 40, 40, 0, false},
	{MSG_SET_VRING_BASE, "SET_VRING_BASE", 8, 8, 0, false},
	{MSG_GET_VRING_BASE, "GET_VRING_BASE", 8, 8, 0, true},
	{MSG_SET_VRING_KICK, "SET_VRING_KICK", 8, 8, 1, false},
	{MSG_SET_VRING_CALL, "SET_VRING_CALL", 8, 8, 1, false},
	{MSG_SET_VRING_ERR, "SET_VRING_ERR", 8, 8, 1, false},
	{MSG_GET_PROTOCOL_FEATURES, "GET_PROTOCOL_FEATURES", 0, 8, 0, true},
	{MSG_SET_PROTOCOL_FEATURES, "SET_PROTOCOL_FEATURES", 8, 8, 0, false},
	{MSG_GET_QUEUE_NUM, "GET_QUEUE_NUM", 0, 8, 0, true},
	{MSG_SET_VRING_ENABLE, "SET_VRING_ENABLE", 8, 8, 0, false},
	{MSG_SET_BACKEND_REQ_FD, "SET_BACKEND_REQ_FD", 0, 8, 1, false},
	{MSG_GET_CONFIG, "GET_CONFIG", MESSAGE_CONFIG_HEADER_BYTES, MESSAGE_MAX_PAYLOAD, 0, true},
	{MSG_SET_CONFIG, "SET_CONFIG", MESSAGE_CONFIG_HEADER_BYTES, MESSAGE_MAX_PAYLOAD, 0, false},
	{MSG_RESET_DEVICE, "RESET_DEVICE", 0, 8, 0, false},
	{MSG_GET_MAX_MEM_SLOTS, "GET_MAX_MEM_SLOTS", 0, 8, 0, true},
	{MSG_ADD_MEM_REG, "ADD_MEM_REG", 40, 40, 1, false},
	{MSG_REM_MEM_REG, "REM_MEM_REG", 40, 40, 1, false},
	{MSG_SET_STATUS, "SET_STATUS", 8, 8, 0, false},
	{MSG_GET_STATUS, "GET_STATUS", 0, 8, 0, true},
	{MSG_GET_SHARED_MEMORY_REGIONS, "GET_SHARED_MEMORY_REGIONS", 0, 8, 0, true},
	{MSG_GET_SHMEM_CONFIG, "GET_SHMEM_CONFIG", 0, sizeof(struct message_shmem_config), 0, true},
};

const struct message_spec *
message_spec(uint32_t request)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(specs); i++) {
		if (specs[i].request == request) {
			return &specs[i];
		}
	}
	return NULL;
}

const char *
message_name(uint32_t request)
{
	const struct message_spec *spec = message_spec(request);

	return spec != NULL ? spec->name : "unknown";
}

static int
check_mem_table(const struct message *msg)
{
	uint32_t nb_regions = msg->payload.mem.nb_regions;

	if (nb_regions > MESSAGE_MAX_REGIONS ||
		msg->header.size < MESSAGE_MEM_TABLE_BYTES(nb_regions)) {
		return -EBADMSG;
	}
	return msg->nb_fds == nb_regions ? 0 : -EINVAL;
}

static int
check_vring_fd(const struct message *msg)
{
	uint32_t nb_fds = (msg->payload.u64 & MESSAGE_VRING_NOFD) != 0 ? 0 : 1;

	if ((msg->payload.u64 & MESSAGE_VRING_INDEX) >= TRANSPORT_NB_QUEUES) {
		return -ERANGE;
	}
	return msg->nb_fds == nb_fds ? 0 : -EINVAL;
}

static int
check_config(const struct message *msg)
{
	uint32_t room = MIN(msg->header.size, (uint32_t)MESSAGE_MAX_PAYLOAD);

	/* A GET may come without the bytes it asks for; a SET may not. */
	if (msg->header.request == MSG_SET_CONFIG &&
		msg->payload.config.size > room - MESSAGE_CONFIG_HEADER_BYTES) {
		return -EBADMSG;
	}
	return msg->payload.config.size <= MESSAGE_MAX_PAYLOAD - MESSAGE_CONFIG_HEADER_BYTES
	               ? 0
	               : -EBADMSG;
}

int
message_check(const struct message *msg, const struct message_spec *spec)
{
	if (msg->header.size < spec->min_bytes || msg->header.size > spec->max_bytes) {
		return -EBADMSG;
	}
	if (msg->nb_fds > spec->max_fds || msg->fds_lost) {
		return -EINVAL;
	}
	switch (msg->header.request) {
	case MSG_SET_MEM_TABLE:
		return check_mem_table(msg);
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_CALL:
	case MSG_SET_VRING_ERR:
		return check_vring_fd(msg);
	case MSG_SET_VRING_NUM:
	case MSG_SET_VRING_ADDR:
	case MSG_SET_VRING_BASE:
	case MSG_GET_VRING_BASE:
	case MSG_SET_VRING_ENABLE:
		return msg->payload.state.index < TRANSPORT_NB_QUEUES ? 0 : -ERANGE;
	case MSG_SET_BACKEND_REQ_FD:
	case MSG_ADD_MEM_REG:
		return msg->nb_fds == 1 ? 0 : -EINVAL;
	case MSG_GET_CONFIG:
	case MSG_SET_CONFIG:
		return check_config(msg);
	default:
		return 0;
	}
}

void
message_close_fds(struct message *msg)
{
	for (uint32_t i = 0; i < msg->nb_fds; i++) {
		if (msg->fds[i] >= 0) {
			close(msg->fds[i]);
		}
	}
	msg->nb_fds = 0;
}

void
message_make_reply(struct message *msg, uint32_t payload_bytes)
{
	msg->header.flags = MESSAGE_VERSION | MESSAGE_REPLY;
	msg->header.size = payload_bytes;
}

void
message_reader_init(struct message_reader *reader, bool replies)
{
	reader->replies = replies;
	reader->got = 0;
	reader->msg.nb_fds = 0;
	reader->msg.fds_lost = false;
}

void
message_reader_reset(struct message_reader *reader)
{
	message_close_fds(&reader->msg);
	message_reader_init(reader, reader->replies);
}

void *
message_reader_want(struct message_reader *reader, size_t *bytes)
{
	size_t end = MESSAGE_HEADER_BYTES;

	if (reader->got >= MESSAGE_HEADER_BYTES) {
		end += reader->msg.header.size;
	}
	*bytes = end - reader->got;
	return (char *)&reader->msg.header + reader->got;
}

static bool
header_ok(const struct message_reader *reader)
{
	const struct message_header *header = &reader->msg.header;
	uint32_t limit = MESSAGE_MAX_PAYLOAD;

#ifdef VMEDIA_PLANT_VHOST_MESSAGE
	limit = 2 * MESSAGE_MAX_PAYLOAD; /* planted for the fuzzer: payloads beyond the buffer */
#endif
	return (header->flags & 0x3) == MESSAGE_VERSION &&
	       ((header->flags & MESSAGE_REPLY) != 0) == reader->replies && header->size <= limit;
}

int
message_reader_got(struct message_reader *reader, size_t bytes)
{
	bool had_header = reader->got >= MESSAGE_HEADER_BYTES;

	reader->got += bytes;
	if (reader->got < MESSAGE_HEADER_BYTES) {
		return 0;
	}
	if (!had_header && !header_ok(reader)) {
		return -EPROTO;
	}
	return reader->got == MESSAGE_HEADER_BYTES + reader->msg.header.size;
}

static void
take_fds(struct message *msg, const struct msghdr *mh)
{
	msg->fds_lost |= (mh->msg_flags & MSG_CTRUNC) != 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL;
		c = CMSG_NXTHDR((struct msghdr *)(uintptr_t)mh, c)) {
		const unsigned char *data = CMSG_DATA(c);
		size_t nb = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		for (size_t i = 0; i < nb; i++) {
			int fd;

			memcpy(&fd, data + i * sizeof(int), sizeof(fd));
			if (msg->nb_fds < MESSAGE_MAX_FDS) {
				msg->fds[msg->nb_fds++] = fd;
			} else {
				close(fd);
				msg->fds_lost = true;
			}
		}
	}
}

int
message_read(struct message_reader *reader, int fd)
{
	for (;;) {
		union {
			char room[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FDS * 4)];
			struct cmsghdr align;
		} control;
		struct iovec iov;
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n;
		int ret;

		iov.iov_base = message_reader_want(reader, &iov.iov_len);
		mh.msg_control = control.room;
		mh.msg_controllen = sizeof(control.room);
		n = recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		if (n < 0) {
			if (errno == EINTR) {
				continue;
			}
			return errno == EAGAIN ? 0 : -errno;
		}
		take_fds(&reader->msg, &mh);
		if (n == 0) {
			return -ECONNRESET;
		}
		ret = message_reader_got(reader, (size_t)n);
		if (ret != 0) {
			return ret;
		}
	}
}

int
message_send(int fd, const struct message *msg)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FDS)];
		struct cmsghdr align;
	} control;
	struct iovec iov = {.iov_base = (void *)(uintptr_t)&msg->header,
		.iov_len = MESSAGE_HEADER_BYTES + msg->header.size};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (msg->nb_fds > 0) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * msg->nb_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * msg->nb_fds);
		memcpy(CMSG_DATA(c), msg->fds, sizeof(int) * msg->nb_fds);
	}
	do {
		n = sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : (int)n;
}
