/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's qtest socket: with `-accel qtest` QEMU has no processor of its own, and whoever holds this
 * socket reads and writes ports and memory in its place. One line asks, one line answers; lines
 * about interrupts come at any time. Each line is bounded and checked to its last character; after
 * a wrong or late one nobody knows what the next one answers, so the socket counts as dead.
 */
#ifndef VMEDIA_DRIVER_QTEST_H
#define VMEDIA_DRIVER_QTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QTEST_CHUNK_BYTES 4096u /* of memory, read at once */
#define QTEST_LINE_BYTES  (2 * QTEST_CHUNK_BYTES + 64)

struct qtest {
	int sock, timeout_ms;
	bool dead;
	size_t nb_bytes;   /* in buf */
	size_t line_bytes; /* of them: the line handed out last */
	char buf[QTEST_LINE_BYTES];
};

/* Takes the connected socket. */
void qtest_init(struct qtest *qt, int sock, int timeout_ms);
void qtest_fini(struct qtest *qt);

/* Ports, 32 bits. All return 0, -EPROTO for a refusal or nonsense, or what the socket says. */
int qtest_out(struct qtest *qt, uint16_t port, uint32_t value);
int qtest_in(struct qtest *qt, uint16_t port, uint32_t *value);
/* Memory, 1, 2 or 4 bytes as one access. */
int qtest_write(struct qtest *qt, uint64_t address, unsigned int bytes, uint32_t value);
int qtest_read(struct qtest *qt, uint64_t address, unsigned int bytes, uint32_t *value);
/* Memory, any number of bytes. */
int qtest_read_bytes(struct qtest *qt, uint64_t address, void *data, size_t bytes);

/* QEMU is gone, or an answer was wrong. Does not block. */
bool qtest_is_dead(const struct qtest *qt);

/*
 * Parsers of a line without its end. -EAGAIN: about an interrupt, not an answer; -EPROTO: a refusal
 * or nonsense. Data is touched only on success.
 */
int qtest_parse_done(const char *line);
int qtest_parse_value(const char *line, uint64_t *value);
int qtest_parse_bytes(const char *line, void *data, size_t bytes);

#endif
