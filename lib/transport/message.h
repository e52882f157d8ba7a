/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user messages: wire structs, the table of known requests and an incremental reader. Pure:
 * no DPDK, no state of a device. Numbers and layouts: the vhost-user specification of QEMU 11.1;
 * everything little-endian, which is the only order supported.
 */
#ifndef VMEDIA_TRANSPORT_MESSAGE_H
#define VMEDIA_TRANSPORT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Largest payload accepted: 12 + 4084 bytes of config space. Larger is malformed. */
#define MESSAGE_MAX_PAYLOAD 4096
/* Descriptors kept of one message; surplus ones are closed and the message is refused. */
#define MESSAGE_MAX_FDS 16
/* Regions of one SET_MEM_TABLE that we look at; librte_vhost takes MESSAGE_LIBRARY_REGIONS. */
#define MESSAGE_MAX_REGIONS     16
#define MESSAGE_LIBRARY_REGIONS 8
#define MESSAGE_SHMEM_REGIONS   256

#define MESSAGE_VERSION    0x1u
#define MESSAGE_REPLY      0x4u
#define MESSAGE_NEED_REPLY 0x8u

/* Bits of the u64 of SET_VRING_KICK, CALL, ERR. */
#define MESSAGE_VRING_INDEX 0xffu
#define MESSAGE_VRING_NOFD  0x100u

enum message_request {
	MSG_GET_FEATURES = 1,
	MSG_SET_FEATURES = 2,
	MSG_SET_OWNER = 3,
	MSG_SET_MEM_TABLE = 5,
	MSG_SET_VRING_NUM = 8,
	MSG_SET_VRING_ADDR = 9,
	MSG_SET_VRING_BASE = 10,
	MSG_GET_VRING_BASE = 11,
	MSG_SET_VRING_KICK = 12,
	MSG_SET_VRING_CALL = 13,
	MSG_SET_VRING_ERR = 14,
	MSG_GET_PROTOCOL_FEATURES = 15,
	MSG_SET_PROTOCOL_FEATURES = 16,
	MSG_GET_QUEUE_NUM = 17,
	MSG_SET_VRING_ENABLE = 18,
	MSG_SET_BACKEND_REQ_FD = 21,
	MSG_GET_CONFIG = 24,
	MSG_SET_CONFIG = 25,
	MSG_RESET_DEVICE = 34,
	MSG_GET_MAX_MEM_SLOTS = 36,
	MSG_ADD_MEM_REG = 37,
	MSG_REM_MEM_REG = 38,
	MSG_SET_STATUS = 39,
	MSG_GET_STATUS = 40,
	MSG_GET_SHMEM_CONFIG = 44,
	MSG_GET_SHARED_MEMORY_REGIONS = 1004, /* crosvm before SHMEM was standard */
};

/* Requests of ours on the back-end channel. */
enum message_backend_request {
	MSG_BACKEND_CONFIG_CHANGE = 2,
	MSG_BACKEND_SHMEM_MAP = 9,
	MSG_BACKEND_LEGACY_MAP = 1000, /* crosvm's */
};

enum message_protocol_feature {
	MSG_F_MQ = 0,
	MSG_F_REPLY_ACK = 3,
	MSG_F_BACKEND_REQ = 5,
	MSG_F_CONFIG = 9,
	MSG_F_BACKEND_SEND_FD = 10,
	MSG_F_RESET_DEVICE = 13,
	MSG_F_MEM_SLOTS = 15,
	MSG_F_STATUS = 16,
	MSG_F_SHMEM_2025 = 20, /* SHMEM in crosvm from December 2025 to March 2026 */
	/* SHMEM in rust-vmm 0.16 and crosvm until August 2026; with bit 22: GPA_ADDRESSES */
	MSG_F_SHMEM_2026 = 21,
	MSG_F_SHMEM = 22,
	MSG_F_SHMEM_CROSVM = 31, /* crosvm's own messages, until 2025 */
};
/* The virtio feature bit without which there are no protocol features. */
#define MSG_VIRTIO_F_PROTOCOL_FEATURES 30

struct message_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload */
};

struct message_vring_state {
	uint32_t index;
	uint32_t num;
};

/* Note the order: used before avail. */
struct message_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

struct message_region {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t uva;
	uint64_t mmap_offset;
};

struct message_mem_table {
	uint32_t nb_regions;
	uint32_t padding;
	struct message_region regions[MESSAGE_MAX_REGIONS];
};
#define MESSAGE_MEM_TABLE_BYTES(n) (8 + (n) * sizeof(struct message_region))

/* ADD_MEM_REG, REM_MEM_REG. */
struct message_mem_reg {
	uint64_t padding;
	struct message_region region;
};

struct message_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t bytes[MESSAGE_MAX_PAYLOAD - 12];
};
#define MESSAGE_CONFIG_HEADER_BYTES 12

struct message_shmem_config {
	uint32_t nb_regions;
	uint32_t padding;
	uint64_t sizes[MESSAGE_SHMEM_REGIONS];
};

struct message_shmem_map {
	uint8_t shmid;
	uint8_t padding[7];
	uint64_t fd_offset;
	uint64_t shm_offset;
	uint64_t len;
	uint64_t flags; /* bit 0: read-write */
};

/* GET_SHARED_MEMORY_REGIONS: our only region. */
struct message_legacy_regions {
	uint64_t nb_regions;
	uint8_t id;
	uint8_t padding[7];
	uint64_t len;
};

struct message_legacy_map {
	uint8_t flags; /* 1: read, 2: write */
	uint8_t shmid;
	uint8_t padding[6];
	uint64_t shm_offset;
	uint64_t fd_offset;
	uint64_t len;
};

/* One whole message. Header and payload are contiguous, as they are on the wire; the hole before
 * them aligns the payload. */
struct message {
	uint32_t hole;
	struct message_header header;
	union {
		uint64_t u64;
		struct message_vring_state state;
		struct message_vring_addr addr;
		struct message_mem_table mem;
		struct message_mem_reg mem_reg;
		struct message_config config;
		struct message_shmem_config shmem;
		struct message_shmem_map map;
		struct message_legacy_regions legacy_regions;
		struct message_legacy_map legacy_map;
		uint8_t bytes[MESSAGE_MAX_PAYLOAD];
	} payload;
	uint32_t nb_fds;
	bool fds_lost; /* more came than fit; they are closed */
	int fds[MESSAGE_MAX_FDS];
};
#define MESSAGE_HEADER_BYTES sizeof(struct message_header)

/* What is legal for one request. */
struct message_spec {
	uint32_t request;
	const char *name;
	uint32_t min_bytes;
	uint32_t max_bytes;
	uint32_t max_fds;
	bool replies; /* has an answer of its own, NEED_REPLY or not */
};

/* NULL: a request we do not know. */
const struct message_spec *message_spec(uint32_t request);
/* "SET_MEM_TABLE" or "unknown"; for logs. */
const char *message_name(uint32_t request);

/*
 * Checks a whole message against its row, and counts inside the payload against its size and its
 * fds. 0; -EBADMSG: the sizes are wrong; -ERANGE: a queue index beyond the device's two; -EINVAL:
 * the wrong number of fds. Nothing else may look into the payload before this returned 0.
 */
int message_check(const struct message *msg, const struct message_spec *spec);

/* Closes the fds still in the message. Take one out by setting its slot to -1. */
void message_close_fds(struct message *msg);

/* Turns msg into the reply to itself; payload is filled by the caller. */
void message_make_reply(struct message *msg, uint32_t payload_bytes);

/*
 * The reader: whole, bounded messages from a byte stream that splits and glues as it likes. It
 * never asks for bytes beyond the current message, so fds always belong to the message being read.
 */
struct message_reader {
	struct message msg;
	size_t got;   /* bytes of header and payload so far */
	bool replies; /* the peer sends replies, not requests */
};

void message_reader_init(struct message_reader *reader, bool replies);
/* Closes fds and starts anew. */
void message_reader_reset(struct message_reader *reader);

/* Where the next bytes go and how many are wanted at most (> 0). */
void *message_reader_want(struct message_reader *reader, size_t *bytes);
/* That many of them have arrived. 1: a message is complete (reader->msg is the caller's until
 * message_reader_reset); 0: more needed; -EPROTO: malformed header, give the peer up. */
int message_reader_got(struct message_reader *reader, size_t bytes);

/* Reads from a socket, without blocking, until a message is complete or no more is there. 1, 0,
 * -EPROTO, -ECONNRESET (end of stream) or the errno of recvmsg. */
int message_read(struct message_reader *reader, int fd);

/* Sends header, payload and fds in one piece, without blocking. Bytes sent or a negative errno. */
int message_send(int fd, const struct message *msg);

#endif
