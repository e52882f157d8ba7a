/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vhost-user message reader and its checks: input byte 0, bit 0: replies are expected; then
 * pieces of a stream, each a u8 with the number of fds that arrive with it, a u16 length, and the
 * bytes. The reader stands alone on the heap, so that ASan sees any byte beyond it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "transport/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

/* Reads all that message_check vouches for, as the gateway does. */
static void
use_message(const struct message *msg)
{
	const struct message_spec *spec = message_spec(msg->header.request);
	uint64_t sum = 0;

	if (spec == NULL || message_check(msg, spec) != 0) {
		return;
	}
	for (uint32_t i = 0; i < msg->header.size; i++) {
		sum += msg->payload.bytes[i];
	}
	if (msg->header.request == MSG_SET_MEM_TABLE) {
		for (uint32_t i = 0; i < msg->payload.mem.nb_regions; i++) {
			sum += msg->payload.mem.regions[i].gpa + (uint64_t)msg->fds[i];
		}
	}
	if (msg->header.request == MSG_GET_CONFIG || msg->header.request == MSG_SET_CONFIG) {
		for (uint32_t i = 0; i < msg->payload.config.size; i++) {
			sum += msg->payload.config.bytes[i];
		}
	}
	sink = sum;
}

/* Descriptors that are not there (-1): nothing real is closed. */
static void
add_fds(struct message *msg, unsigned int nb)
{
	while (nb-- > 0) {
		if (msg->nb_fds == MESSAGE_MAX_FDS) {
			msg->fds_lost = true;
			return;
		}
		msg->fds[msg->nb_fds++] = -1;
	}
}

/* One piece of the stream, cut again where the reader stops asking. False: the peer is given up. */
static bool
feed(struct message_reader *reader, const uint8_t *data, size_t size)
{
	while (size > 0) {
		size_t wanted;
		void *to = message_reader_want(reader, &wanted);
		size_t n = MIN(wanted, size);
		int ret;

		memcpy(to, data, n);
		data += n;
		size -= n;
		ret = message_reader_got(reader, n);
		if (ret < 0) {
			return false;
		}
		if (ret == 1) {
			use_message(&reader->msg);
			message_reader_reset(reader);
		}
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message_reader *reader = calloc(1, sizeof(*reader));
	size_t at = 1;

	if (size == 0 || reader == NULL) {
		free(reader);
		return 0;
	}
	message_reader_init(reader, (data[0] & 1) != 0);
	while (size - at > 3) {
		size_t length = data[at + 1] | (size_t)data[at + 2] << 8;

		add_fds(&reader->msg, data[at]);
		at += 3;
		length = MIN(length, size - at);
		if (!feed(reader, data + at, length)) {
			break;
		}
		at += length;
	}
	message_reader_reset(reader);
	free(reader);
	return 0;
}
